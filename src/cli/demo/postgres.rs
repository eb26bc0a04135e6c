//! A PostgreSQL of the demo's own, if one is installed: in a directory of its own, reachable on loopback only.

use super::directory::Directory;
use anyhow::Context;
use nix::unistd::{Uid, User};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use uuid::Uuid;

/// Where Debian keeps each version, apart from PATH.
const DEBIAN: &str = "/usr/lib/postgresql";

/// PostgreSQL refuses to run as root; this is who Debian's package makes for it.
const INSTEAD_OF_ROOT: &str = "postgres";

const HOW_TO_INSTALL: &str = "several gates need a PostgreSQL, and none is installed here: apt-get install postgresql (Debian, Ubuntu), dnf install \
     postgresql-server (Fedora), brew install postgresql (macOS); the demo starts one of its own, and leaves a running one alone";

/// The server. It ends when this is dropped, and its directory goes.
#[derive(Debug)]
pub(super) struct Postgres {
    programs: PathBuf,
    /// How gates reach it, password and all.
    pub(super) url: String,
    directory: Directory,
}

impl Postgres {
    /// Starts it.
    ///
    /// # Errors
    /// If none is installed, with how to do so, or if it does not start, with what it says.
    pub(super) fn start() -> anyhow::Result<Self> {
        let programs = programs().context(HOW_TO_INSTALL)?;
        let directory = Directory::make()?;
        let password = Uuid::now_v7().simple().to_string();
        let secret = directory.path().join("password");
        std::fs::write(&secret, &password).context("cannot write PostgreSQL's password")?;
        if Uid::effective().is_root() {
            let user = User::from_name(INSTEAD_OF_ROOT)?
                .context("PostgreSQL does not run as root, and there is no user postgres")?;
            for path in [directory.path(), &secret] {
                chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
                    .context("cannot give a directory away")?;
            }
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let url = format!("postgres://tollgate:{password}@127.0.0.1:{port}/postgres?sslmode=disable");
        let server = Self { programs, url, directory };
        let data = server.directory.path().join("data");
        let mut made = server.program("initdb");
        made.args([
            "--username=tollgate",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--pwfile",
        ]);
        succeeds(made.arg(&secret).arg("--pgdata").arg(&data))?;
        let socket = server.directory.path().display();
        let settings = format!("-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={socket}");
        succeeds(server.control(&["-w", "-t", "60", "-o", &settings, "start"]))?;
        Ok(server)
    }

    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if Uid::effective().is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", INSTEAD_OF_ROOT, "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    /// `pg_ctl`, whose server writes to a file: a pipe would stay open as long as it lives.
    fn control(&self, arguments: &[&str]) -> Command {
        let mut command = self.program("pg_ctl");
        let directory = self.directory.path();
        command.arg("-D").arg(directory.join("data")).arg("-l").arg(directory.join("server.log")).args(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // What does not end is the system's to clean up.
        let _ = self.control(&["-m", "immediate", "-w", "stop"]).status();
    }
}

/// The newest of Debian's, or those in PATH.
fn programs() -> Option<PathBuf> {
    let has_them = |programs: &Path| programs.join("initdb").is_file() && programs.join("pg_ctl").is_file();
    let versions = std::fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let version = |name: &std::ffi::OsStr| name.to_str()?.parse::<u32>().ok();
    let versions = versions.filter_map(|entry| Some((version(&entry.file_name())?, entry.path().join("bin"))));
    let newest = versions.filter(|(_, programs)| has_them(programs)).max();
    let path = std::env::var_os("PATH").unwrap_or_default();
    newest.map(|(_, programs)| programs).or_else(|| std::env::split_paths(&path).find(|programs| has_them(programs)))
}

fn succeeds(mut command: impl std::borrow::BorrowMut<Command>) -> anyhow::Result<()> {
    let output = command.borrow_mut().output().context("cannot run PostgreSQL's programs")?;
    anyhow::ensure!(
        output.status.success(),
        "PostgreSQL does not start: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
