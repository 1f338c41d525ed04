//! Private keys drawn from the seed: Ed25519 only, so that requests, certificates and Secrets are the same bytes in each run.
//! They guard nothing. Other kinds are refused, because their signatures draw on randomness that no seed reaches.

use std::sync::{Arc, Mutex, PoisonError};

use everleaf_core::x509::{KeyError, KeyKind, PrivateKey};
use everleaf_issuers::keys::KeySource;
use everleaf_issuers::{Chance as IssuerChance, NoChance};
use everleaf_practice::Chance;

/// PKCS#8 of an Ed25519 key up to its 32 bytes (RFC 8410 section 7).
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Keys from a stream.
pub fn source(chance: Chance) -> KeySource {
    let stream = Mutex::new(chance);
    KeySource::Injected(Arc::new(move |kind| match kind {
        KeyKind::Ed25519 => key(&mut stream.lock().unwrap_or_else(PoisonError::into_inner)),
        other => Err(KeyError::CannotBeMade(other)),
    }))
}

/// One key.
pub fn key(chance: &mut Chance) -> Result<PrivateKey, KeyError> {
    let mut der = PKCS8_HEAD.to_vec();
    der.extend_from_slice(&chance.bytes::<32>());
    PrivateKey::from_pkcs8_der(&der)
}

/// The chance of issuers in this process: their serial numbers.
pub fn serials(chance: Chance) -> IssuerChance {
    let stream = Mutex::new(chance);
    IssuerChance::from_fn(move |buffer| {
        let mut stream = stream.lock().map_err(|_| NoChance)?;
        for chunk in buffer.chunks_mut(8) {
            let bytes = stream.number().to_le_bytes();
            chunk.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_same_stream_gives_the_same_key() {
        let (one, two) = (key(&mut Chance::new(1)).unwrap(), key(&mut Chance::new(1)).unwrap());
        assert_eq!(one.public(), two.public());
        assert_ne!(key(&mut Chance::new(2)).unwrap().public(), one.public());
    }
}
