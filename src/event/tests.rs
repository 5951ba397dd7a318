use super::*;
use crate::cursor::LogId;
use crate::time::Timestamp;
use proptest::prelude::*;

const DIE: &str = r#"{"status":"die","id":"f4","from":"busybox","Type":"container","Action":"die","Actor":{"ID":"f4","Attributes":{"exitCode":"3","name":"api"}},"scope":"local","time":1795344577,"timeNano":1795344577148160810}"#;

#[test]
fn keeps_the_line_and_sees_its_fields() {
    let event = Event::from_line(format!("{DIE}\r\n").as_bytes()).unwrap();
    assert_eq!(event.as_json(), DIE);
    let view = event.view();
    assert_eq!(view.kind.as_deref(), Some("container"));
    assert_eq!(view.action.as_deref(), Some("die"));
    assert_eq!(view.actor_id.as_deref(), Some("f4"));
    assert_eq!(view.attribute("exitCode"), Some("3"));
    assert_eq!(view.time, Some(Timestamp::from_nanos(1_795_344_577_148_160_810)));
}

#[test]
fn any_field_may_be_absent_or_odd() {
    for line in [
        "{}",
        r#"{"Type":7,"Action":null,"Actor":[1],"scope":{},"timeNano":"x","time":1.5}"#,
        r#"{"Actor":{"ID":5,"Attributes":null}}"#,
        r#"{"Type":"a","Type":"b","Actor":{"Attributes":{"n":1,"s":"t"}}}"#,
        r#"{"Type":"\ud800","new":{"deep":[[[]]]}}"#,
        r#"{"Type":"a\tb","Action":"c","Actor":{"ID":"d"},"timeNano":7}"#,
        r#"{"Type":"ab","Action":"c","Actor":{"ID":"d"},"time":7}"#,
    ] {
        let event = Event::from_line(line.as_bytes()).unwrap();
        assert_eq!(event.as_json(), line);
        let (view, fields) = (event.view(), event.fields());
        let texts = [&view.kind, &view.action, &view.actor_id].map(|field| field.as_deref().unwrap_or_default());
        assert_eq!((view.time, texts), (fields.time, [&*fields.kind, &*fields.action, &*fields.actor_id]));
    }
    let twice = Event::from_line(br#"{"Type":"a","Type":"b","Actor":{"Attributes":{"n":1,"s":"t"}}}"#).unwrap();
    assert_eq!(twice.view().kind.as_deref(), Some("b"));
    assert_eq!(twice.view().attribute("s"), Some("t"));
    let seconds = Event::from_line(br#"{"time":12}"#).unwrap();
    assert_eq!(seconds.view().time, Some(Timestamp::from_nanos(12_000_000_000)));
}

#[test]
fn refuses_what_is_not_one_object() {
    for line in [&b""[..], b"null", b"[]", b"{", b"{} {}", b"\xff{}", br#"{"a":"\xff"}"#, b"{\"a\":\"\n\"}", b"hello"] {
        assert!(Event::from_line(line).is_err(), "{line:?}");
    }
}

#[test]
fn raw_line_ends_between_tokens_become_spaces() {
    let event = Event::from_line(b"{\"a\":\r1,\n\"b\":2}").unwrap();
    assert_eq!(event.as_json(), "{\"a\": 1, \"b\":2}");
}

#[test]
fn recorder_messages_read_like_dockers() {
    let event = Event::recorder("gap", "lo\"cal", &[("reason", "malformed"), ("why", "a\nb")], Timestamp::from_nanos(1_500_000_000));
    assert_eq!(Event::from_line(event.as_json().as_bytes()).unwrap(), event);
    let view = event.view();
    assert_eq!(view.kind.as_deref(), Some(RECORDER_TYPE));
    assert_eq!(view.actor_id.as_deref(), Some("lo\"cal"));
    assert_eq!(view.attribute("why"), Some("a\nb"));
    assert!(!event.as_json().contains('\n'));
    assert!(event.as_json().ends_with(r#""time":1,"timeNano":1500000000}"#));
}

#[test]
fn line_is_the_documented_shape() {
    let log: LogId = "7f3c9a1e-0000-4000-8000-000000000000".parse().unwrap();
    let record = Record {
        seq: 1842,
        time: Timestamp::from_nanos(1_795_344_577_148_160_810),
        received: Timestamp::from_nanos(1_795_344_577_149_002_113),
        source: "local".into(),
        event: Event::from_line(DIE.as_bytes()).unwrap(),
    };
    assert_eq!(
        record.to_line(log),
        format!(
            r#"{{"id":"7f3c9a1e-1842","seq":1842,"time":"2026-11-22T10:49:37.148160810Z","received":"2026-11-22T10:49:37.149002113Z","source":"local","event":{DIE}}}"#
        )
    );
}

proptest! {
    #[test]
    fn any_json_object_survives(text in "\\PC{0,60}", key in ".{0,20}", attr in ".{0,20}") {
        let json = serde_json::json!({ &key: &text, "Type": &text, "Actor": {"ID": &attr, "Attributes": { &key: &attr }}}).to_string();
        let event = Event::from_line(json.as_bytes()).unwrap();
        prop_assert_eq!(event.as_json(), &json);
        let view = event.view();
        prop_assert_eq!(&view, &EventView::parse_leniently(&json).unwrap());
        if key != "Type" {
            prop_assert_eq!(view.kind.as_deref(), Some(text.as_str()));
        }
        if key != "Actor" {
            prop_assert_eq!(view.attribute(&key), Some(attr.as_str()));
        }
    }

    #[test]
    fn bytes_never_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Event::from_line(&line);
    }
}
