//! What newer Engines and Compose tell more, or in another way, is kept as it came and shown.

use super::{ENGINE, ask, log_up_to, parsed, wait_for_connection};
use crate::dockerd::{Background, Engine};
use crate::skipped::say;
use crate::support::Ship;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// The first version of the API whose Engine is known to tell how long a container ran.
const EXEC_DURATION: (u32, u32) = (1, 51);
/// The last that is known not to.
const NO_EXEC_DURATION: (u32, u32) = (1, 41);

/// Messages about containers of this story, in order.
fn of_story(log: &std::collections::BTreeMap<u64, String>, name: &str) -> Vec<Value> {
    let events = log.values().map(|line| parsed(line)["event"].clone());
    events.filter(|event| event["Type"] == "container" && event.to_string().contains(name)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_a_container_ran_is_kept_and_shown() {
    let _alone = ENGINE.lock().await;
    let Some(engine) = Engine::given("ran") else { return };
    let dir = TempDir::new().unwrap();
    let ship = Ship::start(dir.path(), &engine.url);
    wait_for_connection(&ship, 1).await;
    engine.run(3, "job", &[], "sleep 1.2; exit 3");
    let end = engine.name("end");
    engine.docker(&["volume", "create", &end]);
    let log = log_up_to(&ship, &end).await;
    let events = of_story(&log, &engine.name("job"));
    let died = events.iter().find(|event| event["Action"] == "die").expect("its end");
    let (ran, api) = (died["Actor"]["Attributes"]["execDuration"].as_str(), engine.api());
    say(&format!("API {api:?}: execDuration {ran:?}"));
    match ran {
        None => assert!(api < EXEC_DURATION, "{died}"),
        Some(seconds) => {
            assert!(api > NO_EXEC_DURATION && seconds.parse::<u64>().is_ok_and(|seconds| seconds < 30), "{died}");
            let line = ask(&ship.url, &["query", "--filter", "event=die"]);
            assert!(line.contains(&format!("exitCode=3 execDuration={seconds}")), "{line}");
        }
    }
}

pub(super) fn compose(engine: &Engine, dir: &Path, project: &str, args: &[&str]) -> String {
    let mut command = Command::new("docker-compose");
    command.current_dir(dir).env("DOCKER_HOST", &engine.url).env_remove("COMPOSE_API_VERSION");
    let output = Background::start(command.args(["--project-name", project]).args(args)).wait();
    assert!(output.status.success(), "docker-compose {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_compose_does_to_make_a_container_anew_is_on_record() {
    let _alone = ENGINE.lock().await;
    let Some(engine) = Engine::given("again") else { return };
    let dir = TempDir::new().unwrap();
    let ship = Ship::start(&dir.path().join("data"), &engine.url);
    wait_for_connection(&ship, 1).await;
    let project = engine.name("shop").replace('-', "");
    let write = |stage: &str| {
        let service = format!(
            "image: busybox:test\n    command: sleep 1000\n    network_mode: none\n    stop_grace_period: 1s\n    environment: [STAGE={stage}]\n"
        );
        std::fs::write(dir.path().join("docker-compose.yml"), format!("version: '3'\nservices:\n  api:\n    {service}")).unwrap();
    };
    write("one");
    compose(&engine, dir.path(), &project, &["up", "--detach"]);
    write("two");
    compose(&engine, dir.path(), &project, &["up", "--detach"]);
    let version = compose(&engine, dir.path(), &project, &["version", "--short"]);
    compose(&engine, dir.path(), &project, &["down"]);
    let end = engine.name("end");
    engine.docker(&["volume", "create", &end]);
    let log = log_up_to(&ship, &end).await;
    let events = of_story(&log, &project);
    let attribute = |event: &Value, name: &str| event["Actor"]["Attributes"][name].as_str().unwrap_or_default().to_owned();
    let all = |action: &str| events.iter().filter(|event| event["Action"] == action).collect::<Vec<_>>();
    let [old, new] = all("create")[..] else { panic!("{events:#?}") };
    for event in &events {
        assert_eq!(
            (attribute(event, "com.docker.compose.project"), attribute(event, "com.docker.compose.service")),
            (project.clone(), "api".to_owned())
        );
    }
    assert_ne!(attribute(old, "com.docker.compose.config-hash"), attribute(new, "com.docker.compose.config-hash"));
    assert_eq!(all("destroy").len(), 2, "{events:#?}");
    let of_old = |event: &&Value| event["Actor"]["ID"] == old["Actor"]["ID"];
    let short = &old["Actor"]["ID"].as_str().unwrap()[..12];
    let renamed = all("rename");
    if version.trim_start_matches('v').starts_with("1.") {
        // The old one makes room for its name, then comes the new one.
        assert!(renamed.len() == 1 && of_old(&renamed[0]), "{events:#?}");
        assert!(attribute(renamed[0], "name").starts_with(short), "{renamed:?}");
    } else {
        // The new one is there under another name before the old one goes, and says whom it replaces.
        assert!(renamed.len() == 1 && !of_old(&renamed[0]), "{events:#?}");
        assert!(attribute(new, "name").starts_with(short) && attribute(renamed[0], "oldName").contains(short), "{new} {renamed:?}");
        assert!(!attribute(new, "com.docker.compose.replace").is_empty(), "{new}");
        let at = |event: &Value| events.iter().position(|other| other == event).unwrap();
        assert!(at(new) < at(all("die").into_iter().find(of_old).unwrap()), "{events:#?}");
        let shown = ask(&ship.url, &["query", "--filter", "event=rename"]);
        assert!(shown.contains("oldName=") && shown.contains(&format!("compose={project}/api")), "{shown}");
    }
    say(&format!("Compose {version}: {} events", events.len()));
}
