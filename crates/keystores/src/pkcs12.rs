//! PKCS#12 (RFC 7292) as the peer's four profiles write it: the certificates encrypted, then the key, under one MAC.
//! The key and its leaf are tied by a local key id. It never writes anything but the key in the clear-text structure around it.

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use aws_lc_rs::hmac;
use everleaf_core::wanted::Pkcs12Profile;
use zeroize::Zeroizing;

use crate::ciphers::{self, OLD_SALT, ROUNDS, Scheme};
use crate::der::{
    self, BMP_STRING, EXPLICIT_0, IMPLICIT_0, NULL, OCTET_STRING, SEQUENCE, integer, object_identifier, oid,
    set_of, tlv,
};
use crate::kdf::{self, Purpose};
use crate::{Chance, KeystoreError, Material, ca_alias};

const DATA: &[u8] = oid!("1.2.840.113549.1.7.1");
const VERSION: u32 = 3;

/// A keystore: the key and its leaf, then the rest of the chain, then the CAs.
pub fn keystore(
    profile: Pkcs12Profile,
    password: &str,
    material: &Material<'_>,
    chance: &Chance,
) -> Result<Vec<u8>, KeystoreError> {
    let (leaf, above) = material.chain.split_first().ok_or(KeystoreError::NoCertificate)?;
    let key_id = digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, leaf);
    let tie = attribute(oid!("1.2.840.113549.1.9.21"), &tlv(OCTET_STRING, &[key_id.as_ref()]));
    let mut bags = vec![certificate_bag(leaf, vec![tie.clone()])];
    bags.extend(above.iter().chain(material.cas).map(|certificate| certificate_bag(certificate, Vec::new())));
    let key = ciphers::encrypt(profile.key_scheme(), password, &chance.key, material.key)?;
    let shrouded = tlv(SEQUENCE, &[&key.algorithm, &tlv(OCTET_STRING, &[&key.bytes])]);
    let key_bag = bag(oid!("1.2.840.113549.1.12.10.1.2"), &shrouded, vec![tie]);
    let certificates = encrypted(profile, password, &bags, chance)?;
    finish(profile, password, &[&certificates, &data(&tlv(SEQUENCE, &[&key_bag]))], chance)
}

/// A truststore: CAs that Java trusts, under the aliases `ca`, `ca-1` ...
pub fn truststore(
    profile: Pkcs12Profile,
    password: &str,
    cas: &[&[u8]],
    chance: &Chance,
) -> Result<Vec<u8>, KeystoreError> {
    let named = cas.iter().enumerate().map(|(at, ca)| {
        let name = attribute(oid!("1.2.840.113549.1.9.20"), &tlv(BMP_STRING, &[&der::utf16(&ca_alias(at))]));
        // Without this attribute (anyExtendedKeyUsage) Java passes a certificate without a key over.
        let trusted =
            attribute(oid!("2.16.840.1.113894.746875.1.1"), &object_identifier(oid!("2.5.29.37.0")));
        certificate_bag(ca, vec![name, trusted])
    });
    let bags: Vec<Vec<u8>> = named.collect();
    finish(profile, password, &[&encrypted(profile, password, &bags, chance)?], chance)
}

/// The parts of a profile (certificate-lifecycle 1.2: the peer's names).
trait Parts {
    fn certificate_scheme(self) -> Scheme;
    fn key_scheme(self) -> Scheme;
}

impl Parts for Pkcs12Profile {
    fn certificate_scheme(self) -> Scheme {
        match self {
            Pkcs12Profile::LegacyRc2 => Scheme::Rc2,
            Pkcs12Profile::LegacyDes => Scheme::TripleDes,
            Pkcs12Profile::Modern2023 | Pkcs12Profile::Modern2026 => Scheme::Aes,
        }
    }

    fn key_scheme(self) -> Scheme {
        match self {
            Pkcs12Profile::LegacyRc2 | Pkcs12Profile::LegacyDes => Scheme::TripleDes,
            Pkcs12Profile::Modern2023 | Pkcs12Profile::Modern2026 => Scheme::Aes,
        }
    }
}

fn certificate_bag(certificate: &[u8], attributes: Vec<Vec<u8>>) -> Vec<u8> {
    let x509 = object_identifier(oid!("1.2.840.113549.1.9.22.1"));
    let value = tlv(EXPLICIT_0, &[&tlv(OCTET_STRING, &[certificate])]);
    bag(oid!("1.2.840.113549.1.12.10.1.3"), &tlv(SEQUENCE, &[&x509, &value]), attributes)
}

fn bag(kind: &[u8], value: &[u8], attributes: Vec<Vec<u8>>) -> Vec<u8> {
    let attributes = if attributes.is_empty() { Vec::new() } else { set_of(attributes) };
    tlv(SEQUENCE, &[&object_identifier(kind), &tlv(EXPLICIT_0, &[value]), &attributes])
}

fn attribute(kind: &[u8], value: &[u8]) -> Vec<u8> {
    tlv(SEQUENCE, &[&object_identifier(kind), &set_of(vec![value.to_vec()])])
}

/// ContentInfo of plain data.
fn data(contents: &[u8]) -> Vec<u8> {
    tlv(SEQUENCE, &[&object_identifier(DATA), &tlv(EXPLICIT_0, &[&tlv(OCTET_STRING, &[contents])])])
}

/// ContentInfo of encrypted bags.
fn encrypted(
    profile: Pkcs12Profile,
    password: &str,
    bags: &[Vec<u8>],
    chance: &Chance,
) -> Result<Vec<u8>, KeystoreError> {
    let bags: Vec<&[u8]> = bags.iter().map(Vec::as_slice).collect();
    let plain = tlv(SEQUENCE, &bags);
    let secret = ciphers::encrypt(profile.certificate_scheme(), password, &chance.certificates, &plain)?;
    let inner =
        tlv(SEQUENCE, &[&object_identifier(DATA), &secret.algorithm, &tlv(IMPLICIT_0, &[&secret.bytes])]);
    let contents = tlv(SEQUENCE, &[&integer(0), &inner]);
    let kind = object_identifier(oid!("1.2.840.113549.1.7.6"));
    Ok(tlv(SEQUENCE, &[&kind, &tlv(EXPLICIT_0, &[&contents])]))
}

fn finish(
    profile: Pkcs12Profile,
    password: &str,
    contents: &[&[u8]],
    chance: &Chance,
) -> Result<Vec<u8>, KeystoreError> {
    let safe = tlv(SEQUENCE, contents);
    let mac = match profile {
        Pkcs12Profile::LegacyRc2 | Pkcs12Profile::LegacyDes => {
            let salt = chance.mac.get(..OLD_SALT).unwrap_or_default();
            old_mac(&OLD, password, salt, 1, &safe)
        }
        Pkcs12Profile::Modern2023 => old_mac(&NEWER, password, &chance.mac, ROUNDS.get(), &safe),
        Pkcs12Profile::Modern2026 => pbmac1(password, &chance.mac, &safe),
    };
    Ok(tlv(SEQUENCE, &[&integer(VERSION), &data(&safe), &mac]))
}

/// The hash of a MAC of PKCS#12's own kind.
struct Hash {
    digest: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
    oid: &'static [u8],
}

static OLD: Hash = Hash {
    digest: &SHA1_FOR_LEGACY_USE_ONLY,
    hmac: hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
    oid: oid!("1.3.14.3.2.26"),
};
static NEWER: Hash = Hash { digest: &SHA256, hmac: hmac::HMAC_SHA256, oid: oid!("2.16.840.1.101.3.4.2.1") };

/// MacData with a key by the way of PKCS#12. One round is the default, which DER leaves out.
fn old_mac(hash: &Hash, password: &str, salt: &[u8], rounds: u32, safe: &[u8]) -> Vec<u8> {
    let mut key = Zeroizing::new(vec![0; hash.digest.output_len()]);
    kdf::pkcs12(hash.digest, password, salt, Purpose::Mac, rounds, &mut key);
    let mac = hmac::sign(&hmac::Key::new(hash.hmac, &key), safe);
    let algorithm = tlv(SEQUENCE, &[&object_identifier(hash.oid), &NULL]);
    let rounds = if rounds == 1 { Vec::new() } else { integer(rounds) };
    mac_data(&algorithm, mac.as_ref(), salt, &rounds)
}

/// MacData with PBMAC1 (RFC 9579): the salt outside is of no use, and a word says so, as in the RFC's own examples.
fn pbmac1(password: &str, salt: &[u8], safe: &[u8]) -> Vec<u8> {
    const KEY: usize = 32;
    const UNUSED: &[u8] = b"NOT USED";
    let mut key = Zeroizing::new([0; KEY]);
    kdf::pbkdf2(password, salt, ROUNDS, key.as_mut_slice());
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()), safe);
    let derivation = ciphers::pbkdf2_algorithm(salt, Some(KEY as u32));
    let parameters = tlv(SEQUENCE, &[&derivation, &ciphers::hmac_sha256()]);
    let algorithm = tlv(SEQUENCE, &[&object_identifier(oid!("1.2.840.113549.1.5.14")), &parameters]);
    mac_data(&algorithm, mac.as_ref(), UNUSED, &[])
}

fn mac_data(algorithm: &[u8], mac: &[u8], salt: &[u8], rounds: &[u8]) -> Vec<u8> {
    let digest = tlv(SEQUENCE, &[algorithm, &tlv(OCTET_STRING, &[mac])]);
    tlv(SEQUENCE, &[&digest, &tlv(OCTET_STRING, &[salt]), rounds])
}
