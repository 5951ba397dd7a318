//! Cutting an answer of the daemon's into its entries while it comes, whatever its size: only one entry is in
//! memory at a time, and of a very long text in it only the beginning.
//!
//! Nothing here checks that the entries are JSON; the reader of an entry does.

/// Bytes that are kept of one text in an entry, such as a label; the rest is counted and left out (`…[cut, N
/// bytes]`).
pub(super) const MAX_TEXT_BYTES: usize = 64 << 10;

/// Where the entries are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest::docker) enum Shape {
    /// The whole answer is one.
    One,
    /// The answer is a list of them; `null`, which Go writes for an empty list, is one too.
    List,
    /// The answer is an object, and its member of this name a list of them.
    Member(&'static str),
}

/// An entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest::docker) enum Entry<'a> {
    /// Its text.
    Whole(&'a [u8]),
    /// It is longer than may be kept, although long texts in it were cut; so long.
    TooLong(u64),
}

/// Why an answer is no list of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::ingest::docker) enum NoList {
    /// It is something else.
    #[error("it is no list")]
    Other,
    /// It ends in its middle.
    #[error("it breaks off")]
    BrokenOff,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing but blanks has come.
    Front,
    /// In the object, outside the list.
    Members,
    /// In the list, between entries.
    Between,
    Entry,
    /// What follows is of no interest.
    After,
    /// It is no list.
    Wrong,
}

/// Where in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InText {
    No,
    Yes,
    /// So many more characters belong to an escape, of which the first says whether there are four others.
    Escape(u8),
}

/// Cuts one answer.
#[derive(Debug)]
pub(in crate::ingest::docker) struct Splitter {
    shape: Shape,
    place: Place,
    /// Open brackets, counted from where the place begins.
    depth: u32,
    text: InText,
    /// Kept of the text under way, and left out of it.
    text_kept: usize,
    text_cut: u64,
    /// Whether the escape under way is kept.
    keeping: bool,
    entry: Vec<u8>,
    entry_bytes: u64,
    max_entry_bytes: usize,
    is_too_long: bool,
    /// The last text at the top of the object, and whether the colon after it has come.
    member: Vec<u8>,
    is_wanted: bool,
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl Splitter {
    /// For an answer of which no more than `max_entry_bytes` of one entry may be in memory.
    pub(in crate::ingest::docker) fn new(shape: Shape, max_entry_bytes: usize) -> Self {
        Self {
            shape,
            place: Place::Front,
            depth: 0,
            text: InText::No,
            text_kept: 0,
            text_cut: 0,
            keeping: true,
            entry: Vec::new(),
            entry_bytes: 0,
            max_entry_bytes,
            is_too_long: false,
            member: Vec::new(),
            is_wanted: false,
        }
    }

    /// Takes the next bytes of the answer.
    pub(in crate::ingest::docker) fn push(&mut self, bytes: &[u8], entry: &mut dyn FnMut(Entry<'_>)) {
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            rest = match self.place {
                Place::Front => self.front(*byte, rest, after),
                Place::Members => self.members(rest),
                Place::Between => self.between(*byte, rest, after),
                Place::Entry => self.inside(rest, entry),
                Place::After | Place::Wrong => return,
            };
        }
    }

    /// The answer is over.
    ///
    /// # Errors
    /// [`NoList`]; the entries that were given are then not all.
    pub(in crate::ingest::docker) fn finish(&mut self, entry: &mut dyn FnMut(Entry<'_>)) -> Result<(), NoList> {
        match (self.place, self.shape) {
            (Place::Entry, Shape::One) => {
                self.give(entry);
                Ok(())
            }
            (Place::After, _) => Ok(()),
            (Place::Wrong, _) => Err(NoList::Other),
            _ => Err(NoList::BrokenOff),
        }
    }

    fn front<'a>(&mut self, byte: u8, rest: &'a [u8], after: &'a [u8]) -> &'a [u8] {
        // The three bytes of a byte order mark are no blanks, and none of JSON's.
        if is_blank(byte) || byte >= 0x80 {
            return after;
        }
        match (self.shape, byte) {
            (Shape::One, _) => {
                self.place = Place::Entry;
                return rest;
            }
            (_, b'[') => self.place = Place::Between,
            (_, b'n') => self.place = Place::After,
            (Shape::Member(_), b'{') => self.place = Place::Members,
            _ => self.place = Place::Wrong,
        }
        after
    }

    fn between<'a>(&mut self, byte: u8, rest: &'a [u8], after: &'a [u8]) -> &'a [u8] {
        match byte {
            b']' => self.place = Place::After,
            b',' => {}
            byte if is_blank(byte) => {}
            _ => {
                self.place = Place::Entry;
                return rest;
            }
        }
        after
    }

    /// Looks for the wanted member.
    fn members<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let Some((byte, after)) = rest.split_first() else { return rest };
        match self.text {
            InText::No => match byte {
                b'"' => {
                    self.text = InText::Yes;
                    if self.depth == 0 {
                        self.member.clear();
                        self.is_wanted = false;
                    }
                }
                b':' if self.depth == 0 => {
                    self.is_wanted = matches!(self.shape, Shape::Member(name) if name.as_bytes().eq_ignore_ascii_case(&self.member));
                }
                b'[' if self.depth == 0 && self.is_wanted => self.place = Place::Between,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' if self.depth == 0 => self.place = Place::After,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                b',' if self.depth == 0 => self.is_wanted = false,
                _ => {}
            },
            InText::Escape(_) => self.text = InText::Yes,
            InText::Yes => match byte {
                b'"' => self.text = InText::No,
                b'\\' => self.text = InText::Escape(0),
                // Longer than any name that is looked for.
                byte if self.depth == 0 && self.member.len() < 64 => self.member.push(*byte),
                _ => {}
            },
        }
        after
    }

    /// In an entry.
    fn inside<'a>(&mut self, rest: &'a [u8], entry: &mut dyn FnMut(Entry<'_>)) -> &'a [u8] {
        let Some((byte, after)) = rest.split_first() else { return rest };
        match self.text {
            InText::Yes => self.in_text(rest),
            InText::Escape(left) => {
                let left = match left {
                    0 if *byte == b'u' => 4,
                    left => left.saturating_sub(1),
                };
                if self.keeping {
                    self.keep(&[*byte]);
                    self.text_kept += 1;
                } else {
                    self.text_cut += 1;
                    self.entry_bytes += 1;
                }
                self.text = if left == 0 { InText::Yes } else { InText::Escape(left) };
                after
            }
            InText::No => {
                let is_list = self.shape != Shape::One;
                match byte {
                    b',' | b']' if is_list && self.depth == 0 => {
                        self.give(entry);
                        self.place = Place::Between;
                        return rest;
                    }
                    b'"' => (self.text, self.text_kept, self.text_cut) = (InText::Yes, 0, 0),
                    b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                    b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                self.keep(&[*byte]);
                after
            }
        }
    }

    /// Takes the text under way up to its next quote or backslash.
    fn in_text<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let end = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
        let (plain, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        let (kept, cut) = plain.split_at_checked(MAX_TEXT_BYTES.saturating_sub(self.text_kept)).unwrap_or((plain, &[]));
        self.keep(kept);
        self.text_kept += kept.len();
        self.text_cut += cut.len() as u64;
        self.entry_bytes += cut.len() as u64;
        let Some((byte, after)) = after.split_first() else { return after };
        if *byte == b'"' {
            if self.text_cut > 0 {
                self.mark_cut();
            }
            self.text = InText::No;
            self.keep(b"\"");
        } else {
            // An escape is kept whole, or not at all.
            self.keeping = self.text_kept < MAX_TEXT_BYTES;
            self.text = InText::Escape(0);
            if self.keeping {
                self.keep(b"\\");
                self.text_kept += 1;
            } else {
                self.text_cut += 1;
                self.entry_bytes += 1;
            }
        }
        after
    }

    /// Says in a text that was cut that it was; a character that was cut in two goes.
    fn mark_cut(&mut self) {
        let tail = self.entry.get(self.entry.len().saturating_sub(3)..).unwrap_or_default();
        let torn = (1..=tail.len()).find(|n| tail.get(tail.len() - n).is_some_and(|byte| byte & 0xc0 == 0xc0)).filter(|n| {
            let last = tail.get(tail.len() - n..).unwrap_or_default();
            std::str::from_utf8(last).is_err()
        });
        self.entry.truncate(self.entry.len() - torn.unwrap_or(0));
        let bytes = self.text_kept as u64 + self.text_cut;
        let before = self.entry_bytes;
        self.keep(format!("…[cut, {bytes} bytes]").as_bytes());
        self.entry_bytes = before;
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.entry_bytes += bytes.len() as u64;
        if self.is_too_long {
            return;
        }
        if self.entry.len() + bytes.len() > self.max_entry_bytes {
            self.is_too_long = true;
            self.entry = Vec::new();
            return;
        }
        self.entry.extend_from_slice(bytes);
    }

    fn give(&mut self, entry: &mut dyn FnMut(Entry<'_>)) {
        if self.is_too_long {
            entry(Entry::TooLong(self.entry_bytes));
        } else {
            entry(Entry::Whole(self.entry.trim_ascii_end()));
        }
        self.entry.clear();
        (self.entry_bytes, self.is_too_long, self.depth) = (0, false, 0);
    }
}

#[cfg(test)]
mod tests;
