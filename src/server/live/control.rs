//! Control messages of live streams (docs/api.md, "Frames"): the same data over SSE and WebSocket.

use crate::cursor::{LogId, Sequence};
use crate::event::EventView;
use crate::filter::Hosts;
use crate::log::{Block, GapReason};
use crate::projection::FIRST_CONTACT;
use crate::reader::{Reset, ResetReason};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt::Display;

/// Something that a client is told between records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Control {
    /// First on every connection: where the stream starts.
    Hello {
        oldest: Sequence,
        head: Sequence,
        after: Sequence,
        /// A `reset` follows. Said here too: a connection that is cut between the two has given the client a
        /// new cursor.
        reset: Option<ResetReason>,
        /// The Docker hosts of which the client is told, where that is not all of them: then sequences are
        /// not dense, whatever it asks for.
        hosts: Option<Hosts>,
    },
    /// The client's cursor could not be used; the stream starts after `after`, with the oldest record kept.
    Reset { reset: Reset, oldest: Sequence, head: Sequence, after: Sequence },
    /// These sequences are gone.
    Gap { from: Sequence, to: Sequence, reason: GapReason },
    /// Events may be missing, says a record that the filter hides; everything up to `at` has been sent. So
    /// many older ones are not told.
    Incomplete { at: Sequence, record: Bytes, left_out: u64 },
    /// Replay has reached the head.
    CaughtUp { head: Sequence },
    /// Nothing wanted up to here.
    Checkpoint { seq: Sequence },
    /// The server goes down; everything up to here has been sent, and the client does well to wait so long
    /// before it comes back.
    Closing { seq: Sequence, retry_ms: u32 },
    /// Everything up to the time that the client named has been sent, and nothing follows. All sequences up
    /// to `seq` were looked at.
    End { seq: Sequence },
}

impl Control {
    /// A record that is told in its place, since the filter hides it.
    pub(super) fn loss(block: &Block, seq: Sequence) -> Self {
        Self::Incomplete { at: seq, record: block.line(seq, false), left_out: 0 }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Reset { .. } => "reset",
            Self::Gap { .. } => "gap",
            Self::Incomplete { .. } => "incomplete",
            Self::CaughtUp { .. } => "caught-up",
            Self::Checkpoint { .. } => "checkpoint",
            Self::Closing { .. } => "closing",
            Self::End { .. } => "end",
        }
    }

    /// The sequence of its `id`: a client that resumes with it lacks nothing and repeats nothing.
    pub(super) fn position(&self) -> Sequence {
        match self {
            Self::Hello { after, .. } | Self::Reset { after, .. } => *after,
            Self::Gap { to, .. } => *to,
            Self::Incomplete { at, .. } => *at,
            Self::CaughtUp { head } => *head,
            Self::Checkpoint { seq } | Self::End { seq } | Self::Closing { seq, .. } => *seq,
        }
    }

    fn data(&self, log: LogId) -> Value {
        match self {
            Self::Incomplete { record, left_out, .. } => incomplete(record, *left_out),
            Self::Hello { oldest, head, after, reset, hosts } => {
                let mut data = json!({ "log": log.to_string(), "oldest": oldest, "head": head, "after": after });
                if let (Some(reason), Value::Object(data)) = (reset, &mut data) {
                    data.insert("reset".to_owned(), json!(reason));
                }
                if let (Some(hosts), Value::Object(data)) = (hosts, &mut data) {
                    data.insert("hosts".to_owned(), json!(hosts.names()));
                }
                data
            }
            Self::Reset { reset, oldest, head, .. } => {
                json!({ "reason": reset.reason, "requested": reset.requested, "oldest": oldest, "head": head })
            }
            Self::Gap { from, to, reason } => json!({ "from": from, "to": to, "reason": reason }),
            Self::CaughtUp { head } => json!({ "head": head }),
            Self::Checkpoint { seq } | Self::End { seq } => json!({ "seq": seq }),
            Self::Closing { retry_ms, .. } => json!({ "retry": retry_ms }),
        }
    }

    /// As a named SSE frame. Everything in it is made here or JSON-escaped, so no line end can get in.
    pub(super) fn to_sse(&self, log: LogId) -> String {
        self.frame(log, log.cursor(self.position()))
    }

    /// The same under another `id`.
    pub(super) fn frame(&self, log: LogId, id: impl Display) -> String {
        self.frame_with(log, id, None)
    }

    /// With one more member.
    pub(super) fn frame_with(&self, log: LogId, id: impl Display, more: Option<(&str, Value)>) -> String {
        let mut data = self.data(log);
        if let Value::Object(data) = &mut data {
            data.extend(more.map(|(key, value)| (key.to_owned(), value)));
        }
        format!("event: {}\nid: {id}\ndata: {}\n\n", self.name(), self.with_record(&data))
    }

    /// The data as text, with the record that it tells of as the log has it.
    fn with_record(&self, data: &Value) -> String {
        let mut text = data.to_string();
        if let Self::Incomplete { record, .. } = self
            && text.pop() == Some('}')
        {
            text.push_str(r#","record":"#);
            text.push_str(&String::from_utf8_lossy(record));
            text.push('}');
        }
        text
    }

    /// As a WebSocket message.
    pub(super) fn to_message(&self, log: LogId) -> String {
        let mut message = json!({ "control": self.name(), "id": log.cursor(self.position()).to_string() });
        if let (Value::Object(message), Value::Object(data)) = (&mut message, self.data(log)) {
            message.extend(data);
        }
        self.with_record(&message)
    }
}

/// What a `gap` record says of the time in which events may be missing; of recording that began there is no
/// beginning of that time.
fn incomplete(record: &[u8], left_out: u64) -> Value {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        time: Cow<'a, str>,
        #[serde(borrow)]
        event: &'a RawValue,
    }
    let line = serde_json::from_slice::<Line<'_>>(record).ok();
    let event = line.as_ref().and_then(|line| EventView::parse(line.event.get()).ok()).unwrap_or_default();
    let reason = event.attribute("reason").unwrap_or("unknown");
    let until = event.attribute("until").or(line.as_ref().map(|line| &*line.time));
    let from = event.attribute("from").or(until.filter(|_| reason != FIRST_CONTACT));
    let mut data = json!({ "from": from, "until": until, "reason": reason });
    if let (1.., Value::Object(data)) = (left_out, &mut data) {
        data.insert("left_out".to_owned(), left_out.into());
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_as_documented() {
        let log: LogId = "7f3c9a1e-0000-4000-8000-000000000000".parse().unwrap();
        let hello = Control::Hello { oldest: 1, head: 1841, after: 1841, reset: None, hosts: None };
        assert_eq!(
            hello.to_sse(log),
            "event: hello\nid: 7f3c9a1e-1841\ndata: {\"after\":1841,\"head\":1841,\"log\":\"7f3c9a1e-0000-4000-8000-000000000000\",\"oldest\":1}\n\n"
        );
        let gap = Control::Gap { from: 3, to: 9, reason: GapReason::Retention };
        assert_eq!(gap.to_sse(log), "event: gap\nid: 7f3c9a1e-9\ndata: {\"from\":3,\"reason\":\"retention\",\"to\":9}\n\n");
        assert_eq!(Control::End { seq: 9 }.to_sse(log), "event: end\nid: 7f3c9a1e-9\ndata: {\"seq\":9}\n\n");
        assert_eq!(gap.to_message(log), r#"{"control":"gap","from":3,"id":"7f3c9a1e-9","reason":"retention","to":9}"#);
    }

    #[test]
    fn what_may_be_missing_is_told_with_its_record_as_it_is() {
        let log: LogId = "7f3c9a1e-0000-4000-8000-000000000000".parse().unwrap();
        let told = |attributes: &str| {
            let record = format!(
                r#"{{"seq":8,"time":"2026-11-22T10:00:00Z","event":{{"Type":"recorder","Action":"gap","Actor":{{"Attributes":{attributes}}}}}}}"#
            );
            let incomplete = Control::Incomplete { at: 8, record: Bytes::from(record.clone()), left_out: 0 };
            (incomplete.to_sse(log), incomplete.to_message(log), record)
        };
        let (frame, message, record) = told(r#"{"reason":"daemon-restart","from":"2026-11-22T09:00:00Z","until":"2026-11-22T09:03:00Z"}"#);
        let members = r#""from":"2026-11-22T09:00:00Z","reason":"daemon-restart","until":"2026-11-22T09:03:00Z","record":"#;
        assert_eq!(frame, format!("event: incomplete\nid: 7f3c9a1e-8\ndata: {{{members}{record}}}\n\n"));
        let message: Value = serde_json::from_str(&message).unwrap();
        assert_eq!((&message["control"], &message["id"]), (&json!("incomplete"), &json!("7f3c9a1e-8")));
        assert_eq!((&message["until"], &message["record"]["seq"]), (&json!("2026-11-22T09:03:00Z"), &json!(8)));
        let many = Control::Incomplete { at: 8, record: Bytes::from(record), left_out: 7 };
        assert!(many.to_sse(log).contains(r#""left_out":7,"#), "the first one says how many are not told");
        // The recording began; and one without times, of its own time.
        assert!(told(r#"{"reason":"first-contact","until":"2026-11-22T09:03:00Z"}"#).0.contains(r#"{"from":null,"reason""#));
        assert!(told(r#"{"reason":"damage"}"#).0.contains(r#"{"from":"2026-11-22T10:00:00Z","reason":"damage","until":"2026-11-22T10"#));
    }

    #[test]
    fn nothing_a_client_sends_breaks_a_frame() {
        let log = LogId::random();
        let reset = Reset { reason: ResetReason::Malformed, requested: "x\r\nid: 5\n\ndata: \0".to_owned() };
        let frame = Control::Reset { reset, oldest: 1, head: 2, after: 0 }.to_sse(log);
        assert_eq!(frame.matches('\n').count(), 4);
        assert!(!frame.contains('\r') && frame.contains("\"malformed\""));
    }
}
