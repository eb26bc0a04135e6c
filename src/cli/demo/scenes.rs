//! The scenes, each with what must come of it.

mod replicas;

mod v3;

use super::report::{Report, describe_attempt};
use super::stage::{APP, C1, Stage, is_over};
use crate::domain::clock;
use crate::domain::order::{OrderId, TransactionId};
use crate::journal::DeliveryId;
use crate::sandbox::shop::{DELIVERY_HEADER, ORIGIN_HEADER, Received, TRANSACTION_HEADER};
use crate::sandbox::{Fault, FaultKind, Faults, Forgery, Judgement, OrderFields, Progress, TradeState};
use anyhow::Context;
use tokio::task::JoinSet;

/// What is played.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scene {
    Paid,
    Notification,
    Unpaid,
    Forged,
    OtherTransaction,
    StolenNumber,
    WrongAmount,
    SpoofedHeader,
    Duplicates,
    SlowThenFine,
    PaidLate,
    Killed,
    NeverCalled,
    FoundInTheBill,
    V3Notification,
    V3Forged,
    V3SignedAnew,
    OneCount,
    OneKilled,
}

impl Scene {
    /// Those of several gates.
    pub(super) const OF_REPLICAS: &[Self] = &[Self::OneCount, Self::OneKilled];

    /// Those of one gate, in playing order.
    pub(super) const OF_ONE_GATE: &[Self] = &[
        Self::Paid,
        Self::Notification,
        Self::Unpaid,
        Self::Forged,
        Self::OtherTransaction,
        Self::StolenNumber,
        Self::WrongAmount,
        Self::SpoofedHeader,
        Self::Duplicates,
        Self::SlowThenFine,
        Self::PaidLate,
        Self::Killed,
        Self::NeverCalled,
        Self::FoundInTheBill,
        Self::V3Notification,
        Self::V3Forged,
        Self::V3SignedAnew,
    ];

    /// Plays it.
    pub(super) async fn play(self, stage: &Stage) -> anyhow::Result<Report> {
        match self {
            Self::Paid => paid(stage).await,
            Self::Notification => notification(stage).await,
            Self::Unpaid => unpaid(stage).await,
            Self::Forged => forged(stage).await,
            Self::OtherTransaction => other_transaction(stage).await,
            Self::StolenNumber => stolen_number(stage).await,
            Self::WrongAmount => wrong_amount(stage).await,
            Self::SpoofedHeader => spoofed_header(stage).await,
            Self::Duplicates => duplicates(stage).await,
            Self::SlowThenFine => slow_then_fine(stage).await,
            Self::PaidLate => paid_late(stage).await,
            Self::Killed => killed(stage).await,
            Self::NeverCalled => never_called(stage).await,
            Self::FoundInTheBill => found_in_the_bill(stage).await,
            Self::V3Notification => v3::notification(stage).await,
            Self::V3Forged => v3::forged(stage).await,
            Self::V3SignedAnew => v3::signed_anew(stage).await,
            Self::OneCount => replicas::one_count(stage).await,
            Self::OneKilled => replicas::one_killed(stage).await,
        }
    }
}

const NOTHING_PASSED: &str = "the order system never heard of it";

async fn paid(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "A paid order: the APP calls back",
        "Somebody pays 66 yuan for A1001. The callback brings no transaction id, which a refund will need.",
    );
    let transaction_id = stage.pay(APP, "A1001", 6600)?;
    let sent = stage.sender.call_back("OrderID=A1001&paymentcenter_id=&TotalFee=6600", &[]).await?;
    report.sender.extend(sent.told);
    let (queries, received) = stage.observe(&mut report, &["A1001"]);
    let refund = stage.refund("A1001").await?;
    report.check(
        "the sender got the order system's own answer",
        sent.status == Some(200) && sent.body == "order-marked-paid",
    );
    report.check("WeChat Pay was asked once", queries.len() == 1);
    let ids: Vec<_> = received.iter().map(|received| received.header(TRANSACTION_HEADER)).collect();
    report.check("the order system was told the verified transaction id", ids == [[transaction_id.as_str()]]);
    report.check("the refund works now", refund.starts_with("refund-sent"));
    report.shop.push(format!("its refund page: {refund}"));
    Ok(report)
}

async fn notification(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "A paid order: WeChat Pay notifies",
        "Somebody pays for J2001 in the official account. WeChat Pay sends its signed notification.",
    );
    let said = OrderFields { trade_type: Some("JSAPI".to_owned()), total_fee: Some(100), ..OrderFields::default() };
    stage.sandbox.pay(stage.key(APP, "J2001")?, said)?;
    let sent = stage.notified(stage.notify("J2001", Forgery::None)?, |sent| !sent.attempts.is_empty()).await?;
    report.sender.extend(sent.attempts.iter().map(describe_attempt));
    let (queries, received) = stage.observe(&mut report, &["J2001"]);
    let first = sent.attempts.first();
    report.check(
        "WeChat Pay got its acknowledgement",
        first.is_some_and(|attempt| attempt.judgement == Judgement::Acknowledged),
    );
    report.check("a right signature was not enough: WeChat Pay was asked once", queries.len() == 1);
    report.check("the order system got the notification", received.len() == 1);
    Ok(report)
}

async fn unpaid(stage: &Stage) -> anyhow::Result<Report> {
    let mut report =
        Report::new("An unpaid order", "A1003 exists, and nobody has paid it. Somebody calls back all the same.");
    stage.sandbox.put(stage.key(APP, "A1003")?, TradeState::NotPay, OrderFields::default())?;
    let sent = stage.sender.call_back("OrderID=A1003&paymentcenter_id=", &[]).await?;
    report.sender.extend(sent.told);
    let (queries, received) = stage.observe(&mut report, &["A1003"]);
    report.check("the sender was told to come again later (503)", sent.status == Some(503));
    report.check("WeChat Pay was asked", !queries.is_empty());
    report.check(NOTHING_PASSED, received.is_empty());
    Ok(report)
}

async fn forged(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "Forged callbacks",
        "One for A1004, which nobody ever ordered; then a notification for J2004, signed with a made-up key.",
    );
    let sent = stage.sender.call_back("OrderID=A1004&paymentcenter_id=&TotalFee=1", &[]).await?;
    report.sender.extend(sent.told);
    let notified = stage.notified(stage.notify("J2004", Forgery::WrongKey)?, is_over).await?;
    report.sender.extend(notified.attempts.iter().map(describe_attempt));
    let (_, received) = stage.observe(&mut report, &["A1004", "J2004"]);
    report.check("the made-up order was not confirmed (503)", sent.status == Some(503));
    let refused = notified.attempts.iter().all(|attempt| attempt.judgement == Judgement::Failed);
    report.check("the bad signature was refused", refused);
    report.check("WeChat Pay was not even asked about it", stage.queries(&["J2004"]).is_empty());
    report.check(NOTHING_PASSED, received.is_empty());
    Ok(report)
}

async fn other_transaction(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "Somebody else's transaction id",
        "B1005 is paid. Somebody calls back for B1006, which is not, and shows the payment of B1005.",
    );
    let transaction_id = stage.pay(C1, "B1005", 6600)?;
    stage.sandbox.put(stage.key(C1, "B1006")?, TradeState::NotPay, OrderFields::default())?;
    let form =
        format!("OrderID=B1006&paymentcenter_id=B1006&ChannelID=2&CustomerID=c1&WeixinTransactionID={transaction_id}");
    let sent = stage.sender.call_back(&form, &[]).await?;
    report.sender.extend(sent.told);
    let (queries, received) = stage.observe(&mut report, &["B1006", transaction_id.as_str()]);
    report.check("the sender was refused (403)", sent.status == Some(403));
    report.check("WeChat Pay was asked; its answer names the order that was really paid", !queries.is_empty());
    report.check(NOTHING_PASSED, received.is_empty());
    Ok(report)
}

async fn stolen_number(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "One payment for two orders",
        "B1020 costs 1 fen and is paid. Its payer says that the payment was for B1021, which costs 66 yuan: before the true \
         callback, and after it.",
    );
    stage.shop.takes_order("B1020", "2/c1", Some("PC1020"), 1);
    stage.shop.takes_order("B1021", "2/c1", Some("PC1021"), 6600);
    stage.sandbox.put(stage.key(C1, "PC1021")?, TradeState::NotPay, OrderFields::default())?;
    stage.pay(C1, "PC1020", 1)?;
    let form = |order: &str| format!("OrderID={order}&paymentcenter_id=PC1020&ChannelID=2&CustomerID=c1");
    let before = stage.sender.call_back(&form("B1021"), &[]).await?;
    let honest = stage.sender.call_back(&form("B1020"), &[]).await?;
    let after = stage.sender.call_back(&form("B1021"), &[]).await?;
    let statuses = [&before, &after].map(|sent| sent.status);
    report.sender.extend([before, honest, after].into_iter().flat_map(|sent| sent.told));
    let (_, received) = stage.observe(&mut report, &["B1020", "B1021", "PC1020"]);
    report.check("the thief was refused both times (403)", statuses == [Some(403); 2]);
    let orders: Vec<_> = received.iter().map(|received| received.order.as_str()).collect();
    report.check(
        "the order system heard of the paid order only: its own list says whose number that is",
        orders == ["B1020"],
    );
    Ok(report)
}

async fn wrong_amount(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new("Another amount", "1 fen was paid for A1007. The callback says 66 yuan.");
    stage.pay(APP, "A1007", 1)?;
    let sent = stage.sender.call_back("OrderID=A1007&paymentcenter_id=&TotalFee=6600", &[]).await?;
    report.sender.extend(sent.told);
    let (_, received) = stage.observe(&mut report, &["A1007"]);
    report.check("the sender was refused (403)", sent.status == Some(403));
    report.check(NOTHING_PASSED, received.is_empty());
    Ok(report)
}

async fn spoofed_header(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "A spoofed header",
        "A1008 is paid. The callback brings verified headers of its own, in two spellings that backends confuse.",
    );
    let transaction_id = stage.pay(APP, "A1008", 6600)?;
    let spoofed = [(TRANSACTION_HEADER, "4200000000000000000000000666"), ("x_verified_transaction_id", "4200666")];
    let sent = stage.sender.call_back("OrderID=A1008&paymentcenter_id=&TotalFee=6600", &spoofed).await?;
    let [said, got] = sent.told;
    report.sender.push(said);
    report.sender.extend(spoofed.map(|(name, value)| format!("with the header {name}: {value}")));
    report.sender.push(got);
    let (_, received) = stage.observe(&mut report, &["A1008"]);
    let ids: Vec<_> = received.iter().map(|received| received.header(TRANSACTION_HEADER)).collect();
    report.check("the order system saw one transaction id, the true one", ids == [[transaction_id.as_str()]]);
    Ok(report)
}

/// How many callbacks come at once.
const DUPLICATES: usize = 50;

async fn duplicates(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new("50 duplicates at once", "A1009 is paid, and its callback comes 50 times at once.");
    let transaction_id = stage.pay(APP, "A1009", 6600)?;
    let form = "OrderID=A1009&paymentcenter_id=&TotalFee=6600";
    let mut callers = JoinSet::new();
    for _ in 0..DUPLICATES {
        let sender = stage.sender.clone();
        callers.spawn(async move { sender.call_back(form, &[]).await });
    }
    let all = callers.join_all().await;
    let good = all.iter().flatten().filter(|sent| sent.status == Some(200) && sent.body == "order-marked-paid").count();
    report.sender.push(format!("{DUPLICATES} times POST /pay/success {form}"));
    report.sender.push(format!("got 200 OK order-marked-paid {good} times"));
    let (queries, received) = stage.observe(&mut report, &["A1009"]);
    report.check("all got the order system's answer", good == DUPLICATES);
    report.check("WeChat Pay was asked once for all of them", queries.len() == 1);
    let stamped = received.iter().all(|received| received.header(TRANSACTION_HEADER) == [transaction_id.as_str()]);
    report.check("each that reached the order system brought the transaction id", stamped && !received.is_empty());
    Ok(report)
}

async fn slow_then_fine(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "WeChat Pay is slow, then fine",
        "J2010 is paid, but a query takes 3 s. The gate asks on; WeChat Pay notifies again after 15 s (here: 1.5 s).",
    );
    stage.pay(APP, "J2010", 6600)?;
    let key = stage.key(APP, "J2010")?;
    stage.sandbox.order_faults(key, Faults::from([Fault { kind: FaultKind::Delay, delay_ms: 3000, count: None }]))?;
    let id = stage.notify("J2010", Forgery::None)?;
    stage.notified(id, |sent| !sent.attempts.is_empty()).await?;
    stage.sandbox.order_faults(key, Faults::default())?;
    let sent = stage.notified(id, is_over).await?;
    report.sender.extend(sent.attempts.iter().map(describe_attempt));
    let (_, received) = stage.observe(&mut report, &["J2010"]);
    let first = sent.attempts.first().map(|attempt| attempt.judgement);
    report.check("the first delivery was answered FAIL, within WeChat Pay's 5 s", first == Some(Judgement::Failed));
    report.check("a retry found the answer", sent.progress == Progress::Acknowledged && sent.attempts.len() > 1);
    report.check(
        "the order system got it, from the gate or the retry or both, under one X-Tollgate-Delivery",
        all_are_of(&received, "wechat-notify", "J2010"),
    );
    Ok(report)
}

async fn paid_late(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "Paid a moment after the only callback",
        "The APP calls back for A1011 before the money is there, and never again. Then the money comes.",
    );
    let order = OrderFields { total_fee: Some(6600), ..OrderFields::default() };
    stage.sandbox.put(stage.key(APP, "A1011")?, TradeState::NotPay, order)?;
    let sent = stage.sender.call_back("OrderID=A1011&paymentcenter_id=&TotalFee=6600", &[]).await?;
    report.sender.extend(sent.told);
    let early = stage.received(&["A1011"]);
    let transaction_id = stage.pay(APP, "A1011", 6600)?;
    let took = stage.arrived("A1011").await;
    report.sender.push("did not call again".to_owned());
    let (_, received) = stage.observe(&mut report, &["A1011"]);
    report.check("the sender was told to come again later (503)", sent.status == Some(503));
    report.check("the order system heard nothing before the money was there", early.is_empty());
    if early.is_empty() {
        report.told_when("the money came", took, &received);
    }
    delivered_later(stage, &mut report, &received, "A1011", &transaction_id, "follow-up").await?;
    Ok(report)
}

async fn killed(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "The order system is down, and then the gate is killed",
        "A1012 is paid while the order system is down. The APP calls back once. Then the gate dies too.",
    );
    let transaction_id = stage.pay(APP, "A1012", 6600)?;
    stage.shop.goes_down().await;
    let sent = stage.sender.call_back("OrderID=A1012&paymentcenter_id=&TotalFee=6600", &[]).await?;
    report.sender.extend(sent.told);
    report.sender.push("did not call again".to_owned());
    if let Some(away) = stage.kill_gate().await? {
        let away = away.as_millis();
        report.gate.push(format!("was killed (kill -9) right after that, started again, and back after {away} ms"));
    }
    stage.shop.comes_back();
    report.shop.push("was down (connections refused) when the callback came, and is back now".to_owned());
    let took = stage.arrived("A1012").await;
    let (_, received) = stage.observe(&mut report, &["A1012"]);
    report.check("the sender was told that it failed (502)", sent.status == Some(502));
    report.told_when("it was back", took, &received);
    delivered_later(stage, &mut report, &received, "A1012", &transaction_id, "follow-up").await?;
    report.check(
        "under the X-Tollgate-Delivery that every attempt of this order has",
        all_are_of(&received, "app-pay-success", "A1012"),
    );
    Ok(report)
}

async fn never_called(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "A callback that never comes: the list of unpaid orders",
        "A1013 is ordered and paid, and the APP crashes: nobody calls back. The shop's page of unpaid orders still lists it.",
    );
    stage.shop.takes_order("A1013", "app", None, 6600);
    let transaction_id = stage.pay(APP, "A1013", 6600)?;
    report.sender.push("called nobody".to_owned());
    let took = stage.arrived("A1013").await;
    let (_, received) = stage.observe(&mut report, &["A1013"]);
    report.told_when("the money came", took, &received);
    delivered_later(stage, &mut report, &received, "A1013", &transaction_id, "pending").await?;
    report.check(
        "under the X-Tollgate-Delivery that its own callback would have had",
        all_are_of(&received, "app-pay-success", "A1013"),
    );
    Ok(report)
}

async fn found_in_the_bill(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "A callback that never came: the bill of the day",
        "A1014 was paid yesterday, and nobody called back or lists it. WeChat Pay's bill has it: tollgate sweep finds it.",
    );
    let yesterday = clock::beijing(clock::now()).date().yesterday()?;
    let time_end = Some(format!("{}120000", yesterday.strftime("%Y%m%d")));
    let said = OrderFields { total_fee: Some(6600), time_end, ..OrderFields::default() };
    let order = stage.sandbox.pay(stage.key(APP, "A1014")?, said)?;
    let transaction_id = order.transaction_id.context("a paid order has a transaction id")?;
    report.sender.push("called nobody, yesterday".to_owned());
    report.gate.extend(stage.sweep("app", yesterday).await?);
    let (_, received) = stage.observe(&mut report, &["A1014"]);
    delivered_later(stage, &mut report, &received, "A1014", &transaction_id, "sweep").await?;
    report.gate.extend(stage.sweep("app", yesterday).await?.into_iter().take(1));
    report.check("a second sweep delivers nothing", stage.received(&["A1014"]).len() == received.len());
    Ok(report)
}

/// Expects that the gate brought an order to the shop by itself, which can refund it now.
async fn delivered_later(
    stage: &Stage,
    report: &mut Report,
    received: &[Received],
    order: &str,
    transaction_id: &TransactionId,
    origin: &str,
) -> anyhow::Result<()> {
    let by_itself = received.iter().all(|received| received.header(ORIGIN_HEADER) == [origin]);
    report.check("the gate brought it by itself", by_itself && !received.is_empty());
    let ids: Vec<_> = received.iter().map(|received| received.header(TRANSACTION_HEADER)).collect();
    report.check("with the verified transaction id", ids == [[transaction_id.as_str()]]);
    let refund = stage.refund(order).await?;
    report.check("the refund works", refund.starts_with("refund-sent"));
    report.shop.push(format!("its refund page: {refund}"));
    Ok(())
}

/// Whether there are callbacks, and all say that they are of this order on this route.
fn all_are_of(received: &[Received], route: &str, order: &str) -> bool {
    let id = OrderId::parse(order).map(|order| DeliveryId::of(route, &order).to_string());
    let said = |received: &Received| id.as_ref().is_ok_and(|id| received.header(DELIVERY_HEADER) == [id.as_str()]);
    !received.is_empty() && received.iter().all(said)
}
