//! What a practice Vault remembers: configuration (copied on write), tokens and counters, per namespace.
//! Plain data behind one lock of the caller; nothing here waits or speaks HTTP.
//! Token values and secret-ids are never kept: only their SHA-256.

pub(crate) mod audit;
pub(crate) mod cidr;
pub(crate) mod config;
pub(crate) mod fields;
pub(crate) mod hcl;
pub(crate) mod ledger;
pub(crate) mod policy;
pub(crate) mod quota;
pub(crate) mod token;
pub(crate) mod turn;
pub(crate) mod wrapping;

/// The SHA-256 of a secret: how tokens and secret-ids are remembered.
pub(crate) type Digest = [u8; 32];

/// The digest of a secret.
pub(crate) fn digest(secret: &str) -> Digest {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes());
    let mut digest = [0; 32];
    for (to, from) in digest.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    digest
}
