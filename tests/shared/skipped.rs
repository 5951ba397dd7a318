//! Stories that cannot run where they are. They say so past the test harness, which keeps what a passing test
//! prints; `./test` counts these lines and repeats them at its end.

use std::io::Write as _;

/// Past the test harness.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Says that this story is skipped. In CI, and where `SHIPSLOG_TEST_REQUIRE` is set, that is a failure.
pub(crate) fn skipped(why: &str) {
    let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "0");
    assert!(!set("CI") && !set("SHIPSLOG_TEST_REQUIRE"), "this story may not be skipped here: {why}");
    // The harness names a test's thread after it, unless it runs one test at a time.
    let story = std::thread::current().name().unwrap_or("main").to_owned();
    say(&format!("SKIPPED {story}: {why}"));
}
