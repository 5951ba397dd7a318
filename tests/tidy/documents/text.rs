//! Markdown and comments, as far as the checks of documents need them.

use std::fs;
use std::path::{Path, PathBuf};

/// A document without its fenced code.
pub(crate) struct Document {
    /// From the root on.
    pub(crate) file: String,
    /// Its prose; fenced blocks are left out.
    pub(crate) prose: String,
}

impl Document {
    pub(crate) fn read(root: &Path, file: &str) -> Self {
        let text = fs::read_to_string(root.join(file)).unwrap_or_default();
        let mut fenced = false;
        let mut prose = String::new();
        for line in text.lines() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            } else if !fenced {
                prose.push_str(line);
                prose.push('\n');
            }
        }
        Self { file: file.to_owned(), prose }
    }

    /// The titles of its headings.
    pub(crate) fn headings(&self) -> impl Iterator<Item = &str> {
        self.prose.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim())
    }

    /// Its headings as a link names them: in lower case, words joined by `-`, without punctuation.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let slug = |title: &str| -> String {
            let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
        };
        self.headings().map(slug).collect()
    }

    /// What stands in backticks, each with the text between it and the one before it.
    pub(crate) fn spans(&self) -> Vec<(&str, &str)> {
        let parts: Vec<&str> = self.prose.split('`').collect();
        parts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
    }

    /// Where its links and images lead to.
    pub(crate) fn links(&self) -> Vec<&str> {
        let text = self.prose.split('`').step_by(2);
        let mut out = Vec::new();
        for part in text {
            for (opening, closing) in [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"'), ("href=\"", '"')] {
                out.extend(part.split(opening).skip(1).filter_map(|rest| rest.split_once(closing)).map(|(target, _)| target));
            }
        }
        out
    }
}

/// All files below a folder, from the root on, without what is built or installed.
pub(crate) fn files(root: &Path, folder: &str) -> Vec<String> {
    const FOREIGN: [&str; 4] = ["target", "node_modules", "__pycache__", ".git"];
    let mut open = vec![PathBuf::from(folder)];
    let mut out = Vec::new();
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(root.join(&next)).into_iter().flatten().flatten() {
            let path = next.join(entry.file_name());
            if entry.file_type().is_ok_and(|kind| !kind.is_dir()) {
                out.push(path.to_string_lossy().into_owned());
            } else if !FOREIGN.iter().any(|name| path.ends_with(name)) {
                open.push(path);
            }
        }
    }
    out.sort();
    out
}

/// The comments of a source text, neighbouring lines joined, since a citation may be broken over two.
pub(crate) fn comments(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    for line in text.lines() {
        // Neither an address nor what stands in a string.
        let begins = |code: &str| !code.ends_with(':') && code.matches('"').count().is_multiple_of(2);
        let comment = ["//!", "///", "//"].iter().find_map(|mark| line.split_once(mark).filter(|(code, _)| begins(code)));
        let trimmed = line.trim_start();
        let block = ["/*", "* ", "# ", "\"\"\""].iter().find_map(|mark| trimmed.strip_prefix(mark));
        match comment.map(|(_, said)| said).or(block) {
            Some(said) => {
                let last = out.last_mut().unwrap();
                last.push(' ');
                last.push_str(said.trim());
            }
            None => out.push(String::new()),
        }
    }
    out.retain(|comment| !comment.is_empty());
    out
}
