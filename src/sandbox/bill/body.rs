//! The body of an answer that is a bill: written, and compressed, as fast as it is read.

use super::sheet::{Sheet, Written};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::Frame;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A bill on its way out.
#[derive(Debug)]
pub(in crate::sandbox) struct BillBody {
    sheet: Sheet,
    encoder: Option<GzEncoder<Vec<u8>>>,
    written: Written,
    /// Whether what was given before a cut had a chance to be sent.
    sent: bool,
}

impl BillBody {
    pub(super) fn new(sheet: Sheet, compressed: bool) -> Self {
        let encoder = compressed.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
        Self { sheet, encoder, written: Written::Piece, sent: false }
    }

    /// The next bytes; `None` at the end.
    fn piece(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            match self.written {
                Written::Last => return Ok(None),
                Written::CutOff => return Err(io::ErrorKind::ConnectionAborted.into()),
                Written::Piece => {}
            }
            let mut text = String::new();
            self.written = self.sheet.write(&mut text);
            let bytes = match (&mut self.encoder, self.written) {
                (None, _) => text.into_bytes(),
                (Some(encoder), Written::Piece) => {
                    encoder.write_all(text.as_bytes())?;
                    std::mem::take(encoder.get_mut())
                }
                (Some(encoder), Written::CutOff) => {
                    encoder.write_all(text.as_bytes())?;
                    encoder.flush()?;
                    std::mem::take(encoder.get_mut())
                }
                (Some(encoder), Written::Last) => {
                    encoder.write_all(text.as_bytes())?;
                    encoder.try_finish()?;
                    std::mem::take(encoder.get_mut())
                }
            };
            if !bytes.is_empty() {
                return Ok(Some(bytes.into()));
            }
        }
    }
}

impl http_body::Body for BillBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.written == Written::CutOff && !self.sent {
            self.sent = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.piece().transpose().map(|piece| piece.map(Frame::data)))
    }
}
