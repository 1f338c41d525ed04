//! JSON Web Tokens, as far as the Kubernetes and JWT methods look into them.
//! Parsing never panics on foreign text; signatures are checked with aws-lc (RS256, ES256, EdDSA).
//! The token itself is not kept in any error.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use der::Decode;
use serde_json::{Map, Value};

use crate::pki::reading::pem_blocks;

/// A token taken apart, its signature not checked.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) claims: Map<String, Value>,
    pub(crate) kid: String,
    alg: String,
    signed_length: usize,
    signature: Vec<u8>,
}

/// Takes a token apart.
pub(crate) fn take_apart(token: &str) -> Option<Parts> {
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let object = |text: &str| -> Option<Map<String, Value>> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    };
    let (header_fields, claims) = (object(header)?, object(payload)?);
    let text = |name| header_fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Parts {
        claims,
        kid: text("kid"),
        alg: text("alg"),
        signed_length: header.len() + 1 + payload.len(),
        signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
    })
}

impl Parts {
    pub(crate) fn text(&self, claim: &str) -> &str {
        self.claims.get(claim).and_then(Value::as_str).unwrap_or_default()
    }

    /// Seconds since 1970 of a time claim.
    pub(crate) fn seconds(&self, claim: &str) -> Option<i64> {
        let value = self.claims.get(claim)?;
        value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
    }

    /// The audiences, whether written as a list or as one text.
    pub(crate) fn audiences(&self) -> Vec<String> {
        match self.claims.get("aud") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether this key (SubjectPublicKeyInfo, PEM) made the signature of the token.
    pub(crate) fn signed_by(&self, token: &str, public_key_pem: &str) -> bool {
        let block = pem_blocks(public_key_pem).into_iter().next();
        let key = block.and_then(|(_, der)| spki::SubjectPublicKeyInfoOwned::from_der(&der).ok());
        let Some(key) = key else { return false };
        let Some(algorithm) = algorithm(&self.alg) else { return false };
        let message = token.get(..self.signed_length).unwrap_or_default();
        let key = UnparsedPublicKey::new(algorithm, key.subject_public_key.raw_bytes());
        key.verify(message.as_bytes(), &self.signature).is_ok()
    }

    /// The time claims against a clock, with this leeway; the text names the claim (vault-measured 3).
    pub(crate) fn check_times(&self, now: i64, leeway: i64) -> Result<(), &'static str> {
        if self.seconds("exp").is_some_and(|exp| now > exp.saturating_add(leeway)) {
            return Err("invalid expiration time (exp) claim: token is expired");
        }
        if self.seconds("nbf").is_some_and(|nbf| now < nbf.saturating_sub(leeway)) {
            return Err("invalid not before (nbf) claim: token not yet valid");
        }
        if self.seconds("iat").is_some_and(|iat| now < iat.saturating_sub(leeway)) {
            return Err("invalid issued at (iat) claim: token issued in the future");
        }
        Ok(())
    }
}

fn algorithm(name: &str) -> Option<&'static dyn VerificationAlgorithm> {
    match name {
        "RS256" => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        "ES256" => Some(&signature::ECDSA_P256_SHA256_FIXED),
        "EdDSA" => Some(&signature::ED25519),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_not_a_token() {
        for text in ["", "a.b", "a.b.c", "..", "a.b.c.d", "\u{1F980}.\u{1F980}.\u{1F980}"] {
            assert!(take_apart(text).is_none(), "{text}");
        }
    }

    #[test]
    fn claims_are_read_without_the_key() {
        let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let token = format!(
            "{}.{}.{}",
            part(r#"{"alg":"RS256","kid":"k"}"#),
            part(r#"{"aud":"vault","exp":100}"#),
            part("sig")
        );
        let parts = take_apart(&token)
            .map(|parts| (parts.kid.clone(), parts.audiences(), parts.check_times(200, 60)));
        assert_eq!(
            parts,
            Some((
                "k".into(),
                vec!["vault".into()],
                Err("invalid expiration time (exp) claim: token is expired")
            ))
        );
    }
}
