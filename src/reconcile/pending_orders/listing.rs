//! What was read: orders, and how many rows made no sense.

use super::cell::{self, BadCell, Cell};
use super::column::Column;
use super::error::SourceError;
use crate::domain::money::{AmountUnit, Fen};
use crate::domain::order::{ChannelId, OrderId, OutTradeNo};
use jiff::Timestamp;
use std::fmt;

/// An order that waits for payment, says its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingOrder {
    /// The legacy system's number.
    pub order: OrderId,
    /// The channel it is to be paid through, which the configuration may not know.
    pub channel: ChannelId,
    /// What WeChat Pay calls it, if the source says.
    pub out_trade_no: Option<OutTradeNo>,
    /// What is expected for it, if the source says.
    pub amount: Option<Fen>,
    /// Since when it waits, if the source says.
    pub created_at: Option<Timestamp>,
}

/// One reading of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// In the source's order.
    pub orders: Vec<PendingOrder>,
    /// The first rows that made no sense, at most [`Listing::MOST_MALFORMED`].
    pub malformed: Vec<Malformed>,
    /// How many there were.
    pub malformed_count: usize,
    /// Whether there were more rows than were read.
    pub cut: bool,
}

/// A row that makes no sense, and hides no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed {
    /// Which, counted from 1.
    pub row: usize,
    /// In which column, if it is not the row as a whole.
    pub column: Option<Column>,
    /// What is wrong there.
    pub why: BadCell,
}

impl Listing {
    /// Enough to find out what is wrong with all of them.
    pub const MOST_MALFORMED: usize = 10;
}

impl fmt::Display for Malformed {
    /// `row 3: amount is not an amount ...`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}: ", self.row)?;
        if let Some(column) = self.column {
            write!(f, "{column} ")?;
        }
        write!(f, "{}", self.why)
    }
}

/// The columns of one row.
#[derive(Debug, Default)]
pub(super) struct Row<'c> {
    pub(super) order: Cell<'c>,
    pub(super) channel: Cell<'c>,
    pub(super) out_trade_no: Cell<'c>,
    pub(super) amount: Cell<'c>,
    pub(super) created_at: Cell<'c>,
}

impl<'c> Row<'c> {
    pub(super) fn cell(&mut self, column: Column) -> &mut Cell<'c> {
        match column {
            Column::Order => &mut self.order,
            Column::Channel => &mut self.channel,
            Column::OutTradeNo => &mut self.out_trade_no,
            Column::Amount => &mut self.amount,
            Column::CreatedAt => &mut self.created_at,
        }
    }

    fn read(&self, unit: AmountUnit) -> Result<PendingOrder, (Column, BadCell)> {
        let at = |column| move |why| (column, why);
        let required = |column| (column, BadCell::Absent);
        Ok(PendingOrder {
            order: cell::id(&self.order).map_err(at(Column::Order))?.ok_or(required(Column::Order))?,
            channel: cell::id(&self.channel).map_err(at(Column::Channel))?.ok_or(required(Column::Channel))?,
            out_trade_no: cell::id(&self.out_trade_no).map_err(at(Column::OutTradeNo))?,
            amount: cell::amount(&self.amount, unit).map_err(at(Column::Amount))?,
            // When it was made only says when it is asked about.
            created_at: cell::time(&self.created_at).unwrap_or_default(),
        })
    }
}

/// Where a result of a query has its columns.
#[derive(Debug)]
pub(super) struct Places(Vec<Option<Column>>);

impl Places {
    /// Finds them by their names, in the result's order.
    ///
    /// # Errors
    /// If a required one is not there, or one is there twice.
    pub(super) fn find<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, SourceError> {
        let places: Vec<_> = names.into_iter().map(Column::named).collect();
        for column in Column::ALL {
            match places.iter().filter(|place| **place == Some(column)).count() {
                0 if Column::REQUIRED.contains(&column) => return Err(SourceError::MissingColumn(column)),
                0 | 1 => {}
                _ => return Err(SourceError::TwoColumns(column)),
            }
        }
        Ok(Self(places))
    }

    /// A row of the result, whose value at a position is `cell` of it.
    pub(super) fn row<'c>(&self, mut cell: impl FnMut(usize) -> Cell<'c>) -> Row<'c> {
        let mut row = Row::default();
        for (position, column) in self.0.iter().enumerate() {
            if let Some(column) = column {
                *row.cell(*column) = cell(position);
            }
        }
        row
    }
}

/// A listing while it is being read.
#[derive(Debug)]
pub(super) struct Rows {
    unit: AmountUnit,
    limit: usize,
    seen: usize,
    listing: Listing,
}

impl Rows {
    pub(super) fn new(unit: AmountUnit, limit: usize) -> Self {
        Self { unit, limit, seen: 0, listing: Listing::default() }
    }

    /// How many rows are read at most.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether there is room for one more row. If there is not, the listing is cut.
    pub(super) fn has_room(&mut self) -> bool {
        let room = self.seen < self.limit;
        self.listing.cut |= !room;
        room
    }

    /// Takes in a row.
    pub(super) fn take(&mut self, row: &Row<'_>) {
        match row.read(self.unit) {
            Ok(order) => {
                self.seen += 1;
                self.listing.orders.push(order);
                if let Err(why) = cell::time(&row.created_at) {
                    self.complain(Some(Column::CreatedAt), why);
                }
            }
            Err((column, why)) => self.refuse(Some(column), why),
        }
    }

    /// Counts a row that is none.
    pub(super) fn refuse(&mut self, column: Option<Column>, why: BadCell) {
        self.seen += 1;
        self.complain(column, why);
    }

    fn complain(&mut self, column: Option<Column>, why: BadCell) {
        self.listing.malformed_count += 1;
        if self.listing.malformed.len() < Listing::MOST_MALFORMED {
            self.listing.malformed.push(Malformed { row: self.seen, column, why });
        }
    }

    pub(super) fn finish(self) -> Listing {
        self.listing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'c>(order: &'c str, channel: &'c str) -> Row<'c> {
        Row { order: Cell::text(order), channel: Cell::text(channel), ..Row::default() }
    }

    #[test]
    fn columns_are_found_by_name_in_any_case_and_others_do_not_matter() {
        let places = Places::find(["id", "ORDER", "Amount", "channel", "note"]).unwrap();
        let row = places.row(|position| Cell::number(position.to_string()));
        assert_eq!((row.order.to_string(), row.channel.to_string()), ("1".to_owned(), "3".to_owned()));
        assert_eq!((row.amount.to_string(), row.created_at), ("2".to_owned(), Cell::Null));
    }

    #[test]
    fn a_required_column_that_is_missing_or_any_that_is_there_twice_is_an_error() {
        assert_eq!(Places::find(["order"]).unwrap_err(), SourceError::MissingColumn(Column::Channel));
        assert_eq!(Places::find(["channel", "order_no"]).unwrap_err(), SourceError::MissingColumn(Column::Order));
        let twice = Places::find(["order", "channel", "amount", "AMOUNT"]).unwrap_err();
        assert_eq!(twice, SourceError::TwoColumns(Column::Amount));
    }

    #[test]
    fn a_malformed_row_hides_no_other_and_only_the_first_are_kept() {
        let mut rows = Rows::new(AmountUnit::Fen, 100);
        for number in 0..40 {
            rows.take(&row(if number % 2 == 0 { "A1" } else { "A 1" }, "app"));
        }
        let listing = rows.finish();
        assert_eq!((listing.orders.len(), listing.malformed_count, listing.malformed.len()), (20, 20, 10));
        assert_eq!(listing.malformed[1].row, 4);
        assert!(listing.malformed[0].to_string().starts_with("row 2: order has a character other than"));
        assert!(!listing.cut);
    }

    #[test]
    fn rows_beyond_the_limit_cut_the_listing() {
        let mut rows = Rows::new(AmountUnit::Fen, 2);
        assert!(rows.has_room());
        rows.take(&row("A1", "app"));
        rows.take(&row("", "app"));
        assert!(!rows.has_room());
        let listing = rows.finish();
        assert_eq!((listing.orders.len(), listing.malformed_count, listing.cut), (1, 1, true));
        assert_eq!(listing.malformed[0].to_string(), "row 2: order is empty");
    }
}
