//! Where a bill's columns are: found by name, because layouts differ by bill type, by merchant and by year.

use super::{BadRow, BillError, BillPayment, BillRefund, Row, Summary};
use crate::clock;
use crate::money::{Currency, Fen, Money};
use crate::order::{AppId, MchId, OutTradeNo, TransactionId};
use memchr::memchr_iter;
use std::ops::Range;

const TRADE_TIME: &str = "交易时间";
const APPID: &str = "公众账号ID";
const MCH_ID: &str = "商户号";
const SUB_MCH_ID: [&str; 2] = ["特约商户号", "子商户号"];
const TRANSACTION_ID: &str = "微信订单号";
const OUT_TRADE_NO: &str = "商户订单号";
const TRADE_STATE: &str = "交易状态";
const CURRENCY: &str = "货币种类";
const AMOUNT: &str = "订单金额";
/// What [`AMOUNT`] was called before 2018.
const OLD_AMOUNT: &str = "总金额";
const REFUND_ID: &str = "微信退款单号";
const REFUND_STATUS: &str = "退款状态";
const STATED_ROWS: &str = "总交易单数";
const STATED_PAID: &str = "订单总金额";

/// Characters of an unknown `交易状态` that are kept.
const LONGEST_STATE: usize = 32;

/// Which column holds what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    columns: usize,
    transaction_id: usize,
    out_trade_no: usize,
    trade_state: usize,
    amount: (usize, &'static str),
    trade_time: Option<usize>,
    appid: Option<usize>,
    mch_id: Option<usize>,
    sub_mch_id: Option<usize>,
    currency: Option<usize>,
    refund_id: Option<usize>,
    refund_status: Option<usize>,
}

impl Layout {
    /// Reads the header of the details.
    pub(super) fn read(header: &[u8]) -> Result<Self, BillError> {
        let names = names(header);
        let find = |name: &str| names.iter().position(|column| *column == name.as_bytes());
        let need = |name: &'static str| find(name).ok_or(BillError::NoColumn(name));
        let amount = find(AMOUNT).map(|column| (column, AMOUNT));
        let amount = amount.or_else(|| find(OLD_AMOUNT).map(|column| (column, OLD_AMOUNT)));
        Ok(Self {
            columns: names.len(),
            transaction_id: need(TRANSACTION_ID)?,
            out_trade_no: need(OUT_TRADE_NO)?,
            trade_state: need(TRADE_STATE)?,
            amount: amount.ok_or(BillError::NoColumn(AMOUNT))?,
            trade_time: find(TRADE_TIME),
            appid: find(APPID),
            mch_id: find(MCH_ID),
            sub_mch_id: SUB_MCH_ID.into_iter().find_map(find),
            currency: find(CURRENCY),
            refund_id: find(REFUND_ID),
            refund_status: find(REFUND_STATUS),
        })
    }

    /// Whether a line has a value for each column.
    pub(super) fn fits(&self, values: &Values) -> bool {
        values.0.len() == self.columns
    }

    /// Reads a line of the details.
    pub(super) fn row(&self, line: &[u8], number: u64, values: &Values) -> Row {
        let row = Line { layout: self, line, values, number };
        row.read().unwrap_or_else(|why| Row::Malformed { line: number, why })
    }
}

/// Which column of the summary holds what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SummaryLayout {
    columns: usize,
    rows: Option<usize>,
    paid: Option<usize>,
}

impl SummaryLayout {
    /// Reads the header of the summary, or of what may be one.
    pub(super) fn read(header: &[u8]) -> Self {
        let names = names(header);
        let find = |name: &str| names.iter().position(|column| *column == name.as_bytes());
        Self { columns: names.len(), rows: find(STATED_ROWS), paid: find(STATED_PAID) }
    }

    /// Whether the header says that it is one.
    pub(super) fn is_certain(&self) -> bool {
        self.rows.is_some()
    }

    /// Whether a line has a value for each column.
    pub(super) fn fits(&self, values: &Values) -> bool {
        values.0.len() == self.columns
    }

    /// Takes down what the bill says of itself.
    pub(super) fn take_down(&self, line: &[u8], values: &Values, summary: &mut Summary) {
        let text = |column: Option<usize>| std::str::from_utf8(values.get(line, column?)?).ok();
        summary.stated_rows = text(self.rows).and_then(|rows| rows.parse().ok());
        summary.stated_paid = text(self.paid).and_then(|paid| Fen::parse_yuan(paid).ok());
    }
}

fn names(header: &[u8]) -> Vec<&[u8]> {
    header.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect()
}

/// Where the values of a line begin and end. Each has a backtick in front: a comma alone may be part of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Values(Vec<Range<usize>>);

impl Values {
    /// Takes another line apart, which begins with a backtick.
    pub(super) fn split(&mut self, line: &[u8]) {
        self.0.clear();
        let mut start = 1;
        for backtick in memchr_iter(b'`', line) {
            let comma = backtick.wrapping_sub(1);
            if backtick > start && line.get(comma) == Some(&b',') {
                self.0.push(start..comma);
                start = backtick + 1;
            }
        }
        self.0.push(start..line.len());
    }

    fn get<'l>(&self, line: &'l [u8], column: usize) -> Option<&'l [u8]> {
        line.get(self.0.get(column)?.clone())
    }
}

/// A line of the details that is being read.
struct Line<'l> {
    layout: &'l Layout,
    line: &'l [u8],
    values: &'l Values,
    number: u64,
}

impl<'l> Line<'l> {
    fn read(&self) -> Result<Row, BadRow> {
        let (layout, line) = (self.layout, self.number);
        if !layout.fits(self.values) {
            return Err(BadRow::Values { found: self.values.0.len(), columns: layout.columns });
        }
        match self.text(layout.trade_state, TRADE_STATE)? {
            "SUCCESS" => Ok(Row::Payment(BillPayment {
                appid: self.appid()?,
                mch_id: self.mch_id(layout.mch_id, MCH_ID)?,
                sub_mch_id: self.mch_id(layout.sub_mch_id, SUB_MCH_ID[0])?,
                transaction_id: self.transaction_id()?,
                out_trade_no: self.out_trade_no()?,
                amount: self.amount()?,
                trade_time: self.trade_time(),
                line,
            })),
            "REFUND" => Ok(Row::Refund(BillRefund {
                appid: self.appid()?,
                mch_id: self.mch_id(layout.mch_id, MCH_ID)?,
                sub_mch_id: self.mch_id(layout.sub_mch_id, SUB_MCH_ID[0])?,
                transaction_id: self.transaction_id()?,
                out_trade_no: self.out_trade_no()?,
                refund_id: self.said(layout.refund_id),
                refund_status: self.said(layout.refund_status),
                trade_time: self.trade_time(),
                line,
            })),
            "" => Err(BadRow::Column(TRADE_STATE)),
            state => Ok(Row::Other { state: state.chars().take(LONGEST_STATE).collect(), line }),
        }
    }

    fn text(&self, column: usize, name: &'static str) -> Result<&'l str, BadRow> {
        let value = self.values.get(self.line, column);
        value.and_then(|value| std::str::from_utf8(value).ok()).ok_or(BadRow::Column(name))
    }

    /// The value of a column that need not be there; an empty one and `0` are none.
    fn filled(&self, column: Option<usize>, name: &'static str) -> Result<Option<&'l str>, BadRow> {
        let Some(column) = column else { return Ok(None) };
        Ok(Some(self.text(column, name)?).filter(|value| !matches!(*value, "" | "0")))
    }

    fn said(&self, column: Option<usize>) -> Option<String> {
        self.filled(column, "").ok().flatten().map(str::to_owned)
    }

    fn appid(&self) -> Result<Option<AppId>, BadRow> {
        let appid = self.filled(self.layout.appid, APPID)?;
        appid.map(AppId::parse).transpose().map_err(|_| BadRow::Column(APPID))
    }

    fn mch_id(&self, column: Option<usize>, name: &'static str) -> Result<Option<MchId>, BadRow> {
        self.filled(column, name)?.map(MchId::parse).transpose().map_err(|_| BadRow::Column(name))
    }

    fn transaction_id(&self) -> Result<TransactionId, BadRow> {
        let id = self.text(self.layout.transaction_id, TRANSACTION_ID)?;
        TransactionId::parse(id).map_err(|_| BadRow::Column(TRANSACTION_ID))
    }

    fn out_trade_no(&self) -> Result<OutTradeNo, BadRow> {
        let id = self.text(self.layout.out_trade_no, OUT_TRADE_NO)?;
        OutTradeNo::parse(id).map_err(|_| BadRow::Column(OUT_TRADE_NO))
    }

    fn amount(&self) -> Result<Money, BadRow> {
        let (column, name) = self.layout.amount;
        let fen = Fen::parse_yuan(self.text(column, name)?).map_err(|_| BadRow::Column(name))?;
        let currency = self.filled(self.layout.currency, CURRENCY)?.map(Currency::parse).transpose();
        Ok(Money { fen, currency: currency.map_err(|_| BadRow::Column(CURRENCY))?.unwrap_or_default() })
    }

    fn trade_time(&self) -> Option<jiff::Timestamp> {
        clock::from_trade_time(self.filled(self.layout.trade_time, TRADE_TIME).ok()??)
    }
}
