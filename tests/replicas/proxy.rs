//! A network between a gate and the database that does what real ones do.

use crate::postgres::quiet_port;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Passes bytes on to a port, as well as it is told to.
#[derive(Clone)]
pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// How long each piece is held back, in milliseconds.
    delay: AtomicU64,
    /// Nothing is passed on, and nothing is closed.
    silent: AtomicBool,
    /// Connections are reset as soon as they come.
    refuses: AtomicBool,
    /// Connections of a number below this are dead, and nobody is told.
    frozen: AtomicUsize,
    opened: AtomicUsize,
    connections: Mutex<HashMap<usize, [TcpStream; 2]>>,
}

impl Proxy {
    pub fn to(target: u16) -> Self {
        let port = quiet_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let state = Arc::<State>::default();
        let served = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                connection(&served, client, target);
            }
        });
        Self { port, state }
    }

    pub fn delays(&self, delay: Duration) {
        self.state.delay.store(delay.as_millis().try_into().unwrap(), Ordering::Relaxed);
    }

    /// Passes nothing on, as long as this is so.
    pub fn is_silent(&self, silent: bool) {
        self.state.silent.store(silent, Ordering::Relaxed);
    }

    /// Never again passes anything on for the connections that there are: half open, as behind a firewall that forgot them.
    pub fn freezes(&self) {
        self.state.frozen.store(self.state.opened.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Breaks all connections off.
    pub fn cuts(&self) {
        for (_, ends) in self.state.connections.lock().unwrap().drain() {
            for end in ends {
                let _ = socket2::SockRef::from(&end).set_linger(Some(Duration::ZERO));
                let _ = end.shutdown(Shutdown::Both);
            }
        }
    }

    pub fn refuses(&self, refuses: bool) {
        self.state.refuses.store(refuses, Ordering::Relaxed);
        if refuses {
            self.cuts();
        }
    }
}

fn connection(state: &Arc<State>, client: TcpStream, target: u16) {
    if state.refuses.load(Ordering::Relaxed) {
        let _ = socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO));
        return;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { return };
    let number = state.opened.fetch_add(1, Ordering::Relaxed);
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
    }
    let ends = || Some([client.try_clone().ok()?, server.try_clone().ok()?]);
    let (Some(kept), Some([reader, writer])) = (ends(), ends()) else { return };
    state.connections.lock().unwrap().insert(number, kept);
    for (from, to) in [(client, writer), (server, reader)] {
        let state = Arc::clone(state);
        thread::spawn(move || {
            pump(&state, number, from, to);
            state.connections.lock().unwrap().remove(&number);
        });
    }
}

fn pump(state: &State, number: usize, mut from: TcpStream, mut to: TcpStream) {
    let mut piece = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        thread::sleep(Duration::from_millis(state.delay.load(Ordering::Relaxed)));
        while state.silent.load(Ordering::Relaxed) || number < state.frozen.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
        }
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
