//! `docker-compose events`, which watches one project's containers.

use crate::docker::ENGINE;
use crate::dockerd::{Background, Engine};
use crate::skipped::skipped;
use crate::support::{Ship, wait_for};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

fn events(url: &str, dir: &Path, project: &str) -> Background {
    let mut command = Command::new("docker-compose");
    command.current_dir(dir).env("DOCKER_HOST", url).env("PYTHONUNBUFFERED", "1").env_remove("COMPOSE_API_VERSION");
    Background::start(command.args(["--project-name", project, "events", "--json"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn compose_follows_a_project_as_from_the_engine() {
    let Some(engine) = Engine::given("compose") else { return };
    let compose = Command::new("docker-compose").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !compose.is_ok_and(|status| status.success()) {
        skipped("no docker-compose (Debian: apt-get install docker-compose)");
        return;
    }
    let _alone = ENGINE.lock().await;
    let dir = TempDir::new().unwrap();
    let services = ["ready", "web", "end"].map(|name| format!("  {name}:\n    image: busybox:test\n")).concat();
    std::fs::write(dir.path().join("docker-compose.yml"), format!("version: '3'\nservices:\n{services}")).unwrap();
    let ship = Ship::start(&dir.path().join("data"), &engine.url);
    let project = engine.name("shop").replace('-', "");
    let listeners = [&engine.url, &ship.url.replacen("http", "tcp", 1)].map(|url| events(url, dir.path(), &project));
    let labels = |service: &str| {
        let labels = [("project", project.as_str()), ("service", service), ("oneoff", "False"), ("container-number", "1")];
        labels.map(|(name, value)| format!("--label=com.docker.compose.{name}={value}"))
    };
    let create = |name: &str, service: &str| {
        let labels = labels(service);
        let options = labels.iter().map(String::as_str).collect::<Vec<_>>();
        engine.docker(
            &[&["create", "--name", &engine.name(name), "--network", "none"], &options[..], &["busybox:test", "sleep", "1000"]].concat(),
        );
    };
    // Until both have begun to listen.
    let mut count = 0;
    wait_for("both to listen", async || {
        count += 1;
        create(&format!("ready-{count}"), "ready");
        listeners.iter().all(|listener| listener.out().contains("ready-")).then_some(())
    })
    .await;
    create("web", "web");
    engine.docker(&["run", "--rm", "--network", "none", "busybox:test", "true"]);
    for command in [&["start"][..], &["pause"], &["unpause"], &["kill"], &["rm"]] {
        engine.docker(&[command, &[&engine.name("web")]].concat());
        if command == ["kill"] {
            engine.docker(&["wait", &engine.name("web")]);
        }
    }
    create("end", "end");
    let end = engine.name("end");
    let of_web = async |listener: &Background| {
        let lines =
            wait_for("the last event", async || Some(listener.lines()).filter(|lines| lines.iter().any(|l| l.contains(&end)))).await;
        lines.into_iter().filter(|line| line.contains(r#""service": "web""#) || line.contains(r#""service":"web""#)).collect::<Vec<_>>()
    };
    let (theirs, ours) = (of_web(&listeners[0]).await, of_web(&listeners[1]).await);
    assert!(theirs.len() >= 7 && theirs[0].contains("create") && theirs.last().unwrap().contains("destroy"), "{theirs:?}");
    assert_eq!(ours, theirs);
}
