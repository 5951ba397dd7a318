use super::super::{PartialSubject, Subject};
use super::*;
use crate::event::Event;
use crate::time::Timestamp;

#[test]
fn names_end_with_a_star_or_are_whole() {
    let hosts = Hosts::parse("web-*,db-1").unwrap();
    for (source, had) in
        [("web-", true), ("web-17", true), ("web-17/a", true), ("web", false), ("db-1", true), ("db-12", false), ("", false)]
    {
        assert_eq!(hosts.have(source), had, "{source}");
    }
    assert_eq!((hosts.to_string(), Hosts::parse("db-1,web-*,db-1").unwrap()), ("db-1, web-*".to_owned(), hosts));
    for (list, why) in [("", HostsError::Missing), ("a,,b", HostsError::Missing), ("a,", HostsError::Missing), ("*-a", HostsError::Star)] {
        assert_eq!(Hosts::parse(list), Err(why), "{list}");
    }
    let many = (0..=MAX_FILTER_VALUES).map(|n| n.to_string()).collect::<Vec<_>>();
    assert_eq!(Hosts::parse(&many.join(",")), Err(HostsError::TooMany));
    assert!(Hosts::parse(&many[1..].join(",")).is_ok());
}

#[test]
fn a_host_of_a_fleet_is_had_by_its_docker_hosts() {
    let hosts = Hosts::parse("web-1/a,db*").unwrap();
    assert!(hosts.have_part_of("web-1") && hosts.have_part_of("db-7"));
    assert!(!hosts.have_part_of("web") && !hosts.have_part_of("web-12") && !hosts.have("web-1"));
}

/// Whatever a filter asks for, nothing of another host passes: neither a record nor a loss, nor where
/// only a part of a record is known.
#[test]
fn no_filter_reaches_another_host() {
    let hosts = Hosts::parse("a,b*").unwrap();
    let gap = Event::recorder("gap", "x", &[("reason", "daemon-restart")], Timestamp::from_nanos(5));
    let die = Event::from_line(br#"{"Type":"container","Action":"die","Actor":{"ID":"x"}}"#).unwrap();
    for (filters, exclude) in [
        ("", ""),
        (r#"{"source":["a","other","oth*"]}"#, ""),
        (r#"{"source":["*"]}"#, ""),
        (r#"{"event":["die"]}"#, ""),
        (r#"{"type":["recorder"]}"#, ""),
        ("", r#"{"source":["a"]}"#),
        (r#"{"source":[]}"#, ""),
    ] {
        let asked = Filter::from_params(Some(filters), Some(exclude)).unwrap();
        let ways =
            [asked.clone().within(&hosts), asked.clone().telling_losses().within(&hosts), asked.clone().within(&hosts).telling_losses()];
        let folded = asked.clone().within(&hosts).without("noise", "*");
        let forgetful = asked.clone().within(&hosts).not_asking_about("source");
        let docker = Filter::from_docker(filters).unwrap().within(&hosts);
        for filter in ways.into_iter().chain([folded, forgetful, docker]) {
            assert!(!filter.is_empty() && filter.is_within(&hosts));
            for source in ["other", "ab", ""] {
                assert!(!filter.wants_source(source), "{filters} {exclude} {source}");
                for event in [&gap, &die] {
                    let view = event.view();
                    let subject = Subject { source, noise: None, foreign: false, event: &view };
                    assert!(!filter.matches(&subject) && !filter.shows(&subject), "{filters} {exclude} {source}");
                    let whole = |text| Key { text, whole: true };
                    let kind = whole(view.kind.as_deref().unwrap());
                    let action = whole(view.action.as_deref().unwrap());
                    let partial = PartialSubject { source: whole(source), kind, action, id: whole("x"), name: whole("") };
                    assert!(!filter.may_match(&partial), "{filters} {exclude} {source}");
                }
            }
        }
    }
    let both = Filter::default().within(&hosts).within(&Hosts::parse("b1").unwrap());
    assert!(both.wants_source("b1") && !both.wants_source("a") && !both.wants_source("b2"), "two conditions hold both");
    assert_ne!(Filter::default(), Filter::default().within(&hosts), "nothing that is kept by filter is shared");
}

/// Within its hosts a filter is what it was.
#[test]
fn within_its_hosts_nothing_is_hidden() {
    let hosts = Hosts::parse("a*").unwrap();
    let gap = Event::recorder("gap", "x", &[("reason", "daemon-restart")], Timestamp::from_nanos(5));
    for filters in ["", r#"{"event":["die"]}"#, r#"{"source":["a1"]}"#] {
        let plain = Filter::from_params(Some(filters), None).unwrap().telling_losses();
        let narrow = plain.clone().within(&hosts);
        for source in ["a1", "a2", "a"] {
            let subject = Subject { source, noise: None, foreign: false, event: &gap.view() };
            assert_eq!(narrow.matches(&subject), plain.matches(&subject), "{filters} {source}");
            let beginning = |text| Key { text, whole: false };
            let part = PartialSubject {
                source: beginning(""),
                kind: beginning("rec"),
                action: beginning("g"),
                id: beginning(""),
                name: beginning(""),
            };
            assert_eq!(narrow.may_match(&part), plain.may_match(&part), "{filters}");
        }
    }
}
