//! Which order a payment is for, in SQL.

use super::Postgres;
use super::columns::parsed;
use super::database::Tx;
use super::error::Error;
use super::numbers::Bucket;
use super::statement::{List, Statement};
use crate::journal::owners::{Owner, OwnerClaim, Owners};
use crate::journal::{BoxFuture, JournalError, Queue};
use std::sync::Arc;
use tokio_postgres::Row;

/// How long an owner is remembered, in milliseconds: three years, well beyond the time in which WeChat Pay can be asked
/// about an order.
const KEPT: i64 = 3 * 365 * 24 * 3600 * 1000;

impl Owners for Postgres {
    fn own(&self, claim: OwnerClaim) -> BoxFuture<'_, Owner> {
        Box::pin(async move {
            // What was delivered with it until now owns it.
            self.flush().await?;
            let claim = Arc::new(claim);
            let owner = self.database.write(move |tx| {
                let claim = Arc::clone(&claim);
                Box::pin(async move { own(tx, &claim).await })
            });
            owner.await?.ok_or(JournalError::Unavailable)
        })
    }

    fn owner(&self, claim: OwnerClaim) -> BoxFuture<'_, Option<Owner>> {
        let claim = Arc::new(claim);
        self.database.singly(move |tx| {
            let claim = Arc::clone(&claim);
            Box::pin(
                async move { tx.first(of_claim(Statement::of(OWNER), &claim)).await?.as_ref().map(read).transpose() },
            )
        })
    }
}

/// Of several the first: who got it, who got the number's payment, and whose entry was delivered with it.
const OWNER: &str = "SELECT owner.channel, owner.\"order\" FROM (
        (SELECT 1 AS by, 0::bigint AS place, 0::bigint AS at, channel, \"order\" FROM ~payment_owner
            WHERE bucket = $1 AND transaction_id = $2)
        UNION ALL
        (SELECT 2, merchant.place, given.bound_at, given.channel, given.\"order\"
            FROM unnest($4::text[]) WITH ORDINALITY AS merchant (channel, place)
            JOIN ~payment_owner given ON given.out_trade_no = $3 AND given.channel = merchant.channel)
        UNION ALL
        (SELECT 3, entry.confirmed_at, entry.id, entry.channel, entry.\"order\" FROM ~entry entry
            WHERE entry.transaction_id = $2 AND entry.route <> ALL ($5::text[])
                AND (entry.state IN ('delivering', 'accepted') OR EXISTS (
                    SELECT 1 FROM ~attempt attempt WHERE attempt.bucket = entry.bucket AND attempt.entry = entry.id)))
    ) owner ORDER BY by, place, at LIMIT 1";

/// Adds a claim to a statement: five values.
fn of_claim(statement: Statement, claim: &OwnerClaim) -> Statement {
    statement
        .with(Bucket::of(claim.transaction_id.as_str()).column())
        .with(claim.transaction_id.as_str().to_owned())
        .with(claim.out_trade_no.as_str().to_owned())
        .with(List(claim.same_merchant.iter().map(|channel| channel.as_str().to_owned()).collect::<Vec<_>>()))
        .with(List(claim.shared_routes.clone()))
}

/// Gives a payment to whom it belongs, or else to the claimant, and says whose it is then. Of several at once the one whose row
/// is there first has it.
async fn own(tx: &Tx<'_>, claim: &OwnerClaim) -> Result<Option<Owner>, Error> {
    let text = format!(
        "INSERT INTO ~payment_owner (bucket, transaction_id, channel, out_trade_no, \"order\", bound_at)
         SELECT $1, $2, whose.channel, $3, whose.\"order\", @now FROM (
             SELECT 1 AS by, before.channel, before.\"order\" FROM ({OWNER}) before
             UNION ALL SELECT 2, $6, $7 ORDER BY 1 LIMIT 1) whose
         ON CONFLICT (bucket, transaction_id) DO NOTHING"
    );
    let give = of_claim(Statement::of(text), claim)
        .with(claim.claimant.channel.as_str().to_owned())
        .with(claim.claimant.order.as_str().to_owned());
    let given =
        Statement::of("SELECT channel, \"order\" FROM ~payment_owner WHERE bucket = $1 AND transaction_id = $2")
            .with(Bucket::of(claim.transaction_id.as_str()).column())
            .with(claim.transaction_id.as_str().to_owned());
    let answers = tx.all(&[give, given]).await?;
    answers.last().and_then(|rows| rows.first()).map(read).transpose()
}

fn read(row: &Row) -> Result<Owner, Error> {
    Ok(Owner { channel: parsed(row, "channel")?, order: parsed(row, "order")? })
}

/// An entry that is removed, whose payment was its order's.
#[derive(Debug)]
pub(super) struct Outlived {
    pub(super) transaction_id: String,
    pub(super) channel: String,
    pub(super) out_trade_no: String,
    pub(super) order: String,
}

/// Remembers whose payments these entries' were.
pub(super) fn outlive(all: &[Outlived]) -> Statement {
    let each = |column: fn(&Outlived) -> &String| List(all.iter().map(|one| column(one).clone()).collect::<Vec<_>>());
    Statement::of(
        "INSERT INTO ~payment_owner (bucket, transaction_id, channel, out_trade_no, \"order\", bound_at)
         SELECT was.bucket, was.transaction_id, was.channel, was.out_trade_no, was.\"order\", @now
         FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::text[])
             AS was (bucket, transaction_id, channel, out_trade_no, \"order\")
         ON CONFLICT (bucket, transaction_id) DO NOTHING",
    )
    .with(List(all.iter().map(|one| Bucket::of(&one.transaction_id).column()).collect::<Vec<_>>()))
    .with(each(|one| &one.transaction_id))
    .with(each(|one| &one.channel))
    .with(each(|one| &one.out_trade_no))
    .with(each(|one| &one.order))
}

/// Removes what was kept long enough; at most `limit`.
pub(super) fn forget(keep: i64, limit: i64) -> Statement {
    Statement::of(
        "DELETE FROM ~payment_owner WHERE (bucket, transaction_id) IN (
             SELECT bucket, transaction_id FROM ~payment_owner WHERE bound_at < @now - $1 ORDER BY bound_at LIMIT $2)
         RETURNING transaction_id",
    )
    .with(keep.max(KEPT))
    .with(limit)
}
