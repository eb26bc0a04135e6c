//! The section "Who may import whom" of ARCHITECTURE.md.

use crate::tree::{Names, names};
use std::collections::BTreeSet;

/// What one row says.
#[derive(Debug)]
pub struct Row {
    /// For whom it is, with all that is below it.
    pub module: Names,
    /// What that may import, with all that is below it.
    pub may: BTreeSet<Names>,
    /// What of it may not be imported all the same.
    pub not: BTreeSet<Names>,
}

/// What the section says.
#[derive(Debug, Default)]
pub struct Table {
    /// In the order of the page.
    pub rows: Vec<Row>,
    /// Modules that compute, and do nothing else.
    pub pure: BTreeSet<Names>,
}

impl Table {
    /// Reads the page: the table of imports, and below "Pure" the first column of another.
    pub fn read(page: &str) -> Self {
        let section = page.split("\n## ").find(|section| section.starts_with("Who may import whom")).unwrap();
        let (rows, pure) = section.split_once("\n### Pure").unwrap();
        let is_row = |line: &&str| line.starts_with("| `");
        let row = |line: &str| {
            let (module, may) = line.trim_matches('|').split_once('|').unwrap();
            let mut named = modules(module).into_iter();
            let (module, None) = (named.next().unwrap(), named.next()) else { panic!("one module a row: {line}") };
            let (may, not) = may.split_once(", not ").unwrap_or((may, ""));
            Row { module, may: modules(may), not: modules(not) }
        };
        let rows = rows.lines().filter(is_row).map(row).collect();
        let pure = pure.lines().filter(is_row).flat_map(|line| modules(line.split('|').nth(1).unwrap()));
        Self { rows, pure: pure.collect() }
    }
}

/// Every module in backticks.
fn modules(text: &str) -> BTreeSet<Names> {
    text.split('`').skip(1).step_by(2).flat_map(spread).map(|path| names(&path)).collect()
}

/// `a::{b, c::{d, e}}` is `a::b`, `a::c::d` and `a::c::e`; so is a path with slashes.
pub fn spread(path: &str) -> Vec<String> {
    let Some(open) = path.find('{') else { return vec![path.to_owned()] };
    let mut depth = 0;
    let mut from = open + 1;
    let mut parts = Vec::new();
    for (at, mark) in path.char_indices().skip_while(|(at, _)| *at < open) {
        match mark {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || depth == 1 && mark == ',' {
            parts.push(path[from..at].trim());
            from = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    let (before, after) = (&path[..open], &path[from..]);
    parts.iter().flat_map(|part| spread(&format!("{before}{part}{after}"))).collect()
}

#[test]
fn braces_are_spread() {
    assert_eq!(spread("a::b"), ["a::b"]);
    assert_eq!(spread("a::{b, c::{d, e}}"), ["a::b", "a::c::d", "a::c::e"]);
    assert_eq!(spread("tests/{a,b}.rs"), ["tests/a.rs", "tests/b.rs"]);
}
