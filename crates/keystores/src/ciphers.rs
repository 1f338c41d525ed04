//! Encryption with a password: the three schemes that the profiles use, each with its algorithm identifier.
//! The two old ones protect little; they are there because old readers know nothing else. It never decrypts.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
use aws_lc_rs::iv::FixedLength;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt, InnerIvInit, KeyIvInit};
use zeroize::Zeroizing;

use crate::der::{NULL, OCTET_STRING, SEQUENCE, integer, object_identifier, oid, tlv};
use crate::kdf::{self, Purpose};
use crate::{KeystoreError, Salts};

/// Rounds that the peer's writer takes for every profile.
pub(crate) const ROUNDS: NonZeroU32 = NonZeroU32::new(2048).unwrap();

/// A scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// pbeWithSHAAnd40BitRC2-CBC
    Rc2,
    /// pbeWithSHAAnd3-KeyTripleDES-CBC
    TripleDes,
    /// PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC
    Aes,
}

/// What was encrypted, and how.
pub(crate) struct Encrypted {
    /// AlgorithmIdentifier
    pub(crate) algorithm: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
}

/// Salts of the old schemes have this length.
pub(crate) const OLD_SALT: usize = 8;
const OLD_BLOCK: usize = 8;

pub(crate) fn encrypt(
    scheme: Scheme,
    password: &str,
    salts: &Salts,
    plain: &[u8],
) -> Result<Encrypted, KeystoreError> {
    match scheme {
        Scheme::Aes => aes(password, salts, plain),
        Scheme::Rc2 | Scheme::TripleDes => Ok(old(scheme, password, salts, plain)),
    }
}

fn old(scheme: Scheme, password: &str, salts: &Salts, plain: &[u8]) -> Encrypted {
    const RC2_BITS: usize = 40;
    const RC2_KEY: usize = RC2_BITS / 8;
    const DES_KEY: usize = 24;
    let salt = salts.salt.get(..OLD_SALT).unwrap_or_default();
    let derive = |purpose, out: &mut [u8]| {
        kdf::pkcs12(&SHA1_FOR_LEGACY_USE_ONLY, password, salt, purpose, ROUNDS.get(), out);
    };
    let mut iv = [0; OLD_BLOCK];
    derive(Purpose::Iv, &mut iv);
    let (name, bytes) = match scheme {
        Scheme::Rc2 => {
            let mut key = Zeroizing::new([0; RC2_KEY]);
            derive(Purpose::Key, key.as_mut_slice());
            let cipher = rc2::Rc2::new_with_eff_key_len(key.as_slice(), RC2_BITS);
            let cipher = cbc::Encryptor::inner_iv_init(cipher, &iv.into());
            (oid!("1.2.840.113549.1.12.1.6"), cipher.encrypt_padded_vec::<Pkcs7>(plain))
        }
        _ => {
            let mut key = Zeroizing::new([0; DES_KEY]);
            derive(Purpose::Key, key.as_mut_slice());
            let cipher = cbc::Encryptor::<des::TdesEde3>::new(&(*key).into(), &iv.into());
            (oid!("1.2.840.113549.1.12.1.3"), cipher.encrypt_padded_vec::<Pkcs7>(plain))
        }
    };
    let parameters = tlv(SEQUENCE, &[&tlv(OCTET_STRING, &[salt]), &integer(ROUNDS.get())]);
    Encrypted { algorithm: tlv(SEQUENCE, &[&object_identifier(name), &parameters]), bytes }
}

fn aes(password: &str, salts: &Salts, plain: &[u8]) -> Result<Encrypted, KeystoreError> {
    const AES_KEY: usize = 32;
    const AES_BLOCK: usize = 16;
    let mut key = Zeroizing::new([0; AES_KEY]);
    kdf::pbkdf2(password, &salts.salt, ROUNDS, key.as_mut_slice());
    let key = UnboundCipherKey::new(&AES_256, key.as_slice()).map_err(|_| KeystoreError::Cipher)?;
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).map_err(|_| KeystoreError::Cipher)?;
    // Encrypted in place: with room for the padding, no copy of the plain text stays behind.
    let mut bytes = Vec::with_capacity(plain.len() + AES_BLOCK);
    bytes.extend_from_slice(plain);
    let iv = EncryptionContext::Iv128(FixedLength::from(salts.iv));
    key.less_safe_encrypt(&mut bytes, iv).map_err(|_| KeystoreError::Cipher)?;
    let cipher = tlv(
        SEQUENCE,
        &[&object_identifier(oid!("2.16.840.1.101.3.4.1.42")), &tlv(OCTET_STRING, &[&salts.iv])],
    );
    let parameters = tlv(SEQUENCE, &[&pbkdf2_algorithm(&salts.salt, None), &cipher]);
    let algorithm = tlv(SEQUENCE, &[&object_identifier(oid!("1.2.840.113549.1.5.13")), &parameters]);
    Ok(Encrypted { algorithm, bytes })
}

/// The AlgorithmIdentifier of PBKDF2 with HMAC-SHA-256. PBMAC1 demands the key length (RFC 9579 section 4).
pub(crate) fn pbkdf2_algorithm(salt: &[u8], key_length: Option<u32>) -> Vec<u8> {
    let length = key_length.map(integer).unwrap_or_default();
    let parameters =
        tlv(SEQUENCE, &[&tlv(OCTET_STRING, &[salt]), &integer(ROUNDS.get()), &length, &hmac_sha256()]);
    tlv(SEQUENCE, &[&object_identifier(oid!("1.2.840.113549.1.5.12")), &parameters])
}

/// The AlgorithmIdentifier of HMAC-SHA-256.
pub(crate) fn hmac_sha256() -> Vec<u8> {
    tlv(SEQUENCE, &[&object_identifier(oid!("1.2.840.113549.2.9")), &NULL])
}
