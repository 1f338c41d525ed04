//! The body of an answer: bytes that are there, or a watch that goes on.
//! Reading a request's body is here too, with its limit.
//! A body never fails half-way: a watch that can't go on says so in its last line and ends.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use futures::Stream;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

use crate::status::{Outcome, Rejection};

/// The largest body taken: what kube-apiserver takes.
pub(crate) const MAX_BODY: usize = 3 * 1024 * 1024;

/// What an answer carries.
pub struct Body(Inside);

enum Inside {
    Whole(Option<Bytes>),
    Lines(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inside::Whole(bytes) => write!(f, "Body({} bytes)", bytes.as_ref().map_or(0, Bytes::len)),
            Inside::Lines(_) => f.write_str("Body(lines)"),
        }
    }
}

impl Body {
    /// Bytes that are there.
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
        let bytes = bytes.into();
        Body(Inside::Whole(if bytes.is_empty() { None } else { Some(bytes) }))
    }

    /// A watch.
    pub(crate) fn lines(lines: impl Stream<Item = Bytes> + Send + 'static) -> Body {
        Body(Inside::Lines(Box::pin(lines)))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Inside::Whole(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Inside::Lines(lines) => lines.as_mut().poll_next(cx).map(|next| next.map(|b| Ok(Frame::data(b)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Inside::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inside::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Inside::Lines(_) => SizeHint::default(),
        }
    }
}

/// Reads a request's body up to the limit.
pub(crate) async fn read<B>(body: B) -> Outcome<Bytes>
where
    B: http_body::Body,
{
    let mut body = std::pin::pin!(body);
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| Rejection::bad_request("the body of the request ended before its end"))?;
        if let Ok(mut data) = frame.into_data() {
            if all.len() + data.remaining() > MAX_BODY {
                return Err(Rejection::too_large(MAX_BODY));
            }
            all.extend_from_slice(&data.copy_to_bytes(data.remaining()));
        }
    }
    Ok(all.freeze())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_with_413() {
        let big = http_body_util::Full::new(Bytes::from(vec![b'a'; MAX_BODY + 1]));
        assert_eq!(read(big).await.unwrap_err().code, 413);
        let fits = http_body_util::Full::new(Bytes::from(vec![b'a'; MAX_BODY]));
        assert_eq!(read(fits).await.unwrap().len(), MAX_BODY);
    }
}
