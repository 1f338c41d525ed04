//! Java's own keystore, version 2: entries by length, the key under SHA-1 and XOR, a SHA-1 trailer. Its protection is weak by design.
//! The moment of creation is an argument, and so are the salts: the same arguments give the same bytes. It never reads a keystore.

use aws_lc_rs::digest::{Context, Digest, SHA1_FOR_LEGACY_USE_ONLY};
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::der::{NULL, OCTET_STRING, SEQUENCE, object_identifier, oid, tlv, utf16};
use crate::{Chance, KeystoreError, Material, ca_alias};

const MAGIC: u32 = 0xfeed_feed;
const VERSION: u32 = 2;
const KEY_ENTRY: u32 = 1;
const TRUSTED_ENTRY: u32 = 2;
const CERTIFICATE_TYPE: &str = "X.509";
/// The words that Java hashes between password and contents.
const WHITENER: &[u8] = b"Mighty Aphrodite";
const HASH: usize = 20;

/// A keystore: the key with its full chain under `alias`, and the CAs under `ca`, `ca-1` ... Store and key have the same password.
pub fn keystore(
    alias: &str,
    password: &str,
    material: &Material<'_>,
    created: Timestamp,
    chance: &Chance,
) -> Result<Vec<u8>, KeystoreError> {
    if material.chain.is_empty() {
        return Err(KeystoreError::NoCertificate);
    }
    let entries = 1 + material.cas.len();
    let mut writer =
        Writer::new(entries, material.chain.iter().chain(material.cas).map(|der| der.len()).sum())?;
    writer.entry(KEY_ENTRY, alias, created)?;
    writer.bytes(&protected(password, material.key, chance), "private key")?;
    writer.length(material.chain.len(), "chain")?;
    for certificate in material.chain {
        writer.certificate(certificate)?;
    }
    writer.trusted(material.cas, created)?;
    Ok(writer.finish(password))
}

/// A truststore: the CAs under `ca`, `ca-1` ...
pub fn truststore(password: &str, cas: &[&[u8]], created: Timestamp) -> Result<Vec<u8>, KeystoreError> {
    let mut writer = Writer::new(cas.len(), cas.iter().map(|der| der.len()).sum())?;
    writer.trusted(cas, created)?;
    Ok(writer.finish(password))
}

/// The key as EncryptedPrivateKeyInfo: salt, key XOR a stream of chained hashes, hash of password and key.
fn protected(password: &str, key: &[u8], chance: &Chance) -> Vec<u8> {
    let password = utf16(password);
    let salt: [u8; HASH] = salt(chance);
    let mut stream = Zeroizing::new(Vec::with_capacity(key.len() + HASH));
    let mut last = hashed(&[&password, &salt]);
    while stream.len() < key.len() {
        stream.extend_from_slice(last.as_ref());
        last = hashed(&[&password, last.as_ref()]);
    }
    let masked: Vec<u8> = key.iter().zip(stream.iter()).map(|(plain, mask)| plain ^ mask).collect();
    let check = hashed(&[&password, key]);
    let sun = object_identifier(oid!("1.3.6.1.4.1.42.2.17.1.1"));
    let secret = tlv(OCTET_STRING, &[&salt, &masked, check.as_ref()]);
    tlv(SEQUENCE, &[&tlv(SEQUENCE, &[&sun, &NULL]), &secret])
}

fn salt(chance: &Chance) -> [u8; HASH] {
    let mut salt = [0; HASH];
    let random = chance.key.salt.iter().chain(&chance.key.iv);
    salt.iter_mut().zip(random).for_each(|(to, from)| *to = *from);
    salt
}

fn hashed(parts: &[&[u8]]) -> Digest {
    let mut hash = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    parts.iter().for_each(|part| hash.update(part));
    hash.finish()
}

struct Writer(Vec<u8>);

impl Writer {
    fn new(entries: usize, certificates: usize) -> Result<Writer, KeystoreError> {
        let mut writer = Writer(Vec::with_capacity(certificates + 4096));
        writer.number(MAGIC);
        writer.number(VERSION);
        writer.length(entries, "list of entries")?;
        Ok(writer)
    }

    fn number(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn length(&mut self, length: usize, what: &'static str) -> Result<(), KeystoreError> {
        self.number(u32::try_from(length).map_err(|_| KeystoreError::TooLong(what))?);
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8], what: &'static str) -> Result<(), KeystoreError> {
        self.length(bytes.len(), what)?;
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    /// Java's modified UTF-8: NUL as two bytes, and the halves of a surrogate pair one by one.
    fn text(&mut self, text: &str) -> Result<(), KeystoreError> {
        let mut bytes = Vec::with_capacity(text.len());
        for unit in text.encode_utf16() {
            let (low, middle, high) = ((unit & 0x3f) as u8, ((unit >> 6) & 0x3f) as u8, (unit >> 12) as u8);
            match unit {
                1..=0x7f => bytes.push(unit as u8),
                0 | 0x80..=0x7ff => bytes.extend([0xc0 | (unit >> 6) as u8, 0x80 | low]),
                _ => bytes.extend([0xe0 | high, 0x80 | middle, 0x80 | low]),
            }
        }
        let length = u16::try_from(bytes.len()).map_err(|_| KeystoreError::TooLong("alias"))?;
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(&bytes);
        Ok(())
    }

    /// The head of an entry. Java looks aliases up in lower case.
    fn entry(&mut self, kind: u32, alias: &str, created: Timestamp) -> Result<(), KeystoreError> {
        self.number(kind);
        self.text(&alias.to_lowercase())?;
        self.0.extend_from_slice(&created.as_millisecond().to_be_bytes());
        Ok(())
    }

    fn certificate(&mut self, der: &[u8]) -> Result<(), KeystoreError> {
        self.text(CERTIFICATE_TYPE)?;
        self.bytes(der, "certificate")
    }

    fn trusted(&mut self, cas: &[&[u8]], created: Timestamp) -> Result<(), KeystoreError> {
        for (at, ca) in cas.iter().enumerate() {
            self.entry(TRUSTED_ENTRY, &ca_alias(at), created)?;
            self.certificate(ca)?;
        }
        Ok(())
    }

    fn finish(mut self, password: &str) -> Vec<u8> {
        let trailer = hashed(&[&utf16(password), WHITENER, &self.0]);
        self.0.extend_from_slice(trailer.as_ref());
        self.0
    }
}
