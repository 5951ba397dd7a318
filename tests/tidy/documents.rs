//! Documents against the tree: links lead somewhere, and paths, tests, constants and headings that are named
//! are there.

mod planted;
mod text;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use text::{Document, comments, files};

/// Folders whose paths are checked wherever they are named.
const FOLDERS: [&str; 9] = ["src", "build", "tests", "docs", "benches", "packaging", "migrations", "data", "fuzz"];
/// Documents that also name modules, by the end of their paths.
const OF_MODULES: [&str; 2] = ["ARCHITECTURE.md", "docs/glossary.md"];
/// The document that names tests.
const OF_TESTS: &str = "docs/guarantees.md";
/// Documents that are not in the repository, by what citations call them.
const ELSEWHERE: [&str; 5] = ["DESIGN", "HOUSE", "API.md", "research/", "shared/"];

#[test]
fn links_lead_somewhere() {
    crate::assert_none(&links(crate::root()));
}

#[test]
fn paths_in_documents_are_there() {
    crate::assert_none(&paths(crate::root()));
}

#[test]
fn constants_in_documents_are_there() {
    crate::assert_none(&constants(crate::root()));
}

#[test]
fn tests_that_the_guarantees_name_are_there() {
    crate::assert_none(&named_tests(crate::root()));
}

#[test]
fn what_the_code_cites_is_there() {
    crate::assert_none(&citations(crate::root()));
}

fn documents(root: &Path) -> Vec<Document> {
    let fixed =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "migrations/README.md", "data/README.md"];
    let fixed = fixed.into_iter().map(str::to_owned).filter(|file| root.join(file).is_file());
    let more = files(root, "docs").into_iter().filter(|file| is(file, "md"));
    fixed.chain(more).map(|file| Document::read(root, &file)).collect()
}

fn is(file: &str, kind: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == kind)
}

/// Relative links whose file or heading is missing.
fn links(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for document in documents(root) {
        for target in document.links() {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let Some(file) = beside(&document.file, path) else {
                wrong.push(format!("{} links out of the repository: {target}", document.file));
                continue;
            };
            if !root.join(&file).exists() {
                wrong.push(format!("{} links to {target}, which is not there", document.file));
            } else if !anchor.is_empty() && !Document::read(root, &file).anchors().iter().any(|known| known == anchor) {
                wrong.push(format!("{} links to {target}, and {file} has no such heading", document.file));
            }
        }
    }
    wrong
}

/// What a relative link in a file means, from the root on.
fn beside(file: &str, link: &str) -> Option<String> {
    if link.is_empty() {
        return Some(file.to_owned());
    }
    let mut path = PathBuf::from(file);
    path.pop();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => path.pop().then_some(())?,
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    Some(path.to_string_lossy().into_owned())
}

/// Paths in backticks that are not there.
fn paths(root: &Path) -> Vec<String> {
    let all: Vec<String> = FOLDERS.iter().flat_map(|folder| files(root, folder)).collect();
    let mut wrong = Vec::new();
    for document in documents(root) {
        let modules = OF_MODULES.contains(&document.file.as_str());
        for word in document.spans().into_iter().flat_map(|(_, span)| span.split_whitespace()) {
            let word = word.trim_matches(['(', ')', ',', ';', '\'', '"']);
            let rooted = FOLDERS.iter().any(|folder| word.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')));
            let word = word.trim_end_matches('/');
            let there = if rooted {
                all.iter().any(|file| lies_at(file, word))
            } else if modules && names_a_module(word) {
                all.iter().any(|file| file.match_indices('/').any(|(slash, _)| lies_at(&file[slash + 1..], word)))
            } else {
                continue;
            };
            if !there {
                wrong.push(format!("{} names {word}, which is not there", document.file));
            }
        }
    }
    wrong
}

/// Whether a file is the one named, lies in the folder named, or has a name of the form given with a `*`.
fn lies_at(file: &str, named: &str) -> bool {
    match named.split_once('*') {
        Some((before, after)) => file.strip_prefix(before).is_some_and(|rest| rest.ends_with(after)),
        None => file.strip_prefix(named).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
    }
}

/// `log/tip/journal.rs`, `tip/codec`, `page.rs`: not `/readyz`, `a.b` or `text/event-stream`.
fn names_a_module(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_/.*".contains(c));
    plain && !word.starts_with(['/', '.']) && (is(word, "rs") || is(word, "js") || word.contains('/') && !word.contains('.'))
}

/// Constants that ARCHITECTURE names and no source defines.
fn constants(root: &Path) -> Vec<String> {
    let document = Document::read(root, "ARCHITECTURE.md");
    let sources = files(root, "src").into_iter().filter(|file| is(file, "rs") || is(file, "js"));
    let text: String = sources.map(|file| fs::read_to_string(root.join(file)).unwrap()).collect();
    let defined: BTreeSet<&str> =
        text.split("const ").skip(1).filter_map(|rest| rest.split_once([':', '='])).map(|(name, _)| name.trim()).collect();
    let constant = |span: &&str| {
        span.contains('_')
            && !span.starts_with("SHIPSLOG_")
            && span.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || "_*".contains(c))
    };
    let spans = document.spans();
    let named = spans.iter().map(|(_, span)| *span).filter(constant);
    let missing =
        named.filter(|span| !defined.iter().any(|name| span.strip_suffix('*').map_or(name == span, |start| name.starts_with(start))));
    missing.map(|name| format!("ARCHITECTURE.md names {name}, which src/ does not define")).collect()
}

/// Tests that are named after a file and are not in it: `` `file` `test`, `test` ``.
fn named_tests(root: &Path) -> Vec<String> {
    let document = Document::read(root, OF_TESTS);
    let mut wrong = Vec::new();
    let mut file = None;
    let mut found = 0;
    for (before, span) in document.spans() {
        if matches!(before.trim(), "" | ",")
            && let Some(file) = file
        {
            found += 1;
            if !has_test(&fs::read_to_string(root.join(file)).unwrap_or_default(), span) {
                wrong.push(format!("{OF_TESTS} names {span}, which is no test of {file}"));
            }
        } else {
            file = Some(span).filter(|span| is(span, "rs") || is(span, "mjs"));
        }
    }
    if found == 0 {
        wrong.push(format!("{OF_TESTS} names no test at all"));
    }
    wrong
}

fn has_test(source: &str, name: &str) -> bool {
    let quoted = ["'", "\"", "`"].iter().any(|quote| source.contains(&format!("test({quote}{name}{quote}")));
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let function = format!("fn {name}(");
    let above = |line: usize| lines[..line].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    let marked = |line: usize| above(line).any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
    quoted || (0..lines.len()).any(|line| lines[line].contains(&function) && marked(line))
}

/// Citations in comments of what is not in the repository, and pages that the program names and that are not
/// there.
fn citations(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in FOLDERS.iter().filter(|folder| **folder != "docs").flat_map(|folder| files(root, folder)).chain(["clippy.toml".to_owned()])
    {
        let kinds = ["rs", "js", "mjs", "py", "sh", "html", "css", "toml", "yaml", "cfg", "service"];
        if !kinds.iter().any(|kind| is(&file, kind)) {
            continue;
        }
        let Ok(text) = fs::read_to_string(root.join(&file)) else { continue };
        for comment in comments(&text) {
            let foreign = ELSEWHERE.iter().filter(|name| words(&comment).any(|word| word.starts_with(**name)));
            wrong.extend(foreign.map(|name| format!("{file} cites {name}, which is not in the repository")));
            wrong.extend(cited(root, &file, &comment));
        }
        if file.starts_with("src/") {
            let told = words(&text).filter(|word| word.starts_with("docs/") && is(word, "md"));
            wrong.extend(told.filter(|page| !root.join(page).is_file()).map(|page| format!("{file} names {page}, which is not there")));
        }
    }
    wrong
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let end = |c: char| !(c.is_alphanumeric() || "/._-".contains(c));
    text.split(end).map(|word| word.trim_end_matches(['.', '-', ','])).filter(|word| !word.is_empty())
}

/// Documents, and headings that stand after them in quotation marks.
fn cited(root: &Path, file: &str, comment: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for name in words(comment).filter(|word| is(word, "md") || *word == "README").collect::<BTreeSet<_>>() {
        let document = if name == "README" { "README.md" } else { name };
        let near = beside(file, document).filter(|near| root.join(near).is_file());
        let Some(document) = Some(document.to_owned()).filter(|document| root.join(document).is_file()).or(near) else {
            if name != "README" {
                wrong.push(format!("{file} cites {name}, which is not in the repository"));
            }
            continue;
        };
        let before = format!("{name}, \"");
        let headings = comment.split(&before).skip(1).filter_map(|rest| rest.split_once('"')).map(|(heading, _)| heading);
        for heading in headings {
            if !Document::read(root, &document).headings().any(|known| known == heading) {
                wrong.push(format!("{file} cites {document}, \"{heading}\", which has no such heading"));
            }
        }
    }
    wrong
}
