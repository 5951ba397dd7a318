//! One Docker message, written as the daemon writes it.

use crate::event::quote;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A message without its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: &'static str,
    pub(super) action: String,
    pub(super) id: String,
    /// Sorted, as Go writes maps.
    pub(super) attributes: BTreeMap<String, String>,
}

impl Message {
    pub(super) fn new(kind: &'static str, action: impl Into<String>, id: &str, attributes: &[(&str, &str)]) -> Self {
        let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Self { kind, action: action.into(), id: id.to_owned(), attributes }
    }

    /// The line, without its end, in the field order of Engine 28: the old `status`, `id` and `from` first,
    /// for containers and images only.
    pub(super) fn line(&self, time: Timestamp) -> String {
        let mut json = String::with_capacity(1024);
        json.push('{');
        if matches!(self.kind, "container" | "image") {
            let _ = write!(json, r#""status":{},"id":{},"#, go(&self.action), go(&self.id));
        }
        if let ("container", Some(image)) = (self.kind, self.attributes.get("image")) {
            let _ = write!(json, r#""from":{},"#, go(image));
        }
        let _ = write!(json, r#""Type":{},"Action":{},"Actor":{{"ID":{},"Attributes":{{"#, go(self.kind), go(&self.action), go(&self.id));
        for (i, (key, value)) in self.attributes.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let _ = write!(json, "{comma}{}:{}", go(key), go(value));
        }
        let (nanos, seconds) = (time.nanos(), time.nanos().div_euclid(1_000_000_000));
        let _ = write!(json, r#"}}}},"scope":"local","time":{seconds},"timeNano":{nanos}}}"#);
        json
    }
}

/// A string literal as Go's encoder writes it, which escapes what could be HTML.
fn go(text: &str) -> String {
    quote(text).replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_the_daemon_writes_it() {
        let time = Timestamp::from_nanos(1_795_344_577_148_160_810);
        let die = Message::new("container", "exec_start: a && b", "f4", &[("name", "api"), ("image", "busybox"), ("exitCode", "3")]);
        assert_eq!(
            die.line(time),
            r#"{"status":"exec_start: a \u0026\u0026 b","id":"f4","from":"busybox","Type":"container","Action":"exec_start: a \u0026\u0026 b","Actor":{"ID":"f4","Attributes":{"exitCode":"3","image":"busybox","name":"api"}},"scope":"local","time":1795344577,"timeNano":1795344577148160810}"#
        );
        let connect = Message::new("network", "connect", "n1", &[]);
        assert!(connect.line(time).starts_with(r#"{"Type":"network","Action":"connect","Actor":{"ID":"n1","Attributes":{}},"#));
    }
}
