mod documented;

use super::*;
use crate::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fmt::Write as _;

fn redactor() -> Redactor {
    Redactor::new(Rules::default())
}

fn with(attributes: &[&str], except: &[&str]) -> Redactor {
    let own = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect();
    Redactor::new(Rules { attributes: own(attributes), except: own(except), ..Rules::default() })
}

fn event(json: &str) -> Event {
    Event::from_line(json.as_bytes()).unwrap()
}

fn redacted(redactor: &Redactor, json: &str) -> String {
    redactor.redact(&event(json)).map_or_else(|| json.to_owned(), |redacted| redacted.event.as_json().to_owned())
}

/// What becomes of the attributes `{…}`.
fn attributes(redactor: &Redactor, attributes: &str) -> String {
    let (before, after) = (r#"{"Type":"container", "Actor":{"ID":"c","Attributes":"#, r#"},"timeNano":7}"#);
    let out = redacted(redactor, &format!("{before}{attributes}{after}"));
    out.strip_prefix(before).unwrap().strip_suffix(after).unwrap().to_owned()
}

#[test]
fn commands_go_and_every_other_byte_stays() {
    let line = r#"{"status":"exec_create: sh -c \"a: b\" \u003c x\n","id":"c","Type":"container", "Action" : "exec_create: sh -c \"a: b\" \u003c x\n","Actor":{"ID":"c","Attributes":{"execID":"e1"}},"timeNano":7}"#;
    let expected = r#"{"status":"exec_create: [redacted] (exec-command)","id":"c","Type":"container", "Action" : "exec_create: [redacted] (exec-command)","Actor":{"ID":"c","Attributes":{"execID":"e1"}},"timeNano":7}"#;
    let made = redactor().redact(&event(line)).unwrap();
    assert_eq!((made.event.as_json(), made.values), (expected, 2));
    assert_eq!(made.event, event(expected), "with its fields");
    assert_eq!(redactor().redact(&made.event), None);
    for (action, kept) in [
        ("exec_start: ls", false),
        ("exec_detach: ls", false),
        ("exec_die: ls", false),
        ("exec_create: ", true),
        ("exec_die", true),
        ("exec_create", true),
        ("health_status: healthy", true),
        ("resize: exec_create: x", true),
    ] {
        let line = json!({"Type": "container", "Action": action}).to_string();
        assert_eq!(redacted(&redactor(), &line) == line, kept, "{action}");
    }
}

#[test]
fn secret_names_take_any_value_with_them() {
    let redactor = redactor();
    assert_eq!(
        attributes(
            &redactor,
            r#"{"name":"db", "DB_PASSWORD":"a\"b","token":{"x":[1]},"api-key": 7 ,"secret":"","pwd":null,"credentials":[],"image":"i"}"#
        ),
        r#"{"name":"db", "DB_PASSWORD":"[redacted] (secret-name)","token":"[redacted] (secret-name)","api-key": "[redacted] (secret-name)" ,"secret":"","pwd":null,"credentials":[],"image":"i"}"#
    );
    // However the name is spelled, how often it is there, and how deep.
    assert_eq!(attributes(&redactor, r#"{"p\u0061ssword":"x"}"#), r#"{"p\u0061ssword":"[redacted] (secret-name)"}"#);
    assert_eq!(
        attributes(&redactor, r#"{"token":"a","token":"b","o":[{"token":"c"}]}"#),
        r#"{"token":"[redacted] (secret-name)","token":"[redacted] (secret-name)","o":[{"token":"[redacted] (secret-name)"}]}"#
    );
    let twice = r#"{"Actor":{"Attributes":{"token":"a"}},"\u0041ctor":{"Attributes":{"token":"b"},"Attributes":{"token":"c"}}}"#;
    assert_eq!(redactor.redact(&event(twice)).unwrap().values, 3);
    assert_eq!(
        attributes(&redactor, r#"{"\ud800":"x","token\udc00":"hunter2"}"#),
        r#"{"\ud800":"x","token\udc00":"[redacted] (secret-name)"}"#
    );
}

/// The quick look before the thorough one must not pass over any of them.
#[test]
fn no_name_is_overlooked() {
    for name in ["pass-phrase", "passPhrase", "PASS_PHRASE", "api-key", "accessKey", "encryption.key", "basicAuth", "passWord"] {
        let expected = format!(r#"{{"{name}":"[redacted] (secret-name)"}}"#);
        assert_eq!(attributes(&redactor(), &format!(r#"{{"{name}":"x"}}"#)), expected);
    }
}

/// They end after some characters, which may be before what tells a URL's password from its port.
#[test]
fn samples_that_end_inside_a_url_do_not_show_its_password() {
    for sample in
        [r#"{"Actor":{"Attributes":{"dsn":"postgres://app:hunter2"#, r#"{"Actor":{"Attributes":{"dsn":"postgres:\\/\\/app:hunter2@db""#]
    {
        assert_eq!(redactor().redact_sample(sample).as_deref(), Some("[redacted] (malformed-sample)"), "{sample}");
    }
}

#[test]
fn other_places_are_left_alone() {
    for line in [
        r#"{"Type":"secret","Action":"create","Actor":{"ID":"s1","Attributes":{"name":"db_password"}},"scope":"swarm"}"#,
        r#"{"token":"x","Actor":{"ID":"key","token":"y"}}"#,
        r#"{"Action":["exec_create: x"],"Actor":["token"]}"#,
        r#"{"Actor":{"Attributes":null}}"#,
    ] {
        assert_eq!(redactor().redact(&event(line)), None, "{line}");
    }
    assert_eq!(attributes(&with(&["*"], &[]), r#"{"execID":"e","exitCode":"0"}"#), r#"{"execID":"e","exitCode":"0"}"#);
}

#[test]
fn urls_lose_their_password_only() {
    for (value, expected) in [
        (r#""postgres://u:hunter2@db/x""#, r#""postgres://u:[redacted] (url-password)@db/x""#),
        (r#""postgres:\/\/u:hunter2@db""#, r#""postgres://u:[redacted] (url-password)@db""#),
        (r#""postgres:/\/u:hunter2@db""#, r#""postgres://u:[redacted] (url-password)@db""#),
        (r#""a://u:p\u0040@b, c://:q@d""#, r#""a://u:[redacted] (url-password)@b, c://:[redacted] (url-password)@d""#),
        (r#"["x://u:p@h",7]"#, r#"["x://u:[redacted] (url-password)@h",7]"#),
        (r#""http:\/\/user@host\/é""#, r#""http:\/\/user@host\/é""#),
    ] {
        assert_eq!(attributes(&redactor(), &format!(r#"{{"dsn":{value}}}"#)), format!(r#"{{"dsn":{expected}}}"#));
    }
}

#[test]
fn private_keys_go_whole() {
    for (value, kept) in [
        (r"-----BEGIN PRIVATE KEY-----\nMIIE", false),
        (r"-----BEGIN PGP PRIVATE KEY BLOCK-----", false),
        (r"-----BEGIN CERTIFICATE-----\nkey", true),
        (r"PRIVATE KEY", true),
    ] {
        let expected = if kept { value } else { "[redacted] (private-key)" };
        assert_eq!(attributes(&with(&[], &["*"]), &format!(r#"{{"pem":"{value}"}}"#)), format!(r#"{{"pem":"{expected}"}}"#));
    }
    assert_eq!(
        attributes(&redactor(), r#"{"pem":"a\"b -----BEGIN EC PRIVATE KEY-----\nx\n-----END EC PRIVATE KEY----- c"}"#),
        r#"{"pem":"a\"b [redacted] (private-key) c"}"#
    );
}

#[test]
fn names_can_be_added_and_excepted() {
    let more = with(&["com.acme.*", "Weird\"Name"], &["*.token_ttl", "home"]);
    assert_eq!(
        attributes(&more, r#"{"com.acme.db":"x","weird\"name":"y","a.token_ttl":"5","home":"a://b:c@d","token":"z"}"#),
        r#"{"com.acme.db":"[redacted] (attribute:com.acme.*)","weird\"name":"[redacted] (attribute:Weird\"Name)","a.token_ttl":"5","home":"a://b:c@d","token":"[redacted] (secret-name)"}"#
    );
    let only = Redactor::new(Rules { attributes: vec!["*é*".into()], ..Rules::none() });
    assert_eq!(attributes(&only, r#"{"caf\u00e9":"x","token":"y"}"#), r#"{"caf\u00e9":"[redacted] (attribute:*é*)","token":"y"}"#);
    let off = Redactor::new(Rules { except: vec!["x".into()], ..Rules::none() });
    assert!(!off.is_on() && only.is_on());
    assert_eq!((off.redact_sample("token"), off.redact(&event(r#"{"Actor":{"Attributes":{"token":"x"}}}"#))), (None, None));
}

#[test]
fn samples_go_when_they_may_hold_a_secret() {
    for (sample, kept) in [
        ("not JSON", true),
        (r#"{"Type":"container""#, true),
        (r"\u{1b}[0m", false),
        ("exec_create", false),
        (r#"{"password":"#, false),
        (r"{\\u0070", false),
    ] {
        let expected = (!kept).then(|| "[redacted] (malformed-sample)".to_owned());
        assert_eq!(redactor().redact_sample(sample), expected, "{sample}");
    }
}

/// What stands for one secret can bring two pieces of another together.
#[test]
fn what_came_out_has_nothing_left_to_redact() {
    let redactor = redactor();
    let found_by_fuzzing = format!(
        "a://u%2p@h/u%:pFh=======a://u%:pFh, b\u{1a2}/)/var/run/secrets/{}:@{}4{}, b\u{1a2}/@s",
        "=".repeat(14),
        "=".repeat(11),
        "=".repeat(39)
    );
    let chain = "a://u:".repeat(200) + "p@h";
    let signs = "a://u:p/=".repeat(60) + "@h";
    for text in [found_by_fuzzing, chain, signs] {
        let once = redacted(&redactor, &json!({"Actor": {"Attributes": {"dsn": text, "plain": text}}}).to_string());
        assert!(once.contains(REDACTED), "{text}");
        assert_eq!(redactor.redact(&event(&once)), None, "{once}");
    }
}

#[test]
fn output_is_redacted_line_by_line() {
    let redactor = redactor();
    let output = |text: &str| {
        let event = Event::recorder(crate::event::LAST_WORDS, "c", &[("name", "web"), ("text", text)], Timestamp::default());
        let made = redactor.redact(&event).map_or(event, |redacted| redacted.event);
        assert_eq!(redactor.redact(&made), None, "{text}");
        made.view().attribute("text").unwrap().to_owned()
    };
    for (text, expected) in [
        ("starting\nlistening on :80", "starting\nlistening on :80"),
        ("password=\"abc\nlistening", "password=\"[redacted] (secret-value)\nlistening"),
        ("token:\nlistening", "token:\nlistening"),
        ("a http://u:p@h\nb", "a http://u:[redacted] (url-password)@h\nb"),
        ("a\n-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\nb", "a\n[redacted] (private-key)\nb"),
        ("MII\nx\n-----END RSA PRIVATE KEY-----\nb", "[redacted] (private-key)\nb"),
        ("x\n-----END CERTIFICATE-----\nb", "x\n-----END CERTIFICATE-----\nb"),
    ] {
        assert_eq!(output(text), expected);
    }
}

#[test]
fn secrets_are_found_wherever_the_first_suspect_piece_stands() {
    let all = [r#""a":"x""#, r#""password":"p""#, r#""b":"http://u:p@h""#, r#""c":"y""#, r#""token":"t""#];
    for turn in 0..all.len() {
        let mut turned = all;
        turned.rotate_left(turn);
        let out = attributes(&redactor(), &format!("{{{}}}", turned.join(",")));
        assert_eq!(out.matches(REDACTED).count(), 3, "{out}");
        assert!(out.contains(r#""a":"x""#) && out.contains(r#""c":"y""#));
    }
}

#[test]
fn depth_is_no_way_out() {
    let deep = |inner: &str, depth: usize| format!(r#"{{"x":{}{inner}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let secret = r#"{"token":"hunter2"}"#;
    for depth in [1, 5, 20, 100_000] {
        assert!(!attributes(&redactor(), &deep(secret, depth)).contains("hunter2"), "{depth}");
        let harmless = deep("7", depth);
        assert_eq!(attributes(&redactor(), &harmless), harmless);
    }
}

/// JSON as it may come: any nesting, and any spelling of strings.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "\\PC{0,12}",
        Just("a://u:hunter2@h".to_owned()),
        Just("a://b:c://d:e@f/g@h".to_owned()),
        Just("exec_create: hunter2".to_owned()),
        Just("-----BEGIN PRIVATE KEY-----".to_owned()),
        "[a:/@ \"]{0,12}",
    ];
    let leaf =
        prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from), text.prop_map(Value::from)];
    leaf.prop_recursive(6, 40, 5, |inner| {
        let name = prop_oneof![
            "[a-zA-Z_.]{0,6}",
            Just("Action".to_owned()),
            Just("status".to_owned()),
            Just("Actor".to_owned()),
            Just("Attributes".to_owned()),
            Just("dbPassword".to_owned()),
            Just("api-key".to_owned())
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// `\u` escapes for some characters, which mean the same.
fn spelled(value: &Value, every: usize) -> String {
    let (mut out, mut in_string, mut escaped, mut n) = (String::new(), false, false, 0);
    for c in value.to_string().chars() {
        n += usize::from(in_string && c.is_ascii_alphanumeric() && !escaped);
        if in_string && !escaped && c.is_ascii_alphanumeric() && n.is_multiple_of(every) {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
        in_string ^= c == '"' && !escaped;
        escaped = in_string && c == '\\' && !escaped;
    }
    out
}

/// Nothing but replaced values may differ.
fn assert_differs_only_where_redacted(before: &Value, after: &Value) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            assert!(before.keys().eq(after.keys()));
            before.iter().for_each(|(key, value)| assert_differs_only_where_redacted(value, &after[key]));
        }
        (Value::Array(before), Value::Array(after)) => {
            assert_eq!(before.len(), after.len());
            before.iter().zip(after).for_each(|(before, after)| assert_differs_only_where_redacted(before, after));
        }
        (before, after) => {
            assert!(before == after || after.as_str().is_some_and(|text| text.contains(REDACTED)), "{before} became {after}");
        }
    }
}

proptest! {
    #[test]
    fn any_object_comes_out_whole(
        actor in any_json(),
        more in prop::collection::vec(("[a-zA-Z]{0,6}", any_json()), 0..4),
        attributes in any_json(),
        action in any_json(),
        every in 1usize..60,
    ) {
        let mut object: serde_json::Map<_, _> = more.into_iter().collect();
        object.insert("Action".into(), action);
        object.insert("Actor".into(), if attributes.is_object() { json!({"Attributes": attributes, "ID": "c"}) } else { actor });
        let before = Value::Object(object);
        let line = spelled(&before, every);
        prop_assert_eq!(&serde_json::from_str::<Value>(&line).unwrap(), &before);
        let redactor = redactor();
        let after = redacted(&redactor, &line);
        assert_differs_only_where_redacted(&before, &serde_json::from_str(&after).unwrap());
        prop_assert_eq!(redactor.redact(&event(&after)), None, "idempotent: {}", after);
        let attributes = serde_json::from_str::<Value>(&after).unwrap()["Actor"]["Attributes"].to_string();
        prop_assert!(!attributes.contains("hunter2@"), "{}", after);
        // The quick way never hides anything from the thorough one.
        prop_assert_eq!(walk::edits(&redactor, &line, 0, false).is_empty(), after == line);
    }
}
