//! What becomes of a server's answers and errors.

use super::limits::{MAX_ANSWER_BYTES, MAX_ERROR_CHARS};
use crate::stream::api::StreamError;
use async_nats::jetstream::{self, ErrorCode, response::Response};
use async_nats::{ConnectError, ConnectErrorKind, Message, RequestError, RequestErrorKind, StatusCode};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A message of ours was stored.
#[derive(Debug, Deserialize)]
pub(super) struct Acknowledged {
    pub(super) stream: String,
    pub(super) seq: u64,
}

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may have been carried out.
    Silence(String),
    /// It was not carried out.
    Told(StreamError),
}

impl Failure {
    /// Nothing changes by asking, so asking again is all there is to do.
    pub(super) fn of_question(self) -> StreamError {
        match self {
            Self::Silence(why) => StreamError::Unavailable(why),
            Self::Told(error) => error,
        }
    }

    pub(super) fn of_publish(self) -> StreamError {
        match self {
            Self::Silence(why) => StreamError::Unanswered(why),
            Self::Told(error) => error,
        }
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        match error.kind() {
            RequestErrorKind::NoResponders => Self::Told(StreamError::Unavailable(
                "nobody takes this there: the stream has no leader now, or has not been made (`shipslog fleet init`)".to_owned(),
            )),
            RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => Self::Told(StreamError::Refused(error.to_string())),
            RequestErrorKind::TimedOut | RequestErrorKind::Other => Self::Silence(cut(&error.to_string())),
        }
    }
}

/// What JetStream answers to a question, or that it took a message.
pub(super) fn api<T: DeserializeOwned>(message: &Message) -> Result<T, StreamError> {
    found(message)?.ok_or_else(|| StreamError::Unfit("the hub has no such stream, or no such message".to_owned()))
}

/// As [`api`]; `None` where there is no such stream, or no such message.
pub(super) fn found<T: DeserializeOwned>(message: &Message) -> Result<Option<T>, StreamError> {
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Err(StreamError::Unavailable("nobody answers this there".to_owned()));
    }
    let payload = &message.payload;
    if payload.len() > MAX_ANSWER_BYTES {
        return Err(StreamError::Unfit(format!("an answer of the hub has {} bytes, over {MAX_ANSWER_BYTES}", payload.len())));
    }
    match serde_json::from_slice(payload) {
        Ok(Response::Ok(answer)) => Ok(Some(answer)),
        Ok(Response::Err { error }) if MISSING.contains(&error.error_code()) => Ok(None),
        Ok(Response::Err { error }) => Err(told(&error)),
        Err(error) => Err(StreamError::Unfit(format!("an answer of the hub cannot be read: {error}"))),
    }
}

/// The codes that say that there is no such thing.
const MISSING: [ErrorCode; 2] = [ErrorCode::STREAM_NOT_FOUND, ErrorCode::NO_MESSAGE_FOUND];
/// Another message is the newest of the subject: one that is stored, or one that is being stored.
const CONFLICTS: [ErrorCode; 2] = [ErrorCode::STREAM_WRONG_LAST_SEQUENCE, ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT];
/// Asking again may help, though the status does not say so.
/// A cluster that has just begun lacks peers.
const PASSING: [ErrorCode; 2] = [ErrorCode::STREAM_EXPECTED_LAST_SEQ_PER_SUBJECT_NOT_READY, ErrorCode::CLUSTER_NO_PEERS];

fn told(error: &jetstream::Error) -> StreamError {
    let (code, text) = (error.error_code(), cut(&error.to_string()));
    if CONFLICTS.contains(&code) {
        StreamError::Conflict
    } else if error.code() >= 500 || PASSING.contains(&code) {
        StreamError::Unavailable(text)
    } else {
        StreamError::Refused(text)
    }
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<Bytes, StreamError> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| StreamError::Unfit(error.to_string()))
}

pub(super) fn unconnected(error: &ConnectError) -> StreamError {
    let mut text = error.to_string();
    // What lies below is often all that says which certificate is meant.
    let below = std::iter::successors(std::error::Error::source(error), |error| error.source());
    for cause in below.map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    let text = cut(&text);
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            StreamError::Refused(format!("it does not know the key: {text}"))
        }
        // Some failures of TLS come as failures of the connection, and only the text tells.
        _ if error.kind() == ConnectErrorKind::Tls || text.to_lowercase().contains("certificate") => StreamError::Refused(text),
        ConnectErrorKind::ServerParse => StreamError::Unfit(text),
        _ => StreamError::Unavailable(format!("cannot connect: {text}")),
    }
}

/// The beginning of a text whose length others choose.
pub(super) fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_ERROR_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(payload: &str) -> Result<Option<Acknowledged>, StreamError> {
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        let length = payload.len();
        found(&Message { subject: "x".into(), reply: None, payload, headers: None, status: None, description: None, length })
    }

    fn error(status: u64, code: u64) -> Result<Option<Acknowledged>, StreamError> {
        answer(&format!(r#"{{"error":{{"code":{status},"err_code":{code},"description":"why"}}}}"#))
    }

    #[test]
    fn what_the_engine_says_becomes_what_a_caller_can_do() {
        assert!(matches!(answer(r#"{"stream":"S","seq":7}"#), Ok(Some(Acknowledged { seq: 7, .. }))));
        for code in [10071, 10164] {
            assert!(matches!(error(400, code), Err(StreamError::Conflict)), "{code}");
        }
        for (status, code) in [(503, 10163), (503, 10008), (500, 10049), (400, 10163)] {
            assert!(matches!(error(status, code), Err(StreamError::Unavailable(why)) if why.contains("why")), "{code}");
        }
        assert!(matches!(error(400, 10054), Err(StreamError::Refused(_))));
        for code in [10037, 10059] {
            assert!(matches!(error(404, code), Ok(None)), "{code}");
        }
        for unread in ["", "{", r#"{"seq":7}"#] {
            assert!(matches!(answer(unread), Err(StreamError::Unfit(_))), "{unread}");
        }
        assert!(matches!(answer(&" ".repeat(MAX_ANSWER_BYTES + 1)), Err(StreamError::Unfit(why)) if why.contains("bytes")));
    }

    #[test]
    fn texts_of_others_are_cut() {
        assert_eq!(cut(&"é\n".repeat(1000)), "é".repeat(MAX_ERROR_CHARS));
    }
}
