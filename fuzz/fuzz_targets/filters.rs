//! Both parameters, a zero byte between them. What was read has one spelling, matches the same in it, and the
//! quick looks never rule out what matches.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shipslog::event::Event;
use shipslog::filter::{Filter, Subject};

const EVENTS: [&str; 4] = [
    r#"{"status":"die","id":"f4","from":"busybox","Type":"container","Action":"die","Actor":{"ID":"f4","Attributes":{"exitCode":"3","image":"busybox:1.36","name":"api"}},"scope":"local","time":1795344577,"timeNano":1795344577148160810}"#,
    r#"{"Type":"container","Action":"exec_create: sh -c \"\u00e9\"","Actor":{"ID":"f4","Attributes":{"name":"a\/b","com.example":""}},"scope":"local"}"#,
    r#"{"Type":"network","Action":"connect","Actor":{"ID":"","Attributes":{"container":"f4","name":"bridge","type":"bridge"}},"scope":"swarm"}"#,
    r#"{"Type":7,"Action":null,"Actor":[],"x":{"Type":"container"}}"#,
];

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == 0).map(String::from_utf8_lossy);
    let (filters, exclude) = (parts.next(), parts.next());
    let Ok(filter) = Filter::from_params(filters.as_deref(), exclude.as_deref()) else { return };
    // As a client of Docker's API would send it. What is ours alone means something else there, or nothing.
    let ours = filters.as_deref().is_some_and(|text| text.contains('*'))
        || ["exit", "noise", "project", "text"].iter().any(|key| filter.asks_about(key));
    let docker = (!ours && exclude.is_none()).then(|| Filter::from_docker(filters.as_deref().unwrap_or_default()).expect("more lenient"));
    let (filters, exclude) = filter.to_params();
    let again = Filter::from_params(filters.as_deref(), exclude.as_deref()).expect("its own spelling");
    assert_eq!(again.to_params(), (filters, exclude));
    for json in EVENTS {
        let event = Event::from_line(json.as_bytes()).expect("an event");
        for source in ["local", "f4"] {
            let subject = Subject { source, noise: None, foreign: false, event: &event.view() };
            let matches = filter.matches(&subject);
            assert_eq!(again.matches(&subject), matches);
            assert!(docker.as_ref().is_none_or(|docker| docker.matches(&subject) == matches), "{filter}: {json}");
            assert!(!matches || filter.may_match_text(json.as_bytes()), "{filter}: {json}");
            assert!(!filter.is_empty() || matches);
        }
    }
});
