//! One version of Rust: declared, told to readers, and used for the image. One set of features: built, checked and shipped.

/// `1.95` of Cargo.toml.
fn declared() -> String {
    let manifest = crate::text("Cargo.toml");
    let line = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    line.trim_matches('"').to_owned()
}

#[test]
fn the_image_is_built_with_the_declared_version_of_rust() {
    let from = format!("FROM rust:{}-slim-", declared());
    assert!(crate::text("Dockerfile").contains(&from), "Dockerfile has no {from}");
}

#[test]
fn readers_are_told_the_declared_version_of_rust() {
    for page in ["README.md", "README.zh-CN.md"] {
        let text = crate::text(page);
        let line = text.lines().find(|line| line.contains("https://rustup.rs")).unwrap();
        assert!(line.contains(&declared()), "{page} says: {line}");
    }
}

#[test]
fn the_image_has_by_itself_the_features_that_make_gives_it() {
    let makefile = crate::text("Makefile");
    let shipped = makefile.lines().find_map(|line| line.strip_prefix("FEATURES ?= ")).unwrap();
    let argument = format!("ARG FEATURES={shipped}");
    assert!(crate::text("Dockerfile").lines().any(|line| line == argument), "Dockerfile has no {argument}");
}

/// Modules of `tests/gate/main.rs` that the Makefile filters by and that are not there.
fn filters_gone(makefile: &str, main: &str) -> Vec<String> {
    let filters = makefile.lines().find_map(|line| line.strip_prefix("FEATURES_OUTSIDE ?= ")).unwrap();
    let is_there = |filter: &&str| {
        let module = filter.trim_end_matches("::");
        main.lines().any(|line| line == format!("mod {module};"))
    };
    filters.split_whitespace().filter(|filter| !is_there(filter)).map(str::to_owned).collect()
}

#[test]
fn what_is_tested_without_features_is_there() {
    assert_eq!(filters_gone(&crate::text("Makefile"), &crate::text("tests/gate/main.rs")), [""; 0]);
}

#[test]
fn a_filter_whose_module_has_another_name_now_is_found() {
    assert_eq!(filters_gone("FEATURES_OUTSIDE ?= old:: kept::\n", "mod new;\n\nmod kept;\n"), ["old::"]);
}
