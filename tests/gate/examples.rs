//! Every file in `examples/` is what its page says: the configuration is usable, the callback beside it is read, and the
//! answer beside it counts.

use crate::program::command;
use std::path::{Path, PathBuf};

/// The key that the signs in the examples were made with (Python's hashlib).
const KEY: &str = "9f3c1b7ad2e84605b1f27c3d6e5a4890";

/// The files that examples of API v3 name.
const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wechatpay-v3/keys");

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

fn examples() -> Vec<PathBuf> {
    let files = std::fs::read_dir(FOLDER).unwrap().map(|file| file.unwrap().path());
    let mut all: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "yaml")).collect();
    all.sort();
    assert!(all.len() >= 7, "{all:?}");
    all
}

/// Runs the program on one example, with the same key for each of its merchants, and the files that it names beside it.
fn run(config: &Path, args: &[&str]) -> crate::program::Ended {
    let text = std::fs::read_to_string(config).unwrap();
    let names: Vec<&str> = text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect();
    let (files, variables): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| name.starts_with("file:"));
    let variables: Vec<_> = variables.into_iter().map(|name| (name, KEY)).collect();
    let dir = tempfile::tempdir().unwrap();
    for name in files.iter().map(|file| file.trim_start_matches("file:")) {
        std::fs::copy(Path::new(KEYS).join(name), dir.path().join(name)).unwrap();
    }
    let copy = dir.path().join(config.file_name().unwrap());
    std::fs::copy(config, &copy).unwrap();
    let args = [args, &["--config", copy.to_str().unwrap()]].concat();
    command(&args, &variables)
}

#[test]
fn every_example_is_usable_and_nothing_in_it_is_unsaid() {
    for config in examples() {
        let ended = run(&config, &["check"]);
        assert_eq!(ended.code, 0, "{}: {}{}", config.display(), ended.stdout, ended.stderr);
        assert!(!ended.stderr.contains("unknown key"), "{}", ended.stderr);
        let page = std::fs::read_to_string(format!("{FOLDER}/README.md")).unwrap();
        let name = config.file_name().unwrap().to_str().unwrap();
        assert!(page.contains(&format!("({name})")), "README.md does not name {name}");
    }
}

#[test]
fn the_callback_beside_each_example_is_read() {
    for config in examples() {
        let saved = config.with_extension("http");
        let ended = run(&config, &["verify", "--file", saved.to_str().unwrap()]);
        assert_eq!(ended.code, 0, "{}: {}{}", config.display(), ended.stdout, ended.stderr);
    }
}

#[test]
fn the_answer_beside_each_example_counts_and_a_page_of_errors_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let failed = dir.path().join("failed.answer");
    std::fs::write(
        &failed,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<h1>Fatal error</h1> unsuccessful, not ok",
    )
    .unwrap();
    for config in examples() {
        let answer = config.with_extension("answer");
        if !answer.exists() {
            continue;
        }
        let text = std::fs::read_to_string(&config).unwrap();
        let route = text.split("- name: ").last().unwrap().lines().next().unwrap();
        let judge = |answer: &Path| run(&config, &["verify", "--route", route, "--answer", answer.to_str().unwrap()]);
        let ended = judge(&answer);
        assert_eq!(ended.code, 0, "{}: {}{}", config.display(), ended.stdout, ended.stderr);
        let ended = judge(&failed);
        assert_eq!(ended.code, 1, "{}: {}{}", config.display(), ended.stdout, ended.stderr);
    }
}
