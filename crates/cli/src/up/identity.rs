//! Who the API is to its clients: a CA of its own, kept in the folder, and a server certificate that is made anew long before it ends.
//! The CA is for this one server; nobody else needs to trust it. Its key never leaves the folder.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use everleaf_api::CertificateSpec;
use everleaf_core::wanted::{KeyEncoding, Wanted};

use everleaf_core::x509::{
    Certificate, Csr, Curve, KeyKind, LeafPlan, PrivateKey, Serial, sign_leaf, sign_self,
};
use everleaf_host::private;
use everleaf_issuers::Chance;
use everleaf_issuers::keys::make;
use jiff::{SignedDuration, Timestamp};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde_json::json;
use tracing::{info, warn};

use super::home::Home;

const KIND: KeyKind = KeyKind::Ecdsa(Curve::P256);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const CA_LIFE: SignedDuration = SignedDuration::from_hours(24 * 3650);
/// A CA with less life than this is replaced.
const CA_LEFT: SignedDuration = SignedDuration::from_hours(24 * 365);
const SERVER_LIFE: SignedDuration = SignedDuration::from_hours(24 * 90);
/// A server certificate with less life than this is replaced.
const SERVER_LEFT: SignedDuration = SignedDuration::from_hours(24 * 30);
/// How often both are looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(3600);
/// The longest file that is read as a certificate or key.
const LONGEST: u64 = 64 * 1024;

/// The CA and the server certificate in use.
pub(crate) struct Identity {
    ca: Certificate,
    ca_key: PrivateKey,
    server: Certificate,
    shown: Shown,
}

/// The server certificate that connections are shown. Cheap to clone; all clones show the same.
#[derive(Debug, Clone)]
pub(crate) struct Shown(Arc<Mutex<Arc<CertifiedKey>>>);

/// What a look at an identity did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewed {
    /// Nothing: all has life enough.
    Nothing,
    /// The server has a new certificate.
    Server,
    /// There is a new CA, so clients need a new kubeconfig.
    Ca,
}

impl Identity {
    /// Reads the CA, or makes one, and makes a server certificate.
    pub(crate) async fn open(home: &Home, now: Timestamp) -> anyhow::Result<Identity> {
        let (ca, ca_key) = match read_ca(home, now) {
            Ok(pair) => pair,
            Err(why) => {
                if home.ca_certificate().exists() {
                    warn!(why, "the CA of the API is replaced");
                }
                new_ca(home, now).await?
            }
        };
        let (server, key) = new_server(&ca, &ca_key, now).await?;
        let shown = Shown(Arc::new(Mutex::new(Arc::new(certified(&server, &key)?))));
        Ok(Identity { ca, ca_key, server, shown })
    }

    /// The CA, as PEM.
    pub(crate) fn ca_pem(&self) -> String {
        self.ca.to_pem()
    }

    /// What connections are shown.
    pub(crate) fn shown(&self) -> Shown {
        self.shown.clone()
    }

    /// Makes anew what has too little life left, or lies in the future of a clock that was set back.
    pub(crate) async fn look(&mut self, home: &Home, now: Timestamp) -> anyhow::Result<Renewed> {
        let mut renewed = Renewed::Nothing;
        if !has_life(&self.ca, now, CA_LEFT) {
            (self.ca, self.ca_key) = new_ca(home, now).await?;
            renewed = Renewed::Ca;
        }
        if renewed == Renewed::Ca || !has_life(&self.server, now, SERVER_LEFT) {
            let (server, key) = new_server(&self.ca, &self.ca_key, now).await?;
            let certified = Arc::new(certified(&server, &key)?);
            *self.shown.0.lock().unwrap_or_else(PoisonError::into_inner) = certified;
            self.server = server;
            info!(ends = %self.server.not_after(), "the API has a new server certificate");
            renewed = if renewed == Renewed::Ca { Renewed::Ca } else { Renewed::Server };
        }
        Ok(renewed)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn has_life(certificate: &Certificate, now: Timestamp, left: SignedDuration) -> bool {
    certificate.not_before() <= now && certificate.not_after().duration_since(now) >= left
}

fn read_ca(home: &Home, now: Timestamp) -> Result<(Certificate, PrivateKey), String> {
    let read =
        |path: std::path::PathBuf| private::read_within(&path, LONGEST).map_err(|fault| fault.to_string());
    let certificate =
        Certificate::from_pem(&read(home.ca_certificate())?).map_err(|error| error.to_string())?;
    let key = PrivateKey::from_pem(&read(home.ca_key())?).map_err(|error| error.to_string())?;
    if certificate.public_key() != key.public() {
        return Err("certificate and key don't belong together".to_owned());
    }
    if !certificate.is_ca() || !has_life(&certificate, now, CA_LEFT) {
        return Err("it has too little life left, or is no CA".to_owned());
    }
    Ok((certificate, key))
}

async fn new_ca(home: &Home, now: Timestamp) -> anyhow::Result<(Certificate, PrivateKey)> {
    let wish = wish(json!({
        "commonName": "everleaf up", "isCA": true, "usages": ["cert sign", "digital signature"],
    }))?;
    let key = make(KIND).await?;
    let csr = Csr::build(&wish, &key)?;
    let certificate = sign_self(&plan(&wish, &csr, now, CA_LIFE)?, &key)?;
    // The key first: a certificate without its key would be replaced at the next start.
    private::write(&home.ca_key(), key.to_pem(KeyEncoding::Pkcs8).as_bytes())?;
    private::write(&home.ca_certificate(), certificate.to_pem().as_bytes())?;
    Ok((certificate, key))
}

async fn new_server(
    ca: &Certificate,
    ca_key: &PrivateKey,
    now: Timestamp,
) -> anyhow::Result<(Certificate, PrivateKey)> {
    let wish = wish(json!({
        "commonName": "everleaf up", "dnsNames": ["localhost"], "ipAddresses": ["127.0.0.1", "::1"],
        "usages": ["digital signature", "server auth"],
    }))?;
    let key = make(KIND).await?;
    let csr = Csr::build(&wish, &key)?;
    Ok((sign_leaf(&plan(&wish, &csr, now, SERVER_LIFE)?, ca, ca_key)?, key))
}

fn wish(mut spec: serde_json::Value) -> anyhow::Result<Wanted> {
    if let Some(spec) = spec.as_object_mut() {
        spec.insert("secretName".to_owned(), json!("none"));
        spec.insert("issuerRef".to_owned(), json!({ "name": "none" }));
        spec.insert("privateKey".to_owned(), json!({ "algorithm": "ECDSA" }));
    }
    let spec: CertificateSpec = serde_json::from_value(spec)?;
    everleaf_api::wanted(&spec).map_err(|faults| anyhow!("the wish for the API's certificate: {faults:?}"))
}

fn plan<'a>(
    wish: &'a Wanted,
    csr: &'a Csr,
    now: Timestamp,
    life: SignedDuration,
) -> anyhow::Result<LeafPlan<'a>> {
    let mut bytes = [0; Serial::LENGTH];
    Chance::system().fill(&mut bytes)?;
    Ok(LeafPlan {
        csr,
        serial: Serial::from_random(bytes),
        // A day back: a clock that is set right a little later must not make it a thing of the future.
        not_before: now.checked_sub(DAY)?,
        not_after: now.checked_add(life)?,
        usages: &wish.usages,
        is_ca: wish.is_ca,
        crl_distribution_points: &[],
        ocsp_servers: &[],
        issuing_certificate_urls: &[],
    })
}

fn certified(server: &Certificate, key: &PrivateKey) -> anyhow::Result<CertifiedKey> {
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.pkcs8_der().to_vec()));
    let signer = aws_lc_rs::sign::any_supported_type(&der).context("the API's key can't sign")?;
    Ok(CertifiedKey::new(vec![CertificateDer::from(server.der().to_vec())], signer))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn days(number: i64) -> SignedDuration {
        SignedDuration::from_hours(24 * number)
    }

    #[tokio::test]
    async fn the_ca_is_kept_and_replaced_only_when_it_must_be() {
        let temporary = tempfile::tempdir().unwrap();
        let home = Home::open(&temporary.path().join("d")).unwrap();
        let now = Timestamp::now();
        let first = Identity::open(&home, now).await.unwrap();
        assert!(first.server.was_signed_by(&first.ca));
        assert_eq!(home.ca_key().metadata().unwrap().mode() & 0o777, 0o600);
        let again = Identity::open(&home, now).await.unwrap();
        assert_eq!(again.ca_pem(), first.ca_pem());
        std::fs::write(home.ca_key(), "nonsense").unwrap();
        let other = Identity::open(&home, now).await.unwrap();
        assert_ne!(other.ca_pem(), first.ca_pem());
        assert!(other.server.was_signed_by(&other.ca));
    }

    #[tokio::test]
    async fn what_ends_soon_is_made_anew_while_the_server_runs() {
        let temporary = tempfile::tempdir().unwrap();
        let home = Home::open(&temporary.path().join("d")).unwrap();
        let now = Timestamp::now();
        let mut identity = Identity::open(&home, now).await.unwrap();
        let (ca, server) = (identity.ca_pem(), identity.server.to_pem());
        assert_eq!(identity.look(&home, now + days(59)).await.unwrap(), Renewed::Nothing);
        assert_eq!(identity.look(&home, now + days(61)).await.unwrap(), Renewed::Server);
        assert_ne!(identity.server.to_pem(), server);
        assert_eq!(identity.ca_pem(), ca);
        assert_eq!(identity.look(&home, now + days(3650)).await.unwrap(), Renewed::Ca);
        assert!(identity.server.was_signed_by(&identity.ca));
        // The clock was years ahead, and is set right.
        assert_eq!(identity.look(&home, now).await.unwrap(), Renewed::Ca);
    }
}
