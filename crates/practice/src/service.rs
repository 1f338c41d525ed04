//! A practice Vault as a tower service: for requests with ready bytes, and for requests with any body.
//! Both call the same node; the second one reads the body first, up to a bound.
//! No sockets.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use tower::Service;

use crate::http::body::Body;
use crate::http::transport::{TransportError, TransportKind};
use crate::practice::Practice;

/// The future of a call.
pub type CallFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, TransportError>> + Send>>;

/// The largest request that is read (vault-server 1.5: 32 MiB).
pub(crate) const LARGEST_REQUEST: usize = 32 << 20;

impl Service<Request<Bytes>> for Practice {
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = CallFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> CallFuture {
        let node = self.clone();
        Box::pin(async move { Practice::call(&node, request).await })
    }
}

/// The same node for requests with any body.
#[derive(Debug, Clone)]
pub struct OverBodies(Practice);

impl Practice {
    /// This node as a service for requests with any body, as HTTP clients send them.
    pub fn over_bodies(&self) -> OverBodies {
        OverBodies(self.clone())
    }
}

impl<B> Service<Request<B>> for OverBodies
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = TransportError;
    type Future = CallFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> CallFuture {
        let node = self.0.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            // A larger body is cut off by a reset while it is written (vault-measured 2).
            let body = Limited::new(body, LARGEST_REQUEST).collect().await;
            let body = body.map_err(|_| TransportError::new(TransportKind::Reset))?.to_bytes();
            node.call(Request::from_parts(head, body)).await
        })
    }
}

/// The whole body of an answer.
pub async fn whole_body(
    response: Response<Body>,
) -> Result<(http::StatusCode, http::HeaderMap, Bytes), TransportError> {
    let (head, body) = response.into_parts();
    let bytes = body.collect().await?.to_bytes();
    Ok((head.status, head.headers, bytes))
}
