//! Real database servers for tests, in a directory of their own: started when first wanted, shared by a test binary, gone
//! with it. A file of its own, without neighbours, so that any test binary can include it by `#[path]`.
//!
//! Each has a database `shop`, a user [`READER`] who may SELECT everything in it, and the time zone of somewhere else.

#![allow(dead_code, reason = "each test binary uses what it needs")]

use nix::unistd::{Uid, User};
use std::env;
use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The user that reads.
pub const READER: &str = "reader";
/// Its password: what passwords have, and URLs must escape.
pub const PASSWORD: &str = "p@ss/w:rd%20?#";
/// The same in a URL.
const PASSWORD_IN_URL: &str = "p%40ss%2Fw%3Ard%2520%3F%23";

/// Set, it leaves out the tests that need servers.
const SKIP: &str = "TOLLGATE_SKIP_DATABASES";
const PACKAGES: &str = "apt-get install mariadb-server-core mariadb-client-core postgresql";
/// A server that needs longer to start will not.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `stdin` ends, as it does when the test's process does, however that is. Then the server and its directory
/// go. Keys that interrupt the test leave this to its own end.
const KEEPER: &str = r#"
    trap '' INT TERM HUP
    directory=$1 signal=$2
    shift 2
    "$@" </dev/null >"$directory/log" 2>&1 &
    server=$!
    cat >/dev/null
    kill -s "$signal" "$server"
    wait "$server"
    rm -rf "$directory"
"#;

/// MariaDB.
pub struct MariaDb {
    pub port: u16,
    server: Server,
}

/// PostgreSQL.
pub struct Postgres {
    pub port: u16,
    server: Server,
    programs: PathBuf,
}

/// A session of the administrator that stays open, with whatever it holds.
pub struct Session(Child);

impl MariaDb {
    /// The one of this test binary; `None` if databases are to be skipped.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<MariaDb>> = OnceLock::new();
        SHARED.get_or_init(|| wanted().then(Self::start)).as_ref()
    }

    /// A new one.
    pub fn start() -> Self {
        let (install, daemon) = (program("mariadb-install-db"), program("mariadbd"));
        let home = Home::new();
        let data = home.path().join("data");
        let mut installed = Command::new(install);
        installed.arg("--no-defaults").arg(format!("--datadir={}", data.display()));
        installed.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
        if let Some(user) = user() {
            installed.arg(format!("--user={}", user.name));
        }
        success(&mut installed);
        let port = free_port();
        let mut command = Command::new(daemon);
        command.arg("--no-defaults").arg(format!("--datadir={}", data.display())).arg(format!("--port={port}"));
        for (option, file) in
            [("socket", "s.sock"), ("pid-file", "pid"), ("ssl-cert", "cert.pem"), ("ssl-key", "key.pem")]
        {
            command.arg(format!("--{option}={}", home.path().join(file).display()));
        }
        command.args([
            "--bind-address=127.0.0.1",
            "--character-set-server=utf8mb4",
            "--default-time-zone=-05:00",
            "--innodb-buffer-pool-size=16M",
            "--innodb-flush-log-at-trx-commit=0",
            "--skip-name-resolve",
        ]);
        let started = Self { port, server: home.keep(&command, "KILL") };
        started.server.wait_until(|| started.client().arg("--execute=SELECT 1"));
        let setup = format!(
            "CREATE DATABASE shop;
             CREATE USER {READER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';
             GRANT SELECT, EXECUTE ON shop.* TO {READER}@'127.0.0.1';"
        );
        feed(started.client(), &setup);
        started
    }

    /// The reader's URL; what is put behind it starts with `?`.
    pub fn url(&self, options: &str) -> String {
        format!("mysql://{READER}:{PASSWORD_IN_URL}@127.0.0.1:{}/shop{options}", self.port)
    }

    /// Runs statements as the administrator, and tells what they print.
    pub fn run(&self, sql: &str) -> String {
        feed(self.client().arg("--database=shop").args(["--skip-column-names", "--batch"]), sql)
    }

    /// Runs statements in a session that then stays as it is, until it is dropped.
    pub fn hold(&self, sql: &str) -> Session {
        Session::open(self.client().arg("--database=shop").arg("--unbuffered"), sql)
    }

    fn client(&self) -> Builder {
        let mut client = Builder(Command::new(program("mariadb")));
        client.0.arg("--no-defaults").arg(format!("--socket={}", self.server.path().join("s.sock").display()));
        client.arg("--user=root").arg("--default-character-set=utf8mb4")
    }
}

impl Postgres {
    /// The one of this test binary; `None` if databases are to be skipped.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        SHARED.get_or_init(|| wanted().then(Self::start)).as_ref()
    }

    /// A new one.
    pub fn start() -> Self {
        let programs = postgres_programs();
        let home = Home::new();
        let data = home.path().join("data");
        let mut installed = demoted(&programs.join("initdb"));
        installed.arg("--pgdata").arg(&data).args(["--username=postgres", "--auth-local=trust"]);
        installed.args(["--auth-host=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C"]);
        success(installed.current_dir(home.path()));
        let port = free_port();
        let mut command = Command::new(programs.join("postgres"));
        command.arg("-D").arg(&data);
        let files = |name: &str| home.path().join(name).display().to_string();
        for (name, value) in [
            ("port", port.to_string()),
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("unix_socket_directories", home.path().display().to_string()),
            ("ssl", "on".to_owned()),
            ("ssl_cert_file", files("cert.pem")),
            ("ssl_key_file", files("key.pem")),
            ("fsync", "off".to_owned()),
            ("timezone", "America/New_York".to_owned()),
            ("datestyle", "German".to_owned()),
        ] {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let started = Self { port, server: home.keep(&command, "QUIT"), programs };
        started.server.wait_until(|| started.client("postgres").arg("--command=SELECT 1"));
        success(&mut started.client("postgres").arg("--command=CREATE DATABASE shop").0);
        started.run(&format!(
            "CREATE USER {READER} PASSWORD '{PASSWORD}';
             ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {READER};"
        ));
        started
    }

    /// The reader's URL; what is put behind it starts with `?`.
    pub fn url(&self, options: &str) -> String {
        format!("postgres://{READER}:{PASSWORD_IN_URL}@127.0.0.1:{}/shop{options}", self.port)
    }

    /// Runs statements as the administrator, and tells what they print.
    pub fn run(&self, sql: &str) -> String {
        feed(self.client("shop").args(["--tuples-only", "--no-align", "--quiet"]), sql)
    }

    /// Runs statements in a session that then stays as it is, until it is dropped.
    pub fn hold(&self, sql: &str) -> Session {
        Session::open(self.client("shop"), sql)
    }

    fn client(&self, database: &str) -> Builder {
        let mut client = Builder(Command::new(self.programs.join("psql")));
        client.0.args(["--no-psqlrc", "--set=ON_ERROR_STOP=1", "--username=postgres"]).arg("--host");
        client.0.arg(self.server.path()).arg(format!("--port={}", self.port)).arg(format!("--dbname={database}"));
        client
    }
}

impl Session {
    fn open(mut client: Builder, sql: &str) -> Self {
        let mut client = client.0.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        client.stdin.as_mut().unwrap().write_all(format!("{sql}\n").as_bytes()).unwrap();
        Self(client)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A command that is built by value.
struct Builder(Command);

impl Builder {
    fn arg(mut self, argument: &str) -> Self {
        self.0.arg(argument);
        self
    }

    fn args<const N: usize>(mut self, arguments: [&str; N]) -> Self {
        self.0.args(arguments);
        self
    }
}

/// A directory that the server's user owns, with a certificate that nobody believes.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::Builder::new().prefix("tollgate-database-").tempdir().unwrap());
        let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        for (name, pem) in [("cert.pem", issued.cert.pem()), ("key.pem", issued.signing_key.serialize_pem())] {
            let path = home.path().join(name);
            fs::write(&path, pem).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            home.give_away(&path);
        }
        home.give_away(home.path());
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn give_away(&self, path: &Path) {
        if let Some(user) = user() {
            chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
    }

    /// Starts `server` as the directory's owner, until this process ends; then `signal` stops it.
    fn keep(self, server: &Command, signal: &str) -> Server {
        let directory = self.0.keep();
        let lowered = demoted(Path::new(server.get_program()));
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&directory)
            .arg(signal)
            .arg(lowered.get_program())
            .args(lowered.get_args())
            .args(server.get_args())
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut keeper = keeper.unwrap();
        Server { directory, stdin: Mutex::new(keeper.stdin.take()), keeper: Mutex::new(keeper) }
    }
}

/// A server that runs until this is dropped or the process ends.
struct Server {
    directory: PathBuf,
    stdin: Mutex<Option<ChildStdin>>,
    keeper: Mutex<Child>,
}

impl Server {
    fn path(&self) -> &Path {
        &self.directory
    }

    /// Waits until this command succeeds.
    fn wait_until(&self, mut answers: impl FnMut() -> Builder) {
        let since = Instant::now();
        while !answers().0.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success() {
            if since.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                panic!("the server does not start:\n{log}");
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stdin.lock().unwrap().take());
        let _ = self.keeper.lock().unwrap().wait();
    }
}

/// Whether the servers are to be used: a test returns if not. That is said where nobody can overlook it.
fn wanted() -> bool {
    if env::var_os(SKIP).is_none_or(|value| value.is_empty()) {
        return true;
    }
    // Not by eprintln, which is kept from sight when a test passes.
    let _ =
        writeln!(io::stderr(), "\n*** {SKIP} is set: the tests with a real MariaDB and PostgreSQL DO NOTHING ***\n");
    false
}

fn found(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Daemons are where an ordinary user's PATH does not look.
    let directories = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/libexec".into()]);
    directories.map(|directory| directory.join(name)).find(|program| program.is_file())
}

fn program(name: &str) -> PathBuf {
    found(name).unwrap_or_else(|| panic!("{name} is not there: {PACKAGES}, or set {SKIP}=1 to do without"))
}

/// The newest of Debian's, or those in PATH.
fn postgres_programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    versions.retain(|programs| programs.join("initdb").is_file());
    versions.sort_by_key(|programs| {
        programs.parent().and_then(|version| version.file_name()?.to_str()?.parse::<u32>().ok())
    });
    versions.pop().unwrap_or_else(|| fs::canonicalize(program("initdb")).unwrap().parent().unwrap().to_owned())
}

/// Whom servers run as: not root, which they refuse.
fn user() -> Option<User> {
    if !Uid::effective().is_root() {
        return None;
    }
    User::from_name("nobody").unwrap()
}

/// The program as that user, killed when whoever started it is.
fn demoted(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some(user) = user() {
        command.arg(format!("--reuid={}", user.uid)).arg(format!("--regid={}", user.gid)).arg("--clear-groups");
    }
    command.arg("--").arg(program);
    command
}

/// A port that nobody has at the moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn success(command: &mut Command) -> String {
    let ended = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(ended.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8_lossy(&ended.stdout).trim().to_owned()
}

fn feed(mut client: Builder, sql: &str) -> String {
    let mut child = client.0.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{sql}\n{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8_lossy(&ended.stdout).trim().to_owned()
}
