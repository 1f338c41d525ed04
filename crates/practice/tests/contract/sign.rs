//! Signing: names, keys, lives, formats, by the role's rules (vault-server 3.4, vault-measured 2).
//! The order of the checks is part of the contract: cases with two faults are among them.
//! Requests are made by the practice crate's own writer, RSA ones are fixtures.

use serde_json::{Value, json};

use super::csrs::{self, request, with_csr};
use super::{Call, Case, Expect, case, error, post};

fn pki(role: Value) -> Vec<Call> {
    vec![
        post("sys/mounts/pki{n}", json!({"type": "pki", "config": {"max_lease_ttl": "87600h"}})),
        post(
            "pki{n}/root/generate/internal",
            json!({"common_name": "test", "ttl": "87600h", "key_type": "ec"}),
        ),
        post("pki{n}/roles/web", role),
    ]
}

fn any() -> Value {
    json!({"allow_any_name": true, "key_type": "any", "max_ttl": "72h"})
}

fn domain() -> Value {
    json!({"allowed_domains": ["example.com"], "allow_subdomains": true, "key_type": "any", "allow_ip_sans": false})
}

fn any_with(more: Value) -> Value {
    let mut role = any();
    role.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    role
}

fn signs(name: &'static str, role: Value, csr: String, fields: Value, expect: Expect) -> Case {
    case(name, pki(role), post("pki{n}/sign/web", with_csr(csr, fields)), expect)
}

fn ok() -> Expect {
    Expect::Status(200)
}

fn warned(warnings: Value) -> Expect {
    Expect::Json(200, vec![("/warnings", warnings)])
}

pub fn cases() -> Vec<Case> {
    [good(), names(), by_api(), keys(), lives(), formats(), requests()].into_iter().flatten().collect()
}

fn good() -> Vec<Case> {
    let cut = "TTL \"720h0m0s\" is longer than permitted maxTTL \"72h0m0s\", so maxTTL is being used";
    vec![
        signs("signed", any(), csrs::web(), json!({"ttl": "1h"}), warned(json!(null))),
        signs("signed with Ed25519", any(), csrs::ed25519(), json!({"ttl": "1h"}), ok()),
        signs("signed with RSA", any(), csrs::RSA_2048.to_owned(), json!({"ttl": "1h"}), ok()),
        signs("a life that is cut", any(), csrs::web(), json!({"ttl": "720h"}), warned(json!([cut, cut]))),
        signs(
            "an unknown field",
            any(),
            csrs::web(),
            json!({"ttl": "1h", "foo": "x"}),
            warned(json!(["Endpoint ignored these unrecognized parameters: [foo]"])),
        ),
        signs("no_store", any_with(json!({"no_store": true})), csrs::web(), json!({"ttl": "1h"}), ok()),
        signs(
            "generate_lease",
            any_with(json!({"generate_lease": true})),
            csrs::web(),
            json!({"ttl": "1h"}),
            ok(),
        ),
        case(
            "PUT",
            pki(any()),
            Call { method: "PUT", ..post("pki{n}/sign/web", with_csr(csrs::web(), json!({"ttl": "1h"}))) },
            ok(),
        ),
        signs(
            "what cert-manager sends",
            any(),
            csrs::web(),
            json!({
                "common_name": "web.example.com", "alt_names": "web.example.com", "ip_sans": "", "uri_sans": "",
                "ttl": "2160h0m0s", "exclude_cn_from_sans": "true",
            }),
            ok(),
        ),
    ]
}

fn names() -> Vec<Case> {
    let named = |name| csrs::host(name);
    vec![
        signs("name allowed", domain(), named("web.example.com"), json!({}), ok()),
        signs(
            "name refused",
            domain(),
            named("web.evil.org"),
            json!({}),
            error(400, "common name web.evil.org not allowed by this role"),
        ),
        signs(
            "bare domain refused",
            domain(),
            named("example.com"),
            json!({}),
            error(400, "common name example.com not allowed by this role"),
        ),
        signs(
            "underscore refused",
            domain(),
            named("a_b.example.com"),
            json!({}),
            error(400, "common name a_b.example.com not allowed by this role"),
        ),
        signs("wildcard allowed by default", domain(), named("*.example.com"), json!({}), ok()),
        signs("localhost allowed by default", domain(), named("localhost"), json!({}), ok()),
        signs(
            "host name refused",
            domain(),
            request(|names| {
                names.common_name = "web.example.com".into();
                names.dns = vec!["web.example.com".into(), "web.evil.org".into()];
            }),
            json!({}),
            error(400, "subject alternate name web.evil.org not allowed by this role"),
        ),
        signs(
            "e-mail refused",
            domain(),
            request(|names| {
                names.common_name = "web.example.com".into();
                names.emails = vec!["a@evil.org".into()];
            }),
            json!({}),
            error(400, "email address a@evil.org not allowed by this role"),
        ),
        signs(
            "address refused",
            domain(),
            request(|names| {
                names.common_name = "web.example.com".into();
                names.addresses = vec!["192.0.2.1".parse().unwrap()];
            }),
            json!({}),
            error(
                400,
                "IP Subject Alternative Names are not allowed in this role, but was provided some via CSR",
            ),
        ),
        signs(
            "address allowed",
            any(),
            request(|names| {
                names.common_name = "web.example.com".into();
                names.addresses = vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
            }),
            json!({}),
            ok(),
        ),
        signs(
            "URI refused",
            any(),
            request(|names| {
                names.common_name = "web.example.com".into();
                names.uris = vec!["spiffe://cluster.local/ns/a".into()];
            }),
            json!({}),
            error(
                400,
                "URI Subject Alternative Names are not allowed in this role, but were provided via CSR",
            ),
        ),
        signs(
            "URI of another form refused",
            any_with(json!({"allowed_uri_sans": ["spiffe://other/*"]})),
            request(|names| {
                names.common_name = "web.example.com".into();
                names.uris = vec!["spiffe://cluster.local/ns/a".into()];
            }),
            json!({}),
            error(
                400,
                "URI Subject Alternative Names were provided via CSR which are not valid for this role",
            ),
        ),
        signs(
            "URI allowed",
            any_with(json!({"allowed_uri_sans": ["spiffe://cluster.local/*"]})),
            request(|names| {
                names.common_name = "web.example.com".into();
                names.uris = vec!["spiffe://cluster.local/ns/a".into()];
            }),
            json!({}),
            ok(),
        ),
        signs(
            "no common name",
            any(),
            request(|names| names.dns = vec!["web.example.com".into()]),
            json!({}),
            error(
                400,
                "the common_name field is required, or must be provided in a CSR with \"use_csr_common_name\" set to true, unless \"require_cn\" is set to false",
            ),
        ),
        signs(
            "no common name needed",
            any_with(json!({"require_cn": false})),
            request(|names| names.dns = vec!["web.example.com".into()]),
            json!({}),
            ok(),
        ),
        signs("no name at all", any_with(json!({"require_cn": false})), request(|_| {}), json!({}), ok()),
        signs(
            "any name but enforced host names",
            any(),
            named("a_b"),
            json!({}),
            error(400, "common name a_b not allowed by this role"),
        ),
        signs(
            "any name, not enforced",
            any_with(json!({"enforce_hostnames": false})),
            named("a_b"),
            json!({}),
            ok(),
        ),
    ]
}

fn by_api() -> Vec<Case> {
    let fixed = || json!({"allowed_domains": ["example.com"], "allow_subdomains": true, "key_type": "any", "use_csr_common_name": false, "use_csr_sans": false, "max_ttl": "72h"});
    vec![
        signs(
            "common_name beside the CSR's",
            any(),
            csrs::web(),
            json!({"ttl": "1h", "common_name": "other.example.com"}),
            warned(json!([
                "the common_name field was provided but the role is set with \"use_csr_common_name\" set to true"
            ])),
        ),
        signs(
            "alt_names beside the CSR's",
            any(),
            csrs::web(),
            json!({"ttl": "1h", "alt_names": "a.example.com"}),
            warned(json!([
                "the alt_names field was provided but the role is set with \"use_csr_sans\" set to true"
            ])),
        ),
        signs(
            "ip_sans beside the CSR's are dropped in silence",
            any(),
            csrs::web(),
            json!({"ttl": "1h", "ip_sans": "not an address"}),
            warned(json!(null)),
        ),
        signs(
            "names by the API",
            fixed(),
            csrs::web(),
            json!({"ttl": "1h", "common_name": "a.example.com", "alt_names": "b.example.com"}),
            ok(),
        ),
        signs(
            "a refused name by the API",
            fixed(),
            csrs::web(),
            json!({"ttl": "1h", "common_name": "a.evil.org"}),
            error(400, "common name a.evil.org not allowed by this role"),
        ),
        signs(
            "a refused alternative by the API",
            fixed(),
            csrs::web(),
            json!({"ttl": "1h", "common_name": "a.example.com", "alt_names": "b.evil.org"}),
            error(400, "subject alternate name b.evil.org not allowed by this role"),
        ),
        signs(
            "no common name by the API",
            fixed(),
            csrs::web(),
            json!({"ttl": "1h"}),
            error(
                400,
                "the common_name field is required, or must be provided in a CSR with \"use_csr_common_name\" set to true, unless \"require_cn\" is set to false",
            ),
        ),
        signs(
            "a bad address by the API",
            fixed(),
            csrs::web(),
            json!({"ttl": "1h", "common_name": "a.example.com", "ip_sans": "x"}),
            error(400, "the value \"x\" is not a valid IP address"),
        ),
    ]
}

fn keys() -> Vec<Case> {
    let of = |kind: &str| any_with(json!({"key_type": kind}));
    vec![
        signs(
            "EC for a default role",
            json!({"allow_any_name": true}),
            csrs::web(),
            json!({}),
            error(400, "role requires keys of type rsa"),
        ),
        signs(
            "RSA for an EC role",
            of("ec"),
            csrs::RSA_2048.to_owned(),
            json!({}),
            error(400, "role requires keys of type ec"),
        ),
        signs(
            "Ed25519 for an EC role",
            of("ec"),
            csrs::ed25519(),
            json!({}),
            error(400, "role requires keys of type ec"),
        ),
        signs("Ed25519 for its role", of("ed25519"), csrs::ed25519(), json!({"ttl": "1h"}), ok()),
        signs(
            "P-256 for 384 bits",
            any_with(json!({"key_type": "ec", "key_bits": 384})),
            csrs::web(),
            json!({}),
            error(400, "role requires a minimum of a 384-bit key, but CSR's key is 256 bits"),
        ),
        signs(
            "RSA-2048 for 4096 bits",
            any_with(json!({"key_type": "rsa", "key_bits": 4096})),
            csrs::RSA_2048.to_owned(),
            json!({}),
            error(400, "role requires a minimum of a 4096-bit key, but CSR's key is 2048 bits"),
        ),
        signs(
            "RSA-1024",
            any(),
            csrs::RSA_1024.to_owned(),
            json!({}),
            error(400, "RSA keys < 2048 bits are unsafe and not supported"),
        ),
        signs(
            "wrong key and wrong name: the key is told",
            json!({"allowed_domains": ["example.com"]}),
            csrs::host("web.evil.org"),
            json!({}),
            error(400, "role requires keys of type rsa"),
        ),
    ]
}

fn lives() -> Vec<Case> {
    vec![
        signs(
            "ttl not parsable",
            any(),
            csrs::web(),
            json!({"ttl": "abc"}),
            error(
                400,
                "Field validation failed: error converting input for field \"ttl\": time: invalid duration \"abc\"",
            ),
        ),
        signs(
            "ttl negative",
            any(),
            csrs::web(),
            json!({"ttl": -5}),
            error(
                400,
                "Field validation failed: error converting input for field \"ttl\": cannot provide negative value '-5'",
            ),
        ),
        signs(
            "ttl and not_after",
            any(),
            csrs::web(),
            json!({"ttl": "1h", "not_after": "2028-01-01T00:00:00Z"}),
            error(
                400,
                "Either ttl or not_after should be provided. Both should not be provided in the same request.",
            ),
        ),
        signs(
            "not_after in the past",
            any(),
            csrs::web(),
            json!({"not_after": "2020-01-01T00:00:00Z"}),
            error(400, "notAfter before notBefore"),
        ),
        signs(
            "not_after not parsable",
            any(),
            csrs::web(),
            json!({"not_after": "tomorrow"}),
            error(
                400,
                "parsing time \"tomorrow\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"tomorrow\" as \"2006\"",
            ),
        ),
        signs(
            "not_after beyond the role's maximum",
            any(),
            csrs::web(),
            json!({"not_after": "2028-01-01T00:00:00Z"}),
            ok(),
        ),
        signs(
            "the role's own life",
            any_with(json!({"ttl": "2h"})),
            csrs::web(),
            json!({}),
            warned(json!(null)),
        ),
        signs(
            "bad ttl and bad name: the ttl is told",
            domain(),
            csrs::host("web.evil.org"),
            json!({"ttl": "abc"}),
            error(
                400,
                "Field validation failed: error converting input for field \"ttl\": time: invalid duration \"abc\"",
            ),
        ),
        signs(
            "bad name and two lives: the name is told",
            domain(),
            csrs::host("web.evil.org"),
            json!({"ttl": "1h", "not_after": "2028-01-01T00:00:00Z"}),
            error(400, "common name web.evil.org not allowed by this role"),
        ),
    ]
}

fn formats() -> Vec<Case> {
    let with = |format: &str| json!({"ttl": "1h", "format": format});
    vec![
        signs("der", any(), csrs::web(), with("der"), ok()),
        signs("pem_bundle", any(), csrs::web(), with("pem_bundle"), ok()),
        signs(
            "an unknown format",
            any(),
            csrs::web(),
            with("p12"),
            error(400, "the \"format\" path parameter must be \"pem\", \"der\", or \"pem_bundle\""),
        ),
        signs(
            "without roots",
            any(),
            csrs::web(),
            json!({"ttl": "1h", "remove_roots_from_chain": true}),
            Expect::Json(200, vec![("/data/ca_chain", json!(null))]),
        ),
    ]
}

fn requests() -> Vec<Case> {
    let refused = |name, csr: &str, text| signs(name, any(), csr.to_owned(), json!({}), error(400, text));
    vec![
        refused("csr empty", "", "\"csr\" is empty"),
        refused("csr not PEM", "nothing", "csr contains no data"),
        refused(
            "csr with broken base64",
            "-----BEGIN CERTIFICATE REQUEST-----\n%%%\n-----END CERTIFICATE REQUEST-----",
            "csr contains no data",
        ),
        signs(
            "csr with a bad signature",
            any(),
            csrs::badly_signed(),
            json!({}),
            error(400, "request signature invalid"),
        ),
        signs(
            "csr with trailing bytes",
            any(),
            csrs::trailing(),
            json!({}),
            error(400, "certificate request could not be parsed: asn1: syntax error: trailing data"),
        ),
        signs(
            "csr with a bad signature and a refused name: the name is told",
            domain(),
            csrs::badly_signed_host("web.evil.org"),
            json!({}),
            error(400, "common name web.evil.org not allowed by this role"),
        ),
        refused(
            "csr on secp256k1",
            csrs::SECP256K1,
            "certificate request could not be parsed: x509: unsupported elliptic curve",
        ),
    ]
}
