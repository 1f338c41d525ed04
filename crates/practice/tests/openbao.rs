//! Where OpenBao answers differently: the right-hand columns of vault-measured 2 to 4, in process.
//! Where both answer the same, the contract table speaks for both; a part of it is played here too.
//! No OpenBao server was at hand to compare with: these are the recorded answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod contract;

use contract::csrs::{host, request, web, with_csr};
use contract::{BARE, Call, Case, Expect, POLICY, Target, call, case, cases, error, fault_of, get, post};
use everleaf_practice::{Clock, Options, Outside, Practice, Product, Reviewer};
use serde_json::{Value, json};

fn bao() -> Practice {
    let outside = Outside { reviewer: Reviewer::Fails, ..Outside::default() };
    let options = Options { clock: Clock::tokio_from(jiff::Timestamp::now()), ..Options::new("root", 1) };
    Practice::new(options.speaking_as(Product::OpenBao).with_outside(outside))
}

fn pki() -> Vec<Call> {
    let role = json!({
        "allowed_domains": ["example.com"], "allow_subdomains": true, "key_type": "any", "max_ttl": "72h",
        "allow_ip_sans": false,
    });
    vec![
        post("sys/mounts/pki{n}", json!({"type": "pki", "config": {"max_lease_ttl": "87600h"}})),
        post("pki{n}/root/generate/internal", json!({"common_name": "test", "ttl": "87600h"})),
        post("pki{n}/roles/web", role),
    ]
}

fn sign(fields: Value) -> Call {
    post("pki{n}/sign/web", with_csr(web(), fields))
}

fn raw(body: &str) -> Call {
    post("pki{n}/sign/web", json!(null)).raw(body)
}

fn with_address() -> String {
    request(|names| {
        names.common_name = "web.example.com".into();
        names.addresses = vec!["192.0.2.1".parse().unwrap()];
    })
}

fn differences() -> Vec<Case> {
    let many = format!("{{\"csr\":[{}\"a\"]}}", "\"a\",".repeat(20_000));
    let long = format!("{{\"csr\":\"{}\"}}", "a".repeat(2 << 20));
    let jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln";
    let nope = |call: Call| call.header("x-vault-namespace", "nope");
    let ok = || Expect::Status(200);
    vec![
        case("unknown token", pki(), sign(json!({})).by("hvs.nope"), error(403, BARE)),
        case("unknown batch token", pki(), sign(json!({})).by("b.AAAAAnope"), error(403, BARE)),
        case("a JWT as the token", pki(), sign(json!({})).by(jwt), error(403, BARE)),
        case("a namespace that isn't there", pki(), nope(sign(json!({}))), error(404, "namespace not found")),
        case(
            "the same, unknown token",
            pki(),
            nope(sign(json!({})).by("s.nope")),
            error(404, "namespace not found"),
        ),
        case(
            "login in such a namespace",
            pki(),
            nope(post("auth/approle/login", json!({}))),
            error(404, "namespace not found"),
        ),
        case(
            "health in such a namespace",
            vec![],
            nope(get("sys/health")),
            error(400, "operation unavailable in namespaces"),
        ),
        case("seal-status in such a namespace", vec![], nope(get("sys/seal-status")), ok()),
        case(
            "leader",
            vec![],
            get("sys/leader"),
            Expect::Json(200, vec![("/ha_enabled", json!(false)), ("/is_self", json!(null))]),
        ),
        case("path without /v1", vec![], get("/pki/sign/web"), Expect::NoErrors(404)),
        case(
            "OPTIONS",
            pki(),
            call("OPTIONS", "pki{n}/sign/web"),
            error(400, "cannot handle internal-only request operation"),
        ),
        case(
            "address refused",
            pki(),
            post("pki{n}/sign/web", with_csr(with_address(), json!({}))),
            error(400, "IP Subject Alternative Names are not allowed in this role, but was provided via CSR"),
        ),
        case(
            "not_after in the past",
            pki(),
            sign(json!({"not_after": "2020-01-01T00:00:00Z"})),
            Expect::Json(200, vec![("/data/expiration", json!(1_577_836_800))]),
        ),
        case("not_before is told", pki(), sign(json!({"ttl": "1h"})), ok()),
        case(
            "no mount_type",
            pki(),
            sign(json!({"ttl": "1h"})),
            Expect::Json(200, vec![("/mount_type", json!(null)), ("/data/authority_key_id", json!(null))]),
        ),
        case(
            "not JSON",
            pki(),
            raw("hello"),
            error(400, "failed to decode JSON input: invalid character 'h' looking for beginning of value"),
        ),
        case(
            "array",
            pki(),
            raw("[]"),
            error(
                400,
                "failed to decode JSON input: json: cannot unmarshal array into Go value of type map[string]interface {}",
            ),
        ),
        case(
            "truncated JSON",
            pki(),
            raw("{\"csr\":\"abc"),
            error(400, "failed to decode JSON input: unexpected EOF"),
        ),
        case("2 MiB in one string", pki(), raw(&long), error(400, "csr contains no data")),
        case(
            "csr is a list",
            pki(),
            raw("{\"csr\":[\"a\"]}"),
            error(
                400,
                "Field validation failed: error converting input for field \"csr\": '' expected type 'string', got unconvertible type '[]interface {}'",
            ),
        ),
        case(
            "20000 strings",
            pki(),
            raw(&many),
            error(400, "refused JSON input due to high complexity: exceeded maximum number of strings"),
        ),
        case(
            "approle, role_id missing",
            vec![post("sys/auth/ar{n}", json!({"type": "approle"}))],
            post("auth/ar{n}/login", json!({})).by_nobody(),
            error(500, "missing role_id"),
        ),
        case(
            "lease-count quota",
            vec![],
            post("sys/quotas/lease-count/q", json!({})),
            error(404, "1 error occurred:\n\t* unsupported path\n\n"),
        ),
        case(
            "name refused, as on Vault",
            pki(),
            post("pki{n}/sign/web", with_csr(host("web.evil.org"), json!({}))),
            error(400, "common name web.evil.org not allowed by this role"),
        ),
    ]
}

fn namespaces() -> Vec<Case> {
    let team = || {
        vec![
            post("sys/namespaces/team{n}", json!({})),
            post("team{n}/sys/mounts/pki", json!({"type": "pki"})),
            post("team{n}/pki/root/generate/internal", json!({"common_name": "test", "ttl": "700h"})),
            post("team{n}/pki/roles/web", json!({"allow_any_name": true, "key_type": "any"})),
        ]
    };
    let grant = json!({"policy": "path \"team{n}/pki/sign/web\" { capabilities = [\"update\"] }"});
    let with_token = |policies: Value| {
        [
            team(),
            vec![
                post("sys/policies/acl/p{n}", grant.clone()),
                post("auth/token/create", json!({"policies": policies})).keep("token", "/auth/client_token"),
            ],
        ]
        .concat()
    };
    let inside = |call: Call| call.header("x-vault-namespace", "team{n}");
    let signed = || post("pki/sign/web", with_csr(web(), json!({"ttl": "1h"})));
    vec![
        case("sign in a namespace by header", team(), inside(signed()), Expect::Status(200)),
        case(
            "sign in a namespace by path",
            team(),
            post("team{n}/pki/sign/web", with_csr(web(), json!({"ttl": "1h"}))),
            Expect::Status(200),
        ),
        case(
            "a parent's token with a grant there",
            with_token(json!(["p{n}"])),
            inside(signed().by("{token}")),
            Expect::Status(200),
        ),
        case(
            "a parent's token without one",
            with_token(json!(["default"])),
            inside(signed().by("{token}")),
            error(403, POLICY),
        ),
        case(
            "no such mount there",
            team(),
            inside(post("gone/sign/web", json!({}))),
            error(404, "no handler for route \"gone/sign/web\". route entry not found."),
        ),
        case(
            "no such login mount there",
            team(),
            inside(post("auth/approle/login", json!({})).by_nobody()),
            error(403, BARE),
        ),
        case(
            "a namespace's token looks at itself from outside",
            [
                team(),
                vec![
                    inside(post("auth/token/create", json!({"policies": ["default"]})))
                        .keep("token", "/auth/client_token"),
                ],
            ]
            .concat(),
            get("auth/token/lookup-self").by("{token}"),
            Expect::Status(200),
        ),
    ]
}

async fn play(cases: &[Case]) {
    let mut faults = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let answer = Target::Practice(bao()).play(case, number).await;
        if let Some(fault) = fault_of(&case.expect, &answer, number) {
            faults.push(format!("{number} {}: {fault}", case.name));
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn openbao_answers_what_was_recorded() {
    play(&differences()).await;
    play(&namespaces()).await;
}

/// Cases whose answers differ between the two products.
fn differs(case: &Case) -> bool {
    let expected = format!("{:?}", case.expect);
    let texts = [
        "invalid token",
        "error parsing JSON",
        "determine alias",
        "provided some via CSR",
        "Redirect",
        "enterprise-only",
    ];
    let names = [
        "truncated JSON",
        "2 MiB",
        "20000 strings",
        "2000 deep",
        "csr is a list",
        "OPTIONS on sign",
        "health with a namespace",
        "a JWT as the token",
        "a batch token that isn't base64",
        "not_after in the past",
        "issue without a key type",
        "path without /v1",
        "double slash",
        "CA expired, truncate",
        "a namespace that isn't there",
    ];
    texts.iter().any(|text| expected.contains(text)) || names.iter().any(|name| case.name.starts_with(name))
}

#[tokio::test(start_paused = true)]
async fn openbao_answers_the_rest_of_the_contract_as_vault_does() {
    let same: Vec<Case> = cases().into_iter().filter(|case| !differs(case)).collect();
    assert!(same.len() > 200, "{}", same.len());
    play(&same).await;
}
