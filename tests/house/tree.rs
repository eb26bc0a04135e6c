//! The modules of a package, as `mod` lines lay them out, and what each of them mentions.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};

/// A module by its names from the root, which has none; or any other path of Rust.
pub type Names = Vec<String>;

/// Written as in Rust.
pub fn shown(names: &[String]) -> String {
    names.join("::")
}

/// Read from what is written.
pub fn names(path: &str) -> Names {
    path.split("::").map(str::to_owned).collect()
}

/// What one module says.
#[derive(Default)]
pub struct Module {
    /// Names that `use` brings into it, and the paths they stand for.
    pub aliases: BTreeMap<String, Names>,
    /// Every path of two names or more, as written, and each path of a `use`.
    pub mentions: BTreeSet<Names>,
    /// Every name that stands in it.
    pub words: BTreeSet<String>,
}

/// All modules that are built outside tests, and the files they came from.
#[derive(Default)]
pub struct Tree {
    /// By name.
    pub modules: BTreeMap<Names, Module>,
    /// What was read, tests too.
    pub files: BTreeSet<PathBuf>,
}

impl Tree {
    /// Reads a crate from its first file on, by a function that reads files.
    pub fn read(first: &str, read: &dyn Fn(&Path) -> Option<String>) -> Self {
        let mut tree = Self::default();
        let first = Path::new(first);
        tree.file(first, first.parent().unwrap(), &[], false, read);
        tree
    }

    /// Adds a file's module and those below it. `below` is where the files of its children are.
    fn file(
        &mut self,
        path: &Path,
        below: &Path,
        module: &[String],
        is_test: bool,
        read: &dyn Fn(&Path) -> Option<String>,
    ) {
        let text = read(path).unwrap_or_else(|| panic!("{} is not there", path.display()));
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.files.insert(path.to_owned());
        self.items(&file.items, path, below, module, is_test, read);
    }

    fn items(
        &mut self,
        items: &[syn::Item],
        path: &Path,
        below: &Path,
        module: &[String],
        is_test: bool,
        read: &dyn Fn(&Path) -> Option<String>,
    ) {
        let mut reader = Reader::default();
        for item in items {
            let syn::Item::Mod(child) = item else {
                reader.visit_item(item);
                continue;
            };
            let is_test = is_test || is_for_tests(&child.attrs);
            let name = child.ident.to_string();
            let at = [module, std::slice::from_ref(&name)].concat();
            if let Some((_, items)) = &child.content {
                self.items(items, path, &below.join(&name), &at, is_test, read);
                continue;
            }
            let file = match path_attribute(&child.attrs) {
                Some(file) => path.parent().unwrap().join(file),
                None => below.join(format!("{name}.rs")),
            };
            self.file(&file, &file.with_extension(""), &at, is_test, read);
        }
        if !is_test {
            let known = self.modules.entry(module.to_owned()).or_default();
            known.aliases.extend(reader.module.aliases);
            known.mentions.extend(reader.module.mentions);
            known.words.extend(reader.module.words);
        }
    }
}

/// `#[cfg(test)]`, alone or with more.
fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        let condition = list.tokens.to_string().replace(' ', "");
        list.path.is_ident("cfg") && (condition == "test" || condition.starts_with("all(test,"))
    })
}

/// `#[path = "..."]`.
fn path_attribute(attributes: &[syn::Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    })
}

/// Collects what one module mentions.
#[derive(Default)]
struct Reader {
    module: Module,
}

impl Reader {
    fn import(&mut self, mut path: Names, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(step) => {
                path.push(step.ident.to_string());
                self.import(path, &step.tree);
            }
            syn::UseTree::Name(last) => self.alias(path, &last.ident.to_string(), &last.ident.to_string()),
            syn::UseTree::Rename(last) => self.alias(path, &last.ident.to_string(), &last.rename.to_string()),
            syn::UseTree::Glob(_) => {
                self.module.mentions.insert(path);
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(path.clone(), tree)),
        }
    }

    fn alias(&mut self, mut path: Names, name: &str, alias: &str) {
        let alias = if name == "self" && alias == "self" { path.last().unwrap().clone() } else { alias.to_owned() };
        if name != "self" || path.is_empty() {
            path.push(name.to_owned());
        }
        self.module.words.insert(alias.clone());
        self.module.mentions.insert(path.clone());
        self.module.aliases.insert(alias, path);
    }

    /// Paths in what a macro is given, which nobody has parsed.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path = Names::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) if colons == 2 && !path.is_empty() => path.push(name.to_string()),
                TokenTree::Ident(name) => {
                    self.mention(std::mem::take(&mut path));
                    path.push(name.to_string());
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => {
                    self.mention(std::mem::take(&mut path));
                    self.tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => self.mention(std::mem::take(&mut path)),
            }
            colons = 0;
        }
        self.mention(path);
    }

    fn mention(&mut self, path: Names) {
        self.module.words.extend(path.iter().cloned());
        if path.len() > 1 {
            self.module.mentions.insert(path);
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            syn::Item::Const(item) => &item.attrs,
            syn::Item::Struct(item) => &item.attrs,
            syn::Item::Static(item) => &item.attrs,
            syn::Item::Enum(item) => &item.attrs,
            syn::Item::Macro(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(Names::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.mention(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_ident(&mut self, name: &'ast syn::Ident) {
        self.module.words.insert(name.to_string());
    }

    fn visit_macro(&mut self, found: &'ast syn::Macro) {
        self.tokens(found.tokens.clone());
        visit::visit_macro(self, found);
    }

    /// `pub(super)` and `pub(in ...)` say who may look in, and import nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}
