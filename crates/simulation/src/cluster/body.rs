//! The body of an answer on its way to a replica: whole, or a watch that can break, stall or lag.
//! A watch whose replica has died ends in an error nobody sees.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use http_body::Frame;
use http_body_util::BodyExt;

use super::conditions::Conditions;
use super::life::Life;
use crate::fault::ApiTrouble;

/// What an answer carries.
pub enum Body {
    /// All of it is there.
    Whole(Option<Bytes>),
    /// A watch.
    Watch(Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Body::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Body::Watch(lines) => {
                lines.as_mut().poll_next(cx).map(|next| next.map(|lines| lines.map(Frame::data)))
            }
        }
    }
}

/// A watch on its way to a replica.
pub(super) fn watch(inner: everleaf_apiserver::Body, conditions: Conditions, life: Arc<Life>) -> Body {
    let open = Open { breaks: conditions.breaks().rung(), conditions, life, inner, is_over: false };
    Body::Watch(Box::pin(futures::stream::unfold(open, |mut open| async move {
        let next = open.next().await?;
        Some((next, open))
    })))
}

struct Open {
    inner: everleaf_apiserver::Body,
    conditions: Conditions,
    life: Arc<Life>,
    /// How often watches had broken when this one began.
    breaks: u64,
    is_over: bool,
}

impl Open {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.is_over {
            return None;
        }
        let life = self.life.clone();
        let replica = life.replica;
        tokio::select! {
            biased;
            () = life.over() => {}
            () = self.conditions.breaks().rings_after(self.breaks) => {}
            () = until_cut(&self.conditions, replica) => {}
            lines = tell(&mut self.inner, &self.conditions) => return lines.map(Ok),
        }
        self.is_over = true;
        Some(Err(io::ErrorKind::ConnectionReset.into()))
    }
}

/// The next lines, once watches tell anything, and late where they lag.
async fn tell(inner: &mut everleaf_apiserver::Body, conditions: &Conditions) -> Option<Bytes> {
    let frame = inner.frame().await?;
    let lines = frame.ok().and_then(|frame| frame.into_data().ok())?;
    loop {
        let rung = conditions.changes().rung();
        let troubles = conditions.troubles();
        if !troubles.contains(&ApiTrouble::WatchesStall) {
            for trouble in troubles {
                if let ApiTrouble::WatchesLag(by) = trouble {
                    tokio::time::sleep(by).await;
                }
            }
            return Some(lines);
        }
        conditions.changes().rings_after(rung).await;
    }
}

/// Waits until the replica is cut off from the API: a connection that stands is lost, too.
async fn until_cut(conditions: &Conditions, replica: usize) {
    loop {
        let rung = conditions.changes().rung();
        if conditions.is_cut_from_api(replica) || conditions.troubles().contains(&ApiTrouble::Refuses) {
            return;
        }
        conditions.changes().rings_after(rung).await;
    }
}
