//! The modules of the program, found as the compiler finds them: by `mod`, from `src/lib.rs` and
//! `src/main.rs`.

use crate::collect;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use syn::{Item, ItemMod};

/// A path as it is written in a module.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// It begins with `::`.
    pub(crate) rooted: bool,
    pub(crate) steps: Vec<String>,
    /// `pub use`: the module passes it on and does not need it itself.
    pub(crate) shared: bool,
}

impl Route {
    pub(crate) fn new(rooted: bool, steps: Vec<String>) -> Self {
        Self { rooted, steps, shared: false }
    }
}

/// A module, in a file of its own or inside one.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Where it lies, from the manifest on: `src/log/mod.rs`.
    pub(crate) file: String,
    /// It is compiled for tests only.
    pub(crate) test: bool,
    pub(crate) children: BTreeSet<String>,
    /// What it defines.
    pub(crate) items: BTreeSet<String>,
    /// Those of them that a path can go through.
    pub(crate) types: BTreeSet<String>,
    /// What it imports, by the name that it gives to it.
    pub(crate) bindings: Vec<(String, Route)>,
    /// What it imports everything from.
    pub(crate) globs: Vec<Route>,
    /// Every path in it.
    pub(crate) routes: Vec<Route>,
    /// What is wrong with it as it stands.
    pub(crate) faults: Vec<String>,
}

/// All modules, by path: `log::segment`, "" for the library's root, `main` for the program's.
pub(crate) struct Tree {
    pub(crate) modules: BTreeMap<String, Module>,
    /// The crates that the manifest names, as they are spelt in code, without those that only tests or the
    /// build use.
    pub(crate) crates: BTreeSet<String>,
    /// What is wrong with the tree as it stands.
    pub(crate) faults: Vec<String>,
}

impl Tree {
    /// Of the package whose manifest lies in `root`.
    pub(crate) fn read(root: &Path) -> Self {
        let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap().parse::<toml::Table>().unwrap();
        let mut tree = Self { modules: BTreeMap::new(), crates: dependencies(&manifest), faults: Vec::new() };
        for (module, file) in [("", "src/lib.rs"), ("main", "src/main.rs")] {
            if root.join(file).exists() {
                tree.file(root, module, Path::new(file), false);
            }
        }
        let reached: BTreeSet<_> = tree.modules.values().map(|module| module.file.clone()).collect();
        for file in ["src", "migrations"].into_iter().flat_map(|folder| rust_files(root, folder)) {
            if !reached.contains(&file) {
                tree.faults.push(format!("{file}: no module declares it"));
            }
        }
        tree
    }

    pub(crate) fn product(&self) -> impl Iterator<Item = (&String, &Module)> {
        self.modules.iter().filter(|(_, module)| !module.test)
    }

    fn file(&mut self, root: &Path, name: &str, file: &Path, test: bool) {
        let shown = file.to_str().unwrap().to_owned();
        let text = fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{shown}: {e}"));
        let syntax = syn::parse_file(&text).unwrap_or_else(|e| panic!("{shown}: {e}"));
        let test = test || collect::is_for_tests(&syntax.attrs);
        if let Some((other, _)) = self.modules.iter().find(|(_, module)| !test && !module.test && module.file == shown) {
            self.faults.push(format!("{shown} is two modules, {other} and {name}"));
        }
        let mut folder = file.parent().unwrap().to_owned();
        if !["mod.rs", "lib.rs", "main.rs"].iter().any(|map| file.ends_with(map)) {
            folder.push(file.file_stem().unwrap());
        }
        self.module(root, name, &Place { file, folder, test }, &syntax.items);
    }

    fn module(&mut self, root: &Path, name: &str, place: &Place, items: &[Item]) {
        let mut module = Module { file: place.file.to_str().unwrap().to_owned(), test: place.test, ..Module::default() };
        for item in items {
            let Item::Mod(child) = item else {
                collect::item(&mut module, item);
                continue;
            };
            let test = place.test || collect::is_for_tests(&child.attrs);
            let inner = join(name, &child.ident.to_string());
            if !test {
                module.children.insert(child.ident.to_string());
            }
            match &child.content {
                Some((_, items)) => {
                    let place = Place { file: place.file, folder: place.folder.join(child.ident.to_string()), test };
                    self.module(root, &inner, &place, items);
                }
                None => self.file(root, &inner, &place.of(root, child), test),
            }
        }
        self.modules.insert(name.to_owned(), module);
    }
}

/// Where the text of a module stands.
struct Place<'a> {
    file: &'a Path,
    /// Where the files of its children lie.
    folder: PathBuf,
    test: bool,
}

impl Place<'_> {
    /// The file of a child.
    fn of(&self, root: &Path, child: &ItemMod) -> PathBuf {
        let told = child.attrs.iter().find(|a| a.path().is_ident("path")).map(|a| match &a.meta {
            syn::Meta::NameValue(syn::MetaNameValue { value: syn::Expr::Lit(value), .. }) => match &value.lit {
                syn::Lit::Str(path) => path.value(),
                _ => panic!("{}: a path that is no string", self.file.display()),
            },
            _ => panic!("{}: a path that is no string", self.file.display()),
        });
        if let Some(told) = told {
            return plain(&self.file.parent().unwrap().join(told));
        }
        let flat = self.folder.join(format!("{}.rs", child.ident));
        if root.join(&flat).exists() { flat } else { self.folder.join(child.ident.to_string()).join("mod.rs") }
    }
}

/// Without `..`, which only names of modules bring in, never links.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir { assert!(out.pop(), "{} leaves the tree", path.display()) } else { out.push(part) }
    }
    out
}

/// `a::b` and `c`.
pub(crate) fn join(module: &str, child: &str) -> String {
    if module.is_empty() { child.to_owned() } else { format!("{module}::{child}") }
}

fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let here = manifest.get("dependencies").and_then(toml::Value::as_table);
    let elsewhere = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
    let tables = here.into_iter().chain(elsewhere.filter_map(|target| target.get("dependencies")?.as_table()));
    tables.flat_map(toml::Table::keys).map(|name| name.replace('-', "_")).collect()
}

/// Every Rust file in a folder of the package, as a path from the manifest on.
pub(crate) fn rust_files(root: &Path, folder: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(root.join(&folder)) else { continue };
        for entry in entries {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                if !["target", "node_modules"].iter().any(|name| path.ends_with(name)) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                out.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    out.sort();
    out
}
