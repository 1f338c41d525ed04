//! A server behind TLS on loopback for tests that need a socket: its certificate is made on the spot and signs itself.

#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use everleaf_apiserver::Server;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Serves until the runtime ends; returns where.
pub async fn serve(server: Server) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = acceptor();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(server.clone()));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let connection = Builder::new(TokioExecutor::new());
                drop(connection.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
    address
}

fn acceptor() -> TlsAcceptor {
    let (certificate, key) = self_signed();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// A certificate for nobody: clients are told not to look.
fn self_signed() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap();
    // ecdsa-with-SHA256; id-ecPublicKey on prime256v1; CN=test.
    let algorithm = tlv(0x30, &[&tlv(0x06, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]])]);
    let key_kind = tlv(
        0x30,
        &[
            &tlv(0x06, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]]),
            &tlv(0x06, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]]),
        ],
    );
    let name = tlv(
        0x30,
        &[&tlv(0x31, &[&tlv(0x30, &[&tlv(0x06, &[&[0x55, 0x04, 0x03]]), &tlv(0x0c, &[b"test"])])])],
    );
    let life = tlv(0x30, &[&tlv(0x17, &[b"200101000000Z"]), &tlv(0x17, &[b"491231235959Z"])]);
    let public = tlv(0x30, &[&key_kind, &tlv(0x03, &[&[0], key.public_key().as_ref()])]);
    let body = tlv(
        0x30,
        &[&tlv(0xa0, &[&tlv(0x02, &[&[2]])]), &tlv(0x02, &[&[1]]), &algorithm, &name, &life, &name, &public],
    );
    let signature = key.sign(&random, &body).unwrap();
    let certificate = tlv(0x30, &[&body, &algorithm, &tlv(0x03, &[&[0], signature.as_ref()])]);
    let key = PrivatePkcs8KeyDer::from(pkcs8.as_ref().to_vec());
    (CertificateDer::from(certificate), PrivateKeyDer::from(key))
}

/// One DER value.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match length {
        0..128 => out.push(length as u8),
        128..256 => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, (length & 0xff) as u8]),
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}
