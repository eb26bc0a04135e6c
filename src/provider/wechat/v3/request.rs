//! What is asked: the path and query of each call, exactly as they are signed and sent
//! (`docs/reference/wechatpay-v3.md` sections 3, 7 and 8).

use crate::provider::AskBy;
use crate::provider::bill::BillType;
use crate::provider::wechat::Credentials;
use crate::provider::wechat::bill::bill_type as word_of;
use jiff::civil::Date;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in a part of a path.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where platform certificates are listed.
pub const CERTIFICATES: &str = "/v3/certificates";

/// Asks for an order, by the one id that `ask` names.
#[must_use]
pub fn order(account: &Credentials, ask: &AskBy) -> String {
    let (by, id) = match ask {
        AskBy::OutTradeNo(id) => ("out-trade-no", id.as_str()),
        AskBy::TransactionId(id) => ("id", id.as_str()),
    };
    let (id, mch_id) = (utf8_percent_encode(id, UNRESERVED), account.mch_id);
    match &account.sub_mch_id {
        None => format!("/v3/pay/transactions/{by}/{id}?mchid={mch_id}"),
        Some(sub_mch_id) => {
            format!("/v3/pay/partner/transactions/{by}/{id}?sp_mchid={mch_id}&sub_mchid={sub_mch_id}")
        }
    }
}

/// Asks where the bill of a day is. Without `sub_mchid` a service provider's is that of all its merchants.
#[must_use]
pub fn bill(day: Date, rows: BillType, compressed: bool) -> String {
    let (day, rows) = (day.strftime("%Y-%m-%d"), word_of(rows));
    let compressed = if compressed { "&tar_type=GZIP" } else { "" };
    format!("/v3/bill/tradebill?bill_date={day}&bill_type={rows}{compressed}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::{MerchantId, OutTradeNo, TransactionId};
    use crate::provider::wechat::v3::tests::account;

    #[test]
    fn a_question_names_one_id_encoded_once() {
        let direct = account();
        let partner = Credentials { sub_mch_id: Some(MerchantId::parse("1900000201").unwrap()), ..account() };
        let number = AskBy::OutTradeNo(OutTradeNo::parse("A|b*c@d_e-f").unwrap());
        let id = AskBy::TransactionId(TransactionId::parse("4200000000202401010000000001").unwrap());
        assert_eq!(order(&direct, &number), "/v3/pay/transactions/out-trade-no/A%7Cb%2Ac%40d_e-f?mchid=1900009191");
        assert_eq!(order(&direct, &id), "/v3/pay/transactions/id/4200000000202401010000000001?mchid=1900009191");
        assert_eq!(
            order(&partner, &number),
            "/v3/pay/partner/transactions/out-trade-no/A%7Cb%2Ac%40d_e-f?sp_mchid=1900009191&sub_mchid=1900000201"
        );
        assert_eq!(
            order(&partner, &id),
            "/v3/pay/partner/transactions/id/4200000000202401010000000001?sp_mchid=1900009191&sub_mchid=1900000201"
        );
    }

    #[test]
    fn a_bill_is_asked_for_by_its_day() {
        let day = jiff::civil::date(2026, 11, 2);
        assert_eq!(
            bill(day, BillType::All, true),
            "/v3/bill/tradebill?bill_date=2026-11-02&bill_type=ALL&tar_type=GZIP"
        );
        assert_eq!(bill(day, BillType::Success, false), "/v3/bill/tradebill?bill_date=2026-11-02&bill_type=SUCCESS");
    }
}
