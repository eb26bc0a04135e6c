//! The gate of the demo: this program once more, as a process of its own, so that it can be killed.

use super::configuration::Configuration;
use super::directory::Directory;
use anyhow::Context;
use jiff::civil::Date;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::time::Instant;

/// A free port of loopback.
const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(30);

/// How much of the log of a gate that does not start is shown.
const LINES: usize = 10;

/// The gate. It ends when this is dropped, and its directory goes.
#[derive(Debug)]
pub(super) struct Gate {
    /// Where it listens; that stays.
    pub(super) addresses: Addresses,
    // The process is dropped before the directory it writes to.
    process: Process,
    /// Configuration, journal, log.
    pub(super) directory: Directory,
    configuration: Arc<Configuration>,
    name: &'static str,
}

/// Where the gate listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses {
    /// For callbacks.
    pub(super) callbacks: SocketAddr,
    /// For the dashboard.
    pub(super) admin: SocketAddr,
}

impl Gate {
    /// Starts it, under this name.
    pub(super) async fn start(configuration: Arc<Configuration>, name: &'static str) -> anyhow::Result<Self> {
        let directory = Directory::make()?;
        let anywhere = Addresses { callbacks: ANYWHERE, admin: ANYWHERE };
        let (process, addresses) = Process::start(&configuration, name, &directory, anywhere).await?;
        Ok(Self { addresses, process, directory, configuration, name })
    }

    /// Kills it with SIGKILL.
    pub(super) fn is_killed(&mut self) -> anyhow::Result<()> {
        self.process.kill().context("cannot kill the gate")
    }

    /// Kills it and starts it again; how long it was away.
    pub(super) async fn is_killed_and_starts_again(&mut self) -> anyhow::Result<Duration> {
        let killed_at = Instant::now();
        self.is_killed()?;
        // Bound and not listening, so that no other process gets the ports meanwhile.
        let _ports = [reserved(self.addresses.callbacks)?, reserved(self.addresses.admin)?];
        let start = Process::start(&self.configuration, self.name, &self.directory, self.addresses);
        (self.process, self.addresses) = start.await?;
        Ok(killed_at.elapsed())
    }
}

impl Gate {
    /// Runs `tollgate sweep` beside it; what that says.
    pub(super) async fn sweep(&self, channel: &str, day: Date) -> anyhow::Result<Vec<String>> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let file = self.directory.path().join("config.yaml");
        let mut command = tokio::process::Command::new(program);
        command.args(["sweep", "--channel", channel, "--date", &day.to_string(), "--config"]).arg(&file);
        command.envs(self.configuration.variables()).stdin(Stdio::null()).kill_on_drop(true);
        let ended = command.output().await.context("cannot run tollgate sweep")?;
        let said = [ended.stdout, ended.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        let said = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        Ok(said.filter(|line| !line.is_empty()).collect())
    }
}

#[derive(Debug)]
struct Process(Child);

impl Process {
    async fn start(
        configuration: &Configuration,
        name: &str,
        directory: &Directory,
        addresses: Addresses,
    ) -> anyhow::Result<(Self, Addresses)> {
        let file = directory.path().join("config.yaml");
        let text = configuration.text(name, &file, addresses.callbacks, addresses.admin)?;
        std::fs::write(&file, text).context("cannot write the gate's configuration")?;
        let log = directory.path().join("gate.log");
        let its_log = OpenOptions::new().create(true).append(true).open(&log).context("cannot write the gate's log")?;
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut command = Command::new(program);
        command.args(["run", "--config"]).arg(&file).envs(configuration.variables());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(its_log);
        let mut process = Self(command.spawn().context("cannot start the gate")?);
        let stdout = process.0.stdout.take().context("the gate has no standard output")?;
        let listening = tokio::task::spawn_blocking(move || listening_on(stdout));
        match tokio::time::timeout(START, listening).await {
            Ok(Ok(Some(addresses))) => Ok((process, addresses)),
            _ => anyhow::bail!("the gate does not start; the end of its log:\n{}", end_of(&log)),
        }
    }

    fn kill(&mut self) -> std::io::Result<()> {
        self.0.kill()?;
        self.0.wait().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.kill();
    }
}

/// What the gate says when it is ready; `None` if it ends before.
fn listening_on(stdout: ChildStdout) -> Option<Addresses> {
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let mut address = |what: &str| lines.find_map(|line| line.strip_prefix(what)?.parse().ok());
    let callbacks = address("callbacks: listening on http://")?;
    Some(Addresses { callbacks, admin: address("admin: listening on http://")? })
}

fn reserved(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let port = TcpSocket::new_v4()?;
    port.set_reuseaddr(true)?;
    port.bind(address)?;
    Ok(port)
}

fn end_of(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
}
