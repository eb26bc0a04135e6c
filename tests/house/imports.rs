//! From what a module mentions to whom it imports.

use crate::tree::{Names, Tree};
use std::collections::BTreeSet;

/// How often an alias may stand for another alias.
const DEPTH: usize = 8;

/// One import of one module.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Import {
    /// A module of the package, and what is named in it.
    Ours { module: Names, item: Names },
    /// A path of another crate or of the standard library.
    Others(Names),
}

/// Everything that a module imports.
///
/// A path counts for the module that it names. What a parent passes on to its children (`use decide::Mode` in `gate`, and
/// `super::Mode` in a child of it) counts for the module that the parent has it from too: it is there that siblings meet.
pub fn imports(tree: &Tree, module: &[String]) -> BTreeSet<Import> {
    let mut found = BTreeSet::new();
    for path in &tree.modules[module].mentions {
        resolve(tree, module, path, module, DEPTH, &mut found);
    }
    found.retain(|import| !matches!(import, Import::Ours { module: other, .. } if other == module));
    found
}

/// Follows a path that is written in the module `at`, for the module `whose`.
fn resolve(tree: &Tree, at: &[String], path: &[String], whose: &[String], depth: usize, found: &mut BTreeSet<Import>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    let (first, rest) = path.split_first().unwrap();
    let (from, mut rest) = match first.as_str() {
        // `tollgate` is how the program names its library.
        "crate" | "tollgate" => (Names::new(), rest),
        "self" => (at.to_vec(), rest),
        "super" => (parent(at), rest),
        _ if tree.modules.contains_key(&child(at, first)) => (child(at, first), rest),
        _ => match tree.modules[at].aliases.get(first) {
            // An alias of itself is the name of a crate: `use memchr;`
            Some(alias) if alias.len() > 1 => {
                return resolve(tree, at, &[alias.as_slice(), rest].concat(), whose, depth, found);
            }
            _ => {
                found.insert(Import::Others(path.to_vec()));
                return;
            }
        },
    };
    let mut module = from;
    while let Some((next, after)) = rest.split_first() {
        match next.as_str() {
            "super" => module = parent(&module),
            _ if tree.modules.contains_key(&child(&module, next)) => module = child(&module, next),
            _ => break,
        }
        rest = after;
    }
    let passes_on = module != whose && whose.starts_with(&module);
    if let Some(alias) = rest.first().and_then(|name| tree.modules[&module].aliases.get(name))
        && passes_on
        && alias.len() > 1
    {
        resolve(tree, &module, &[alias.as_slice(), &rest[1..]].concat(), whose, depth, found);
    }
    found.insert(Import::Ours { module, item: rest.to_vec() });
}

fn child(module: &[String], name: &str) -> Names {
    [module, &[name.to_owned()]].concat()
}

fn parent(module: &[String]) -> Names {
    module[..module.len().saturating_sub(1)].to_vec()
}
