//! The program that cargo just built, as a child process.

use crate::harness::until;
use crate::wire::PATIENCE;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The program as a child process. It ends when this is dropped.
pub struct Gate {
    /// Where callbacks arrive.
    pub addr: SocketAddr,
    child: Mutex<Child>,
    log: Arc<Mutex<String>>,
    /// Where its own lines begin in the log.
    begins: usize,
    unread: Arc<AtomicBool>,
}

/// How a command ended.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Gate {
    /// Starts the gate and waits until it says where it listens.
    pub fn start(config: &Path, env: &[(String, String)]) -> Self {
        Self::start_after("", config, env)
    }

    /// The same after another one, which has written this.
    pub fn start_after(earlier: &str, config: &Path, env: &[(String, String)]) -> Self {
        Self::start_by(&mut run(config, env), earlier)
    }

    /// The same by a command of the scenario's own making, such as one that passes sockets.
    pub fn start_by(command: &mut Command, earlier: &str) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(earlier.to_owned()));
        let unread = Arc::<AtomicBool>::default();
        keep(child.stdout.take().unwrap(), &log, &unread);
        keep(child.stderr.take().unwrap(), &log, &unread);
        let since = Instant::now();
        let addr = loop {
            // A promise: `callbacks: listening on http://127.0.0.1:40123` is how scripts learn the port.
            if let Some(addr) = listening("callbacks", &log.lock().unwrap()[earlier.len()..]) {
                break addr;
            }
            let ended = child.try_wait().unwrap();
            if ended.is_some() || since.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("the gate does not listen ({ended:?}):\n{}", &log.lock().unwrap()[earlier.len()..]);
            }
            thread::sleep(Duration::from_millis(2));
        };
        Self { addr, child: Mutex::new(child), log, begins: earlier.len(), unread }
    }

    /// Where its admin listener is: `admin: listening on http://127.0.0.1:40124`, the line after the other.
    pub fn admin(&self) -> SocketAddr {
        let mut admin = None;
        until("the admin listener's line", || {
            admin = listening("admin", &self.log.lock().unwrap()[self.begins..]);
            admin.is_some()
        });
        admin.unwrap()
    }

    /// Everything that it, and those before it, have written so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Puts what another one has written before its own.
    pub fn follows(&mut self, other: &Self) {
        let before = other.log();
        self.begins += before.len();
        self.log.lock().unwrap().insert_str(0, &before);
    }

    /// Reads no more of what it writes.
    pub fn nobody_reads_the_log(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// The summary lines of all callbacks so far.
    pub fn summaries(&self) -> Vec<Value> {
        let lines = self.log();
        lines.lines().filter_map(entry).filter(|line| line["message"] == "callback").collect()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = self.child.lock().unwrap().id();
        kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
    }

    /// Waits until it ends by itself.
    pub fn ends(&self) -> ExitStatus {
        let mut ended = None;
        until("the gate's end", || {
            ended = self.child.lock().unwrap().try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap()
    }

    pub fn is_running(&self) -> bool {
        self.child.lock().unwrap().try_wait().unwrap().is_none()
    }

    pub fn pid(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    pub fn kill(&self) {
        self.unread.store(false, Ordering::Relaxed);
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A log line's fields, wherever the formatter has put them.
fn entry(line: &str) -> Option<Value> {
    let mut line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get_mut("fields").map(Value::take);
    if let (Some(Value::Object(fields)), Some(line)) = (fields, line.as_object_mut()) {
        line.extend(fields);
    }
    Some(line)
}

fn keep(output: impl Read + Send + 'static, log: &Arc<Mutex<String>>, unread: &Arc<AtomicBool>) {
    let (log, unread) = (Arc::clone(log), Arc::clone(unread));
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            log.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
            line.clear();
            while unread.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(100));
            }
        }
    });
}

fn listening(who: &str, log: &str) -> Option<SocketAddr> {
    let start = format!("{who}: listening on http");
    let mut lines = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let line = lines.find(|line| line.contains(&start))?.trim_end();
    let (_, origin) = line.split_once("listening on ")?;
    let (_, authority) = origin.split_once("://")?;
    authority.split(|c: char| !(c.is_ascii_hexdigit() || ".:[]".contains(c))).next()?.parse().ok()
}

/// `tollgate run` with this config and this environment.
pub fn run(config: &Path, env: &[(String, String)]) -> Command {
    let mut command = tollgate();
    command.args(["run", "--config"]).arg(config).envs(env.iter().cloned());
    command
}

/// The program, in an environment of nothing.
fn tollgate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.env_clear();
    command
}

/// Runs a command to its end.
pub fn command(args: &[&str], env: &[(&str, &str)]) -> Ended {
    let output = tollgate().args(args).envs(env.iter().copied()).stdin(Stdio::null()).output().unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
