//! The CA that signs the serving certificates, as a Secret holds it: judged, and made anew when it is of no use or two thirds old.
//! Its life and place are the peer's (certificate-lifecycle 4.3). Its key goes into the Secret and nowhere else.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, anyhow};
use everleaf_api::CertificateSpec;
use everleaf_core::wanted::{KeyEncoding, Wanted};
use everleaf_core::x509::{
    Certificate, Csr, Curve, KeyKind, LeafPlan, PrivateKey, Serial, sign_leaf, sign_self,
};
use everleaf_issuers::Chance;
use everleaf_issuers::keys::make;
use jiff::{SignedDuration, Timestamp};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde_json::{Value, json};

const CA_KEY: KeyKind = KeyKind::Ecdsa(Curve::P384);
const LEAF_KEY: KeyKind = KeyKind::Ecdsa(Curve::P256);
const CA_LIFE: SignedDuration = SignedDuration::from_hours(24 * 365);
const LEAF_LIFE: SignedDuration = SignedDuration::from_hours(24 * 7);
/// Clocks differ.
const BACKDATED: SignedDuration = SignedDuration::from_mins(5);
/// Most bytes that are read as a bundle.
const BUNDLE_LIMIT: usize = 64 * 1024;
/// Most CAs that are trusted at a time.
const MOST_TRUSTED: usize = 8;
const COMMON_NAME: &str = "everleaf-webhook-ca";

/// A CA that can be used.
pub(crate) struct Authority {
    certificate: Certificate,
    key: PrivateKey,
    /// What clients shall trust: this CA, and the one before it as long as that lives.
    pub(crate) bundle: String,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority(until {})", self.certificate.not_after())
    }
}

/// What a Secret is good for.
#[derive(Debug)]
pub(crate) enum Judged {
    /// It holds a CA in the first two thirds of its life.
    Good(Box<Authority>),
    /// It must be filled anew, for this reason. What was signed by a CA that still lives shall still be trusted.
    Replace { why: &'static str, still_trusted: String },
}

/// Judges what a Secret holds.
pub(crate) fn judge(data: &BTreeMap<String, Vec<u8>>, now: Timestamp) -> Judged {
    let bytes = |name: &str| data.get(name).map(Vec::as_slice).unwrap_or_default();
    let still_trusted = trusted(&[bytes("tls.crt"), bytes("ca.crt")], now);
    let Ok(certificate) = Certificate::from_pem(bytes("tls.crt")) else {
        return Judged::Replace { why: "there is no certificate", still_trusted };
    };
    let Ok(key) = PrivateKey::from_pem(bytes("tls.key")) else {
        return Judged::Replace { why: "there is no private key", still_trusted };
    };
    if certificate.public_key() != key.public() || !certificate.is_ca() {
        return Judged::Replace { why: "certificate and key make no CA", still_trusted };
    }
    if !is_fresh(&certificate, now) {
        return Judged::Replace { why: "two thirds of its life are over", still_trusted };
    }
    Judged::Good(Box::new(Authority { certificate, key, bundle: still_trusted }))
}

/// In the first two thirds of its life.
fn is_fresh(certificate: &Certificate, now: Timestamp) -> bool {
    let life = certificate.not_after().duration_since(certificate.not_before());
    let age = now.duration_since(certificate.not_before());
    !age.is_negative() && age < life * 2 / 3
}

/// What of these texts lives, each certificate once and in their order: the CA in use comes first, and the oldest fall off.
fn trusted(texts: &[&[u8]], now: Timestamp) -> String {
    let mut kept: Vec<Certificate> = Vec::new();
    for text in texts {
        for certificate in Certificate::all_from_pem(text, BUNDLE_LIMIT).unwrap_or_default() {
            let lives = certificate.not_before() <= now && now < certificate.not_after();
            let is_new = kept.iter().all(|other| other.der() != certificate.der());
            if lives && is_new && kept.len() < MOST_TRUSTED {
                kept.push(certificate);
            }
        }
    }
    kept.iter().map(Certificate::to_pem).collect()
}

impl Authority {
    /// Makes a CA that leaves those trusted that are in `still_trusted`.
    pub(crate) async fn new(now: Timestamp, still_trusted: &str) -> anyhow::Result<Authority> {
        let wish = wish(&json!({
            "commonName": COMMON_NAME, "isCA": true, "usages": ["cert sign", "digital signature", "key encipherment"],
        }))?;
        let key = make(CA_KEY).await?;
        let csr = Csr::build(&wish, &key)?;
        let certificate = sign_self(&plan(&wish, &csr, now, CA_LIFE)?, &key)?;
        let bundle = trusted(&[certificate.to_pem().as_bytes(), still_trusted.as_bytes()], now);
        Ok(Authority { certificate, key, bundle })
    }

    /// The Secret's entries, as text.
    pub(crate) fn entries(&self) -> Value {
        let key = self.key.to_pem(KeyEncoding::Pkcs8);
        json!({ "tls.crt": self.certificate.to_pem(), "tls.key": *key, "ca.crt": self.bundle })
    }

    /// The CA itself.
    pub(crate) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Makes a serving certificate for these names.
    pub(crate) async fn leaf(&self, names: &[String], now: Timestamp) -> anyhow::Result<Leaf> {
        let wish = wish(&json!({ "dnsNames": names, "usages": ["digital signature", "server auth"] }))?;
        let key = make(LEAF_KEY).await?;
        let csr = Csr::build(&wish, &key)?;
        let signed = sign_leaf(&plan(&wish, &csr, now, LEAF_LIFE)?, &self.certificate, &self.key)?;
        Ok(Leaf {
            certified: certified(&signed, &key)?,
            certificate: signed,
            authority: self.certificate.clone(),
        })
    }
}

/// A serving certificate, and who signed it.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) certified: CertifiedKey,
    certificate: Certificate,
    pub(crate) authority: Certificate,
}

impl Leaf {
    /// Whether it needn't be replaced because of its age.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        is_fresh(&self.certificate, now)
    }
}

/// The meaning of a spec that only lacks what no certificate is made without.
fn wish(parts: &Value) -> anyhow::Result<Wanted> {
    let mut spec = json!({ "secretName": "webhook", "issuerRef": { "name": "webhook" } });
    if let (Some(spec), Some(parts)) = (spec.as_object_mut(), parts.as_object()) {
        spec.extend(parts.clone());
    }
    let spec: CertificateSpec = serde_json::from_value(spec)?;
    everleaf_api::wanted(&spec)
        .map_err(|faults| anyhow!("{}", everleaf_api::field_error::all_in_one(&faults)))
}

fn plan<'a>(
    wish: &'a Wanted,
    csr: &'a Csr,
    now: Timestamp,
    life: SignedDuration,
) -> anyhow::Result<LeafPlan<'a>> {
    let mut bytes = [0; Serial::LENGTH];
    Chance::system().fill(&mut bytes).map_err(|error| anyhow!("no random numbers: {error}"))?;
    Ok(LeafPlan {
        csr,
        serial: Serial::from_random(bytes),
        not_before: now - BACKDATED,
        not_after: now + life,
        usages: &wish.usages,
        is_ca: wish.is_ca,
        crl_distribution_points: &[],
        ocsp_servers: &[],
        issuing_certificate_urls: &[],
    })
}

fn certified(certificate: &Certificate, key: &PrivateKey) -> anyhow::Result<CertifiedKey> {
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.pkcs8_der().to_vec()));
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).context("use the new key")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

    use super::*;

    fn data(authority: &Authority) -> BTreeMap<String, Vec<u8>> {
        let entries = authority.entries();
        let entries = entries.as_object().unwrap().iter();
        entries.map(|(name, text)| (name.clone(), text.as_str().unwrap().as_bytes().to_vec())).collect()
    }

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_hours(24 * number)
    }

    #[tokio::test]
    async fn a_ca_is_kept_for_two_thirds_of_its_life_and_its_successor_trusts_it_to_its_end() {
        let first = Authority::new(day(0), "").await.unwrap();
        for at in [0, 100, 243] {
            assert!(matches!(judge(&data(&first), day(at)), Judged::Good(_)), "day {at}");
        }
        for at in [-1, 244, 364] {
            let Judged::Replace { still_trusted, .. } = judge(&data(&first), day(at)) else {
                panic!("day {at}")
            };
            assert_eq!(still_trusted.is_empty(), at < 0, "day {at}");
        }
        let Judged::Replace { still_trusted, .. } = judge(&data(&first), day(366)) else { panic!() };
        assert_eq!(still_trusted, "");
        let second = Authority::new(day(250), &first.bundle).await.unwrap();
        let trusted = |at: i64| match judge(&data(&second), day(at)) {
            Judged::Good(authority) => authority.bundle.matches("BEGIN CERTIFICATE").count(),
            Judged::Replace { why, .. } => panic!("{why}"),
        };
        assert_eq!((trusted(251), trusted(370)), (2, 1));
    }

    #[tokio::test]
    async fn a_secret_that_makes_no_ca_is_replaced() {
        let good = data(&Authority::new(day(0), "").await.unwrap());
        let other = data(&Authority::new(day(0), "").await.unwrap());
        let with = |name: &str, bytes: &[u8]| {
            let mut data = good.clone();
            data.insert(name.to_owned(), bytes.to_vec());
            data
        };
        for data in [
            BTreeMap::new(),
            with("tls.crt", b"no PEM"),
            with("tls.key", b""),
            with("tls.key", &other["tls.key"]),
        ] {
            assert!(matches!(judge(&data, day(1)), Judged::Replace { .. }), "{:?}", data.keys());
        }
        let Judged::Good(authority) = judge(&with("ca.crt", b"no PEM"), day(1)) else { panic!() };
        assert_eq!(authority.bundle, String::from_utf8(good["tls.crt"].clone()).unwrap());
    }
}
