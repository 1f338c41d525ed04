//! Issuers and chains: no default, no key, no usage, the end of a CA, intermediates, CA files.
//! Sections 2 and 3.3 of the two studies.
//! CAs that must be the same on both servers are made here and imported.

use std::time::Duration;

use everleaf_practice::{CaKeyKind, Workshop};
use serde_json::{Value, json};

use super::csrs::{web, with_csr};
use super::{Call, Case, Expect, case, error, get, post};

fn mount() -> Vec<Call> {
    vec![
        post("sys/mounts/pki{n}", json!({"type": "pki", "config": {"max_lease_ttl": "87600h"}})),
        post("pki{n}/roles/web", json!({"allow_any_name": true, "key_type": "any", "max_ttl": "72h"})),
    ]
}

fn with_root(ttl: &str) -> Vec<Call> {
    let root = json!({"common_name": "test", "ttl": ttl, "key_type": "ec"});
    [mount(), vec![post("pki{n}/root/generate/internal", root).keep("issuer", "/data/issuer_id")]].concat()
}

fn sign(fields: Value) -> Call {
    post("pki{n}/sign/web", with_csr(web(), fields))
}

const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn workshop() -> Workshop {
    Workshop::new(5, "outer root", CaKeyKind::P256, jiff::Timestamp::now(), YEAR).unwrap()
}

fn fetch(why: &str) -> String {
    format!("1 error occurred:\n\t* could not fetch the CA certificate (was one set?): {why}\n\n")
}

pub fn cases() -> Vec<Case> {
    [issuers(), ends(), chains(), files(), other_calls()].into_iter().flatten().collect()
}

fn issuers() -> Vec<Case> {
    let unusable = json!({"usage": "read-only,crl-signing", "issuer_name": "x"});
    vec![
        case(
            "no issuer",
            mount(),
            sign(json!({})),
            error(500, &fetch("no default issuer currently configured")),
        ),
        case(
            "issuer of the path unknown",
            with_root("700h"),
            post("pki{n}/issuer/nope/sign/web", with_csr(web(), json!({}))),
            error(500, &fetch("unable to find PKI issuer for reference: nope")),
        ),
        case(
            "issuer of the role unknown",
            [
                with_root("700h"),
                vec![post(
                    "pki{n}/roles/web",
                    json!({"allow_any_name": true, "key_type": "any", "issuer_ref": "nope"}),
                )],
            ]
            .concat(),
            sign(json!({})),
            error(500, &fetch("unable to find PKI issuer for reference: nope")),
        ),
        case(
            "default issuer deleted",
            [with_root("700h"), vec![super::delete("pki{n}/issuer/default")]].concat(),
            sign(json!({})),
            error(500, &fetch("no default issuer currently configured")),
        ),
        case(
            "issuer without its usage",
            [with_root("700h"), vec![post("pki{n}/issuer/default", unusable)]].concat(),
            sign(json!({})),
            Expect::Status(500),
        ),
        case(
            "bad csr and no issuer: the issuer is told",
            mount(),
            post("pki{n}/sign/web", json!({"csr": "x"})),
            error(500, &fetch("no default issuer currently configured")),
        ),
        case(
            "bad format and no issuer: the format is told",
            mount(),
            sign(json!({"format": "p12"})),
            error(400, "the \"format\" path parameter must be \"pem\", \"der\", or \"pem_bundle\""),
        ),
    ]
}

fn ends() -> Vec<Case> {
    let behaviour = |word: &str| {
        post("pki{n}/issuer/default", json!({"issuer_name": "x", "leaf_not_after_behavior": word}))
    };
    vec![
        case("CA ends before the leaf", with_root("1h"), sign(json!({"ttl": "2h"})), Expect::Status(400)),
        case("CA ends after the leaf", with_root("3h"), sign(json!({"ttl": "2h"})), Expect::Status(200)),
        case(
            "CA ends before the leaf, truncate",
            [with_root("1h"), vec![behaviour("truncate")]].concat(),
            sign(json!({"ttl": "2h"})),
            Expect::Status(200),
        ),
        case(
            "CA ends before the leaf, permit",
            [with_root("1h"), vec![behaviour("permit")]].concat(),
            sign(json!({"ttl": "2h"})),
            Expect::Status(200),
        ),
        case(
            "CA expired, truncate",
            [with_root("1s"), vec![behaviour("truncate")]].concat(),
            sign(json!({"ttl": "2h"})).after(Duration::from_millis(2500)),
            Expect::Status(200),
        ),
        case(
            "CA expired, err",
            with_root("1s"),
            sign(json!({"ttl": "2h"})).after(Duration::from_millis(2500)),
            Expect::Status(400),
        ),
    ]
}

fn chains() -> Vec<Case> {
    let mut root = workshop();
    let inner = root.intermediate("inner", CaKeyKind::P256, YEAR).unwrap();
    let (root, inner) = (root.ca(), inner.ca());
    let inner_bundle = format!("{}{}", inner.key_pem.as_str(), inner.certificate_pem);
    let both = format!("{inner_bundle}{}", root.certificate_pem);
    let imported =
        |bundle: &str| [mount(), vec![post("pki{n}/config/ca", json!({"pem_bundle": bundle}))]].concat();
    let length = |name: &'static str, bundle: &str, fields: Value| {
        case(name, imported(bundle), sign(fields), Expect::Status(200))
    };
    vec![
        length("an intermediate without its root", &inner_bundle, json!({"ttl": "1h"})),
        length("an intermediate with its root", &both, json!({"ttl": "1h"})),
        length("the same without roots", &both, json!({"ttl": "1h", "remove_roots_from_chain": true})),
        case(
            "an issuer without its key",
            imported(&root.certificate_pem),
            post("pki{n}/issuer/default/sign/web", with_csr(web(), json!({}))),
            Expect::Status(500),
        ),
    ]
}

fn files() -> Vec<Case> {
    vec![
        case("ca/pem", with_root("700h"), get("pki{n}/ca/pem").by_nobody(), Expect::Status(200)),
        case("ca/pem without an issuer", mount(), get("pki{n}/ca/pem").by_nobody(), Expect::Empty(204)),
        case("ca_chain without an issuer", mount(), get("pki{n}/ca_chain").by_nobody(), Expect::Empty(204)),
        case("ca_chain", with_root("700h"), get("pki{n}/ca_chain").by_nobody(), Expect::Status(200)),
    ]
}

fn other_calls() -> Vec<Case> {
    vec![
        case(
            "a role is written",
            with_root("700h"),
            post("pki{n}/roles/other", json!({"allow_any_name": true, "key_type": "any", "max_ttl": "72h"})),
            Expect::Json(200, vec![("/data/max_ttl", json!(259_200))]),
        ),
        case(
            "a role is read",
            with_root("700h"),
            get("pki{n}/roles/web"),
            Expect::Json(200, vec![("/data/key_type", json!("any"))]),
        ),
        case(
            "a role that isn't there is read",
            with_root("700h"),
            get("pki{n}/roles/nope"),
            Expect::NoErrors(404),
        ),
        case("a role is deleted", with_root("700h"), super::delete("pki{n}/roles/web"), Expect::Empty(204)),
        case(
            "a deleted role",
            [with_root("700h"), vec![super::delete("pki{n}/roles/web")]].concat(),
            sign(json!({})),
            error(400, "unknown role: web"),
        ),
        case(
            "sign-verbatim",
            with_root("700h"),
            post("pki{n}/sign-verbatim", with_csr(web(), json!({"ttl": "1h"}))),
            Expect::Status(200),
        ),
        case(
            "issue with an EC role",
            [
                with_root("700h"),
                vec![post("pki{n}/roles/web", json!({"allow_any_name": true, "key_type": "ec"}))],
            ]
            .concat(),
            post("pki{n}/issue/web", json!({"common_name": "web.example.com", "ttl": "1h"})),
            Expect::Status(200),
        ),
        case(
            "issue without a key type",
            with_root("700h"),
            post("pki{n}/issue/web", json!({"common_name": "web.example.com", "ttl": "1h"})),
            error(400, "role key type \"any\" not allowed for issuing certificates, only signing"),
        ),
        case(
            "sign-intermediate",
            with_root("700h"),
            post(
                "pki{n}/root/sign-intermediate",
                with_csr(web(), json!({"common_name": "inner", "ttl": "1h"})),
            ),
            Expect::Status(200),
        ),
        case(
            "sign-intermediate with the request's names",
            with_root("700h"),
            post(
                "pki{n}/root/sign-intermediate",
                with_csr(web(), json!({"use_csr_values": true, "ttl": "1h"})),
            ),
            Expect::Status(200),
        ),
        case(
            "sign-intermediate without a name",
            with_root("700h"),
            post("pki{n}/root/sign-intermediate", with_csr(web(), json!({"ttl": "1h"}))),
            Expect::Status(200),
        ),
        case(
            "sign-intermediate of an issuer",
            with_root("700h"),
            post(
                "pki{n}/issuer/default/sign-intermediate",
                with_csr(web(), json!({"common_name": "inner", "ttl": "1h"})),
            ),
            Expect::Status(200),
        ),
        case(
            "rate limited",
            [
                with_root("700h"),
                vec![
                    post(
                        "sys/quotas/rate-limit/q{n}",
                        json!({"path": "pki{n}/", "rate": 1, "interval": "60s"}),
                    ),
                    sign(json!({"ttl": "1h"})),
                ],
            ]
            .concat(),
            sign(json!({"ttl": "1h"})),
            error(429, "request path \"pki{n}/sign/web\": rate limit quota exceeded"),
        ),
        case(
            "rate limited before the token is looked at",
            [
                with_root("700h"),
                vec![
                    post(
                        "sys/quotas/rate-limit/q{n}",
                        json!({"path": "pki{n}/", "rate": 1, "interval": "60s"}),
                    ),
                    sign(json!({"ttl": "1h"})),
                ],
            ]
            .concat(),
            sign(json!({"ttl": "1h"})).by("hvs.nope"),
            error(429, "request path \"pki{n}/sign/web\": rate limit quota exceeded"),
        ),
        case(
            "lease-count quota",
            vec![],
            post("sys/quotas/lease-count/q{n}", json!({"max_leases": 5})),
            error(404, "enterprise-only feature"),
        ),
    ]
}
