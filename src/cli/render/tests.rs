use super::*;

const ID: &str = "f4155d9c1b0e4a7d8c2f3b6a5e9d0c1f2a3b4c5d6e7f8091a2b3c4d5e6f70819";

fn record(time: &str, source: &str, event: &str) -> String {
    format!(r#"{{"id":"0000000a-1","seq":1,"time":"{time}","received":"{time}","source":"{source}","event":{event}}}"#)
}

fn die() -> String {
    record(
        "2026-11-22T09:49:37.148160810Z",
        "local",
        &format!(
            r#"{{"Type":"container","Action":"die","Actor":{{"ID":"{ID}","Attributes":{{"name":"api","image":"busybox","exitCode":"3","com.docker.compose.project":"shop","com.docker.compose.service":"api"}}}},"time":1795340977,"timeNano":1795340977148160810}}"#
        ),
    )
}

fn human(lines: &[String]) -> Vec<String> {
    let mut renderer = Renderer::Human(human::Human::new(Tz::UTC));
    lines.iter().map(|line| anstream::adapter::strip_str(&renderer.render(line).unwrap()).to_string()).collect()
}

#[test]
fn human_lines_are_short_and_say_what_matters() {
    let health = record(
        "2026-11-22T10:00:00Z",
        "local",
        r#"{"Type":"container","Action":"health_status: unhealthy","Actor":{"ID":"f4","Attributes":{"name":"db"}}}"#,
    );
    let network = record(
        "2026-11-23T00:00:00.5Z",
        "prod",
        &format!(r#"{{"Type":"network","Action":"connect","Actor":{{"ID":"{ID}","Attributes":{{"container":"{ID}"}}}}}}"#),
    );
    let gap = record(
        "2026-11-23T00:00:01Z",
        "local",
        r#"{"Type":"recorder","Action":"gap","Actor":{"ID":"local","Attributes":{"reason":"ring-overflow","why":"a b"}}}"#,
    );
    assert_eq!(
        human(&[die(), health, network, gap]),
        [
            "2026-11-22 09:49:37.148 container die          api exitCode=3 image=busybox compose=shop/api",
            "10:00:00.000 container health_status: unhealthy db",
            "2026-11-23 00:00:00.500 prod     network   connect      f4155d9c1b0e container=f4155d9c1b0e",
            "00:00:01.000 local    recorder  gap          local reason=ring-overflow why=\"a b\"",
        ]
    );
}

#[test]
fn hosts_are_named_from_the_first_line_on_where_there_are_two() {
    let mut renderer = Renderer::Human(human::Human::new(Tz::UTC));
    renderer.name_hosts();
    assert!(renderer.render(&die()).unwrap().starts_with("2026-11-22 09:49:37.148 local    container"));
}

#[test]
fn what_may_be_missing_is_said_in_words() {
    let gap = |attributes: &str| {
        let event = format!(r#"{{"Type":"recorder","Action":"gap","Actor":{{"ID":"lo\u001b[2Jcal","Attributes":{attributes}}}}}"#);
        Missed::parse(&record("2026-11-23T02:10:01Z", r"lo\u001b[2Jcal", &event)).unwrap()
    };
    let lost = gap(r#"{"reason":"daemon-restart","from":"2026-11-23T02:07:00.5Z","until":"2026-11-23T02:10:00Z"}"#);
    let words = r"the recorder may have missed events of lo\u{1b}[2Jcal from 2026-11-23 03:07:00+01:00 until 2026-11-23 03:10:00+01:00 (daemon-restart)";
    assert_eq!(lost.say(Tz::Europe__Berlin), words);
    let mut renderer = Renderer::Human(human::Human::new(Tz::Europe__Berlin));
    let row = renderer.missed(&lost).unwrap();
    assert_eq!(anstream::adapter::strip_str(&row).to_string(), format!("2026-11-23 03:10:01.000 ! {words}"));
    let first = gap(r#"{"reason":"first-contact","until":"2026-11-23T02:10:00Z"}"#);
    assert_eq!(first.say(Tz::UTC), r"recording of lo\u{1b}[2Jcal began at 2026-11-23 02:10:00+00:00");
    let full = gap(r#"{"reason":"queue-overflow","lost":"7"}"#);
    assert_eq!(
        full.say(Tz::UTC),
        r"the recorder may have missed events of lo\u{1b}[2Jcal until 2026-11-23 02:10:01+00:00 (queue-overflow, 7 lost)"
    );
    assert_eq!(Missed::parse(&die()), None);
    assert_eq!(Renderer::new(OutputForm::Json, Tz::UTC, false).missed(&lost), None);
}

#[test]
fn noise_is_known_by_its_mark() {
    let marked = die().replace(r#""event":"#, r#""noise":"healthcheck","event":"#);
    assert!(is_noise(&marked) && !is_noise(&die()));
    assert!(!is_noise(&die().replace(r#""name":"#, r#""noise":"#)), "an attribute is no mark");
}

#[test]
fn human_lines_are_coloured_by_severity() {
    let text = Renderer::Human(human::Human::new(Tz::UTC)).render(&die()).unwrap().into_owned();
    assert!(text.contains("\u{1b}[31mdie         \u{1b}[0m"), "{text:?}");
    let well = die().replace("\"exitCode\":\"3\"", "\"exitCode\":\"0\"");
    assert!(Renderer::Human(human::Human::new(Tz::UTC)).render(&well).unwrap().contains("\u{1b}[33mdie"));
}

#[test]
fn hostile_names_do_not_reach_the_terminal() {
    let event = r#"{"Type":"container\u001b[2J","Action":"exec_create: \u001b]0;x\u0007","Actor":{"ID":"\u009b31m","Attributes":{"image":"a\nb\u202e","name":"x\r\u0008"}}}"#;
    let line = record("2026-11-22T10:00:00Z", r"lo\u001b[31m", event);
    for format in [OutputForm::Human, OutputForm::Docker] {
        let text = Renderer::new(format, Tz::UTC, true).render(&line).unwrap().into_owned();
        // What is left of styles once the hostile parts are escaped is ours alone.
        let text = anstream::adapter::strip_str(&text).to_string();
        assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
        assert!(text.contains(r"\u{1b}") && text.contains(r"\n"), "{text:?}");
    }
    let raw = "{\"a\":\"\u{9b}31m\"}";
    assert_eq!(Renderer::new(OutputForm::Json, Tz::UTC, false).render(raw).unwrap(), raw);
    assert_eq!(Renderer::new(OutputForm::Json, Tz::UTC, true).render(raw).unwrap(), r#"{"a":"\u009b31m"}"#);
}

#[test]
fn docker_lines_are_dockers() {
    let render = |zone, line: &str| Renderer::Docker(zone).render(line).map(Cow::into_owned);
    assert_eq!(
        render(Tz::Europe__Berlin, &die()).unwrap(),
        format!(
            "2026-11-22T10:49:37.148160810+01:00 container die {ID} (com.docker.compose.project=shop, com.docker.compose.service=api, exitCode=3, image=busybox, name=api)"
        )
    );
    assert!(render(Tz::UTC, &die()).unwrap().starts_with("2026-11-22T09:49:37.148160810Z container"));
    let prune = record("2026-11-22T10:00:00Z", "local", r#"{"Type":"builder","Action":"prune","Actor":{"ID":"","Attributes":null}}"#);
    assert_eq!(render(Tz::UTC, &prune).unwrap(), "2026-11-22T10:00:00.000000000Z builder prune ");
    let odd = record("2026-11-22T10:00:00Z", "local", r#"{"Type":"container","Action":"exec_start: a\nb","Actor":{"ID":"c"}}"#);
    assert_eq!(render(Tz::UTC, &odd).unwrap(), r"2026-11-22T10:00:00.000000000Z container exec_start: a\nb c");
    let own = record("2026-11-22T10:00:00Z", "local", r#"{"Type":"recorder","Action":"start"}"#);
    assert_eq!(render(Tz::UTC, &own), None);
}

#[test]
fn what_is_not_a_record_is_shown_all_the_same() {
    for line in ["", "null", "{\u{1b}", r#"{"event":7}"#, r#"{"time":"x","source":"s","event":{}}"#] {
        for format in [OutputForm::Human, OutputForm::Docker] {
            assert!(Renderer::new(format, Tz::UTC, true).render(line).is_some());
        }
    }
}
