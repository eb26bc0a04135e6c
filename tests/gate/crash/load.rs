//! The callbacks, and those who send them.

use super::outside::Outside;
use crate::api_v3::{RESIGNED, V3};
use crate::fakes::wechat::v3::{NEW, Notice};
use crate::fakes::wechat::{APP, Merchant, WeChat};
use crate::harness::within;
use crate::wire::{Message, PATIENCE, Request, Wire};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What is true of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Paid,
    /// Paid when it is asked for the second time.
    PaidLater,
    Unpaid,
    Closed,
    MadeUp,
    /// Paid, and its only callback names another amount.
    OtherAmount,
    /// The same, and a right callback comes as well.
    OtherAmountFirst,
}

/// In which way a callback comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The APP's form.
    Form,
    /// A notification of API v3, on a route where the gate signs.
    Resigned,
    /// The same where WeChat Pay's signature is sent, for a second: WeChat Pay sends again what got no success.
    Windowed,
}

/// One callback.
#[derive(Debug, Clone)]
pub struct Callback {
    pub order: String,
    pub kind: Kind,
    pub way: Way,
    /// What it claims was paid.
    pub amount: u64,
    /// Whether it is the order's first.
    first: bool,
}

/// What every paid order costs.
pub const PRICE: u64 = 100;

impl Callback {
    /// Whether the legacy system has to get it.
    pub fn is_right(&self) -> bool {
        let paid = !matches!(self.kind, Kind::Unpaid | Kind::Closed | Kind::MadeUp);
        paid && self.amount == PRICE
    }

    /// WeChat Pay knows of the order.
    fn is_written_into(&self, wechat: &WeChat) {
        let order = || wechat.order(self.merchant(), &self.order);
        match self.kind {
            Kind::MadeUp => {}
            Kind::Unpaid => drop(order().state("NOTPAY")),
            Kind::Closed => drop(order().state("CLOSED")),
            Kind::PaidLater => drop(order().states(&["NOTPAY", "SUCCESS"])),
            Kind::Paid | Kind::OtherAmount | Kind::OtherAmountFirst => drop(order().paid(PRICE)),
        }
    }

    const fn merchant(&self) -> &'static Merchant {
        match self.way {
            Way::Form => &APP,
            Way::Resigned | Way::Windowed => &NEW.merchant,
        }
    }

    /// What a notification seals stands in the clear of its envelope too, for the ledger of the crash.
    fn request(&self) -> Request {
        let notice = |path: &str| {
            let notice = Notice::paid(&NEW, &self.order, self.amount);
            let notice = notice.enveloped("/id", &*self.order).enveloped("/summary", self.amount.to_string());
            notice.to(&format!("{path}/new"))
        };
        match self.way {
            Way::Form => Request::post("/pay/success").form(format!("OrderID={}&TotalFee={}", self.order, self.amount)),
            Way::Resigned => notice(RESIGNED),
            Way::Windowed => notice(V3),
        }
    }

    /// Sends it; `None` if the gate is gone.
    pub fn send(&self, gate: SocketAddr) -> Option<Message> {
        let stream = TcpStream::connect(gate).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut wire = Wire::over(stream);
        wire.send(&self.request().bytes());
        wire.answer()
    }
}

/// The order and the amount that a request to the legacy system names.
pub fn named(request: &Message) -> (String, String) {
    let text = request.text();
    if let Ok(envelope) = serde_json::from_str::<serde_json::Value>(&text) {
        let text = |name: &str| envelope[name].as_str().unwrap_or_default().to_owned();
        return (text("id"), text("summary"));
    }
    let field = |name: &str| text.split('&').find_map(|field| field.strip_prefix(name)).unwrap_or_default().to_owned();
    (field("OrderID="), field("TotalFee="))
}

/// All callbacks, in order.
pub struct Load(Vec<Callback>);

impl Load {
    pub fn new(callbacks: usize, mut random: fastrand::Rng) -> Self {
        let mut load: Vec<Callback> = Vec::new();
        while load.len() < callbacks {
            // Most orders have one callback only; some come again, often at the same time.
            let again = load.len().checked_sub(1).filter(|_| random.u8(0..100) < 20);
            if let Some(last) = again {
                let other = load[random.usize(last.saturating_sub(20)..=last)].clone();
                load.push(Callback { first: false, ..other });
                continue;
            }
            let (order, kind) = (format!("CRASH-{}", load.len()), kind(&mut random));
            let wrong = matches!(kind, Kind::OtherAmount | Kind::OtherAmountFirst);
            let right = Callback { order, kind, way: way(&mut random), amount: PRICE, first: !wrong };
            if wrong {
                load.push(Callback { amount: 1, first: true, ..right.clone() });
            }
            if kind != Kind::OtherAmount {
                load.push(right);
            }
        }
        Self(load)
    }
}

fn kind(random: &mut fastrand::Rng) -> Kind {
    match random.u8(0..100) {
        0..60 => Kind::Paid,
        60..78 => Kind::PaidLater,
        78..82 => Kind::Unpaid,
        82..88 => Kind::Closed,
        88..92 => Kind::MadeUp,
        92..96 => Kind::OtherAmount,
        _ => Kind::OtherAmountFirst,
    }
}

fn way(random: &mut fastrand::Rng) -> Way {
    match random.u8(0..4) {
        0 => Way::Resigned,
        1 => Way::Windowed,
        _ => Way::Form,
    }
}

/// Those who send them, to wherever the gate listens now.
pub struct Senders {
    load: Load,
    sent: AtomicUsize,
    gate: Mutex<SocketAddr>,
}

impl Senders {
    pub fn new(load: Load, gate: SocketAddr) -> Self {
        Self { load, sent: AtomicUsize::new(0), gate: Mutex::new(gate) }
    }

    /// One of them, until everything was sent.
    pub fn send(&self, wechat: &WeChat, outside: &Outside) {
        while let Some(callback) = self.load.0.get(self.sent.fetch_add(1, Ordering::Relaxed)) {
            if callback.first {
                callback.is_written_into(wechat);
            }
            let gate = *self.gate.lock().unwrap();
            let answer = callback.send(gate);
            let is_gone = answer.is_none();
            outside.notes(callback, answer);
            if is_gone {
                within(PATIENCE, || *self.gate.lock().unwrap() != gate || self.are_done());
            }
        }
    }

    pub fn are_done(&self) -> bool {
        self.sent.load(Ordering::Relaxed) >= self.load.0.len()
    }

    /// Waits until this share of all callbacks was sent.
    pub fn wait_for_share(&self, share: usize, of: usize) {
        let enough = self.load.0.len() * share / of;
        let sent = || self.sent.load(Ordering::Relaxed) >= enough;
        assert!(within(Duration::from_secs(120), sent), "nobody sends any more");
    }

    /// The gate listens here now.
    pub fn go_on(&self, gate: SocketAddr) {
        *self.gate.lock().unwrap() = gate;
    }
}
