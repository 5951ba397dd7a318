//! How a server of a fleet archives, as `/metrics` tells it.

use crate::archive::Archived;
use std::fmt::Write as _;

/// Its metrics.
pub(super) fn metrics(out: &mut String, archived: &Archived) {
    let Archived { behind_records, behind_seconds, stored, found, differ, unfit, is_up, .. } = *archived;
    for (name, help, value) in [
        ("up", "1 while the archive does what it is asked.", u64::from(is_up)),
        ("behind_records", "Records in sealed segments that the archive lacks.", behind_records),
        ("behind_seconds", "Since when the archive lacks the oldest of these segments.", behind_seconds),
    ] {
        let _ =
            writeln!(out, "# HELP shipslog_archive_{name} {help}\n# TYPE shipslog_archive_{name} gauge\nshipslog_archive_{name} {value}");
    }
    let _ = writeln!(
        out,
        "# HELP shipslog_archive_segments_total Segments by what became of them since the start.\n\
         # TYPE shipslog_archive_segments_total counter"
    );
    for (result, value) in [("stored", stored), ("found", found), ("differ", differ), ("unfit", unfit)] {
        let _ = writeln!(out, "shipslog_archive_segments_total{{result=\"{result}\"}} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archiving_has_figures_of_every_kind() {
        let mut out = String::new();
        metrics(&mut out, &Archived { behind_records: 42, differ: 1, is_up: true, ..Archived::default() });
        for line in ["shipslog_archive_up 1", "shipslog_archive_behind_records 42", "shipslog_archive_segments_total{result=\"differ\"} 1"]
        {
            assert!(out.lines().any(|found| found == line), "{line}: {out}");
        }
        assert!(out.lines().all(|line| line.starts_with("shipslog_archive_") || line.starts_with("# ")));
    }
}
