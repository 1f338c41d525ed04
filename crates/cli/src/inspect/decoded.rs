//! Certificates as text for people: what each says, how the chain hangs together, and whether a key belongs to the leaf.
//! Pure; of a private key only its public half ever comes here.

use everleaf_core::conditions::clock;
use everleaf_core::x509::{Certificate, KeyUsage, PublicKey, sha256_hex};
use jiff::Timestamp;

use crate::screen::{Paint, moment, one_line};

const USAGES: [(KeyUsage, &str); 9] = [
    (KeyUsage::DIGITAL_SIGNATURE, "digital signature"),
    (KeyUsage::CONTENT_COMMITMENT, "content commitment"),
    (KeyUsage::KEY_ENCIPHERMENT, "key encipherment"),
    (KeyUsage::DATA_ENCIPHERMENT, "data encipherment"),
    (KeyUsage::KEY_AGREEMENT, "key agreement"),
    (KeyUsage::CERT_SIGN, "cert sign"),
    (KeyUsage::CRL_SIGN, "crl sign"),
    (KeyUsage::ENCIPHER_ONLY, "encipher only"),
    (KeyUsage::DECIPHER_ONLY, "decipher only"),
];
const EXTENDED: [(&str, &str); 6] = [
    ("1.3.6.1.5.5.7.3.1", "server auth"),
    ("1.3.6.1.5.5.7.3.2", "client auth"),
    ("1.3.6.1.5.5.7.3.3", "code signing"),
    ("1.3.6.1.5.5.7.3.4", "email protection"),
    ("1.3.6.1.5.5.7.3.8", "timestamping"),
    ("1.3.6.1.5.5.7.3.9", "ocsp signing"),
];

/// What is known of the private key beside a chain.
pub(super) enum Key {
    /// There is none to look at.
    None,
    /// Its public half.
    Read(PublicKey),
    /// It can't be read, and why.
    Unreadable(String),
}

/// The chain as text.
pub(super) fn chain(certificates: &[Certificate], key: &Key, now: Timestamp, paint: Paint) -> String {
    let mut out = String::new();
    for (at, certificate) in certificates.iter().enumerate() {
        let signer = certificates.get(at + 1);
        let title = if at == 0 { "Certificate".to_owned() } else { format!("Chain {at}") };
        out.push_str(&format!("{}\n", paint.strong(&title)));
        for (name, value) in lines(certificate, signer, now, paint) {
            out.push_str(&format!("  {name:<12} {}\n", one_line(&value)));
        }
    }
    let key = match (key, certificates.first()) {
        (Key::None, _) | (_, None) => return out,
        (Key::Read(key), Some(leaf)) if key == leaf.public_key() => paint.good("belongs to the certificate"),
        (Key::Read(_), Some(_)) => paint.bad("does NOT belong to the certificate"),
        (Key::Unreadable(why), Some(_)) => paint.bad(&format!("can't be read: {why}")),
    };
    out.push_str(&format!("{}\n  {key}\n", paint.strong("Private key")));
    out
}

fn lines(
    certificate: &Certificate,
    signer: Option<&Certificate>,
    now: Timestamp,
    paint: Paint,
) -> Vec<(&'static str, String)> {
    let sans = certificate.sans();
    let ips = sans.ips.iter().map(|ip| format!("IP {ip}"));
    let names: Vec<String> = (sans.dns.iter().cloned().chain(ips))
        .chain(sans.uris.iter().map(|uri| format!("URI {uri}")))
        .chain(sans.emails.iter().map(|email| format!("email {email}")))
        .collect();
    let serial: Vec<String> = certificate.serial().iter().map(|byte| format!("{byte:02x}")).collect();
    let kind = certificate
        .public_key()
        .kind()
        .map_or_else(|| "of an unknown kind".to_owned(), |kind| kind.to_string());
    let mut lines = vec![
        ("subject", certificate.subject().to_string()),
        ("names", names.join(", ")),
        ("issuer", certificate.issuer().to_string()),
        ("signed by", signed_by(certificate, signer)),
        ("serial", serial.join(":")),
        ("not before", moment(certificate.not_before(), now)),
        ("not after", life(certificate, now, paint)),
        ("key", kind),
        ("usages", usages(certificate)),
        ("CA", if certificate.is_ca() { "yes" } else { "no" }.to_owned()),
        ("sha256", sha256_hex(certificate.der())),
    ];
    lines.retain(|(_, value)| !value.is_empty());
    lines
}

fn signed_by(certificate: &Certificate, signer: Option<&Certificate>) -> String {
    match signer {
        _ if certificate.is_self_signed() => "itself".to_owned(),
        None if certificate.issuer() == certificate.subject() => "its own name, and it is no CA".to_owned(),
        Some(signer) if certificate.was_signed_by(signer) => "the next certificate".to_owned(),
        Some(_) => "NOT the next certificate".to_owned(),
        None => "a certificate that is not here".to_owned(),
    }
}

fn life(certificate: &Certificate, now: Timestamp, paint: Paint) -> String {
    let (begin, end) = (certificate.not_before(), certificate.not_after());
    if now < begin {
        return paint.bad(&format!("{} (not valid yet)", clock(end)));
    }
    let whole = (end.as_second() - begin.as_second()).max(1);
    let left = (end.as_second() - now.as_second()).max(0) * 100 / whole;
    let text = format!("{}, {left} % of its life left", moment(end, now));
    if end <= now { paint.bad(&text) } else { text }
}

fn usages(certificate: &Certificate) -> String {
    let bits = certificate.key_usage().unwrap_or_default();
    let known = USAGES.iter().filter(|(bit, _)| bits.contains(*bit)).map(|(_, name)| (*name).to_owned());
    let extended = certificate.ext_key_usages().iter().map(|oid| {
        let dotted = oid.to_string();
        EXTENDED.iter().find(|(known, _)| *known == dotted).map_or(dotted, |(_, name)| (*name).to_owned())
    });
    known.chain(extended).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use everleaf_core::x509::PrivateKey;
    use everleaf_practice::{CaKeyKind, RequestNames, Workshop};

    use super::*;

    const LIFE: Duration = Duration::from_secs(100 * 3600);

    fn begin() -> Timestamp {
        "2026-11-25T00:00:00Z".parse().unwrap()
    }

    /// A leaf, its CA, and the leaf's key.
    fn made() -> (Certificate, Certificate, PublicKey) {
        let mut workshop = Workshop::new(7, "test root", CaKeyKind::P256, begin(), 2 * LIFE).unwrap();
        let leaf = workshop.leaf(&RequestNames::host("www.example.com"), begin(), LIFE).unwrap();
        let ca = Certificate::from_pem(workshop.ca().certificate_pem.as_bytes()).unwrap();
        let key = PrivateKey::from_pem(leaf.key_pem.as_bytes()).unwrap().public().clone();
        (Certificate::from_pem(leaf.certificate_pem.as_bytes()).unwrap(), ca, key)
    }

    fn told(certificates: &[Certificate], key: &Key, hours: i64) -> String {
        let now = begin() + jiff::SignedDuration::from_hours(hours);
        chain(certificates, key, now, Paint::Plain)
    }

    #[test]
    fn a_sound_chain_hangs_together_and_its_key_belongs_to_it() {
        let (leaf, ca, key) = made();
        let text = told(&[leaf, ca], &Key::Read(key), 50);
        for words in [
            "names        www.example.com\n",
            "signed by    the next certificate\n",
            ", 49 % of its life left\n",
            "Chain 1\n  subject      CN=test root\n",
            "signed by    itself\n",
            "Private key\n  belongs to the certificate\n",
        ] {
            assert!(text.contains(words), "{words}\nis not in\n{text}");
        }
    }

    #[test]
    fn what_does_not_belong_together_is_told() {
        let (leaf, ca, key) = made();
        let mut other = Workshop::new(8, "other root", CaKeyKind::P256, begin(), LIFE).unwrap();
        let other_leaf = other.leaf(&RequestNames::host("other.example.com"), begin(), LIFE).unwrap();
        let other_leaf = Certificate::from_pem(other_leaf.certificate_pem.as_bytes()).unwrap();
        let (alone, root) = (std::slice::from_ref(&leaf), std::slice::from_ref(&ca));
        let unreadable = Key::Unreadable("no".to_owned());
        let of_another = Key::Read(key);
        let rows = [
            (told(&[other_leaf, ca.clone()], &Key::None, 1), "signed by    NOT the next certificate\n"),
            (told(root, &of_another, 1), "  does NOT belong to the certificate\n"),
            (told(alone, &Key::None, 1), "signed by    a certificate that is not here\n"),
            (told(alone, &unreadable, 1), "can't be read: no"),
            (told(alone, &Key::None, 101), " ago), 0 % of its life left\n"),
            (told(alone, &Key::None, -1), "(not valid yet)\n"),
        ];
        for (text, words) in rows {
            assert!(text.contains(words), "{words}\nis not in\n{text}");
        }
    }
}
