//! Texts that somebody else wrote, on their way to people: after [`printable`] nothing in one of them acts on
//! a terminal, disguises or floods. No program reads back what came out of it.

use std::error::Error;
use std::fmt::Write as _;

/// `text` with every [hostile](is_hostile) character spelled out (`\n`, `\u{202e}`), on one line. It has at
/// most `max_chars` characters; where something was left out, `…` is the last of them.
///
/// Quotes and backslashes stay as they are: the result is for people to read, not for a program to read back.
pub fn printable(text: &str, max_chars: usize) -> String {
    let mut out = String::new();
    let mut room = max_chars;
    // Where the text would end if it had to be cut: one place before the last is kept for the sign of the
    // cut.
    let mut cut_at = 0;
    for c in text.chars() {
        let spelled = spell_out(&mut out, c);
        if spelled > room {
            out.truncate(cut_at);
            if max_chars > 0 {
                out.push('…');
            }
            break;
        }
        room -= spelled;
        if room > 0 {
            cut_at = out.len();
        }
    }
    out
}

/// Appends one character, and tells as how many.
fn spell_out(out: &mut String, c: char) -> usize {
    if !is_hostile(c) {
        out.push(c);
        return 1;
    }
    let before = out.len();
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
    }
    // ASCII only.
    out.len() - before
}

/// The words of the innermost cause of `error`, which say most: "error sending request for url" tells a user
/// nothing, "Connection refused" does. They are of any length and may hold anything.
pub fn root_cause(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

/// Whether a terminal would act on a character, or it would disguise the text around it: control characters
/// (also C1, which some terminals obey), marks that turn the direction, line separators, invisible ones.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_acts_or_disguises_is_spelled_out() {
        assert_eq!(printable("a\u{1b}[2J\u{9b}31m\x07\x7f\r\n\t\0", 100), r"a\u{1b}[2J\u{9b}31m\u{7}\u{7f}\r\n\t\u{0}");
        for c in [
            '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{200e}', '\u{200f}', '\u{61c}', '\u{2028}', '\u{2029}', '\u{85}', '\u{feff}',
        ] {
            assert_eq!(printable(&format!("x{c}y"), 100), format!("x\\u{{{:x}}}y", u32::from(c)));
        }
        assert_eq!(printable(r#"20.10.24 "wäb\1" ☂ 日本"#, 100), r#"20.10.24 "wäb\1" ☂ 日本"#);
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        assert_eq!(printable("abcdef", 6), "abcdef");
        assert_eq!(printable("abcdefg", 6), "abcde…");
        assert_eq!(printable("abcd\u{1b}", 6), "abcd…", "no half of an escape");
        assert_eq!(printable("abcdef\u{1b}", 6), "abcde…");
        assert_eq!((printable("ab", 1), printable("ab", 0), printable("", 0)), ("…".to_owned(), String::new(), String::new()));
        assert_eq!(printable(&"\u{202e}é".repeat(10 << 20), 200), format!("{}…", "\\u{202e}é".repeat(22)));
    }

    #[test]
    fn the_innermost_cause_speaks_and_an_error_without_one_for_itself() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer {0}")]
        struct Outer<E: Error + 'static>(u8, #[source] E);
        let inner = std::io::Error::other("refused");
        assert_eq!(root_cause(&inner), "refused");
        assert_eq!(root_cause(&Outer(1, Outer(2, inner))), "refused");
    }

    proptest! {
        #[test]
        fn never_hostile_and_never_too_long(text in prop::collection::vec(prop_oneof![any::<char>(), Just('\u{202e}'), Just('a')], 0..40), max in 0usize..60) {
            let text: String = text.into_iter().collect();
            let shown = printable(&text, max);
            prop_assert!(!shown.contains(is_hostile), "{shown:?}");
            prop_assert!(shown.chars().count() <= max);
        }
    }
}
