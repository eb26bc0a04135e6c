//! Reads a bill as it comes, in memory for one line.

use super::layout::{Layout, SummaryLayout, Values};
use super::{BadRow, BillError, BillPayment, Broken, Refusal, Row, Summary};
use crate::domain::money::Fen;
use memchr::{memchr, memmem};

const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Takes a bill's text in pieces and gives its rows.
///
/// ```
/// use tollgate::provider::bill::Row;
/// use tollgate::provider::wechat::bill::BillReader;
/// let bill = "微信订单号,商户订单号,交易状态,订单金额\n`4200001,`A1,`SUCCESS,`66.00\n总交易单数\n`1\n";
/// let (mut reader, mut rows) = (BillReader::default(), Vec::new());
/// for piece in bill.as_bytes().chunks(7) {
///     reader.push(piece, &mut rows)?;
/// }
/// assert_eq!(reader.finish(&mut rows)?.contradictions().count(), 0);
/// assert!(matches!(rows.as_slice(), [Row::Payment(payment)] if payment.out_trade_no.as_str() == "A1"));
/// # Ok::<(), tollgate::provider::wechat::bill::BillError>(())
/// ```
#[derive(Debug, Default)]
pub struct BillReader {
    part: Part,
    /// The beginning of a line whose end has not come, or all of a refusal.
    begun: Vec<u8>,
    /// How many lines have ended.
    lines: u64,
    /// How many bytes of the byte order mark have come.
    mark: usize,
    values: Values,
    summary: Summary,
    /// How many values the latest row has so far, if its line ended within its free text.
    open: Option<usize>,
}

/// What comes next.
#[derive(Debug, Default)]
enum Part {
    /// The first byte that is neither white space nor the byte order mark.
    #[default]
    Beginning,
    /// The rest of an XML document.
    Refusal,
    /// The header of the details.
    Header,
    /// A row, or the header of the summary.
    Details(Layout),
    /// The line after one that may have been the header of the summary: the next line tells.
    Doubt(Layout, SummaryLayout),
    /// The values of the summary.
    Summary(Layout, SummaryLayout),
    /// Nothing more; the summary stood in this line. If there is a row after all, it was a payer's text: that of the
    /// row that was open, if there is no line here.
    End(Layout, Option<u64>),
}

impl Part {
    /// What comes after a line behind the details that is no row.
    fn behind(layout: Layout, line: &[u8]) -> Self {
        let header = SummaryLayout::read(line);
        if header.is_certain() { Self::Summary(layout, header) } else { Self::Doubt(layout, header) }
    }
}

/// Whether the end of a line has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Yes,
    No,
}

impl BillReader {
    /// Bytes that a line may have. The longest that are documented have a few thousand.
    pub const LONGEST_LINE: usize = 64 * 1024;

    /// Takes the next bytes, decompressed, and appends the rows that end in them.
    ///
    /// # Errors
    /// If this is no bill, or has a line that is too long. A refusal is told by [`finish`](Self::finish).
    pub fn push(&mut self, mut bytes: &[u8], rows: &mut Vec<Row>) -> Result<(), BillError> {
        if matches!(self.part, Part::Beginning) {
            bytes = self.begin(bytes);
        }
        if matches!(self.part, Part::Refusal) {
            return if self.keep(bytes) { Ok(()) } else { Err(BillError::Unreadable) };
        }
        while let Some(end) = memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            if self.begun.is_empty() && line.len() <= Self::LONGEST_LINE {
                self.line(line, Ended::Yes, rows)?;
            } else if self.keep(line) {
                let line = std::mem::take(&mut self.begun);
                self.line(&line, Ended::Yes, rows)?;
                self.begun = line;
                self.begun.clear();
            } else {
                return Err(BillError::LineTooLong(self.lines + 1));
            }
        }
        if self.keep(bytes) { Ok(()) } else { Err(BillError::LineTooLong(self.lines + 1)) }
    }

    /// The bill has ended here.
    ///
    /// # Errors
    /// If it is a refusal, or cut off: there is no summary. A header alone is whole; it says that there was nothing.
    pub fn finish(mut self, rows: &mut Vec<Row>) -> Result<Summary, BillError> {
        if matches!(self.part, Part::Refusal) {
            return Err(Refusal::read(&self.begun).map_or(BillError::Unreadable, BillError::Refused));
        }
        let last = std::mem::take(&mut self.begun);
        // The last line is whole without its end if it is the summary, whose values can be counted.
        if matches!(self.part, Part::Summary(..) | Part::Doubt(..) | Part::End(..)) && !last.is_empty() {
            self.line(&last, Ended::No, rows)?;
        }
        match self.part {
            Part::End(..) => Ok(self.summary),
            Part::Details(_) if self.summary.rows == 0 && last.is_empty() => Ok(self.summary),
            _ => Err(BillError::CutOff),
        }
    }

    /// Skips what may stand in front, and sees what this is.
    fn begin<'b>(&mut self, mut bytes: &'b [u8]) -> &'b [u8] {
        while let [byte, rest @ ..] = bytes {
            if BOM.get(self.mark) == Some(byte) {
                self.mark += 1;
            } else if byte.is_ascii_whitespace() {
                self.lines += u64::from(*byte == b'\n');
            } else {
                self.part = if *byte == b'<' { Part::Refusal } else { Part::Header };
                break;
            }
            bytes = rest;
        }
        bytes
    }

    /// Keeps the beginning of a line; whether there is room.
    fn keep(&mut self, bytes: &[u8]) -> bool {
        let fits = self.begun.len() + bytes.len() <= Self::LONGEST_LINE;
        if fits {
            self.begun.extend_from_slice(bytes);
        }
        fits
    }

    fn line(&mut self, line: &[u8], ended: Ended, rows: &mut Vec<Row>) -> Result<(), BillError> {
        self.lines += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let is_row = line.first() == Some(&b'`');
        if is_row {
            self.values.split(line);
        }
        self.part = match std::mem::take(&mut self.part) {
            Part::Beginning | Part::Refusal | Part::Header => Part::Details(Layout::read(line)?),
            Part::Details(layout) => self.detail(layout, line, is_row, rows),
            Part::Doubt(layout, header) if is_row && header.fits(&self.values) && !layout.fits(&self.values) => {
                self.close(layout, &header, line)
            }
            Part::Doubt(layout, _) => {
                // It was the rest of a broken row.
                self.out_of_place(self.lines - 1, rows);
                self.detail(layout, line, is_row, rows)
            }
            Part::Summary(layout, header) => self.behind_the_header(layout, &header, line, (is_row, ended), rows)?,
            Part::End(layout, at) if self.goes_on_behind(&layout, line, is_row) => {
                self.reopen(layout, at, line, is_row, rows)
            }
            Part::End(layout, at) => {
                match self.open {
                    Some(values) => self.go_on(&layout, values, line),
                    None => self.out_of_place(self.lines, rows),
                }
                Part::End(layout, at)
            }
        };
        Ok(())
    }

    /// A line of the details: a row, the rest of one, or what comes behind them.
    fn detail(&mut self, layout: Layout, line: &[u8], is_row: bool, rows: &mut Vec<Row>) -> Part {
        let begins = is_row && layout.begins(line, &self.values);
        match self.open {
            Some(values) if !begins && !SummaryLayout::read(line).is_certain() => {
                self.go_on(&layout, values, line);
                Part::Details(layout)
            }
            open if is_row => {
                self.open = if begins { layout.broken_off(&self.values) } else { None };
                let row = layout.row(line, self.lines, &self.values);
                self.add(if open.is_some() { in_doubt(row, self.lines) } else { row }, rows);
                Part::Details(layout)
            }
            _ => Part::behind(layout, line),
        }
    }

    /// A line is the rest of the row that has so many values, or part of its rest: nothing else has the values that it
    /// lacks.
    fn go_on(&mut self, layout: &Layout, values: usize, line: &[u8]) {
        self.open = Some(values + separators(line)).filter(|values| !layout.is_whole(*values));
    }

    /// The line behind a header of the summary: its values, or that header was a payer's text.
    fn behind_the_header(
        &mut self,
        layout: Layout,
        header: &SummaryLayout,
        line: &[u8],
        (is_row, ended): (bool, Ended),
        rows: &mut Vec<Row>,
    ) -> Result<Part, BillError> {
        let is_theirs = header.fits(&self.values) || ended == Ended::Yes && !layout.begins(line, &self.values);
        if is_row && is_theirs {
            return Ok(self.close(layout, header, line));
        }
        if ended == Ended::No {
            return Err(BillError::CutOff);
        }
        if self.open.is_none() {
            self.out_of_place(self.lines - 1, rows);
        }
        Ok(self.detail(layout, line, is_row, rows))
    }

    /// Whether what looked like the summary was a payer's text: a row follows, or another summary.
    fn goes_on_behind(&self, layout: &Layout, line: &[u8], is_row: bool) -> bool {
        if is_row { layout.begins(line, &self.values) } else { SummaryLayout::read(line).is_certain() }
    }

    /// Goes on behind what was no summary. A bill that is cut off later must not pass for whole.
    fn reopen(&mut self, layout: Layout, at: Option<u64>, line: &[u8], is_row: bool, rows: &mut Vec<Row>) -> Part {
        let Summary { rows: seen, malformed, paid, amounts_unknown, .. } = self.summary;
        self.summary = Summary { rows: seen, malformed, paid, amounts_unknown, ..Summary::default() };
        if let Some(at) = at {
            self.out_of_place(at, rows);
        }
        self.detail(layout, line, is_row, rows)
    }

    fn out_of_place(&mut self, line: u64, rows: &mut Vec<Row>) {
        self.add(Row::Malformed { line, why: BadRow::OutOfPlace }, rows);
    }

    fn add(&mut self, row: Row, rows: &mut Vec<Row>) {
        self.summary.rows += 1;
        match &row {
            Row::Payment(BillPayment { amount: Some(amount), .. }) => {
                let (Fen(sum), Fen(fen)) = (self.summary.paid, amount.fen);
                self.summary.paid = Fen(sum.saturating_add(fen));
            }
            Row::Payment(_) | Row::NotOurs { .. } => self.summary.amounts_unknown += 1,
            Row::Malformed { .. } => self.summary.malformed += 1,
            Row::Refund(_) | Row::Other { .. } => {}
        }
        rows.push(row);
    }

    fn close(&mut self, layout: Layout, header: &SummaryLayout, line: &[u8]) -> Part {
        self.summary.is_stated = true;
        if header.fits(&self.values) {
            header.take_down(line, &self.values, &mut self.summary);
        }
        let at = self.open.is_none().then_some(self.lines);
        if let Some(values) = self.open {
            self.go_on(&layout, values, line);
        }
        Part::End(layout, at)
    }
}

/// A row that stands where another one's text goes on. No reader can tell whether it is one, so it is never counted as
/// one.
fn in_doubt(row: Row, line: u64) -> Row {
    let why = BadRow::MayBeText;
    match row {
        Row::Payment(payment) => {
            let settled = payment.broken.and_then(|broken| broken.settled);
            Row::Payment(BillPayment { amount: None, broken: Some(Broken { why, settled }), ..payment })
        }
        _ => Row::Malformed { line, why },
    }
}

/// How many values begin within a line that goes on with one.
fn separators(line: &[u8]) -> usize {
    memmem::find_iter(line, b",`").count()
}

#[cfg(test)]
mod tests;
