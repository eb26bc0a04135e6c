//! Orders that nobody made: as many as a large bill needs, each told by its number alone, none of them in memory.

use super::bill_settings::{BillSettings, day};
use super::order::{Order, OrderFields, OrderKey, TradeState};
use super::seed::Seed;
use crate::domain::order::{MerchantId, OutTradeNo, TransactionId};
use jiff::civil::Date;
use std::ops::Range;

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// The numbers of a day's generated orders of a merchant.
pub(super) fn rows(settings: &BillSettings, date: Date) -> Range<u64> {
    let here = settings.generated_day.as_ref().is_none_or(|only| day(only) == Some(date));
    if here { 1..settings.generated_rows.saturating_add(1) } else { 0..0 }
}

/// The order of this number, which is paid.
pub(super) fn order(mch_id: MerchantId, date: Date, number: u64) -> Option<Order> {
    let digits = date.strftime("%Y%m%d").to_string();
    let out_trade_no = OutTradeNo::parse(&format!("G{digits}{number:011}")).ok()?;
    let second = number % SECONDS_A_DAY;
    let said = OrderFields {
        total_fee: Some(1 + number * 37 % 100_000),
        openid: Some(format!("oSandboxGenerated{number:011}")),
        transaction_id: Some(format!("42{}{digits}{number:014}", tail(mch_id))),
        time_end: Some(format!("{digits}{:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60)),
        ..OrderFields::default()
    };
    Order::new(OrderKey { mch_id, sub_mch_id: None, out_trade_no }, Seed(0))
        .with(TradeState::Success, said, Seed(0))
        .ok()
}

/// The generated order of this name, if the bills have it.
pub(super) fn find(settings: &BillSettings, key: OrderKey) -> Option<Order> {
    let (date, number) = key.out_trade_no.as_str().strip_prefix('G')?.split_at_checked(8)?;
    let (date, number) = (day(date)?, number.parse().ok()?);
    let found = rows(settings, date).contains(&number).then(|| order(key.mch_id, date, number))??;
    (found.key == key).then_some(found)
}

/// The key of the generated order that this payment would be of.
pub(super) fn key_of(mch_id: MerchantId, paid: TransactionId) -> Option<OrderKey> {
    let (date, number) = paid.as_str().get(6..)?.split_at_checked(8)?;
    let found = order(mch_id, day(date)?, number.parse().ok()?)?;
    (found.transaction_id == Some(paid)).then_some(found.key)
}

/// Four digits that tell merchants apart as far as four digits can.
fn tail(mch_id: MerchantId) -> String {
    let digits: String = mch_id.as_str().chars().filter(char::is_ascii_digit).collect();
    let digits = format!("0000{digits}");
    digits.get(digits.len() - 4..).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_found_by_both_its_numbers() {
        let (mch_id, date) = (MerchantId::parse("1900000109").unwrap(), day("20240101").unwrap());
        let settings = BillSettings { generated_rows: 1_000_000, ..BillSettings::default() };
        for number in [1, 86_400, 1_000_000] {
            let order = order(mch_id, date, number).unwrap();
            let transaction_id = order.transaction_id.unwrap();
            assert_eq!(transaction_id.as_str().len(), 28);
            assert_eq!(key_of(mch_id, transaction_id), Some(order.key));
            assert_eq!(find(&settings, order.key).unwrap().transaction_id, Some(transaction_id));
        }
        let beyond = order(mch_id, date, 1_000_001).unwrap();
        assert!(find(&settings, beyond.key).is_none());
        let elsewhere = BillSettings { generated_day: Some("20240102".to_owned()), ..settings };
        assert!(find(&elsewhere, order(mch_id, date, 1).unwrap().key).is_none());
    }

    #[test]
    fn other_names_are_nobodys() {
        let settings = BillSettings { generated_rows: 10, ..BillSettings::default() };
        for name in ["G", "A1", "G20240101", "G2024010100000000000", "G202401010000000000x", "G20240101000000000001"] {
            let key = OrderKey {
                mch_id: MerchantId::parse("1900000109").unwrap(),
                sub_mch_id: None,
                out_trade_no: OutTradeNo::parse(name).unwrap(),
            };
            assert!(find(&settings, key).is_none(), "{name}");
        }
    }
}
