//! Over real sockets on loopback, with and without TLS: closed ports, resets, silence, broken bodies, certificates.
//! The real clock, but nothing is timed: a client that must not be answered is asked with a short patience.
//! The client is hyper's, as in the product.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use everleaf_practice::{
    CaKeyKind, Deed, Fault, FaultRule, Furnished, KeyPair, Phase, RequestNames, RunOptions, Running, Scheme,
    TransportKind, Workshop, start,
};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

type Plain = Client<HttpConnector, Full<Bytes>>;

fn client() -> Plain {
    Client::builder(TokioExecutor::new()).build_http()
}

async fn running(scheme: Scheme) -> Running {
    let listen = "127.0.0.1:0".parse().unwrap();
    start(RunOptions { listen, scheme, ..RunOptions::default() }).await.unwrap()
}

/// The kind of the io::Error at the bottom, or a word for another outcome.
type Outcome = Result<(StatusCode, Value), Option<io::ErrorKind>>;

async fn ask(client: &Plain, url: &str, method: Method, path: &str, token: &str, body: Value) -> Outcome {
    let request = Request::builder().method(method).uri(format!("{url}/v1/{path}"));
    let request = request.header("x-vault-token", token);
    let request = request.body(Full::new(Bytes::from(body.to_string()))).unwrap();
    let answer = client.request(request).await.map_err(|error| kind_of(&error))?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(|error| kind_of(&error))?.to_bytes();
    Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

fn kind_of(error: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        cause = error.source();
    }
    // A body or an answer that stops short has no io::Error: hyper calls it incomplete.
    error.source()?;
    Some(io::ErrorKind::UnexpectedEof)
}

fn furnished(running: &Running) -> &Furnished {
    running.furnished.as_ref().unwrap()
}

async fn sign(client: &Plain, running: &Running) -> Outcome {
    let body = json!({"csr": common::csr(), "ttl": "1h"});
    ask(client, &running.url, Method::POST, "pki/sign/web", &furnished(running).token, body).await
}

#[tokio::test]
async fn it_signs_over_a_socket() {
    let running = running(Scheme::Http).await;
    let (status, body) = sign(&client(), &running).await.unwrap();
    assert_eq!(status, 200);
    assert!(body["data"]["certificate"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    let fields = json!({
        "role_id": furnished(&running).role_id, "secret_id": furnished(&running).secret_id.as_str(),
    });
    let login = ask(&client(), &running.url, Method::POST, "auth/approle/login", "", fields).await.unwrap();
    assert_eq!(login.0, 200);
    assert_eq!((running.practice.audit().signatures(), running.practice.audit().logins()), (1, 1));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_reset_is_a_reset_and_the_work_behind_it_is_done_or_not() {
    let running = running(Scheme::Http).await;
    for (fault, done) in [(Fault::Broken(TransportKind::Reset), 0), (Fault::Lost(TransportKind::Reset), 1)] {
        let id = running.practice.inflict(FaultRule::new(fault.clone()).on(Phase::Sign));
        // A fresh client: a pooled connection would be tried again by hyper.
        assert_eq!(sign(&client(), &running).await, Err(Some(io::ErrorKind::ConnectionReset)), "{fault:?}");
        assert_eq!(running.practice.signed().len(), done, "{fault:?}");
        running.practice.lift(id);
    }
    assert_eq!(sign(&client(), &running).await.unwrap().0, 200);
}

#[tokio::test]
async fn a_closed_connection_and_a_short_body_are_incomplete() {
    let running = running(Scheme::Http).await;
    for fault in [Fault::Broken(TransportKind::Closed), Fault::Truncated] {
        let id = running.practice.inflict(FaultRule::new(fault.clone()).on(Phase::Sign));
        assert_eq!(sign(&client(), &running).await, Err(Some(io::ErrorKind::UnexpectedEof)), "{fault:?}");
        running.practice.lift(id);
    }
}

#[tokio::test]
async fn refused_is_refused_until_it_heals_and_open_connections_end() {
    let running = running(Scheme::Http).await;
    let kept = client();
    assert_eq!(sign(&kept, &running).await.unwrap().0, 200);
    let id = running.practice.inflict(FaultRule::new(Fault::Broken(TransportKind::Refused)));
    let closed = async {
        while sign(&client(), &running).await != Err(Some(io::ErrorKind::ConnectionRefused)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("the port is closed");
    assert!(sign(&kept, &running).await.is_err());
    running.practice.lift(id);
    let open = async {
        while sign(&client(), &running).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, open).await.expect("the port is open again");
    assert_eq!(sign(&kept, &running).await.unwrap().0, 200);
}

/// Longer than anything takes that ends; shorter than any silence.
const PATIENCE: Duration = Duration::from_secs(20);
const IMPATIENCE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn silence_is_silence() {
    let running = running(Scheme::Http).await;
    for fault in
        [Fault::Hang, Fault::HalfThenSilence, Fault::Drip { piece: 1, pause: Duration::from_secs(5) }]
    {
        let id = running.practice.inflict(FaultRule::new(fault.clone()).on(Phase::Sign));
        let client = client();
        let asked = sign(&client, &running);
        assert!(tokio::time::timeout(IMPATIENCE, asked).await.is_err(), "{fault:?}");
        running.practice.lift(id);
    }
    assert_eq!(sign(&client(), &running).await.unwrap().0, 200);
}

#[tokio::test]
async fn a_drip_comes_whole_in_the_end() {
    let running = running(Scheme::Http).await;
    let rule = FaultRule::new(Fault::Drip { piece: 200, pause: Duration::from_millis(2) });
    running.practice.inflict(rule);
    assert_eq!(sign(&client(), &running).await.unwrap().0, 200);
}

fn trusting(ca_pem: &str, identity: Option<&KeyPair>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    Arc::new(match identity {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let chain = vec![CertificateDer::from(pair.certificate_der.clone())];
            let key = PrivateKeyDer::from_pem_slice(pair.key_pem.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    })
}

/// One request over one TLS connection.
async fn tls_ask(config: Arc<ClientConfig>, running: &Running, path: &str, body: &str) -> io::Result<String> {
    let authority = running.url.strip_prefix("https://").unwrap();
    let stream = TcpStream::connect(authority).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await?;
    let head = format!(
        "POST /v1/{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    match stream.read_to_string(&mut answer).await {
        // The server needn't say goodbye in TLS.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        read => {
            read?;
        }
    }
    Ok(answer)
}

#[tokio::test]
async fn tls_is_trusted_by_its_ca_and_a_foreign_certificate_is_not() {
    let running = running(Scheme::Https).await;
    let config = || trusting(running.ca_pem.as_deref().unwrap(), None);
    let answer = tls_ask(config(), &running, "pki/sign/web", "{}").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    running.practice.perform(&Deed::ForeignServerCertificate);
    let refused = tls_ask(config(), &running, "pki/sign/web", "{}").await.unwrap_err();
    let why = refused.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    // The same error as the in-process transport gives.
    let in_process = everleaf_practice::TransportError::new(TransportKind::Untrusted);
    let same = in_process.source().and_then(|source| source.downcast_ref::<io::Error>());
    let same = same.and_then(|io| io.get_ref()).and_then(|inner| inner.downcast_ref::<rustls::Error>());
    assert!(why.is_some() && why == same, "{why:?} {same:?}");
    running.practice.perform(&Deed::OwnServerCertificate);
    assert!(tls_ask(config(), &running, "pki/sign/web", "{}").await.is_ok());
}

#[tokio::test]
async fn plain_http_to_the_tls_port_is_a_400_in_plain_text() {
    let running = running(Scheme::Https).await;
    let authority = running.url.strip_prefix("https://").unwrap();
    let mut stream = TcpStream::connect(authority).await.unwrap();
    stream.write_all(b"GET /v1/sys/health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // The rest of the request may still be on its way when the server closes.
    let _ended = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.0 400"), "{answer}");
    assert!(answer.ends_with("Client sent an HTTP request to an HTTPS server.\n"), "{answer}");
}

#[tokio::test]
async fn a_client_certificate_logs_in() {
    let running = running(Scheme::Https).await;
    let practice = &running.practice;
    let life = Duration::from_secs(3600);
    let mut ours = Workshop::new(1, "clients", CaKeyKind::P256, practice.now(), life * 24).unwrap();
    let mut theirs = Workshop::new(2, "others", CaKeyKind::P256, practice.now(), life * 24).unwrap();
    practice.write("sys/auth/cert", json!({"type": "cert"})).unwrap();
    let role = json!({
        "certificate": ours.ca().certificate_pem, "allowed_names": ["app"], "token_policies": ["web-sign"],
    });
    practice.write("auth/cert/certs/app", role).unwrap();

    let now = practice.now();
    let past = now - Duration::from_secs(7200);
    let rows = [
        (Some(ours.leaf(&RequestNames::host("app"), now, life).unwrap()), "HTTP/1.1 200", "client_token"),
        (None, "HTTP/1.1 400", "client certificate must be supplied"),
        (
            Some(ours.leaf(&RequestNames::host("other"), now, life).unwrap()),
            "HTTP/1.1 400",
            "failed to match all constraints for this login certificate",
        ),
        (
            Some(theirs.leaf(&RequestNames::host("app"), now, life).unwrap()),
            "HTTP/1.1 400",
            "failed to match all constraints for this login certificate",
        ),
        (
            Some(ours.leaf(&RequestNames::host("app"), past, life).unwrap()),
            "HTTP/1.1 500",
            "certificate has expired or is not yet valid: current time",
        ),
    ];
    for (identity, status, text) in rows {
        let config = trusting(running.ca_pem.as_deref().unwrap(), identity.as_ref());
        let answer = tls_ask(config, &running, "auth/cert/login", "{\"name\":\"app\"}").await.unwrap();
        assert!(answer.starts_with(status) && answer.contains(text), "{answer}");
    }
}
