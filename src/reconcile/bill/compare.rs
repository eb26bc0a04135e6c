//! Comparing a bill with what the upstream accepted, row by row as it comes. Of a million rows only the ids of refunds
//! are held.

use super::{Plan, Sweeper, Trouble};
use crate::domain::clock;
use crate::domain::order::{ChannelId, MerchantId, OrderId, TransactionId};
use crate::gate::channel::{Affix, Channel};
use crate::gate::policy::Mode;
use crate::gate::route::Route;
use crate::journal::sweeps::{Counts, Row, RowKind, RowPayment, Standing, Sweep, SweepEvent, Wanted};
use crate::journal::{Callback, Claimed, Duty, Origin, State};
use crate::provider::bill::{self, BadRow, BillPayment, BillType};
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// Rows that are written at once: callbacks share the writer.
const AT_ONCE: usize = 100;

/// Rows of others that are kept; more are only counted.
const NOT_OURS_KEPT: u64 = 1000;

/// How often the numbers are written down meanwhile.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// A sweep while its bill is read.
struct Comparison<'s> {
    sweeper: &'s Sweeper,
    sweep: &'s Sweep,
    targets: Targets<'s>,
    counts: Counts,
    /// Payments that were found before this process began.
    found_before: HashSet<TransactionId>,
    /// Refunds may come before the payment they are of.
    refunded: HashSet<TransactionId>,
}

/// The channels of the merchant by sub-merchant: a service provider may have thousands, and each row is of one of them.
type Targets<'s> = HashMap<Option<MerchantId>, Vec<Target<'s>>>;

/// A channel of the merchant.
struct Target<'s> {
    channel: Arc<Channel>,
    /// Where its payments are delivered to, if this sweep looks for them.
    delivery: Option<(&'s Plan, &'s Route)>,
    /// Whether its numbers do not tell its orders.
    has_numbers: bool,
}

/// A payment of a channel that is swept, and the order it is of.
struct Ours<'t> {
    channel: &'t Arc<Channel>,
    route: &'t Route,
    /// `None` if neither its number nor any callback or source tells.
    order: Option<OrderId>,
}

impl Sweeper {
    /// Reads the bill of a sweep and takes in what was not delivered. Gives the numbers back, and what was odd.
    pub(super) async fn compare(&self, sweep: &Sweep) -> Result<(Counts, Option<String>), Trouble> {
        let targets = self.targets(sweep);
        let mut swept = targets.values().flatten().filter_map(|target| Some((&target.channel, target.delivery?.0)));
        // The account of the first by name.
        let first = swept.clone().map(|(channel, _)| channel).min_by_key(|channel| channel.id);
        let account = Arc::clone(&first.ok_or(Trouble::NothingToSweep)?.account);
        let all = swept.any(|(_, plan)| plan.bill_type == BillType::All);
        let bill_type = if all { BillType::All } else { BillType::Success };
        let mut comparison = Comparison {
            sweeper: self,
            sweep,
            targets,
            counts: Counts::default(),
            found_before: self.journal.queue.found_before(sweep.id).await?.into_iter().collect(),
            refunded: HashSet::new(),
        };
        let mut bill = account.bill(sweep.wanted.bill_date, bill_type).await?;
        let mut counted = Instant::now();
        while let Some(rows) = bill.next().await? {
            self.is_ours().await?;
            comparison.take(rows).await?;
            if counted.elapsed() >= COUNT_EVERY {
                counted = Instant::now();
                self.journal.queue.sweep_event(sweep.id, SweepEvent::Counted(comparison.counts)).await?;
            }
        }
        self.is_ours().await?;
        comparison.mark_refunds().await?;
        let odd: Vec<_> = bill.summary().into_iter().flat_map(bill::Summary::contradictions).collect();
        let odd = odd.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Ok((comparison.counts, (!odd.is_empty()).then_some(odd)))
    }
}

impl Sweeper {
    /// Where several gates could do it, each piece is begun by the one whose it is.
    async fn is_ours(&self) -> Result<(), Trouble> {
        if self.journal.has_duty(Duty::Sweep).await { Ok(()) } else { Err(Trouble::OfAnother) }
    }

    /// All channels of the merchant: a payment that belongs to one is not another's, whichever is swept.
    fn targets(&self, sweep: &Sweep) -> Targets<'_> {
        let wanted: HashSet<_> = sweep.wanted.channels.iter().collect();
        let plans = self.plans.iter().filter(|plan| wanted.contains(&plan.channel));
        let plans: HashMap<_, _> = plans.map(|plan| (plan.channel, plan)).collect();
        let its = self.gate.channels.iter().filter(|channel| channel.account.payee().merchant == sweep.wanted.mch_id);
        let target = |channel: &Arc<Channel>| {
            let delivery = plans.get(&channel.id).and_then(|plan| Some((*plan, self.gate.routes.named(&plan.route)?)));
            let has_numbers = delivery.is_some_and(|(_, route)| {
                !route.takes_notifications()
                    && route.synthesize.as_ref().is_some_and(|made| made.names_the_number(route, channel))
            });
            Target { channel: Arc::clone(channel), delivery, has_numbers }
        };
        let mut targets = Targets::new();
        for channel in its {
            targets.entry(channel.account.payee().sub_merchant).or_default().push(target(channel));
        }
        targets
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
                    let counts = &mut self.counts;
                    *(if may_be_text(&payment) { &mut counts.malformed } else { &mut counts.paid }) += 1;
                    payments.push(payment);
                }
                bill::Row::NotOurs { transaction_id, number, line } => {
                    self.counts.paid += 1;
                    let number = number.escape_debug();
                    let why = format!("its number {number} is none that an order here can have");
                    let payment = RowPayment {
                        channel: None,
                        order: None,
                        out_trade_no: None,
                        transaction_id,
                        amount: None,
                        refunded: false,
                    };
                    kept.extend(self.not_ours(line, payment, Some(why)));
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
        let journal = &self.sweeper.journal;
        let standing = journal.queue.standing(payments.iter().map(|payment| payment.transaction_id).collect()).await?;
        let numbers = payments.iter().map(|payment| (self.owner(payment), payment.out_trade_no));
        let numbers: Vec<_> = numbers.map(|(owner, number)| owner.map(|owner| (owner.channel.id, number))).collect();
        let mut named = journal.archive.orders_of(numbers.iter().flatten().copied().collect()).await?.into_iter();
        for ((payment, standing), number) in payments.iter().zip(standing).zip(numbers) {
            let named = number.and_then(|_| named.next()).flatten();
            kept.extend(self.judge(payment, standing, named));
        }
        let mut kept = kept.into_iter().peekable();
        while kept.peek().is_some() {
            let some = kept.by_ref().take(AT_ONCE).collect();
            self.sweeper.journal.queue.sweep_rows(self.sweep.id, some).await?;
        }
        Ok(())
    }

    /// What a payment is to this sweep; `None` if its delivery was accepted, or it is one too many to be kept. `named`
    /// is the order that a callback or a source has named with its number.
    fn judge(&mut self, payment: &BillPayment, standing: Option<Standing>, named: Option<OrderId>) -> Option<Row> {
        let detail = payment.broken.map(|broken| broken.to_string());
        let Some(Ours { channel, route, order }) = self.ours(payment, named) else {
            let payment_of_others = row_payment(payment, None, None);
            return if may_be_text(payment) {
                Some(row_of(payment.line, RowKind::Malformed, Some(payment_of_others), detail))
            } else {
                self.not_ours(payment.line, payment_of_others, detail)
            };
        };
        let mut row = row_of(payment.line, RowKind::Found, Some(row_payment(payment, Some(channel.id), order)), detail);
        row.entry = standing.map(|standing| standing.entry);
        if may_be_text(payment) {
            // It is asked about, which does no harm, and counts as what it is.
            row.kind = RowKind::Malformed;
            if let (None, Some(order)) = (standing, order) {
                row.follow_up = self.follow_up(channel, route, order, payment);
            }
            return Some(row);
        }
        if self.found_before.contains(&payment.transaction_id) {
            self.counts.found += 1;
            return None;
        }
        match (standing, order) {
            (Some(Standing { accepted: true, .. }), _) => {
                self.counts.accepted += 1;
                return None;
            }
            (Some(Standing { state: State::Parked, .. }), _) => {
                self.counts.parked += 1;
                row.kind = RowKind::Parked;
            }
            (Some(_), _) => {
                self.counts.under_way += 1;
                row.kind = RowKind::UnderWay;
            }
            (None, None) => {
                self.counts.unknown += 1;
                row.kind = RowKind::UnknownOrder;
                row.detail = Some("no callback and no source has named the order of this number".to_owned());
            }
            (None, Some(order)) => {
                row.follow_up = self.follow_up(channel, route, order, payment);
                if channel.mode == Mode::Observe {
                    row.detail = Some("mode: observe, so nothing is delivered".to_owned());
                }
                self.counts.found += 1;
            }
        }
        Some(row)
    }

    /// A payment of no channel that is swept; `None` if it is one too many to be kept.
    fn not_ours(&mut self, line: u64, payment: RowPayment, detail: Option<String>) -> Option<Row> {
        self.counts.not_ours += 1;
        (self.counts.not_ours <= NOT_OURS_KEPT).then(|| row_of(line, RowKind::NotOurs, Some(payment), detail))
    }

    /// The order as it is to be followed up, unless nothing is to be asked or delivered.
    fn follow_up(
        &self,
        channel: &Channel,
        route: &Route,
        order: OrderId,
        payment: &BillPayment,
    ) -> Option<Box<Callback>> {
        let Wanted { dry_run, bill_date, .. } = self.sweep.wanted;
        let goes = !dry_run && channel.mode != Mode::Observe;
        goes.then(|| Box::new(made(channel, route, order, payment, bill_date)))
    }

    /// The channel that a payment belongs to: the one whose prefix and suffix fit best.
    fn owner(&self, payment: &BillPayment) -> Option<&Target<'_>> {
        let fits = |target: &&Target<'_>| {
            let payee = target.channel.account.payee();
            let affix = &target.channel.out_trade_no;
            let number = payment.out_trade_no.as_str();
            payment.appid.is_none_or(|appid| appid == payee.application)
                && payment.mch_id.is_none_or(|mch_id| mch_id == payee.merchant)
                && stripped(affix, number).is_some()
        };
        // Of two that fit alike, the one that is swept.
        let best = |target: &&Target<'_>| {
            let Affix { prefix, suffix } = &target.channel.out_trade_no;
            (prefix.len() + suffix.len(), target.delivery.is_some())
        };
        self.targets.get(&payment.sub_mch_id)?.iter().filter(fits).max_by_key(best)
    }

    fn ours(&self, payment: &BillPayment, named: Option<OrderId>) -> Option<Ours<'_>> {
        let Target { channel, delivery, has_numbers } = self.owner(payment)?;
        let (_, route) = (*delivery)?;
        let number = payment.out_trade_no.as_str();
        let order = if route.takes_notifications() {
            // A notification knows no other.
            OrderId::parse(number).ok()
        } else if named.is_some() {
            named
        } else if *has_numbers {
            None
        } else {
            stripped(&channel.out_trade_no, number).and_then(|order| OrderId::parse(order).ok())
        };
        Some(Ours { channel, route, order })
    }

    async fn mark_refunds(&self) -> Result<(), Trouble> {
        let mut refunded = self.refunded.iter().copied().peekable();
        while refunded.peek().is_some() {
            let some = refunded.by_ref().take(AT_ONCE).collect();
            self.sweeper.journal.queue.sweep_refunds(self.sweep.id, some).await?;
        }
        Ok(())
    }
}

/// An order id within a number.
fn stripped<'n>(affix: &Affix, number: &'n str) -> Option<&'n str> {
    number.strip_prefix(affix.prefix.as_str())?.strip_suffix(affix.suffix.as_str()).filter(|order| !order.is_empty())
}

/// The order to be followed up, with what the bill claims of it.
fn made(channel: &Channel, route: &Route, order: OrderId, payment: &BillPayment, day: Date) -> Callback {
    Callback {
        request_id: Uuid::now_v7(),
        route: route.name.clone(),
        origin: Origin::Sweep,
        claimed: Claimed {
            channel: channel.id,
            order,
            out_trade_no: payment.out_trade_no,
            transaction_id: Some(payment.transaction_id),
            amount: payment.amount,
        },
        created_at: payment.trade_time.or_else(|| noon(day)),
        request: None,
    }
}

/// Whether a row may only be text in another one.
fn may_be_text(payment: &BillPayment) -> bool {
    payment.broken.is_some_and(|broken| broken.why == BadRow::MayBeText)
}

fn noon(day: Date) -> Option<Timestamp> {
    clock::from_beijing(day.at(12, 0, 0, 0))
}

fn row_of(line: u64, kind: RowKind, payment: Option<RowPayment>, detail: Option<String>) -> Row {
    Row { line, kind, payment, detail, entry: None, follow_up: None }
}

fn row_payment(payment: &BillPayment, channel: Option<ChannelId>, order: Option<OrderId>) -> RowPayment {
    RowPayment {
        channel,
        order,
        out_trade_no: Some(payment.out_trade_no),
        transaction_id: payment.transaction_id,
        amount: payment.amount,
        refunded: false,
    }
}
