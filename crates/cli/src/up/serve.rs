//! HTTPS on loopback in front of the API. Whoever speaks plain HTTP is told so in plain HTTP; whoever says nothing is let go.
//! It knows no objects, and no connection can hold up another.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use everleaf_apiserver::Server;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::server::NoClientAuth;
use rustls::server::danger::ClientCertVerifier;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::{debug, warn};

use super::callers;
use super::identity::Shown;

/// The most connections at a time; more wait.
const MOST_CONNECTIONS: usize = 512;
/// How long a client may take to say what it wants: first byte, handshake, head of a request.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long requests may take on the way out.
const GRACE: Duration = Duration::from_secs(5);
/// Rest after a failed accept: usually too many open files.
const AFTER_A_FAULT: Duration = Duration::from_millis(100);
/// First byte of a TLS handshake (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;
/// What a client gets that speaks HTTP without TLS, as Go's servers put it.
const PLAIN: &[u8] = b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
    Client sent an HTTP request to an HTTPS server.\n";

/// The TLS side of the door.
pub(crate) fn acceptor(
    shown: Shown,
    callers: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<TlsAcceptor, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(callers.unwrap_or_else(|| Arc::new(NoClientAuth)))
        .with_cert_resolver(Arc::new(shown));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves until `stop`, then ends watches and lets requests finish.
pub(crate) async fn serve(
    listener: TcpListener,
    server: Server,
    acceptor: TlsAcceptor,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Ok((stream, place)) = accepted else {
            tokio::time::sleep(AFTER_A_FAULT).await;
            continue;
        };
        let (server, acceptor, watcher) = (server.clone(), acceptor.clone(), graceful.watcher());
        tokio::spawn(async move {
            if let Err(error) = connection(stream, server, acceptor, watcher).await {
                debug!(%error, "a connection ended badly");
            }
            drop(place);
        });
    }
    server.close_watches();
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        debug!("some connections were still open when the time to stop was over");
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    match listener.accept().await {
        Ok((stream, _)) => Ok((stream, place)),
        Err(error) => {
            warn!(%error, "a connection could not be accepted");
            Err(error)
        }
    }
}

async fn connection(
    mut stream: TcpStream,
    server: Server,
    acceptor: TlsAcceptor,
    watcher: hyper_util::server::graceful::Watcher,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut first = [0; 1];
    tokio::time::timeout(PATIENCE, stream.peek(&mut first)).await??;
    if first != [HANDSHAKE] {
        stream.write_all(PLAIN).await?;
        return drain(stream).await;
    }
    let stream = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await??;
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    builder.http2().timer(TokioTimer::new());
    let peer = callers::peer(stream.get_ref().1.peer_certificates());
    let service = TowerToHyperService::new(server.map_request(move |mut request: Request<Incoming>| {
        if let Some(peer) = peer.clone() {
            request.extensions_mut().insert(peer);
        }
        request
    }));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    watcher.watch(connection).await
}

/// Reads what a client still sends, so that our answer isn't lost to a reset.
async fn drain(mut stream: TcpStream) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    const MOST: u64 = 64 * 1024;
    stream.shutdown().await?;
    let mut rest = tokio::io::AsyncReadExt::take(&mut stream, MOST);
    tokio::time::timeout(PATIENCE, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await??;
    Ok(())
}
