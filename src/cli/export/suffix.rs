//! What the name of a file says about what is to be in it.

use super::FormatArg;
use crate::cli::ending::Usage;
use crate::client::Compression;
use std::path::Path;

/// What an export is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) format: FormatArg,
    pub(super) compression: Compression,
}

/// Suffixes of formats that no export is written in. A file with such a name would pass for what it is not.
const FOREIGN: [&str; 26] = [
    "7z", "arrow", "br", "bz2", "db", "htm", "html", "lz4", "md", "ods", "parquet", "pdf", "perfetto", "rar", "sqlite", "sqlite3", "tar",
    "tgz", "tsv", "xls", "xlsx", "xml", "xz", "yaml", "yml", "zip",
];
/// Of these the ones that compress, which no `--format` makes right.
const PACKED: [&str; 9] = ["7z", "br", "bz2", "lz4", "rar", "tar", "tgz", "xz", "zip"];
const ACCEPTED: &str = ".jsonl, .json, .csv or .txt, each also with .gz or .zst after it";

/// Judges a file's name and the format that was asked for, if one was. Without a telling suffix it is JSON
/// Lines.
pub(super) fn form(path: &Path, asked: Option<FormatArg>) -> Result<Form, Usage> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let (name, compression) = match (name.strip_suffix(".gz"), name.strip_suffix(".zst")) {
        (Some(name), _) => (name, Compression::Gzip),
        (_, Some(name)) => (name, Compression::Zstd),
        _ => (name.as_str(), Compression::None),
    };
    let suffix = name.rsplit_once('.').map_or("", |(_, suffix)| suffix);
    let told = match suffix {
        "csv" => Some(FormatArg::Csv),
        "json" | "jsonl" | "ndjson" => Some(FormatArg::Jsonl),
        _ => None,
    };
    let format = match (asked, told) {
        (Some(asked), Some(told)) if asked != told => {
            let why = format!("{} names {} and --format asks for {}; change one of the two", path.display(), told.name(), asked.name());
            return Err(Usage(why));
        }
        (Some(_), _) if PACKED.contains(&suffix) => return Err(foreign(path, suffix)),
        (None, None) if FOREIGN.contains(&suffix) => return Err(foreign(path, suffix)),
        (Some(format), _) | (None, Some(format)) => format,
        // As the server names an export of these lines.
        (None, None) if matches!(suffix, "txt" | "log") => FormatArg::Docker,
        (None, None) => FormatArg::Jsonl,
    };
    Ok(Form { format, compression })
}

fn foreign(path: &Path, suffix: &str) -> Usage {
    Usage(format!("{}: an export cannot be written as .{suffix}; name a file that ends in {ACCEPTED}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_chooses_where_nothing_is_asked_for() {
        use Compression::{Gzip, None as Plain, Zstd};
        for (name, format, compression) in [
            ("x.csv", FormatArg::Csv, Plain),
            ("X.CSV.GZ", FormatArg::Csv, Gzip),
            ("x.csv.zst", FormatArg::Csv, Zstd),
            ("x.json", FormatArg::Jsonl, Plain),
            ("x.jsonl.gz", FormatArg::Jsonl, Gzip),
            ("dir.csv/x.ndjson.zst", FormatArg::Jsonl, Zstd),
            ("x.txt", FormatArg::Docker, Plain),
            ("x.log.gz", FormatArg::Docker, Gzip),
            ("x", FormatArg::Jsonl, Plain),
            ("x.gz", FormatArg::Jsonl, Gzip),
            ("backup.2026-11-29", FormatArg::Jsonl, Plain),
        ] {
            assert_eq!(form(Path::new(name), None).unwrap(), Form { format, compression }, "{name}");
        }
    }

    #[test]
    fn a_contradiction_is_refused_and_a_neutral_name_takes_every_format() {
        for (name, format) in
            [("x.csv", FormatArg::Jsonl), ("x.jsonl.zst", FormatArg::Csv), ("x.json", FormatArg::Docker), ("x.csv.gz", FormatArg::Docker)]
        {
            let why = form(Path::new(name), Some(format)).unwrap_err().to_string();
            assert!(why.contains(name) && why.contains(&format!("--format asks for {}", format.name())), "{why}");
        }
        for (name, format) in [("x.txt", FormatArg::Csv), ("x", FormatArg::Docker), ("x.csv", FormatArg::Csv), ("x.md", FormatArg::Jsonl)] {
            assert_eq!(form(Path::new(name), Some(format)).unwrap().format, format, "{name}");
        }
        for (name, format) in [("x.parquet", None), ("x.xlsx", None), ("x.md", None), ("x.jsonl.xz", None), ("x.zip", Some(FormatArg::Csv))]
        {
            let why = form(Path::new(name), format).unwrap_err().to_string();
            assert!(why.contains(".csv") && why.contains(".zst"), "{why}");
        }
    }
}
