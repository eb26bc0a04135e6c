//! The day of `recovery.rs` with notifications of API v3: on a route where the gate signs, and on one where only WeChat Pay
//! does. Every paid order reaches the order system, signed by a key that it knows, and no other does.

use crate::api_v3::{ANY, RESIGNED, TAKEN, is_refused};
use crate::fakes::upstream::Reply;
use crate::fakes::wechat::Bill;
use crate::fakes::wechat::v3::{Account, MIXED, NEW, Notice, RESIGN};
use crate::harness::{Setup, World, at_once, within};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What becomes of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    CallsBack,
    NeverCallsBack,
    CallsBackWhileDown,
    Refunded,
}

/// One account and its route.
struct Shop {
    account: Account,
    channel: &'static str,
    path: &'static str,
    route: &'static str,
}

const SHOPS: [Shop; 2] = [
    Shop { account: NEW, channel: "new", path: RESIGNED, route: "resigned" },
    Shop { account: MIXED, channel: "mixed", path: ANY, route: "any" },
];

/// Orders of each shop.
const ORDERS: usize = 60;

const PATIENCE: Duration = Duration::from_secs(60);

fn fate(index: usize) -> Fate {
    match index % 6 {
        0 => Fate::NeverCallsBack,
        1 => Fate::CallsBackWhileDown,
        2 if index % 12 == 2 => Fate::Refunded,
        _ => Fate::CallsBack,
    }
}

impl Shop {
    fn order(&self, index: usize) -> String {
        format!("DAY-{}-{index}", self.channel)
    }

    fn set_up(&self, setup: &mut Setup) {
        setup.config["channels"][self.channel]["sweep"] = json!({ "route": self.route, "from": "2099-01-01" });
    }

    /// Pays everything, and writes the bill.
    fn opens(&self, world: &World) {
        let mut bill = Bill::default();
        let merchant = &self.account.merchant;
        for index in 0..ORDERS {
            let order = self.order(index);
            let id = world.wechat.order(merchant, &order).paid(100);
            bill = bill.paid(merchant, &order, &id, 100);
            if fate(index) == Fate::Refunded {
                bill = bill.refunded(merchant, &order, &id, 100);
                world.wechat.order(merchant, &order).state("REFUND");
            }
        }
        world.wechat.bill(merchant, "20261122", &bill.shuffled());
    }

    /// WeChat Pay notifies of these.
    fn notifies(&self, world: &World, indices: &[usize]) -> Vec<bool> {
        let threads = 4;
        let told = at_once(threads, |thread| {
            let mine = indices.iter().skip(thread).step_by(threads);
            let notify = |index: &usize| {
                let notice = Notice::paid(&self.account, &self.order(*index), 100);
                is_refused(&world.notice(self.path, self.channel, &notice))
            };
            mine.map(notify).collect::<Vec<_>>()
        });
        told.concat()
    }

    fn sweeps(&self, world: &World) -> Value {
        let ended =
            world.command(&["sweep", "--channel", self.channel, "--date", "2026-11-22", "--json", "--wait", "40s"]);
        let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.stderr));
        report["sweeps"][0].clone()
    }
}

fn with(fates: Fate) -> Vec<usize> {
    (0..ORDERS).filter(|index| fate(*index) == fates).collect()
}

/// Transaction ids by order.
fn seen(world: &World) -> BTreeMap<String, BTreeSet<String>> {
    let mut seen = BTreeMap::<_, BTreeSet<_>>::new();
    for request in world.upstream.requests() {
        let order = request.folded("X-Verified-Out-Trade-No").join(",");
        seen.entry(order).or_default().extend(request.folded("X-Verified-Transaction-Id"));
    }
    seen
}

#[test]
fn no_paid_order_is_left_behind_and_what_the_gate_signs_is_signed_afresh() {
    let mut world = World::of_v3(|setup| {
        setup.hurry();
        setup.resigns();
        setup.config["limits"] = json!({ "rate_per_address": 0 });
        SHOPS.iter().for_each(|shop| shop.set_up(setup));
    });
    // Success in either language: found orders come to the second shop as API v2's.
    let taken = Reply::Says { status: 200, content_type: "application/json", body: TAKEN.into() };
    world.upstream.answers(taken.clone());
    SHOPS.iter().for_each(|shop| shop.opens(&world));
    let callers = with(Fate::CallsBack);
    let (morning, evening) = callers.split_at(callers.len() / 2);
    for shop in &SHOPS {
        assert!(!shop.notifies(&world, morning).contains(&true));
    }
    world.restart();
    world.upstream.goes_down();
    for shop in &SHOPS {
        assert!(!shop.notifies(&world, &with(Fate::CallsBackWhileDown)).contains(&false));
    }
    world.restart();
    world.upstream.comes_back();
    for shop in &SHOPS {
        assert!(!shop.notifies(&world, evening).contains(&true));
    }
    // A backend of API v2 answers in XML.
    let ack = "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>";
    for shop in &SHOPS {
        world.upstream.answers(if shop.channel == "mixed" { Reply::xml(ack) } else { taken.clone() });
        let report = shop.sweeps(&world);
        assert_eq!((&report["state"], &report["paid"]), (&json!("done"), &json!(ORDERS)), "{report:#}");
    }
    let must: BTreeMap<_, _> = SHOPS
        .iter()
        .flat_map(|shop| (0..ORDERS).map(move |index| (shop, index)))
        .filter(|(_, index)| fate(*index) != Fate::Refunded)
        .map(|(shop, index)| {
            let order = shop.order(index);
            let id = crate::fakes::wechat::transaction_id(&shop.account.merchant, &order);
            (order, BTreeSet::from([id]))
        })
        .collect();
    let whole = within(PATIENCE, || seen(&world).len() >= must.len());
    assert!(whole && seen(&world) == must, "{} of {} arrived", seen(&world).len(), must.len());
    let done = "SELECT count(*) FROM entry WHERE state = 'delivering'";
    assert!(within(PATIENCE, || world.journal(done) == 0), "{} are still delivered", world.journal(done));
    // Whatever came on the first shop's route was signed by the gate, and each time anew; the ledger verifies it.
    let resigned: Vec<_> =
        world.upstream.requests().into_iter().filter(|request| request.line().contains(RESIGNED)).collect();
    let serials: BTreeSet<_> = resigned.iter().flat_map(|request| request.folded("Wechatpay-Serial")).collect();
    assert_eq!(serials, BTreeSet::from([RESIGN.serial.to_owned()]));
    let signatures: BTreeSet<_> = resigned.iter().flat_map(|request| request.folded("Wechatpay-Signature")).collect();
    assert_eq!(signatures.len(), resigned.len(), "none was sent twice");
    for shop in &SHOPS {
        let again = shop.sweeps(&world);
        assert_eq!(again["delivered"], 0, "{again:#}");
    }
}
