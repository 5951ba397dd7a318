//! What happens on a Docker host, of as many kinds as one can bring about at will, one after the other.

use crate::dockerd::{Background, Engine};
use crate::skipped::say;
use crate::support::wait_for;
use std::path::Path;
use std::process::Command;

/// A label value with all that JSON and Go treat in a way of their own.
pub(super) const ODD: &str = "<b>&amp; \"q\" \\ \u{2028} \u{202e}grün=日本=\u{1f980}\ttab";

pub(super) fn live(engine: &Engine, dir: &Path) {
    let name = |name: &str| engine.name(name);
    let docker = |args: &[&str]| engine.docker(args);
    swarm(engine, dir);
    // The daemon's own event.
    let pid = std::fs::read_to_string(engine.directory().join("dockerd.pid")).unwrap();
    assert!(Command::new("kill").args(["-HUP", pid.trim()]).status().unwrap().success());

    docker(&["volume", "create", "--label", "tier=data", &name("vol")]);
    docker(&["network", "create", "--label", "tier=front", &name("net")]);
    images(engine, dir);

    let (vol, net, image) = (format!("{}:/vol", name("vol")), name("net"), format!("{}:1.0", name("img")));
    let odd = format!("odd={ODD}");
    docker(&[
        "run",
        "--detach",
        "--name",
        &name("web"),
        "--network",
        &net,
        "--volume",
        &vol,
        "--label",
        "app=web",
        "--label",
        &odd,
        "--label",
        "empty=",
        "--label",
        "com.docker.compose.project=shop",
        "--label",
        "com.docker.compose.service=web",
        "--stop-timeout",
        "0",
        &image,
        "sleep",
        "1000",
    ]);
    docker(&["exec", &name("web"), "sh", "-c", "echo 'a: b'\nexit 0"]);
    engine.exits(9, &["exec", &name("web"), "sh", "-c", "exit 9"]);
    docker(&["pause", &name("web")]);
    docker(&["unpause", &name("web")]);
    docker(&["network", "disconnect", &net, &name("web")]);
    docker(&["network", "connect", &net, &name("web")]);
    docker(&["cp", &format!("{}:/bin/sh", name("web")), dir.join("sh").to_str().unwrap()]);
    docker(&["cp", dir.join("sh").to_str().unwrap(), &format!("{}:/copied", name("web"))]);
    docker(&["export", "--output", dir.join("export.tar").to_str().unwrap(), &name("web")]);
    docker(&["top", &name("web")]);
    docker(&["commit", &name("web"), &name("committed")]);
    docker(&["kill", "--signal", "HUP", &name("web")]);
    docker(&["rename", &name("web"), &name("web-2")]);
    docker(&["restart", "--time", "0", &name("web-2")]);
    docker(&["stop", "--time", "0", &name("web-2")]);

    engine.run(3, "three", &["--label", "app=batch"], "exit 3");
    engine.run(0, "gone", &["--rm", "--label", "app=batch", "--label", &format!("long={}", "0123456789".repeat(2000))], "exit 0");
    engine.run(0, "killed", &["--detach"], "sleep 1000");
    docker(&["kill", &name("killed")]);
    docker(&["wait", &name("killed")]);
    if docker(&["info", "--format", "{{.MemoryLimit}}"]) == "true" {
        // The container outlives the process that is killed: of one that is gone at once, dockerd may not
        // tell the `oom` any more.
        engine.run(137, "oom", &["--memory", "8m"], "tail /dev/zero; code=$?; sleep 1; exit $code");
    } else {
        say("NOT TESTED: running out of memory; the Engine says that this kernel's cgroups cannot limit memory");
    }
}

/// Health, which moves by itself, and what removes and prunes.
pub(super) async fn live_on(engine: &Engine) {
    let name = |name: &str| engine.name(name);
    let docker = |args: &[&str]| engine.docker(args);
    let health = ["--detach", "--health-cmd", "cat /ok", "--health-interval", "700ms", "--health-retries", "1", "--label", "app=web"];
    engine.run(0, "health", &health, "touch /ok; sleep 1000");
    for (expected, then) in [("healthy", vec!["exec", "rm", "/ok"]), ("unhealthy", vec!["rm"])] {
        wait_for(expected, async || {
            let now = docker(&["inspect", "--format", "{{.State.Health.Status}}", &name("health")]);
            (now == expected).then_some(())
        })
        .await;
        match then[..] {
            ["exec", ref command @ ..] => docker(&[&["exec", &name("health")][..], command].concat()),
            _ => docker(&["rm", "--force", &name("health")]),
        };
    }
    docker(&["rm", "--volumes", &name("web-2"), &name("killed")]);
    docker(&["volume", "create", &name("unused")]);
    docker(&["network", "create", &name("unused")]);
    docker(&["rmi", &name("committed"), &format!("{}:1.0", name("img"))]);
    for what in ["container", "image", "network", "volume", "builder"] {
        docker(&[what, "prune", "--force"]);
    }
    if docker(&["info", "--format", "{{.Swarm.LocalNodeState}}"]) == "active" {
        docker(&["swarm", "leave", "--force"]);
    }
}

fn images(engine: &Engine, dir: &Path) {
    let (image, saved) = (format!("{}:1.0", engine.name("img")), dir.join("saved.tar"));
    for tag in [image.as_str(), "library/shipslog-lone:1", "library/shipslog/two:1", "127.0.0.1:5000/team/app:2", "team_a/app__b:x"] {
        engine.docker(&["tag", "busybox:test", tag]);
    }
    engine.docker(&["save", "--output", saved.to_str().unwrap(), &image]);
    engine.docker(&["rmi", "library/shipslog-lone:1"]);
    engine.docker(&["load", "--input", saved.to_str().unwrap()]);
    engine.docker(&["import", "--message", "by hand", saved.to_str().unwrap(), &engine.name("imported")]);
    engine.docker(&["rmi", &engine.name("imported")]);
}

/// Events of the scope `swarm`, whose times are those of the cluster's store.
fn swarm(engine: &Engine, dir: &Path) {
    // By itself a swarm takes a bridge of this name, which may be that of the machine's own Engine. Of ours
    // it has one of another name.
    engine.docker(&["network", "create", "docker_gwbridge"]);
    let init = ["swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:12377"];
    let made = Background::start(&mut engine.cli(&init)).wait();
    if !made.status.success() {
        say(&format!("NOT TESTED: events of a swarm; {}", String::from_utf8_lossy(&made.stderr).trim()));
        return;
    }
    let (secret, service) = (dir.join("secret"), engine.name("service"));
    std::fs::write(&secret, "not told").unwrap();
    for kind in ["secret", "config"] {
        engine.docker(&[kind, "create", &engine.name(kind), secret.to_str().unwrap()]);
    }
    engine.docker(&["service", "create", "--detach", "--quiet", "--name", &service, "--replicas", "0", "busybox:test", "sleep", "1000"]);
    engine.docker(&["service", "update", "--detach", "--quiet", "--replicas", "0", "--label-add", "a=b", &service]);
    engine.docker(&["service", "rm", &service]);
    engine.docker(&["secret", "rm", &engine.name("secret")]);
    let node = engine.docker(&["node", "ls", "--quiet"]);
    engine.docker(&["node", "update", "--label-add", "x=y", &node]);
}
