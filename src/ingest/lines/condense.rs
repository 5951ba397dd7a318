//! What of an event is kept that is too long to be kept whole: its fields, and the attributes that are short.
//! Whatever comes, memory is bounded.

use memchr::memchr2;
use std::fmt::Write as _;

/// Most bytes of a key, as it stands in the text; members with longer ones are left out.
const MAX_KEY_BYTES: usize = 1 << 10;
/// Most bytes of a value, as it stands in the text. Of a longer string the beginning is kept if it is one of
/// the event's own fields; of an attribute only the length, since a rule of redaction might not know half a
/// secret.
const MAX_VALUE_BYTES: usize = 4 << 10;
/// Bytes of keys and values that are kept of one event, those of [`ALWAYS_KEPT`] aside.
const MAX_KEPT_BYTES: usize = 256 << 10;
/// Attributes that are kept when there are more than fit.
const ALWAYS_KEPT: [&str; 6] = [r#""name""#, r#""image""#, r#""exitCode""#, r#""signal""#, r#""execID""#, r#""container""#];

/// Where a member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the message itself.
    Message,
    /// In `Actor`.
    Actor,
    /// In `Actor.Attributes`.
    Attributes,
}

/// What a string is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Key,
    Value,
    /// Of something that is not kept.
    Passed,
}

/// Takes the bytes of one object, and keeps of it what Docker's readers look for.
#[derive(Debug)]
pub(super) struct Condenser {
    places: Vec<Place>,
    /// Objects and arrays that are open inside of what is not kept.
    passed_depth: u64,
    string: Option<Token>,
    escaped: bool,
    /// The key whose value comes; `None` before a key.
    key: Option<Vec<u8>>,
    /// How the token begins that is under way, and its full length.
    token: Vec<u8>,
    token_bytes: u64,
    kept: Vec<(Place, String, String)>,
    kept_bytes: usize,
}

impl Condenser {
    pub(super) fn new() -> Self {
        Self {
            places: Vec::new(),
            passed_depth: 0,
            string: None,
            escaped: false,
            key: None,
            token: Vec::new(),
            token_bytes: 0,
            kept: Vec::new(),
            kept_bytes: 0,
        }
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if let Some(token) = self.string {
                bytes = self.in_string(token, bytes);
                continue;
            }
            bytes = rest;
            match first {
                b'"' => self.begin_string(),
                b'{' | b'[' => self.open(*first),
                b'}' | b']' => self.close(),
                b',' if self.passed_depth == 0 => {
                    self.end_scalar();
                    self.key = None;
                }
                b' ' | b'\t' | b'\r' | b'\n' | b':' | b',' => {}
                other if self.passed_depth == 0 && self.key.is_some() => self.add(&[*other]),
                _ => {}
            }
        }
    }

    /// The event in the shape of Docker's; `None` if nothing was kept.
    pub(super) fn finish(self) -> Option<String> {
        let mut json = String::with_capacity(self.kept_bytes + 1024);
        let members = |json: &mut String, place: Place| {
            let mut first = true;
            for (_, key, value) in self.kept.iter().filter(|(of, _, _)| *of == place) {
                let comma = if std::mem::take(&mut first) { "" } else { "," };
                let _ = write!(json, "{comma}{key}:");
                match value.as_str() {
                    ACTOR => json.push_str("{\u{0}A}"),
                    ATTRIBUTES => json.push_str("{\u{0}B}"),
                    value => json.push_str(value),
                }
            }
        };
        let [mut actor, mut attributes] = [String::new(), String::new()];
        members(&mut attributes, Place::Attributes);
        members(&mut actor, Place::Actor);
        members(&mut json, Place::Message);
        if json.is_empty() {
            return None;
        }
        // A raw NUL cannot stand in what was kept: that was read as JSON.
        let actor = actor.replacen("\u{0}B", &attributes, 1);
        Some(format!("{{{}}}", json.replacen("\u{0}A", &actor, 1)))
    }

    fn begin_token(&mut self) {
        self.token.clear();
        self.token_bytes = 0;
    }

    fn place(&self) -> Option<Place> {
        self.places.last().copied()
    }

    fn begin_string(&mut self) {
        self.string = Some(match (self.passed_depth, &self.key) {
            (0, None) => Token::Key,
            (0, Some(_)) => Token::Value,
            _ => Token::Passed,
        });
        self.begin_token();
    }

    /// Takes of `bytes` what belongs to the string, and gives the rest.
    fn in_string<'a>(&mut self, token: Token, bytes: &'a [u8]) -> &'a [u8] {
        if std::mem::take(&mut self.escaped) {
            let (escape, rest) = bytes.split_at(1.min(bytes.len()));
            self.add(escape);
            return rest;
        }
        let end = memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
        let (text, rest) = bytes.split_at(end);
        self.add(text);
        let Some((mark, rest)) = rest.split_first() else { return rest };
        if *mark == b'\\' {
            self.add(b"\\");
            self.escaped = true;
            return rest;
        }
        self.string = None;
        match token {
            Token::Key => {
                self.key = Some(if self.token_bytes <= MAX_KEY_BYTES as u64 { std::mem::take(&mut self.token) } else { Vec::new() });
            }
            Token::Value => {
                let value = self.string_value();
                self.member(value);
            }
            Token::Passed => {}
        }
        self.begin_token();
        rest
    }

    fn add(&mut self, bytes: &[u8]) {
        self.token_bytes += bytes.len() as u64;
        let room = MAX_VALUE_BYTES.saturating_sub(self.token.len());
        self.token.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// The string that has ended, as JSON; with its length in place of what is too long.
    fn string_value(&self) -> Option<String> {
        if self.token_bytes <= MAX_VALUE_BYTES as u64 {
            return quoted(&self.token, "");
        }
        let note = format!("…[cut, {} bytes]", self.token_bytes);
        let start =
            if self.place() == Some(Place::Attributes) { &[][..] } else { self.token.get(..MAX_VALUE_BYTES).unwrap_or(&self.token) };
        // The cut may have fallen into an escape or a character.
        (0..=12).find_map(|back| quoted(start.get(..start.len().checked_sub(back)?)?, &note))
    }

    /// A number or a literal ended, if one was under way.
    fn end_scalar(&mut self) {
        if self.token_bytes > 0 {
            let text = (self.token_bytes <= MAX_VALUE_BYTES as u64).then(|| String::from_utf8(self.token.clone()).ok()).flatten();
            let value = text.filter(|text| serde_json::from_str::<serde_json::Value>(text).is_ok());
            self.member(value);
            self.begin_token();
        }
    }

    fn open(&mut self, byte: u8) {
        let inner = match (self.place(), self.key.as_deref()) {
            (None, _) => Some(Place::Message),
            (Some(Place::Message), Some(b"Actor")) => Some(Place::Actor),
            (Some(Place::Actor), Some(b"Attributes")) => Some(Place::Attributes),
            _ => None,
        };
        match inner.filter(|_| self.passed_depth == 0 && byte == b'{') {
            Some(place) => {
                let mark = match place {
                    Place::Message => None,
                    Place::Actor => Some(ACTOR),
                    Place::Attributes => Some(ATTRIBUTES),
                };
                // Of two the first says where they stand; their members are put together, as Go does.
                if let Some(mark) = mark.filter(|mark| !self.kept.iter().any(|(_, _, value)| value == mark)) {
                    self.member(Some(mark.to_owned()));
                }
                self.places.push(place);
                self.key = None;
            }
            None => self.passed_depth += 1,
        }
    }

    fn close(&mut self) {
        if self.passed_depth > 0 {
            self.passed_depth -= 1;
            return;
        }
        self.end_scalar();
        self.places.pop();
        // The value of the key outside is over.
        self.key = Some(Vec::new());
    }

    /// Keeps a member, if it can be kept.
    fn member(&mut self, value: Option<String>) {
        let key = self.key.as_deref().filter(|key| !key.is_empty()).and_then(|key| quoted(key, ""));
        let (Some(place), Some(key), Some(value)) = (self.place(), key, value) else {
            return;
        };
        let fields = [r#""Type""#, r#""Action""#, r#""ID""#, r#""time""#, r#""timeNano""#, r#""scope""#, r#""Actor""#, r#""Attributes""#];
        let important = if place == Place::Attributes { ALWAYS_KEPT.contains(&key.as_str()) } else { fields.contains(&key.as_str()) };
        if important {
            // Of repeated ones the last counts, and so there is room for all.
            if let Some(at) = self.kept.iter().rposition(|(of, known, _)| (*of, known.as_str()) == (place, key.as_str())) {
                self.kept.remove(at);
            }
        } else if self.kept_bytes + key.len() + value.len() > MAX_KEPT_BYTES {
            return;
        } else {
            // What a member costs besides its text, so that many short ones are bounded as well.
            self.kept_bytes += key.len() + value.len() + MEMBER_OVERHEAD_BYTES;
        }
        self.kept.push((place, key, value));
    }
}

const MEMBER_OVERHEAD_BYTES: usize = 64;
/// Stand where the members of `Actor` and of its attributes go. No JSON value looks like them.
const ACTOR: &str = "\u{0}actor";
const ATTRIBUTES: &str = "\u{0}attributes";

/// The text of a JSON string with its quotes, and `note` after it, if it is one.
fn quoted(text: &[u8], note: &str) -> Option<String> {
    let json = format!("\"{}{note}\"", std::str::from_utf8(text).ok()?);
    serde_json::from_str::<String>(&json).is_ok().then_some(json)
}
