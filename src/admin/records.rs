//! What is kept, as JSON: the same shapes in the API's answers and in what commands print under `--json`. Times are RFC
//! 3339, in UTC; amounts are whole fen. Nothing in here is a payer's name, a key or a signature.

mod audit;

mod entry;

mod figures;

mod payment;

mod refused;

mod sweep;

pub mod words;

pub use audit::AuditLine;
pub use entry::{Claimed, Entry, EntryStory, Event, Sending};
pub use figures::{Entries, Figures, Source};
pub use payment::{Asked, Payment};
pub use refused::Refused;
pub use sweep::{Sweep, SweepOutcome, SweepRow};

use crate::domain::clock;
use jiff::Timestamp;

fn time(at: Timestamp) -> String {
    clock::rfc3339(at)
}
