use super::*;
use crate::event::Event;

fn told(json: &str) -> Result<(), EventError> {
    Event::from_daemon(json.as_bytes()).map(|event| assert_eq!(event.as_json(), json))
}

#[test]
fn what_parsers_refuse_is_refused() {
    let nested = |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert_eq!(told(&nested(MAX_NESTING)), Ok(()));
    for depth in [MAX_NESTING + 1, 129, 200, 10_000, 100_000] {
        assert_eq!(told(&nested(depth)), Err(EventError::TooDeep), "{depth}");
    }
    for number in ["1e999", "-1E+400", &"9".repeat(100_000), &format!("0.{}", "1".repeat(100_000)), &"1".repeat(400)] {
        for json in [
            format!("{{\"a\":{number}}}"),
            format!("{{\"time\":{number}}}"),
            format!("{{\"Actor\":{{\"x\":[{number}]}}}}"),
            format!("{{\"Actor\":{{\"Attributes\":{{\"x\":{number}}}}}}}"),
            format!("{{\"status\":7,\"Type\":{{\"a\":{number}}}}}"),
        ] {
            assert!(matches!(told(&json), Err(EventError::Number(_))), "{}", json.get(..50).unwrap_or(&json));
            assert!(Event::from_line(json.as_bytes()).is_ok(), "what is stored can be read");
        }
    }
}

#[test]
fn what_they_read_is_kept() {
    for json in [
        r#"{"a":1e308,"b":-0.0e+5,"c":1e-999,"d":123456789012345678901234567890,"e":0e999}"#,
        r#"{"a":"1e999 [[[","b":"\\\"1e999"}"#,
        r#"{"Type":"container","x":"\ud83d\ude00","y":{"z":[1.5,null,true]}}"#,
        r#"{"Type":"container","\uD83D\uDE00":"\\ud800 \\\\ud800 \u0000","y":{"z":"\uDBFF\uDFFF"}}"#,
    ] {
        assert_eq!(told(json), Ok(()));
    }
    let brackets = format!("{{\"a\":\"{}\"}}", "[".repeat(1000));
    assert_eq!(told(&brackets), Ok(()));
    assert!(serde_json::from_str::<serde_json::Value>(r#"{"a":1e308,"e":0e999,"c":1e-999}"#).is_ok());
}

/// Seen with `jq` 1.6, which stops at a half that leads or is followed by another escape, and with
/// `serde_json`, which stops at any.
#[test]
fn half_of_a_surrogate_pair_is_refused_wherever_it_stands() {
    for half in [r"\ud800", r"\uDBFFx", r"\udc00", r"x\uDFFF\ud800", r"\ud800\ud800\udc00", r"\ud800\u0041", r"\ud83d\\ude00", r"\ud83d\n"]
    {
        for json in [
            format!(r#"{{"status":"{half}"}}"#),
            format!(r#"{{"{half}":7}}"#),
            format!(r#"{{"Type":"{half}","y":[]}}"#),
            format!(r#"{{"Actor":{{"Attributes":{{"a":"{half}"}}}}}}"#),
            format!(r#"{{"Actor":{{"Attributes":{{"{half}":"a"}}}}}}"#),
            format!(r#"{{"x":[{{"y":"{half}"}}]}}"#),
        ] {
            assert!(serde_json::from_str::<serde_json::Value>(&json).is_err(), "{json}");
            assert_eq!(told(&json), Err(EventError::Surrogate(json.find(r"\u").unwrap())), "{json}");
            assert!(Event::from_line(json.as_bytes()).is_ok(), "what is stored can be read");
        }
    }
}

#[test]
fn a_page_of_what_is_kept_is_read_by_serde_json() {
    let json = format!("{{\"a\":{}1{}}}", "[".repeat(MAX_NESTING - 1), "]".repeat(MAX_NESTING - 1));
    let page = format!(r#"{{"records":[{{"event":{json}}}]}}"#);
    assert!(serde_json::from_str::<serde_json::Value>(&page).is_ok());
}

#[test]
fn a_daemons_own_recorder_lines_are_foreign() {
    for json in [
        r#"{"Type":"recorder","Action":"start"}"#,
        r#"{"Type":"container","Type":"recorder"}"#,
        r#"{"Type":"recorder","Type":"container"}"#,
        r#"{"\u0054ype":"recorder"}"#,
        r#"{"Type":"\u0072ecorder"}"#,
        r#"{"Type":"recorder","time":"x"}"#,
        r#"{"\u0054ype":"recorder","time":1.5}"#,
    ] {
        let event = Event::from_daemon(json.as_bytes()).unwrap();
        assert!(event.marks().foreign && !event.is_own(), "{json}");
    }
    for json in [r#"{"Type":"container","Action":"recorder"}"#, r#"{"x":{"Type":"recorder"}}"#, "{}"] {
        assert!(!Event::from_daemon(json.as_bytes()).unwrap().marks().foreign, "{json}");
    }
}
