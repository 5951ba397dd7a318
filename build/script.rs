//! Scripts as they are sent: without comments, types, indentation, and the blanks that only people need.
//! Every token stays, and so does every line break: a browser reads the same program, also where it ends
//! statements by itself, and names the same lines in its messages.

/// Words after which a slash begins a regular expression; after any other, it divides.
const BEFORE_VALUES: [&str; 14] =
    ["return", "typeof", "case", "in", "of", "instanceof", "new", "delete", "void", "throw", "await", "yield", "do", "else"];
/// Words whose parentheses hold a condition: what follows those is a statement, not an operator.
const BEFORE_CONDITIONS: [&str; 4] = ["if", "while", "for", "with"];
/// Marks that are whole tokens whatever stands beside them.
const SINGLE: &str = "()[]{},;";

/// What a token is, as far as its neighbours matter.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Names, keywords, numbers, private names; and regular expressions, which end in their flags.
    Word,
    /// In quotes or backticks.
    Text,
    Mark,
}

/// What a closing bracket ends.
#[derive(Clone, Copy, PartialEq)]
enum Opened {
    Condition,
    /// `${` within backticks.
    Template,
    Other,
}

struct Packer<'a> {
    rest: &'a str,
    out: String,
    line: usize,
    /// The last token, and the text before it.
    last: &'a str,
    before: &'a str,
    kind: Kind,
    opened: Vec<Opened>,
    /// What the last closing bracket had opened.
    closed: Opened,
}

/// The same script in fewer bytes, or the line of what cannot be told apart here.
pub(crate) fn packed(source: &str) -> Result<String, String> {
    let out = String::with_capacity(source.len());
    let mut packer =
        Packer { rest: source, out, line: 1, last: "", before: "", kind: Kind::Mark, opened: Vec::new(), closed: Opened::Other };
    packer.run().map_err(|why| format!("{}: {why}", packer.line))?;
    Ok(packer.out)
}

impl Packer<'_> {
    fn run(&mut self) -> Result<(), String> {
        let mut is_apart = false;
        while let Some(first) = self.rest.chars().next() {
            if first == '\n' {
                self.skip(1);
            } else if first.is_whitespace() {
                self.skip(first.len_utf8());
            } else if self.rest.starts_with("//") {
                self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("/*") {
                self.skip(self.rest.find("*/").ok_or("a comment has no end")? + 2);
            } else {
                self.token(first, is_apart)?;
                is_apart = false;
                continue;
            }
            is_apart = true;
        }
        if self.opened.is_empty() { Ok(()) } else { Err("a bracket has no end".to_owned()) }
    }

    /// Past what is not sent but for its line breaks.
    fn skip(&mut self, length: usize) {
        let (gone, rest) = self.rest.split_at(length);
        let lines = gone.matches('\n').count();
        self.out.extend(std::iter::repeat_n('\n', lines));
        self.line += lines;
        self.rest = rest;
    }

    fn token(&mut self, first: char, is_apart: bool) -> Result<(), String> {
        let (length, kind) = match first {
            '\'' | '"' => (self.quoted(first)?, Kind::Text),
            '`' => (self.template()?, Kind::Text),
            '}' if self.opened.last() == Some(&Opened::Template) => {
                self.opened.pop();
                (self.template()?, Kind::Text)
            }
            '/' if self.begins_value()? => (self.regex()?, Kind::Word),
            _ if is_word(first) => (self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len()), Kind::Word),
            _ => {
                self.bracket(first)?;
                (first.len_utf8(), Kind::Mark)
            }
        };
        let (token, rest) = self.rest.split_at(length);
        if is_apart && self.needs_blank(token, kind) {
            self.out.push(' ');
        }
        self.out.push_str(token);
        self.line += token.matches('\n').count();
        (self.before, self.last, self.kind, self.rest) = (self.last, token, kind, rest);
        Ok(())
    }

    /// Whether two tokens without anything between them would be others.
    fn needs_blank(&self, token: &str, kind: Kind) -> bool {
        let is_single = |token: &str| SINGLE.contains(token);
        if self.out.is_empty() || self.out.ends_with('\n') {
            return false;
        }
        match (self.kind, kind) {
            (Kind::Word, Kind::Word) => true,
            // `1 .x` is no number with a fraction.
            (Kind::Word, Kind::Mark) => token == "." && self.last.starts_with(|c: char| c.is_ascii_digit()),
            (Kind::Mark, Kind::Mark) => !is_single(self.last) && !is_single(token),
            // `a / /b/` is no comment.
            (Kind::Mark, Kind::Word) => self.last == "/" && token.starts_with('/'),
            _ => false,
        }
    }

    /// Whether a value may stand here: then a slash begins a regular expression.
    fn begins_value(&self) -> Result<bool, String> {
        match (self.kind, self.last) {
            (Kind::Word, last) => Ok(BEFORE_VALUES.contains(&last) && self.before != "."),
            (Kind::Text, last) => Ok(last.ends_with("${")),
            (Kind::Mark, ")") => Ok(self.closed == Opened::Condition),
            (Kind::Mark, "]") => Ok(false),
            (Kind::Mark, "}") => Err("a slash after a brace: it may divide or begin a regular expression".to_owned()),
            (Kind::Mark, "+" | "-") if self.before == self.last => Err("a slash after ++ or --: use parentheses".to_owned()),
            (Kind::Mark, _) => Ok(true),
        }
    }

    fn bracket(&mut self, mark: char) -> Result<(), String> {
        let is_condition = mark == '(' && self.kind == Kind::Word && BEFORE_CONDITIONS.contains(&self.last) && self.before != ".";
        if matches!(mark, '(' | '[' | '{') {
            self.opened.push(if is_condition { Opened::Condition } else { Opened::Other });
        } else if matches!(mark, ')' | ']' | '}') {
            self.closed = self.opened.pop().ok_or("a bracket has no beginning")?;
        }
        Ok(())
    }

    /// Length of what stands between two quotes, with them.
    fn quoted(&self, quote: char) -> Result<usize, String> {
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => {
                    chars.next();
                }
                '\n' => break,
                _ if c == quote => return Ok(at + 1),
                _ => {}
            }
        }
        Err("a string has no end".to_owned())
    }

    /// Length of a part of a template: from a backtick or the end of what is put in, to the next such place.
    fn template(&mut self) -> Result<usize, String> {
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => {
                    chars.next();
                }
                '`' => return Ok(at + 1),
                '$' if chars.peek().is_some_and(|(_, next)| *next == '{') => {
                    self.opened.push(Opened::Template);
                    return Ok(at + 2);
                }
                _ => {}
            }
        }
        Err("a template has no end".to_owned())
    }

    /// Length of a regular expression with its flags.
    fn regex(&self) -> Result<usize, String> {
        let mut is_in_class = false;
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => {
                    chars.next();
                }
                '\n' => break,
                '[' => is_in_class = true,
                ']' => is_in_class = false,
                '/' if !is_in_class => {
                    let flags = self.rest.get(at + 1..).unwrap_or("");
                    return Ok(at + 1 + flags.find(|c| !is_word(c)).unwrap_or(flags.len()));
                }
                _ => {}
            }
        }
        Err("a regular expression has no end".to_owned())
    }
}

/// Of names, numbers and private names; whatever is not ASCII stands in names only.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_$#".contains(c) || !c.is_ascii()
}
