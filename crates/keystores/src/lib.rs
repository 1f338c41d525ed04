//! Writes keystores: PKCS#12 in four profiles, and Java's JKS, each with a key or as a truststore (certificate-lifecycle 1.2, 2.7).
//! Bytes in, bytes out: chance and time are arguments, and the same arguments give the same bytes. It never reads a keystore, never keeps
//! a password and never prints one.

mod ciphers;
mod der;
pub mod jks;
mod kdf;
pub mod pkcs12;

use std::fmt;

/// What goes into a keystore. Everything is DER.
#[derive(Clone, Copy)]
pub struct Material<'a> {
    /// The private key, PKCS#8.
    pub key: &'a [u8],
    /// The chain, leaf first.
    pub chain: &'a [&'a [u8]],
    /// The CAs; they follow the chain.
    pub cas: &'a [&'a [u8]],
}

impl fmt::Debug for Material<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Material(key, {} certificates, {} CAs)", self.chain.len(), self.cas.len())
    }
}

/// Random bytes for the salts and initialization vectors of one keystore.
#[derive(Clone, Copy)]
pub struct Chance {
    certificates: Salts,
    key: Salts,
    mac: [u8; SALT],
}

/// A salt and an initialization vector.
#[derive(Clone, Copy)]
struct Salts {
    salt: [u8; SALT],
    iv: [u8; SALT],
}

/// The length of a salt; the legacy profiles use a part of it.
const SALT: usize = 16;

impl Chance {
    /// Random bytes that one keystore takes.
    pub const LENGTH: usize = 5 * SALT;

    /// Cuts up random bytes.
    pub fn from_random(bytes: [u8; Chance::LENGTH]) -> Chance {
        let mut parts = [[0; SALT]; 5];
        for (part, bytes) in parts.iter_mut().zip(bytes.chunks_exact(SALT)) {
            part.copy_from_slice(bytes);
        }
        let [salt, iv, key_salt, key_iv, mac] = parts;
        Chance { certificates: Salts { salt, iv }, key: Salts { salt: key_salt, iv: key_iv }, mac }
    }
}

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chance")
    }
}

/// Why no keystore was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeystoreError {
    /// The library refused to encrypt.
    #[error("the keystore could not be encrypted")]
    Cipher,
    /// There is no certificate for the key.
    #[error("there is no certificate for the keystore")]
    NoCertificate,
    /// An alias, certificate or key is longer than the format can say.
    #[error("the {0} is too long for the keystore")]
    TooLong(&'static str),
}

/// The alias of a CA: `ca`, `ca-1`, `ca-2` ...
fn ca_alias(at: usize) -> String {
    if at == 0 { "ca".to_owned() } else { format!("ca-{at}") }
}
