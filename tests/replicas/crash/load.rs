//! The callbacks, those who send them, and what the neighbours do meanwhile.

use super::outside::Outside;
use super::{GATES, SENDERS};
use crate::fakes::upstream::{Reply, Upstream};
use crate::fakes::wechat::{APP, Fault, WeChat};
use crate::fleet::Fleet;
use crate::harness::within;
use crate::wire::{Message, PATIENCE, Request, Wire};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// The path of the route that absorbs duplicates; the other forwards them.
pub const ABSORBING: &str = "/pay/absorbed";

/// What every order costs.
pub const PRICE: u64 = 100;

/// How often a sender repeats what was refused because the journal could not be written.
const REPEATS: usize = 10;

/// What is true of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Paid,
    /// Paid when it is asked for the second time.
    PaidLater,
    Unpaid,
    Closed,
    MadeUp,
}

/// One callback.
#[derive(Debug, Clone)]
pub struct Callback {
    pub order: String,
    kind: Kind,
    path: &'static str,
    amount: u64,
    first: bool,
}

impl Callback {
    /// Whether the legacy system has to get it.
    pub fn is_right(&self) -> bool {
        matches!(self.kind, Kind::Paid | Kind::PaidLater) && self.amount == PRICE
    }

    fn is_written_into(&self, wechat: &WeChat) {
        let order = || wechat.order(&APP, &self.order);
        match self.kind {
            Kind::MadeUp => {}
            Kind::Unpaid => drop(order().state("NOTPAY")),
            Kind::Closed => drop(order().state("CLOSED")),
            Kind::PaidLater => drop(order().states(&["NOTPAY", "SUCCESS"])),
            Kind::Paid => drop(order().paid(PRICE)),
        }
    }

    /// Sends it; `None` if the gate is gone, or says nothing.
    fn send(&self, gate: SocketAddr) -> Option<Message> {
        let stream = TcpStream::connect(gate).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut wire = Wire::over(stream);
        wire.send(&Request::post(self.path).form(format!("OrderID={}&TotalFee={}", self.order, self.amount)).bytes());
        wire.answer()
    }
}

/// All callbacks, in order.
pub struct Load(Vec<Callback>);

impl Load {
    pub fn new(callbacks: usize, mut random: fastrand::Rng) -> Self {
        let mut load: Vec<Callback> = Vec::new();
        while load.len() < callbacks {
            if let Some(last) = load.len().checked_sub(1).filter(|_| random.u8(0..100) < 25) {
                let other = load[random.usize(last.saturating_sub(20)..=last)].clone();
                load.push(Callback { first: false, ..other });
                continue;
            }
            let kind = match random.u8(0..100) {
                0..62 => Kind::Paid,
                62..80 => Kind::PaidLater,
                80..86 => Kind::Unpaid,
                86..93 => Kind::Closed,
                _ => Kind::MadeUp,
            };
            let path = if random.bool() { ABSORBING } else { "/pay/success" };
            let order = format!("CRASH-{:05}", load.len());
            let right = Callback { order, kind, path, amount: PRICE, first: true };
            if random.u8(0..100) < 5 {
                load.push(Callback { amount: 1, ..right.clone() });
            }
            load.push(right);
        }
        Self(load)
    }
}

/// Those who send them, to whichever gate.
pub struct Senders {
    load: Load,
    sent: AtomicUsize,
    gates: Mutex<Vec<SocketAddr>>,
}

impl Senders {
    pub fn new(load: Load, fleet: &Fleet) -> Self {
        let gates = (0..GATES).map(|gate| fleet.gate(gate).addr).collect();
        Self { load, sent: AtomicUsize::new(0), gates: Mutex::new(gates) }
    }

    /// One of them, until everything was sent.
    pub fn send(&self, wechat: &WeChat, outside: &Outside, mut random: fastrand::Rng) {
        while let Some(callback) = self.load.0.get(self.sent.fetch_add(1, Ordering::Relaxed)) {
            if callback.first {
                callback.is_written_into(wechat);
            }
            for _ in 0..REPEATS {
                let gate = self.gates.lock().unwrap()[random.usize(0..GATES)];
                let answer = callback.send(gate);
                let status = answer.as_ref().map(Message::status);
                outside.notes(callback, answer);
                if status.is_some_and(|status| status != 503) {
                    break;
                }
                thread::sleep(Duration::from_millis(random.u64(50..300)));
            }
        }
    }

    pub fn are_done(&self) -> bool {
        self.sent.load(Ordering::Relaxed) >= self.load.0.len() + SENDERS
    }

    /// Waits until this share of all callbacks was sent.
    pub fn wait_for_share(&self, share: usize, of: usize) {
        let enough = self.load.0.len() * share / of;
        let sent = || self.sent.load(Ordering::Relaxed) >= enough;
        assert!(within(Duration::from_secs(120), sent), "nobody sends any more");
    }

    /// A gate listens elsewhere now.
    pub fn go_on(&self, gate: usize, fleet: &Fleet) {
        self.gates.lock().unwrap()[gate] = fleet.gate(gate).addr;
    }
}

/// Both neighbours come and go, until it is over.
pub fn weather(wechat: &WeChat, upstream: &Upstream, mut random: fastrand::Rng, is_over: impl Fn() -> bool) {
    while !is_over() {
        clears(wechat, upstream);
        match random.u8(0..20) {
            0 => upstream.goes_down(),
            1 => {
                upstream.answers(Reply::Says { status: 500, content_type: "text/plain", body: b"no database".to_vec() })
            }
            2 => upstream.answers(Reply::Hangs),
            3 => upstream.answers(Reply::ActsInSilence),
            4 => upstream.answers(Reply::Breaks),
            5 => wechat.goes_down(),
            6 => wechat.is_in_a_mood(Some((Fault::None, Duration::from_millis(200)))),
            7 => wechat.is_in_a_mood(Some((Fault::Error("SYSTEMERROR"), Duration::ZERO))),
            _ => {}
        }
        // For how long is what makes it weather.
        thread::sleep(Duration::from_millis(random.u64(20..200)));
    }
}

/// Both are well.
pub fn clears(wechat: &WeChat, upstream: &Upstream) {
    wechat.comes_back();
    wechat.is_in_a_mood(None);
    upstream.comes_back();
    upstream.answers(Reply::ok(b"taken"));
}
