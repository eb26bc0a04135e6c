//! `tollgate completions`: what a shell needs to complete this program's arguments.

use super::Cli;
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::Write;
use std::process::ExitCode;

/// Arguments of `tollgate completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Put it where the shell looks for it:
  tollgate completions bash > /usr/share/bash-completion/completions/tollgate
  tollgate completions zsh  > /usr/share/zsh/vendor-completions/_tollgate
  tollgate completions fish > /usr/share/fish/vendor_completions.d/tollgate.fish

Exit codes: 0 written, 1 it cannot be written, 2 wrong usage.")]
pub(super) struct Args {
    /// For which shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tollgate", &mut script);
    super::print::out().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
