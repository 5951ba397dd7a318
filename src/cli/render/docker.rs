//! The lines that `docker events` prints by default.

use super::super::escape::escape;
use super::{RecordLine, at};
use crate::event::EventView;
use crate::export::docker::line;
use crate::time::Tz;

/// `None` for the recorder's own records, which Docker does not know. Unlike Docker's, the line is safe to
/// show.
pub(super) fn render(zone: Tz, record: &RecordLine<'_>, event: &EventView<'_>) -> Option<String> {
    if record.is_own(event) {
        return None;
    }
    Some(line(event, &at(zone, event.time.unwrap_or_else(|| record.time())), escape))
}
