//! Reads certificates and certificate requests: what the engine and the cert login must know of them.
//! Foreign bytes never panic here: what can't be read is `None`, or the text that Go's parser gives.
//! It builds nothing and keeps the original bytes, over which signatures are checked.

use std::net::IpAddr;

use const_oid::db::{rfc5280, rfc5912};
use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};
use jiff::Timestamp;
use spki::SubjectPublicKeyInfoOwned;
use x509_cert::Certificate;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectAltName, SubjectKeyIdentifier};
use x509_cert::name::Name;
use x509_cert::request::CertReq;

use super::der_out;
use super::keys;

/// Names in an alternative-name extension.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AltNames {
    pub(crate) dns: Vec<String>,
    pub(crate) emails: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) uris: Vec<String>,
    /// Other names, as they stand in the request (DER of the GeneralName).
    pub(crate) others: Vec<Vec<u8>>,
}

/// A certificate, read.
#[derive(Clone)]
pub(crate) struct Read {
    pub(crate) der: Vec<u8>,
    pub(crate) common_name: String,
    pub(crate) dns: Vec<String>,
    pub(crate) serial: Vec<u8>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) subject: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) key: SubjectPublicKeyInfoOwned,
    pub(crate) subject_key_id: Vec<u8>,
    pub(crate) authority_key_id: Vec<u8>,
    algorithm: ObjectIdentifier,
    signature: Vec<u8>,
}

impl std::fmt::Debug for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Read {{ {}, until {} }}", self.common_name, self.not_after)
    }
}

impl Read {
    pub(crate) fn from_der(der: &[u8]) -> Option<Read> {
        let parsed = Certificate::from_der(der).ok()?;
        let tbs = parsed.tbs_certificate();
        let extensions = tbs.extensions().map(Vec::as_slice).unwrap_or_default();
        let validity = tbs.validity();
        let at = |time: x509_cert::time::Time| {
            Timestamp::from_second(i64::try_from(time.to_unix_duration().as_secs()).ok()?).ok()
        };
        let key_id = extension::<SubjectKeyIdentifier>(extensions, rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER);
        let authority =
            extension::<AuthorityKeyIdentifier>(extensions, rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER);
        Some(Read {
            der: der.to_vec(),
            common_name: common_name(tbs.subject()),
            dns: alt_names(extensions).dns,
            serial: tbs.serial_number().as_bytes().to_vec(),
            not_before: at(validity.not_before)?,
            not_after: at(validity.not_after)?,
            subject: tbs.subject().to_der().ok()?,
            issuer: tbs.issuer().to_der().ok()?,
            key: tbs.subject_public_key_info().clone(),
            subject_key_id: key_id.map(|id| id.0.as_bytes().to_vec()).unwrap_or_default(),
            authority_key_id: authority
                .and_then(|id| id.key_identifier.map(|id| id.as_bytes().to_vec()))
                .unwrap_or_default(),
            algorithm: parsed.signature_algorithm().oid,
            signature: parsed.signature().raw_bytes().to_vec(),
        })
    }

    /// All certificates of a PEM text; what isn't one is left out.
    pub(crate) fn all_from_pem(text: &str) -> Vec<Read> {
        pem_blocks(text)
            .into_iter()
            .filter(|(label, _)| label == "CERTIFICATE")
            .filter_map(|(_, der)| Read::from_der(&der))
            .collect()
    }

    /// Whether this certificate's key made the other's signature, and the names fit.
    pub(crate) fn has_signed(&self, other: &Read) -> bool {
        let Some(tbs) = parts(&other.der).and_then(|parts| parts.first().copied()) else { return false };
        other.issuer == self.subject && keys::verifies(&self.key, other.algorithm, tbs, &other.signature)
    }

    pub(crate) fn is_self_signed(&self) -> bool {
        self.has_signed(self)
    }

    pub(crate) fn pem(&self) -> String {
        der_out::pem("CERTIFICATE", &self.der)
    }

    /// `aa:bb:cc`, as Vault prints serial numbers and key ids.
    pub(crate) fn serial_text(&self) -> String {
        colons(&self.serial)
    }

    pub(crate) fn subject_key_id_text(&self) -> String {
        colons(&self.subject_key_id)
    }

    pub(crate) fn authority_key_id_text(&self) -> String {
        colons(&self.authority_key_id)
    }

    /// The serial number in decimal, as the cert login tells it.
    pub(crate) fn serial_decimal(&self) -> String {
        let mut digits = vec![0_u8];
        for byte in &self.serial {
            let mut carry = u32::from(*byte);
            for digit in &mut digits {
                carry += u32::from(*digit) * 256;
                *digit = (carry % 10) as u8;
                carry /= 10;
            }
            while carry > 0 {
                digits.push((carry % 10) as u8);
                carry /= 10;
            }
        }
        digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
    }
}

fn colons(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// A certificate request, read.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) common_name: String,
    /// DER of the whole subject.
    pub(crate) subject: Vec<u8>,
    pub(crate) names: AltNames,
    pub(crate) key: SubjectPublicKeyInfoOwned,
    pub(crate) asks_for_ca: bool,
    der: Vec<u8>,
    algorithm: ObjectIdentifier,
    signature: Vec<u8>,
}

impl Request {
    /// Reads the first PEM block of a request; the error is Vault's text.
    pub(crate) fn from_pem(text: &str) -> Result<Request, String> {
        let block = pem_blocks(text).into_iter().next();
        let (_, der) = block.ok_or_else(|| "csr contains no data".to_owned())?;
        let unparsed = |why: &str| format!("certificate request could not be parsed: {why}");
        Request::from_der(&der).map_err(|why| unparsed(&why))
    }

    fn from_der(der: &[u8]) -> Result<Request, String> {
        let parsed = CertReq::from_der(der).map_err(|error| go_asn1_error(&error, der))?;
        let extensions = requested_extensions(&parsed);
        let basic = extensions.iter().find(|extension| extension.extn_id == rfc5280::ID_CE_BASIC_CONSTRAINTS);
        let request = Request {
            common_name: common_name(&parsed.info.subject),
            subject: parsed.info.subject.to_der().unwrap_or_default(),
            names: alt_names(&extensions),
            key: parsed.info.public_key.clone(),
            asks_for_ca: basic.is_some(),
            der: der.to_vec(),
            algorithm: parsed.algorithm.oid,
            signature: parsed.signature.raw_bytes().to_vec(),
        };
        match keys::kind_of(&request.key) {
            keys::PublicKind::UnknownCurve => Err("x509: unsupported elliptic curve".to_owned()),
            _ => Ok(request),
        }
    }

    /// Whether the request is signed with its own key.
    pub(crate) fn is_signed(&self) -> bool {
        let Some(info) = parts(&self.der).and_then(|parts| parts.first().copied()) else { return false };
        keys::verifies(&self.key, self.algorithm, info, &self.signature)
    }
}

/// Go's words for bytes that aren't a request: the beginning is what matters to a client.
fn go_asn1_error(error: &der::Error, der: &[u8]) -> String {
    match error.kind() {
        der::ErrorKind::TrailingData { .. } => "asn1: syntax error: trailing data".to_owned(),
        _ if parts(der).is_none() => "asn1: structure error: length too large".to_owned(),
        _ => "asn1: structure error: tags don't match".to_owned(),
    }
}

fn requested_extensions(request: &CertReq) -> Vec<Extension> {
    let attributes = request.info.attributes.iter();
    attributes
        .filter(|attribute| attribute.oid == rfc5912::ID_EXTENSION_REQ)
        .flat_map(|attribute| attribute.values.iter())
        .filter_map(|value| value.decode_as::<Vec<Extension>>().ok())
        .flatten()
        .collect()
}

fn extension<'a, T: Decode<'a>>(extensions: &'a [Extension], oid: ObjectIdentifier) -> Option<T> {
    let extension = extensions.iter().find(|extension| extension.extn_id == oid)?;
    T::from_der(extension.extn_value.as_bytes()).ok()
}

fn alt_names(extensions: &[Extension]) -> AltNames {
    let mut names = AltNames::default();
    let found = extension::<SubjectAltName>(extensions, rfc5280::ID_CE_SUBJECT_ALT_NAME);
    for name in found.map(|names| names.0).unwrap_or_default() {
        match name {
            GeneralName::DnsName(text) => names.dns.push(text.as_str().to_owned()),
            GeneralName::Rfc822Name(text) => names.emails.push(text.as_str().to_owned()),
            GeneralName::UniformResourceIdentifier(text) => names.uris.push(text.as_str().to_owned()),
            GeneralName::IpAddress(bytes) => names.addresses.extend(address(bytes.as_bytes())),
            other => names.others.extend(other.to_der().ok()),
        }
    }
    names
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(four));
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

fn common_name(name: &Name) -> String {
    let text = |value: &der::Any| String::from_utf8_lossy(value.value()).into_owned();
    let attributes = name.iter_rdn().flat_map(|rdn| rdn.iter());
    let found = attributes.filter(|attribute| attribute.oid == const_oid::db::rfc4519::CN).last();
    found.map(|attribute| text(&attribute.value)).unwrap_or_default()
}

/// The blocks of a PEM text that can be read: label and bytes.
pub(crate) fn pem_blocks(text: &str) -> Vec<(String, Vec<u8>)> {
    use base64::Engine as _;
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, tail)) = rest.split_once("-----BEGIN ") {
        let Some((label, tail)) = tail.split_once("-----") else { break };
        let Some((body, tail)) = tail.split_once(&format!("-----END {label}-----")) else { break };
        let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
        if let Ok(der) = base64::engine::general_purpose::STANDARD.decode(body) {
            blocks.push((label.to_owned(), der));
        }
        rest = tail;
    }
    blocks
}

/// The elements inside the outermost element, each with its head.
pub(crate) fn parts(der: &[u8]) -> Option<Vec<&[u8]>> {
    let mut rest = content(der)?;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (head, length) = head(rest)?;
        parts.push(rest.get(..head + length)?);
        rest = rest.get(head + length..)?;
    }
    Some(parts)
}

/// The content of an element.
pub(crate) fn content(der: &[u8]) -> Option<&[u8]> {
    let (head, length) = head(der)?;
    der.get(head..head.checked_add(length)?)
}

/// The length of an element's head, and of its content.
fn head(der: &[u8]) -> Option<(usize, usize)> {
    let first = usize::from(*der.get(1)?);
    if first < 0x80 {
        return Some((2, first));
    }
    let count = first & 0x7f;
    if count == 0 || count > 4 {
        return None;
    }
    let bytes = der.get(2..2 + count)?;
    let length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    Some((2 + count, length))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn foreign_bytes_are_told_apart_as_vault_does() {
        let junk = der_out::pem("CERTIFICATE REQUEST", b"\x85\xff\xff\xff\xff\xff\xff");
        let rows = [
            ("nothing", "csr contains no data"),
            (
                "-----BEGIN CERTIFICATE REQUEST-----\n%%%\n-----END CERTIFICATE REQUEST-----",
                "csr contains no data",
            ),
            (
                junk.as_str(),
                "certificate request could not be parsed: asn1: structure error: length too large",
            ),
        ];
        for (text, why) in rows {
            assert_eq!(Request::from_pem(text).unwrap_err(), why);
        }
    }

    #[test]
    fn cut_off_elements_are_not_read() {
        for der in [&[0x30][..], &[0x30, 0x82], &[0x30, 0x05, 0x02], &[0x30, 0x80], &[]] {
            assert!(parts(der).is_none(), "{der:?}");
        }
    }
}
