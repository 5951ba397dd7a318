//! What is recorded of containers that fail, beside the events: why, and what they printed last.

use super::{ENGINE, own, wait_for_connection};
use crate::dockerd::{Engine, IMAGE};
use crate::support::{Ship, wait_for};
use serde_json::Value;
use tempfile::TempDir;

/// The record about a container of this name that `wanted` is true of.
async fn told(ship: &Ship, action: &str, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_for(&format!("{action} of {name}"), async || {
        let log = ship.export(r#"&filters={"type":["recorder"]}"#).await;
        own(&log, action).into_iter().find(|told| told["name"] == name && wanted(told))
    })
    .await
}

fn text<'a>(told: &'a Value, key: &str) -> &'a str {
    told[key].as_str().unwrap_or_else(|| panic!("no {key}: {told}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_explained_while_the_daemon_still_knows() {
    let _alone = ENGINE.lock().await;
    let Some(engine) = Engine::given("why") else { return };
    let dir = TempDir::new().unwrap();
    let ship = Ship::start_with(dir.path(), &["--docker-host", &engine.url, "--last-words"]);
    wait_for_connection(&ship, 1).await;
    let of_failure = |told: &Value| told["observation"] == "failure";

    engine.run(0, "loop", &["--detach", "--restart", "on-failure:2"], "echo starting; echo password=hunter2 >&2; exit 7");
    let words = told(&ship, "last-words", &engine.name("loop"), |_| true).await;
    let said = text(&words, "text");
    assert!(said.contains("Z starting") && said.contains("password=[redacted] (secret-value)") && !said.contains("hunter2"), "{words}");
    assert_eq!((text(&words, "exitCode"), text(&words, "lines")), ("7", "2"));
    let observed = told(&ship, "observed", &engine.name("loop"), of_failure).await;
    assert_eq!(text(&observed, "restartPolicy"), "on-failure:2");

    // Engine 28 has the reason in other words.
    engine.exits(127, &["run", "--name", &engine.name("nope"), "--network", "none", IMAGE, "/usr/bin/nope"]);
    let observed = told(&ship, "observed", &engine.name("nope"), of_failure).await;
    assert!(text(&observed, "error").contains("nope"), "{observed}");
    assert_eq!(text(&observed, "state"), "created");

    // It goes with its end, so that only a quick one finds it.
    engine.run(3, "brief", &["--rm"], "echo one moment; exit 3");
    let words = told(&ship, "last-words", &engine.name("brief"), |_| true).await;
    let said = text(&words, "text");
    assert!(said.contains("one moment") || words["why"].is_string(), "{words}");

    // Output of a terminal comes in another form.
    engine.run(4, "tty", &["--tty"], "echo from a terminal; exit 4");
    let words = told(&ship, "last-words", &engine.name("tty"), |_| true).await;
    assert!(text(&words, "text").ends_with("Z from a terminal"), "{words}");
    engine.docker(&["rm", "--force", &engine.name("loop"), &engine.name("nope"), &engine.name("tty")]);
}
