use super::*;
use crate::event::Event;
use std::collections::BTreeSet;

const START: Timestamp = Timestamp::from_nanos(1_795_344_577_000_000_000);

#[test]
fn goes_on_without_a_history() {
    let (lines, host) = DemoHost::with_history(7, START, Duration::from_secs(3600), 0, Pace::rate(1.0));
    assert!(lines.is_empty() && host.take(100).count() == 100);
}

#[test]
fn the_same_seed_is_the_same_host() {
    let lines = |seed| DemoHost::new(seed, START, Pace::rate(1.0)).take(500).collect::<Vec<_>>();
    assert_eq!(lines(7), lines(7));
    assert_ne!(lines(7), lines(8));
}

#[test]
fn is_lively_and_varied() {
    let mut total = Duration::ZERO;
    let mut last = START;
    let mut actions = BTreeSet::new();
    for (delay, line) in DemoHost::new(1, START, Pace::rate(1.0)).take(10_000) {
        total += delay;
        let event = Event::from_line(line.as_bytes()).unwrap();
        assert_eq!(event.as_json(), line);
        let view = event.view();
        let keys: Vec<_> = view.attributes.iter().map(|(key, _)| key).collect();
        assert!(keys.is_sorted(), "{line}");
        assert!(view.time.unwrap() >= last, "{line}");
        last = view.time.unwrap();
        let action = view.action.unwrap();
        actions.insert(format!("{} {}", view.kind.unwrap(), action.split(": ").next().unwrap()));
        if action == "oom" || action == "die" {
            assert!(view.attributes.iter().any(|(key, _)| key == "com.docker.compose.service"), "{line}");
        }
    }
    let per_second = 10_000.0 / total.as_secs_f64();
    assert!((3.0..10.0).contains(&per_second), "{per_second} events a second");
    for action in [
        "container create",
        "container attach",
        "container start",
        "container kill",
        "container die",
        "container stop",
        "container destroy",
        "container rename",
        "container oom",
        "container health_status",
        "container exec_create",
        "container exec_start",
        "container exec_die",
        "network connect",
        "network disconnect",
        "volume mount",
        "volume unmount",
        "image pull",
        "image delete",
    ] {
        assert!(actions.contains(action), "{action} missing in {actions:?}");
    }
}

#[test]
fn history_fills_the_hour_and_leads_on() {
    for seed in 0..20 {
        let hour = Duration::from_secs(3600);
        let (lines, host) = DemoHost::with_history(seed, START, hour, 200, Pace::rate(1.0));
        let times: Vec<Timestamp> = lines.iter().map(|line| Event::from_line(line.as_bytes()).unwrap().view().time.unwrap()).collect();
        assert_eq!(times.len(), 200);
        assert!(times.is_sorted());
        assert!(times[0] >= START.checked_sub(hour + Duration::from_secs(600)).unwrap(), "{seed}: {}", times[0]);
        assert!(times[0] <= START.checked_sub(hour / 3).unwrap(), "{seed}: {}", times[0]);
        assert_eq!(host.clock(), START);
        let soon: Duration = host.take(50).map(|(delay, _)| delay).sum();
        assert!(soon < Duration::from_secs(60), "{seed}: live again after {soon:?}");
    }
}

#[test]
fn rate_makes_it_faster() {
    let time = |rate| DemoHost::new(3, START, Pace::rate(rate)).take(1000).map(|(delay, _)| delay).sum::<Duration>().as_secs_f64();
    let ratio = time(1.0) / time(100.0);
    assert!((80.0..120.0).contains(&ratio), "{ratio}");
    assert_eq!(Pace::rate(f64::NAN), Pace::rate(1.0));
}

#[test]
fn a_look_finds_what_events_told() {
    for seed in 0..20 {
        let (lines, mut host) = DemoHost::with_history(seed, START, Duration::from_secs(3600), 200, Pace::rate(1.0));
        let mut ended = BTreeSet::new();
        let mut note = |line: &str| {
            let event = Event::from_line(line.as_bytes()).unwrap();
            let (view, id) = (event.view(), event.view().actor_id.unwrap().into_owned());
            match view.action.as_deref() {
                Some("die") => _ = ended.insert(id),
                Some("start") => _ = ended.remove(&id),
                _ => {}
            }
        };
        for line in &lines {
            note(line);
        }
        let mut waited = Duration::ZERO;
        while !host.is_quiet() {
            let (delay, line) = host.next().unwrap();
            note(&line);
            waited += delay;
        }
        assert!(waited < Duration::from_secs(300), "{seed}: {waited:?}");
        let looked = host.look("demo", host.clock());
        let running = |event: &Event| event.view().attribute("state") == Some("running");
        let ids: Vec<String> =
            looked.iter().filter(|event| running(event)).map(|event| event.view().actor_id.unwrap().into_owned()).collect();
        assert!(ids.len() == 10 && !ids.iter().any(|id| ended.contains(id)), "{seed}");
        assert_eq!(looked.last().unwrap().view().attribute("containers"), Some("10"));
    }
}
