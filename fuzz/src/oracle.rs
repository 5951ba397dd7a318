//! What a stream of bytes holds, found by looking at all of it, byte by byte. The tests of the splitter use
//! it too.

/// What the splitter should tell of.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    /// An event, as it is kept.
    Event(String),
    /// What is none.
    Malformed(&'a [u8]),
    /// What is longer than the limit.
    TooLong(&'a [u8]),
}

fn is_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | 0x1e)
}

/// Where something ends, and whether it is a whole object.
fn end_of(text: &[u8], limit: usize, read: &impl Fn(&[u8]) -> Option<(String, bool)>) -> (usize, bool) {
    let line_end = |from: usize| (from..text.len()).find(|at| is_end(text[*at])).unwrap_or(text.len());
    if text[0] != b'{' {
        return (line_end(0), false);
    }
    let (mut open, mut nested): (Vec<u8>, Option<(usize, usize)>) = (Vec::new(), None);
    let (mut last, mut new_line, mut at) = (b' ', false, 0);
    while at < text.len() {
        let byte = text[at];
        match byte {
            b'"' => {
                at += 1;
                while at < text.len() && text[at] != b'"' {
                    if is_end(text[at]) {
                        return (at, false);
                    }
                    if text[at] == b'\\' {
                        at += 1;
                        if at < text.len() && is_end(text[at]) {
                            return (at, false);
                        }
                    }
                    at += 1;
                }
            }
            0x1e => return (at, false),
            b'{' | b'[' => {
                let may = open.is_empty() || last == b':' || last == b'[' || (last == b',' && open.last() == Some(&b'['));
                if !may {
                    return if byte == b'{' && new_line { (at, false) } else { (line_end(at), false) };
                }
                if byte == b'{' && new_line && nested.is_none() {
                    nested = Some((open.len(), at));
                }
                open.push(byte);
            }
            b'}' | b']' => {
                if open.last() != Some(if byte == b'}' { &b'{' } else { &b'[' }) {
                    return (line_end(at), false);
                }
                open.pop();
                if open.is_empty() {
                    return (at + 1, true);
                }
                if let Some((depth, start)) = nested
                    && depth == open.len()
                {
                    nested = None;
                    if at < limit && read(&text[start..=at]).is_some_and(|(_, stands_alone)| stands_alone) {
                        return (start, false);
                    }
                }
            }
            _ => {}
        }
        if matches!(byte, b'\n' | b'\r') {
            new_line = true;
        } else if !matches!(byte, b' ' | b'\t') {
            (last, new_line) = (byte, false);
        }
        at += 1;
    }
    (text.len(), false)
}

/// What `bytes` hold. `read` reads an event: how it is kept, and whether it looks like one rather than like a
/// part of one.
pub(crate) fn pieces(bytes: &[u8], limit: usize, read: impl Fn(&[u8]) -> Option<(String, bool)>) -> Vec<Piece<'_>> {
    let (mut told, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if is_end(bytes[at]) || matches!(bytes[at], b' ' | b'\t') {
            at += 1;
            continue;
        }
        let (length, is_whole) = end_of(&bytes[at..], limit, &read);
        let text = &bytes[at..at + length];
        at += length;
        let tell = |text| read(text).map_or(Piece::Malformed(text), |(json, _)| Piece::Event(json));
        if text.len() > limit {
            told.push(Piece::TooLong(text));
        } else if is_whole {
            told.push(tell(text));
        } else {
            told.extend(text.split(|byte| is_end(*byte)).map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).map(tell));
        }
    }
    told
}
