//! One process after another: connections that come meanwhile wait, and nothing is refused or lost (D-13).

use crate::fakes::wechat::{APP, WeChat};
use crate::harness::{World, until, within};
use crate::program::{Gate, command, run};
use crate::wire::{Message, PATIENCE, Request, Wire};
use nix::sys::signal::Signal;
use rustix::io::{FdFlags, fcntl_setfd};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often one process follows another under load.
const TIMES: usize = 20;

/// Those who send meanwhile: half of them connect anew for each callback, half keep their connections.
const SENDERS: usize = 6;

/// What the senders have seen.
#[derive(Default)]
struct Traffic {
    done: AtomicBool,
    sent: AtomicUsize,
    answers: Mutex<Vec<Message>>,
    /// What must not be.
    wrong: Mutex<Vec<String>>,
    longest: Mutex<Duration>,
}

impl Traffic {
    /// Everybody sends callbacks of paid orders, one after the other, while `restart` is done again and again, each time
    /// after some more callbacks. Each must be answered with success at the first try.
    fn goes_on_while(world: &mut World, mut restart: impl FnMut(&mut World)) {
        let (traffic, wechat, addr) = (Self::default(), world.wechat.clone(), world.gate.addr);
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                let (traffic, wechat) = (&traffic, &wechat);
                scope.spawn(move || traffic.send(wechat, addr, sender));
            }
            for _ in 0..TIMES {
                let enough = traffic.sent.load(Ordering::Relaxed) + 3 * SENDERS;
                if !within(PATIENCE, || traffic.sent.load(Ordering::Relaxed) > enough) {
                    traffic.is_wrong("nobody sends any more".to_owned());
                    break;
                }
                restart(world);
            }
            traffic.done.store(true, Ordering::Relaxed);
        });
        let wrong = traffic.wrong.into_inner().unwrap();
        assert!(wrong.is_empty(), "{wrong:#?}");
        let answers = traffic.answers.into_inner().unwrap();
        answers.iter().for_each(|answer| world.heard(answer));
        assert_eq!(world.upstream.requests().len(), answers.len());
        let longest = traffic.longest.into_inner().unwrap();
        println!("{TIMES} restarts, {} callbacks, none refused; the longest took {longest:?}", answers.len());
    }

    fn send(&self, wechat: &WeChat, addr: SocketAddr, sender: usize) {
        let keeps = sender.is_multiple_of(2);
        let mut kept: Option<Wire> = None;
        while !self.done.load(Ordering::Relaxed) {
            let order = format!("OVER-{sender}-{}", self.sent.fetch_add(1, Ordering::Relaxed));
            wechat.order(&APP, &order).paid(100);
            let request = Request::post("/pay/success").form(format!("OrderID={order}"));
            let bytes = if keeps { request.kept_alive() } else { request.bytes() };
            let since = Instant::now();
            let wire = kept.take().map_or_else(|| connect(addr), Ok);
            let answer = wire.and_then(|mut wire| {
                wire.send(&bytes);
                let answer = wire.answer().ok_or_else(|| "not answered".to_owned())?;
                Ok((wire, answer))
            });
            match answer {
                Ok((wire, answer)) => {
                    if answer.status() != 200 {
                        self.is_wrong(format!("{order}: {}", answer.line()));
                    }
                    let mut longest = self.longest.lock().unwrap();
                    *longest = since.elapsed().max(*longest);
                    let closes = answer.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
                    kept = (keeps && !closes).then_some(wire);
                    self.answers.lock().unwrap().push(answer);
                }
                Err(error) => self.is_wrong(format!("{order}: {error}")),
            }
        }
    }

    fn is_wrong(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }
}

fn connect(addr: SocketAddr) -> Result<Wire, String> {
    let stream = TcpStream::connect(addr).map_err(|error| format!("refused: {error}"))?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    Ok(Wire::over(stream))
}

/// Where the gate can be asked for its place.
fn hand_over(world: &World) -> PathBuf {
    world.dir().join("journal.db-handover")
}

/// Somebody who asks for the gate's place by hand, and what it answered.
fn ask(world: &World) -> (UnixStream, String) {
    let mut stream = UnixStream::connect(hand_over(world)).unwrap();
    stream.write_all(b"tollgate take-over 1\n").unwrap();
    let answer = hear(&mut stream);
    (stream, answer)
}

fn hear(stream: &mut UnixStream) -> String {
    let mut answer = [0; 256];
    let length = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// A command that takes over from this world's gate.
fn take_over(world: &World) -> Command {
    let mut command = run(&world.config_file(), &world.env);
    command.arg("--take-over");
    command
}

/// A callback of a paid order that waits for the order system; what it is answered in the end.
fn is_under_way(world: &World, order: &str) -> thread::JoinHandle<Option<Message>> {
    world.wechat.order(&APP, order).paid(100);
    world.upstream.hold();
    let (addr, bytes) = (world.gate.addr, Request::post("/pay/success").form(format!("OrderID={order}")).bytes());
    let callback = thread::spawn(move || {
        let mut wire = connect(addr).unwrap();
        wire.send(&bytes);
        wire.answer()
    });
    until("the callback to reach the upstream", || !world.upstream.requests().is_empty());
    callback
}

#[test]
fn twenty_gates_take_over_from_each_other_and_nothing_is_refused_or_lost() {
    let mut world = World::new();
    Traffic::goes_on_while(&mut world, |world| {
        let both = (world.gate.addr, world.gate.admin());
        assert_eq!(world.take_over().code(), Some(0));
        assert_eq!((world.gate.addr, world.gate.admin()), both);
    });
}

/// A supervisor's socket, which every child gets.
fn socket() -> (OwnedFd, SocketAddr) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    let socket = OwnedFd::from(socket);
    fcntl_setfd(&socket, FdFlags::empty()).unwrap();
    (socket, addr)
}

/// Starts the gate as systemd does.
fn with_socket(world: &World, socket: &OwnedFd) -> Command {
    let command = run(&world.config_file(), &world.env);
    let mut shell = Command::new("/bin/bash");
    let script = format!("LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=callbacks exec \"$@\" 3<&{}", socket.as_raw_fd());
    shell.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.args(["-c", &script, "bash"]).arg(command.get_program()).args(command.get_args());
    shell
}

#[test]
fn twenty_gates_with_a_socket_from_systemd_follow_each_other_and_nothing_is_refused_or_lost() {
    let (socket, addr) = socket();
    let mut world = World::new();
    world.kill9();
    world.gate = Gate::start_by(&mut with_socket(&world, &socket), "");
    assert_eq!(world.gate.addr, addr);
    Traffic::goes_on_while(&mut world, |world| {
        world.gate.signal(Signal::SIGTERM);
        assert_eq!(world.gate.ends().code(), Some(0));
        world.gate = Gate::start_by(&mut with_socket(world, &socket), &world.gate.log());
        assert_eq!(world.gate.addr, addr);
    });
}

#[test]
fn a_socket_from_systemd_is_not_moved_by_a_reload() {
    let (socket, addr) = socket();
    let mut world = World::new();
    world.kill9();
    world.gate = Gate::start_by(&mut with_socket(&world, &socket), "");
    world.wechat.order(&APP, "GIVEN-1").paid(100);
    for listen in [format!("0.0.0.0:{}", addr.port()), "127.0.0.1:1".to_owned(), format!("127.0.0.2:{}", addr.port())] {
        let refused = || world.gate.log().matches("the configuration was not reloaded").count();
        let before = refused();
        world.change_config(|config| config["listen"] = json!(listen));
        world.gate.signal(Signal::SIGHUP);
        until("the refusal", || refused() > before);
        assert!(world.gate.log().contains("socket unit"));
        assert_eq!(world.app_callback("GIVEN-1").status(), 200);
    }
}

#[test]
fn a_gate_that_cannot_run_leaves_the_one_that_runs_as_it_is() {
    let world = World::new();
    world.wechat.order(&APP, "STAYS-1").paid(100);
    let whole = std::fs::read_to_string(world.config_file()).unwrap();
    std::fs::write(world.config_file(), whole.replacen("listen", "lisden", 1)).unwrap();
    let ended = world.command(&["run", "--take-over"]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    std::fs::write(world.config_file(), whole).unwrap();
    let (stream, answer) = ask(&world);
    assert!(answer.starts_with(&format!("sockets {} 30000 callbacks=127.0.0.1:0", world.gate.pid())), "{answer}");
    // It dies before it was ready.
    drop(stream);
    until("the gate to have heard of it", || world.gate.log().contains("broke off"));
    assert_eq!(world.app_callback("STAYS-1").status(), 200);
}

#[test]
fn a_gate_that_would_lead_the_journal_to_another_layout_does_not_take_over() {
    let mut world = World::new();
    world.wechat.order(&APP, "STAYS-2").paid(100);
    let layout = |version: i64| {
        let journal = rusqlite::Connection::open(world.journal_file()).unwrap();
        journal.pragma_update(None, "user_version", version).unwrap();
    };
    let newest = world.journal("PRAGMA user_version");
    layout(newest - 1);
    let ended = world.command(&["run", "--take-over"]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("stop the gate that runs, back the journal up"), "{}", ended.stderr);
    assert_eq!(world.journal("PRAGMA user_version"), newest - 1);
    assert_eq!(world.app_callback("STAYS-2").status(), 200);
    layout(newest);
    assert!(world.take_over().success());
    assert_eq!(world.app_callback("STAYS-2").status(), 200);
}

#[test]
fn a_gate_whose_successor_dies_starts_again_by_itself() {
    let world = World::new();
    let pid = world.gate.pid();
    world.wechat.order(&APP, "AGAIN-1").paid(100);
    let (mut stream, _) = ask(&world);
    stream.write_all(b"go\n").unwrap();
    assert_eq!(hear(&mut stream), "leaving\n");
    // Meanwhile the socket belongs to nobody who accepts.
    let mut early = connect(world.gate.addr).unwrap();
    early.send(&Request::post("/pay/success").form("OrderID=AGAIN-1").bytes());
    until("the gate to leave", || !hand_over(&world).exists());
    drop(stream);
    let answer = early.answer().unwrap();
    world.heard(&answer);
    assert_eq!(answer.status(), 200);
    assert_eq!((world.gate.pid(), world.gate.is_running()), (pid, true));
    until("the reason", || world.gate.log().contains("this one starts again"));
}

#[test]
fn of_two_that_want_to_take_over_one_does_even_if_the_old_one_is_killed_meanwhile() {
    let mut world = World::new();
    let callback = is_under_way(&world, "MIDDLE-1");
    let mut gate = thread::scope(|scope| {
        let next = scope.spawn(|| Gate::start_by(&mut take_over(&world), ""));
        until("the old one to leave", || world.gate.log().contains("another gate takes over"));
        let third = world.command(&["run", "--take-over"]);
        assert_eq!(third.code, 1);
        assert!(third.stderr.contains("is taking over already"), "{}", third.stderr);
        let waits = connect(world.gate.addr).unwrap();
        world.gate.kill();
        world.upstream.release();
        let gate = next.join().unwrap();
        assert_eq!(gate.addr, world.gate.addr);
        drop(waits);
        gate
    });
    gate.follows(&world.gate);
    world.gate = gate;
    assert!(callback.join().unwrap().is_none(), "its gate was killed");
    // It was taken in, so the next gate sends it again.
    until("the callback to be delivered", || world.upstream.acted_after(0).len() == 2);
}

#[test]
fn a_callback_under_way_is_finished_by_the_old_gate_and_those_that_wait_by_the_new_one() {
    let mut world = World::new();
    let under_way = is_under_way(&world, "OLD-1");
    world.wechat.order(&APP, "NEW-1").paid(100);
    let mut gate = thread::scope(|scope| {
        let next = scope.spawn(|| Gate::start_by(&mut take_over(&world), ""));
        until("the old one to stop accepting", || world.gate.log().contains("requests under way finish"));
        let mut waits = connect(world.gate.addr).unwrap();
        waits.send(&Request::post("/pay/success").form("OrderID=NEW-1").bytes());
        assert!(world.gate.is_running());
        world.upstream.release();
        let gate = next.join().unwrap();
        let answer = waits.answer().unwrap();
        world.heard(&answer);
        assert_eq!(answer.status(), 200);
        gate
    });
    assert_eq!(world.gate.ends().code(), Some(0));
    gate.follows(&world.gate);
    world.gate = gate;
    let answer = under_way.join().unwrap().unwrap();
    world.heard(&answer);
    assert_eq!(answer.status(), 200);
}

#[test]
fn without_a_gate_to_take_over_from_it_simply_starts() {
    let mut world = World::new();
    world.kill9();
    assert!(hand_over(&world).exists(), "as a gate leaves it that is killed");
    world.gate = Gate::start_by(&mut take_over(&world), "");
    world.wechat.order(&APP, "ALONE-1").paid(100);
    assert_eq!(world.app_callback("ALONE-1").status(), 200);
    world.gate.signal(Signal::SIGTERM);
    world.gate.ends();
    assert!(!hand_over(&world).exists());
}

#[test]
fn without_a_journal_there_is_no_place_to_take_and_a_long_path_is_said() {
    let world = World::new();
    world.change_config(|config| config["journal"] = json!("none"));
    let ended = world.command(&["run", "--take-over"]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("--take-over needs a journal"), "{}", ended.stderr);

    let world = World::with(|setup| {
        let deep = setup.dir.join("d".repeat(100));
        std::fs::create_dir(&deep).unwrap();
        setup.config["journal"] = json!({ "path": deep.join("journal.db") });
    });
    until("the reason", || world.gate.log().contains("no other gate can take over"));
    let ended =
        command(&["run", "--take-over", "--config", world.config_file().to_str().unwrap()], &[("APP_KEY", APP.key)]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("cannot hand over"), "{}", ended.stderr);
}

#[test]
fn a_gate_that_is_told_another_address_moves_there() {
    let mut world = World::new();
    let old = world.gate.addr;
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(world.config_file()).unwrap()).unwrap();
    config["listen"] = json!(free.to_string());
    // A file of its own: the gate that runs would notice a change of the other.
    let file = world.dir().join("moved.yaml");
    std::fs::write(&file, config.to_string()).unwrap();
    let next = Gate::start_by(run(&file, &world.env).arg("--take-over"), "");
    assert_eq!(world.gate.ends().code(), Some(0));
    world.gate = next;
    assert_eq!(world.gate.addr, free);
    assert!(TcpStream::connect(old).is_err());
}
