//! The rules, asked of a tree. Each gives what is wrong, one sentence for each place.

use crate::reach::part;
use crate::rules::{BLIND, FLOORS, HOMES, MAX_COMMENT_COLUMNS, MAX_LINES};
use crate::tree::{Tree, rust_files};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Modules that cannot be judged: in no module, in two, or hidden from a reader of the text.
pub(crate) fn faults(tree: &Tree) -> Vec<String> {
    let hidden = tree.modules.values().flat_map(|module| module.faults.iter().map(|fault| format!("{}: {fault}", module.file)));
    tree.faults.iter().cloned().chain(hidden).collect()
}

/// Imports that point up, or to the side where that is forbidden.
pub(crate) fn floors(tree: &Tree) -> Vec<String> {
    let floors: BTreeMap<_, _> = FLOORS.into_iter().collect();
    let mut wrong = BTreeSet::new();
    for (name, module) in tree.product() {
        let own = part(name);
        let Some(floor) = floors.get(own) else {
            if own.is_empty() && !module.items.is_empty() {
                wrong.insert(format!("{}: the root holds modules and nothing else, not {:?}", module.file, module.items));
            } else if !own.is_empty() {
                wrong.insert(format!("{}: {own} stands on no floor: add it to FLOORS", module.file));
            }
            continue;
        };
        for route in &module.routes {
            for other in tree.reach(name, route).modules.iter().map(|module| part(module)) {
                let blind = BLIND.iter().any(|&pair| pair == (own, other) || pair == (other, own));
                let above = floors.get(other);
                if other != own && (blind || above.is_some_and(|above| above > floor)) {
                    let path = route.steps.join("::");
                    wrong.insert(format!("{} ({own}, floor {floor}) imports {other} (floor {}) by {path}", module.file, floors[other]));
                }
            }
            // A crate's root is every part at once.
            if tree.reach(name, route).ends.contains("") && own != "main" {
                wrong.insert(format!("{}: {} is the root, which is every part at once", module.file, route.steps.join("::")));
            }
        }
    }
    wrong.into_iter().collect()
}

/// Crates that are named outside their homes, homes where a crate is not named, and crates without a home.
pub(crate) fn homes(tree: &Tree) -> Vec<String> {
    let homes: BTreeMap<_, _> = HOMES.iter().copied().collect();
    let mut wrong = BTreeSet::new();
    for (module, name) in named(tree) {
        let file = &tree.modules[&module].file;
        match homes.get(name.as_str()) {
            Some(homes) if homes.iter().any(|home| lies_in(&module, home)) => {}
            Some(homes) => {
                wrong.insert(format!("{file} ({module}) names {name}, whose home is {homes:?}"));
            }
            None => {
                wrong.insert(format!("{file} ({module}) names {name}, which has no home: add it to HOMES"));
            }
        }
    }
    wrong.into_iter().collect()
}

/// Where HOMES and the manifest differ, and homes that stand empty.
pub(crate) fn register(tree: &Tree) -> Vec<String> {
    let named = named(tree);
    let listed: BTreeSet<String> = HOMES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let homeless = tree.crates.difference(&listed).map(|name| format!("{name} is a dependency and has no home"));
    let gone = listed.difference(&tree.crates).map(|name| format!("{name} has a home and is no dependency"));
    let pairs = HOMES.iter().flat_map(|(name, homes)| homes.iter().map(move |home| (*name, *home)));
    let empty = pairs.filter(|(name, home)| !named.iter().any(|(module, named)| named == name && lies_in(module, home)));
    homeless.chain(gone).chain(empty.map(|(name, home)| format!("{name} is not named in its home {home:?}"))).collect()
}

/// Modules with each crate that they name.
fn named(tree: &Tree) -> BTreeSet<(String, String)> {
    let mut out = BTreeSet::new();
    for (name, module) in tree.product() {
        for route in &module.routes {
            out.extend(tree.reach(name, route).crates.into_iter().map(|outside| (name.clone(), outside)));
        }
    }
    out
}

fn lies_in(module: &str, home: &str) -> bool {
    home.is_empty() || module == home || module.strip_prefix(home).is_some_and(|rest| rest.starts_with("::"))
}

/// Files that import each other in a circle, each circle with all its files in order. A path is an import of
/// every file on its way, also of those that a re-export leads to, but two things tie nothing: what a module
/// only passes on (`pub use`), and what a file takes from a module that it lies in, whose words it shares.
pub(crate) fn circles(tree: &Tree) -> BTreeSet<Vec<String>> {
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, module) in tree.product() {
        let met = module.routes.iter().filter(|route| !route.shared).flat_map(|route| tree.reach(name, route).modules);
        let outer = |met: &String| met.is_empty() || lies_in(name, met);
        let files = met.filter(|met| !outer(met)).map(|met| tree.modules[&met].file.clone()).filter(|file| *file != module.file);
        arrows.entry(module.file.clone()).or_default().extend(files);
    }
    let reached: BTreeMap<&String, BTreeSet<&String>> = arrows.keys().map(|file| (file, closure(&arrows, file))).collect();
    let circle = |file: &String| -> Vec<String> {
        reached[file].iter().filter(|other| reached[**other].contains(file)).map(|other| (*other).clone()).collect()
    };
    arrows.keys().map(circle).filter(|circle| circle.len() > 1).collect()
}

/// Everything that a file imports, and what that imports, and so on.
fn closure<'a>(arrows: &'a BTreeMap<String, BTreeSet<String>>, from: &String) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&String> = arrows[from].iter().collect();
    while let Some(file) = open.pop() {
        if reached.insert(file) {
            open.extend(arrows.get(file).into_iter().flatten());
        }
    }
    reached
}

/// How the circles differ from those that are known.
pub(crate) fn ratchet(found: &BTreeSet<Vec<String>>, known: &[&[&str]]) -> Vec<String> {
    let known: BTreeSet<Vec<String>> = known.iter().map(|circle| circle.iter().map(|file| (*file).to_owned()).collect()).collect();
    let new = found.difference(&known).map(|circle| format!("a circle that KNOWN_CIRCLES does not list: {circle:#?}"));
    let gone = known.difference(found).map(|circle| format!("KNOWN_CIRCLES lists a circle that is not there (any more): {circle:#?}"));
    new.chain(gone).collect()
}

/// Rust files, of the product and of its tests.
fn files(root: &Path) -> impl Iterator<Item = String> {
    ["src", "build", "migrations", "tests", "benches", "fuzz"].into_iter().flat_map(|folder| rust_files(root, folder))
}

/// Comments that do not fit beside another window. A table's row and a word that cannot be broken may be
/// longer.
pub(crate) fn wide_comments(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in files(root) {
        for (number, line) in fs::read_to_string(root.join(&file)).unwrap().lines().enumerate() {
            let text = line.trim_start();
            let words = text.trim_start_matches(['/', '!']).trim_start();
            let may = !text.starts_with("//") || words.starts_with(['|', '#', '<']) || !words.contains(' ');
            if !may && line.chars().count() > MAX_COMMENT_COLUMNS {
                wrong.push(format!("{file}:{}: a comment of more than {MAX_COMMENT_COLUMNS} columns", number + 1));
            }
        }
    }
    wrong
}

/// Rust files that are too long, of the product and of its tests.
pub(crate) fn long_files(root: &Path) -> Vec<String> {
    let lines = files(root).map(|file| (fs::read_to_string(root.join(&file)).unwrap().lines().count(), file));
    lines.filter(|(lines, _)| *lines > MAX_LINES).map(|(lines, file)| format!("{file} has {lines} lines, over {MAX_LINES}")).collect()
}

/// Loops of tests that do nothing but sleep until something holds true: they would wait for ever.
pub(crate) fn endless_waits(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in files(root).filter(|file| !file.starts_with("benches/")) {
        let text = fs::read_to_string(root.join(&file)).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, window) in lines.windows(3).enumerate() {
            let sleeps = ["sleep(", "yield_now("].iter().any(|call| window[1].contains(call));
            // One that is a future of its own is given its deadline where it is awaited.
            let is_future = at.checked_sub(1).and_then(|before| lines.get(before)).is_some_and(|before| before.ends_with("async {"));
            if !is_future && window[0].starts_with("while ") && window[0].ends_with('{') && sleeps && window[2] == "}" {
                wrong.push(format!("{file}:{}: a wait without a deadline", at + 1));
            }
        }
    }
    wrong
}
