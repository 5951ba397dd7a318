//! The fields that messages have below version 1.52 of the API.

use crate::event::{EventView, quote};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How a message begins that has them, in every version of Docker that writes them.
const HAS_THEM: &str = r#"{"status":"#;

/// Appends the message to `out` as a line, with the fields put in front that Docker would have written and
/// that are missing.
pub(super) fn push_line(out: &mut Vec<u8>, json: &str) {
    let missing = if json.starts_with(HAS_THEM) { None } else { missing(json) };
    match missing.as_deref().filter(|missing| !missing.is_empty()).zip(json.strip_prefix('{')) {
        Some((missing, rest)) => {
            out.push(b'{');
            out.extend_from_slice(missing.as_bytes());
            // There is a member, by which the message was known for what it is.
            out.push(b',');
            out.extend_from_slice(rest.as_bytes());
        }
        None => out.extend_from_slice(json.as_bytes()),
    }
    out.push(b'\n');
}

/// Whether the message is one that Engines keep from clients of older versions: that an image was made.
pub(super) fn is_image_create(json: &str) -> bool {
    // Few are about images: the others cost no parsing.
    json.contains("image")
        && json.contains("create")
        && EventView::parse(json).is_ok_and(|view| view.kind.as_deref() == Some("image") && view.action.as_deref() == Some("create"))
}

/// The missing members, for messages about containers and images. An empty value is left out, as Docker does.
fn missing(json: &str) -> Option<String> {
    let view = EventView::parse(json).ok()?;
    let from = match view.kind.as_deref()? {
        "container" => view.attribute("image").unwrap_or(""),
        "image" => "",
        _ => return None,
    };
    let present: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
    let (action, id) = (view.action.as_deref().unwrap_or(""), view.actor_id.as_deref().unwrap_or(""));
    let mut out = String::new();
    for (key, value) in [("status", action), ("id", id), ("from", from)] {
        if !value.is_empty() && !present.contains_key(key) {
            let comma = if out.is_empty() { "" } else { "," };
            let _ = write!(out, r#"{comma}"{key}":{}"#, quote(value));
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(json: &str) -> String {
        let mut out = Vec::new();
        push_line(&mut out, json);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn that_an_image_was_made_is_told_from_what_resembles_it() {
        assert!(is_image_create(r#"{"Type":"image","Action":"create","Actor":{"ID":"sha256:1"}}"#));
        for other in [
            r#"{"Type":"image","Action":"tag","Actor":{"ID":"sha256:1","Attributes":{"name":"create"}}}"#,
            r#"{"Type":"container","Action":"create","Actor":{"ID":"1","Attributes":{"image":"x"}}}"#,
            "image create",
        ] {
            assert!(!is_image_create(other), "{other}");
        }
    }

    #[test]
    fn only_what_is_missing_is_put_in_front() {
        let container = r#""Type":"container","Action":"exec_start: sh \"x\"","Actor":{"ID":"f4","Attributes":{"image":"busybox"}}}"#;
        let in_front = r#"{"status":"exec_start: sh \"x\"","id":"f4","from":"busybox","#;
        assert_eq!(line(&format!("{{{container}")), format!("{in_front}{container}\n"));
        assert_eq!(line(&format!("{in_front}{container}")), format!("{in_front}{container}\n"));
        assert_eq!(
            line(r#"{"Type":"image","id":"x","Action":"pull","Actor":{"ID":"nginx","Attributes":{"image":"no"}}}"#),
            "{\"status\":\"pull\",\"Type\":\"image\",\"id\":\"x\",\"Action\":\"pull\",\"Actor\":{\"ID\":\"nginx\",\"Attributes\":{\"image\":\"no\"}}}\n"
        );
        for untouched in [
            r#"{"Type":"volume","Action":"create","Actor":{"ID":"v","Attributes":{"image":"x"}}}"#,
            r#"{"Type":"image","Action":"","Actor":{"ID":""}}"#,
            r#"{"Type":"recorder","Action":"start"}"#,
            r#"{"Type":7}"#,
            "{}",
        ] {
            assert_eq!(line(untouched), format!("{untouched}\n"));
        }
        assert_eq!(
            line(r#"{ "Type":"container","Action":"oom","Actor":{"ID":"f4"}}"#),
            "{\"status\":\"oom\",\"id\":\"f4\", \"Type\":\"container\",\"Action\":\"oom\",\"Actor\":{\"ID\":\"f4\"}}\n"
        );
    }
}
