//! Names, labels and commands come from whoever may start a container: nothing of them reaches a terminal raw.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` with every character spelled out that a terminal would act on or that would disguise the rest: control
/// characters (also C1, which some terminals obey), marks that turn the direction, line separators, invisible ones.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    spell_out(text, |out, c| match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
    })
}

/// The same for a line of JSON, whose meaning stays: there, such characters can only stand inside strings.
pub(super) fn escape_json(line: &str) -> Cow<'_, str> {
    spell_out(line, |out, c| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn spell_out(text: &str, spell: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if !text.contains(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hostile(c) { spell(&mut out, c) } else { out.push(c) }
    }
    Cow::Owned(out)
}

fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_comes_through() {
        assert_eq!(escape("a\u{1b}[2Jb\u{9b}31m\x07\x7f\r\n\t"), r"a\u{1b}[2Jb\u{9b}31m\u{7}\u{7f}\r\n\t");
        assert_eq!(escape("txt.\u{202e}exe\u{2028}\u{feff}"), r"txt.\u{202e}exe\u{2028}\u{feff}");
        assert!(matches!(escape("wäb-1 ☂ 日本"), Cow::Borrowed("wäb-1 ☂ 日本")));
    }

    #[test]
    fn json_keeps_its_meaning() {
        let line = "{\"a\":\"\u{9b}31m\u{7f}\u{e0041}ä\"}";
        let safe = escape_json(line);
        assert_eq!(safe, r#"{"a":"\u009b31m\u007f\udb40\udc41ä"}"#);
        let values: [serde_json::Value; 2] = [serde_json::from_str(line).unwrap(), serde_json::from_str(&safe).unwrap()];
        assert_eq!(values[0], values[1]);
    }
}
