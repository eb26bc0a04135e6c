//! What the pages name is there: files, modules, links.

use crate::layers::tree;
use crate::table::spread;
use crate::tree::{Tree, names, shown};
use std::collections::BTreeSet;
use std::path::Path;

/// Pages that tell how things are. The changelog tells how they were.
fn pages() -> Vec<String> {
    let at_the_root = ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "README.zh-CN.md", "SECURITY.md"];
    let there = at_the_root.into_iter().filter(|page| crate::root().join(page).exists());
    let beside =
        ["deploy", "examples", "src", "tests"].into_iter().flat_map(|folder| crate::files(folder, "README.md"));
    there.map(str::to_owned).chain(crate::files("docs", ".md")).chain(beside).collect()
}

/// The lines of a page that are not in a block of code, with their numbers.
pub fn prose(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    page.lines().enumerate().map(|(at, line)| (at + 1, line)).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// What stands in backticks on a line.
fn code(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether a word names a file of the repository that is not there.
fn is_missing_file(word: &str, is_there: &dyn Fn(&str) -> bool, ends: &dyn Fn(&str) -> bool) -> bool {
    // A place for a name ends what can be looked up: `tests/gate/<behaviour>.rs`.
    let word = word.split(['<', '*']).next().unwrap_or(word).trim_end_matches('/');
    let is_path = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let Some((first, _)) = word.split_once('/').or((!word.is_empty()).then_some((word, ""))) else { return false };
    if !word.chars().all(is_path) || first.is_empty() || first.starts_with('.') && first != ".ci" || first == "target" {
        return false;
    }
    let in_src = format!("src/{word}");
    let is_found = is_there(word) || is_there(&in_src) || is_there(&format!("{in_src}.rs"));
    if word.ends_with(".rs") {
        return !is_found && !ends(&format!("/{word}"));
    }
    let is_ours = word.contains('/') && (is_there(first) || is_there(&format!("src/{first}")));
    (is_ours || word.ends_with(".md")) && !is_found && !is_there(&format!("docs/{word}"))
}

/// Whether a word names a module, or something in one, that is not there. The first names may be left out.
fn is_missing_module(word: &str, tree: &Tree) -> bool {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "_:".contains(c);
    if !word.contains("::") || !word.chars().all(is_path) || word.starts_with(':') {
        return false;
    }
    let path = names(word.trim_start_matches("tollgate::"));
    let mut modules = tree.modules.iter();
    !modules.any(|(module, inside)| {
        let lengths = (0..=path.len().min(module.len())).rev();
        let known = lengths.filter(|length| module.ends_with(&path[..*length])).map(|length| &path[length..]);
        let mut items = known.filter(|items| items.len() < path.len() || items[0].starts_with(char::is_uppercase));
        items.any(|items| items.iter().all(|item| inside.words.contains(item)))
    })
}

/// Files and modules that a page names and that are not there.
fn not_there(page: &str, tree: &Tree) -> Vec<String> {
    let all: Vec<String> = ["src", "tests", "benches"].iter().flat_map(|folder| crate::files(folder, ".rs")).collect();
    let is_there = |path: &str| crate::root().join(path).exists();
    let ends = |end: &str| all.iter().any(|path| path.ends_with(end));
    // Other pages have words of other crates too.
    let is_of_modules = page == "ARCHITECTURE.md";
    let is_ours = |word: &str| tree.modules.contains_key(&names(word)[..1]) || word.starts_with("tollgate::");
    let text = crate::text(page);
    let mut missing = if is_of_modules { left_out_of_the_map(&text, tree) } else { Vec::new() };
    for (line, text) in prose(&text) {
        for code in code(text).flat_map(spread) {
            if (is_of_modules || is_ours(&code)) && is_missing_module(&code, tree) {
                missing.push(format!("{page}:{line} {code}"));
            }
            let files = code.split_whitespace().filter(|word| is_missing_file(word, &is_there, &ends));
            missing.extend(files.map(|word| format!("{page}:{line} {word}")));
        }
    }
    missing
}

/// The map of ARCHITECTURE.md names modules from the root on, and every module at it.
fn left_out_of_the_map(page: &str, tree: &Tree) -> Vec<String> {
    let map = page.split("\n## ").find(|section| section.starts_with("The map")).unwrap();
    let rows = map.lines().filter(|line| line.starts_with("| `"));
    let first = rows.flat_map(|row| code(row.split('|').nth(1).unwrap())).flat_map(spread).map(|path| names(&path));
    let named: BTreeSet<_> = first.filter(|path| path.last().unwrap() != "...").collect();
    let gone = named.iter().filter(|path| !tree.modules.contains_key(*path));
    let gone = gone.map(|path| format!("the map has {}, which is no module from the root", shown(path)));
    let at_the_root = tree.modules.keys().filter(|module| module.len() == 1);
    let left_out = at_the_root.filter(|module| !named.iter().any(|named| named.starts_with(module)));
    gone.chain(left_out.map(|module| format!("the map leaves out {}", shown(module)))).collect()
}

#[test]
fn every_file_and_module_named_on_a_page_is_there() {
    for page in pages() {
        let missing = not_there(&page, tree());
        assert!(missing.is_empty(), "named and not there:\n{}", missing.join("\n"));
    }
}

/// The name of a heading in a link, as GitHub makes it.
pub fn anchor(heading: &str) -> String {
    let is_kept = |c: &char| c.is_alphanumeric() || "_- ".contains(*c);
    heading.trim_start_matches('#').trim().to_lowercase().chars().filter(is_kept).collect::<String>().replace(' ', "-")
}

/// Anchors of every heading of a page.
pub fn anchors(page: &str) -> BTreeSet<String> {
    prose(page).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| anchor(line)).collect()
}

/// Whether a path from the root, with a heading or without, is not there.
pub fn leads_nowhere(target: &str) -> bool {
    let (path, part) = target.split_once('#').unwrap_or((target, ""));
    !crate::root().join(path).exists()
        || !part.is_empty() && path.ends_with(".md") && !anchors(&crate::text(path)).contains(part)
}

/// Where alerts send people: `runbook: docs/operating.md#the-journal`.
fn runbooks(rules: &str) -> Vec<&str> {
    rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("runbook: "))
        .map(|target| target.trim_matches('"'))
        .collect()
}

#[test]
fn every_alert_has_a_runbook_that_is_there() {
    let rules = crate::text("deploy/prometheus/tollgate.rules.yml");
    let runbooks = runbooks(&rules);
    assert_eq!(runbooks.len(), rules.matches("- alert: ").count(), "an alert has no runbook");
    let gone: Vec<_> = runbooks.into_iter().filter(|target| leads_nowhere(target)).collect();
    assert!(gone.is_empty(), "runbooks that lead nowhere: {gone:?}");
}

#[test]
fn a_runbook_that_leads_nowhere_is_found() {
    let found =
        runbooks("- alert: A\n  annotations:\n    runbook: docs/gone.md\n    runbook: \"docs/operating.md#gone\"\n");
    assert_eq!(found, ["docs/gone.md", "docs/operating.md#gone"]);
    assert!(found.into_iter().all(leads_nowhere));
    assert!(!leads_nowhere("docs/operating.md#the-journal") && !leads_nowhere("docs/config.md"));
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages().into_iter().chain(["CHANGELOG.md".to_owned()]) {
        let text = crate::text(&page);
        for (line, prose) in prose(&text) {
            for target in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                if target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                let folder = Path::new(&page).parent().unwrap();
                let target = if target.starts_with('#') {
                    format!("{page}{target}")
                } else {
                    folder.join(target).to_str().unwrap().to_owned()
                };
                if leads_nowhere(&target) {
                    broken.push(format!("{page}:{line} {target}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn a_file_that_is_not_there_is_found_however_it_is_named() {
    let there =
        ["src", "src/gate", "src/gate/decide.rs", "src/clock.rs", "tests", "tests/gate", "docs/config.md", ".ci"];
    let is_there = |path: &str| there.contains(&path);
    let ends = |end: &str| there.iter().any(|path| path.ends_with(end));
    for fine in [
        "src/gate/decide.rs",
        "gate/decide.rs",
        "decide.rs",
        "gate/decide",
        "clock.rs",
        "tests/gate/<behaviour>.rs",
        "docs/config.md",
        "config.md",
        "text/xml",
        "/pay/success",
        "application/json",
        "2/c1",
        "http://127.0.0.1",
        "target/release/x",
        "../shared/x.rs",
        "my.yaml",
    ] {
        assert!(!is_missing_file(fine, &is_there, &ends), "{fine}");
    }
    for gone in [
        "src/gate/walk.rs",
        "gate/walk.rs",
        "walk.rs",
        "gate/walk",
        "tests/wait/<x>.rs",
        "docs/x.md",
        "x.md",
        ".ci/run",
        "src/x.c",
    ] {
        assert!(is_missing_file(gone, &is_there, &ends), "{gone}");
    }
}

#[test]
fn a_map_that_is_not_true_is_found() {
    let tree = Tree::read("src/lib.rs", &|_| Some("mod low { mod a {} } mod high { mod b {} }".to_owned()));
    let page =
        |rows: &str| left_out_of_the_map(&format!("## x\n\n## The map\n\n{rows}\n\n## y\n\n| `z` | z |\n"), &tree);
    assert_eq!(page("| `low` | x `y` |\n| `low::{a, ...}` | y |\n| `high::b` | z |"), [""; 0]);
    let wrong = ["the map has a, which is no module from the root", "the map leaves out high"];
    assert_eq!(page("| `low` | x |\n| `a` | y |"), wrong);
}

#[test]
fn a_module_that_is_not_there_is_found_however_it_is_named() {
    let lib = "mod gate { mod decide { pub struct Confirmed; impl Confirmed { fn new() {} } } }";
    let tree = Tree::read("src/lib.rs", &|_| Some(lib.to_owned()));
    for fine in [
        "gate::decide",
        "decide::Confirmed",
        "gate::decide::Confirmed::new",
        "Confirmed::new",
        "tollgate::gate::decide",
        "clock",
    ] {
        assert!(!is_missing_module(fine, &tree), "{fine}");
    }
    for gone in
        ["gate::walk", "walk::decide", "decide::Passed", "Confirmed::old", "gate::decide::Confirmed::old", "old::new"]
    {
        assert!(is_missing_module(gone, &tree), "{gone}");
    }
}
