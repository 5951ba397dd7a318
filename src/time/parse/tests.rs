use super::*;
use proptest::prelude::*;

/// 2026-11-22T10:49:37.148160810Z
const NOW: Timestamp = Timestamp::from_nanos(1_795_344_577_148_160_810);

fn utc(text: &str) -> Timestamp {
    Timestamp::from_text(text.as_bytes()).unwrap_or_else(|| panic!("{text} is no time"))
}

fn berlin() -> TimeParser {
    TimeParser { now: NOW, zone: zone("Europe/Berlin").unwrap() }
}

#[test]
fn reads_every_documented_form() {
    let minutes = |n: i64| Timestamp::from_nanos(NOW.nanos() - n * 60 * NANOS_PER_SECOND);
    let cases = [
        ("2026-11-22T10:49:37.148160810Z", NOW),
        ("2026-11-22T11:49:37+01:00", utc("2026-11-22T10:49:37.000000000Z")),
        // As a form decodes the plus.
        ("2026-11-22T11:49:37 01:00", utc("2026-11-22T10:49:37.000000000Z")),
        ("2026-11-22T11:49:37.5 01:00", utc("2026-11-22T10:49:37.500000000Z")),
        ("2026-11-22 11:49:37+01:00", utc("2026-11-22T10:49:37.000000000Z")),
        ("2026-11-22 11:49:37 +0100", utc("2026-11-22T10:49:37.000000000Z")),
        ("2026-11-22T11:49-03:30", utc("2026-11-22T15:19:00.000000000Z")),
        ("2026-11-22 11:49Z", utc("2026-11-22T11:49:00.000000000Z")),
        ("1795344577", utc("2026-11-22T10:49:37.000000000Z")),
        ("1795344577.5", utc("2026-11-22T10:49:37.500000000Z")),
        ("1795344577.000000001", utc("2026-11-22T10:49:37.000000001Z")),
        ("0", Timestamp::from_nanos(0)),
        ("now", NOW),
        (" Now ", NOW),
        ("10m", minutes(10)),
        ("-10m", minutes(10)),
        ("now-10m", minutes(10)),
        ("now - 10m", minutes(10)),
        ("2h30m", minutes(150)),
        ("2h 30m", minutes(150)),
        ("7d", minutes(7 * 24 * 60)),
        ("now-7d", minutes(7 * 24 * 60)),
        ("today", utc("2026-11-22T00:00:00.000000000Z")),
        ("yesterday", utc("2026-11-21T00:00:00.000000000Z")),
        ("yesterday 23:10", utc("2026-11-21T23:10:00.000000000Z")),
        ("today 02:00", utc("2026-11-22T02:00:00.000000000Z")),
        ("02:00", utc("2026-11-22T02:00:00.000000000Z")),
        ("02:00:05", utc("2026-11-22T02:00:05.000000000Z")),
        ("02:00:05.123", utc("2026-11-22T02:00:05.123000000Z")),
        ("02:00+01:00", utc("2026-11-22T01:00:00.000000000Z")),
        ("2026-11-29", utc("2026-11-29T00:00:00.000000000Z")),
        ("2026-11-29 02:00", utc("2026-11-29T02:00:00.000000000Z")),
        ("2026-11-29T02:00", utc("2026-11-29T02:00:00.000000000Z")),
        ("2026-11-29 02:00:05", utc("2026-11-29T02:00:05.000000000Z")),
        ("2026-11-29 02:00:05.123456789", utc("2026-11-29T02:00:05.123456789Z")),
    ];
    for (text, time) in cases {
        assert_eq!(TimeParser::utc(NOW).parse(text), Ok(ReadTime { time, remark: None }), "{text}");
    }
}

#[test]
fn dates_are_of_the_zone() {
    let cases = [
        ("today", "2026-11-21T23:00:00.000000000Z"),
        ("yesterday", "2026-11-20T23:00:00.000000000Z"),
        ("02:00", "2026-11-22T01:00:00.000000000Z"),
        ("2026-07-01", "2026-06-30T22:00:00.000000000Z"),
        ("2026-07-01 02:00:05.5", "2026-07-01T00:00:05.500000000Z"),
        ("2026-07-01 02:00Z", "2026-07-01T02:00:00.000000000Z"),
        ("2026-07-01T02:00:00-05:00", "2026-07-01T07:00:00.000000000Z"),
    ];
    for (text, time) in cases {
        assert_eq!(berlin().parse(text), Ok(ReadTime { time: utc(time), remark: None }), "{text}");
    }
    // West of UTC it is still the day before.
    let west = TimeParser { now: utc("2026-11-22T02:00:00.000000000Z"), zone: zone("America/New_York").unwrap() };
    assert_eq!(west.parse("today").unwrap().time, utc("2026-11-21T05:00:00.000000000Z"));
}

#[test]
fn hours_that_come_twice_and_hours_that_do_not_come_are_told() {
    let cases = [
        ("2026-10-25 02:30", "2026-10-25T00:30:00.000000000Z", Some(Remark::Twice)),
        ("2026-10-25 02:30+02:00", "2026-10-25T00:30:00.000000000Z", None),
        ("2026-10-25 02:30+01:00", "2026-10-25T01:30:00.000000000Z", None),
        ("2026-10-25 02:30 01:00", "2026-10-25T01:30:00.000000000Z", None),
        ("2026-10-25 01:59:59", "2026-10-24T23:59:59.000000000Z", None),
        ("2026-10-25 03:00", "2026-10-25T02:00:00.000000000Z", None),
        ("2026-03-29 02:00", "2026-03-29T01:00:00.000000000Z", Some(Remark::Skipped)),
        ("2026-03-29 02:30:59.9", "2026-03-29T01:00:00.000000000Z", Some(Remark::Skipped)),
        ("2026-03-29 03:00", "2026-03-29T01:00:00.000000000Z", None),
        ("18:00", "2026-11-22T17:00:00.000000000Z", Some(Remark::StillToCome)),
    ];
    for (text, time, remark) in cases {
        assert_eq!(berlin().parse(text), Ok(ReadTime { time: utc(time), remark }), "{text}");
    }
    // A day that begins at one o'clock, and one that was left out.
    let parser = |name| TimeParser { now: NOW, zone: zone(name).unwrap() };
    assert_eq!(parser("America/Sao_Paulo").parse("2018-11-04").unwrap().time, utc("2018-11-04T03:00:00.000000000Z"));
    assert_eq!(parser("Pacific/Apia").parse("2011-12-30 12:00").unwrap().time, utc("2011-12-30T10:00:00.000000000Z"));
}

#[test]
fn says_what_was_wrong() {
    for text in [
        "",
        "tomorrow",
        "1.2.3",
        "1.",
        "1.0000000001",
        "99999999999999999999",
        "2026-13-01T00:00:00Z",
        "2026-02-30",
        "2026-11-29 24:00",
        "2026-11-29 2:00",
        "2026-11-29 02:00.5",
        "2026-11-29 02:00:00.1234567891",
        "2026-11-29 02:00 Berlin",
        "2026-11-29x02:00",
        "02:60",
        "02:00:61",
        "02:00+25:00",
        "today02:00",
        "9999-01-01",
        "10 parsecs",
        "--5m",
    ] {
        let error = TimeParser::utc(NOW).parse(text).unwrap_err().to_string();
        assert!(error.contains("is not a time") && error.contains("RFC 3339"), "{text}: {error}");
    }
    assert!(TimeParser::utc(NOW).parse(&"9".repeat(1000)).unwrap_err().to_string().len() < 400);
    let error = zone("Mars/Olympus").unwrap_err().to_string();
    assert!(error.contains("\"Mars/Olympus\"") && error.contains("Europe/Berlin"), "{error}");
}

proptest! {
    #[test]
    fn every_minute_of_a_zone_is_read_back(minute in 0i64..60 * 24 * 366 * 60, zone in prop::sample::select(vec![Tz::Europe__Berlin, Tz::America__Sao_Paulo, Tz::Asia__Kathmandu, Tz::Australia__Lord_Howe])) {
        let time = Timestamp::from_nanos(minute * 60 * NANOS_PER_SECOND);
        let shown = time.to_datetime().with_timezone(&zone);
        let parser = TimeParser { now: NOW, zone };
        for form in ["%Y-%m-%d %H:%M%:z", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S%.3f %:z"] {
            let text = shown.format(form).to_string();
            prop_assert_eq!(parser.parse(&text), Ok(ReadTime { time, remark: None }), "{}", text);
            prop_assert_eq!(parser.parse(&text.replace('+', " ")).map(|reading| reading.time), Ok(time), "{}", text);
        }
        let reading = parser.parse(&shown.format("%Y-%m-%d %H:%M").to_string()).unwrap();
        let right = reading.time == time || (reading.remark == Some(Remark::Twice) && reading.time < time);
        prop_assert!(right, "{:?} for {}", reading, time);
    }

    #[test]
    fn never_panics(text in ".{0,80}", near in "[0-9T :+.-]{0,30}", zone in prop::sample::select(vec![Tz::UTC, Tz::Europe__Berlin]), now in any::<i64>()) {
        for parser in [TimeParser { now: NOW, zone }, TimeParser { now: Timestamp::from_nanos(now), zone }] {
            let _ = parser.parse(&text);
            let _ = parser.parse(&near);
        }
    }
}

#[test]
fn an_error_says_what_is_wrong_in_one_short_line() {
    for (text, why) in [
        ("25:99", "an hour goes from 00 to 23"),
        ("24:00", "an hour goes from 00 to 23"),
        ("09:75", "minutes and seconds go from 00 to 59"),
        ("2026-11-29 09:10:61", "minutes and seconds go from 00 to 59"),
        ("2026-11-29T25:10:00Z", "an hour goes from 00 to 23"),
        ("9:04", "two digits each, as in 09:04"),
        ("yesterday 9:04", "two digits each, as in 09:04"),
        ("2026-02-30", "there is no such day"),
        ("2026-13-01 10:00", "there is no such day"),
        ("soon", "unknown form"),
    ] {
        let error = TimeParser::utc(NOW).parse(text).unwrap_err().to_string();
        assert!(error.contains(why) && error.chars().count() <= 170, "{text}: {error}");
    }
}
