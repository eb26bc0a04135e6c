//! Who imports whom, held to ARCHITECTURE.md, section "Who may import whom".

use crate::imports::{Import, imports};
use crate::rings::rings;
use crate::table::Table;
use crate::tree::{Names, Tree, names, shown};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

/// Rings among siblings that are known, as `parent::{child, child}`, each with the reason why it stands. There is none, and
/// the list does not get longer.
const RINGS: &[(&str, &str)] = &[];

/// What does something or asks for the time, and so has no place in a module that computes.
const IMPURE: &[&str] = &[
    "crate::domain::clock::now",
    "crate::domain::clock::steady",
    "crate::observe::log_throttle",
    "crate::observe::logging",
    "crate::observe::metrics",
    "crate::observe::traces::Span",
    "crate::observe::traces::Traces",
    "fastrand",
    "tokio",
    "tokio_util",
    "hyper::server",
    "hyper::client",
    "hyper_util",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
    "reqwest",
    "rusqlite",
    "socket2",
    "tracing",
    "uuid::Uuid::now_v7",
    "std::env",
    "std::fs",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// What is wrong between modules.
fn against_the_table(tree: &Tree, table: &Table) -> Vec<String> {
    let mut wrong = about_the_rows(tree, table);
    let mut needed: BTreeSet<(&Names, &Names)> = BTreeSet::new();
    for from in tree.modules.keys() {
        for import in imports(tree, from) {
            let Import::Ours { module, item } = import else { continue };
            let path = [module.as_slice(), &item].concat();
            let is_elsewhere = module.first().is_some_and(|top| from.first().is_some_and(|from| from != top));
            match allowing(table, from, &path) {
                Some(allowed) => needed.extend([allowed]),
                None if is_elsewhere => wrong.push(format!("{} may not import {}", shown(from), shown(&path))),
                None => {}
            }
        }
    }
    for (row, may) in table.rows.iter().flat_map(|row| row.may.iter().map(move |may| (&row.module, may))) {
        if !needed.contains(&(row, may)) {
            wrong.push(format!("the row of {} names {}, which it does not import", shown(row), shown(may)));
        }
    }
    wrong
}

/// The row and the word of it that let `from` import `path`. The longest word decides: `provider` lets in what
/// `not provider::wechat` keeps out, and the row of a part may let in what the row of the whole keeps out.
fn allowing<'t>(table: &'t Table, from: &[String], path: &[String]) -> Option<(&'t Names, &'t Names)> {
    let rows = table.rows.iter().filter(|row| from.starts_with(&row.module));
    let words = rows.flat_map(|row| {
        let may = row.may.iter().map(move |may| (may, Some((&row.module, may))));
        may.chain(row.not.iter().map(|not| (not, None)))
    });
    words.filter(|(word, _)| path.starts_with(word)).max_by_key(|(word, _)| word.len())?.1
}

/// What is wrong with the table itself.
fn about_the_rows(tree: &Tree, table: &Table) -> Vec<String> {
    let mut wrong = Vec::new();
    let modules = tree.modules.keys().filter(|module| module.len() == 1);
    for module in modules.filter(|module| !table.rows.iter().any(|row| row.module == **module)) {
        wrong.push(format!("{} has no row", shown(module)));
    }
    for (at, row) in table.rows.iter().enumerate() {
        if !tree.modules.contains_key(&row.module) {
            wrong.push(format!("{} has a row and is not there", shown(&row.module)));
        }
        for not in row.not.iter().filter(|not| !tree.modules.contains_key(*not)) {
            wrong.push(format!("the row of {} keeps out {}, which is not there", shown(&row.module), shown(not)));
        }
        let stands_above = |named: &&Names| table.rows[..at].iter().any(|above| named.starts_with(&above.module));
        for named in row.may.iter().filter(|named| !stands_above(named)) {
            let (row, named) = (shown(&row.module), shown(named));
            wrong.push(format!("the row of {row} names {named}, which does not stand above it"));
        }
    }
    wrong
}

/// What modules do that should only compute.
fn not_pure(tree: &Tree, table: &Table) -> Vec<String> {
    let mut wrong: Vec<String> = Vec::new();
    for pure in &table.pure {
        if !tree.modules.contains_key(pure) {
            wrong.push(format!("{} is listed as pure and is not there", shown(pure)));
        }
        for from in tree.modules.keys().filter(|module| module.starts_with(pure)) {
            for import in imports(tree, from) {
                let path = match import {
                    Import::Others(path) => path,
                    Import::Ours { module, item } => [names("crate"), module, item].concat(),
                };
                if IMPURE.iter().any(|impure| path.starts_with(&names(impure))) {
                    wrong.push(format!("{} is pure and imports {}", shown(from), shown(&path)));
                }
            }
        }
    }
    wrong
}

/// What is in `src`, read once.
pub fn tree() -> &'static Tree {
    static TREE: LazyLock<Tree> = LazyLock::new(|| Tree::read("src/lib.rs", &from_disk));
    &TREE
}

fn from_disk(path: &Path) -> Option<String> {
    std::fs::read_to_string(crate::root().join(path)).ok()
}

fn table() -> Table {
    Table::read(&crate::text("ARCHITECTURE.md"))
}

fn none(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} against ARCHITECTURE.md, \"Who may import whom\":\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_file_is_read() {
    let mut files: BTreeSet<String> = crate::files("src", ".rs").into_iter().collect();
    for file in &tree().files {
        files.remove(file.to_str().unwrap());
    }
    files.remove("src/main.rs");
    assert!(files.is_empty(), "no `mod` line leads to {files:?}");
}

#[test]
fn modules_import_only_what_stands_in_their_row() {
    none(&against_the_table(tree(), &table()));
}

#[test]
fn the_program_only_starts_the_commands() {
    let main = Tree::read("src/main.rs", &from_disk);
    let paths = main.modules[&Names::new()].mentions.iter().filter(|path| path[0] == "tollgate");
    assert_eq!(paths.map(|path| path[1].as_str()).collect::<BTreeSet<_>>(), BTreeSet::from(["cli"]));
}

#[test]
fn modules_that_compute_do_nothing_else() {
    none(&not_pure(tree(), &table()));
}

#[test]
fn siblings_are_in_no_ring_but_the_known_ones() {
    let found = rings(tree());
    let known: Vec<&str> = RINGS.iter().map(|(ring, _)| *ring).collect();
    let more: Vec<_> = found.iter().filter(|ring| !known.contains(&ring.name.as_str())).collect();
    let gone: Vec<_> = known.iter().filter(|ring| found.iter().all(|found| found.name != **ring)).collect();
    let named: Vec<_> = more.iter().map(|ring| &ring.name).collect();
    let because: Vec<_> = more.iter().map(|ring| ring.because.join("\n")).collect();
    assert!(
        more.is_empty() && gone.is_empty(),
        "rings that are not in RINGS of tests/house/layers.rs, because they are new, or other than they were: {named:#?}\n\
         rings in RINGS that are no more as they stand there: {gone:#?}\n\
         The list may get shorter, and a ring in it smaller. The new ones are closed by\n{}",
        because.join("\n\n")
    );
}

/// A package made up of files.
fn made_up(files: &[(&str, &str)]) -> Tree {
    let read = |path: &Path| {
        let found = files.iter().find(|(name, _)| Path::new("src").join(name) == path);
        found.map(|(_, text)| (*text).to_owned())
    };
    Tree::read("src/lib.rs", &read)
}

/// The page with these rows and one list.
fn page(rows: &[&str], pure: &str) -> Table {
    let rows = rows.join("\n");
    Table::read(&format!(
        "# x\n\n## Who may import whom\n\n{rows}\n\n### Pure\n\n| {pure} | x |\n\n## Other\n\n| `z` | `y` |\n"
    ))
}

const TWO: &[&str] = &["| `low` | |", "| `high` | `low` |"];

fn low_and_high(low: &str, high: &str) -> Vec<String> {
    let tree = made_up(&[("lib.rs", "pub mod low; pub mod high;"), ("low.rs", low), ("high.rs", high)]);
    against_the_table(&tree, &page(TWO, ""))
}

#[test]
fn an_import_up_is_found_however_it_is_written() {
    assert_eq!(low_and_high("", "use crate::low::Low;"), [""; 0]);
    let up = [
        "use crate::high::High;",
        "use crate::{high::High as Other, low};",
        "use super::high;",
        "fn f() { crate::high::f() }",
        "fn f() { super::high::f() }",
        "fn f(_: &dyn Iterator<Item = crate::high::High>) {}",
        "fn f() { println!(\"{}\", crate::high::f()) }",
        "fn f() { vec![[super::high::f()]]; }",
        "impl crate::high::High for () {}",
        "mod inside { fn f() { super::super::high::f() } }",
        "mod inside { use super::super::high::*; }",
        "fn f() { use crate::high::High; }",
    ];
    for low in up {
        let wrong = low_and_high(low, "use crate::low;");
        assert!(wrong.iter().any(|wrong| wrong.contains("may not import high")), "{low}: {wrong:?}");
    }
}

#[test]
fn tests_may_import_whom_they_like() {
    let tests = ["#[cfg(test)] mod tests { use crate::high::High; }", "#[cfg(test)] use crate::high::High;"];
    for low in tests {
        assert_eq!(low_and_high(low, "use crate::low;"), [""; 0], "{low}");
    }
    let files =
        [("lib.rs", "mod low; mod high;"), ("low.rs", "#[cfg(test)] mod tests;"), ("high.rs", "use super::low;")];
    let tree = made_up(&[files.as_slice(), &[("low/tests.rs", "use crate::high::High;")]].concat());
    assert_eq!(against_the_table(&tree, &page(TWO, "")), [""; 0]);
    assert!(tree.files.contains(Path::new("src/low/tests.rs")), "read all the same");
}

#[test]
fn a_row_is_for_a_part_too_and_may_name_one() {
    let files = [("lib.rs", "mod low { pub mod a; pub mod b; } mod high { mod c; mod d; }")];
    let with = |c, d| {
        let more = [("low/a.rs", ""), ("low/b.rs", ""), ("high/c.rs", c), ("high/d.rs", d)];
        let table = page(&["| `low` | |", "| `high` | `low::a` |", "| `high::c` | `low::b` |"], "");
        against_the_table(&made_up(&[files.as_slice(), &more].concat()), &table)
    };
    assert_eq!(with("use crate::low::{a::A, b::B};", "use crate::low::a::A;"), [""; 0]);
    let c = "use crate::low::{a::A, b::B};";
    assert_eq!(with(c, "use crate::low::b::B;"), ["high::d may not import low::b::B"]);
    assert_eq!(with(c, "use crate::low;"), ["high::d may not import low"]);
}

#[test]
fn a_row_may_keep_a_part_out_and_the_row_of_a_part_may_let_it_in() {
    let lib = |c: &str, d: &str| {
        let lib = format!("mod low {{ mod a {{}} mod b {{}} }} mod high {{ mod c {{ {c} }} mod d {{ {d} }} }}");
        made_up(&[("lib.rs", &lib)])
    };
    let rows = ["| `low` | |", "| `high` | `low`, not `low::b` |", "| `high::c` | `low::b` |"];
    let (a, b) = ("use crate::low::a::A;", "use crate::low::b::B;");
    assert_eq!(against_the_table(&lib(b, a), &page(&rows, "")), [""; 0]);
    assert_eq!(against_the_table(&lib(b, &format!("{a} {b}")), &page(&rows, "")), ["high::d may not import low::b::B"]);
    let gone = page(&["| `low` | |", "| `high` | `low`, not `low::x` |"], "");
    assert_eq!(against_the_table(&lib(b, a), &gone), ["the row of high keeps out low::x, which is not there"]);
}

#[test]
fn the_table_has_every_module_and_no_other_and_points_up_only() {
    let tree = made_up(&[("lib.rs", "mod low {} mod high { use crate::low; }")]);
    let unknown = ["high has no row", "high may not import low"];
    assert_eq!(against_the_table(&tree, &page(&TWO[..1], "")), unknown);
    let gone = page(&["| `low` | |", "| `high` | `low` |", "| `gone` | |"], "");
    assert_eq!(against_the_table(&tree, &gone), ["gone has a row and is not there"]);
    let idle = page(&["| `low` | |", "| `high` | `low`, `low::low` |"], "");
    assert_eq!(against_the_table(&tree, &idle), ["the row of high names low::low, which it does not import"]);
    let tree = made_up(&[("lib.rs", "mod low { use crate::high; } mod high {}")]);
    let down = page(&["| `low` | `high` |", "| `high` | |"], "");
    assert_eq!(against_the_table(&tree, &down), ["the row of low names high, which does not stand above it"]);
}

fn named(tree: &Tree) -> Vec<String> {
    rings(tree).into_iter().map(|ring| ring.name).collect()
}

#[test]
fn a_ring_is_found_among_siblings_and_only_there() {
    let files = |a, b, c| {
        let lib = "mod room { pub struct Parent; mod a; mod b; mod c { pub mod below; } }";
        made_up(&[("lib.rs", lib), ("room/a.rs", a), ("room/b.rs", b), ("room/c/below.rs", c)])
    };
    let (to_a, to_b, to_c) = ("use super::a::A;", "use super::b::B;", "use crate::room::c::below::C;");
    assert_eq!(named(&files(to_b, to_a, "")), ["room::{a, b}"]);
    assert_eq!(named(&files(to_b, to_c, "use super::super::a;")), ["room::{a, b, c}"], "around, and from below");
    assert_eq!(named(&files(to_b, to_c, "use super::super::Parent;")), [""; 0], "a parent is no sibling");
    let two =
        "mod room { mod a { use super::b; } mod b { use super::a; } mod c { use super::d; } mod d { use super::c; } }";
    assert_eq!(named(&made_up(&[("lib.rs", two)])), ["room::{a, b}", "room::{c, d}"]);
    assert_eq!(named(&made_up(&[("lib.rs", "mod a { use super::b; } mod b { use super::a; }")])), ["crate::{a, b}"]);
}

#[test]
fn what_a_parent_passes_on_counts_where_it_comes_from() {
    let by_parent = "mod room { use a::A; mod a { use super::b; pub struct A; } mod b { use super::A; } }";
    assert_eq!(named(&made_up(&[("lib.rs", by_parent)])), ["room::{a, b}"]);
    let by_name = "mod room { mod a { use super::b; } mod b { use crate::room; fn f() { room::a::f() } } }";
    assert_eq!(named(&made_up(&[("lib.rs", by_name)])), ["room::{a, b}"]);
}

#[test]
fn what_acts_is_found_in_a_module_that_computes() {
    let found = |sum| not_pure(&made_up(&[("lib.rs", "mod sum;"), ("sum.rs", sum)]), &page(&[], "`sum`"));
    assert_eq!(found("use std::time::Duration; use crate::x; fn f() { memchr::memchr(1, &[]); }"), [""; 0]);
    let acts = [
        ("use tokio::sync::Mutex;", "tokio::sync::Mutex"),
        ("fn f() { tokio::spawn(async {}); }", "tokio::spawn"),
        ("fn f() { tokio::select! {} }", "tokio::select"),
        ("use std::time::{Duration, Instant};", "std::time::Instant"),
        ("use std::time; fn f() { time::SystemTime::now(); }", "std::time::SystemTime::now"),
        ("use std::{fs, net};", "std::fs"),
        ("fn f() { println!(\"{:?}\", std::fs::read(\"x\")); }", "std::fs::read"),
        ("mod inside { use hyper::server::conn::http1; }", "hyper::server::conn::http1"),
        ("fn f() -> f64 { fastrand::f64() }", "fastrand::f64"),
        ("use uuid::Uuid; fn f() { Uuid::now_v7(); }", "uuid::Uuid::now_v7"),
        ("use jiff::{Timestamp, Zoned}; fn f() { Timestamp::now(); }", "jiff::Timestamp::now"),
        ("use jiff::Zoned; fn f() { Zoned::now(); }", "jiff::Zoned::now"),
    ];
    let counts =
        [("lib.rs", "mod observe { pub mod metrics {} } mod sum;"), ("sum.rs", "use crate::observe::metrics;")];
    let wrong = not_pure(&made_up(&counts), &page(&[], "`sum`"));
    assert_eq!(wrong, ["sum is pure and imports crate::observe::metrics"]);
    for (sum, path) in acts {
        let wrong = found(sum);
        assert!(wrong.iter().any(|wrong| wrong.ends_with(&format!(" is pure and imports {path}"))), "{sum}: {wrong:?}");
    }
    assert_eq!(not_pure(&made_up(&[("lib.rs", "")]), &page(&[], "`sum`")), ["sum is listed as pure and is not there"]);
}
