//! The lines that `docker events` prints by default.

use super::super::escape::escape;
use super::{RecordLine, Zone};
use crate::event::EventView;
use crate::export::docker::line;

/// `None` for the recorder's own records, which Docker does not know. Unlike Docker's, the line is safe to show.
pub(super) fn render(zone: Zone, record: &RecordLine<'_>, event: &EventView<'_>) -> Option<String> {
    if record.is_own(event) {
        return None;
    }
    Some(line(event, &zone.at(event.time.unwrap_or_else(|| record.time())), escape))
}
