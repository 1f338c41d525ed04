//! Private keys are made here, because making them is chance, which core doesn't have.
//! RSA keys take up to seconds of CPU, so they are made on threads of their own, with a bound on how many at a time; the largest have a bound of their own,
//! so that nobody waits behind them. It never makes a key on the reactor that takes longer than a millisecond, and never logs one.

use std::fmt;
use std::sync::{Arc, LazyLock};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, Ed25519KeyPair,
};
use everleaf_core::x509::{Curve, KeyError, KeyKind, PrivateKey, RsaSize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The largest size that shares the threads of the usual ones: an RSA-4096 key takes half a second, an RSA-8192 key ten (rust-ecosystem 1.2).
const LARGEST_USUAL: u32 = 4096;

/// The most usual RSA keys made at a time, however many processors there are.
const MOST_USUAL: usize = 8;

/// RSA keys beyond [`LARGEST_USUAL`] that are made at a time.
const MOST_LARGE: usize = 1;

static USUAL: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Arc::new(Semaphore::new(processors.min(MOST_USUAL)))
});
static LARGE: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(MOST_LARGE)));

/// Where keys come from.
#[derive(Clone, Default)]
pub enum KeySource {
    /// They are made by [`make`].
    #[default]
    Made,
    /// They are handed in: a simulation must not depend on chance, and needn't wait for RSA.
    Injected(Arc<Inject>),
}

/// Hands in a key of a kind.
pub type Inject = dyn Fn(KeyKind) -> Result<PrivateKey, KeyError> + Send + Sync;

impl KeySource {
    /// A key of this kind.
    pub async fn make(&self, kind: KeyKind) -> Result<PrivateKey, KeyError> {
        match self {
            KeySource::Made => make(kind).await,
            KeySource::Injected(inject) => inject(kind),
        }
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeySource::Made => "KeySource::Made",
            KeySource::Injected(_) => "KeySource::Injected",
        })
    }
}

/// Makes a key. Whoever stops waiting loses nothing but the key: it is wiped, and its place is free once the thread is done with it.
pub async fn make(kind: KeyKind) -> Result<PrivateKey, KeyError> {
    match kind {
        KeyKind::Ecdsa(curve) => ecdsa(curve),
        KeyKind::Ed25519 => ed25519(),
        KeyKind::Rsa(size) => {
            let library_size = library_size(size).ok_or(KeyError::CannotBeMade(kind))?;
            let place = place_for(size).await.ok_or(KeyError::NotMade(kind))?;
            let thread = tokio::task::spawn_blocking(move || rsa(kind, library_size, place));
            thread.await.unwrap_or(Err(KeyError::NotMade(kind)))
        }
    }
}

async fn place_for(size: RsaSize) -> Option<OwnedSemaphorePermit> {
    let places = if size.bits() > LARGEST_USUAL { &*LARGE } else { &*USUAL };
    Arc::clone(places).acquire_owned().await.ok()
}

/// The place is given back when the key is done, not when its caller goes away: a thread can't be stopped, and the bound must hold.
#[allow(clippy::needless_pass_by_value)]
fn rsa(kind: KeyKind, size: KeySize, _place: OwnedSemaphorePermit) -> Result<PrivateKey, KeyError> {
    let pair = RsaKeyPair::generate(size).map_err(|_| KeyError::NotMade(kind))?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::NotMade(kind))?;
    PrivateKey::from_pkcs8_der(der.as_ref())
}

fn library_size(size: RsaSize) -> Option<KeySize> {
    match size.bits() {
        2048 => Some(KeySize::Rsa2048),
        3072 => Some(KeySize::Rsa3072),
        4096 => Some(KeySize::Rsa4096),
        8192 => Some(KeySize::Rsa8192),
        _ => None,
    }
}

fn ecdsa(curve: Curve) -> Result<PrivateKey, KeyError> {
    let algorithm = match curve {
        Curve::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
        Curve::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
        Curve::P521 => &ECDSA_P521_SHA512_ASN1_SIGNING,
    };
    let not_made = |_| KeyError::NotMade(KeyKind::Ecdsa(curve));
    let document = EcdsaKeyPair::generate(algorithm).and_then(|pair| pair.to_pkcs8v1()).map_err(not_made)?;
    PrivateKey::from_pkcs8_der(document.as_ref())
}

fn ed25519() -> Result<PrivateKey, KeyError> {
    let not_made = |_| KeyError::NotMade(KeyKind::Ed25519);
    let document = Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).map_err(not_made)?;
    PrivateKey::from_pkcs8_der(document.as_ref())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rsa_of(bits: u32) -> KeyKind {
        KeyKind::Rsa(RsaSize::new(bits).unwrap())
    }

    #[tokio::test]
    async fn each_kind_of_key_is_made_as_asked() {
        let kinds = [
            KeyKind::Ecdsa(Curve::P256),
            KeyKind::Ecdsa(Curve::P384),
            KeyKind::Ecdsa(Curve::P521),
            KeyKind::Ed25519,
            rsa_of(2048),
            rsa_of(3072),
        ];
        for kind in kinds {
            let (one, other) = (make(kind).await.unwrap(), make(kind).await.unwrap());
            assert_eq!((one.kind(), other.kind()), (kind, kind));
            assert_ne!(one.public(), other.public());
        }
    }

    #[tokio::test]
    async fn a_size_the_library_does_not_make_is_refused_at_once() {
        let kind = rsa_of(2050);
        assert_eq!(make(kind).await.err(), Some(KeyError::CannotBeMade(kind)));
        assert!(RsaSize::MADE.iter().all(|size| library_size(*size).is_some()));
    }

    #[tokio::test]
    async fn nobody_waits_behind_the_largest_keys() {
        let _all_large =
            Arc::clone(&LARGE).acquire_many_owned(u32::try_from(MOST_LARGE).unwrap()).await.unwrap();
        assert_eq!(make(rsa_of(2048)).await.unwrap().kind(), rsa_of(2048));
    }

    #[tokio::test]
    async fn injected_keys_are_handed_in_as_they_are() {
        let source = KeySource::Injected(Arc::new(|kind| Err(KeyError::NotMade(kind))));
        let kind = KeyKind::Ed25519;
        assert_eq!(source.make(kind).await.err(), Some(KeyError::NotMade(kind)));
    }
}
