//! Which order a payment is for, as every journal must keep it.

use super::{SOON, Store, accept, attempt_of, callback, take_in, time_passes, verified};
use crate::domain::order::{ChannelId, OrderId, OutTradeNo, TransactionId};
use crate::domain::reason::Reason;
use crate::journal::owners::{Owner, OwnerClaim};
use crate::journal::{Claimed, Journal, JournalEvent, Transition, Trust};
use std::time::Duration;

pub(super) async fn all(store: &dyn Fn() -> Box<dyn Store>) {
    a_payment_goes_to_one_claimant(&*store()).await;
    of_many_who_come_at_once_one_gets_it(&*store()).await;
    a_number_has_one_owner_among_the_channels_of_a_merchant(&*store()).await;
    what_was_delivered_owns_its_payment(&*store()).await;
    what_was_held_back_owns_nothing(&*store()).await;
    an_owner_outlives_its_entry(&*store()).await;
}

fn channel(name: &str) -> ChannelId {
    ChannelId::parse(name).unwrap()
}

fn claim(order: &str) -> OwnerClaim {
    let Claimed { channel, out_trade_no, .. } = callback("A").claimed;
    OwnerClaim {
        transaction_id: verified().transaction_id,
        out_trade_no,
        claimant: Owner { channel, order: OrderId::parse(order).unwrap() },
        same_merchant: vec![channel],
        shared_routes: Vec::new(),
    }
}

async fn owner(journal: &Journal) -> Option<String> {
    journal.queue.owner(claim("WHOEVER")).await.unwrap().map(|owner| owner.order.to_string())
}

async fn a_payment_goes_to_one_claimant(store: &dyn Store) {
    let journal = store.open(100);
    assert_eq!(owner(&journal).await, None);
    assert_eq!(journal.queue.own(claim("A")).await.unwrap(), claim("A").claimant);
    assert_eq!(journal.queue.own(claim("a")).await.unwrap(), claim("A").claimant);
    drop(journal);
    let journal = store.open(100);
    assert_eq!(journal.queue.own(claim("B")).await.unwrap(), claim("A").claimant);
    assert_eq!(owner(&journal).await.as_deref(), Some("A"));
}

async fn of_many_who_come_at_once_one_gets_it(store: &dyn Store) {
    let journal = store.open(100);
    let claims: Vec<_> = (0..50).map(|index| journal.queue.own(claim(&format!("A{index}")))).collect();
    let mut owners = Vec::new();
    for claim in claims {
        owners.push(claim.await.unwrap());
    }
    assert!(owners.iter().all(|owner| *owner == owners[0]), "{owners:?}");
}

async fn a_number_has_one_owner_among_the_channels_of_a_merchant(store: &dyn Store) {
    let journal = store.open(100);
    journal.queue.own(claim("A")).await.unwrap();
    let other = |merchant: &[&str], number: &str| OwnerClaim {
        transaction_id: TransactionId::parse("4200000000000000000000000002").unwrap(),
        out_trade_no: OutTradeNo::parse(number).unwrap(),
        claimant: Owner { channel: channel("other"), ..claim("B").claimant },
        same_merchant: merchant.iter().map(|name| channel(name)).collect(),
        shared_routes: Vec::new(),
    };
    let owner = async |claim| journal.queue.owner(claim).await.unwrap().map(|owner| owner.order.to_string());
    assert_eq!(owner(other(&["other", "app"], "NA")).await.as_deref(), Some("A"));
    assert_eq!(owner(other(&["other"], "NA")).await, None);
    assert_eq!(owner(other(&["other", "app"], "NB")).await, None);
}

async fn what_was_delivered_owns_its_payment(store: &dyn Store) {
    let journal = store.open(100);
    let taken = take_in(&journal, "A", Duration::MAX).await;
    let attempt = attempt_of(&taken, "A", 1);
    let deliver = Some(Transition::Deliver { again_in: Duration::MAX, retries: 0 });
    journal.queue.append(JournalEvent::AttemptStarted { attempt, verified: Some(verified()), next: deliver });
    assert_eq!(journal.queue.own(claim("B")).await.unwrap(), claim("A").claimant);
    // Another payment has none.
    let elsewhere = OwnerClaim {
        transaction_id: TransactionId::parse("4200000000000000000000000002").unwrap(),
        out_trade_no: OutTradeNo::parse("NX").unwrap(),
        ..claim("B")
    };
    assert_eq!(journal.queue.owner(elsewhere).await.unwrap(), None);
}

async fn what_was_held_back_owns_nothing(store: &dyn Store) {
    let journal = store.open(100);
    let entry = take_in(&journal, "A", Duration::MAX).await.entry;
    let (reason, next) = (Reason::ExpectedAmountDiffers, Some(Transition::Park));
    journal.queue.append(JournalEvent::Decided { entry, reason, verified: Some(verified()), next });
    let shared = take_in(&journal, "S", Duration::MAX).await;
    let deliver = Some(Transition::Deliver { again_in: Duration::MAX, retries: 0 });
    journal.queue.append(JournalEvent::AttemptStarted {
        attempt: attempt_of(&shared, "S", 1),
        verified: Some(verified()),
        next: deliver,
    });
    let claim = OwnerClaim { shared_routes: vec!["app".to_owned()], ..claim("B") };
    assert_eq!(journal.queue.own(claim.clone()).await.unwrap(), claim.claimant);
    // Nor does it make the next payment of its order a second one.
    let again = journal.queue.take_in(callback("A"), Trust::Confirmed, Duration::MAX).await.unwrap();
    assert_eq!(again.paid_by, []);
}

async fn an_owner_outlives_its_entry(store: &dyn Store) {
    let journal = store.open(100);
    let taken = take_in(&journal, "A", Duration::MAX).await;
    let attempt = attempt_of(&taken, "A", 1);
    accept(&journal, attempt);
    journal.queue.flush().await.unwrap();
    time_passes(SOON).await;
    while !journal.queue.forget(SOON.into(), 10).await.unwrap().entries.is_empty() {}
    assert_eq!(owner(&journal).await.as_deref(), Some("A"));
}
