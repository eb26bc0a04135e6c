//! The bill of a day, as a scenario writes it (`docs/reference/wechatpay-v2.md` section 10).

use super::Merchant;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::HashMap;
use std::io::Write;

/// The columns of today's bills of all kinds.
const HEADER: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,\
    货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,\
    手续费,费率,订单金额,申请退款金额,费率备注";

const SUMMARY: &str = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";

/// A bill in the making.
#[derive(Debug, Default, Clone)]
pub struct Bill {
    rows: Vec<[String; 27]>,
    fen: u64,
}

impl Bill {
    /// Somebody paid.
    pub fn paid(mut self, merchant: &Merchant, out_trade_no: &str, transaction_id: &str, fen: u64) -> Self {
        self.fen += fen;
        self.rows.push(row(merchant, out_trade_no, transaction_id, fen, "SUCCESS"));
        self
    }

    /// It was given back.
    pub fn refunded(mut self, merchant: &Merchant, out_trade_no: &str, transaction_id: &str, fen: u64) -> Self {
        self.rows.push(row(merchant, out_trade_no, transaction_id, fen, "REFUND"));
        self
    }

    /// What the latest row's amount is counted in.
    pub fn counted_in(mut self, currency: &str) -> Self {
        self.rows.last_mut().unwrap()[11] = currency.to_owned();
        self
    }

    /// What the latest row has as 商品名称, unescaped as WeChat Pay should not write it.
    pub fn saying(mut self, text: &str) -> Self {
        self.rows.last_mut().unwrap()[20] = text.to_owned();
        self
    }

    /// Rows as they stand, in whatever order.
    pub fn shuffled(mut self) -> Self {
        let middle = self.rows.len() / 2;
        self.rows.rotate_left(middle);
        self.rows.reverse();
        self
    }

    /// With a byte order mark and CRLF, as real ones.
    pub fn text(&self) -> Vec<u8> {
        let lines =
            self.rows.iter().map(|row| row.iter().map(|value| format!("`{value}")).collect::<Vec<_>>().join(","));
        let yuan = format!("{}.{:02}", self.fen / 100, self.fen % 100);
        let summary = format!("`{},`{yuan},`0.00,`0.00,`0.00000,`{yuan},`0.00", self.rows.len());
        let lines: Vec<_> =
            std::iter::once(HEADER.to_owned()).chain(lines).chain([SUMMARY.to_owned(), summary]).collect();
        format!("\u{feff}{}\r\n", lines.join("\r\n")).into_bytes()
    }
}

fn row(merchant: &Merchant, out_trade_no: &str, transaction_id: &str, fen: u64, state: &str) -> [String; 27] {
    let yuan = format!("{}.{:02}", fen / 100, fen % 100);
    let back = if state == "REFUND" { (yuan.as_str(), "0.00") } else { ("0.00", yuan.as_str()) };
    [
        "2026-11-22 10:11:12",
        merchant.appid,
        merchant.mch_id,
        "0",
        "",
        transaction_id,
        out_trade_no,
        super::OPENID,
        "APP",
        state,
        "OTHERS",
        "CNY",
        &yuan,
        "0.00",
        "0",
        "0",
        back.0,
        "0.00",
        "",
        "",
        "tea, green",
        "",
        "0.01000",
        "1.00%",
        back.1,
        "0.00",
        "",
    ]
    .map(str::to_owned)
}

/// What is asked for, and answered.
#[derive(Default)]
pub(super) struct Bills {
    bills: HashMap<(&'static str, String), Vec<u8>>,
    /// Instead of a bill, so many times.
    refusals: Vec<String>,
}

impl Bills {
    pub(super) fn put(&mut self, merchant: &Merchant, day: &str, bill: Vec<u8>) {
        self.bills.insert((merchant.mch_id, day.to_owned()), bill);
    }

    pub(super) fn refuse(&mut self, xml: &str, times: usize) {
        self.refusals.extend(std::iter::repeat_n(xml.to_owned(), times));
    }

    pub(super) fn get(&self, merchant: &Merchant, day: &str) -> Option<Vec<u8>> {
        self.bills.get(&(merchant.mch_id, day.to_owned())).cloned()
    }

    /// The answer: compressed if it was wanted so.
    pub(super) fn answer(&mut self, merchant: &Merchant, day: &str, compressed: bool) -> Vec<u8> {
        if let Some(refusal) = self.refusals.pop() {
            return refusal.into_bytes();
        }
        let Some(bill) = self.bills.get(&(merchant.mch_id, day.to_owned())) else {
            return refusal("No Bill Exist", "20002").into_bytes();
        };
        if !compressed {
            return bill.clone();
        }
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bill).unwrap();
        gzip.finish().unwrap()
    }
}

/// How WeChat Pay refuses a bill.
pub fn refusal(return_msg: &str, error_code: &str) -> String {
    format!(
        "<xml><return_code><![CDATA[FAIL]]></return_code>\n<return_msg><![CDATA[{return_msg}]]></return_msg>\n\
         <error_code><![CDATA[{error_code}]]></error_code>\n</xml>"
    )
}
