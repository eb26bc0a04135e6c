//! A bill being written, piece by piece, so that one of a million rows needs no memory for them.

use super::columns::Columns;
use super::entry::{Entry, Kind};
use super::totals::Totals;
use crate::domain::order::{AppId, MerchantId};
use crate::sandbox::bill_settings::{BillSettings, LineEnd};
use crate::sandbox::generated;
use crate::sandbox::order::Order;
use jiff::civil::Date;
use std::ops::Range;

/// How a bill ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With a summary.
    Summary,
    /// With its last row.
    Nothing,
    /// In the middle, when so many rows are left.
    Cut(u64),
}

/// What came of writing a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// There is more.
    Piece,
    /// That was the end.
    Last,
    /// It ends here, and should not.
    CutOff,
}

/// The bill.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    mch_id: MerchantId,
    appid: AppId,
    date: Date,
    columns: Columns,
    line_end: &'static str,
    wrong_summary: bool,
    entries: std::vec::IntoIter<Entry>,
    generated: Range<u64>,
    totals: Totals,
    begun: bool,
    mark: bool,
    end: End,
}

/// About how many bytes are written at once.
const PIECE: usize = 32 * 1024;

impl Sheet {
    pub(super) fn new(
        (mch_id, appid): (MerchantId, AppId),
        date: Date,
        columns: Columns,
        entries: Vec<Entry>,
        generated: Range<u64>,
        settings: &BillSettings,
    ) -> Self {
        Self {
            mch_id,
            appid,
            date,
            columns,
            line_end: match settings.line_end {
                LineEnd::Crlf => "\r\n",
                LineEnd::Lf => "\n",
            },
            wrong_summary: settings.wrong_summary,
            entries: entries.into_iter(),
            generated,
            totals: Totals::default(),
            begun: false,
            mark: settings.bom,
            end: End::Summary,
        }
    }

    /// Nothing behind the rows.
    pub(super) fn without_summary(self) -> Self {
        Self { end: End::Nothing, ..self }
    }

    /// Only half of the rows.
    pub(super) fn cut_off(self) -> Self {
        let rows = self.rows_left();
        Self { end: End::Cut(rows - rows / 2), ..self }
    }

    fn rows_left(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap_or(u64::MAX).saturating_add(self.generated.end - self.generated.start)
    }

    /// Appends the next lines to `out`.
    pub(super) fn write(&mut self, out: &mut String) -> Written {
        if !self.begun {
            self.begun = true;
            out.push_str(if self.mark { "\u{feff}" } else { "" });
            self.line(out, |columns, out| out.push_str(columns.header()));
        }
        while out.len() < PIECE {
            if self.end == End::Cut(self.rows_left()) {
                return Written::CutOff;
            }
            let Some(Entry { order, kind }) = self.next() else {
                self.close(out);
                return Written::Last;
            };
            self.count(&order, kind);
            self.columns.write_row(out, self.appid, &order, kind);
            out.push_str(self.line_end);
        }
        Written::Piece
    }

    fn next(&mut self) -> Option<Entry> {
        self.entries.next().or_else(|| {
            let order = generated::order(self.mch_id, self.date, self.generated.next()?)?;
            Some(Entry { order, kind: Kind::Payment })
        })
    }

    fn count(&mut self, order: &Order, kind: Kind) {
        self.totals.rows += 1;
        match kind {
            Kind::Payment => self.totals.paid += order.total_fee,
            Kind::Refund => {
                self.totals.refunded += order.total_fee;
                self.totals.coupons_refunded += order.coupon_fee;
            }
        }
    }

    fn close(&mut self, out: &mut String) {
        if self.end != End::Summary {
            return;
        }
        let mut totals = self.totals;
        if self.wrong_summary {
            totals.rows += 1;
            totals.paid += 1;
        }
        self.line(out, |columns, out| out.push_str(columns.summary_header()));
        self.line(out, |columns, out| columns.write_summary(out, &totals));
    }

    fn line(&self, out: &mut String, write: impl FnOnce(Columns, &mut String)) {
        write(self.columns, out);
        out.push_str(self.line_end);
    }
}
