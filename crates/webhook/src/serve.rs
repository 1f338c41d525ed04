//! HTTPS for API servers: `/validate`, `/mutate`, and `/healthz` and `/livez` for the kubelet.
//! Bodies and connections are bounded; no connection can hold up another.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::approval::Approvals;
use crate::mutate::mutate;
use crate::question::{Answer, Asked, Question};
use crate::review::{Verdict, review};
use crate::shown::Shown;

/// The largest body: an object and what it was before, each as large as an API server takes.
const LARGEST_BODY: usize = 8 * 1024 * 1024;
/// The most connections at a time; more wait.
const MOST_CONNECTIONS: usize = 512;
/// How long a client may take for the handshake and the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long requests may take on the way out.
const GRACE: Duration = Duration::from_secs(5);
/// Rest after a failed accept: usually too many open files.
const AFTER_A_FAULT: Duration = Duration::from_millis(100);

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Serves until `stop`, then lets requests finish.
pub async fn serve(
    listener: TcpListener,
    shown: Shown,
    approvals: Arc<Approvals>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let acceptor = acceptor(shown.clone())?;
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let place = Arc::clone(&places).acquire_owned().await?;
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(AFTER_A_FAULT).await;
                continue;
            }
        };
        let (acceptor, approvals, watcher) = (acceptor.clone(), Arc::clone(&approvals), graceful.watcher());
        tokio::spawn(async move {
            if let Err(error) = connection(stream, acceptor, approvals, watcher).await {
                debug!(%error, "a connection ended badly");
            }
            drop(place);
        });
    }
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    Ok(())
}

fn acceptor(shown: Shown) -> Result<TlsAcceptor, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    approvals: Arc<Approvals>,
    watcher: Watcher,
) -> Result<(), Fault> {
    stream.set_nodelay(true)?;
    let stream = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await??;
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    builder.http2().timer(TokioTimer::new());
    let service = service_fn(move |request| {
        let approvals = Arc::clone(&approvals);
        async move { Ok::<_, Infallible>(answered(request, &approvals).await) }
    });
    watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await
}

async fn answered(request: Request<Incoming>, approvals: &Approvals) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    match (request.method(), path.as_str()) {
        (&Method::GET, "/healthz" | "/livez" | "/readyz") => plain(StatusCode::OK, "ok"),
        (&Method::POST, "/validate" | "/mutate") => match question(request.into_body()).await {
            Ok(question) if path == "/mutate" => reviewed(&mutate(&question)),
            Ok(question) => reviewed(&validated(&question, approvals).await),
            Err(error) => plain(StatusCode::BAD_REQUEST, &format!("no AdmissionReview: {error}")),
        },
        _ => plain(StatusCode::NOT_FOUND, "not found"),
    }
}

async fn question(body: Incoming) -> Result<Question, Fault> {
    let bytes = Limited::new(body, LARGEST_BODY).collect().await?.to_bytes();
    let asked: Asked = serde_json::from_slice(&bytes)?;
    Ok(asked.request)
}

async fn validated(question: &Question, approvals: &Approvals) -> Answer {
    match review(question) {
        Verdict::Allowed(warnings) => Answer::yes(&question.uid).with_warnings(warnings),
        Verdict::Refused(why) => Answer::no(&question.uid, why),
        Verdict::AllowedToApprovers(signer) => match approvals.refusal(&question.user_info, &signer).await {
            None => Answer::yes(&question.uid),
            Some(why) => Answer::no(&question.uid, format!("status.conditions: Forbidden: {why}")),
        },
    }
}

fn reviewed(answer: &Answer) -> Response<Full<Bytes>> {
    let review: Value =
        json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer });
    let mut response = Response::new(Full::new(Bytes::from(review.to_string())));
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text.to_owned())));
    *response.status_mut() = status;
    response
}
