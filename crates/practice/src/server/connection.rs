//! One accepted connection: TLS or not, then HTTP, each request handed to the node with its peer.
//! A transport error of the node becomes a reset, an orderly close or silence here.
//! Errors of a connection end that connection and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::socket::{Doom, Socket};
use crate::faults::act::LONGEST_REQUEST;
use crate::http::ask::Peer;
use crate::http::body::Body;
use crate::http::transport::{TransportError, TransportKind};
use crate::practice::Practice;

/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;
/// What Go's TLS listener says to plain HTTP (vault-measured 3).
const PLAIN_HTTP: &[u8] =
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// Serves a connection to its end.
pub(crate) async fn drive(
    practice: Practice,
    stream: TcpStream,
    from: SocketAddr,
    acceptor: Option<Arc<TlsAcceptor>>,
) {
    let mut peer = Peer { address: from.ip(), certificate: None };
    let Some(acceptor) = acceptor else {
        let (socket, doom) = Socket::new(stream);
        speak(practice, socket, peer, doom).await;
        return;
    };
    if is_plain_http(&stream).await {
        refuse_plain_http(stream).await;
        return;
    }
    let (socket, doom) = Socket::new(stream);
    match acceptor.accept(socket).await {
        Ok(session) => {
            let shown = session.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            peer.certificate = shown.map(|certificate| certificate.to_vec());
            speak(practice, session, peer, doom).await;
        }
        Err(error) => tracing::debug!(%error, "TLS handshake failed"),
    }
}

async fn is_plain_http(stream: &TcpStream) -> bool {
    let mut first = [0];
    matches!(stream.peek(&mut first).await, Ok(1)) && first != [TLS_HANDSHAKE]
}

async fn refuse_plain_http(mut stream: TcpStream) {
    if let Err(error) = stream.write_all(PLAIN_HTTP).await {
        tracing::debug!(%error, "plain HTTP to the TLS port");
    }
}

async fn speak<S>(practice: Practice, stream: S, peer: Peer, doom: Doom)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        answer(practice.clone(), request, doom.clone())
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder.http2().timer(TokioTimer::new());
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "connection ended");
    }
}

async fn answer(
    practice: Practice,
    request: Request<Incoming>,
    doom: Doom,
) -> Result<http::Response<Body>, TransportError> {
    let mut node = practice.over_bodies();
    let answered = node.call(request).await;
    if let Err(error) = &answered {
        match error.kind() {
            TransportKind::Closed => {}
            TransportKind::TimedOut => tokio::time::sleep(LONGEST_REQUEST).await,
            _ => doom.seal(),
        }
    }
    answered
}
