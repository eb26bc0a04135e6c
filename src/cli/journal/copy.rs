//! `tollgate journal copy`: from a file into a database.

use crate::cli::ConfigFile;
use crate::cli::print::{self, Lines};
use crate::cli::{problems, records};
use crate::config::Outline;
use crate::journal::copy::Copied;
use crate::journal::{self, Place};
use anyhow::bail;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

/// The command's arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The journal to copy: the file that journal.path named.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,

    #[command(flatten)]
    file: ConfigFile,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What is printed under `--json`.
#[derive(Serialize)]
struct Report {
    agrees: bool,
    tables: Vec<TableReport>,
}

#[derive(Serialize)]
struct TableReport {
    table: &'static str,
    in_file: u64,
    in_database: u64,
    added: u64,
}

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let outline = match Outline::load(&args.file.config) {
        Ok(outline) => outline,
        Err(found) => return problems::print(&found, args.json),
    };
    let settings = records::settings(outline.journal.as_ref())?;
    let Place::Database(database) = &settings.place else {
        bail!(
            "this configuration's journal is the file {settings}: a file is copied into the database that journal.url names"
        );
    };
    let copied = journal::copy_file(&args.from, database).await?;
    let agrees = copied.iter().all(Copied::agrees);
    print::print(args.json, &report(&copied, agrees), &lines(args, &copied, agrees))?;
    Ok(if agrees { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(copied: &[Copied], agrees: bool) -> Report {
    let tables = copied.iter().map(|Copied { table, in_file, in_database, added }| TableReport {
        table: table.as_str(),
        in_file: *in_file,
        in_database: *in_database,
        added: *added,
    });
    Report { agrees, tables: tables.collect() }
}

fn lines(args: &Args, copied: &[Copied], agrees: bool) -> Lines {
    let mut lines = Lines::default();
    lines.say(format!(
        "{}: {}",
        args.from.display(),
        if agrees { "all of it is in the database" } else { "NOT all of it is in the database" }
    ));
    for Copied { table, in_file, in_database, added } in copied {
        lines.item(
            table.as_str(),
            format!("{in_file} in the file, {in_database} of them in the database, {added} added now"),
        );
    }
    lines
}
