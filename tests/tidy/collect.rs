//! What one module names: its imports and every path in it, in types, expressions, attributes and macros.

use crate::tree::{Module, Route};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, ItemUse, UseTree, Visibility};

/// `#[cfg(test)]`, and nothing that merely resembles it: what is left over counts as product, which errs on
/// the strict side.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|a| a.path().is_ident("cfg") && a.parse_args::<syn::Ident>().is_ok_and(|word| word == "test"))
}

/// Adds an item that stands directly in `module`, with the name that it gives to others.
pub(crate) fn item(module: &mut Module, item: &Item) {
    let name = match item {
        Item::Use(import) => return imports(module, import),
        Item::ExternCrate(import) => {
            let route = Route::new(true, vec![import.ident.to_string()]);
            let name = import.rename.as_ref().map_or(&import.ident, |(_, name)| name);
            module.bindings.push((name.to_string(), route.clone()));
            return module.routes.push(route);
        }
        Item::Const(it) => Some(&it.ident),
        Item::Enum(it) => Some(&it.ident),
        Item::Fn(it) => Some(&it.sig.ident),
        Item::Static(it) => Some(&it.ident),
        Item::Struct(it) => Some(&it.ident),
        Item::Trait(it) => Some(&it.ident),
        Item::TraitAlias(it) => Some(&it.ident),
        Item::Type(it) => Some(&it.ident),
        Item::Union(it) => Some(&it.ident),
        Item::Macro(it) => it.ident.as_ref(),
        _ => None,
    };
    if matches!(item, Item::Enum(_) | Item::Struct(_) | Item::Trait(_) | Item::Type(_) | Item::Union(_)) {
        module.types.extend(name.map(ToString::to_string));
    }
    module.items.extend(name.map(ToString::to_string));
    Collector { module }.visit_item(item);
}

fn imports(module: &mut Module, import: &ItemUse) {
    if is_for_tests(&import.attrs) {
        return;
    }
    let shared = !matches!(import.vis, Visibility::Inherited);
    for leaf in leaves(import) {
        let route = Route { shared, ..leaf.route };
        match leaf.name {
            Some(name) if name == "*" => module.globs.push(route.clone()),
            Some(name) => module.bindings.push((name, route.clone())),
            None => {}
        }
        module.routes.push(route);
    }
}

struct Leaf {
    route: Route,
    /// What the file calls it; `*` for all of it.
    name: Option<String>,
}

fn leaves(import: &ItemUse) -> Vec<Leaf> {
    let mut out = Vec::new();
    unfold(&import.tree, import.leading_colon.is_some(), &mut Vec::new(), &mut out);
    out
}

fn unfold(tree: &UseTree, rooted: bool, before: &mut Vec<String>, out: &mut Vec<Leaf>) {
    let mut leaf = |last: String, name: String| {
        let steps = before.iter().cloned().chain((last != "self" && last != "*").then_some(last)).collect();
        out.push(Leaf { route: Route::new(rooted, steps), name: (name != "_").then_some(name) });
    };
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            unfold(&path.tree, rooted, before, out);
            before.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| unfold(tree, rooted, before, out)),
        UseTree::Glob(_) => leaf("*".to_owned(), "*".to_owned()),
        UseTree::Rename(it) => leaf(it.ident.to_string(), it.rename.to_string()),
        UseTree::Name(it) if it.ident == "self" => {
            let name = before.last().cloned().unwrap_or_default();
            leaf("self".to_owned(), name);
        }
        UseTree::Name(it) => leaf(it.ident.to_string(), it.ident.to_string()),
    }
}

struct Collector<'a> {
    module: &'a mut Module,
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Const(it) => &it.attrs,
            Item::Fn(it) => &it.attrs,
            Item::Impl(it) => &it.attrs,
            Item::Mod(it) => &it.attrs,
            Item::Static(it) => &it.attrs,
            Item::Struct(it) => &it.attrs,
            Item::Use(it) => &it.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !matches!(item, ImplItem::Fn(it) if is_for_tests(&it.attrs)) {
            visit::visit_impl_item(self, item);
        }
    }

    /// Inside a function: a path like any other, whose name holds there only.
    fn visit_item_use(&mut self, import: &'ast ItemUse) {
        self.module.routes.extend(leaves(import).into_iter().map(|leaf| leaf.route));
    }

    fn visit_item_extern_crate(&mut self, import: &'ast syn::ItemExternCrate) {
        self.module.routes.push(Route::new(true, vec![import.ident.to_string()]));
    }

    /// `pub(in crate::log)` says who may look, not what is looked at.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let steps = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.module.routes.push(Route::new(path.leading_colon.is_some(), steps));
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let generated = call.tokens.to_string().contains("OUT_DIR");
        if call.path.segments.last().is_some_and(|name| name.ident == "include") && !generated {
            self.module.faults.push("include! hides what it names".to_owned());
        }
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        // Prose links to what it likes.
        if !attribute.path().is_ident("doc") {
            visit::visit_attribute(self, attribute);
        }
    }

    fn visit_token_stream(&mut self, tokens: &'ast TokenStream) {
        in_tokens(tokens.clone(), &[], &mut self.module.routes);
    }
}

/// Paths among tokens that have no syntax yet: in a macro call, the body of `macro_rules!` and attributes,
/// there also in strings (`#[serde(with = "…")]`). Each is taken with what stands before its group: `a::{b,
/// c}` gives `a::b` and `a::c`.
fn in_tokens(tokens: TokenStream, before: &[String], out: &mut Vec<Route>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut steps: Vec<String> = Vec::new();
    let (mut rooted, mut colons, mut import) = (false, 0, false);
    loop {
        let token = tokens.next();
        match &token {
            Some(TokenTree::Ident(word)) if steps.is_empty() || colons == 2 => {
                steps.push(word.to_string());
                colons = 0;
                continue;
            }
            Some(TokenTree::Punct(punct)) if punct.as_char() == ':' && colons < 2 => {
                colons += 1;
                rooted |= steps.is_empty() && colons == 2;
                continue;
            }
            Some(TokenTree::Group(group)) if colons == 2 && group.delimiter() == Delimiter::Brace => {
                let prefix: Vec<String> = before.iter().cloned().chain(steps.drain(..)).collect();
                in_tokens(group.stream(), &prefix, out);
                (rooted, colons) = (false, 0);
                continue;
            }
            _ => {}
        }
        // The path, if there was one, is at its end. One word alone is a name only after `use`, after `crate`
        // or in a group.
        let keyword = steps.first().is_some_and(|word| word == "use" || word == "crate") && steps.len() == 1;
        if steps.len() > 1 || !steps.is_empty() && (import || rooted || !before.is_empty()) {
            let steps = before.iter().cloned().chain(steps.iter().cloned()).collect();
            out.push(Route::new(rooted, steps));
        }
        steps.clear();
        (rooted, colons, import) = (false, 0, keyword);
        match token {
            None => break,
            Some(TokenTree::Ident(word)) => steps.push(word.to_string()),
            Some(TokenTree::Group(group)) => in_tokens(group.stream(), &[], out),
            Some(TokenTree::Literal(literal)) => {
                if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string())
                    && let Ok(path) = text.parse::<syn::Path>()
                    && path.segments.len() > 1
                {
                    let steps = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
                    out.push(Route::new(path.leading_colon.is_some(), steps));
                }
            }
            Some(TokenTree::Punct(_)) => {}
        }
    }
}
