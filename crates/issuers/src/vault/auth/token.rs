//! A token given in a Secret: no login, only a look at the value before it is sent.
//! It never refuses a token for its form, except a JWT, which Vault would answer with a server fault.

use everleaf_core::failure::Failure;
use zeroize::Zeroizing;

use super::credential;
use crate::surroundings::{KeyRef, Surroundings, unusable};

/// Reads the token.
pub(in crate::vault) async fn read(
    from: &dyn Surroundings,
    at: &KeyRef,
) -> Result<Zeroizing<String>, Failure> {
    let token = credential(from, at).await?;
    if is_jwt(&token) {
        let says =
            format!("key {} of Secret {} holds a JWT where a Vault token is expected", at.key, at.name);
        return Err(unusable(&at.name, &says));
    }
    Ok(token)
}

/// A JWT sent as a token gives 500 on Vault, for ever (vault-measured 2). Two dots alone aren't one: tokens of a namespace end in a
/// dot and its id (vault-server 4.1); the header of a JWT is a JSON object, so it begins with `eyJ`.
pub(super) fn is_jwt(token: &str) -> bool {
    token.starts_with("eyJ") && token.split('.').count() == 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jwt_is_told_from_a_token_of_a_namespace() {
        assert!(is_jwt("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"));
        for token in ["hvs.CAESIJ", "hvs.CAESIJ.nsid1", "s.abc.nsid1", "root", "hvb.AAAAAQ", "a.b.c"] {
            assert!(!is_jwt(token), "{token}");
        }
    }
}
