//! Health checks are recognised by what an inspection shows, once a container.

use crate::fake_daemon::FakeDaemon;
use crate::support::{Ship, wait_for};
use serde_json::{Value, json};
use tempfile::TempDir;

fn container(id: &str) -> Value {
    json!({"Id": id, "Name": format!("/{id}"), "Config": {"Healthcheck": {"Test": ["CMD", "/check", "--fast"]}}, "State": {"Status": "running"}})
}

fn exec(container: &str, action: &str, n: u64) -> String {
    let time = 1_795_344_577_000_000_000 + n * 1_000_000;
    format!(
        r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"{container}","Attributes":{{"execID":"e{}"}}}},"timeNano":{time}}}"#,
        n / 10
    )
}

/// Whether the record of event `n` of a container is marked, once it is there.
async fn is_marked(ship: &Ship, container: &str, n: u64) -> bool {
    let time = format!("{}", 1_795_344_577_000_000_000 + n * 1_000_000);
    wait_for("the record", async || {
        let log = ship.export(&format!(r#"&filters={{"container":["{container}"]}}"#)).await;
        log.values().find(|line| line.contains(&time)).map(|line| line.contains(r#","noise":"healthcheck","event":"#))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_inspected_once_and_its_probes_are_marked_from_then_on() {
    let dir = TempDir::new().unwrap();
    let daemon = FakeDaemon::unix().await;
    daemon.set_containers(&[("c1", container("c1"))]);
    let ship = Ship::start(dir.path(), &daemon.url());
    daemon.wait_for_subscribers(1).await;
    wait_for("what is observed", async || {
        Some(ship.export("").await).filter(|log| log.values().any(|line| line.contains(r#""Action":"observed""#)))
    })
    .await;
    for (n, action) in [(10, "exec_create: /check --fast"), (11, "exec_start: /check --fast"), (12, "exec_die")] {
        daemon.emit(&exec("c1", action, n));
        assert!(is_marked(&ship, "c1", n).await, "{action}");
    }
    for (n, action) in
        [(20, "exec_create: /check --slow"), (21, "exec_start: /check --slow"), (22, "exec_die"), (13, "health_status: healthy")]
    {
        daemon.emit(&exec("c1", action, n));
        assert!(!is_marked(&ship, "c1", n).await, "{action}");
    }

    // One that is made later is asked for when it first runs something.
    daemon.set_containers(&[("c1", container("c1")), ("c2", container("c2"))]);
    let mut n = 100;
    loop {
        daemon.emit(&exec("c2", "exec_create: /check --fast", n));
        if is_marked(&ship, "c2", n).await {
            break;
        }
        n += 10;
        assert!(n < 10_000, "never known");
    }
    assert!(n > 100, "nobody waits for an inspection");
    daemon.emit(&exec("c2", "exec_die", n + 1));
    assert!(is_marked(&ship, "c2", n + 1).await);

    // What is not there is not asked for twice.
    for n in 2000..2005 {
        daemon.emit(&exec("c3", "exec_create: /check --fast", n * 10));
        assert!(!is_marked(&ship, "c3", n * 10).await);
    }
    for id in ["c1", "c2", "c3"] {
        assert_eq!(daemon.count(&format!("/containers/{id}/json")), 1, "{id}: {:?}", daemon.requests());
    }
    assert!(daemon.requests().iter().all(|request| request.starts_with("GET ")));
}
