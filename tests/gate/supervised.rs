//! Under a supervisor: it is told when the gate is ready, reloads, stops and lives, and what the system lets the gate do is
//! what it should be.

use crate::fakes::wechat::APP;
use crate::faults::world_on_a_disk;
use crate::harness::{Setup, World, until, within};
use crate::program::{Gate, run};
use crate::wire::Request;
use nix::sys::signal::Signal;
use rustix::process::{Resource, Rlimit};
use serde_json::json;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// What systemd listens at.
struct Supervisor {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Supervisor {
    /// One for the gate of this setup.
    fn of(setup: &mut Setup) -> Self {
        let path = setup.dir.join("notify");
        setup.env.push(("NOTIFY_SOCKET".to_owned(), path.to_str().unwrap().to_owned()));
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, heard: Vec::new() }
    }

    /// Everything that was said so far, in order.
    fn heard(&mut self) -> &[String] {
        let mut datagram = [0; 4096];
        while let Ok(length) = self.socket.recv(&mut datagram) {
            let text = String::from_utf8(datagram[..length].to_vec()).unwrap();
            self.heard.extend(text.lines().map(str::to_owned));
        }
        &self.heard
    }

    /// How often a line that starts so was said.
    fn count(&mut self, start: &str) -> usize {
        self.heard().iter().filter(|line| line.starts_with(start)).count()
    }
}

fn supervised(change: impl FnOnce(&mut Setup)) -> (World, Supervisor) {
    let mut supervisor = None;
    let world = World::with(|setup| {
        supervisor = Some(Supervisor::of(setup));
        change(setup);
    });
    (world, supervisor.unwrap())
}

/// A line of `/proc/PID/limits`: soft and hard.
fn limit(gate: &Gate, name: &str) -> (String, String) {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", gate.pid())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    (words.next().unwrap(), words.next().unwrap())
}

#[test]
fn it_is_told_when_callbacks_are_accepted_reloaded_and_no_longer_accepted() {
    let (world, mut supervisor) = supervised(|_| ());
    until("READY", || supervisor.count("READY=1") == 1);
    let status = format!("STATUS=callbacks at http://{}, configuration 1", world.gate.addr);
    assert!(supervisor.heard().contains(&status), "{:?}", supervisor.heard);
    world.gate.signal(Signal::SIGHUP);
    until("the second READY", || supervisor.count("READY=1") == 2);
    let after = supervisor.heard.iter().position(|line| line == "RELOADING=1").unwrap();
    assert!(supervisor.heard[after + 1].starts_with("MONOTONIC_USEC="), "{:?}", supervisor.heard);
    assert!(supervisor.heard[after + 2..].contains(&"READY=1".to_owned()), "{:?}", supervisor.heard);
    assert!(supervisor.heard.last().unwrap().ends_with("configuration 2"));
    world.gate.signal(Signal::SIGTERM);
    assert_eq!(world.gate.ends().code(), Some(0));
    assert_eq!(supervisor.count("STOPPING=1"), 1);
}

#[test]
fn a_gate_that_cannot_start_is_never_ready() {
    let (world, mut supervisor) = supervised(|_| ());
    assert_eq!(world.command(&["check"]).code, 0);
    until("READY", || supervisor.count("READY=1") == 1);
    let second = run(&world.config_file(), &world.env).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert_eq!(supervisor.count("READY=1"), 1);
}

#[test]
fn after_a_take_over_the_supervisor_watches_the_new_process_and_hears_of_no_end() {
    let (mut world, mut supervisor) = supervised(|_| ());
    assert_eq!(world.take_over().code(), Some(0));
    let main = format!("MAINPID={}", world.gate.pid());
    // Once from each.
    until("the new main process", || supervisor.count(&main) == 2);
    assert_eq!((supervisor.count("READY=1"), supervisor.count("STOPPING=1")), (2, 0));
}

#[test]
fn a_watchdog_hears_nothing_any_more_once_the_journals_writer_hangs() {
    let mut supervisor = None;
    let (world, disk) = world_on_a_disk(|setup| {
        supervisor = Some(Supervisor::of(setup));
        setup.env.push(("WATCHDOG_USEC".to_owned(), "600000".to_owned()));
        setup.config["deadline"] = json!("1s");
        setup.config["confirm_deadline"] = json!("500ms");
    });
    let mut supervisor = supervisor.unwrap();
    until("three words to the watchdog", || supervisor.count("WATCHDOG=1") >= 3);
    disk.does("hold-writes");
    world.wechat.order(&APP, "HANGS-1").paid(100);
    assert_eq!(world.app_callback("HANGS-1").status(), 503);
    until("the gate to have noticed", || world.gate.log().contains("the journal's writer does not answer"));
    let before = supervisor.count("WATCHDOG=1");
    let heard = within(Duration::from_secs(2), || supervisor.count("WATCHDOG=1") > before);
    assert!(!heard, "the watchdog was told that all is well");
    disk.works();
    until("the watchdog to hear again", || supervisor.count("WATCHDOG=1") > before);
}

#[test]
fn a_supervisor_that_is_gone_is_no_reason_to_stop() {
    let world = World::with(|setup| {
        setup.env.push(("NOTIFY_SOCKET".to_owned(), setup.dir.join("nobody").to_str().unwrap().to_owned()));
        setup.env.push(("WATCHDOG_USEC".to_owned(), "100000".to_owned()));
    });
    world.wechat.order(&APP, "ALONE-1").paid(100);
    assert_eq!(world.app_callback("ALONE-1").status(), 200);
}

#[test]
fn nothing_of_its_memory_is_dumped_unless_somebody_wants_to_debug_it() {
    let world = World::new();
    assert_eq!(limit(&world.gate, "Max core file size"), ("0".to_owned(), "0".to_owned()));
    let debugged = World::with(|setup| setup.env.push(("TOLLGATE_CORE_DUMPS".to_owned(), "1".to_owned())));
    assert_ne!(limit(&debugged.gate, "Max core file size").1, "0");
}

#[test]
fn it_takes_as_many_open_files_as_it_may_and_says_when_they_are_few() {
    let world = World::new();
    let (soft, hard) = limit(&world.gate, "Max open files");
    assert_eq!(soft, hard);
    let mut shell = std::process::Command::new("/bin/sh");
    let run = run(&world.config_file(), &world.env);
    shell.env_clear().envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
        .args(["-c", "ulimit -Sn 100; ulimit -Hn 1000; exec \"$@\"", "sh"])
        .arg(run.get_program())
        .args(run.get_args());
    world.kill9();
    let gate = Gate::start_by(&mut shell, "");
    assert_eq!(limit(&gate, "Max open files"), ("1000".to_owned(), "1000".to_owned()));
    let told = "\"limits_connections\":8192,\"open_files\":1000,\"at_most\":375";
    until("the warning", || gate.log().contains(told));
}

#[test]
fn r04_callbacks_do_not_take_the_descriptors_of_those_who_look_in() {
    let world = World::new();
    let limit = Some(256);
    let pid = rustix::process::Pid::from_raw(world.gate.pid().try_into().unwrap());
    rustix::process::prlimit(pid, Resource::Nofile, Rlimit { current: limit, maximum: limit }).unwrap();
    world.gate.signal(Signal::SIGHUP);
    until("the new limit", || world.gate.log().contains("too few open files"));
    until("the reload", || world.gate.log().contains("\"configuration in force\""));
    let silent: Vec<_> = (0..400).filter_map(|_| TcpStream::connect(world.gate.addr).ok()).collect();
    until("the gate to be full", || world.gate.log().contains("limits.connections is reached"));
    for path in ["/healthz", "/readyz"] {
        assert_eq!(world.admin_send(&Request::get(path)).status(), 200, "{path}");
    }
    // Nothing of the configuration has changed for want of descriptors.
    assert_eq!(world.gate.log().matches("reloading the configuration").count(), 1);
    drop(silent);
}
