//! What is kept, as JSON: the same shapes in the API's answers and in what commands print under `--json`. Times are RFC
//! 3339, in UTC; amounts are whole fen. Nothing in here is a payer's name, a key or a signature.

mod audit;

mod entry;

mod figures;

mod payment;

mod refused;

mod sweep;

pub use audit::AuditLine;
pub use entry::{Claimed, Entry, EntryStory, Event, Sending};
pub use figures::{Entries, Figures, Source};
pub use payment::{Asked, Payment};
pub use refused::Refused;
pub use sweep::{Sweep, SweepOutcome, SweepRow};

use crate::clock;
use crate::journal::audit::Action;
use crate::journal::sweeps::{Progress, RowKind};
use crate::journal::{Origin, State};
use crate::reason::{Reason, Verdict};
use jiff::Timestamp;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{KnownFormat, SchemaFormat};

fn time(at: Timestamp) -> String {
    clock::rfc3339(at)
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn text_or_null() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]))
}

/// One of these words.
fn word<'w>(words: impl IntoIterator<Item = &'w str>) -> Object {
    text().enum_values(Some(words)).build()
}

/// One of these words, or null.
fn word_or_null<'w>(words: impl IntoIterator<Item = &'w str>) -> Object {
    let words = words.into_iter().map(serde_json::Value::from).chain([serde_json::Value::Null]);
    text_or_null().enum_values(Some(words)).build()
}

pub(super) fn a_time() -> Object {
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).build()
}

pub(super) fn a_time_or_null() -> Object {
    text_or_null().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).build()
}

pub(super) fn a_reason() -> Object {
    word(Reason::ALL.iter().map(|reason| reason.code()))
}

pub(super) fn a_reason_or_null() -> Object {
    word_or_null(Reason::ALL.iter().map(|reason| reason.code()))
}

const VERDICTS: [Verdict; 6] =
    [Verdict::Paid, Verdict::Pending, Verdict::Unpaid, Verdict::Refunded, Verdict::Contradicted, Verdict::Unknown];

pub(super) fn a_verdict() -> Object {
    word(VERDICTS.map(Verdict::as_str))
}

pub(super) fn a_verdict_or_null() -> Object {
    word_or_null(VERDICTS.map(Verdict::as_str))
}

pub(super) fn a_state() -> Object {
    word(State::ALL.map(State::as_str))
}

pub(super) fn a_state_or_null() -> Object {
    word_or_null(State::ALL.map(State::as_str))
}

pub(super) fn an_origin() -> Object {
    word(Origin::ALL.map(Origin::as_str))
}

pub(super) fn a_progress() -> Object {
    word(Progress::ALL.map(Progress::as_str))
}

pub(super) fn a_row_kind() -> Object {
    word(RowKind::ALL.map(RowKind::as_str))
}

pub(super) fn an_action() -> Object {
    word(Action::ALL.map(Action::as_str))
}
