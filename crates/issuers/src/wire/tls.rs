//! Trust and identity of connections: a CA bundle replaces the system's roots, a client certificate is shown where one is given.
//! TLS 1.2 and later, aws-lc-rs only. Verification is never switched off.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::BuilderVerifierExt;

use super::pinned::Pinned;

/// Whom to trust.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trust<'a> {
    /// The system's roots.
    System,
    /// The certificates of this PEM text, and no others.
    Bundle(&'a [u8]),
    /// Nobody: TLS isn't spoken.
    Nobody,
}

/// A client certificate, as PEM.
pub(crate) struct Identity<'a> {
    /// The certificate, with those above it.
    pub(crate) certificate: &'a [u8],
    /// Its key.
    pub(crate) key: &'a [u8],
}

/// Why there can be no TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TlsFault {
    /// The bundle.
    #[error("the CA bundle holds no usable certificate")]
    Bundle,
    /// The certificate of the client.
    #[error("the client certificate can't be read")]
    Certificate,
    /// The key of the client.
    #[error("the key of the client certificate can't be read")]
    Key,
    /// Both, together.
    #[error("the client certificate and its key don't belong together")]
    Pair,
    /// The machine has no trusted authorities.
    #[error("this machine has no trusted authorities, and the issuer names no CA bundle")]
    System,
}

/// HTTP/1.1 only: one call at a time on a connection, so that a number says which node answered.
const PROTOCOL: &[u8] = b"http/1.1";

/// Makes the terms of TLS.
pub(crate) fn client_config(
    trust: Trust<'_>,
    identity: Option<&Identity<'_>>,
) -> Result<ClientConfig, TlsFault> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let versions =
        ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = versions.map_err(|_| TlsFault::System)?;
    let builder = match trust {
        Trust::Nobody => builder.with_root_certificates(RootCertStore::empty()),
        Trust::System => builder.with_platform_verifier().map_err(|_| TlsFault::System)?,
        // Not less verification but the usual one and a case beside it, see `pinned.rs`.
        Trust::Bundle(pem) => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier(pem, &provider)?))
        }
    };
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = read(identity)?;
            builder.with_client_auth_cert(chain, key).map_err(|_| TlsFault::Pair)?
        }
    };
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}

fn verifier(pem: &[u8], provider: &Arc<CryptoProvider>) -> Result<Pinned, TlsFault> {
    // A bundle may hold certificates that aren't understood; one good one is enough (vault-issuer 1.1).
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.iter().cloned());
    if roots.is_empty() {
        return Err(TlsFault::Bundle);
    }
    let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    Ok(Pinned::new(usual.map_err(|_| TlsFault::Bundle)?, certificates))
}

fn read(identity: &Identity<'_>) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsFault> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(identity.certificate).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(TlsFault::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(identity.key).map_err(|_| TlsFault::Key)?;
    Ok((chain, key))
}
