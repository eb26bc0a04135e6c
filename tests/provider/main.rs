//! The seam between the gate and payment providers: a second, tiny provider goes the whole way through a real gate, and the gate did
//! not change for it. Whatever had to know WeChat Pay would fail here.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test that cannot go on has failed, and a test binary has no outside"
)]

mod pine;
mod sealed;
mod world;

use hyper::StatusCode;
use jiff::civil::date;
use pine::{SEAL, notice, seal};
use tollgate::journal::Search;
use tollgate::journal::sweeps::Wanted;
use tollgate::provider::Account;
use world::{World, header};

const TOOK: &str = "{\"ack\":1}";
const DID_NOT: &str = "{\"ack\":0}";

#[tokio::test]
async fn a_notification_of_a_paid_order_is_confirmed_and_forwarded() {
    let world = World::start().await;
    world.pine.has("A1", "P100", 990, 7);
    assert_eq!(world.sends(&notice(1, "A1", "P100", 990)).await, (StatusCode::OK, TOOK.to_owned()));
    let got = world.shop.got();
    assert_eq!((got.len(), world.pine.asked()), (1, 1));
    assert!(got[0].starts_with("POST /pine/tree HTTP/1.1\r\n") && got[0].ends_with(&notice(1, "A1", "P100", 990)));
    for (name, value) in [
        ("X-Verified-Transaction-Id", "P100"),
        ("X-Verified-Out-Trade-No", "A1"),
        ("X-Verified-Total-Fee", "990"),
        ("X-Verified-Trade-State", "SUCCESS"),
        ("X-Verified-Channel", "tree"),
    ] {
        assert_eq!(header(&got[0], name), Some(value), "{name} in {}", got[0]);
    }
    // It is at hand from now on, and in the journal.
    assert_eq!(world.sends(&notice(1, "A1", "P100", 990)).await.1, TOOK);
    assert_eq!((world.shop.got().len(), world.pine.asked()), (2, 1));
    let journal = world.services.housekeeping.journal.as_ref().unwrap();
    journal.queue.flush().await.unwrap();
    let kept = journal.archive.find(Search { order: "A1".parse().ok(), ..Search::default() }, 10).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].verified.as_ref().map(|payment| payment.amount.fen.0), Some(990));
}

#[tokio::test]
async fn what_is_not_paid_or_claims_otherwise_is_refused_in_its_own_dialect() {
    let world = World::start().await;
    world.pine.has("B1", "P200", 990, 3);
    world.pine.has("B2", "P201", 990, 4);
    world.pine.has("B3", "P202", 990, 7);
    for (no, txn, cents) in
        [("B1", "P200", 990), ("B2", "P201", 990), ("B3", "P202", 1), ("B3", "P999", 990), ("B4", "P203", 1)]
    {
        let answered = world.sends(&notice(1, no, txn, cents)).await;
        assert_eq!(answered, (StatusCode::ACCEPTED, DID_NOT.to_owned()), "{no} {txn} {cents}");
    }
    assert_eq!(world.shop.got(), [""; 0]);
}

#[tokio::test]
async fn a_forged_notification_is_refused_and_asked_about_by_nobody() {
    let world = World::start().await;
    world.pine.has("C1", "P300", 990, 7);
    let (true_one, forged) = (notice(1, "C1", "P300", 990), notice(1, "C1", "P300", 990).replace("pine77", "pine78"));
    for (body, with) in
        [(&true_one, seal(b"another")), (&forged, seal(true_one.as_bytes())), (&forged, seal(forged.as_bytes()))]
    {
        assert_eq!(world.notifies(body, &with).await.1, DID_NOT, "{body}");
    }
    assert_eq!((world.shop.got().len(), world.pine.asked()), (0, 0));
}

#[tokio::test]
async fn a_refund_is_confirmed_and_forwarded_as_one() {
    let world = World::start().await;
    world.pine.has("D1", "P400", 990, 9);
    assert_eq!(world.sends(&notice(2, "D1", "P400", 990)).await.1, TOOK);
    let got = world.shop.got();
    assert_eq!(header(&got[0], "X-Verified-Event"), Some("refund"), "{}", got[0]);
    assert_eq!(header(&got[0], "X-Verified-Transaction-Id"), Some("P400"));
    world.pine.has("D2", "P401", 990, 3);
    assert_eq!(world.sends(&notice(2, "D2", "P401", 990)).await.1, DID_NOT);
    assert_eq!(world.shop.got().len(), 1);
}

#[tokio::test]
async fn an_order_of_the_bill_that_never_called_back_is_confirmed_and_notified() {
    let world = World::start().await;
    world.pine.has("E1", "P500", 1250, 7);
    world.pine.has("E2", "P501", 1250, 3);
    let journal = world.services.housekeeping.journal.as_ref().unwrap();
    let wanted = Wanted {
        mch_id: world.pine.payee().merchant,
        bill_date: date(2024, 1, 1),
        channels: vec!["tree".parse().unwrap()],
        due_on: None,
        dry_run: false,
    };
    journal.archive.want_sweep(wanted).await.unwrap();
    let got = world.shop.gets(1).await;
    let (_, body) = got[0].split_once("\r\n\r\n").unwrap();
    assert_eq!(body, notice(1, "E1", "P500", 1250));
    assert_eq!(header(&got[0], SEAL), Some(&*seal(body.as_bytes())));
    assert_eq!(header(&got[0], "X-Verified-Total-Fee"), Some("1250"), "{}", got[0]);
    assert!(world.pine.asked() > 0, "the bill alone proves nothing");
    world.shutdown.begin();
}
