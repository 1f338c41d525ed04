//! The body of an answer: whole, dripping, or breaking off; the same type in process and over sockets.
//! Waiting is done with tokio's timers, so it also runs in virtual time.
//! A body must never yield more than it was given.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;

use super::transport::{TransportError, TransportKind};

/// How a body comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As it should.
    Whole,
    /// With an error of the connection.
    Broken(TransportKind),
    /// Never.
    Silent,
}

/// How fast a body comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Drip {
    /// Bytes at a time, at least 1.
    pub(crate) piece: usize,
    /// The wait before each piece.
    pub(crate) pause: Duration,
}

/// The body of an answer.
pub struct Body {
    rest: Bytes,
    end: End,
    drip: Option<Drip>,
    nap: Option<Pin<Box<Sleep>>>,
    /// The length that the head promised; more than `rest` when the body breaks off.
    promised: u64,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body {{ {} bytes left }}", self.rest.len())
    }
}

impl Body {
    /// A body that comes at once and whole.
    pub(crate) fn whole(bytes: Bytes) -> Body {
        let promised = bytes.len() as u64;
        Body { rest: bytes, end: End::Whole, drip: None, nap: None, promised }
    }

    /// The first `kept` bytes, then this end; the head still promises all of them.
    pub(crate) fn cut(bytes: &Bytes, kept: usize, end: End) -> Body {
        let promised = bytes.len() as u64;
        Body { rest: bytes.slice(..kept.min(bytes.len())), end, drip: None, nap: None, promised }
    }

    /// The same body, piece by piece.
    pub(crate) fn dripping(mut self, drip: Drip) -> Body {
        self.drip = Some(Drip { piece: drip.piece.max(1), ..drip });
        self
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = TransportError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TransportError>>> {
        if self.rest.is_empty() {
            return match self.end {
                End::Whole => Poll::Ready(None),
                End::Silent => Poll::Pending,
                End::Broken(kind) => {
                    self.end = End::Whole;
                    Poll::Ready(Some(Err(kind.into())))
                }
            };
        }
        let Some(drip) = self.drip else {
            let all = std::mem::take(&mut self.rest);
            return Poll::Ready(Some(Ok(Frame::data(all))));
        };
        let nap = self.nap.get_or_insert_with(|| Box::pin(tokio::time::sleep(drip.pause)));
        if nap.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.nap = None;
        let piece = drip.piece.min(self.rest.len());
        let piece = self.rest.split_to(piece);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.end == End::Whole
    }

    fn size_hint(&self) -> SizeHint {
        // A body that breaks off has promised more: over sockets this becomes a Content-Length that isn't kept.
        SizeHint::with_exact(if self.end == End::Whole { self.rest.len() as u64 } else { self.promised })
    }
}
