//! The same over real sockets on loopback: connections with numbers, TLS with its ways to fail, a server that closes what is idle.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::expect_used, dead_code)]

#[path = "../support/mod.rs"]
mod support;

mod plain;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use everleaf_core::x509::{Certificate, Csr, PrivateKey, sign_leaf};
use everleaf_issuers::vault::Vault;
use everleaf_issuers::vault::config::{Config, Server};
use everleaf_issuers::{Common, Deadlines};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use support::{Around, Server1, identity, made, wanted};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// A server on loopback. It ends with the value.
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
    connections: tokio::sync::watch::Sender<u64>,
    _task: JoinSet<()>,
}

impl Listening {
    /// Closes every connection that is idle or busy, and goes on listening.
    pub(crate) fn close_all(&self) {
        self.connections.send_modify(|epoch| *epoch += 1);
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }
}

pub(crate) async fn listen(server: Server1, tls: Option<rustls::ServerConfig>) -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (connections, watched) = tokio::sync::watch::channel(0);
    let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut open = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (server, acceptor, mut watched) = (server.clone(), acceptor.clone(), watched.clone());
            watched.mark_unchanged();
            open.spawn(async move {
                tokio::select! {
                    () = serve(server, acceptor, stream) => {}
                    _ = watched.changed() => {}
                }
            });
        }
    });
    Listening { address, connections, _task: task }
}

async fn serve(server: Server1, acceptor: Option<TlsAcceptor>, stream: TcpStream) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let server = server.clone();
        async move { server.answer(absolute(request).await).await }
    });
    let http = hyper::server::conn::http1::Builder::new();
    let _ = match acceptor {
        None => http.serve_connection(TokioIo::new(stream), service).await,
        Some(acceptor) => match acceptor.accept(stream).await {
            Ok(stream) => http.serve_connection(TokioIo::new(stream), service).await,
            Err(_) => Ok(()),
        },
    };
}

async fn absolute(request: http::Request<Incoming>) -> http::Request<Full<Bytes>> {
    let (mut head, body) = request.into_parts();
    let host = head.headers["host"].to_str().unwrap().to_owned();
    head.uri = format!("http://{host}{}", head.uri).parse().unwrap();
    http::Request::from_parts(head, Full::new(body.collect().await.unwrap().to_bytes()))
}

/// A certificate of the practice root for these names.
pub(crate) fn certificate(dns: &[&str], ips: &[&str]) -> (Certificate, PrivateKey) {
    let key = support::key();
    let mut wish = wanted("server");
    wish.sans.dns = dns.iter().map(ToString::to_string).collect();
    wish.sans.ips = ips.iter().map(|ip| ip.parse().unwrap()).collect();
    let csr = Csr::build(&wish, &key).unwrap();
    let mut plan = support::plan(&csr, 1000, false);
    // Real time passes here.
    plan.not_before = "2020-01-01T00:00:00Z".parse().unwrap();
    plan.not_after = "2045-01-01T00:00:00Z".parse().unwrap();
    (sign_leaf(&plan, &made().root, &made().root_key).unwrap(), key)
}

pub(crate) fn server_config(
    identity: &(Certificate, PrivateKey),
    wants_client: bool,
) -> rustls::ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let chain = vec![CertificateDer::from(identity.0.der().to_vec())];
    let pem = identity.1.to_pem(everleaf_core::wanted::KeyEncoding::Pkcs8);
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    let builder = match wants_client {
        false => builder.with_no_client_auth(),
        true => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(CertificateDer::from(made().root.der().to_vec())).unwrap();
            let verifier =
                rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    builder.with_single_cert(chain, key).unwrap()
}

pub(crate) fn vault(config: Config, server: &str, around: &Around) -> Vault {
    let deadlines = Deadlines {
        connect: Duration::from_secs(5),
        sign: Duration::from_secs(5),
        login: Duration::from_secs(5),
        health: Duration::from_millis(300),
        ..Deadlines::default()
    };
    let common = Common { deadlines, ..Common::default() };
    let config = Config { server: Server::parse(server).unwrap(), ..config };
    Vault::new(identity(), config, Arc::new(around.clone()), common)
}

pub(crate) fn around() -> Around {
    let around = Around::with("approle", "secretId", support::SECRET_ID);
    around.set("given", "token", "hvs.given-token");
    around
}
