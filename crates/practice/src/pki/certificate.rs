//! Writes certificates the way Vault's engine does: subject, names, usages, key ids, dates.
//! It writes what it is told, also what a client must refuse: dead, or for another key.
//! Which names and dates are allowed was decided before.

use aws_lc_rs::digest;
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc4519, rfc5280};
use jiff::Timestamp;

use super::der_out::{
    bit_string, boolean, directory_text, element, explicit, implicit, named_bits, octet_string, oid,
    positive_integer, sequence, tag, time,
};
use super::keys::CaKey;
use super::reading::AltNames;
use crate::chance::Chance;

/// A certificate to write.
pub(crate) struct Plan {
    pub(crate) serial: Vec<u8>,
    /// DER of the names.
    pub(crate) issuer: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// SubjectPublicKeyInfo of the holder and of the signer.
    pub(crate) public_key: Vec<u8>,
    pub(crate) authority_key: Vec<u8>,
    pub(crate) extras: Extras,
}

/// What the extensions say.
pub(crate) enum Extras {
    Authority { names: AltNames },
    Leaf { names: AltNames, server: bool, client: bool },
}

/// Bits of KeyUsage, counted from the highest.
mod usage {
    pub(super) const DIGITAL_SIGNATURE: u8 = 0x80;
    pub(super) const KEY_ENCIPHERMENT: u8 = 0x20;
    pub(super) const KEY_AGREEMENT: u8 = 0x08;
    pub(super) const CERTIFICATE_SIGN: u8 = 0x04;
    pub(super) const CRL_SIGN: u8 = 0x02;
}

/// Numbers of the alternatives of GeneralName.
mod general_name {
    pub(super) const EMAIL: u8 = 1;
    pub(super) const DNS: u8 = 2;
    pub(super) const URI: u8 = 6;
    pub(super) const ADDRESS: u8 = 7;
}

/// Version 3, as it is written.
const VERSION_3: u8 = 2;

/// Writes and signs.
pub(crate) fn sign(plan: &Plan, key: &CaKey) -> Option<Vec<u8>> {
    let algorithm = key.signature_algorithm();
    let to_sign = sequence(&[
        explicit(0, &positive_integer(&[VERSION_3])),
        positive_integer(&plan.serial),
        algorithm.clone(),
        plan.issuer.clone(),
        sequence(&[time(plan.not_before), time(plan.not_after)]),
        plan.subject.clone(),
        plan.public_key.clone(),
        explicit(3, &sequence(&extensions(plan))),
    ]);
    let signature = key.sign(&to_sign)?;
    Some(sequence(&[to_sign, algorithm, bit_string(&signature)]))
}

fn extensions(plan: &Plan) -> Vec<Vec<u8>> {
    use usage::{CERTIFICATE_SIGN, CRL_SIGN, DIGITAL_SIGNATURE, KEY_AGREEMENT, KEY_ENCIPHERMENT};
    let mut list = Vec::new();
    let bits = match plan.extras {
        Extras::Authority { .. } => CERTIFICATE_SIGN | CRL_SIGN,
        Extras::Leaf { .. } => DIGITAL_SIGNATURE | KEY_ENCIPHERMENT | KEY_AGREEMENT,
    };
    list.push(extension(rfc5280::ID_CE_KEY_USAGE, true, &named_bits(bits)));
    match &plan.extras {
        Extras::Authority { .. } => {
            list.push(extension(rfc5280::ID_CE_BASIC_CONSTRAINTS, true, &sequence(&[boolean(true)])));
        }
        Extras::Leaf { server, client, .. } => {
            let purposes = [(server, rfc5280::ID_KP_SERVER_AUTH), (client, rfc5280::ID_KP_CLIENT_AUTH)];
            let purposes: Vec<_> = purposes.iter().filter(|(on, _)| **on).map(|(_, id)| oid(*id)).collect();
            if !purposes.is_empty() {
                list.push(extension(rfc5280::ID_CE_EXT_KEY_USAGE, false, &sequence(&purposes)));
            }
        }
    }
    let subject_key_id = octet_string(&key_id(&plan.public_key));
    list.push(extension(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER, false, &subject_key_id));
    let authority = sequence(&[implicit(0, &key_id(&plan.authority_key))]);
    list.push(extension(rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER, false, &authority));
    let (Extras::Authority { names } | Extras::Leaf { names, .. }) = &plan.extras;
    let written = general_names(names);
    if !written.is_empty() {
        // Critical where the subject is empty (RFC 5280 4.2.1.6).
        let critical = plan.subject == sequence(&[]);
        list.push(extension(rfc5280::ID_CE_SUBJECT_ALT_NAME, critical, &sequence(&written)));
    }
    list
}

fn extension(id: ObjectIdentifier, critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![oid(id)];
    if critical {
        parts.push(boolean(true));
    }
    parts.push(octet_string(value));
    sequence(&parts)
}

pub(crate) fn general_names(names: &AltNames) -> Vec<Vec<u8>> {
    let text = |number, text: &String| implicit(number, text.as_bytes());
    let mut written: Vec<Vec<u8>> = names.others.clone();
    written.extend(names.dns.iter().map(|name| text(general_name::DNS, name)));
    written.extend(names.emails.iter().map(|name| text(general_name::EMAIL, name)));
    written.extend(names.addresses.iter().map(|address| match address {
        std::net::IpAddr::V4(four) => implicit(general_name::ADDRESS, &four.octets()),
        std::net::IpAddr::V6(six) => implicit(general_name::ADDRESS, &six.octets()),
    }));
    written.extend(names.uris.iter().map(|name| text(general_name::URI, name)));
    written
}

/// SHA-1 of the key's bits: how keys are named (RFC 5280 4.2.1.2, method 1).
fn key_id(public_key: &[u8]) -> Vec<u8> {
    let bits = super::reading::parts(public_key).and_then(|parts| parts.last().copied());
    let bits =
        bits.and_then(super::reading::content).and_then(|content| content.get(1..)).unwrap_or_default();
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bits).as_ref().to_vec()
}

/// A name with nothing but a common name; empty for an empty text.
pub(crate) fn common_name(text: &str) -> Vec<u8> {
    name(&[(rfc4519::CN, text.to_owned())])
}

/// A name of these attributes; empty texts are left out.
pub(crate) fn name(attributes: &[(ObjectIdentifier, String)]) -> Vec<u8> {
    let parts: Vec<_> = attributes
        .iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(id, text)| element(tag::SET, &sequence(&[oid(*id), directory_text(text)])))
        .collect();
    sequence(&parts)
}

/// A serial number: 20 bytes, positive.
pub(crate) fn serial(chance: &mut Chance) -> Vec<u8> {
    let mut serial = chance.bytes::<20>();
    if let Some(first) = serial.first_mut() {
        // Between 0x10 and 0x7f: neither negative nor shorter than its length.
        *first = *first & 0x7f | 0x10;
    }
    serial.to_vec()
}
