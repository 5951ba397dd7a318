//! The event that is sent around: as Docker writes them, with its number and the time of sending among the
//! attributes.

use super::machine::nanos;
use memchr::memmem::Finder;
use std::sync::LazyLock;
use std::time::SystemTime;

const NUMBER: &str = r#""bench.n":""#;
const SENT: &str = r#"","bench.sent":""#;
/// Made once: making it takes longer than the search.
static FINDER: LazyLock<Finder> = LazyLock::new(|| Finder::new(NUMBER));
/// The number is in the first part of a frame, however it is wrapped.
const HEAD: usize = 640;

/// One line without its end, about 800 B.
pub(super) fn event(number: u64) -> Vec<u8> {
    let id = "4f1c1b8a0e1d4c0b9d5f6a7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f70819";
    let hash = "9b2d7ce41f0a83c65e7d90b1a2f3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5";
    let (sent, now) = (nanos(), SystemTime::UNIX_EPOCH.elapsed().unwrap());
    let event = format!(
        concat!(
            r#"{{"status":"start","id":"{id}","from":"nginx:1.25-alpine","Type":"container","Action":"start","Actor":{{"ID":"{id}","#,
            r#""Attributes":{{"bench.n":"{n}","bench.sent":"{sent}","com.docker.compose.config-hash":"{hash}","#,
            r#""com.docker.compose.container-number":"1","com.docker.compose.oneoff":"False","com.docker.compose.project":"shop","#,
            r#""com.docker.compose.service":"web","com.docker.compose.version":"2.29.7","image":"nginx:1.25-alpine","#,
            r#""maintainer":"NGINX Docker Maintainers <docker-maint@nginx.com>","name":"shop-web-1"}}}},"#,
            r#""scope":"local","time":{seconds},"timeNano":{nanos}}}"#
        ),
        id = id,
        n = number,
        sent = sent,
        hash = hash,
        seconds = now.as_secs(),
        nanos = now.as_nanos(),
    );
    event.into_bytes()
}

/// An event's number and time of sending; none in frames that the server made up itself.
pub(super) fn stamps(frame: &[u8]) -> Option<(u64, u64)> {
    let head = &frame[..frame.len().min(HEAD)];
    let at = FINDER.find(head)? + NUMBER.len();
    let (n, rest) = number(&head[at..]);
    Some((n, number(rest.strip_prefix(SENT.as_bytes())?).0))
}

/// The decimal number at the start, and what follows it.
pub(super) fn number(text: &[u8]) -> (u64, &[u8]) {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (text[..digits].iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0')), &text[digits..])
}
