//! The ledger: the transaction id of a payment, for whoever refunds it.

use super::href::order_href;
use super::notice;
use super::shell::{Chip, Shell};
use super::words::fill;
use super::{Html, render, show};
use crate::admin::Admin;
use crate::domain::order::OrderId;
use crate::journal::Record;
use crate::journal::view::Filter;
use askama::Template;
use axum::extract::{Query, State as Shared};
use serde::Deserialize;
use std::sync::Arc;

/// Claims that are looked at for their payments.
const MOST: usize = 100;

#[derive(Debug, Template)]
#[template(path = "ledger.html")]
struct Ledger {
    shell: Shell,
    text: String,
    payments: Vec<Payment>,
}

/// A confirmed payment.
#[derive(Debug)]
struct Payment {
    transaction_id: String,
    copy: String,
    amount: show::Amount,
    fen: String,
    order: String,
    channel: String,
    out_trade_no: Option<String>,
    href: String,
    paid_at: Option<show::Moment>,
    trade_state: &'static str,
    chip: Chip,
}

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    text: String,
}

/// Shows what there is of a number.
pub(super) async fn show(Shared(admin): Shared<Arc<Admin>>, shell: Shell, Query(asked): Query<Asked>) -> Html {
    let shell = shell.titled_by(|words| words.ledger);
    let text = asked.text.trim().to_owned();
    // What cannot be a number of any kind belongs to no payment.
    let records = match OrderId::parse(&text) {
        Err(_) => Vec::new(),
        Ok(number) => match admin.orders(&of(number), None, MOST).await {
            Ok(page) => page.records,
            Err(error) => return notice::unread(shell, &error),
        },
    };
    let payments = payments(&records, &shell);
    render(Ledger { text, payments, shell })
}

/// Payments with this number, whichever of theirs it is.
fn of(number: OrderId) -> Filter {
    Filter { text: Some(number), confirmed: true, ..Filter::default() }
}

/// Each payment once, the latest first, by the claim that went furthest with it.
fn payments(records: &[Record], shell: &Shell) -> Vec<Payment> {
    let mut payments: Vec<Payment> = Vec::new();
    for record in records {
        let Some(verified) = &record.verified else { continue };
        let id = verified.transaction_id.to_string();
        let order = record.claimed.order.to_string();
        let known = payments.iter_mut().find(|known| known.transaction_id == id && known.order == order);
        let payment = Payment {
            copy: fill(shell.words.copy_what, &[&id]),
            amount: show::amount(verified.amount, shell.language),
            fen: fill(shell.words.fen, &[&verified.amount.fen.0]),
            href: order_href(record.claimed.channel.as_str(), &order),
            channel: record.claimed.channel.to_string(),
            out_trade_no: (record.claimed.out_trade_no.as_str() != order)
                .then(|| record.claimed.out_trade_no.to_string()),
            paid_at: verified.paid_at.map(|at| shell.moment(at)),
            trade_state: if verified.refunded { "REFUND" } else { "SUCCESS" },
            chip: shell.chip(record.state),
            transaction_id: id,
            order,
        };
        match known {
            Some(known) if record.accepted_at.is_some() => *known = payment,
            Some(_) => {}
            None => payments.push(payment),
        }
    }
    payments
}
