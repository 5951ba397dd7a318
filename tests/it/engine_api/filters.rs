//! The filters for which an Engine and shipslog are compared.

use super::scenario::ODD;
use crate::dockerd::Engine;
use serde_json::{Value, json};

/// Those that need no names of this story.
const PLAIN: [&str; 58] = [
    "",
    "type=container",
    "type=image",
    "type=network",
    "type=volume",
    "type=daemon",
    "type=builder",
    "type=plugin",
    "type=service",
    "type=node",
    "type=secret",
    "type=config",
    "type=container type=volume",
    "type=nonsense",
    "event=die",
    "event=die event=oom event=kill",
    "event=exec_create",
    "event=exec_start event=die",
    "event=exec_cre",
    "event=health_status",
    "event=health_status event=st",
    "event=exec_die",
    "event=prune",
    "event=tag event=untag event=import event=save event=load event=delete",
    "event=connect event=disconnect",
    "event=reload",
    "scope=local",
    "scope=swarm",
    "scope=local scope=swarm",
    "label=app",
    "label=app=web",
    "label=app=web label=com.docker.compose.service=web",
    "label=app=web label=app=batch",
    // As `docker compose events` asks.
    "label=com.docker.compose.project=shop",
    "label=exitCode=3",
    "label=exitCode=137 event=die",
    "label=empty",
    "label=empty=",
    "label=tier",
    "label=name",
    "label=signal=9",
    "image=busybox",
    "image=busybox:test",
    "image=busybox:tes",
    "image=sha256",
    "image=shipslog-lone",
    "image=shipslog/two",
    "image=library/shipslog/two",
    "image=127.0.0.1:5000/team/app",
    "image=127.0.0.1:5000/team/app:2",
    "image=team_a/app__b",
    "container=shipslog",
    "container=sha256:",
    "container=nothing",
    "daemon=nothing",
    "nonsense=x",
    "nonsense=x type=image event=tag",
    "type=network event=connect event=disconnect label=type=bridge",
];

/// The filters that are compared, as `docker events --filter` takes them.
pub(super) fn filters(engine: &Engine, events: &[Value]) -> Vec<Vec<String>> {
    let id = |kind: &str, name: &str| {
        let name = engine.name(name);
        let of = |e: &&Value| e["Type"] == kind && (e["Actor"]["Attributes"]["name"] == name.as_str() || e["Actor"]["ID"] == name.as_str());
        events.iter().find(of).unwrap_or_else(|| panic!("no {kind} {name}"))["Actor"]["ID"].as_str().unwrap().to_owned()
    };
    let of = |words: &str| words.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let name = |name: &str| engine.name(name);
    let daemon = events.iter().find(|e| e["Type"] == "daemon").expect("a reload")["Actor"].clone();
    let image = events.iter().find(|e| e["Type"] == "image" && e["Action"] == "tag").unwrap()["Actor"]["ID"].as_str().unwrap().to_owned();
    let mut all: Vec<Vec<String>> = PLAIN.into_iter().map(of).collect();
    all.extend([
        of(&format!("container={}", name("web"))),
        of(&format!("container={}", name("web-2"))),
        of(&format!("container={} event=die event=start", name("web"))),
        of(&format!("container={} container={}", name("three"), name("gone"))),
        of(&format!("container={}", id("container", "three"))),
        of(&format!("container={}", &id("container", "three")[..12])),
        of(&format!("container={} type=network", name("net"))),
        of(&format!("network={}", name("net"))),
        of(&format!("network={}", &id("network", "net")[..6])),
        of(&format!("network=bridge network={}", name("net"))),
        of(&format!("volume={}", name("vol"))),
        of(&format!("volume={}", name("v"))),
        of(&format!("volume={} event=mount event=unmount", name("vol"))),
        of(&format!("image={}", name("img"))),
        of(&format!("image={}:1.0", name("img"))),
        of(&format!("image={}:1.0 type=container event=die", name("img"))),
        of(&format!("image={image}")),
        of(&format!("container={}", &image[..20])),
        of(&format!("daemon={}", daemon["ID"].as_str().unwrap())),
        of(&format!("daemon={}", &daemon["ID"].as_str().unwrap()[..9])),
        of(&format!("daemon={}", daemon["Attributes"]["name"].as_str().unwrap())),
        of(&format!("service={}", name("service"))),
        of(&format!("secret={} secret={}", name("secret"), name("config"))),
        of(&format!("config={}", name("config"))),
        of("node=vm"),
        of(&format!("plugin={}", name("web"))),
        vec![format!("label=odd={ODD}")],
        vec![format!("event=exec_create: sh -c exit 9")],
        vec!["event=exec_start: sh -c echo 'a: b'\nexit 0".to_owned(), "event=rename".to_owned()],
        vec!["event=health_status: healthy".to_owned()],
    ]);
    all
}

/// As the command line sends them, and as docker-py does.
pub(super) fn as_json(filters: &[String]) -> (Value, Value) {
    let (mut go, mut python) = (json!({}), json!({}));
    for filter in filters {
        let (key, value) = filter.split_once('=').unwrap();
        go[key][value] = true.into();
        match &mut python[key] {
            Value::Array(list) => list.push(value.into()),
            none => *none = json!([value]),
        }
    }
    (go, python)
}
