//! Reads a bill as it comes, in memory for one line.

use super::layout::{Layout, SummaryLayout, Values};
use super::{BadRow, BillError, Refusal, Row, Summary};
use crate::money::Fen;
use memchr::memchr;

const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Takes a bill's text in pieces and gives its rows.
///
/// ```
/// use tollgate::wechat::bill::{BillReader, Row};
/// let bill = "微信订单号,商户订单号,交易状态,订单金额\n`4200001,`A1,`SUCCESS,`66.00\n总交易单数\n`1\n";
/// let (mut reader, mut rows) = (BillReader::default(), Vec::new());
/// for piece in bill.as_bytes().chunks(7) {
///     reader.push(piece, &mut rows)?;
/// }
/// assert_eq!(reader.finish(&mut rows)?.contradictions().count(), 0);
/// assert!(matches!(rows.as_slice(), [Row::Payment(payment)] if payment.out_trade_no.as_str() == "A1"));
/// # Ok::<(), tollgate::wechat::bill::BillError>(())
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
    Summary(SummaryLayout),
    /// Nothing more.
    End,
}

impl Part {
    /// What comes after a line behind the details that is no row.
    fn behind(layout: Layout, line: &[u8]) -> Self {
        let header = SummaryLayout::read(line);
        if header.is_certain() { Self::Summary(header) } else { Self::Doubt(layout, header) }
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
        if matches!(self.part, Part::Summary(_) | Part::Doubt(..) | Part::End) && !last.is_empty() {
            self.line(&last, Ended::No, rows)?;
        }
        match self.part {
            Part::End => Ok(self.summary),
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
            Part::Details(layout) if is_row => self.row(layout, line, rows),
            Part::Details(layout) => Part::behind(layout, line),
            Part::Doubt(layout, header) if is_row && header.fits(&self.values) && !layout.fits(&self.values) => {
                self.close(&header, line)
            }
            Part::Doubt(layout, _) => {
                // It was the rest of a broken row.
                self.add(Row::Malformed { line: self.lines - 1, why: BadRow::OutOfPlace }, rows);
                if is_row { self.row(layout, line, rows) } else { Part::behind(layout, line) }
            }
            Part::Summary(header) if is_row && (ended == Ended::Yes || header.fits(&self.values)) => {
                self.close(&header, line)
            }
            Part::Summary(_) => return Err(BillError::CutOff),
            Part::End => {
                self.add(Row::Malformed { line: self.lines, why: BadRow::OutOfPlace }, rows);
                Part::End
            }
        };
        Ok(())
    }

    fn row(&mut self, layout: Layout, line: &[u8], rows: &mut Vec<Row>) -> Part {
        let row = layout.row(line, self.lines, &self.values);
        self.add(row, rows);
        Part::Details(layout)
    }

    fn add(&mut self, row: Row, rows: &mut Vec<Row>) {
        self.summary.rows += 1;
        match &row {
            Row::Payment(payment) => {
                let (Fen(sum), Fen(fen)) = (self.summary.paid, payment.amount.fen);
                self.summary.paid = Fen(sum.saturating_add(fen));
            }
            Row::Malformed { .. } => self.summary.malformed += 1,
            Row::Refund(_) | Row::Other { .. } => {}
        }
        rows.push(row);
    }

    fn close(&mut self, header: &SummaryLayout, line: &[u8]) -> Part {
        self.summary.is_stated = true;
        if header.fits(&self.values) {
            header.take_down(line, &self.values, &mut self.summary);
        }
        Part::End
    }
}

#[cfg(test)]
mod tests;
