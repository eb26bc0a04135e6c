//! `tollgate journal migrate`: the tables of a journal in a database.

use crate::cli::ConfigFile;
use crate::cli::print::{self, Lines};
use crate::cli::{problems, records};
use crate::config::Outline;
use crate::journal::database::{DatabaseSettings, Migrated};
use crate::journal::{self, Place};
use anyhow::bail;
use std::io::Write;
use std::process::ExitCode;

/// The command's arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the statements, and change nothing.
    #[arg(long, conflicts_with = "finish")]
    print: bool,

    /// When no gate of an older version runs any more: end what those needed.
    #[arg(long)]
    finish: bool,

    #[command(flatten)]
    file: ConfigFile,
}

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let outline = match Outline::load(&args.file.config) {
        Ok(outline) => outline,
        Err(found) => return problems::print(&found, false),
    };
    let settings = records::settings(outline.journal.as_ref())?;
    let Place::Database(database) = &settings.place else {
        bail!("the journal is the file {settings}: a gate that starts makes it, and leads it to its own layout");
    };
    if args.print {
        let sql = journal::migration(database).await?;
        let nothing = "-- There is nothing to do.\n";
        print::out().write_all(if sql.is_empty() { nothing } else { &sql }.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut lines = Lines::default();
    lines.say(migrated(database, journal::migrate(database).await?));
    if args.finish {
        lines.say(if journal::finish(database).await? {
            "older versions do not work with it any more".to_owned()
        } else {
            "there is nothing to finish".to_owned()
        });
    }
    print::print(false, &(), &lines)?;
    Ok(ExitCode::SUCCESS)
}

fn migrated(database: &DatabaseSettings, Migrated { from, layout, works_with }: Migrated) -> String {
    let (schema, since) = (&database.schema, format!("layout {layout}, for versions of layout {works_with} and later"));
    match from {
        None => format!("{database}, schema {schema}: {since}; there was nothing to do"),
        Some(0) => format!("{database}, schema {schema}: {since}; its tables were made"),
        Some(from) => format!("{database}, schema {schema}: {since}; it was led here from layout {from}"),
    }
}
