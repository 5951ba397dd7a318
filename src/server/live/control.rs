//! Control messages of live streams (API.md 3): the same data over SSE and WebSocket.

use crate::cursor::{LogId, Sequence};
use crate::log::GapReason;
use crate::reader::{Reset, ResetReason};
use serde_json::{Value, json};

/// Something that a client is told between records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Control {
    /// First on every connection: where the stream starts.
    Hello {
        oldest: Sequence,
        head: Sequence,
        after: Sequence,
        /// A `reset` follows. Said here too: a connection that is cut between the two has given the client a new cursor.
        reset: Option<ResetReason>,
    },
    /// The client's cursor could not be used; the stream starts after `after`, with the oldest record kept.
    Reset { reset: Reset, oldest: Sequence, head: Sequence, after: Sequence },
    /// These sequences are gone.
    Gap { from: Sequence, to: Sequence, reason: GapReason },
    /// Replay has reached the head.
    CaughtUp { head: Sequence },
    /// Nothing wanted up to here.
    Checkpoint { seq: Sequence },
    /// The server goes down; everything up to here has been sent, and the client does well to wait so long before it comes back.
    Closing { seq: Sequence, retry_ms: u32 },
    /// Everything up to the time that the client named has been sent, and nothing follows. All sequences up to `seq` were looked at.
    End { seq: Sequence },
}

impl Control {
    fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Reset { .. } => "reset",
            Self::Gap { .. } => "gap",
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
            Self::CaughtUp { head } => *head,
            Self::Checkpoint { seq } | Self::End { seq } | Self::Closing { seq, .. } => *seq,
        }
    }

    fn data(&self, log: LogId) -> Value {
        match self {
            Self::Hello { oldest, head, after, reset } => {
                let mut data = json!({ "log": log.to_string(), "oldest": oldest, "head": head, "after": after });
                if let (Some(reason), Value::Object(data)) = (reset, &mut data) {
                    data.insert("reset".to_owned(), json!(reason));
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
        format!("event: {}\nid: {}\ndata: {}\n\n", self.name(), log.cursor(self.position()), self.data(log))
    }

    /// As a WebSocket message.
    pub(super) fn to_message(&self, log: LogId) -> String {
        let mut message = json!({ "control": self.name(), "id": log.cursor(self.position()).to_string() });
        if let (Value::Object(message), Value::Object(data)) = (&mut message, self.data(log)) {
            message.extend(data);
        }
        message.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_as_documented() {
        let log: LogId = "7f3c9a1e-0000-4000-8000-000000000000".parse().unwrap();
        let hello = Control::Hello { oldest: 1, head: 1841, after: 1841, reset: None };
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
    fn nothing_a_client_sends_breaks_a_frame() {
        let log = LogId::random();
        let reset = Reset { reason: ResetReason::Malformed, requested: "x\r\nid: 5\n\ndata: \0".to_owned() };
        let frame = Control::Reset { reset, oldest: 1, head: 2, after: 0 }.to_sse(log);
        assert_eq!(frame.matches('\n').count(), 4);
        assert!(!frame.contains('\r') && frame.contains("\"malformed\""));
    }
}
