//! What comments cite is in the repository: pages and their headings, sections of the reference, threats and invariants.

use crate::pages::{anchor, anchors, leads_nowhere, prose};
use std::collections::{BTreeMap, BTreeSet};

/// Where comments are, and what ends the names of the files there; a name without a dot is a script's.
const FOLDERS: &[&str] = &["src", "tests", "benches", "deploy", "examples", ".ci"];
const ENDS: &[&str] = &["rs", "sql", "py", "c", "js", "mjs", "css", "yaml", "yml", "toml"];
const AT_THE_ROOT: &[&str] =
    &["Makefile", "Dockerfile", "Cargo.toml", "deny.toml", "clippy.toml", "typos.toml", "config.yaml"];

/// What begins a comment.
const MARKS: &[&str] = &["//!", "///", "//", "#", "--", "/*", "*"];

/// The references whose sections have numbers.
const REFERENCES: &[&str] = &["docs/reference/wechatpay-v2.md", "docs/reference/wechatpay-v3.md"];

/// What can be cited.
struct Known {
    threats: BTreeSet<String>,
    invariants: BTreeSet<String>,
    sections: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Known {
    /// `reference` reads one of the references.
    fn read(threat_model: &str, reference: &dyn Fn(&str) -> String) -> Self {
        let words: BTreeSet<_> = words(threat_model).map(str::to_owned).collect();
        Self {
            threats: words.iter().filter(|word| is_threat(word)).cloned().collect(),
            invariants: words.iter().filter(|word| is_invariant(word)).cloned().collect(),
            sections: REFERENCES.iter().map(|page| (*page, numbers(&reference(page)))).collect(),
        }
    }

    /// Whether one of these pages, if it is a reference, has a section of this number.
    fn has_section(&self, pages: &[&str], number: &str) -> bool {
        pages.iter().filter_map(|page| self.sections.get(page)).any(|sections| sections.contains(number))
    }
}

/// The numbers of a page's headings.
fn numbers(page: &str) -> BTreeSet<String> {
    let headings = prose(page).filter(|(_, line)| line.starts_with('#'));
    let number = |heading: &str| heading.trim_start_matches('#').split_whitespace().next().map(str::to_owned);
    headings.filter_map(|(_, line)| number(line)).map(|number| trimmed(&number).to_owned()).collect()
}

/// Words, with the marks inside them that ids, numbers and paths have.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_inside = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    text.split(move |c| !is_inside(c)).map(trimmed).filter(|word| !word.is_empty())
}

fn trimmed(word: &str) -> &str {
    word.trim_end_matches(['.', '-'])
}

/// `P-01`.
fn is_threat(word: &str) -> bool {
    matches!(word.as_bytes(), [letter, b'-', a, b] if letter.is_ascii_uppercase() && a.is_ascii_digit() && b.is_ascii_digit())
}

/// `I4`.
fn is_invariant(word: &str) -> bool {
    word.strip_prefix('I').is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Comments of a file, each one in one line, with the number of its first line.
fn comments(text: &str) -> Vec<(usize, String)> {
    let mut comments: Vec<(usize, String)> = Vec::new();
    let mut is_open = false;
    for (at, line) in text.lines().enumerate() {
        let whole = MARKS.iter().find_map(|mark| line.trim_start().strip_prefix(mark));
        let behind = || line.split_once(" // ").or_else(|| line.split_once(" # ")).map(|(_, comment)| comment);
        let Some(comment) = whole.or_else(behind) else {
            is_open = false;
            continue;
        };
        match comments.last_mut().filter(|_| is_open && whole.is_some()) {
            Some((_, before)) => {
                before.push(' ');
                before.push_str(comment.trim());
            }
            None => comments.push((at + 1, comment.trim().to_owned())),
        }
        is_open = whole.is_some();
    }
    comments
}

/// What a comment cites and is not there. `page` reads a page; `references` are those that its file names, whose sections
/// it then may call by their numbers alone.
fn dangling(comment: &str, references: &[&str], known: &Known, page: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let has_invariants = comment.contains("nvariant");
    let mut of = references.to_vec();
    let mut is_section = false;
    for word in words(comment) {
        if is_threat(word) && !known.threats.contains(word) {
            wrong.push(format!("no threat {word}"));
        }
        if has_invariants && is_invariant(word) && !known.invariants.contains(word) {
            wrong.push(format!("no invariant {word}"));
        }
        if word.contains("../shared") {
            wrong.push(format!("{word} is not in the repository"));
        }
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if word.ends_with(".md") || word == "RFC" {
            of = vec![word];
        }
        // No other page numbers its sections.
        let is_known = of == ["RFC"] || known.has_section(&of, word);
        if is_section && is_number && !is_known {
            let of = if of.is_empty() { "anything".to_owned() } else { of.join(" or ") };
            wrong.push(format!("no section {word} of {of}"));
        }
        is_section =
            matches!(word, "section" | "sections") || is_section && (is_number || matches!(word, "and" | "to"));
    }
    for (named, behind) in comment.split(".md").zip(comment.split(".md").skip(1)) {
        let is_path = |c: char| c.is_ascii_alphanumeric() || "_-./*:".contains(c);
        let path = named.rsplit(|c| !is_path(c)).next().unwrap();
        let path = format!("{path}.md");
        if path.contains("://")
            || path.contains('*')
            || path.starts_with('.')
            || behind.starts_with(is_path) && !behind.starts_with(['.', ':'])
        {
            continue;
        }
        let Some(text) = page(&path) else {
            wrong.push(format!("no page {path}"));
            continue;
        };
        let heading = behind.trim_start_matches('`').strip_prefix(", \"").and_then(|rest| rest.split('"').next());
        if let Some(heading) = heading.filter(|heading| !anchors(&text).contains(&anchor(heading))) {
            wrong.push(format!("no heading \"{heading}\" in {path}"));
        }
    }
    wrong
}

fn page(path: &str) -> Option<String> {
    std::fs::read_to_string(crate::root().join(path)).ok()
}

#[test]
fn what_comments_cite_is_there() {
    let known = Known::read(&crate::text("docs/threat-model.md"), &|page| crate::text(page));
    let is_read = |path: &String| {
        let name = path.rsplit('/').next().unwrap();
        name.rsplit_once('.').is_none_or(|(_, end)| ENDS.contains(&end)) && !name.ends_with(".min.js")
    };
    let below = FOLDERS.iter().flat_map(|folder| crate::files(folder, "")).filter(is_read);
    let mut wrong = Vec::new();
    for path in below.chain(AT_THE_ROOT.iter().map(|path| (*path).to_owned())) {
        let Some(text) = page(&path) else {
            assert!(!AT_THE_ROOT.contains(&path.as_str()), "{path} is not there");
            continue;
        };
        let references: Vec<_> = REFERENCES.iter().copied().filter(|page| text.contains(page)).collect();
        for (line, comment) in comments(&text) {
            let dangling = dangling(&comment, &references, &known, &page);
            wrong.extend(dangling.into_iter().map(|what| format!("{path}:{line} {what}")));
        }
    }
    assert!(wrong.is_empty(), "cited and not there:\n{}", wrong.join("\n"));
}

/// Pages that a text names, with the heading or without: `docs/operating.md#the-journal`.
fn named_pages(text: &str) -> impl Iterator<Item = String> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "_-./#".contains(c);
    text.split("docs/").skip(1).filter_map(move |rest| {
        let named = rest.split(|c| !is_path(c)).next().unwrap().trim_end_matches('.');
        named.contains(".md").then(|| format!("docs/{named}"))
    })
}

#[test]
fn what_the_program_sends_people_to_is_there() {
    let mut wrong = Vec::new();
    for path in crate::files("src", "").into_iter().filter(|path| path.ends_with(".rs") || path.ends_with(".html")) {
        let gone: Vec<_> = named_pages(&crate::text(&path)).filter(|target| leads_nowhere(target)).collect();
        wrong.extend(gone.into_iter().map(|target| format!("{path} {target}")));
    }
    assert!(wrong.is_empty(), "named and not there:\n{}", wrong.join("\n"));
    let named: Vec<_> = named_pages("\"read docs/gone.md#x.\", docs/config.md and docs/").collect();
    assert_eq!(named, ["docs/gone.md#x", "docs/config.md"]);
}

#[test]
fn a_comment_that_cites_what_is_not_there_is_found() {
    let reference = |page: &str| match page {
        "docs/reference/wechatpay-v2.md" => "# x\n\n## 2. Signature\n\n### 2.1 The vector\n\n## 10. Bill\n".to_owned(),
        _ => "# x\n\n## 6. Notification\n\n### 6.5 Acknowledgement\n".to_owned(),
    };
    let known = Known::read("| P-01 | x |\n\n**I4** and I7", &reference);
    let page = |path: &str| {
        (path == "docs/config.md" || REFERENCES.contains(&path)).then(|| "## Whose number is it\n".to_owned())
    };
    let found = |comment: &str| dangling(comment, &[], &known, &page);
    for fine in [
        "(threat P-01, invariant I4)",
        "docs/config.md, \"Whose number is it\".",
        "`docs/config.md`, \"Whose number is it\".",
        "see docs/reference/wechatpay-v2.md section 2.1, and sections 2 and 10.",
        "`docs/reference/wechatpay-v3.md` section 6.5",
        "RFC 9112 section 3.2",
        "https://example.com/x.md and I18n, UTF-16, docs/*.md",
    ] {
        assert_eq!(found(fine), [""; 0], "{fine}");
    }
    assert_eq!(dangling("sections 2.1 and 6", REFERENCES, &known, &page), [""; 0], "the file names both references");
    let of_one = dangling("section 2.1", &REFERENCES[1..], &known, &page);
    assert_eq!(of_one, ["no section 2.1 of docs/reference/wechatpay-v3.md"], "the file names the other");
    for (comment, what) in [
        ("threat P-02", "no threat P-02"),
        ("threats P-01 and Z-01", "no threat Z-01"),
        ("invariants I4, I5", "no invariant I5"),
        ("docs/gone.md", "no page docs/gone.md"),
        ("`wechatpay-v2.md` section 2", "no page wechatpay-v2.md"),
        ("docs/config.md, \"Gone\"", "no heading \"Gone\" in docs/config.md"),
        ("docs/reference/wechatpay-v2.md section 3", "no section 3 of docs/reference/wechatpay-v2.md"),
        ("docs/reference/wechatpay-v2.md sections 2, 2.1 and 2.2", "no section 2.2 of docs/reference/wechatpay-v2.md"),
        ("docs/reference/wechatpay-v3.md section 2.1", "no section 2.1 of docs/reference/wechatpay-v3.md"),
        ("the table of design section 3", "no section 3 of anything"),
        ("docs/config.md section 9", "no section 9 of docs/config.md"),
        ("../shared/x.txt", "../shared/x.txt is not in the repository"),
    ] {
        assert!(found(comment).iter().any(|wrong| wrong == what), "{comment}: {:?}", found(comment));
    }
}

#[test]
fn comments_are_read_whole_and_code_is_not() {
    let text = "//! One\n//! two.\nlet x = \"P-99\"; // three\n// four\n\n    # five\n";
    let found: Vec<_> = comments(text);
    let found: Vec<_> = found.iter().map(|(line, comment)| (*line, comment.as_str())).collect();
    assert_eq!(found, [(1, "One two."), (3, "three"), (4, "four"), (6, "five")]);
}
