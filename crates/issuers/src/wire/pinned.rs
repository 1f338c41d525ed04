//! A server certificate that lies in the CA bundle itself: self-signed servers are common, Go trusts them so, and webpki refuses a CA
//! certificate in a server's place. It is accepted byte for byte only, by its name and within its life; all else is webpki's.
//! It never accepts what isn't in the bundle, and signatures are always webpki's to check.

use std::sync::Arc;

use everleaf_core::x509::Certificate;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Verifies as webpki does, and takes the certificates of the bundle themselves.
#[derive(Debug)]
pub(super) struct Pinned {
    usual: Arc<WebPkiServerVerifier>,
    bundle: Vec<CertificateDer<'static>>,
}

impl Pinned {
    pub(super) fn new(usual: Arc<WebPkiServerVerifier>, bundle: Vec<CertificateDer<'static>>) -> Pinned {
        Pinned { usual, bundle }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let usual = self.usual.verify_server_cert(certificate, above, name, ocsp, now);
        if usual.is_ok() || !self.bundle.iter().any(|known| known == certificate) {
            return usual;
        }
        rustls::client::verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
        lives(certificate, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

fn lives(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let parsed = Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if seconds < parsed.not_before().as_second() {
        return Err(CertificateError::NotValidYet.into());
    }
    if seconds > parsed.not_after().as_second() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}
