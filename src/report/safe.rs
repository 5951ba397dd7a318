//! Texts from outside, made fit for the form that they go into.

use super::model::MAX_WORDS;
use crate::text::printable;

/// On one line, of bounded length, and with nothing in it that disguises the text around it.
pub(super) fn plain(text: &str) -> String {
    printable(text, MAX_WORDS)
}

/// For a text of Markdown, also in a cell of a table. A mention (`@name`) or a reference (`#12`) would reach
/// people who have nothing to do with it, so a comment stands between the sign and what follows.
pub(super) fn markdown(text: &str) -> String {
    let text = plain(text);
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text.chars().peekable();
    let mut before: Option<char> = None;
    while let Some(c) = rest.next() {
        let within_word = before.is_some_and(char::is_alphanumeric) && rest.peek().is_some_and(|next| next.is_alphanumeric());
        match c {
            '@' if rest.peek().is_some_and(|next| next.is_alphanumeric()) => out.push_str("@<!-- -->"),
            '#' if rest.peek().is_some_and(|next| next.is_alphanumeric()) => out.push_str("\\#<!-- -->"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            // A quotation begins so; in the middle it means nothing.
            '>' if before.is_none() => out.push_str("&gt;"),
            '_' if within_word => out.push(c),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
        before = Some(c);
    }
    // What a browser or an editor would make a link of.
    out.replace("://", ":<!-- -->//").replace("www.", "www<!-- -->.")
}

/// For HTML, in texts and in attributes.
pub(super) fn html(text: &str) -> String {
    escaped(&plain(text))
}

/// The same for a text that is fit to be shown already.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_in_markdown() {
        for (text, safe) in [
            ("a|b`c`", r"a\|b\`c\`"),
            ("<script>&", "&lt;script>&amp;"),
            (">a_b_ -> _c", r"&gt;a_b\_ -> \_c"),
            ("@here @ a@", "@<!-- -->here @ a@"),
            ("#12 # a", r"\#<!-- -->12 \# a"),
            ("a\n# b\r\u{202e}", r"a\\n\# b\\r\\u{202e}"),
            ("![x](https://e.org)", r"\!\[x\](https:<!-- -->//e.org)"),
        ] {
            assert_eq!(markdown(text), safe);
        }
    }

    #[test]
    fn nothing_acts_in_html() {
        assert_eq!(html("<b a=\"'\">&\u{2028}\0"), "&lt;b a=&quot;&#39;&quot;&gt;&amp;\\u{2028}\\u{0}");
        assert_eq!(html(&"<".repeat(1000)).len(), (MAX_WORDS - 1) * 4 + 3);
    }
}
