//! AWS Signature Version 4, as far as a login to Vault needs it: one POST with a form, signed for STS. The steps are those of AWS's public
//! description "Create a signed AWS API request". It sends nothing; keys are wiped and never shown.

use aws_lc_rs::{digest, hmac};
use jiff::Timestamp;
use zeroize::Zeroizing;

/// AWS credentials.
pub(super) struct Credentials {
    pub(super) access_key: String,
    pub(super) secret_key: Zeroizing<String>,
    pub(super) session_token: Option<Zeroizing<String>>,
}

/// What is signed: headers with names in lower case, `host` among them.
pub(super) struct Unsigned<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: &'a str,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The headers with date, session token and signature added, sorted by name.
pub(super) fn signed(unsigned: Unsigned<'_>, by: &Credentials, now: Timestamp) -> Vec<(String, String)> {
    let moment = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = now.strftime("%Y%m%d").to_string();
    let mut headers = unsigned.headers;
    headers.push(("x-amz-date".to_owned(), moment.clone()));
    if let Some(token) = &by.session_token {
        headers.push(("x-amz-security-token".to_owned(), token.to_string()));
    }
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let canonical = Zeroizing::new(format!("POST\n/\n\n{lines}\n{names}\n{}", hash(unsigned.body)));
    let scope = format!("{day}/{}/{}/aws4_request", unsigned.region, unsigned.service);
    let to_sign = format!("{ALGORITHM}\n{moment}\n{scope}\n{}", hash(&canonical));
    let key = signing_key(&by.secret_key, &day, unsigned.region, unsigned.service);
    let signature = hex(mac(&key, &to_sign).as_ref());
    let authorization = format!(
        "{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        by.access_key
    );
    headers.push(("authorization".to_owned(), authorization));
    headers
}

fn signing_key(secret: &str, day: &str, region: &str, service: &str) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(format!("AWS4{secret}").into_bytes());
    for part in [day, region, service, "aws4_request"] {
        key = Zeroizing::new(mac(&key, part).as_ref().to_vec());
    }
    key
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hash(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(session_token: Option<&str>) -> Credentials {
        Credentials {
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: Zeroizing::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
            session_token: session_token.map(|token| Zeroizing::new(token.to_owned())),
        }
    }

    /// AWS's published example of deriving a signing key.
    #[test]
    fn the_signing_key_is_that_of_awss_example() {
        let key = signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "iam");
        assert_eq!(hex(&key), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
    }

    /// AWS's published test suite, case `post-vanilla`.
    #[test]
    fn a_post_is_signed_as_in_awss_test_suite() -> Result<(), jiff::Error> {
        let unsigned = Unsigned {
            region: "us-east-1",
            service: "service",
            headers: vec![("host".to_owned(), "example.amazonaws.com".to_owned())],
            body: "",
        };
        let headers = signed(unsigned, &example(None), "2015-08-30T12:36:00Z".parse()?);
        let last = headers.last().map(|(name, value)| (name.as_str(), value.as_str()));
        let wanted = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, \
                      Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
        assert_eq!(last, Some(("authorization", wanted)));
        Ok(())
    }
}
