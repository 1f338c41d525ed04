//! A stand-in STS that really checks: the SigV4 signature of a GetCallerIdentity request, with a known key pair.
//! Follows AWS' published description of Signature Version 4; only what that one call needs.
//! The secret key is wiped after use and never shown.

use std::fmt;

use aws_lc_rs::{digest, hmac};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::outside::{StsAnswer, StsCall};

/// An AWS account with one key pair, as the stand-in STS knows it.
pub struct AwsAccount {
    /// The access key id.
    pub access_key: String,
    /// The secret access key.
    pub secret_key: Zeroizing<String>,
    /// The session token that must come along, if the credentials are temporary.
    pub session_token: Option<Zeroizing<String>>,
    /// Who the key pair belongs to.
    pub arn: String,
    /// The clock that signatures are compared with.
    pub clock: Clock,
}

impl fmt::Debug for AwsAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwsAccount {{ {} }}", self.arn)
    }
}

/// How old or young a signature may be.
const SIGNATURE_LIFE_SECONDS: i64 = 15 * 60;

impl AwsAccount {
    /// What STS says to this request.
    pub(crate) fn check(&self, call: &StsCall) -> StsAnswer {
        match self.verdict(call) {
            Ok(()) => StsAnswer::Identity { arn: self.arn.clone() },
            Err(says) => StsAnswer::Refused { status: 403, says: says.to_owned() },
        }
    }

    fn verdict(&self, call: &StsCall) -> Result<(), &'static str> {
        let header = |name: &str| {
            call.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
        };
        if !call.body.contains("Action=GetCallerIdentity") {
            return Err("InvalidAction");
        }
        let authorization = Authorization::read(header("authorization")).ok_or("IncompleteSignature")?;
        if authorization.access_key != self.access_key {
            return Err("InvalidClientTokenId");
        }
        let session = self.session_token.as_ref().map_or("", |token| token.as_str());
        if header("x-amz-security-token") != session {
            return Err("InvalidClientTokenId");
        }
        let date = header("x-amz-date");
        let age = self.clock.now().as_second() - signed_at(date).ok_or("IncompleteSignature")?.as_second();
        if age.abs() > SIGNATURE_LIFE_SECONDS {
            return Err("SignatureDoesNotMatch: Signature expired");
        }
        let wanted = self.signature(call, &authorization, date).ok_or("IncompleteSignature")?;
        if wanted == authorization.signature { Ok(()) } else { Err("SignatureDoesNotMatch") }
    }

    fn signature(&self, call: &StsCall, authorization: &Authorization<'_>, date: &str) -> Option<String> {
        let canonical = canonical_request(call, authorization)?;
        let scope = authorization.scope.join("/");
        let to_sign =
            format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(sha256(canonical.as_bytes()).as_ref()));
        let mut key = Zeroizing::new(format!("AWS4{}", self.secret_key.as_str()).into_bytes());
        for part in &authorization.scope {
            key = Zeroizing::new(hmac_sha256(&key, part.as_bytes()));
        }
        Some(hex(&hmac_sha256(&key, to_sign.as_bytes())))
    }
}

struct Authorization<'a> {
    access_key: &'a str,
    /// Date, region, service, `aws4_request`.
    scope: Vec<&'a str>,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn read(text: &'a str) -> Option<Authorization<'a>> {
        let parts = text.strip_prefix("AWS4-HMAC-SHA256")?;
        let part =
            |name: &str| parts.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        let (access_key, scope) = part("Credential")?.split_once('/')?;
        Some(Authorization {
            access_key,
            scope: scope.split('/').collect(),
            signed_headers: part("SignedHeaders")?.split(';').collect(),
            signature: part("Signature")?,
        })
    }
}

fn canonical_request(call: &StsCall, authorization: &Authorization<'_>) -> Option<String> {
    let rest = call.url.split_once("://")?.1;
    let (host, path) =
        rest.split_once('/').map_or((rest, "/".to_owned()), |(host, path)| (host, format!("/{path}")));
    let (path, query) = path.split_once('?').map_or((path.as_str(), ""), |(path, query)| (path, query));
    let mut canonical = format!("{}\n{path}\n{query}\n", call.method);
    for name in &authorization.signed_headers {
        let value = call.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim());
        let value = value.or_else(|| (*name == "host").then_some(host))?;
        canonical.push_str(&format!("{name}:{value}\n"));
    }
    let signed = authorization.signed_headers.join(";");
    canonical.push_str(&format!("\n{signed}\n{}", hex(sha256(call.body.as_bytes()).as_ref())));
    Some(canonical)
}

fn signed_at(text: &str) -> Option<Timestamp> {
    let civil = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

fn sha256(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, bytes)
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;

    const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

    fn account(now: &str) -> AwsAccount {
        let now: Timestamp = now.parse().unwrap();
        AwsAccount {
            access_key: "AKIDEXAMPLE".into(),
            secret_key: Zeroizing::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into()),
            session_token: None,
            arn: "arn:aws:iam::1:role/app".into(),
            clock: Clock::new(Arc::new(move || now)),
        }
    }

    fn call(account: &AwsAccount) -> StsCall {
        let mut call = StsCall {
            method: "POST".into(),
            url: "https://sts.us-east-1.amazonaws.com/".into(),
            headers: vec![("x-amz-date".into(), "20260101T000000Z".into())],
            body: BODY.into(),
        };
        let unsigned = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/sts/aws4_request, SignedHeaders=host;x-amz-date, Signature=";
        let authorization = Authorization::read(unsigned).unwrap();
        let signature = account.signature(&call, &authorization, "20260101T000000Z").unwrap();
        call.headers.push(("authorization".into(), format!("{unsigned}{signature}")));
        call
    }

    #[test]
    fn a_request_is_judged_by_signature_and_age() {
        let good = account("2026-01-01T00:05:00Z");
        let signed = call(&good);
        assert!(matches!(good.check(&signed), StsAnswer::Identity { .. }));
        let mut tampered = signed.clone();
        tampered.body.push('&');
        assert!(matches!(good.check(&tampered), StsAnswer::Refused { status: 403, .. }));
        assert!(matches!(account("2026-01-01T01:00:00Z").check(&signed), StsAnswer::Refused { .. }));
    }

    /// The example key of AWS' documentation of the signing key, which pins the derivation to theirs.
    #[test]
    fn the_signing_key_is_derived_as_aws_documents_it() {
        let mut key = b"AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_vec();
        for part in ["20150830", "us-east-1", "iam", "aws4_request"] {
            key = hmac_sha256(&key, part.as_bytes());
        }
        assert_eq!(hex(&key), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
    }
}
