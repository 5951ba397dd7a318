//! Where a path leads: through imports under other names and through re-exports, to the file that defines
//! what it names.

use crate::tree::{Module, Route, Tree, join};
use std::collections::BTreeSet;

/// So many re-exports one after the other are a circle.
const MAX_HOPS: usize = 16;

/// What one path touches.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// Every module on the way: those that are written and those that a re-export leads to.
    pub(crate) modules: BTreeSet<String>,
    /// Modules where a path ends, which define what it names.
    pub(crate) ends: BTreeSet<String>,
    /// Crates that are not ours.
    pub(crate) crates: BTreeSet<String>,
}

impl Tree {
    /// What a route, written in `module`, touches.
    pub(crate) fn reach(&self, module: &str, route: &Route) -> Reach {
        let mut reach = Reach::default();
        self.follow(module, route, MAX_HOPS, &mut reach);
        reach
    }

    fn follow(&self, module: &str, route: &Route, hops: usize, reach: &mut Reach) {
        let Some((first, rest)) = route.steps.split_first() else { return };
        let Some(hops) = hops.checked_sub(1) else { return };
        let here = &self.modules[module];
        // In the program's own root, the library is a crate like any other.
        let ours = first == "shipslog" && (route.rooted || !here.knows(first));
        // A function or an import may have a crate's name, and a path that begins with it means the crate all
        // the same.
        if !rest.is_empty() && !here.children.contains(first) && !here.types.contains(first) {
            self.outside(first, reach);
        }
        match first.as_str() {
            // `extern crate self as …`
            "self" if route.rooted => self.walk("", rest, hops, reach),
            _ if ours => self.walk("", rest, hops, reach),
            _ if route.rooted => self.outside(first, reach),
            "crate" if module == "main" || module.starts_with("main::") => self.walk("main", rest, hops, reach),
            "crate" => self.walk("", rest, hops, reach),
            "self" => self.walk(module, rest, hops, reach),
            "super" => self.walk(parent(module), rest, hops, reach),
            _ if here.knows(first) => self.step(module, first, rest, hops, reach),
            _ if self.by_glob(module, &route.steps, hops, reach) => {}
            _ => self.outside(first, reach),
        }
    }

    fn outside(&self, name: &str, reach: &mut Reach) {
        if self.crates.contains(name) {
            reach.crates.insert(name.to_owned());
        }
    }

    /// On from `module`, which the path has come to.
    fn walk(&self, module: &str, steps: &[String], hops: usize, reach: &mut Reach) {
        reach.modules.insert(module.to_owned());
        match steps.split_first() {
            None => {
                reach.ends.insert(module.to_owned());
            }
            Some((step, rest)) if step == "self" => self.walk(module, rest, hops, reach),
            Some((step, rest)) if step == "super" => self.walk(parent(module), rest, hops, reach),
            Some((step, rest)) => self.step(module, step, rest, hops, reach),
        }
    }

    /// A name in `module`: a child, something that it defines, or something that it has from elsewhere.
    fn step(&self, module: &str, name: &str, rest: &[String], hops: usize, reach: &mut Reach) {
        let here = &self.modules[module];
        if here.children.contains(name) {
            return self.walk(&join(module, name), rest, hops, reach);
        }
        let mut known = here.items.contains(name);
        if known {
            reach.ends.insert(module.to_owned());
        }
        for (_, route) in here.bindings.iter().filter(|(bound, _)| bound == name) {
            // `use log::Log; …` names a crate or a child, not itself again.
            let steps = route.steps.iter().chain(rest).cloned().collect();
            if route.steps.first().is_some_and(|first| first == name) && !here.children.contains(name) {
                self.outside(name, reach);
            } else {
                self.follow(module, &Route { steps, ..route.clone() }, hops, reach);
            }
            known = true;
        }
        if !known {
            let steps: Vec<String> = std::iter::once(name).chain(rest.iter().map(String::as_str)).map(str::to_owned).collect();
            if !self.by_glob(module, &steps, hops, reach) {
                reach.ends.insert(module.to_owned());
            }
        }
    }

    /// Whether something that `module` imports everything from has the name.
    fn by_glob(&self, module: &str, steps: &[String], hops: usize, reach: &mut Reach) -> bool {
        let Some(hops) = hops.checked_sub(1) else { return false };
        let mut found = false;
        for glob in &self.modules[module].globs {
            let mut whole = Reach::default();
            self.follow(module, glob, hops, &mut whole);
            for end in whole.ends.iter().filter(|end| self.modules[*end].knows(&steps[0])) {
                reach.modules.insert(end.clone());
                self.step(end, &steps[0], &steps[1..], hops, reach);
                found = true;
            }
        }
        found
    }
}

impl Module {
    fn knows(&self, name: &str) -> bool {
        self.children.contains(name) || self.items.contains(name) || self.bindings.iter().any(|(bound, _)| bound == name)
    }
}

fn parent(module: &str) -> &str {
    module.rsplit_once("::").map_or("", |(parent, _)| parent)
}

/// The part of the program that a module belongs to: `log` for `log::segment::frame`.
pub(crate) fn part(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}
