//! How far the archive is behind a server's log.

use crate::cursor::Sequence;
use tokio::sync::watch;
use tokio::time::Instant;

/// How archiving is.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Every sealed segment up to this record is in the archive, or it is told why it will not be.
    pub settled: Sequence,
    /// Records after that one of whose segments the same holds.
    pub ahead: u64,
    /// Since when the oldest segment that is not has been waiting.
    pub waiting_since: Option<Instant>,
    /// Why the archive did not take what it was given last.
    pub error: Option<String>,
    /// Segments that this server has put there.
    pub stored: u64,
    /// Segments that were there, as they are here.
    pub found: u64,
    /// Segments under whose names the archive holds something else: an alarm.
    pub differ: u64,
    /// Segments that cannot be archived: damaged here, or too large.
    pub unfit: u64,
    /// What was told last of those that differ or are unfit.
    pub told: Option<String>,
}

/// What others see of archiving; cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) status: watch::Receiver<Status>,
    pub(super) sealed: Option<watch::Receiver<Sequence>>,
}

/// How archiving is, as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Archived {
    /// Records in sealed segments that are not in the archive yet.
    pub behind_records: u64,
    /// Since when the oldest of these segments has been waiting, in seconds.
    pub behind_seconds: u64,
    /// Segments that this server has put there since its start.
    pub stored: u64,
    /// Segments that were there as they are here.
    pub found: u64,
    /// Segments that are there otherwise: an alarm.
    pub differ: u64,
    /// Segments that cannot be archived.
    pub unfit: u64,
    /// What somebody has to look at.
    pub warning: Option<String>,
    /// Whether the archive does what it is asked.
    #[serde(skip)]
    pub is_up: bool,
}

impl Handle {
    /// How it is at `now`.
    pub fn get(&self, now: Instant) -> Archived {
        let sealed = self.sealed.as_ref().map_or(0, |sealed| *sealed.borrow());
        self.status.borrow().shown(sealed, now)
    }
}

impl Status {
    fn shown(&self, sealed: Sequence, now: Instant) -> Archived {
        let behind_records = sealed.saturating_sub(self.settled).saturating_sub(self.ahead);
        let waits = self.waiting_since.filter(|_| behind_records > 0);
        let behind_seconds = waits.map_or(0, |since| now.saturating_duration_since(since).as_secs());
        let mut warnings = Vec::new();
        if let Some(why) = &self.error {
            warnings.push(format!("the archive lacks {behind_records} records that are sealed here: {why}"));
        }
        if self.differ > 0 {
            warnings.push(format!("{} segments are otherwise in the archive than here", self.differ));
        }
        if self.unfit > 0 {
            warnings.push(format!("{} segments cannot be archived", self.unfit));
        }
        warnings.extend(self.told.clone());
        let (Self { stored, found, differ, unfit, .. }, is_up) = (self, self.error.is_none());
        let warning = (!warnings.is_empty()).then(|| warnings.join("; "));
        Archived { behind_records, behind_seconds, stored: *stored, found: *found, differ: *differ, unfit: *unfit, warning, is_up }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_behind_is_told_with_its_reason() {
        let now = Instant::now();
        let status = Status { settled: 100, waiting_since: Some(now), stored: 3, ..Status::default() };
        let shown = status.shown(150, now + Duration::from_secs(7));
        assert_eq!((shown.behind_records, shown.behind_seconds, shown.warning, shown.is_up), (50, 7, None, true));
        let shown = status.shown(100, now + Duration::from_secs(7));
        assert_eq!((shown.behind_records, shown.behind_seconds), (0, 0));
        let status = Status { error: Some("it is away".to_owned()), differ: 1, told: Some("segment 7 differs".to_owned()), ..status };
        let shown = status.shown(150, now);
        let warning = shown.warning.unwrap();
        assert!(
            !shown.is_up && ["50 records", "it is away", "otherwise", "segment 7"].iter().all(|part| warning.contains(part)),
            "{warning}"
        );
    }
}
