use super::*;

const SECOND: i64 = 1_000_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos((1_800_000_000 + seconds) * SECOND)
}

fn seen(severity: &str, state: &str, end: Option<i64>) -> Seen {
    let json = serde_json::json!({
        "id": "7f3c9a1e-42c", "revision": 3, "severity": severity, "state": state, "subject": "shop/api", "source": "local",
        "title": "shop/api crashed", "start": at(0).to_string(), "end": end.map(|end| at(end).to_string()), "known": at(2).to_string(),
        "resolution": null,
    });
    Seen::of(&json.to_string()).unwrap()
}

/// What a night brings: each occasion with its time, if it is looked at each second and each message is
/// taken.
fn night(seconds: i64, incident: impl Fn(i64) -> Seen) -> Vec<(i64, String)> {
    let (mut told, mut messages, mut now) = (None, Vec::new(), 0);
    while now <= seconds {
        let one = incident(now);
        match due(&one, told, at(now)) {
            Ok(occasion) => {
                let before = told.unwrap_or(Told { severity: one.severity, still: 0, closed: false });
                told = Some(match occasion {
                    Occasion::Still(still) => Told { still, ..before },
                    Occasion::Closed => Told { closed: true, ..before },
                    Occasion::Opened | Occasion::Rose => Told { severity: one.severity, ..before },
                });
                messages.push((now, occasion.to_string()));
            }
            // Something may change each second; nothing may be due before what was said.
            Err(_) => now += 1,
        }
    }
    messages
}

#[test]
fn an_incident_is_read_from_its_json() {
    let one = seen("major", "open", None);
    assert_eq!((one.revision, one.severity, one.state), (3, Severity::Major, Standing::Open));
    assert_eq!((one.start, one.known, one.end), (at(0), at(2), None));
    assert_eq!(Seen::of("{}"), None);
}

#[test]
fn a_night_of_looping_is_four_messages() {
    let looping = |now: i64| seen(if now < 300 { "minor" } else { "major" }, "open", None);
    let hours = |messages: Vec<(i64, String)>| messages.into_iter().map(|(at, what)| format!("{at} {what}")).collect::<Vec<_>>();
    assert_eq!(hours(night(10 * 3600, looping)), ["10 opened", "300 rose", "3600 still-1", "21600 still-2"]);
    let days = hours(night(3 * 86_400, |_| seen("major", "open", None)));
    assert_eq!(days[1..], ["3600 still-1", "21600 still-2", "86400 still-3", "172800 still-4", "259200 still-5"]);
}

#[test]
fn the_end_is_told_once_and_a_short_one_as_a_whole() {
    let ends = |now: i64| if now < 100 { seen("minor", "open", None) } else { seen("minor", "closed", Some(60)) };
    assert_eq!(night(1000, ends), [(10, "opened".to_owned()), (100, "closed".to_owned())]);
    assert_eq!(due(&seen("minor", "closed", Some(5)), None, at(400)), Ok(Occasion::Closed), "nobody was there to tell it");
    assert_eq!(due(&seen("minor", "recovering", None), None, at(20)), Ok(Occasion::Opened));
}

#[test]
fn what_is_part_of_another_is_told_as_over() {
    let merged = Seen { merged_into: Some("7f3c9a1e-40x".into()), ..seen("minor", "open", None) };
    assert_eq!(due(&merged, None, at(20)), Err(None), "only the other is told");
    assert_eq!(due(&merged, Some(Told { severity: Severity::Minor, still: 0, closed: false }), at(20)), Ok(Occasion::Closed));
}

#[test]
fn when_something_will_be_due_is_known() {
    let one = seen("major", "open", None);
    assert_eq!(due(&one, None, at(4)), Err(Some(at(10))));
    let told = |still| Some(Told { severity: Severity::Major, still, closed: false });
    for (still, next) in [(0, 3600), (1, 21_600), (2, 86_400), (3, 2 * 86_400), (4, 3 * 86_400)] {
        assert_eq!(due(&one, told(still), at(30)), Err(Some(at(next))), "after {still}");
        assert_eq!(due(&one, told(still), at(next)), Ok(Occasion::Still(still + 1)));
    }
}

#[test]
fn subjects_are_named_whole_or_by_their_beginning() {
    let one = seen("major", "open", None);
    let about = |names: &[&str]| is_about(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), &one);
    assert!(about(&[]) && about(&["shop/api"]) && about(&["x", "shop/*"]) && about(&["*"]));
    assert!(!about(&["shop"]) && !about(&["api"]));
}

#[test]
fn occasions_are_read_as_they_are_written() {
    for occasion in [Occasion::Opened, Occasion::Rose, Occasion::Still(7), Occasion::Closed] {
        assert_eq!(occasion.to_string().parse(), Ok(occasion));
    }
    assert_eq!("still-x".parse::<Occasion>(), Err(()));
}
