//! Every state with every way in which an answer of API v3 can be wrong, and one byte changed anywhere in a notification:
//! what is right in all of it passes, and nothing else.

use crate::api_v3::{V3, is_refused};
use crate::fakes::wechat::Fault;
use crate::fakes::wechat::v3::{NEW, Notice, Wrong, with_headers};
use crate::harness::{Setup, World, at_once};
use serde_json::json;

const STATES: [&str; 9] =
    ["SUCCESS", "REFUND", "NOTPAY", "CLOSED", "REVOKED", "USERPAYING", "PAYERROR", "ACCEPT", "WHATEVER"];

/// Signature and key.
const SIGNED: [Fault; 6] = [
    Fault::None,
    Fault::BadSign,
    Fault::Unsigned,
    Fault::SignedWithAnotherKey,
    Fault::V3(Wrong::UnknownSerial),
    Fault::V3(Wrong::Offset(-400)),
];

/// One row: what the answer says that was claimed otherwise.
#[derive(Debug, Clone, Copy)]
struct Row {
    state: &'static str,
    signed: Fault,
    other_merchant: bool,
    other_app: bool,
    other_amount: bool,
    other_transaction: bool,
}

impl Row {
    fn all() -> Vec<Self> {
        let mut rows = Vec::new();
        for (state, signed) in STATES.into_iter().flat_map(|state| SIGNED.map(|signed| (state, signed))) {
            for bits in 0..16 {
                let bit = |bit: u8| bits & (1 << bit) != 0;
                rows.push(Self {
                    state,
                    signed,
                    other_merchant: bit(0),
                    other_app: bit(1),
                    other_amount: bit(2),
                    other_transaction: bit(3),
                });
            }
        }
        rows
    }

    fn is_right(&self) -> bool {
        let differs = [self.other_merchant, self.other_app, self.other_amount, self.other_transaction];
        self.state == "SUCCESS" && self.signed == Fault::None && !differs.contains(&true)
    }

    fn is_written(&self, world: &World, order: &str) {
        let mut written = world.wechat.order(&NEW.merchant, order).fault(self.signed);
        if self.other_merchant {
            written = written.field("mchid", "\"1900000999\"");
        }
        if self.other_app {
            written = written.field("appid", "\"wx0000000000000000\"");
        }
        if self.other_amount {
            written =
                written.field("amount", r#"{"total":101,"payer_total":101,"currency":"CNY","payer_currency":"CNY"}"#);
        }
        if self.other_transaction {
            written = written.field("transaction_id", "\"4200000000000000000000000001\"");
        }
        drop(written.state(self.state));
    }
}

fn alone(setup: &mut Setup) {
    setup.config["follow_up"] = json!({ "ask_again": ["1h"], "redeliver": ["1h"] });
    setup.config["limits"] = json!({ "rate_per_address": 0 });
    setup.config["channels"]["new"]["platform_certificates"] = json!("none");
    setup.config["log"]["level"] = json!("info");
}

#[test]
fn of_all_answers_only_the_one_that_is_right_in_everything_confirms() {
    let world = World::of_v3(alone);
    let rows = Row::all();
    let threads = 8;
    at_once(threads, |thread| {
        for (index, row) in rows.iter().enumerate().skip(thread).step_by(threads) {
            let order = format!("TABLE-{index}");
            row.is_written(&world, &order);
            let answer = world.notice(V3, "new", &Notice::paid(&NEW, &order, 100));
            let status = answer.status();
            assert_eq!(status == 200, row.is_right(), "{row:?}: {status} {}", world.reason(&answer));
            assert!(status == 200 || is_refused(&answer), "{row:?}: {status}");
        }
    });
    assert_eq!(world.upstream.requests().len(), rows.iter().filter(|row| row.is_right()).count());
}

/// How often one byte is changed.
const CHANGES: usize = 120;

#[test]
fn one_byte_changed_anywhere_in_a_notification_is_refused_before_anything_is_asked() {
    let world = World::of_v3(alone);
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    world.wechat.order(&NEW.merchant, "BYTE-1").paid(100);
    for _ in 0..CHANGES {
        let notice = Notice::paid(&NEW, "BYTE-1", 100);
        let mut body = notice.body();
        let mut headers = notice.stamp().headers(&body);
        // As often in the headers as in the body, which is longer.
        let what = if random.bool() {
            let at = random.usize(..headers.len());
            let (name, value) = &mut headers[at];
            let mut bytes = value.clone().into_bytes();
            change(&mut bytes, &mut random, b'!'..=b'~');
            *value = String::from_utf8(bytes).unwrap();
            format!("{name}: {value}")
        } else {
            change(&mut body, &mut random, 1..=255);
            String::from_utf8_lossy(&body).into_owned()
        };
        let answer = world.send(&with_headers(&format!("{V3}/new"), &body, &headers));
        assert!(is_refused(&answer) && [400, 401, 415].contains(&answer.status()), "{} {what}", answer.line());
    }
    world.nothing_came_of_it();
}

/// Replaces, removes or adds a byte.
fn change(bytes: &mut Vec<u8>, random: &mut fastrand::Rng, by: std::ops::RangeInclusive<u8>) {
    let at = random.usize(..bytes.len());
    let mut other = || {
        let old = bytes.get(at).copied();
        std::iter::repeat_with(|| random.u8(by.clone())).find(|new| Some(*new) != old).unwrap()
    };
    let new = other();
    match random.u8(0..4) {
        0 => drop(bytes.remove(at)),
        1 => bytes.insert(at, new),
        _ => bytes[at] = new,
    }
}
