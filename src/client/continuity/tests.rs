use super::*;

const LOG: &str = "0000000a";

fn frame(event: &str, id: &str, data: &str) -> Frame {
    Frame { event: event.into(), data: data.into(), id: Some(id.into()) }
}
fn hello(after: u64) -> Frame {
    frame("hello", &format!("{LOG}-{after}"), &format!(r#"{{"log":"L","oldest":1,"head":9,"after":{after}}}"#))
}
fn record(seq: u64) -> Frame {
    frame("", &format!("{LOG}-{seq}"), &format!("r{seq}"))
}
fn at(seq: u64) -> Cursor {
    Cursor { log: 10, seq }
}

/// The items in short: `r5` for a record, `lost 3-4`, and so on.
fn run(state: &mut Continuity, frames: Vec<Frame>) -> String {
    let mut out = VecDeque::new();
    for frame in frames {
        state.take(frame, &mut out).unwrap();
    }
    let short = |item: &StreamItem| match item {
        StreamItem::Hello { after, .. } => format!("hello {after}"),
        StreamItem::Record { line, .. } => line.clone(),
        StreamItem::Gap { from, to, reason } => format!("gap {from}-{to} {reason}"),
        StreamItem::Reset { reason, oldest } => format!("reset {reason} {oldest}"),
        StreamItem::CaughtUp { head } => format!("caught-up {head}"),
        StreamItem::Checkpoint { seq } => format!("checkpoint {seq}"),
        StreamItem::End { seq } => format!("end {seq}"),
        StreamItem::Lost { from, to } => format!("lost {from}-{to}"),
        StreamItem::Incomplete { record } => format!("incomplete {record}"),
        StreamItem::Reconnecting { .. } => unreachable!(),
    };
    out.iter().map(short).collect::<Vec<_>>().join(", ")
}

#[test]
fn an_end_counts_as_far_as_it_was_looked() {
    let end = || frame("end", "0000000a-9", r#"{"seq":9}"#);
    let mut state = Continuity::new(None, true);
    state.leave_out();
    assert_eq!(run(&mut state, vec![hello(4), record(5), record(7), end()]), "hello 4, r5, r7, end 9");
    assert_eq!(state.position(), Some(at(9)));
    let mut dense = Continuity::new(None, true);
    assert_eq!(run(&mut dense, vec![hello(4), record(5), end()]), "hello 4, r5, lost 6-9, end 9");
}

#[test]
fn records_of_ancestors_are_no_other_log() {
    let of = |log: &str, seq: u64| frame("", &format!("{log}-{seq}"), &format!("r{seq}"));
    let mut state = Continuity::new(None, true);
    let named = r#"{"log":"0000000a-0000-4000-8000-000000000000","oldest":1,"head":9,"after":0}"#;
    let frames = vec![frame("hello", "0000000a-0", named), of("00000001", 1), of("00000001", 2), of("00000002", 3), of(LOG, 4)];
    assert_eq!(run(&mut state, frames), "hello 0, r1, r2, r3, r4");
}

#[test]
fn what_the_recorder_may_have_missed_is_passed_on_and_is_no_progress() {
    let mut state = Continuity::new(None, false);
    let incomplete = |data: &str| frame("incomplete", "0000000a-9", data);
    let told = incomplete(r#"{"from":"2026-11-22T10:00:00Z","until":"2026-11-22T10:03:00Z","reason":"damage","record":{"seq": 9}}"#);
    assert_eq!(run(&mut state, vec![hello(4), told, record(6)]), r#"hello 4, incomplete {"seq": 9}, r6"#);
    assert_eq!(state.position(), Some(at(6)));
    assert_eq!(run(&mut state, vec![incomplete("{}"), incomplete("x"), record(7)]), "r7", "other shapes are for newer clients");
}

#[test]
fn a_whole_stream_passes_untouched() {
    let mut state = Continuity::new(None, true);
    let caught_up = frame("caught-up", "0000000a-6", r#"{"head":6}"#);
    assert_eq!(run(&mut state, vec![hello(4), record(5), record(6), caught_up, record(7)]), "hello 4, r5, r6, caught-up 6, r7");
    assert_eq!(state.position(), Some(at(7)));
}

#[test]
fn repeats_are_dropped_and_holes_reported() {
    let mut state = Continuity::new(Some(at(5)), true);
    assert_eq!(run(&mut state, vec![hello(3), record(4), record(5), record(6)]), "hello 3, r6");
    assert_eq!(run(&mut state, vec![record(9)]), "lost 7-8, r9");
    assert_eq!(run(&mut state, vec![hello(11), record(12)]), "hello 11, lost 10-11, r12");
    assert_eq!(run(&mut state, vec![frame("caught-up", "0000000a-14", r#"{"head":14}"#)]), "lost 13-14, caught-up 14");
    assert_eq!(state.position(), Some(at(14)));
}

#[test]
fn filtered_streams_may_skip_but_not_start_late() {
    let mut state = Continuity::new(Some(at(5)), false);
    assert_eq!(
        run(&mut state, vec![hello(5), record(9), frame("checkpoint", "0000000a-20", r#"{"seq":20}"#)]),
        "hello 5, r9, checkpoint 20"
    );
    assert_eq!(state.position(), Some(at(20)));
    assert_eq!(run(&mut state, vec![hello(22)]), "hello 22, lost 21-22");
}

#[test]
fn gaps_move_the_position() {
    let mut state = Continuity::new(Some(at(4)), true);
    let gap = |from, to| frame("gap", &format!("{LOG}-{to}"), &format!(r#"{{"from":{from},"to":{to},"reason":"retention"}}"#));
    assert_eq!(run(&mut state, vec![hello(4), gap(5, 9), record(10)]), "hello 4, gap 5-9 retention, r10");
    assert_eq!(run(&mut state, vec![gap(13, 15), record(16)]), "lost 11-12, gap 13-15 retention, r16");
}

#[test]
fn a_reset_starts_over() {
    let reset =
        |log: &str, reason| frame("reset", &format!("{log}-0"), &format!(r#"{{"reason":"{reason}","requested":"x","oldest":1,"head":2}}"#));
    let mut state = Continuity::new(Some(at(90)), true);
    let frames = vec![hello(0), reset(LOG, "future"), record(1), record(2)];
    assert_eq!(run(&mut state, frames), "hello 0, reset future 1, r1, r2");

    let other = |event, seq: u64, data: &str| frame(event, &format!("0000000b-{seq}"), data);
    let new_hello = || other("hello", 0, r#"{"log":"M","oldest":1,"head":1,"after":0}"#);
    let frames = vec![new_hello(), reset("0000000b", "foreign-log"), other("", 1, "n1")];
    assert_eq!(run(&mut state, frames), "hello 0, reset foreign-log 1, n1");

    let mut state = Continuity::new(Some(at(90)), true);
    assert_eq!(run(&mut state, vec![new_hello(), other("", 1, "n1")]), "hello 0, reset unannounced 1, n1");
    assert_eq!(state.position(), Some(Cursor { log: 11, seq: 1 }));
}

#[test]
fn a_copy_of_a_log_goes_on_under_another_name() {
    let copy = |event, seq: u64, data: &str| frame(event, &format!("0000000b-{seq}"), data);
    let named = r#"{"log":"0000000b-0000-4000-8000-000000000000","oldest":1,"head":9,"after":4}"#;
    // By its ancestor's cursor into what it was copied with, and at its end.
    let mut state = Continuity::new(Some(at(4)), true);
    let hello = frame("hello", &format!("{LOG}-4"), named);
    assert_eq!(run(&mut state, vec![hello, record(5), copy("", 6, "n6"), copy("", 9, "n9")]), "hello 4, r5, n6, lost 7-8, n9");
    let mut state = Continuity::new(Some(at(4)), true);
    assert_eq!(run(&mut state, vec![copy("hello", 4, named), copy("", 5, "n5")]), "hello 4, n5");
    let mut state = Continuity::new(Some(at(4)), true);
    assert_eq!(run(&mut state, vec![copy("hello", 4, named), copy("", 7, "n7")]), "hello 4, lost 5-6, n7");
}

#[test]
fn unknown_frames_count_and_damaged_ones_do_not_pass() {
    let mut state = Continuity::new(Some(at(4)), false);
    assert_eq!(run(&mut state, vec![frame("weather", "0000000a-6", "sunny")]), "");
    assert_eq!(state.position(), Some(at(6)));
    let mut out = VecDeque::new();
    assert!(state.take(frame("gap", "0000000a-9", "{"), &mut out).unwrap_err().contains("gap"));
    assert!(state.take(frame("hello", "nonsense", "{}"), &mut out).is_err());
    assert_eq!((out.len(), state.position()), (0, Some(at(6))));
}
