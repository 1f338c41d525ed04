//! The ways to log in: each reads its credentials afresh and gives one login call. `login.rs` decides when.
//! No value that would come back as a server fault is sent: empty ones, and a JWT in place of a token (vault-measured 7).

pub(super) mod approle;
pub(super) mod aws;
pub(super) mod cert;
pub(super) mod kubernetes;
mod sigv4;
pub(super) mod token;

use everleaf_core::failure::{Blame, Failure};
use serde::Serialize;
use zeroize::Zeroizing;

use super::answer::Method;
use super::config::{ApiPath, Auth};
use super::lockout::{Fingerprint, Role};
use crate::surroundings::{self, Surroundings};

/// A login call, ready to be sent.
pub(super) struct Login {
    pub(super) method: Method,
    pub(super) path: ApiPath,
    pub(super) body: Zeroizing<Vec<u8>>,
    /// Values that must not come back in words.
    pub(super) secrets: Vec<Zeroizing<String>>,
    /// The object to look at when the credentials are refused.
    pub(super) credentials: Blame,
    /// Where wrong tries count, and what tells these credentials from others.
    pub(super) counted: Option<(Role, Fingerprint)>,
}

/// The object to look at when the credentials are refused.
pub(super) fn credentials(auth: &Auth) -> Blame {
    match auth {
        Auth::Token(at) => Blame::Secret(at.name.clone()),
        Auth::AppRole { secret_id, .. } => Blame::Secret(secret_id.name.clone()),
        Auth::Kubernetes { jwt, .. } => kubernetes::blame(jwt),
        Auth::Certificate { secret: Some(name), .. } => Blame::Secret(name.clone()),
        Auth::Certificate { secret: None, .. } => Blame::Issuer,
        Auth::Aws { aws, .. } => aws::blame(aws),
    }
}

/// The most bytes of a login's body: room from the start, so that no copy of a secret is left behind by growing.
const BODY_ROOM: usize = 16 * 1024;

fn json(body: &impl Serialize) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(BODY_ROOM));
    // Strings and maps of strings always serialise.
    let written = serde_json::to_writer(&mut *bytes, body);
    debug_assert!(written.is_ok());
    bytes
}

/// Reads a text for a header or a body: at most this long, printable.
const LONGEST_CREDENTIAL: usize = 8 * 1024;

async fn credential(
    from: &dyn Surroundings,
    at: &surroundings::KeyRef,
) -> Result<Zeroizing<String>, Failure> {
    let text = surroundings::read_text(from, at).await?;
    if text.len() > LONGEST_CREDENTIAL || !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        let says = format!(
            "key {} of Secret {} is too long or holds characters that can't be printed",
            at.key, at.name
        );
        return Err(surroundings::unusable(&at.name, &says));
    }
    Ok(text)
}
