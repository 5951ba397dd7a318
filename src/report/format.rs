//! The forms of a report.

use super::model::Report;
use super::{html, markdown, perfetto, sheet};
use std::str::FromStr;

/// Form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A text for a chat, an issue or a wiki.
    Markdown,
    /// One file for a browser and a printer.
    Html,
    /// The incidents with their timelines, for programs.
    Json,
    /// A trace for ui.perfetto.dev (the JSON of Chrome's tracing).
    Perfetto,
    /// The timelines as a table.
    Csv,
}

impl Format {
    /// Names of all of them, as they are asked for.
    pub const NAMES: &'static str = "markdown, html, json, perfetto or csv";

    /// As it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Json => "json",
            Self::Perfetto => "perfetto",
            Self::Csv => "csv",
        }
    }

    /// As in a `Content-Type` header.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Json | Self::Perfetto => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// Ending of a file's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Markdown => "md",
            Self::Html => "html",
            Self::Json => "json",
            Self::Perfetto => "perfetto.json",
            Self::Csv => "csv",
        }
    }
}

impl FromStr for Format {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "markdown" => Ok(Self::Markdown),
            "html" => Ok(Self::Html),
            "json" => Ok(Self::Json),
            "perfetto" => Ok(Self::Perfetto),
            "csv" => Ok(Self::Csv),
            other => {
                let other: String = other.chars().take(32).collect();
                Err(format!("format must be {}, not {other:?}", Self::NAMES))
            }
        }
    }
}

impl Report {
    /// What tells it from others: everything but the time that it is judged at, which moves all the time.
    pub fn fingerprint(&self) -> String {
        let manifest = &self.manifest;
        let of_log = (&manifest.log, &manifest.first, manifest.fold, &manifest.gaps, manifest.left_out, manifest.notices);
        serde_json::to_string(&(of_log, &self.incidents, &self.lanes)).unwrap_or_default()
    }

    /// Its bytes in this form.
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Markdown => markdown::write(self),
            Format::Html => html::write(self),
            // Values of a report's fields are texts, numbers and lists of them, all of which JSON has.
            Format::Json => serde_json::to_string_pretty(self).map_or_else(|_| String::new(), |text| text + "\n"),
            Format::Perfetto => perfetto::write(self),
            Format::Csv => sheet::write(self),
        }
    }
}
