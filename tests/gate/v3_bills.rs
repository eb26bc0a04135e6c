//! Bills of API v3: two steps, the second unsigned and so held against its hash; every row is only a question.

use crate::fakes::wechat::v3::{NEW, NoBill, Wrong};
use crate::fakes::wechat::{Bill, Fault, WeChat};
use crate::follow_up::stands;
use crate::harness::{Setup, World};
use crate::program::Ended;
use serde_json::{Value, json};

const DAY: &str = "2026-11-22";

/// A form route whose callbacks can be made, and an account of API v3 that is swept by hand.
fn swept(setup: &mut Setup) {
    setup.hurry();
    setup.route("form-v3")["synthesize"] = json!({ "body": "OrderID={{ order }}&WeixinTransactionID={{ transaction_id }}&TotalFee={{ amount }}&ChannelID=new" });
    setup.config["channels"]["new"]["sweep"] = json!({ "route": "form-v3", "from": "2099-01-01" });
}

fn sweep(world: &World, wait: &str) -> (Ended, Value) {
    let ended = world.command(&["sweep", "--channel", "new", "--date", DAY, "--json", "--wait", wait]);
    let report = serde_json::from_str::<Value>(&ended.stdout).unwrap_or_default()["sweeps"][0].clone();
    (ended, report)
}

/// A paid order in the bill, which nobody has called back for.
fn lost(world: &World, order: &str) -> String {
    let id = world.wechat.order(&NEW.merchant, order).paid(250);
    world.wechat.bill(&NEW.merchant, "20261122", &Bill::default().paid(&NEW.merchant, order, &id, 250));
    id
}

#[test]
fn a_paid_order_that_never_called_back_is_found_confirmed_and_delivered() {
    let world = World::of_v3(swept);
    let id = lost(&world, "LOST-1");
    let (ended, report) = sweep(&world, "20s");
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    assert_eq!([&report["paid"], &report["found"], &report["delivered"]], [1, 1, 1], "{report:#}");
    let seen = world.upstream_received();
    assert_eq!(seen.text(), format!("OrderID=LOST-1&WeixinTransactionID={id}&TotalFee=250&ChannelID=new"));
    assert_eq!(seen.folded("X-Tollgate-Origin"), ["sweep"]);
    let asked = world.wechat.bills_asked();
    assert!(asked[0].starts_with("/v3/bill/tradebill?") && asked[0].contains("bill_date=2026-11-22"), "{asked:?}");
    assert!(asked[0].contains("tar_type=GZIP"), "{asked:?}");
    assert!(asked[1].starts_with("/v3/billdownload/file?token="), "{asked:?}");
    assert_eq!((asked.len(), world.wechat.asked("LOST-1")), (2, 1));
    let (_, report) = sweep(&world, "20s");
    assert_eq!([&report["accepted_before"], &report["delivered"]], [1, 0]);
}

#[test]
fn the_hash_may_be_that_of_the_received_bytes_and_the_file_may_come_as_it_is() {
    for fault in [NoBill::HashOfReceived, NoBill::Uncompressed] {
        let world = World::of_v3(swept);
        lost(&world, "HASH-1");
        world.wechat.bills_fail(&[fault]);
        let (ended, report) = sweep(&world, "20s");
        assert_eq!((ended.code, &report["delivered"]), (0, &json!(1)), "{fault:?} {}", ended.stderr);
    }
}

#[test]
fn a_bill_that_is_not_what_it_was_said_to_be_is_not_used() {
    let canary = WeChat::start();
    for fault in [
        NoBill::OtherHash,
        NoBill::OtherHashType,
        NoBill::Cut,
        NoBill::Unsigned,
        NoBill::BadlySigned,
        NoBill::At(canary.addr),
        NoBill::Redirected(canary.addr),
        NoBill::Coded(403, "NO_AUTH"),
    ] {
        let world = World::of_v3(swept);
        lost(&world, "FALSE-1");
        world.wechat.bills_fail(&[fault; 20]);
        let (_, report) = sweep(&world, "2s");
        assert_ne!(report["delivered"], 1, "{fault:?}");
        assert_eq!(world.wechat.asked("FALSE-1"), 0, "{fault:?}: no row of it was read");
        world.upstream_saw_nothing();
        assert_eq!(canary.connections(), 0, "{fault:?}");
        assert!(!world.wechat.bills_asked().is_empty(), "{fault:?}");
    }
}

#[test]
fn what_went_wrong_once_is_asked_for_again() {
    for fault in [NoBill::OtherHash, NoBill::Expired, NoBill::Cut, NoBill::BadlySigned] {
        let world = World::of_v3(swept);
        lost(&world, "AGAIN-1");
        world.wechat.bills_fail(&[fault]);
        let (ended, report) = sweep(&world, "30s");
        assert!(world.wechat.bills_asked().len() >= 3 || report["delivered"] != 1, "{fault:?}: {report:#}");
        if report["delivered"] != 1 {
            // Not in the same command: the next one gets it.
            let (ended, report) = sweep(&world, "20s");
            assert_eq!((ended.code, &report["delivered"]), (0, &json!(1)), "{fault:?} {}", ended.stderr);
        }
        drop(ended);
    }
}

#[test]
fn a_day_without_trades_is_an_empty_one() {
    let world = World::of_v3(swept);
    let (ended, report) = sweep(&world, "20s");
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    assert_eq!([&report["paid"], &report["found"]], [0, 0], "{report:#}");
    assert_eq!(report["state"], "done", "{report:#}");
}

#[test]
fn a_bill_that_is_not_made_yet_is_asked_for_later() {
    let world = World::of_v3(swept);
    lost(&world, "CREATING-1");
    world.wechat.bills_fail(&[NoBill::Coded(400, "STATEMENT_CREATING"); 50]);
    let (ended, report) = sweep(&world, "1s");
    assert_ne!(ended.code, 0, "{report:#}");
    assert_ne!(report["delivered"], 1);
    assert!(
        ended.stdout.contains("STATEMENT_CREATING")
            || ended.stderr.contains("STATEMENT_CREATING")
            || report["state"] != "done",
        "{} {}",
        ended.stdout,
        ended.stderr
    );
    world.upstream_saw_nothing();
}

#[test]
fn the_bill_is_only_a_hint() {
    let world = World::of_v3(swept);
    let merchant = &NEW.merchant;
    world.wechat.order(merchant, "HINT-1").state("NOTPAY");
    world.wechat.order(merchant, "HINT-2").paid(100);
    let id = world.wechat.order(merchant, "HINT-3").paid(100);
    let bill = Bill::default()
        .paid(merchant, "HINT-0", "4200000000000000000000000000", 100)
        .paid(merchant, "HINT-1", "4200000000000000000000000001", 100)
        .paid(merchant, "HINT-2", "4200000000000000000000000002", 100)
        .paid(merchant, "HINT-3", &id, 200);
    world.wechat.bill(merchant, "20261122", &bill);
    let (ended, report) = sweep(&world, "20s");
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    assert_eq!([&report["found"], &report["parked"], &report["delivered"]], [4, 4, 0], "{report:#}");
    for (order, reason) in [
        ("HINT-0", "order-not-found"),
        ("HINT-1", "not-paid-yet"),
        ("HINT-2", "transaction-differs"),
        ("HINT-3", "amount-differs"),
    ] {
        assert_eq!(stands(&world, order, "parked")["reason"], reason, "{order}");
    }
    world.upstream_saw_nothing();
}

#[test]
fn a_row_that_is_answered_by_a_forgery_is_not_delivered() {
    let world = World::of_v3(swept);
    let id = world.wechat.order(&NEW.merchant, "ROW-1").fault(Fault::V3(Wrong::Reserialised)).paid(250);
    world.wechat.bill(&NEW.merchant, "20261122", &Bill::default().paid(&NEW.merchant, "ROW-1", &id, 250));
    let (_, report) = sweep(&world, "2s");
    assert_eq!((&report["found"], &report["delivered"]), (&json!(1), &json!(0)), "{report:#}");
    world.upstream_saw_nothing();
}
