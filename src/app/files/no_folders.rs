//! Where the system tells of no folder in a way that is known here: files are looked at now and then.

use super::way::Spot;
use std::collections::BTreeSet;
use std::io;

/// None.
#[derive(Debug)]
pub(super) enum Folders {}

impl Folders {
    /// There are none.
    ///
    /// # Errors
    /// Always.
    pub(super) fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn listen_for(&self, _: BTreeSet<Spot>) {
        match *self {}
    }

    pub(super) async fn heard(&self) {
        match *self {}
    }
}
