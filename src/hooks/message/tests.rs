use super::*;

fn hook(form: Form) -> Hook {
    Hook { name: "ops".into(), url: String::new(), form, severity: Severity::Minor, subjects: Vec::new(), header_file: None }
}

fn seen(title: &str, end: Option<&str>) -> Seen {
    let json = json!({
        "id": "7f3c9a1e-42c", "revision": 3, "severity": "major", "state": if end.is_some() { "closed" } else { "open" },
        "subject": "shop/api", "source": "prod-1", "title": title, "start": "2026-11-29T01:00:00Z", "end": end,
        "known": "2026-11-29T01:00:02Z", "resolution": end.map(|_| "redeployed"),
    });
    Seen::of(&json.to_string()).unwrap()
}

fn body(form: Form, seen: &Seen, occasion: Occasion, before: Option<Severity>) -> Value {
    let message = of(&hook(form), seen, occasion, (before, Timestamp::now()), "7f3c9a1e-42c.3");
    serde_json::from_str(&message.body).unwrap_or(Value::String(message.body))
}

#[test]
fn sentences() {
    let open = seen("shop/api crashed 9 times", None);
    for (occasion, expected) in [
        (Occasion::Opened, "major on prod-1: shop/api crashed 9 times"),
        (Occasion::Rose, "now major on prod-1: shop/api crashed 9 times"),
        (Occasion::Still(1), "still failing on prod-1, since 2026-11-29T01:00:00.000000000Z: shop/api crashed 9 times"),
    ] {
        assert_eq!(text(&open, occasion), expected);
    }
    let over = seen("shop/api crashed", Some("2026-11-29T04:20:00Z"));
    assert_eq!(text(&over, Occasion::Closed), "redeployed on prod-1 after 3 h 20 min: shop/api crashed");
}

#[test]
fn names_from_outside_mean_nothing_to_a_receiver() {
    let hostile = seen("<!channel> @everyone & \u{202e}\u{1b}[31m", None);
    assert_eq!(body(Form::Slack, &hostile, Occasion::Opened, None)["text"].as_str().unwrap().matches("&lt;!channel&gt;").count(), 1);
    let discord = body(Form::Discord, &hostile, Occasion::Opened, None);
    assert_eq!(discord["allowed_mentions"], json!({ "parse": [] }));
    assert!(!discord["content"].as_str().unwrap().contains(['\u{202e}', '\u{1b}']), "{discord}");
    let long = body(Form::Discord, &seen(&"x".repeat(9000), None), Occasion::Opened, None);
    assert!(long["content"].as_str().unwrap().chars().count() <= 2000);
}

#[test]
fn json_has_all_of_it() {
    let message = of(&hook(Form::Json), &seen("shop/api crashed", None), Occasion::Opened, (None, Timestamp::now()), "7f3c9a1e-42c.3");
    let body: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!((&body["id"], &body["hook"], &body["occasion"]), (&json!("7f3c9a1e-42c.3"), &json!("ops"), &json!("opened")));
    assert_eq!((&body["incident"]["subject"], &body["incident"]["revision"]), (&json!("shop/api"), &json!(3)));
}

#[test]
fn an_alert_lasts_longer_than_until_it_is_told_again_and_ends_with_the_incident() {
    let open = body(Form::Alertmanager, &seen("shop/api crashed", None), Occasion::Opened, None);
    assert_eq!(open.as_array().unwrap().len(), 1);
    assert_eq!((&open[0]["labels"]["severity"], &open[0]["labels"]["incident"]), (&json!("major"), &json!("7f3c9a1e-42c")));
    let ends = Timestamp::parse(open[0]["endsAt"].as_str().unwrap(), Timestamp::MIN).unwrap();
    assert!(ends.since(Timestamp::now()) > Duration::from_secs(24 * 3600));
    // Labels make an alert: with another severity it is another one.
    let rose = body(Form::Alertmanager, &seen("shop/api crashed", None), Occasion::Rose, Some(Severity::Minor));
    assert_eq!((&rose[1]["labels"]["severity"], rose.as_array().unwrap().len()), (&json!("minor"), 2));
    assert!(Timestamp::parse(rose[1]["endsAt"].as_str().unwrap(), Timestamp::MIN).unwrap() <= Timestamp::now());
    let over = body(Form::Alertmanager, &seen("shop/api crashed", Some("2026-11-29T04:20:00Z")), Occasion::Closed, Some(Severity::Major));
    assert_eq!(over[0]["endsAt"], "2026-11-29T04:20:00.000000000Z");
}

#[test]
fn ntfy_gets_a_text_and_a_priority() {
    let message = of(&hook(Form::Ntfy), &seen("shop/api crashed", None), Occasion::Opened, (None, Timestamp::now()), "i");
    assert_eq!((message.headers[0].1.as_str(), message.body.as_str()), ("4", "major on prod-1: shop/api crashed"));
}
