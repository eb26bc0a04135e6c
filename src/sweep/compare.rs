//! Comparing a bill with what the upstream accepted, row by row as it comes: a million rows need no more memory than a
//! thousand.

use super::{Plan, Sweeper, Trouble};
use crate::clock;
use crate::gate::channel::{Affix, Channel};
use crate::gate::decide::Mode;
use crate::gate::route::Route;
use crate::journal::sweeps::{Counts, Row, RowKind, RowPayment, Standing, Sweep, SweepNote};
use crate::journal::{Callback, Claimed, Origin, State};
use crate::order::{OrderId, TransactionId};
use crate::wechat::bill::{self, BillPayment, BillType};
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// Rows that are written at once: callbacks share the writer.
const AT_ONCE: usize = 100;

/// How often the numbers are written down meanwhile.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// A sweep while its bill is read.
struct Comparison<'s> {
    sweeper: &'s Sweeper,
    sweep: &'s Sweep,
    targets: Vec<Target<'s>>,
    counts: Counts,
    /// Payments that were found.
    found: HashSet<TransactionId>,
    /// Refunds may come before the payment they are of.
    refunded: HashSet<TransactionId>,
}

/// A channel whose payments are looked for.
struct Target<'s> {
    plan: &'s Plan,
    channel: Arc<Channel>,
    route: &'s Route,
}

impl Sweeper {
    /// Reads the bill of a sweep and takes in what was not delivered. Gives the numbers back, and what was odd.
    pub(super) async fn compare(&self, sweep: &Sweep) -> Result<(Counts, Option<String>), Trouble> {
        let targets: Vec<_> = self
            .plans
            .iter()
            .filter(|plan| sweep.wanted.channels.contains(&plan.channel))
            .filter_map(|plan| {
                let channel = Arc::clone(self.gate.channels.get(&plan.channel)?);
                let route = self.gate.routes.named(&plan.route)?;
                (channel.account.mch_id == sweep.wanted.mch_id).then_some(Target { plan, channel, route })
            })
            .collect();
        let account = targets.first().ok_or(Trouble::NothingToSweep)?.channel.account.clone();
        let all = targets.iter().any(|target| target.plan.bill_type == BillType::All);
        let bill_type = if all { BillType::All } else { BillType::Success };
        let mut comparison = Comparison {
            sweeper: self,
            sweep,
            targets,
            counts: Counts::default(),
            found: HashSet::new(),
            refunded: HashSet::new(),
        };
        let mut bill = self.wechat.download_bill(&account, sweep.wanted.bill_date, bill_type).await?;
        let mut counted = Instant::now();
        while let Some(rows) = bill.next().await? {
            comparison.take(rows).await?;
            if counted.elapsed() >= COUNT_EVERY {
                counted = Instant::now();
                self.journal.sweep_note(sweep.id, SweepNote::Counted(comparison.counts)).await?;
            }
        }
        comparison.mark_refunds().await?;
        let odd: Vec<_> = bill.summary().into_iter().flat_map(bill::Summary::contradictions).collect();
        let odd = odd.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Ok((comparison.counts, (!odd.is_empty()).then_some(odd)))
    }
}

impl Comparison<'_> {
    async fn take(&mut self, rows: Vec<bill::Row>) -> Result<(), Trouble> {
        let mut kept = Vec::new();
        let mut payments = Vec::new();
        for row in rows {
            self.counts.rows += 1;
            match row {
                bill::Row::Payment(payment) => {
                    self.counts.paid += 1;
                    payments.push(payment);
                }
                bill::Row::Refund(refund) => {
                    self.counts.refunds += 1;
                    self.refunded.insert(refund.transaction_id);
                }
                bill::Row::Other { .. } => self.counts.others += 1,
                bill::Row::Malformed { line, why } => {
                    self.counts.malformed += 1;
                    kept.push(row_of(line, RowKind::Malformed, None, Some(why.to_string())));
                }
            }
        }
        let ids = payments.iter().map(|payment| payment.transaction_id).collect();
        let standing = self.sweeper.journal.standing(ids).await?;
        kept.extend(payments.iter().zip(standing).filter_map(|(payment, standing)| self.judge(payment, standing)));
        let mut kept = kept.into_iter().peekable();
        while kept.peek().is_some() {
            let some = kept.by_ref().take(AT_ONCE).collect();
            self.sweeper.journal.sweep_rows(self.sweep.id, some).await?;
        }
        Ok(())
    }

    /// What a payment is to this sweep; `None` if its delivery was accepted.
    fn judge(&mut self, payment: &BillPayment, standing: Option<Standing>) -> Option<Row> {
        let Some((target, order)) = self.target(payment) else {
            self.counts.not_ours += 1;
            return Some(row_of(payment.line, RowKind::NotOurs, Some(row_payment(payment, None)), None));
        };
        let whose = Some(row_payment(payment, Some((target, order))));
        let (kind, detail, follow_up) = match standing {
            Some(Standing { accepted: true, .. }) => {
                self.counts.accepted += 1;
                return None;
            }
            // The entry of a callback that is accepted has this payment only if that was delivered.
            Some(Standing { state: State::Parked, .. }) => (RowKind::Parked, None, None),
            Some(_) => (RowKind::UnderWay, None, None),
            None if self.sweep.wanted.dry_run => (RowKind::Found, None, None),
            None if target.channel.mode == Mode::Observe => {
                (RowKind::Found, Some("mode: observe, so nothing is delivered".to_owned()), None)
            }
            None => {
                let order = Box::new(made(target, order, payment, self.sweep.wanted.bill_date));
                (RowKind::Found, None, Some(order))
            }
        };
        match kind {
            RowKind::Found => {
                self.found.insert(payment.transaction_id);
                self.counts.found += 1;
            }
            RowKind::Parked => self.counts.parked += 1,
            _ => self.counts.under_way += 1,
        }
        let entry = standing.map(|standing| standing.entry);
        Some(Row { entry, follow_up, ..row_of(payment.line, kind, whose, detail) })
    }

    /// The channel that a payment belongs to, and what its order is called there.
    fn target(&self, payment: &BillPayment) -> Option<(&Target<'_>, OrderId)> {
        let candidates = self.targets.iter().filter_map(|target| {
            let account = &target.channel.account;
            let its = payment.appid.is_none_or(|appid| appid == account.appid)
                && payment.mch_id.is_none_or(|mch_id| mch_id == account.mch_id)
                && payment.sub_mch_id == account.sub_mch_id;
            if !its {
                return None;
            }
            let number = payment.out_trade_no.as_str();
            // A notification knows no other number.
            let affix = if target.route.notification { &Affix::default() } else { &target.channel.out_trade_no };
            let order = number.strip_prefix(affix.prefix.as_str())?.strip_suffix(affix.suffix.as_str())?;
            Some((affix.prefix.len() + affix.suffix.len(), target, OrderId::parse(order).ok()?))
        });
        candidates.max_by_key(|(fits, ..)| *fits).map(|(_, target, order)| (target, order))
    }

    async fn mark_refunds(&self) -> Result<(), Trouble> {
        let refunded: Vec<_> = self.found.intersection(&self.refunded).copied().collect();
        for some in refunded.chunks(AT_ONCE) {
            self.sweeper.journal.sweep_refunds(self.sweep.id, some.to_vec()).await?;
        }
        Ok(())
    }
}

/// The order to be followed up, with what the bill claims of it.
fn made(target: &Target<'_>, order: OrderId, payment: &BillPayment, day: Date) -> Callback {
    Callback {
        request_id: Uuid::now_v7(),
        route: target.route.name.clone(),
        origin: Origin::Sweep,
        claimed: Claimed {
            channel: target.channel.id,
            order,
            out_trade_no: payment.out_trade_no,
            transaction_id: Some(payment.transaction_id),
            amount: Some(payment.amount),
        },
        created_at: payment.trade_time.or_else(|| noon(day)),
        request: None,
    }
}

fn noon(day: Date) -> Option<Timestamp> {
    clock::from_beijing(day.at(12, 0, 0, 0))
}

fn row_of(line: u64, kind: RowKind, payment: Option<RowPayment>, detail: Option<String>) -> Row {
    Row { line, kind, payment, detail, entry: None, follow_up: None }
}

fn row_payment(payment: &BillPayment, whose: Option<(&Target<'_>, OrderId)>) -> RowPayment {
    RowPayment {
        channel: whose.map(|(target, _)| target.channel.id),
        order: whose.map(|(_, order)| order),
        out_trade_no: payment.out_trade_no,
        transaction_id: payment.transaction_id,
        amount: payment.amount,
        refunded: false,
    }
}
