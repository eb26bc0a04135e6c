//! The stream that hyper reads, which ends after one message: what stands behind a message is not hyper's to guess, so
//! a head is looked at first ([`Inspector`]), and hyper gets exactly the bytes that belong to it (threats P-01 to
//! P-07).
//!
//! Because hyper comes and goes with each message, a connection that waits holds no buffers at all.

use super::head::{Bounds, Framing, Head, Inspector, Progress, Refusal};
use super::spare::{self, READ};
use super::stream::Stream;
use crate::domain::reason::Reason;
use bytes::BufMut;
use hyper::Method;
use hyper::rt::ReadBufCursor;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::time::Sleep;

/// What hyper gets at once: if its buffer of 8 KiB is filled by one read, it takes a buffer twice as large from then
/// on.
const HANDED_ON: usize = 8 * 1024 - 1;

/// What hyper sees of a head that must not be used, so that the refusal is answered like any request.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: stand-in\r\nconnection: close\r\n\r\n";
/// The stand-in for `HEAD`, whose answer has no body.
const STAND_IN_HEAD: &[u8] = b"HEAD / HTTP/1.1\r\nhost: stand-in\r\nconnection: close\r\n\r\n";

/// A connection, with what was read from it and not handed on yet.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    /// Bytes that arrived; those before `start` are done with.
    held: Vec<u8>,
    start: usize,
    bounds: Bounds,
    inspector: Inspector,
    message: Message,
    write_timeout: Duration,
    /// Runs while the peer does not take what is written.
    stall: Option<Pin<Box<Sleep>>>,
}

/// What a wait for a head ends with.
#[derive(Debug)]
pub(super) enum Next {
    Head(Head),
    Refused(Refusal),
    /// The peer closed the connection between two requests.
    Closed,
}

/// What of the current message hyper has not read yet.
#[derive(Debug, Clone, Copy)]
enum Message {
    StandIn(&'static [u8]),
    Real {
        /// In `held`.
        held: usize,
        /// After that, from the socket.
        rest: Rest,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Bytes(u64),
    /// Chunked: hyper finds the end, and nothing behind it is read as a request.
    Everything,
}

impl Wire {
    /// A peer that does not take its answer within `write_timeout` is an error.
    pub(super) fn new(stream: Stream, bounds: Bounds, write_timeout: Duration) -> Self {
        let message = Message::Real { held: 0, rest: Rest::Bytes(0) };
        let inspector = Inspector::default();
        Self { stream, held: Vec::new(), start: 0, bounds, inspector, message, write_timeout, stall: None }
    }

    /// Waits for the next head. What arrives stays here, however often this is given up and called again.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Next>> {
        loop {
            if !self.pending().is_empty() {
                let bytes = self.held.get(self.start..).unwrap_or_default();
                match self.inspector.inspect(bytes, self.bounds) {
                    Progress::Whole(head) => return Poll::Ready(Ok(Next::Head(head))),
                    Progress::Unusable(refusal) => return Poll::Ready(Ok(Next::Refused(refusal))),
                    Progress::Partial => self.shrink(),
                }
            }
            if ready!(self.poll_fill(cx))? == 0 {
                let next =
                    if self.head_begun() { Next::Refused(self.refuse(Reason::RequestMalformed)) } else { Next::Closed };
                return Poll::Ready(Ok(next));
            }
        }
    }

    /// Whether part of a head has arrived. A stray line end after a body is none.
    pub(super) fn head_begun(&self) -> bool {
        !matches!(self.pending(), b"" | b"\r\n")
    }

    /// Whether the peer has sent something that was not read yet.
    pub(super) fn has_unread(&self) -> bool {
        self.stream.has_unread()
    }

    /// Gives up on the head that has begun.
    pub(super) fn refuse(&self, reason: Reason) -> Refusal {
        self.inspector.refuse(reason, self.pending())
    }

    /// Lets hyper read the message with this head.
    pub(super) fn admit(&mut self, head: Head) {
        self.inspector = Inspector::default();
        let here = self.pending().len();
        self.message = match head.framing {
            Framing::Chunked => Message::Real { held: here, rest: Rest::Everything },
            Framing::Length(length) => {
                let behind_head = here.saturating_sub(head.len);
                let body_here = usize::try_from(length).unwrap_or(usize::MAX).min(behind_head);
                let rest = Rest::Bytes(length.saturating_sub(body_here as u64));
                Message::Real { held: head.len + body_here, rest }
            }
        };
    }

    /// Lets hyper read a stand-in for a message that is refused, and nothing else any more.
    pub(super) fn stand_in(&mut self, refusal: &Refusal) {
        self.message = Message::StandIn(if refusal.method == Method::HEAD { STAND_IN_HEAD } else { STAND_IN });
    }

    /// Ends the connection, and takes what the peer may still be sending for at most `linger`.
    pub(super) async fn close(self, linger: Duration) {
        let unread = match self.message {
            Message::StandIn(_) => true,
            Message::Real { held, rest } => held > 0 || rest != Rest::Bytes(0) || !self.pending().is_empty(),
        };
        self.stream.close(unread, linger).await;
    }

    fn pending(&self) -> &[u8] {
        self.held.get(self.start..).unwrap_or_default()
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buffer = spare::take();
        let filled = pin!(self.stream.read_buf(&mut buffer)).poll(cx);
        if !matches!(filled, Poll::Ready(Ok(1..))) {
            spare::put(buffer);
        } else if self.held.is_empty() {
            self.held = buffer;
        } else {
            self.held.extend_from_slice(&buffer);
            spare::put(buffer);
        }
        filled
    }

    /// Keeps a head's beginning in no more memory than it needs.
    fn shrink(&mut self) {
        if self.held.capacity() >= READ && self.pending().len() < READ {
            let beginning = self.pending().to_vec();
            spare::put(std::mem::replace(&mut self.held, beginning));
            self.start = 0;
        }
    }

    fn hand_on(&mut self, wanted: usize, cursor: &mut ReadBufCursor<'_>) -> usize {
        let count = wanted.min(cursor.remaining()).min(HANDED_ON);
        cursor.put_slice(self.pending().get(..count).unwrap_or_default());
        self.start += count;
        if self.start >= self.held.len() {
            spare::put(std::mem::take(&mut self.held));
            self.start = 0;
        }
        count
    }

    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        most: usize,
        cursor: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut buffer = spare::take();
        let filled = pin!(self.stream.read_buf(&mut (&mut buffer).limit(most.min(HANDED_ON)))).poll(cx);
        cursor.put_slice(&buffer);
        spare::put(buffer);
        filled
    }

    /// Holds a write that cannot go on to the write deadline, which runs until everything is flushed.
    fn poll_stalled<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_pending() {
            let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.write_timeout)));
            ready!(stall.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        write
    }
}

impl hyper::rt::Read for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, mut cursor: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let room = cursor.remaining();
        match this.message {
            Message::StandIn(bytes) => {
                let (now, later) = bytes.split_at(bytes.len().min(room));
                cursor.put_slice(now);
                this.message = Message::StandIn(later);
            }
            Message::Real { held, rest } if held > 0 => {
                let count = this.hand_on(held, &mut cursor);
                this.message = Message::Real { held: held - count, rest };
            }
            Message::Real { rest: Rest::Everything, .. } => {
                ready!(this.poll_body(cx, room, &mut cursor))?;
            }
            // The end of the message is the end of what hyper may read.
            Message::Real { rest: Rest::Bytes(0), .. } => {}
            Message::Real { rest: Rest::Bytes(rest), .. } => {
                let most = usize::try_from(rest).unwrap_or(usize::MAX).min(room);
                let count = ready!(this.poll_body(cx, most, &mut cursor))?;
                this.message = Message::Real { held: 0, rest: Rest::Bytes(rest.saturating_sub(count as u64)) };
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.poll_stalled(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        if flushed.is_ready() {
            this.stall = None;
        }
        this.poll_stalled(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.poll_stalled(cx, written)
    }
}
