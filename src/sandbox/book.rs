//! What the sandbox knows: merchants, orders, faults, and what happened so far. Nothing in here waits.

use super::bill_settings::BillSettings;
use super::fault::Faults;
use super::generated;
use super::merchant::Merchant;
use super::notification::Notification;
use super::order::{BadOrder, Order, OrderFields, OrderKey, TradeState};
use super::query::{BillQuery, Host, Query};
use super::seed::Seed;
use crate::domain::order::{AppId, MerchantId, TransactionId};
use std::collections::{BTreeMap, VecDeque};

/// How many queries are remembered.
const MOST_QUERIES: usize = 10_000;

/// How many notifications are remembered.
const MOST_NOTIFICATIONS: usize = 10_000;

/// Everything that changes while the sandbox runs.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) merchants: Vec<Merchant>,
    pub(super) seed: Seed,
    pub(super) orders: BTreeMap<OrderKey, Order>,
    pub(super) api: Faults,
    pub(super) api2: Faults,
    pub(super) queries: VecDeque<Query>,
    pub(super) bills: BillSettings,
    pub(super) bill_queries: VecDeque<BillQuery>,
    pub(super) notifications: BTreeMap<u64, Notification>,
    /// How likely a notification is lost, 0 to 1.
    pub(super) loss: f64,
    asked: u64,
    notified: u64,
}

impl Book {
    pub(super) fn new(merchants: Vec<Merchant>, seed: Seed) -> Self {
        Self {
            merchants,
            seed,
            orders: BTreeMap::new(),
            api: Faults::default(),
            api2: Faults::default(),
            queries: VecDeque::new(),
            bills: BillSettings::default(),
            bill_queries: VecDeque::new(),
            notifications: BTreeMap::new(),
            loss: 0.0,
            asked: 0,
            notified: 0,
        }
    }

    /// Back to the beginning, with the same merchants, seed and loss.
    pub(super) fn reset(&mut self) {
        let loss = self.loss;
        *self = Self { loss, ..Self::new(std::mem::take(&mut self.merchants), self.seed) };
    }

    /// The order, which somebody made or the bills bring along.
    pub(super) fn order(&self, key: OrderKey) -> Option<Order> {
        self.orders.get(&key).cloned().or_else(|| generated::find(&self.bills, key))
    }

    /// Makes the order or replaces it.
    pub(super) fn put(&mut self, key: OrderKey, state: TradeState, said: OrderFields) -> Result<Order, BadOrder> {
        let order = Order::new(key, self.seed).with(state, said, self.seed)?;
        self.orders.insert(key, order.clone());
        Ok(order)
    }

    /// Brings the order into `state`; makes it if it is not there.
    pub(super) fn change(&mut self, key: OrderKey, state: TradeState, said: OrderFields) -> Result<Order, BadOrder> {
        let order = self.orders.get(&key).cloned().unwrap_or_else(|| Order::new(key, self.seed));
        let order = order.with(state, said, self.seed)?;
        self.orders.insert(key, order.clone());
        Ok(order)
    }

    /// The order that the payment would be of, if it is this merchant's.
    pub(super) fn key_of(
        &self,
        mch_id: MerchantId,
        sub_mch_id: Option<MerchantId>,
        paid: TransactionId,
    ) -> Option<OrderKey> {
        let mut keys = self.orders.values().filter(|order| order.transaction_id == Some(paid)).map(|order| order.key);
        let made = keys.find(|key| key.mch_id == mch_id && key.sub_mch_id == sub_mch_id);
        made.or_else(|| generated::key_of(mch_id, paid).filter(|_| sub_mch_id.is_none()))
    }

    /// The application of a merchant number that messages name, where an order names none.
    pub(super) fn appid(&self, mch_id: MerchantId) -> Option<AppId> {
        self.merchants.iter().find(|merchant| merchant.mch_id == mch_id).map(|merchant| merchant.appid)
    }

    /// Any merchant's number but this one.
    pub(super) fn another_merchant(&self, mch_id: MerchantId) -> String {
        let mut others = self.merchants.iter().map(|merchant| merchant.mch_id).filter(|other| *other != mch_id);
        others.next().map_or_else(|| "1999999999".to_owned(), |other| other.to_string())
    }

    /// The faults of everything that a host answers.
    pub(super) fn host(&mut self, host: Host) -> &mut Faults {
        match host {
            Host::Api => &mut self.api,
            Host::Api2 => &mut self.api2,
        }
    }

    /// The number of the next query.
    pub(super) fn next_query(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }

    /// Remembers a query, and tells of it.
    pub(super) fn record(&mut self, query: Query) {
        tracing::info!(
            host = ?query.host,
            api = ?query.api,
            out_trade_no = query.out_trade_no,
            transaction_id = query.transaction_id,
            answer = query.answer,
            fault = ?query.fault,
            "order query"
        );
        if self.queries.len() == MOST_QUERIES {
            self.queries.pop_front();
        }
        self.queries.push_back(query);
    }

    /// Remembers a question for a bill, and tells of it.
    pub(super) fn record_bill(&mut self, query: BillQuery) {
        tracing::info!(
            host = ?query.host,
            api = ?query.api,
            mch_id = query.mch_id,
            bill_date = query.bill_date,
            answer = query.answer,
            fault = ?query.fault,
            "bill"
        );
        if self.bill_queries.len() == MOST_QUERIES {
            self.bill_queries.pop_front();
        }
        self.bill_queries.push_back(query);
    }

    /// The number that the next notification gets.
    pub(super) const fn next_notification(&self) -> u64 {
        self.notified + 1
    }

    /// Remembers a notification under the next number.
    pub(super) fn announce(&mut self, notification: impl FnOnce(u64) -> Notification) -> u64 {
        self.notified += 1;
        if self.notifications.len() == MOST_NOTIFICATIONS {
            self.notifications.pop_first();
        }
        self.notifications.insert(self.notified, notification(self.notified));
        self.notified
    }
}
