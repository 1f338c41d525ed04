//! Random requests never make the practice Vault panic, and every answer is one: a status it may give, JSON where it says so.
//! Paths, bodies and headers are put together from pieces that mean something and from garbage.
//! The seed of a failing run is printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use bytes::Bytes;
use common::*;
use everleaf_practice::{Chance, Deed, Options, Practice, Product, Scene, furnish, whole_body};
use http::Request;

const METHODS: [&str; 8] = ["GET", "POST", "PUT", "DELETE", "LIST", "PATCH", "HEAD", "FOO"];
const PIECES: [&str; 34] = [
    "sys",
    "auth",
    "pki",
    "sign",
    "issue",
    "sign-verbatim",
    "web",
    "approle",
    "login",
    "role",
    "everleaf",
    "token",
    "lookup-self",
    "renew-self",
    "revoke-self",
    "create",
    "health",
    "mounts",
    "policies",
    "acl",
    "issuer",
    "default",
    "ca",
    "pem",
    "roles",
    "internal",
    "ui",
    "wrapping",
    "unwrap",
    "quotas",
    "rate-limit",
    "..",
    "",
    "%zz%00",
];
const KEYS: [&str; 16] = [
    "csr",
    "ttl",
    "common_name",
    "role_id",
    "secret_id",
    "jwt",
    "role",
    "policy",
    "paths",
    "increment",
    "not_after",
    "format",
    "rate",
    "path",
    "token",
    "type",
];
const VALUES: [&str; 16] = [
    "\"\"",
    "0",
    "-1",
    "1e400",
    "null",
    "true",
    "[]",
    "{}",
    "\"1h\"",
    "\"9999999999999999999d\"",
    "\"a.b.c\"",
    "[\"a\",1,null]",
    "\"path \\\"x\\\" {\"",
    "\"9999-12-31T23:59:59Z\"",
    "\"\\u0000\"",
    "99999999999999999999",
];

struct Dice(Chance);

impl Dice {
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.0.below(from.len() as u64) as usize]
    }

    fn path(&mut self) -> String {
        let length = 1 + self.0.below(6);
        let pieces: Vec<&str> = (0..length).map(|_| self.pick(&PIECES)).collect();
        format!("/v1/{}", pieces.join("/"))
    }

    fn body(&mut self, csr: &str) -> Vec<u8> {
        match self.0.below(6) {
            0 => self.0.bytes::<40>().to_vec(),
            1 => Vec::new(),
            _ => {
                let members = self.0.below(5);
                let mut text: Vec<String> = (0..members)
                    .map(|_| format!("\"{}\":{}", self.pick(&KEYS), self.pick(&VALUES)))
                    .collect();
                if self.0.below(3) == 0 {
                    text.push(format!("\"csr\":{}", serde_json::Value::from(csr)));
                }
                format!("{{{}}}", text.join(",")).into_bytes()
            }
        }
    }
}

async fn rounds(seed: u64, product: Product) {
    let practice = Practice::new(Options::simulated(seed).speaking_as(product));
    let furnished = furnish(&practice, &Scene::default()).unwrap();
    let mut dice = Dice(Chance::new(seed).fork("fuzz"));
    for round in 0..3_000 {
        let token = [furnished.token.as_str(), "root", "", "a.b.c", "hvb.*"][dice.0.below(5) as usize];
        let mut csr = csr().into_bytes();
        // A request with a byte turned: PEM and DER readers meet every kind of damage.
        let index = dice.0.below(csr.len() as u64) as usize;
        csr[index] = b'A' + dice.0.below(26) as u8;
        let body = dice.body(&String::from_utf8_lossy(&csr));
        let (method, path) = (dice.pick(&METHODS), dice.path());
        let request = Request::builder().method(method).uri(&path).header("x-vault-token", token);
        let request = request.body(Bytes::from(body)).unwrap();
        let answer =
            practice.call(request).await.unwrap_or_else(|error| panic!("seed {seed} {round}: {error}"));
        let (status, headers, body) = whole_body(answer).await.unwrap();
        let said = format!("seed {seed}, round {round}: {method} {path}: {status} {body:?}");
        assert!((200..600).contains(&status.as_u16()), "{said}");
        let json = headers.get("content-type").is_some_and(|kind| kind == "application/json");
        if json && !body.is_empty() {
            assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok(), "{said}");
        }
        // What a lucky call has sealed or deleted comes back, so that later rounds get somewhere.
        practice.perform(&Deed::Unseal);
    }
}

#[tokio::test(start_paused = true)]
async fn random_requests_are_answered() {
    for seed in 0..3 {
        rounds(seed, Product::Vault).await;
        rounds(seed, Product::OpenBao).await;
    }
}
