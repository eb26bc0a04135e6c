//! The scenes of API v3.

use super::{NOTHING_PASSED, Report, Stage};
use crate::cli::demo::report::describe_attempt;
use crate::cli::demo::stage::is_over;
use crate::cli::demo::v3::{MINI, RESIGN_ID};
use crate::sandbox::shop::{ORIGIN_HEADER, Received, TRANSACTION_HEADER};
use crate::sandbox::{Api, Forgery, Judgement};

/// Whether each had a signature of the gate's that was just made, which is what an order system's SDK looks at.
fn are_signed(received: &[Received]) -> bool {
    !received.is_empty() && received.iter().all(|received| received.signed_by.as_deref() == Some(RESIGN_ID))
}

pub(super) async fn notification(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "API v3: WeChat Pay notifies",
        "Somebody pays for V3001 in the mini program. WeChat Pay's notification is signed with RSA and sealed with the APIv3 key.",
    );
    let transaction_id = stage.pay(MINI, "V3001", 6600)?;
    let sent = stage.notified(stage.notify_v3("V3001", Forgery::None)?, |sent| !sent.attempts.is_empty()).await?;
    report.sender.extend(sent.attempts.iter().map(describe_attempt));
    let (queries, received) = stage.observe(&mut report, &["V3001"]);
    let asked_once = queries.len() == 1 && queries.iter().all(|query| query.api == Api::V3);
    let acknowledged = sent.attempts.first().is_some_and(|attempt| attempt.judgement == Judgement::Acknowledged);
    report.check("WeChat Pay got its acknowledgement", acknowledged);
    report.check("a right signature was not enough: WeChat Pay was asked once, by v3", asked_once);
    let ids: Vec<_> = received.iter().map(|received| received.header(TRANSACTION_HEADER)).collect();
    report.check("the order system was told the verified transaction id", ids == [[transaction_id.as_str()]]);
    report
        .check("under a signature of the gate's, which the order system's own check finds good", are_signed(&received));
    Ok(report)
}

pub(super) async fn forged(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "API v3: a forged notification",
        "Nobody paid V3002. A forger who knows the APIv3 key seals a notification for it, and signs it with a key of his own.",
    );
    let sent = stage.notified(stage.notify_v3("V3002", Forgery::Stranger)?, is_over).await?;
    report.sender.extend(sent.attempts.iter().map(describe_attempt));
    let (queries, received) = stage.observe(&mut report, &["V3002"]);
    report.check("the forger was refused (401)", sent.attempts.iter().all(|attempt| attempt.status == Some(401)));
    report.check("WeChat Pay was not even asked about it", queries.is_empty());
    report.check(NOTHING_PASSED, received.is_empty());
    Ok(report)
}

pub(super) async fn signed_anew(stage: &Stage) -> anyhow::Result<Report> {
    let mut report = Report::new(
        "API v3: an outage, and a notification that is signed anew",
        "V3003 is paid while the order system is down. WeChat Pay notifies once. Its signature is good for five minutes, the gate's own for the next delivery.",
    );
    let transaction_id = stage.pay(MINI, "V3003", 6600)?;
    stage.shop.goes_down().await;
    let sent = stage.notified(stage.notify_v3("V3003", Forgery::None)?, |sent| !sent.attempts.is_empty()).await?;
    report.sender.extend(sent.attempts.iter().map(describe_attempt));
    stage.shop.comes_back();
    report.shop.push("was down (connections refused) when the notification came, and is back now".to_owned());
    let took = stage.arrived("V3003").await;
    let (_, received) = stage.observe(&mut report, &["V3003"]);
    report.told_when("it was back", took, &received);
    let failed = sent.attempts.first().is_some_and(|attempt| attempt.judgement == Judgement::HttpStatus);
    report.check("WeChat Pay was told that it failed", failed);
    let by_itself = received.iter().all(|received| received.header(ORIGIN_HEADER) == ["follow-up"]);
    report.check("the gate brought it by itself", by_itself && !received.is_empty());
    let ids: Vec<_> = received.iter().map(|received| received.header(TRANSACTION_HEADER)).collect();
    report.check("with the verified transaction id", ids == [[transaction_id.as_str()]]);
    report.check("signed anew, so that the order system's own check finds it good", are_signed(&received));
    Ok(report)
}
