//! The commands, one file each.

mod check;

mod completions;

#[cfg(feature = "sandbox")]
mod demo;

mod explain;

mod health;

mod init;

mod journal;

mod lookup;

mod man;

mod print;

mod problems;

mod query;

mod records;

mod redeliver;

mod resign_key;

mod run;

#[cfg(feature = "sandbox")]
mod sandbox;

mod saved;

mod sweep;

mod verify;

mod words;

use crate::config;
use crate::process::sockets::Sockets;
use clap::{Args, Parser, Subcommand};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;
use tokio::runtime::{Builder, Runtime};

/// Optional parts of the program, cargo features, and whether this build has them. Builds without the sandbox have
/// neither the command `sandbox` nor `demo`.
const FEATURES: [(&str, bool); 3] = [
    ("mimalloc", cfg!(feature = "mimalloc")),
    ("otlp", cfg!(feature = "otlp")),
    ("sandbox", cfg!(feature = "sandbox")),
];

static HELP: LazyLock<String> = LazyLock::new(|| {
    let first = if cfg!(feature = "sandbox") { "tollgate demo" } else { "tollgate init --from REQUEST" };
    let features: Vec<_> =
        FEATURES.iter().map(|(name, has)| format!("{name} {}", if *has { "yes" } else { "no" })).collect();
    format!(
        "Start with `{first}`.\n\nExit codes: 0 done, 1 failed (what was asked for is not so), 2 wrong usage. Each \
         command's --help says what that means for it.\n\nFeatures of this build: {}.",
        features.join(", ")
    )
});

/// A reverse proxy that lets a payment callback through only after WeChat Pay itself has confirmed it.
///
/// Put it in front of the payment-success callback URL of an order system that cannot be changed. For each callback it
/// asks WeChat Pay whether that order is really paid, writes the verified transaction_id into a header, and forwards
/// the callback; what is not confirmed it holds back.
#[derive(Debug, Parser)]
#[command(
    name = "tollgate",
    version,
    after_help = HELP.as_str()
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    run: run::Args,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gate (the default command).
    #[command(after_help = run::HELP)]
    Run(run::Args),
    /// Validate the configuration and show every error with line, column and remedy.
    Check(check::Args),
    /// Write a configuration from a saved callback.
    Init(init::Args),
    /// Show the whole story on this machine: a simulated WeChat Pay, a sample order system and the gate.
    #[cfg(feature = "sandbox")]
    Demo(demo::Args),
    /// Run the simulated WeChat Pay alone, to test your own system against.
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::Args),
    /// Ask WeChat Pay about one order now; print the verdict and why.
    Query(query::Args),
    /// Say what is known of an order's payment, for a refund: transaction id, amount, time, state.
    Lookup(lookup::Args),
    /// Tell the whole history of a callback or an order, and why it is where it is.
    Explain(explain::Args),
    /// Confirm again and deliver again: one order, or all that came in a time.
    Redeliver(redeliver::Args),
    /// Find paid orders whose callback never came in WeChat Pay's bill, and deliver them.
    #[command(visible_alias = "reconcile")]
    Sweep(sweep::Args),
    /// Look after the journal: export it, check it.
    Journal(journal::Args),
    /// Exit 0 if the gate that this configuration describes answers; for container health checks.
    #[command(after_help = "Exit codes: 0 it answers, 1 it does not, 2 wrong usage.")]
    Health(ConfigFile),
    /// Make the key that the gate signs notifications of API v3 with when it sends them again.
    ResignKey(resign_key::Args),
    /// Say offline what the gate would do with a saved HTTP request, or whether a saved answer would count, and why.
    Verify(verify::Args),
    /// Print what a shell needs to complete this program's arguments.
    Completions(completions::Args),
    /// Print the manual, or write a page for each command.
    Man(man::Args),
}

/// Which configuration.
#[derive(Debug, Clone, Args)]
struct ConfigFile {
    /// The configuration file; without it config.yaml here, or else /etc/tollgate/config.yaml.
    #[arg(
        short, long, value_name = "FILE", env = "TOLLGATE_CONFIG", default_value_os_t = config::default_file(),
        hide_default_value = true
    )]
    config: PathBuf,
}

/// Reads the arguments, runs the command, and turns its outcome into an exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    crate::process::limits::keep_memory_private();
    // The environment is changed by that, so there must be no threads yet.
    let sockets = match cli.command {
        None | Some(Command::Run(_)) => Sockets::from_environment(),
        Some(_) => Ok(Sockets::default()),
    };
    let outcome = sockets.map_err(anyhow::Error::from).and_then(|sockets| {
        let runtime = runtime()?;
        let outcome = runtime.block_on(dispatch(cli, sockets));
        // What still runs in the background has had its grace.
        runtime.shutdown_background();
        outcome
    });
    outcome.unwrap_or_else(|error| {
        if print::is_reader_gone(&error) {
            return ExitCode::SUCCESS;
        }
        // Nothing is left to tell if standard error is closed.
        let _ = writeln!(std::io::stderr(), "tollgate: {error:#}");
        ExitCode::FAILURE
    })
}

async fn dispatch(cli: Cli, sockets: Sockets) -> anyhow::Result<ExitCode> {
    match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Run(args) => run::run(&args, sockets).await,
        Command::Check(args) => check::run(&args).await,
        Command::Init(args) => init::run(&args).await,
        #[cfg(feature = "sandbox")]
        Command::Demo(args) => demo::run(args).await,
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Health(args) => health::run(&args).await,
        Command::Lookup(args) => lookup::run(&args).await,
        Command::Explain(args) => explain::run(&args).await,
        Command::Redeliver(args) => redeliver::run(&args).await,
        Command::Sweep(args) => sweep::run(&args).await,
        Command::Journal(args) => journal::run(&args).await,
        Command::Query(args) => query::run(&args).await,
        Command::ResignKey(args) => resign_key::run(&args),
        Command::Verify(args) => verify::run(&args).await,
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

/// On one core a single-threaded runtime saves handing work from thread to thread; on more, they share the work.
fn runtime() -> std::io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() }.enable_all().build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn every_command_says_its_exit_codes() {
        let program = <Cli as clap::CommandFactory>::command();
        let mut commands: Vec<_> = program.get_subcommands().collect();
        while let Some(command) = commands.pop() {
            // The sandbox says it for all that steer it.
            let below = if command.get_name() == "sandbox" { None } else { Some(command.get_subcommands()) };
            let below: Vec<_> = below.into_iter().flatten().collect();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(!below.is_empty() || help.contains("Exit codes"), "{}", command.get_name());
            commands.extend(below);
        }
    }
}
