//! A real PostgreSQL in a directory of its own that can be stopped and started again, and goes with the test's process. It keeps
//! its word on the disk (`fsync`), so that being killed is what it is.

use nix::unistd::{Uid, User};
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// What every role of a gate logs in with, and what nobody may print.
pub const PASSWORD: &str = "pw-3hT8qLz5Xc1Nb7";

/// Waits until its input ends, as it does when the test's process does; then the server goes.
const KEEPER: &str = r#"trap '' INT TERM HUP; cat >/dev/null; "$@" >/dev/null 2>&1"#;

/// A server.
pub struct Postgres {
    pub port: u16,
    programs: PathBuf,
    keeper: Child,
    dir: TempDir,
}

/// A database on it, and a role of the same name that owns it.
pub struct Database {
    pub name: String,
}

impl Postgres {
    /// The one of this test binary, for scenarios that do not stop it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A new one.
    pub fn start() -> Self {
        let (dir, port, programs) =
            (tempfile::Builder::new().prefix("tg-").tempdir_in("/tmp").unwrap(), quiet_port(), programs());
        if let Some(user) = user() {
            chown(dir.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        let data = dir.path().join("d");
        run(demoted(&programs.join("initdb"), dir.path())
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data));
        let mut settings = fs::OpenOptions::new().append(true).open(data.join("postgresql.conf")).unwrap();
        let directory = dir.path().display();
        writeln!(
            settings,
            "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{directory}'\nmax_connections = 200\n\
             password_encryption = scram-sha-256\nshared_buffers = 32MB"
        )
        .unwrap();
        let rules = "local all postgres trust\nhost all postgres 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(data.join("pg_hba.conf"), rules).unwrap();
        let stop = control(&programs, dir.path(), &["-m", "immediate", "-w", "stop"]);
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(stop.get_program()).args(stop.get_args());
        let keeper = keeper.stdin(Stdio::piped()).spawn().unwrap();
        let server = Self { port, programs, keeper, dir };
        server.starts();
        server
    }

    pub fn starts(&self) {
        let log = self.dir.path().join("log");
        let mut start = control(&self.programs, self.dir.path(), &["-w", "-t", "60", "-l"]);
        // Its output goes to a file: a pipe would stay open as long as the server lives.
        let started = start.arg(log).arg("start").stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(started.success(), "{}", fs::read_to_string(self.dir.path().join("log")).unwrap_or_default());
    }

    /// As if its machine went down: nothing is written out, and the next start recovers.
    pub fn crashes(&self) {
        run(&mut control(&self.programs, self.dir.path(), &["-m", "immediate", "-w", "-t", "60", "stop"]));
    }

    /// What a statement prints, as the superuser.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut client = Command::new(self.programs.join("psql"));
        client.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-p"]);
        run(client.arg(self.port.to_string()).arg("-h").arg(self.dir.path()).args(["-c", sql])).trim().to_owned()
    }

    pub fn database(&self) -> Database {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("gate{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'"));
        self.sql("postgres", &format!("CREATE DATABASE {name} OWNER {name}"));
        Database { name }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

impl Database {
    /// Its URL by way of this port.
    pub fn url(&self, port: u16) -> String {
        format!("postgres://{0}:{PASSWORD}@127.0.0.1:{port}/{0}?sslmode=disable", self.name)
    }
}

fn control(programs: &Path, dir: &Path, arguments: &[&str]) -> Command {
    let mut command = demoted(&programs.join("pg_ctl"), dir);
    command.arg("-D").arg(dir.join("d")).args(arguments);
    command
}

/// PostgreSQL refuses to run as root.
fn demoted(program: &Path, dir: &Path) -> Command {
    let mut command = Command::new(if user().is_some() { Path::new("runuser") } else { program });
    if user().is_some() {
        command.args(["-u", "postgres", "--"]).arg(program);
    }
    command.current_dir(dir);
    command
}

fn user() -> Option<User> {
    Uid::effective().is_root().then(|| {
        User::from_name("postgres").unwrap().unwrap_or_else(|| panic!("no user postgres: apt-get install postgresql"))
    })
}

fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// The newest of Debian's, or those in PATH.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest =
        versions.filter_map(|version| Some((version.file_name().to_str()?.parse::<u32>().ok()?, version.path()))).max();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = || std::env::split_paths(&path).find(|dir| dir.join("initdb").is_file());
    newest
        .map(|(_, path)| path.join("bin"))
        .or_else(in_path)
        .unwrap_or_else(|| panic!("no PostgreSQL: apt-get install postgresql"))
}

/// A free port below those that the system gives to outgoing connections: whoever connects again and again to one up there while
/// nobody listens is, once in a while, connected to itself.
pub fn quiet_port() -> u16 {
    loop {
        let port = fastrand::u16(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
