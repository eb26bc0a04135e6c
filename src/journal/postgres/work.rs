//! The tasks that write what the writer is asked for.

use super::writer::Writer;
use super::{lane, look, room};
use std::sync::Arc;

/// They work from now on, until the writer is closed.
pub(super) fn begin(writer: &Arc<Writer>) {
    for lane in 0..writer.lanes.len() {
        tokio::spawn(lane::work(Arc::clone(writer), lane));
    }
    tokio::spawn(room::make_room(Arc::clone(writer)));
    tokio::spawn(look::look(Arc::clone(writer)));
}
