//! Paid orders whose callback never came are found in the bill, confirmed, and delivered once.

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::{APP, Bill, C1, Fields, SignType, notification, refusal, scan, transaction_id};
use crate::follow_up::stands;
use crate::harness::{Setup, World, until};
use crate::program::{Ended, command};
use serde_json::{Value, json};

const DAY: &str = "2026-11-22";

/// A route whose callbacks can be made, and a channel that is swept. By itself it is not, whatever the time of day.
pub fn swept(setup: &mut Setup) {
    setup.hurry();
    setup.route("app")["synthesize"] =
        json!({ "body": "OrderID={{ order }}&WeixinTransactionID={{ transaction_id }}&TotalFee={{ amount }}" });
    setup.config["channels"]["app"]["sweep"] = json!({ "route": "app", "from": "2099-01-01" });
}

fn sweep(world: &World, more: &[&str]) -> (Ended, Value) {
    let mut args = vec!["sweep", "--channel", "app", "--date", DAY, "--json", "--wait", "20s"];
    args.extend(more);
    let ended = world.command(&args);
    let report = serde_json::from_str::<Value>(&ended.stdout).unwrap_or_default()["sweeps"][0].clone();
    (ended, report)
}

#[test]
fn a_paid_order_that_never_called_back_is_delivered_like_its_callback() {
    let world = World::with(swept);
    let id = world.wechat.order(&APP, "LOST-1").paid(250);
    world.wechat.bill(&APP, "20261122", &Bill::default().paid(&APP, "LOST-1", &id, 250));
    let (ended, report) = sweep(&world, &[]);
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    assert_eq!([&report["paid"], &report["found"], &report["delivered"]], [1, 1, 1]);
    let whole: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&whole["found"], &whole["delivered"]), (&json!(1), &json!(1)));
    let seen = world.upstream_received();
    assert_eq!(seen.line(), "POST /pay/success HTTP/1.1");
    assert_eq!(seen.text(), format!("OrderID=LOST-1&WeixinTransactionID={id}&TotalFee=250"));
    assert_eq!(seen.folded("X-Tollgate-Origin"), ["sweep"]);
    assert_eq!(seen.folded("X-Verified-Transaction-Id"), [id.as_str()]);
    let delivery = seen.folded("X-Tollgate-Delivery");
    // Its own callback comes after all: the upstream can tell that it is the same.
    assert_eq!(world.app_callback("LOST-1").status(), 200);
    let late = &world.upstream.requests()[1];
    assert_eq!(
        (late.folded("X-Tollgate-Delivery"), late.folded("X-Tollgate-Attempt")),
        (delivery, vec!["2".to_owned()])
    );
}

#[test]
fn reconcile_is_another_name_of_the_same_command() {
    let world = World::with(swept);
    let id = world.wechat.order(&APP, "LOST-2").paid(250);
    world.wechat.bill(&APP, "20261122", &Bill::default().paid(&APP, "LOST-2", &id, 250));
    let told = |command: &str| {
        let ended =
            world.command(&[command, "--channel", "app", "--date", DAY, "--dry-run", "--json", "--wait", "20s"]);
        let mut report: Value = serde_json::from_str(&ended.stdout).unwrap();
        // Each sweep has a number and times of its own.
        let sweep = report["sweeps"][0].as_object_mut().unwrap();
        sweep.retain(|key, _| key != "sweep" && !key.ends_with("_at"));
        (ended.code, report)
    };
    let swept = told("sweep");
    assert_eq!(swept.1["sweeps"][0]["found"], 1, "{}", swept.1);
    assert_eq!(told("reconcile"), swept);
    assert!(command(&["--help"], &[]).stdout.contains("[alias: reconcile]"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(command(&["completions", shell], &[]).stdout.contains("reconcile"), "{shell}");
    }
}

#[test]
fn whoever_has_orders_delivered_by_a_sweep_is_in_the_audit_trail() {
    let world = World::with(swept);
    world.wechat.bill(&APP, "20261122", &Bill::default());
    sweep(&world, &["--dry-run"]);
    assert_eq!(world.admin_json("/api/audit")["audit"], json!([]), "it changed nothing");
    sweep(&world, &[]);
    let line = world.admin_json("/api/audit")["audit"][0].clone();
    assert_eq!((&line["action"], &line["channel"], &line["from"]), (&json!("sweep"), &json!("app"), &json!("cli")));
    assert!(line["who"].as_str().unwrap().starts_with("cli:"), "{line}");
    assert_eq!(line["outcome"], "bill of 2026-11-22: sweep 2");
}

#[test]
fn a_second_sweep_delivers_nothing() {
    let world = World::with(swept);
    let mut bill = Bill::default();
    for index in 0..5 {
        let order = format!("TWICE-{index}");
        let id = world.wechat.order(&APP, &order).paid(100);
        bill = bill.paid(&APP, &order, &id, 100);
    }
    world.wechat.bill(&APP, "20261122", &bill.shuffled());
    assert_eq!(world.app_callback("TWICE-0").status(), 200);
    let (_, report) = sweep(&world, &[]);
    assert_eq!([&report["accepted_before"], &report["delivered"]], [1, 4]);
    let (ended, report) = sweep(&world, &[]);
    assert_eq!((ended.code, &report["accepted_before"], &report["found"]), (0, &json!(5), &json!(0)));
    assert_eq!(world.upstream.requests().len(), 5);
}

#[test]
fn a_dry_run_asks_and_delivers_nothing() {
    let world = World::with(swept);
    let id = world.wechat.order(&APP, "DRY-1").paid(100);
    world.wechat.bill(&APP, "20261122", &Bill::default().paid(&APP, "DRY-1", &id, 100));
    let (ended, report) = sweep(&world, &["--dry-run"]);
    assert_eq!((ended.code, &report["found"], &report["delivered"]), (0, &json!(1), &json!(0)), "{}", ended.stderr);
    assert_eq!(report["kept_rows"][0]["order"], "DRY-1");
    assert_eq!(world.wechat.asked("DRY-1"), 0);
    world.upstream_saw_nothing();
}

#[test]
fn the_bill_is_only_a_hint() {
    let world = World::with(swept);
    world.wechat.order(&APP, "HINT-1").state("NOTPAY");
    let other = world.wechat.order(&APP, "HINT-2").paid(100);
    let refunded = transaction_id(&APP, "HINT-3");
    world.wechat.order(&APP, "HINT-3").state("REFUND");
    let amount = world.wechat.order(&APP, "HINT-4").paid(100);
    let bill = Bill::default()
        .paid(&APP, "HINT-0", "4200000000000000000000000000", 100)
        .paid(&APP, "HINT-1", "4200000000000000000000000001", 100)
        .paid(&APP, "HINT-2", "4200000000000000000000000002", 100)
        .paid(&APP, "HINT-3", &refunded, 100)
        .refunded(&APP, "HINT-3", &refunded, 100)
        .paid(&APP, "HINT-4", &amount, 200);
    world.wechat.bill(&APP, "20261122", &bill);
    let (ended, report) = sweep(&world, &[]);
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    assert_eq!([&report["found"], &report["parked"], &report["delivered"], &report["refunds"]], [5, 5, 0, 1]);
    for (order, reason) in [
        ("HINT-0", "order-not-found"),
        ("HINT-1", "not-paid-yet"),
        ("HINT-2", "transaction-differs"),
        ("HINT-3", "refunded"),
        ("HINT-4", "amount-differs"),
    ] {
        assert_eq!(stands(&world, order, "parked")["reason"], reason, "{order}");
    }
    assert!(!other.is_empty());
    world.upstream_saw_nothing();
}

#[test]
fn refunded_orders_are_delivered_where_the_channel_wants_it() {
    let world = World::with(|setup| {
        swept(setup);
        setup.config["channels"]["app"]["on_refunded"] = json!("forward");
    });
    let id = transaction_id(&APP, "BACK-1");
    world.wechat.order(&APP, "BACK-1").state("REFUND");
    world.wechat.bill(
        &APP,
        "20261122",
        &Bill::default().paid(&APP, "BACK-1", &id, 100).refunded(&APP, "BACK-1", &id, 100),
    );
    assert_eq!(sweep(&world, &[]).0.code, 0);
    assert_eq!(world.upstream_received().folded("X-Verified-Trade-State"), ["REFUND"]);
}

#[test]
fn what_an_upstream_that_is_down_did_not_take_is_sent_again() {
    let world = World::with(swept);
    let id = world.wechat.order(&APP, "DOWN-1").paid(100);
    world.wechat.bill(&APP, "20261122", &Bill::default().paid(&APP, "DOWN-1", &id, 100));
    world.upstream.answers_once(Reply::Breaks);
    sweep(&world, &[]);
    stands(&world, "DOWN-1", "accepted");
    let seen = world.upstream.requests_for("DOWN-1");
    assert!(seen.iter().all(|seen| seen.folded("X-Tollgate-Origin") == ["sweep"]), "{seen:#?}");
}

#[test]
fn the_notification_of_an_order_is_made_as_wechat_pay_would_have() {
    let world = World::with(|setup| {
        swept(setup);
        setup.config["channels"]["app"]["sweep"]["route"] = json!("notify");
    });
    world.upstream.answers(Reply::xml("<xml><return_code><![CDATA[SUCCESS]]></return_code></xml>"));
    let id = world.wechat.order(&APP, "NOTE-1").paid(100);
    world.wechat.bill(&APP, "20261122", &Bill::default().paid(&APP, "NOTE-1", &id, 100));
    let (ended, report) = sweep(&world, &[]);
    assert_eq!((ended.code, &report["delivered"]), (0, &json!(1)), "{} {}", ended.stdout, ended.stderr);
    let seen = world.upstream_received();
    assert_eq!(seen.line(), "POST /wxpay/notify/app HTTP/1.1");
    let made = scan(&seen.text());
    let fields: Fields = made.clone().into_iter().filter(|(name, _)| name != "sign").collect();
    assert_eq!(made["sign"], crate::fakes::wechat::sign(&fields, APP.key, SignType::Md5));
    assert_eq!([&made["transaction_id"], &made["out_trade_no"], &made["total_fee"]], [&id, "NOTE-1", "100"]);
    assert!(!made.contains_key("trade_state") && made["nonce_str"].len() == 32);
    let real = notification(&APP, "NOTE-1", 100);
    let missing: Vec<_> = real.iter().map(|(name, _)| name).filter(|name| !made.contains_key(*name)).collect();
    assert!(missing.iter().all(|name| ["sign", "device_info", "is_subscribe"].contains(&name.as_str())), "{missing:?}");
}

#[test]
fn a_notification_in_another_currency_is_sent_again_like_any_other() {
    let world = World::with(|setup| {
        swept(setup);
        setup.config["channels"]["app"]["sweep"]["route"] = json!("notify");
    });
    let id = world.wechat.order(&APP, "NOTE-2").field("fee_type", "HKD").paid(100);
    world.wechat.bill(&APP, "20261122", &Bill::default().paid(&APP, "NOTE-2", &id, 100).counted_in("HKD"));
    world.upstream.answers_once(Reply::Breaks);
    world.upstream.answers(Reply::xml("<xml><return_code><![CDATA[SUCCESS]]></return_code></xml>"));
    sweep(&world, &[]);
    assert_eq!(stands(&world, "NOTE-2", "accepted")["attempts"], 2);
    let seen = world.upstream.requests_for("NOTE-2");
    assert!(seen.iter().all(|seen| scan(&seen.text())["fee_type"] == "HKD"), "{seen:#?}");
}

#[test]
fn a_day_without_trades_is_no_failure() {
    let world = World::with(swept);
    let (ended, report) = sweep(&world, &[]);
    assert_eq!((ended.code, &report["state"], &report["rows"]), (0, &json!("done"), &json!(0)), "{}", ended.stderr);
    world.wechat.bill(&APP, "20261122", &Bill::default());
    assert_eq!(sweep(&world, &[]).0.code, 0);
}

#[test]
fn a_bill_that_is_not_ready_is_asked_for_again_later() {
    let world = World::with(swept);
    world.wechat.refuses_bills(&refusal("Bill Creating", "20003"), 1);
    let (ended, report) = sweep(&world, &[]);
    assert_eq!((ended.code, &report["state"]), (1, &json!("asked")), "{}", ended.stdout);
    assert!(report["problem"].as_str().unwrap().contains("Bill Creating") && report["again_at"].is_string());
}

#[test]
fn a_wrong_key_is_said_and_not_tried_again() {
    let world = World::with(swept);
    world.wechat.refuses_bills(&refusal("sign error", "20001"), 1);
    let (ended, report) = sweep(&world, &[]);
    assert_eq!((ended.code, &report["state"]), (1, &json!("failed")));
    assert!(report["problem"].as_str().unwrap().contains("sign error"));
}

#[test]
fn it_works_without_a_gate_too() {
    let world = World::with(swept);
    let id = world.wechat.order(&APP, "ALONE-1").paid(100);
    world.wechat.bill(&APP, "20261122", &Bill::default().paid(&APP, "ALONE-1", &id, 100));
    world.kill9();
    let (ended, report) = sweep(&world, &[]);
    assert_eq!((ended.code, &report["delivered"]), (0, &json!(1)), "{} {}", ended.stdout, ended.stderr);
    assert_eq!(world.upstream_received().folded("X-Tollgate-Origin"), ["sweep"]);
}

#[test]
fn each_merchants_rows_go_to_its_own_channels() {
    let world = World::with(|setup| {
        swept(setup);
        setup.config["channels"]["app"]["out_trade_no"] = json!({ "prefix": "APP" });
    });
    let ours = world.wechat.order(&APP, "APPOWN-1").paid(100);
    let bill = Bill::default()
        .paid(&APP, "APPOWN-1", &ours, 100)
        .paid(&APP, "ELSE-1", "4200000000000000000000000003", 100)
        .paid(&C1, "APPOWN-2", "4200000000000000000000000004", 100);
    world.wechat.bill(&APP, "20261122", &bill);
    let (ended, report) = sweep(&world, &[]);
    assert_eq!((ended.code, &report["found"], &report["not_ours"]), (0, &json!(1), &json!(2)), "{}", ended.stdout);
    assert!(world.upstream_received().text().starts_with("OrderID=OWN-1&"));
}

#[test]
fn a_schedule_catches_up_and_runs_once_a_day() {
    let mut world = World::with(|setup| {
        swept(setup);
        setup.config["channels"]["app"]["sweep"] =
            json!({ "route": "app", "at": "00:00", "days": 2, "from": "2020-01-01", "before_gate": "deliver" });
        // Also of today, which is over if a day begins meanwhile.
        let today = tollgate::domain::clock::beijing(tollgate::domain::clock::now()).date();
        for ago in 0..3 {
            let day = today.checked_sub(jiff::Span::new().days(ago)).unwrap();
            setup.wechat().bill(&APP, &day.strftime("%Y%m%d").to_string(), &Bill::default());
        }
    });
    let done = |world: &World| world.journal("SELECT count(*) FROM sweep WHERE state = 'done' AND due_on NOT NULL");
    until("the bills of two days", || done(&world) >= 2);
    world.restart();
    assert_eq!(sweep(&world, &[]).0.code, 0);
    let rounds = world.journal("SELECT count(DISTINCT due_on) FROM sweep");
    assert_eq!(world.journal("SELECT count(*) FROM sweep WHERE due_on NOT NULL"), 2 * rounds);
}

#[test]
fn an_unknown_channel_and_a_day_to_come_are_explained() {
    let world = World::with(swept);
    let ended = world.command(&["sweep", "--channel", "2/c1", "--date", DAY]);
    assert!(ended.code == 1 && ended.stderr.contains("these have: app"), "{}", ended.stderr);
    let ended = world.command(&["sweep", "--channel", "app", "--date", "2999-01-01"]);
    assert!(ended.code == 1 && ended.stderr.contains("in Beijing"), "{}", ended.stderr);
}

#[test]
fn a_payment_of_a_channel_that_is_not_swept_is_left_to_it() {
    let world = World::with(|setup| {
        swept(setup);
        let mut other = setup.config["channels"]["app"].clone();
        other["out_trade_no"] = json!({ "prefix": "B" });
        other.as_object_mut().unwrap().remove("sweep");
        setup.config["channels"]["other"] = other;
    });
    let id = world.wechat.order(&APP, "BORDER-1").paid(100);
    world.wechat.bill(&APP, "20261122", &Bill::default().paid(&APP, "BORDER-1", &id, 100));
    let (ended, report) = sweep(&world, &[]);
    assert_eq!((ended.code, &report["found"], &report["not_ours"]), (0, &json!(0), &json!(1)), "{}", ended.stdout);
    world.upstream_saw_nothing();
}

#[test]
fn an_order_whose_number_is_another_is_delivered_only_where_somebody_has_named_it() {
    let world = World::with(|setup| {
        swept(setup);
        setup.route("app")["synthesize"] =
            json!({ "body": "OrderID={{ order }}&paymentcenter_id={{ out_trade_no }}&ChannelID=2&CustomerID=c1" });
        setup.config["channels"]["2/c1"]["sweep"] = json!({ "route": "app", "from": "2099-01-01" });
        setup.config["channels"]["app"].as_object_mut().unwrap().remove("sweep");
        setup.route("app")["accepted"] = json!({ "body_contains": "never" });
    });
    let known = world.wechat.order(&C1, "PC-1").paid(100);
    let unknown = world.wechat.order(&C1, "PC-2").paid(100);
    // Its callback was confirmed, and not accepted: the gate has learnt which order that number is.
    world.callback("OrderID=NAMED-1&paymentcenter_id=PC-1&ChannelID=2&CustomerID=c1");
    until("the payment", || world.journal("SELECT count(*) FROM entry WHERE transaction_id NOT NULL") == 1);
    let bill = Bill::default().paid(&C1, "PC-1", &known, 100).paid(&C1, "PC-2", &unknown, 100);
    world.wechat.bill(&C1, "20261122", &bill);
    let args = ["sweep", "--channel", "2/c1", "--date", DAY, "--json", "--wait", "20s"];
    let ended = world.command(&args);
    let report = serde_json::from_str::<Value>(&ended.stdout).unwrap()["sweeps"][0].clone();
    assert_eq!((&report["unknown_order"], &report["under_way"]), (&json!(1), &json!(1)), "{report:#}");
    assert_eq!((ended.code, &report["kept_rows"][1]["out_trade_no"]), (1, &json!("PC-2")));
    assert!(world.upstream.requests().iter().all(|seen| seen.text().contains("OrderID=NAMED-1")));
}

#[test]
fn an_order_whose_row_is_broken_by_its_text_is_delivered_like_any_other() {
    let world = World::with(swept);
    let texts = ["tea\ngreen", "tea\r\n\r\n`green", "tea,`green", "`,`", "tea\n总交易单数,订单总金额\n`1,`1.00"];
    let mut bill = Bill::default();
    for (index, text) in texts.iter().enumerate() {
        let order = format!("TEXT-{index}");
        let id = world.wechat.order(&APP, &order).paid(250);
        bill = bill.paid(&APP, &order, &id, 250).saying(text);
    }
    world.wechat.bill(&APP, "20261122", &bill);
    let (ended, report) = sweep(&world, &[]);
    assert_eq!(
        [&report["rows"], &report["paid"], &report["delivered"], &report["malformed"]],
        [5, 5, 5, 0],
        "{report:#}"
    );
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    let row = &report["kept_rows"][0];
    assert_eq!((&row["what"], &row["total_fee"]), (&json!("found"), &Value::Null), "the bill's amount is not believed");
    assert!(row["detail"].as_str().unwrap().contains("settlement amount 2.50 CNY"), "{row}");
    assert!(world.upstream.requests().iter().all(|seen| seen.text().ends_with("&TotalFee=250")), "the answer's is");
    assert_eq!(world.scrape().one("tollgate_sweep_rows_left", &[("what", "malformed")]), 0.0);
}

#[test]
fn a_row_that_cannot_be_read_is_something_left_to_do() {
    let world = World::with(swept);
    let good = world.wechat.order(&APP, "GOOD-1").paid(100);
    let bill = Bill::default().paid(&APP, "GOOD-1", &good, 100).paid(&APP, "BAD-1", "no id", 100);
    world.wechat.bill(&APP, "20261122", &bill);
    let (ended, report) = sweep(&world, &[]);
    assert_eq!((ended.code, &report["malformed"], &report["delivered"]), (1, &json!(1), &json!(1)), "{}", ended.stdout);
    assert_eq!(report["kept_rows"][1]["detail"], "has no usable 微信订单号");
    let ended = world.command(&["sweep", "--channel", "app", "--date", DAY]);
    assert!(ended.code == 1 && ended.stdout.contains("1 UNREADABLE"), "{}", ended.stdout);
    until("the figure", || world.scrape().one("tollgate_sweep_rows_left", &[("what", "malformed")]) > 0.0);
    let page = world.admin_get("/sweeps").text();
    assert!(page.contains("Unreadable 1"), "{page}");
    // The same bill, read as it should be: nothing is left.
    world.wechat.bill(&APP, "20261122", &Bill::default().paid(&APP, "GOOD-1", &good, 100));
    assert_eq!(sweep(&world, &[]).0.code, 0);
    until("no figure", || world.scrape().one("tollgate_sweep_rows_left", &[("what", "malformed")]) == 0.0);
}

#[test]
fn a_payment_whose_number_no_order_can_have_is_not_ours() {
    let world = World::with(swept);
    world.wechat.bill(&APP, "20261122", &Bill::default().paid(&APP, "QR.2026/1", "4200000000000000000000000007", 100));
    let (ended, report) = sweep(&world, &[]);
    assert_eq!((ended.code, &report["not_ours"], &report["malformed"]), (0, &json!(1), &json!(0)), "{report:#}");
    assert_eq!(report["kept_rows"][0]["transaction_id"], "4200000000000000000000000007");
    let ended = world.command(&["sweep", "--channel", "app", "--date", DAY]);
    let line = "line 2 not-ours: transaction 4200000000000000000000000007: its number QR.2026/1 is none";
    assert!(ended.stdout.contains(line), "{}", ended.stdout);
}

#[test]
fn a_row_written_into_a_text_is_only_a_question_and_counts_as_unreadable() {
    let world = World::with(swept);
    let honest = world.wechat.order(&APP, "HONEST-1").paid(100);
    world.wechat.order(&APP, "VICTIM-1").state("NOTPAY");
    let forged = format!(
        "tea\n`2026-11-22 10:11:12,`{},`{},`0,`,`4200000000000000000000000009,`VICTIM-1,`,`APP,`SUCCESS,`,`CNY,`1.00,`0.00,\
         `0,`0,`0.00,`0.00,`,`,`x",
        APP.appid, APP.mch_id
    );
    world.wechat.bill(&APP, "20261122", &Bill::default().paid(&APP, "HONEST-1", &honest, 100).saying(&forged));
    let (ended, report) = sweep(&world, &[]);
    assert_eq!([&report["paid"], &report["found"], &report["malformed"]], [1, 1, 1], "{report:#}");
    assert_eq!((ended.code, &report["delivered"]), (1, &json!(1)), "{}", ended.stdout);
    assert_eq!(stands(&world, "VICTIM-1", "parked")["reason"], "not-paid-yet");
    assert!(world.upstream_received().text().starts_with("OrderID=HONEST-1&"));
}
