//! README.zh-CN.md keeps step with README.md.

use crate::pages::prose;
use std::collections::BTreeSet;

/// What a translation keeps of a section.
#[derive(Debug, Default, PartialEq)]
struct Section {
    /// How many `#` its heading has.
    depth: usize,
    /// Rows of tables.
    rows: usize,
    /// Where its links lead to, sorted.
    links: Vec<String>,
    /// Lines of code without their comments, but for those that are translated.
    code: Vec<String>,
}

/// A page by its headings.
fn sections(page: &str) -> Vec<(String, Section)> {
    let mut sections = vec![(String::new(), Section::default())];
    let outside: BTreeSet<usize> = prose(page).map(|(line, _)| line).collect();
    for (at, line) in page.lines().enumerate() {
        if !outside.contains(&(at + 1)) {
            sections.last_mut().unwrap().1.code.push(code(line));
            continue;
        }
        if line.starts_with('#') {
            let depth = line.bytes().take_while(|byte| *byte == b'#').count();
            sections.push((line.to_owned(), Section { depth, ..Section::default() }));
            continue;
        }
        let (_, section) = sections.last_mut().unwrap();
        section.rows += usize::from(line.starts_with('|'));
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let targets = targets.filter(|target| !target.is_empty() && !target.starts_with("README"));
        section.links.extend(targets.map(str::to_owned));
        section.links.sort();
    }
    sections
}

/// A line of code as far as nobody translates it. Pictures are as wide as their words.
fn code(line: &str) -> String {
    let line = line.split(" #").next().unwrap_or(line).trim_end();
    let mut code = if line.is_ascii() && !line.starts_with('#') { line.to_owned() } else { String::new() };
    let mut last = ' ';
    code.retain(|c| std::mem::replace(&mut last, c) != c || !" -".contains(c));
    code
}

/// What differs between a page and its translation.
fn out_of_step(page: &str, translated: &str) -> Vec<String> {
    let (page, translated) = (sections(page), sections(translated));
    let depths = |sections: &[(String, Section)]| sections.iter().map(|(_, section)| section.depth).collect::<Vec<_>>();
    let headings =
        |sections: &[(String, Section)]| sections.iter().map(|(heading, _)| heading.clone()).collect::<Vec<_>>();
    if depths(&page) != depths(&translated) {
        let (page, translated) = (headings(&page).join("\n"), headings(&translated).join("\n"));
        return vec![format!("not the same headings, as deep, in the same order:\n{page}\n\n{translated}")];
    }
    let mut different = Vec::new();
    for ((heading, section), (other_heading, other)) in page.iter().zip(&translated) {
        let between = format!("{heading:?} and {other_heading:?}");
        if section.rows != other.rows {
            different.push(format!("{between}: {} and {} rows of tables", section.rows, other.rows));
        }
        if section.links != other.links {
            different.push(format!("{between}: links to {:?} and {:?}", section.links, other.links));
        }
        if section.code.len() != other.code.len() {
            different.push(format!("{between}: {} and {} lines of code", section.code.len(), other.code.len()));
        }
        let pairs = section.code.iter().zip(&other.code).filter(|(line, other)| !line.is_empty() && !other.is_empty());
        different.extend(
            pairs
                .filter(|(line, other)| line != other)
                .map(|(line, other)| format!("{between}: {line:?} and {other:?}")),
        );
    }
    different
}

#[test]
fn the_chinese_readme_keeps_step() {
    let different = out_of_step(&crate::text("README.md"), &crate::text("README.zh-CN.md"));
    assert!(different.is_empty(), "README.md and README.zh-CN.md:\n{}", different.join("\n"));
}

#[test]
fn a_translation_that_lags_behind_is_found() {
    let page = "# A\n\n[x](docs/x.md)\n\n## B\n\n```sh\nmake demo # the demo\n```\n\n| a |\n|---|\n";
    let translated = "# 甲\n\n[叉](docs/x.md)\n\n## 乙\n\n```sh\nmake demo # 演示\n```\n\n| 甲 |\n|---|\n";
    assert_eq!(out_of_step(page, translated), [""; 0]);
    let lags = [
        ("## 乙", "### 乙"),
        ("## 乙\n", ""),
        ("docs/x.md", "docs/y.md"),
        ("make demo", "make test"),
        ("make demo", "make demo\nmake test"),
        ("|---|", "|---|\n| 乙 |"),
    ];
    for (from, to) in lags {
        assert_ne!(out_of_step(page, &translated.replace(from, to)), [""; 0], "{from} {to}");
    }
}
