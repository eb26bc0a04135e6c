//! Siblings that import each other, directly or around.

use crate::imports::{Import, imports};
use crate::tree::{Names, Tree, shown};
use std::collections::{BTreeMap, BTreeSet};

/// Who imports whom among the children of one module, and by which lines.
type Arrows = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Siblings that all reach each other.
pub struct Ring {
    /// As `parent::{child, child}`, sorted.
    pub name: String,
    /// Which imports close it.
    pub because: Vec<String>,
}

/// Every ring among the children of one module.
///
/// A child stands for all that is below it, so an import counts once, between those two siblings at which the ways from
/// the root part. A parent that imports its child, or a child that imports its parent, is no arrow: they are one room.
pub fn rings(tree: &Tree) -> Vec<Ring> {
    let mut arrows: BTreeMap<Names, Arrows> = BTreeMap::new();
    for from in tree.modules.keys() {
        for import in imports(tree, from) {
            let Import::Ours { module: to, item } = import else { continue };
            let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if let (Some(from_child), Some(to_child)) = (from.get(common), to.get(common)) {
                let siblings = arrows.entry(from[..common].to_vec()).or_default();
                let lines = siblings.entry(from_child.clone()).or_default().entry(to_child.clone()).or_default();
                lines.insert(format!("{} imports {}", shown(from), shown(&[to, item].concat())));
            }
        }
    }
    let named = |(parent, arrows): (&Names, &Arrows)| {
        let of = if parent.is_empty() { "crate".to_owned() } else { shown(parent) };
        let ring = |ring: BTreeSet<String>| {
            let arrows = arrows.iter().filter(|(from, _)| ring.contains(*from)).flat_map(|(_, to)| to);
            let because = arrows.filter(|(to, _)| ring.contains(*to)).flat_map(|(_, lines)| lines).cloned().collect();
            Ring { because, name: format!("{of}::{{{}}}", Vec::from_iter(ring).join(", ")) }
        };
        rings_of(arrows).into_iter().map(ring).collect::<Vec<_>>()
    };
    arrows.iter().flat_map(named).collect()
}

/// Sets of two and more that all reach each other.
fn rings_of(arrows: &Arrows) -> BTreeSet<BTreeSet<String>> {
    let reach: BTreeMap<&String, BTreeSet<String>> = arrows.keys().map(|from| (from, reached(arrows, from))).collect();
    let ring = |from: &&String| {
        let reaches_back = |to: &&String| reach.get(to).is_some_and(|back| back.contains(*from));
        reach[*from].iter().filter(reaches_back).cloned().collect::<BTreeSet<_>>()
    };
    reach.keys().map(ring).filter(|ring| ring.len() > 1).collect()
}

fn reached(arrows: &Arrows, from: &String) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(at) = next.pop() {
        for to in arrows.get(at).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(to.clone()) {
                next.push(to);
            }
        }
    }
    reached
}
