use super::testing::{HEALTH, passes};
use super::*;
use crate::event::{Event, Noise};
use proptest::prelude::*;
use std::collections::HashMap;

const DIE: &str = r#"{"Type":"container","Action":"die","Actor":{"ID":"f415","Attributes":{"exitCode":"137","image":"busybox:1.36","name":"api-1","com.docker.compose.project":"shop"}},"scope":"local"}"#;
const PULL: &str = r#"{"Type":"image","Action":"pull","Actor":{"ID":"nginx:1.27","Attributes":{"name":"nginx"}},"scope":"local"}"#;

#[test]
fn matches_as_docker_does() {
    for (filters, json, expected) in [
        ("", DIE, true),
        ("{}", DIE, true),
        (r#"{"type":[]}"#, DIE, true),
        (r#"{"type":["container"],"event":["die","oom"]}"#, DIE, true),
        (r#"{"type":{"container":true},"event":{"start":true}}"#, DIE, false),
        (r#"{"container":["api"]}"#, DIE, true),
        (r#"{"container":["f4"]}"#, DIE, true),
        (r#"{"network":["api"]}"#, DIE, true),
        (r#"{"container":["pi-1"]}"#, DIE, false),
        (r#"{"label":["exitCode=137"]}"#, DIE, true),
        (r#"{"label":["exitCode","com.docker.compose.project=shop"]}"#, DIE, true),
        (r#"{"label":["exitCode","absent"]}"#, DIE, false),
        (r#"{"image":["busybox"]}"#, DIE, true),
        (r#"{"image":["busybox:1.36"]}"#, DIE, true),
        (r#"{"image":["busybox:1"]}"#, DIE, false),
        (r#"{"image":["nginx"]}"#, PULL, true),
        (r#"{"event":["health_status"]}"#, HEALTH, true),
        (r#"{"event":["health_status: unhealthy"]}"#, HEALTH, true),
        (r#"{"event":["health_status: un"]}"#, HEALTH, false),
        (r#"{"event":["health_status","di"]}"#, DIE, true),
        (r#"{"scope":["swarm"]}"#, DIE, false),
        (r#"{"source":["local"]}"#, DIE, true),
        (r#"{"source":["prod"]}"#, DIE, false),
    ] {
        assert_eq!(passes(filters, "", json), expected, "{filters} on {json}");
    }
}

#[test]
fn noise_is_a_key_of_the_record() {
    let passes = |filters: &str, exclude: &str, noise: Option<Noise>| {
        let event = Event::from_line(DIE.as_bytes()).unwrap();
        let filter = Filter::from_params(Some(filters), Some(exclude)).unwrap();
        assert!(filter.may_match_text(DIE.as_bytes()), "the mark is not in the message");
        filter.matches(&Subject { source: "local", noise, foreign: false, event: &event.view() })
    };
    let marked = Some(Noise::HealthCheck);
    assert!(passes(r#"{"noise":["healthcheck"]}"#, "", marked) && !passes(r#"{"noise":["healthcheck"]}"#, "", None));
    for exclude in [r#"{"noise":["healthcheck"]}"#, r#"{"noise":["health*"]}"#, r#"{"noise":["*"]}"#] {
        assert!(!passes("", exclude, marked) && passes("", exclude, None), "{exclude}");
    }
    assert!(passes("", r#"{"noise":["other"]}"#, marked) && passes(r#"{"noise":[]}"#, "", None));
}

#[test]
fn exclude_leaves_out_what_any_value_matches() {
    for (exclude, json, expected) in [
        (r#"{"event":["health_*"]}"#, HEALTH, false),
        (r#"{"event":["health_*"]}"#, DIE, true),
        (r#"{"event":["health_status"]}"#, HEALTH, false),
        (r#"{"event":["oom"],"container":["api"]}"#, DIE, false),
        (r#"{"label":["absent","exitCode=1*"]}"#, DIE, false),
        (r#"{"label":["com.docker.*"]}"#, DIE, false),
        (r#"{"image":["busy*"]}"#, DIE, false),
        (r#"{"source":["lo*"]}"#, DIE, false),
        (r#"{"type":["net*"]}"#, DIE, true),
        (r#"{"event":["*"]}"#, DIE, false),
    ] {
        assert_eq!(passes("", exclude, json), expected, "not {exclude} on {json}");
    }
}

const WORKER: &str = r#"{"Type":"container","Action":"exec_die","Actor":{"ID":"ab12","Attributes":{"com.docker.compose.project":"shop","com.docker.compose.service":"Worker","exitCode":"0","image":"registry.example/Größe:1","name":"shop-worker-1"}},"scope":"local"}"#;
const START: &str =
    r#"{"Type":"container","Action":"start","Actor":{"ID":"ab12","Attributes":{"exitCode":"1","name":"exitCode"}},"scope":"local"}"#;

#[test]
fn friendly_keys_say_what_people_mean() {
    for (term, json, expected) in [
        ("exit=137", DIE, true),
        ("exit=13", DIE, false),
        ("exit=0137", DIE, true),
        ("exit!=0", DIE, true),
        ("exit!=137", DIE, false),
        ("exit!=0", WORKER, false),
        ("exit=0", WORKER, true),
        ("exit=*", WORKER, true),
        // No exit code, whatever a label is called.
        ("exit!=0", START, false),
        ("exit=*", START, false),
        ("exit!=0", HEALTH, false),
        ("project=shop", DIE, true),
        ("project=sh", DIE, false),
        ("project=sh*", DIE, true),
        ("project=shop", PULL, false),
        ("service=Worker", WORKER, true),
        ("service=Wor", WORKER, false),
        ("service=Wor*", WORKER, true),
        // As Docker has it, for services of a swarm.
        ("service=shop", WORKER, true),
        ("service=ab1", WORKER, true),
        ("text=WORKER-1", WORKER, true),
        ("text=GRÖSSE", WORKER, false),
        ("text=GRÖß", WORKER, true),
        ("text=exec_D", WORKER, true),
        ("text=AB12", WORKER, true),
        ("text=", WORKER, true),
        ("text=nothing", WORKER, false),
        ("text=compose", WORKER, false),
        ("text=unhealthy", HEALTH, true),
    ] {
        let event = Event::from_line(json.as_bytes()).unwrap();
        let filter = Filter::from_terms(&[term.to_owned()], &[]).unwrap();
        let subject = Subject { source: "local", noise: None, foreign: false, event: &event.view() };
        assert_eq!(filter.matches(&subject), expected, "{term} on {json}");
        assert!(!expected || filter.may_match_text(json.as_bytes()), "{term} on {json}");
        let without = Filter::from_terms(&[], &[term.to_owned()]).unwrap();
        assert_eq!(without.matches(&subject), !expected, "without {term} on {json}");
    }
    for (filters, json, expected) in [
        (r#"{"exit":["0","137"]}"#, DIE, true),
        (r#"{"exit":["!=0"]}"#, DIE, true),
        (r#"{"exit!":["0"]}"#, DIE, true),
        (r#"{"exit!":{"137":true}}"#, DIE, false),
        (r#"{"project":["shop","other"],"text":["none","BUSY"]}"#, DIE, true),
        (r#"{"text":["none"],"project":["shop"]}"#, DIE, false),
    ] {
        assert_eq!(passes(filters, "", json), expected, "{filters} on {json}");
    }
    let spelling = |filters| Filter::from_params(Some(filters), None).unwrap().to_params().0.unwrap();
    assert_eq!(spelling(r#"{"exit!":["0"]}"#), r#"{"exit":["!=0"]}"#);
    assert!(!Filter::from_terms(&["exit=137".into()], &[]).unwrap().may_match_text(DIE.replace("137", "1").as_bytes()), "not even parsed");
}

#[test]
fn a_star_at_the_end_means_the_same_in_what_is_kept_and_what_is_left_out() {
    for (term, json, expected) in [
        ("event=health_*", HEALTH, true),
        ("event=health_*", DIE, false),
        ("type=cont*", DIE, true),
        ("container=api*", DIE, true),
        ("container=pi*", DIE, false),
        ("image=busy*", DIE, true),
        ("label=com.docker.*", DIE, true),
        ("label=exitCode=1*", DIE, true),
        ("label=exitCode=2*", DIE, false),
        ("source=lo*", DIE, true),
        ("scope=*", DIE, true),
        ("event=*", DIE, true),
        ("container=*", DIE, true),
        ("image=*ox", DIE, false),
    ] {
        let event = Event::from_line(json.as_bytes()).unwrap();
        let subject = Subject { source: "local", noise: None, foreign: false, event: &event.view() };
        let term = [term.to_owned()];
        let with = Filter::from_terms(&term, &[]).unwrap();
        let without = Filter::from_terms(&[], &term).unwrap();
        assert_eq!((with.matches(&subject), without.matches(&subject)), (expected, !expected), "{term:?} on {json}");
        assert!(!expected || with.may_match_text(json.as_bytes()), "{term:?} on {json}");
    }
    let star = r#"{"Type":"container","Action":"die","Actor":{"ID":"1","Attributes":{"name":"a*"}},"scope":"local"}"#;
    let docker = Filter::from_docker(r#"{"container":["a*"]}"#).unwrap();
    for (json, expected) in [(star, true), (&star.replace('*', "b"), false)] {
        let event = Event::from_line(json.as_bytes()).unwrap();
        let matches = docker.matches(&Subject { source: "local", noise: None, foreign: false, event: &event.view() });
        assert_eq!((matches, docker.may_match_text(json.as_bytes())), (expected, expected), "Docker knows no such sign: {json}");
    }
}

#[test]
fn what_was_meant_is_guessed() {
    assert_eq!(closest("contaner", KEYS), Some("container"));
    assert_eq!(closest("Typ", KEYS), Some("type"));
    assert_eq!(closest("colour", KEYS), None);
    assert_eq!(closest("", KEYS), None);
    for (term, part) in [
        ("typ=container", "did you mean type? the keys are"),
        ("exitCode=137", "did you mean exit? the keys are"),
        ("host=web-1", "did you mean source? the keys are"),
        ("type!=network", "type=… among what is left out says the same"),
        ("exit=red", "exit=137, exit!=0"),
        ("exit!=", "exit=137, exit!=0"),
    ] {
        let error = Filter::from_terms(&[term.to_owned()], &[]).unwrap_err().to_string();
        assert!(error.contains(part), "{term}: {error}");
    }
}

#[test]
fn says_what_was_wrong() {
    for (filters, expected) in [
        ("{", "not a JSON object"),
        ("[]", "not an object"),
        (r#"{"typ":["container"]}"#, "unknown key \"typ\""),
        (r#"{"type":"container"}"#, "filters.type must be a list"),
        (r#"{"type":[1]}"#, "filters.type must be a list"),
        (r#"{"type":{"container":false}}"#, "filters.type must be a list"),
    ] {
        let error = Filter::from_params(Some(filters), None).unwrap_err().to_string();
        assert!(error.contains(expected), "{filters}: {error}");
    }
    let many = serde_json::json!({ "container": (0..=MAX_FILTER_VALUES).map(|i| i.to_string()).collect::<Vec<_>>() }).to_string();
    assert!(Filter::from_params(None, Some(&many)).unwrap_err().to_string().contains("more than 100"));
    assert!(Filter::from_terms(&["type".into()], &[]).unwrap_err().to_string().contains("KEY=VALUE"));
    assert!(Filter::from_terms(&[], &["kind=x".into()]).unwrap_err().to_string().contains("unknown key"));
}

#[test]
fn docker_s_filters_are_taken_as_docker_takes_them() {
    let passes = |filters: &str, json: &str| {
        let event = Event::from_line(json.as_bytes()).unwrap();
        Filter::from_docker(filters).unwrap().matches(&Subject { source: "local", noise: None, foreign: false, event: &event.view() })
    };
    for (filters, json, expected) in [
        ("", DIE, true),
        ("null", DIE, true),
        (r#"{"type":null,"event":[],"label":{}}"#, DIE, true),
        (r#"{"typ":["network"],"dangling":{"x":false}}"#, DIE, true),
        (r#"{"type":["container"],"event":{"die":true}}"#, DIE, true),
        (r#"{"type":{"container":false}}"#, DIE, false),
        (r#"{"type":{"container":true,"network":false}}"#, DIE, true),
        (r#"{"type":{"container":true},"scope":{"local":null}}"#, DIE, false),
        (r#"{"container":{"api":false}}"#, DIE, true),
        (r#"{"label":{"exitCode":false}}"#, DIE, true),
        (r#"{"event":{"health_status":false,"di":false}}"#, DIE, true),
        (r#"{"source":["local"]}"#, DIE, true),
        (r#"{"source":["prod"]}"#, DIE, false),
        // Ours; the Engine passes over what it does not know.
        (r#"{"exit":["0"],"project":["x"],"text":["x"],"noise":["healthcheck"],"exit!":["137"]}"#, DIE, true),
        (r#"{"service":["Worker"]}"#, WORKER, false),
        (r#"{"service":["shop-w"]}"#, WORKER, true),
    ] {
        assert_eq!(passes(filters, json), expected, "{filters} on {json}");
    }
    for bad in ["{", "[]", "7", r#"{"type":"container"}"#, r#"{"typ":7}"#, r#"{"type":[1]}"#, r#"{"type":{"container":1}}"#] {
        assert!(Filter::from_docker(bad).is_err(), "{bad}");
    }
    let without = Filter::from_docker(r#"{"event":["die"]}"#).unwrap().without("type", "container");
    assert_eq!(without.to_params(), (Some(r#"{"event":["die"]}"#.to_owned()), Some(r#"{"type":["container"]}"#.to_owned())));
    assert!(without.asks_for("event", "die") && !without.asks_for("type", "container"));
}

#[test]
fn terms_and_json_are_the_same_filter() {
    let terms = Filter::from_terms(
        &["type=container".into(), "event=oom".into(), "event=die".into(), "label=a=b".into()],
        &["event=exec_*".into()],
    )
    .unwrap();
    let json = Filter::from_params(
        Some(r#"{"event":{"die":true,"oom":true},"type":["container"],"label":["a=b"]}"#),
        Some(r#"{"event":["exec_*"]}"#),
    )
    .unwrap();
    assert_eq!(terms, json);
    let (include, exclude) = terms.to_params();
    assert_eq!(Filter::from_params(include.as_deref(), exclude.as_deref()).unwrap(), terms);
}

/// moby's filter.go, transcribed as naively as possible over hash maps: the oracle.
mod oracle {
    use super::*;

    pub(super) struct Ev {
        pub(super) kind: String,
        pub(super) action: String,
        pub(super) id: String,
        pub(super) scope: String,
        pub(super) attributes: HashMap<String, String>,
    }

    pub(super) type Args = HashMap<String, HashMap<String, bool>>;

    fn exact(args: &Args, key: &str, source: &str) -> bool {
        match args.get(key) {
            None => true,
            Some(values) if values.is_empty() => true,
            Some(values) => values.get(source) == Some(&true),
        }
    }
    fn fuzzy(args: &Args, key: &str, source: &str) -> bool {
        exact(args, key, source) || args[key].keys().any(|prefix| source.starts_with(prefix.as_str()))
    }
    fn kv_list(args: &Args, key: &str, sources: &HashMap<String, String>) -> bool {
        let Some(values) = args.get(key) else { return true };
        if values.is_empty() {
            return true;
        }
        if sources.is_empty() {
            return false;
        }
        for value in values.keys() {
            let (k, v) = match value.find('=') {
                Some(at) => (&value[..at], Some(&value[at + 1..])),
                None => (value.as_str(), None),
            };
            match sources.get(k) {
                None => return false,
                Some(found) if v.is_some_and(|v| v != found) => return false,
                Some(_) => {}
            }
        }
        true
    }
    pub(super) fn include(args: &Args, ev: &Ev) -> bool {
        let bare = ["health_status", "exec_create", "exec_start"];
        let event = if args.get("event").is_some_and(|v| v.keys().any(|k| bare.contains(&k.as_str()))) {
            fuzzy(args, "event", &ev.action)
        } else {
            exact(args, "event", &ev.action)
        };
        let empty = String::new();
        let name = ev.attributes.get("name").unwrap_or(&empty);
        let by_name = |key: &str| fuzzy(args, key, &ev.id) || fuzzy(args, key, name);
        event
            && exact(args, "type", &ev.kind)
            && exact(args, "scope", &ev.scope)
            && ["daemon", "container", "plugin", "volume", "network", "node", "service", "secret", "config"].iter().all(|k| by_name(k))
            && kv_list(args, "label", &ev.attributes)
    }
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "",
        "a",
        "ab",
        "abc",
        "b",
        "die",
        "exec_create",
        "exec_create: sh",
        "health_status",
        "health_status: healthy",
        "container",
        "name",
        "local",
    ])
    .prop_map(str::to_owned)
}

proptest! {
    #[test]
    fn agrees_with_the_naive_oracle(
        kind in word(), action in word(), id in word(), scope in word(),
        attributes in prop::collection::hash_map(word(), word(), 0..4),
        args in prop::collection::hash_map(
            prop::sample::select(vec!["type", "event", "scope", "container", "network", "volume", "daemon", "plugin", "node", "service", "secret", "config", "label"]).prop_map(str::to_owned),
            prop::collection::hash_map(prop_oneof![word(), (word(), word()).prop_map(|(a, b)| format!("{a}={b}"))], prop::bool::weighted(0.8), 0..3),
            0..3),
    ) {
        let json = serde_json::json!({"Type": kind, "Action": action, "scope": scope, "Actor": {"ID": id, "Attributes": attributes}}).to_string();
        let event = Event::from_line(json.as_bytes()).unwrap();
        let expected = oracle::include(&args, &oracle::Ev { kind, action, id, scope, attributes });
        let docker = Filter::from_docker(&serde_json::json!(args).to_string()).unwrap();
        prop_assert_eq!(docker.matches(&Subject { source: "local", noise: None, foreign: false, event: &event.view() }), expected, "{:?} on {}", args, json);
        prop_assert!(!expected || docker.may_match_text(json.as_bytes()), "{:?} on {}", args, json);
        // The other two forms can only say what is on.
        prop_assume!(args.values().all(|values| values.values().all(|on| *on)));
        let lists: HashMap<_, Vec<_>> = args.iter().map(|(k, v)| (k, v.keys().collect())).collect();
        for text in [serde_json::json!(args).to_string(), serde_json::json!(lists).to_string()] {
            let filter = Filter::from_params(Some(&text), None).unwrap();
            let got = filter.matches(&Subject { source: "local", noise: event.noise(), foreign: false, event: &event.view() });
            prop_assert_eq!(got, expected, "{} on {}", text, json);
            prop_assert!(!got || filter.may_match_text(json.as_bytes()), "{} on {}", text, json);
        }
    }

    #[test]
    fn never_panics(text in ".{0,60}") {
        let _ = Filter::from_params(Some(&text), Some(&text));
        let _ = Filter::from_terms(std::slice::from_ref(&text), std::slice::from_ref(&text));
    }
}
