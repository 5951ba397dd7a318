//! Losses: the recorder's `gap` records. A filter can be made to let them pass whatever else it asks for, so
//! that it never hides that events may be missing.

use super::partial_subject::PartialSubject;
use super::{Filter, Subject, equals};
use crate::event::{EventView, RECORDER_TYPE};

/// The action of the recorder's records that tell of events that may be missing.
const GAP: &str = "gap";
/// What every such record holds, even if a program wrote its JSON again: the value of its `Type`, unless it
/// is written with an escape.
pub(super) const GAP_LITERAL: &str = r#""recorder""#;

/// Whether an event has the shape of a record about events that may be missing. A daemon's own message may
/// have it as well.
pub fn is_gap(event: &EventView<'_>) -> bool {
    event.kind.as_deref() == Some(RECORDER_TYPE) && event.action.as_deref() == Some(GAP)
}

impl Filter {
    /// The same filter, which lets the recorder's `gap` records pass as well, but for those of hosts that it
    /// leaves out.
    #[must_use]
    pub fn telling_losses(self) -> Self {
        if self.is_empty() {
            // Everything passes as it is.
            return self;
        }
        Self { losses: true, ..self }.found_anew()
    }

    /// Whether it lets the recorder's `gap` records pass, whatever else it asks for.
    pub fn tells_losses(&self) -> bool {
        self.losses
    }

    /// Whether a message may be one that passes only since it tells of a loss, judged by its bytes.
    pub fn may_tell_loss(&self, json: &[u8]) -> bool {
        self.losses && (memchr::memmem::find(json, GAP_LITERAL.as_bytes()).is_some() || memchr::memchr(b'\\', json).is_some())
    }

    /// Whether it keeps anything of this Docker host.
    pub fn wants_source(&self, source: &str) -> bool {
        let named = |terms: &super::Terms| terms.get("source").map(|values| values.iter().any(|value| equals(value, source, self.dialect)));
        let included = self.include.get("source").is_none_or(Vec::is_empty) || named(&self.include) == Some(true);
        self.may_read(source) && included && named(&self.exclude) != Some(true)
    }

    pub(super) fn tells(&self, subject: &Subject<'_>) -> bool {
        self.losses && !subject.foreign && is_gap(subject.event) && self.wants_source(subject.source)
    }

    pub(super) fn may_tell(&self, partial: &PartialSubject<'_>) -> bool {
        self.losses && partial.kind.may_equal(RECORDER_TYPE) && partial.action.may_equal(GAP)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Key;
    use super::*;
    use crate::event::Event;
    use crate::time::Timestamp;

    fn telling(filters: &str, exclude: &str) -> Filter {
        Filter::from_params(Some(filters), Some(exclude)).unwrap().telling_losses()
    }

    fn passes(filter: &Filter, event: &Event, source: &str, foreign: bool) -> bool {
        filter.matches(&Subject { source, noise: None, foreign, event: &event.view() })
    }

    #[test]
    fn only_a_filter_on_its_host_hides_a_gap() {
        let gap = Event::recorder("gap", "a", &[("reason", "daemon-restart")], Timestamp::from_nanos(5));
        for (filters, exclude, told) in [
            (r#"{"type":["container"]}"#, "", true),
            (r#"{"event":["die"],"container":["web"],"label":["a=b"]}"#, "", true),
            (r#"{"text":["oom"]}"#, "", true),
            (r#"{"exit":["137"]}"#, r#"{"event":["gap"]}"#, true),
            ("", r#"{"type":["recorder"]}"#, true),
            (r#"{"source":["a"],"event":["die"]}"#, "", true),
            (r#"{"source":["b","a*"],"event":["die"]}"#, "", true),
            (r#"{"source":["b"]}"#, "", false),
            (r#"{"event":["die"]}"#, r#"{"source":["a"]}"#, false),
            (r#"{"event":["die"]}"#, r#"{"source":["a*"]}"#, false),
            (r#"{"event":["die"]}"#, r#"{"source":["b"]}"#, true),
        ] {
            let filter = telling(filters, exclude);
            assert_eq!(passes(&filter, &gap, "a", false), told, "{filters} {exclude}");
            assert!(!told || filter.may_match_text(gap.as_json().as_bytes()), "{filters} {exclude}");
            assert!(!passes(&filter, &gap, "a", true) || filters.is_empty(), "a daemon's own message: {filters}");
            let known = |text| Key { text, whole: true };
            let partial =
                PartialSubject { source: known("a"), kind: known("recorder"), action: known("gap"), id: known("a"), name: known("") };
            assert!(!told || filter.may_match(&partial), "{filters} {exclude}");
            assert!(!filter.shows(&Subject { source: "a", noise: None, foreign: false, event: &gap.view() }) || !told);
        }
    }

    #[test]
    fn whoever_wrote_it_it_is_found() {
        let filter = telling(r#"{"event":["die"],"container":["a-long-name-of-a-container"]}"#, "");
        for line in [
            r#"{"Action":"gap","Actor":{"ID":"a"},"Type":"recorder"}"#,
            r#"{ "Type" : "recorder" , "Action" : "gap" }"#,
            r#"{"Type":"record\u0065r","Action":"gap"}"#,
        ] {
            let gap = Event::from_line(line.as_bytes()).unwrap();
            assert!(passes(&filter, &gap, "a", false), "{line}");
            assert!(filter.may_match_text(line.as_bytes()) && filter.may_tell_loss(line.as_bytes()), "{line}");
        }
        let rarest = filter.rarest_texts().unwrap();
        assert!(rarest.iter().any(|text| text.find(b"a-long-name-of-a-container").is_some()), "it does not make another text the rarest");
    }

    #[test]
    fn nothing_else_passes_more_than_before() {
        let filter = telling(r#"{"event":["die"]}"#, "");
        let other = Event::recorder("resumed", "a", &[], Timestamp::from_nanos(5));
        assert!(!passes(&filter, &other, "a", false));
        let start = Event::from_line(br#"{"Type":"container","Action":"start"}"#).unwrap();
        assert!(!passes(&filter, &start, "a", false) && !filter.may_match_text(start.as_json().as_bytes()));
        assert_eq!(Filter::default().telling_losses(), Filter::default(), "and one that keeps everything stays what it is");
    }
}
