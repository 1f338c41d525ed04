//! AppRole and Kubernetes logins (vault-measured 3).
//! Kubernetes is asked nothing here that needs a TokenReview that works: both servers find nobody to ask.
//! Lockout is counted per role_id, so every case has a role of its own.

use serde_json::{Value, json};

use super::jwt::{self, claims};
use super::{BARE, Call, Case, Expect, INVALID, case, error, get, post};

fn approle(role: Value) -> Vec<Call> {
    vec![
        post("sys/auth/ar{n}", json!({"type": "approle"})),
        post("auth/ar{n}/role/r1", role),
        get("auth/ar{n}/role/r1/role-id").keep("role_id", "/data/role_id"),
        post("auth/ar{n}/role/r1/secret-id", json!({})).keep("secret_id", "/data/secret_id"),
    ]
}

fn plain() -> Value {
    json!({"token_policies": "p1", "token_ttl": "1h"})
}

fn login(role_id: &str, secret_id: &str) -> Call {
    post("auth/ar{n}/login", json!({"role_id": role_id, "secret_id": secret_id})).by_nobody()
}

fn right() -> Call {
    login("{role_id}", "{secret_id}")
}

fn wrong() -> Call {
    login("{role_id}", "wrong")
}

const REFUSED: &str = "invalid role or secret ID";

pub fn cases() -> Vec<Case> {
    [approles(), approle_tokens(), kubernetes()].into_iter().flatten().collect()
}

fn approles() -> Vec<Case> {
    let ok = || {
        Expect::Json(
            200,
            vec![
                ("/auth/lease_duration", json!(3600)),
                ("/auth/metadata/role_name", json!("r1")),
                ("/auth/orphan", json!(true)),
            ],
        )
    };
    let missing = "failed to determine alias name from login request";
    vec![
        case("approle", approle(plain()), right(), ok()),
        case("approle with a stranger's token along", approle(plain()), right().by("hvs.nope"), ok()),
        case("approle, wrong role_id", approle(plain()), login("nope", "{secret_id}"), error(400, REFUSED)),
        case("approle, wrong secret_id", approle(plain()), wrong(), error(400, REFUSED)),
        case(
            "approle, secret_id missing",
            approle(plain()),
            post("auth/ar{n}/login", json!({"role_id": "{role_id}"})).by_nobody(),
            error(400, "missing secret_id"),
        ),
        case(
            "approle, role_id missing",
            approle(plain()),
            post("auth/ar{n}/login", json!({"secret_id": "x"})).by_nobody(),
            error(500, missing),
        ),
        case(
            "approle, empty body",
            approle(plain()),
            post("auth/ar{n}/login", json!(null)).raw("").by_nobody(),
            error(500, missing),
        ),
        case(
            "approle, typo in the path",
            approle(plain()),
            post("auth/ar{n}/logn", json!({})).by_nobody(),
            error(403, BARE),
        ),
        case(
            "approle, used-up secret_id",
            [approle(json!({"token_policies": "p1", "secret_id_num_uses": 1})), vec![right()]].concat(),
            right(),
            error(400, REFUSED),
        ),
        case(
            "approle, secret_id destroyed",
            [
                approle(plain()),
                vec![post("auth/ar{n}/role/r1/secret-id/destroy", json!({"secret_id": "{secret_id}"}))],
            ]
            .concat(),
            right(),
            error(400, REFUSED),
        ),
        case(
            "approle, role deleted",
            [approle(plain()), vec![super::delete("auth/ar{n}/role/r1")]].concat(),
            right(),
            error(400, REFUSED),
        ),
        case(
            "approle, role made again with its role_id: old secret_ids are gone",
            [
                approle(plain()),
                vec![
                    super::delete("auth/ar{n}/role/r1"),
                    post("auth/ar{n}/role/r1", plain()),
                    post("auth/ar{n}/role/r1/role-id", json!({"role_id": "{role_id}"})),
                ],
            ]
            .concat(),
            right(),
            error(400, REFUSED),
        ),
        case(
            "approle without secret_id",
            approle(json!({"token_policies": "p1", "bind_secret_id": true, "token_ttl": "1h"})),
            right(),
            ok(),
        ),
        case(
            "approle, role bound to another network",
            approle(json!({"token_policies": "p1", "secret_id_bound_cidrs": "192.0.2.0/24"})),
            right(),
            error(
                400,
                "source address \"127.0.0.1\" unauthorized by CIDR restrictions on the role: %!w(<nil>)",
            ),
        ),
        case(
            "approle, secret_id bound to another network",
            [
                approle(plain()),
                vec![
                    post("auth/ar{n}/role/r1/secret-id", json!({"cidr_list": "192.0.2.0/24"}))
                        .keep("secret_id", "/data/secret_id"),
                ],
            ]
            .concat(),
            right(),
            error(
                400,
                "source address \"127.0.0.1\" unauthorized through CIDR restrictions on the secret ID",
            ),
        ),
        case(
            "approle, fifth wrong secret_id",
            [approle(plain()), vec![wrong(), wrong(), wrong(), wrong()]].concat(),
            wrong(),
            error(400, REFUSED),
        ),
        case(
            "approle, locked out",
            [approle(plain()), vec![wrong(), wrong(), wrong(), wrong(), wrong()]].concat(),
            right(),
            error(403, BARE),
        ),
        case(
            "approle mount disabled",
            [approle(plain()), vec![super::delete("sys/auth/ar{n}")]].concat(),
            right(),
            error(403, BARE),
        ),
    ]
}

fn approle_tokens() -> Vec<Case> {
    let with_token = |role: Value| {
        let mut setup = approle(role);
        setup.push(right().keep("token", "/auth/client_token"));
        setup
    };
    let lookup = || get("auth/token/lookup-self").by("{token}");
    vec![
        case(
            "look-up of an approle token",
            with_token(plain()),
            lookup(),
            Expect::Json(200, vec![("/data/renewable", json!(true)), ("/data/meta/role_name", json!("r1"))]),
        ),
        case(
            "renewal of an approle token",
            with_token(plain()),
            post("auth/token/renew-self", json!({})).by("{token}"),
            Expect::Json(200, vec![("/auth/lease_duration", json!(3600))]),
        ),
        case(
            "renewal after the role is gone",
            [with_token(plain()), vec![super::delete("auth/ar{n}/role/r1")]].concat(),
            post("auth/token/renew-self", json!({})).by("{token}"),
            error(
                500,
                "1 error occurred:\n\t* failed to renew entry: role \"r1\" does not exist during renewal\n\n",
            ),
        ),
        case(
            "look-up after the role is gone",
            [with_token(plain()), vec![super::delete("auth/ar{n}/role/r1")]].concat(),
            lookup(),
            Expect::Status(200),
        ),
        case(
            "look-up after the mount is gone",
            [with_token(plain()), vec![super::delete("sys/auth/ar{n}")]].concat(),
            lookup(),
            error(403, INVALID),
        ),
        case(
            "a token bound to another network",
            with_token(json!({"token_policies": "p1", "token_bound_cidrs": "192.0.2.0/24"})),
            lookup(),
            error(403, BARE),
        ),
        case(
            "a batch token of an approle",
            with_token(json!({"token_policies": "p1", "token_type": "batch", "token_ttl": "1h"})),
            lookup(),
            Expect::Json(200, vec![("/data/type", json!("batch"))]),
        ),
        case(
            "a token without the default policy",
            with_token(json!({"token_policies": "p1", "token_no_default_policy": true})),
            lookup(),
            error(403, super::POLICY),
        ),
        case(
            "a limited token of an approle",
            with_token(json!({"token_policies": "p1", "token_num_uses": 2, "token_ttl": "1h"})),
            lookup(),
            Expect::Json(200, vec![("/data/num_uses", json!(1))]),
        ),
        case(
            "renewal beyond token_max_ttl",
            with_token(json!({"token_policies": "p1", "token_ttl": "10m", "token_max_ttl": "30m"})),
            post("auth/token/renew-self", json!({"increment": "1h"})).by("{token}"),
            Expect::Status(200),
        ),
    ]
}

fn kubernetes() -> Vec<Case> {
    let mount = || vec![post("sys/auth/k{n}", json!({"type": "kubernetes"}))];
    let role = json!({
        "bound_service_account_names": "app", "bound_service_account_namespaces": "ns", "audience": "vault",
        "token_policies": "p1",
    });
    let config = json!({"kubernetes_host": "http://127.0.0.1:1", "token_reviewer_jwt": "x", "disable_local_ca_jwt": true});
    let ready = || {
        [mount(), vec![post("auth/k{n}/config", config.clone()), post("auth/k{n}/role/r", role.clone())]]
            .concat()
    };
    let login = |fields: Value| post("auth/k{n}/login", fields).by_nobody();
    let with = |jwt: String| login(json!({"role": "r", "jwt": jwt}));
    let refused =
        |name: &'static str, jwt: String, text: &str| case(name, ready(), with(jwt), error(403, text));
    vec![
        case(
            "kubernetes, nothing configured",
            mount(),
            with(jwt::service_account(claims("app", "ns"))),
            error(400, "invalid role name \"r\""),
        ),
        case(
            "kubernetes, config never written",
            [mount(), vec![post("auth/k{n}/role/r", role.clone())]].concat(),
            with(jwt::service_account(claims("app", "ns"))),
            error(500, "could not load backend configuration"),
        ),
        case(
            "kubernetes, role unknown",
            ready(),
            login(json!({"role": "zz", "jwt": "x"})),
            error(400, "invalid role name \"zz\""),
        ),
        case("kubernetes, role missing", ready(), login(json!({"jwt": "x"})), error(400, "missing role")),
        case("kubernetes, jwt missing", ready(), login(json!({"role": "r"})), error(400, "missing jwt")),
        refused("kubernetes, garbage", "garbage".into(), BARE),
        refused(
            "kubernetes, other account",
            jwt::service_account(claims("other", "ns")),
            "service account name not authorized",
        ),
        refused(
            "kubernetes, other namespace",
            jwt::service_account(claims("app", "other")),
            "namespace not authorized",
        ),
        refused(
            "kubernetes, other audience",
            jwt::service_account({
                let mut claims = claims("app", "ns");
                claims["aud"] = json!(["other"]);
                claims
            }),
            "invalid audience (aud) claim: audience claim does not match any expected audience",
        ),
        refused(
            "kubernetes, expired",
            jwt::service_account({
                let mut claims = claims("app", "ns");
                claims["exp"] = json!(jwt::now() - 600);
                claims["iat"] = json!(jwt::now() - 4000);
                claims["nbf"] = json!(jwt::now() - 4000);
                claims
            }),
            "invalid expiration time (exp) claim: token is expired",
        ),
        refused(
            "kubernetes, not yet valid",
            jwt::service_account({
                let mut claims = claims("app", "ns");
                claims["nbf"] = json!(jwt::now() + 600);
                claims
            }),
            "invalid not before (nbf) claim: token not yet valid",
        ),
        refused(
            "kubernetes, issued in the future",
            jwt::service_account({
                let mut claims = claims("app", "ns");
                claims["iat"] = json!(jwt::now() + 600);
                claims
            }),
            "invalid issued at (iat) claim: token issued in the future",
        ),
        refused(
            "kubernetes, other account and other namespace: the account is told",
            jwt::service_account(claims("other", "other")),
            "service account name not authorized",
        ),
        refused("kubernetes, nobody to review", jwt::service_account(claims("app", "ns")), BARE),
    ]
}
