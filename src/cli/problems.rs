//! What is wrong with a configuration, as a command says it.

use super::print;
use super::words::words;
use crate::config::Problems;
use serde_json::json;
use std::io::Write;
use std::process::ExitCode;

/// Shows everything that is wrong with a configuration.
pub(super) fn print(problems: &Problems, as_json: bool) -> anyhow::Result<ExitCode> {
    if as_json {
        let list: Vec<_> = problems.list.iter().map(ToString::to_string).collect();
        print::json(&json!({ "usable": false, "problems": list }))?;
    } else {
        writeln!(std::io::stderr(), "{}", words().problems(problems))?;
    }
    Ok(ExitCode::FAILURE)
}
