//! Where a bill's columns are: found by name, because layouts differ by bill type, by merchant and by year.

use super::{BadRow, BillError, BillPayment, BillRefund, Broken, Row, Summary};
use crate::domain::clock;
use crate::domain::money::{Currency, Fen, Money};
use crate::domain::order::{AppId, MerchantId, OutTradeNo, TransactionId};
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
const SETTLED: &str = "应结订单金额";
const REFUND_ID: &str = "微信退款单号";
const REFUND_STATUS: &str = "退款状态";
const STATED_ROWS: &str = "总交易单数";
const STATED_PAID: &str = "订单总金额";

/// What shops and payers write. WeChat Pay escapes line ends and commas in it, and not always: what stands behind may
/// then be anywhere.
const FREE_TEXT: [&str; 2] = ["商品名称", "商户数据包"];

/// Characters of an unknown `交易状态`, or of a number that is not ours, that are kept.
const LONGEST_TEXT: usize = 32;

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
    settled: Option<usize>,
    /// The first and the last column of free text.
    text: Option<(usize, usize)>,
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
            settled: find(SETTLED),
            text: FREE_TEXT.into_iter().filter_map(find).min().zip(FREE_TEXT.into_iter().filter_map(find).max()),
        })
    }

    /// Whether a line has a value for each column.
    pub(super) fn fits(&self, values: &Values) -> bool {
        values.0.len() == self.columns
    }

    /// Whether a line begins a row rather than going on with the text of the one before.
    pub(super) fn begins(&self, line: &[u8], values: &Values) -> bool {
        let time = self.trade_time.and_then(|column| std::str::from_utf8(values.get(line, column)?).ok());
        self.fits(values) || time.and_then(clock::from_trade_time).is_some()
    }

    /// How many values a row has so far whose line ended within its free text; `None` if it did not.
    pub(super) fn broken_off(&self, values: &Values) -> Option<usize> {
        let (first, last) = self.text?;
        let found = values.0.len();
        (first < found && found <= last + 1).then_some(found)
    }

    /// Whether so many values are all of a row.
    pub(super) const fn is_whole(&self, values: usize) -> bool {
        values >= self.columns
    }

    /// Reads a line of the details.
    pub(super) fn row(&self, line: &[u8], number: u64, values: &Values) -> Row {
        let row = Line { layout: self, line, values, at: number };
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
        // A header has no backticks; the rest of a broken row has.
        let rows = find(STATED_ROWS).filter(|_| !header.contains(&b'`'));
        Self { columns: names.len(), rows, paid: find(STATED_PAID) }
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
    at: u64,
}

impl<'l> Line<'l> {
    fn read(&self) -> Result<Row, BadRow> {
        let (layout, line) = (self.layout, self.at);
        let damage = self.damage();
        if let Some(why) = damage
            && !(self.reaches_the_text() && layout.begins(self.line, self.values))
        {
            return Err(why);
        }
        let named = |found: Result<Row, BadRow>| found.map_err(|why| damage.unwrap_or(why));
        named(match self.text(layout.trade_state, TRADE_STATE)? {
            "SUCCESS" => self.payment(damage),
            "REFUND" => self.refund(),
            "" => Err(BadRow::Column(TRADE_STATE)),
            // Something in front has moved the columns.
            state if state != "REVOKED" && damage.is_some() => Err(BadRow::Column(TRADE_STATE)),
            state => Ok(Row::Other { state: shortened(state), line }),
        })
    }

    /// Why not every column is where the header says.
    fn damage(&self) -> Option<BadRow> {
        let (found, columns) = (self.values.0.len(), self.layout.columns);
        (found != columns).then_some(BadRow::Values { found, columns })
    }

    /// Whether all columns in front of the free text are there, which no text moves.
    fn reaches_the_text(&self) -> bool {
        self.layout.text.is_some_and(|(first, _)| self.values.0.len() > first)
    }

    /// Whether a value stands where the header says.
    fn is_in_place(&self, column: usize) -> bool {
        self.damage().is_none() || self.layout.text.is_some_and(|(first, _)| column < first)
    }

    fn payment(&self, damage: Option<BadRow>) -> Result<Row, BadRow> {
        let (layout, line) = (self.layout, self.at);
        let (appid, mch_id) = (self.appid()?, self.mch_id(layout.mch_id, MCH_ID)?);
        let sub_mch_id = self.mch_id(layout.sub_mch_id, SUB_MCH_ID[0])?;
        let (transaction_id, number) = (self.transaction_id()?, self.number()?);
        let Ok(out_trade_no) = OutTradeNo::parse(number) else {
            return Ok(Row::NotOurs { transaction_id, number: shortened(number), line });
        };
        let currency = self.currency()?;
        let (amount, why) = match self.amount(currency) {
            Ok(amount) => (Some(amount), damage),
            Err(why) => (None, damage.or(Some(why))),
        };
        // What stands behind the text counts in a whole row only, and what is in front of it is all that a damaged one
        // has.
        if amount.is_none() && !self.reaches_the_text() {
            return Err(why.unwrap_or(BadRow::Column(layout.amount.1)));
        }
        let broken = why.map(|why| Broken { why, settled: self.settled(currency) });
        let trade_time = self.trade_time();
        Ok(Row::Payment(BillPayment {
            appid,
            mch_id,
            sub_mch_id,
            transaction_id,
            out_trade_no,
            amount,
            trade_time,
            line,
            broken,
        }))
    }

    fn refund(&self) -> Result<Row, BadRow> {
        let layout = self.layout;
        Ok(Row::Refund(BillRefund {
            appid: self.appid()?,
            mch_id: self.mch_id(layout.mch_id, MCH_ID)?,
            sub_mch_id: self.mch_id(layout.sub_mch_id, SUB_MCH_ID[0])?,
            transaction_id: self.transaction_id()?,
            out_trade_no: OutTradeNo::parse(self.number()?).ok(),
            refund_id: self.said(layout.refund_id),
            refund_status: self.said(layout.refund_status),
            trade_time: self.trade_time(),
            line: self.at,
        }))
    }

    fn text(&self, column: usize, name: &'static str) -> Result<&'l str, BadRow> {
        let value = self.values.get(self.line, column).filter(|_| self.is_in_place(column));
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

    fn mch_id(&self, column: Option<usize>, name: &'static str) -> Result<Option<MerchantId>, BadRow> {
        self.filled(column, name)?.map(MerchantId::parse).transpose().map_err(|_| BadRow::Column(name))
    }

    fn transaction_id(&self) -> Result<TransactionId, BadRow> {
        let id = self.text(self.layout.transaction_id, TRANSACTION_ID)?;
        TransactionId::parse(id).map_err(|_| BadRow::Column(TRANSACTION_ID))
    }

    /// What the merchant calls the order, as it stands there.
    fn number(&self) -> Result<&'l str, BadRow> {
        let number = self.text(self.layout.out_trade_no, OUT_TRADE_NO)?;
        if number.is_empty() { Err(BadRow::Column(OUT_TRADE_NO)) } else { Ok(number) }
    }

    fn currency(&self) -> Result<Currency, BadRow> {
        let currency = self.filled(self.layout.currency, CURRENCY)?.map(Currency::parse).transpose();
        currency.map(Option::unwrap_or_default).map_err(|_| BadRow::Column(CURRENCY))
    }

    fn amount(&self, currency: Currency) -> Result<Money, BadRow> {
        let (column, name) = self.layout.amount;
        let fen = Fen::parse_yuan(self.text(column, name)?).map_err(|_| BadRow::Column(name))?;
        Ok(Money { fen, currency })
    }

    fn settled(&self, currency: Currency) -> Option<Money> {
        let fen = Fen::parse_yuan(self.text(self.layout.settled?, SETTLED).ok()?).ok()?;
        Some(Money { fen, currency })
    }

    fn trade_time(&self) -> Option<jiff::Timestamp> {
        clock::from_trade_time(self.filled(self.layout.trade_time, TRADE_TIME).ok()??)
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}
