//! `tollgate man`: the manual, a page for each command.

use super::Cli;
use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `tollgate man`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
  tollgate man | man -l -                        read the first page
  tollgate man --dir /usr/local/share/man/man1   install all of them

Exit codes: 0 written, 1 it cannot be written, 2 wrong usage.")]
pub(super) struct Args {
    /// Write a page for each command into this directory, which is made if it is not there. Without it the first page
    /// is printed.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let pages = pages()?;
    if let Some(directory) = &args.dir {
        std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        for (name, page) in pages {
            let file = directory.join(name);
            std::fs::write(&file, page).with_context(|| format!("cannot write {}", file.display()))?;
        }
    } else if let Some((_, page)) = pages.first() {
        super::print::out().write_all(page)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Every page with its file's name, the program's own first.
fn pages() -> std::io::Result<Vec<(String, Vec<u8>)>> {
    // Names such as `tollgate journal export` are there once it is built, and `help` needs no page.
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let mut pages = Vec::new();
    write(&program, &mut pages)?;
    Ok(pages)
}

fn write(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render(&mut page)?;
    let name = man.get_filename();
    // A page of one line, which leads to the page of the name that the alias stands for.
    let before = name.strip_suffix(".1").and_then(|name| name.strip_suffix(command.get_name())).unwrap_or_default();
    for alias in command.get_visible_aliases() {
        pages.push((format!("{before}{alias}.1"), format!(".so man1/{name}\n").into_bytes()));
    }
    pages.push((name, page));
    command.get_subcommands().filter(|command| !command.is_hide_set()).try_for_each(|command| write(command, pages))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let pages = pages().unwrap();
        let names: Vec<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.first(), Some(&"tollgate.1"));
        assert!(names.contains(&"tollgate-run.1"), "{names:?}");
        assert!(names.contains(&"tollgate-journal-check.1"), "{names:?}");
        assert!(!names.iter().any(|name| name.contains("help")), "{names:?}");
    }

    #[test]
    fn an_alias_has_a_page_that_leads_to_its_commands_page() {
        let pages = pages().unwrap();
        let (_, page) = pages.iter().find(|(name, _)| name == "tollgate-reconcile.1").unwrap();
        assert_eq!(page, b".so man1/tollgate-sweep.1\n");
        assert!(pages.iter().any(|(name, _)| name == "tollgate-sweep.1"));
    }
}
