//! The house from outside: who imports whom, and whether the pages name what is there. These tests start nothing; they
//! read sources and pages as text and hold them to each other.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "helpers of tests fail by panicking, and a test binary has no outside"
)]

mod tree;

mod imports;

mod rings;

mod table;

mod layers;

mod pages;

mod citations;

mod headings;

mod versions;

use std::path::{Path, PathBuf};

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository.
fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file below a folder whose name ends so, sorted; paths from the root of the repository.
fn files(folder: &str, end: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in root().join(&folder).read_dir().unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                // What npm has put there is not ours.
                folders.extend((entry.file_name() != "node_modules").then_some(path));
            } else if path.to_str().unwrap().ends_with(end) {
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}
