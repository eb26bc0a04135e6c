//! Three gates with one journal.

use super::Report;
use crate::cli::demo::stage::{APP, Stage};
use crate::sandbox::shop::{DELIVERY_HEADER, Received};
use anyhow::Context;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::task::JoinSet;

/// The number of an attempt.
const ATTEMPT_HEADER: &str = "X-Tollgate-Attempt";

/// Orders that are under way when a gate is killed.
const ORDERS: usize = 9;

/// How long that may take: after the lease, what had failed is brought forward in small steps.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which one is killed.
const KILLED: usize = 1;

fn form(order: &str) -> String {
    format!("OrderID={order}&paymentcenter_id=&TotalFee=6600")
}

pub(super) async fn one_count(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "Three gates, one count",
        "Somebody pays for R1001, and its callback comes to each of the three gates, twice.",
    );
    stage.pay(APP, "R1001", 6600)?;
    let mut good = true;
    for sender in stage.senders.iter().chain(&stage.senders) {
        let sent = sender.call_back(&form("R1001"), &[]).await?;
        good &= sent.status == Some(200);
        report.sender.extend(sent.told);
    }
    let (_, received) = stage.observe(&mut report, &["R1001"]);
    let numbers: Vec<_> = received.iter().flat_map(|received| received.header(ATTEMPT_HEADER)).collect();
    report.check("every sender got the order system's own answer", good);
    report.check(
        "the order system saw one delivery, under the numbers 1 to 6",
        numbers == ["1", "2", "3", "4", "5", "6"],
    );
    Ok(report)
}

pub(super) async fn one_killed(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "One of three gates is killed in the middle",
        "Nine orders are paid and called back while the order system fails; then the second gate dies with what it has (kill -9).",
    );
    let orders: Vec<_> = (1..=ORDERS).map(|number| format!("R2{number:03}")).collect();
    stage.shop.fails(true);
    let mut callbacks = JoinSet::new();
    for (order, sender) in orders.iter().zip(stage.senders.iter().cycle()) {
        stage.pay(APP, order, 6600)?;
        let (sender, form) = (sender.clone(), form(order));
        callbacks.spawn(async move { sender.call_back(&form, &[]).await });
    }
    let mut answered = 0;
    while let Some(sent) = callbacks.join_next().await {
        answered += usize::from(sent?.context("a callback cannot be sent")?.status.is_some());
    }
    stage.kill_one(KILLED).await?;
    let refused = stage.senders.get(KILLED).context("there are three")?.call_back(&form("R1001"), &[]).await?;
    report.sender.push(format!("{answered} of {ORDERS} callbacks were answered, none with success"));
    report.sender.push("no balancer sends anything more to the second gate: it refuses connections".to_owned());
    report.gate.push("gate-2 was killed, and stays so; the others wait for its lease of 3 s to end".to_owned());
    stage.shop.fails(false);
    let (took, missing) = stage.marked_paid(&orders, PATIENCE).await;
    report.shop.push(format!(
        "it works again; {} of {ORDERS} orders were marked paid after {} ms",
        ORDERS - missing,
        took.as_millis()
    ));
    report.check("the killed gate takes nothing in any more", refused.status.is_none());
    report.check("every order was delivered all the same", missing == 0);
    report.check("no number was given twice", numbers_are_distinct(&stage.shop.received()));
    stage.start_one(KILLED).await?;
    let again = stage.senders.get(KILLED).context("there are three")?.call_back(&form("R2002"), &[]).await?;
    report.gate.push("gate-2 is started again, and knows what the others have done".to_owned());
    report.check("back again, it passes callbacks as before", again.status == Some(200));
    Ok(report)
}

fn numbers_are_distinct(received: &[Received]) -> bool {
    let mut seen = BTreeSet::new();
    received.iter().all(|received| seen.insert((received.header(DELIVERY_HEADER), received.header(ATTEMPT_HEADER))))
}
