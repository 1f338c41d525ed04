//! The server's certificate and its CA, made from the seed, and a second pair from a CA that nobody trusts.
//! Which of the two is shown is looked up at every handshake, so that it can change while running.
//! Client certificates are asked for and taken unseen: judging them is the cert login's business, as in Vault.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

use crate::chance::Chance;
use crate::clock::{earlier, later};
use crate::options::CaKeyKind;
use crate::pki::ca::{self, BACKDATING, Issuer, Wish};
use crate::pki::leaf::{self, LeafWish};
use crate::pki::reading::AltNames;
use crate::practice::Practice;

/// A server's certificate with its key, and the CA behind it.
#[derive(Clone)]
pub struct ServerIdentity {
    own: Arc<CertifiedKey>,
    foreign: Arc<CertifiedKey>,
    ca_pem: String,
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerIdentity")
    }
}

/// The certificate or the TLS configuration could not be made.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// A key could not be made or used.
    #[error("no server key")]
    Key,
    /// The TLS library refused.
    #[error("TLS configuration: {0}")]
    Tls(#[from] rustls::Error),
}

/// How long the server's certificates live.
const LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);

impl ServerIdentity {
    /// A certificate for `localhost`, 127.0.0.1, ::1 and these host names, from a CA of its own.
    pub fn new(practice: &Practice, host_names: &[&str]) -> Result<ServerIdentity, IdentityError> {
        let now = practice.now();
        let mut chance = practice.world().chance.fork("server identity");
        let (own, ca) = pair("practice server CA", host_names, now, &mut chance)?;
        let (foreign, _) = pair("somebody else's CA", host_names, now, &mut chance)?;
        Ok(ServerIdentity { own, foreign, ca_pem: format!("{}\n", ca.certificate.pem()) })
    }

    /// The CA certificate that clients must trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    pub(crate) fn acceptor(&self, practice: &Practice) -> Result<TlsAcceptor, IdentityError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let resolver = Resolver { identity: self.clone(), practice: practice.clone() };
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(Arc::new(TakeAny { provider }))
            .with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn pair(
    ca_name: &str,
    host_names: &[&str],
    now: jiff::Timestamp,
    chance: &mut Chance,
) -> Result<(Arc<CertifiedKey>, Issuer), IdentityError> {
    let wish = Wish { common_name: ca_name, life: LIFE, key: CaKeyKind::P256, now };
    let ca = ca::root(&wish, chance).ok_or(IdentityError::Key)?;
    let mut dns = vec!["localhost".to_owned()];
    dns.extend(host_names.iter().map(|name| (*name).to_owned()));
    let addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
    let wish = LeafWish {
        common_name: "localhost",
        names: AltNames { dns, addresses, ..AltNames::default() },
        not_before: earlier(now, BACKDATING),
        not_after: later(now, LIFE),
    };
    let leaf = leaf::sign(&wish, &ca, CaKeyKind::P256, chance).ok_or(IdentityError::Key)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf.key.pkcs8().to_vec()));
    let key = aws_lc_rs::sign::any_supported_type(&key)?;
    let chain = vec![CertificateDer::from(leaf.certificate.der)];
    Ok((Arc::new(CertifiedKey::new(chain, key)), ca))
}

#[derive(Debug)]
struct Resolver {
    identity: ServerIdentity,
    practice: Practice,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let foreign = self.practice.shows_foreign_certificate();
        Some(Arc::clone(if foreign { &self.identity.foreign } else { &self.identity.own }))
    }
}

/// Takes every client certificate, as long as the client holds its key.
#[derive(Debug)]
struct TakeAny {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for TakeAny {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
