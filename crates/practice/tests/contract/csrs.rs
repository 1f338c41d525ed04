//! Certificate requests for the contract: made from a seed, damaged on purpose, or fixtures where the crate has no such keys.
//! The fixtures were made with openssl 3; their private keys were thrown away.
//! None of the names exist.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use everleaf_practice::{CaKeyKind, RequestNames, certificate_request};
use serde_json::{Value, json};

pub const RSA_2048: &str = "-----BEGIN CERTIFICATE REQUEST-----
MIICjDCCAXQCAQAwGjEYMBYGA1UEAwwPd2ViLmV4YW1wbGUuY29tMIIBIjANBgkq
hkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxnLhg/XkyQt+okD1WZxKFJd+TxBRdH9J
rFzzNQd1vQjsgj+rqUOggmaxniSsRF994cxtVvc8MLVtsA7cMNTxlgmVrm1jycJm
1NP1TledBxXfxFqKThoxwn1iDqJlrDG8bVUPfZ6bY52teRfD9HxQLNprZcqLi6oC
vuYNj3sBns1Rb1dDndi2y3cBnjRAQ4hCmMX9n+laFCw5SS1xYq/TSdceuk8+Nvp/
1D7WY6W2keUIPl/u2yWDI7osmNG4DQCd24nowbBe08G6ohZYJ02JQYyOSy6s4TyF
EiEN+cWPQmsvnCxXKIKNWRk7FU/JJ/vBy7zavaTjD/Qlv8m5eDKJBwIDAQABoC0w
KwYJKoZIhvcNAQkOMR4wHDAaBgNVHREEEzARgg93ZWIuZXhhbXBsZS5jb20wDQYJ
KoZIhvcNAQELBQADggEBAF5176IDc+O/jYO055NLlyNSFX1j+vUnoEEgiBNWHD9S
8Fa39JM4ZQo2ZXqCb+JLx6s/zQxzxjaBAd8ZDdevFQX3x944ZzbZIB07tsLurUtX
6huF0x8aLlMEQy/Yu0jm/Yur0onvL/ZRYwosIvCxTb4nMGB+j5KVDUAP9ZhS+yZZ
kOSFva5PRUY7Dy+Vqr1YjFAll4dWvXh8ofYzHLXp0MkzjFbkF2LqeR4ot9sMNOLD
j0DJaW6i7HKYzRXE0qM5fQjh/obN2WDRiqqYrPE+e2vOrHq2+Qw4PnUZYI0Md48f
Z9yOpE8qoeVgq3YHVjC7Qmil9NkCD3wscAPodCBN7L4=
-----END CERTIFICATE REQUEST-----
";

pub const RSA_1024: &str = "-----BEGIN CERTIFICATE REQUEST-----
MIIBWTCBwwIBADAaMRgwFgYDVQQDDA93ZWIuZXhhbXBsZS5jb20wgZ8wDQYJKoZI
hvcNAQEBBQADgY0AMIGJAoGBAMgDBHaHdR5ObYIm1oZyGtWSa0TC8NNn6ckKeO1F
TRSOs8hg9UQ6beZPNe5zsMEjQGuUvkfOOZYguOcewk25QUccNzp1ChQ7GKpiZjlL
oMLxJupVhRuX+XWMv9EzSvcoBZHQ45doHMl2T9TLfwASDpjX39bhUj1Vfq8M1NQS
SWKdAgMBAAGgADANBgkqhkiG9w0BAQsFAAOBgQCi7wfVyFwBnulkXaWHGsUmXqWD
eP1VgFd++8RaCFLAMjXtZh+tJ8aK0HI+pvdMo3jiKA5JnQ6EWiJZZt2XOEbzyun+
mdpA9ewroKFfNUajmRJcmYtpZgEddbTV8SUK4Wr4sKp/+r9CeaGa1OdJ+AiyXlMf
p028pCsrO2CFJF+WQg==
-----END CERTIFICATE REQUEST-----
";

pub const SECP256K1: &str = "-----BEGIN CERTIFICATE REQUEST-----
MIHRMHkCAQAwGjEYMBYGA1UEAwwPd2ViLmV4YW1wbGUuY29tMFYwEAYHKoZIzj0C
AQYFK4EEAAoDQgAEsmttkvLkothrKVMA5KSzWkPPfwjmIPfykiKI2qwVt7AWFyg5
nbfSyRJBEKizgYf3Vhq4mr+BNmCp9uSnVDwkXaAAMAoGCCqGSM49BAMCA0gAMEUC
IQD1j3LHKSWo6gjNbKPJoYwzrY4mHqo4V+e+A4krfiCakgIgd7iGu6l2cs6NANAS
G+tp4jGpDjV34QSe/3pb7ZSSpK8=
-----END CERTIFICATE REQUEST-----
";

/// The seed of the keys; any will do.
const SEED: u64 = 11;

/// A request with names of one's own.
pub fn request(change: impl FnOnce(&mut RequestNames)) -> String {
    let mut names = RequestNames::default();
    change(&mut names);
    certificate_request(SEED, CaKeyKind::P256, &names).unwrap().pem
}

pub fn host(name: &str) -> String {
    certificate_request(SEED, CaKeyKind::P256, &RequestNames::host(name)).unwrap().pem
}

pub fn web() -> String {
    host("web.example.com")
}

pub fn ed25519() -> String {
    certificate_request(SEED, CaKeyKind::Ed25519, &RequestNames::host("web.example.com")).unwrap().pem
}

/// The bytes of the first PEM block.
pub fn der_of(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body).unwrap()
}

fn pem_of(der: &[u8]) -> String {
    format!(
        "-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n",
        STANDARD.encode(der)
    )
}

/// A request whose signature is another's: still DER, but not over these bytes.
pub fn badly_signed_host(name: &str) -> String {
    let names = RequestNames::host(name);
    let good = certificate_request(SEED, CaKeyKind::Ed25519, &names).unwrap();
    let mut der = der_of(&good.pem);
    // An Ed25519 signature is the last 64 bytes; any bytes are one in form.
    let last = der.len() - 1;
    der[last] ^= 1;
    pem_of(&der)
}

pub fn badly_signed() -> String {
    badly_signed_host("web.example.com")
}

/// A request with a byte too much.
pub fn trailing() -> String {
    let mut der = der_of(&web());
    der.push(0);
    pem_of(&der)
}

/// These fields and this request.
pub fn with_csr(csr: String, mut fields: Value) -> Value {
    fields["csr"] = json!(csr);
    fields
}
