//! Tokens and policies: who is refused with which of the three texts, and what the look-ups say meanwhile.
//! Sections 2, 3 and 4 of vault-measured.
//! No case waits, except those whose subject is a life that ends.

use std::time::Duration;

use serde_json::{Value, json};

use super::csrs::{web, with_csr};
use super::{BARE, Call, Case, Expect, INVALID, POLICY, case, error, get, post};

/// A PKI mount and a policy with this text; `{n}` is the number of the case.
fn with_policy(text: &str) -> Vec<Call> {
    vec![
        post("sys/mounts/pki{n}", json!({"type": "pki"})),
        post(
            "pki{n}/root/generate/internal",
            json!({"common_name": "test", "ttl": "700h", "key_type": "ec"}),
        ),
        post("pki{n}/roles/web", json!({"allow_any_name": true, "key_type": "any", "max_ttl": "72h"})),
        post("sys/policies/acl/p{n}", json!({"policy": text})),
    ]
}

fn with_token(policy: &str, token: Value) -> Vec<Call> {
    let mut setup = with_policy(policy);
    let mut fields = json!({"policies": ["p{n}"], "ttl": "1h"});
    fields.as_object_mut().unwrap().extend(token.as_object().unwrap().clone());
    setup.push(post("auth/token/create", fields).keep("token", "/auth/client_token"));
    setup
}

const GRANT: &str = "path \"pki{n}/sign/web\" { capabilities = [\"update\"] }";
const READ: &str = "path \"pki{n}/sign/web\" { capabilities = [\"read\"] }";
const CSR_ONLY: &str =
    "path \"pki{n}/sign/web\" { capabilities = [\"update\"] allowed_parameters = { \"csr\" = [] } }";
const NEEDS_TTL: &str =
    "path \"pki{n}/sign/web\" { capabilities = [\"update\"] required_parameters = [\"ttl\"] }";
const NO_TTL: &str =
    "path \"pki{n}/sign/web\" { capabilities = [\"update\"] denied_parameters = { \"ttl\" = [] } }";
const SIBLING: &str = "path \"pki{n}/sign/web\" { capabilities = [\"deny\"] } path \"pki{n}/sign/other\" { capabilities = [\"update\"] }";
const GLOB: &str = "path \"pki{n}/*\" { capabilities = [\"create\", \"update\"] }";
const PLUS: &str = "path \"+/sign/web\" { capabilities = [\"update\"] }";
const GLOB_BUT: &str = "path \"pki{n}/*\" { capabilities = [\"update\"] } path \"pki{n}/sign/web\" { capabilities = [\"read\"] }";
const OTHER: &str = "path \"secret/x\" { capabilities = [\"read\"] }";

fn sign() -> Call {
    post("pki{n}/sign/web", with_csr(web(), json!({}))).by("{token}")
}

fn capabilities() -> Call {
    post("sys/capabilities-self", json!({"paths": ["pki{n}/sign/web"]})).by("{token}")
}

fn lookup() -> Call {
    get("auth/token/lookup-self").by("{token}")
}

fn ui_mount() -> Call {
    get("sys/internal/ui/mounts/pki{n}").by("{token}")
}

const PREFLIGHT: &str = "preflight capability check returned 403, please ensure client's policies grant access to path \"pki{n}/\"";

pub fn cases() -> Vec<Case> {
    [strangers(), verdicts(), looks(), lives(), renewals(), uses(), wrapping()]
        .into_iter()
        .flatten()
        .collect()
}

fn strangers() -> Vec<Case> {
    let sign_by = |token: &str| post("pki{n}/sign/web", with_csr(web(), json!({}))).by(token);
    let setup = || with_policy(GRANT);
    let jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln";
    vec![
        case("unknown token, hvs", setup(), sign_by("hvs.CAESIJnope"), error(403, INVALID)),
        case("unknown token, s", setup(), sign_by("s.abcdefghijklmnopqrstuvwx"), error(403, INVALID)),
        case("unknown token, a word", setup(), sign_by("nonsense"), error(403, INVALID)),
        case("unknown batch token", setup(), sign_by("hvb.AAAAAQJnope"), error(403, INVALID)),
        case("unknown batch token, old form", setup(), sign_by("b.AAAAAQJnope"), error(403, INVALID)),
        case(
            "a batch token that isn't base64",
            setup(),
            sign_by("hvb.AAAAAnope"),
            error(500, "error performing token check: illegal base64 data at input byte 8"),
        ),
        case(
            "a JWT as the token",
            setup(),
            sign_by(jwt),
            error(500, "1 error occurred:\n\t* internal error\n\n"),
        ),
        case("no token", setup(), sign().by_nobody(), error(403, BARE)),
        case("empty token", setup(), sign_by(""), error(403, BARE)),
        case("lookup by nobody", vec![], get("auth/token/lookup-self").by_nobody(), error(403, BARE)),
        case(
            "lookup by a stranger",
            vec![],
            get("auth/token/lookup-self").by("hvs.nope"),
            error(403, INVALID),
        ),
        case(
            "renewal by a stranger",
            vec![],
            post("auth/token/renew-self", json!({})).by("hvs.nope"),
            error(403, INVALID),
        ),
        case("capabilities of a stranger", vec![], capabilities().by("hvs.nope"), error(403, INVALID)),
        case("ui/mounts of a stranger", vec![], ui_mount().by("hvs.nope"), error(403, INVALID)),
        case("ui/mounts of nobody", vec![], ui_mount().by_nobody(), error(403, BARE)),
        case(
            "a namespace that isn't there is ignored",
            setup(),
            sign_by("hvs.nope").header("x-vault-namespace", "nope"),
            error(403, INVALID),
        ),
        case(
            "a bearer token",
            with_token(GRANT, json!({})),
            sign().by_nobody().header("authorization", "Bearer {token}"),
            Expect::Status(200),
        ),
    ]
}

fn verdicts() -> Vec<Case> {
    let signs = |name, policy, expect| case(name, with_token(policy, json!({})), sign(), expect);
    let ok = || Expect::Status(200);
    vec![
        signs("granted", GRANT, ok()),
        signs("granted by a glob", GLOB, ok()),
        signs("granted by a plus", PLUS, ok()),
        signs("granted elsewhere", OTHER, error(403, POLICY)),
        signs("only read", READ, error(403, POLICY)),
        signs("glob grants, exact path does not", GLOB_BUT, error(403, POLICY)),
        signs("denied beside a sibling", SIBLING, error(403, POLICY)),
        signs("only csr is allowed and only csr is sent", CSR_ONLY, ok()),
        case(
            "only csr is allowed and ttl is sent too",
            with_token(CSR_ONLY, json!({})),
            post("pki{n}/sign/web", with_csr(web(), json!({"ttl": "1h"}))).by("{token}"),
            error(403, POLICY),
        ),
        signs("ttl is required", NEEDS_TTL, error(403, POLICY)),
        case(
            "ttl is denied",
            with_token(NO_TTL, json!({})),
            post("pki{n}/sign/web", with_csr(web(), json!({"ttl": "1h"}))).by("{token}"),
            error(403, POLICY),
        ),
        case(
            "a policy that isn't there",
            with_token(GRANT, json!({"policies": ["ghost{n}"]})),
            sign(),
            error(403, POLICY),
        ),
        case(
            "role unknown, granted",
            with_token(GLOB, json!({})),
            post("pki{n}/sign/nope", json!({})).by("{token}"),
            error(400, "unknown role: nope"),
        ),
        case(
            "role unknown, not granted",
            with_token(GRANT, json!({})),
            post("pki{n}/sign/nope", json!({})).by("{token}"),
            error(403, POLICY),
        ),
        case(
            "policy deleted under a living token",
            [with_token(GRANT, json!({})), vec![super::delete("sys/policies/acl/p{n}")]].concat(),
            sign(),
            error(403, POLICY),
        ),
        case(
            "policy back: the same token works at once",
            [
                with_token(GRANT, json!({})),
                vec![
                    super::delete("sys/policies/acl/p{n}"),
                    post("sys/policies/acl/p{n}", json!({"policy": GRANT})),
                ],
            ]
            .concat(),
            sign(),
            ok(),
        ),
    ]
}

fn looks() -> Vec<Case> {
    let none = || json!({"no_default_policy": true});
    let allowed = |words: Value| {
        Expect::Json(200, vec![("/data/capabilities", words.clone()), ("/capabilities", words)])
    };
    let good = || Expect::Json(200, vec![("/data/type", json!("service")), ("/data/num_uses", json!(0))]);
    vec![
        case("lookup", with_token(GRANT, json!({})), lookup(), good()),
        case("lookup without the default policy", with_token(GRANT, none()), lookup(), error(403, POLICY)),
        case(
            "lookup of a batch token",
            with_token(GRANT, json!({"type": "batch"})),
            lookup(),
            Expect::Json(200, vec![("/data/type", json!("batch")), ("/data/renewable", json!(false))]),
        ),
        case(
            "lookup of a periodic token",
            with_token(GRANT, json!({"period": "30m"})),
            lookup(),
            Expect::Json(200, vec![("/data/period", json!(1800))]),
        ),
        case(
            "capabilities, granted",
            with_token(GRANT, json!({})),
            capabilities(),
            allowed(json!(["update"])),
        ),
        case(
            "capabilities, not granted",
            with_token(OTHER, json!({})),
            capabilities(),
            allowed(json!(["deny"])),
        ),
        case(
            "capabilities, denied",
            with_token(SIBLING, json!({})),
            capabilities(),
            allowed(json!(["deny"])),
        ),
        case(
            "capabilities see no parameter rules",
            with_token(CSR_ONLY, json!({})),
            capabilities(),
            allowed(json!(["update"])),
        ),
        case(
            "capabilities of a glob",
            with_token(GLOB, json!({})),
            capabilities(),
            allowed(json!(["create", "update"])),
        ),
        case(
            "capabilities of root",
            vec![],
            post("sys/capabilities-self", json!({"paths": ["pki/sign/web"]})),
            allowed(json!(["root"])),
        ),
        case(
            "capabilities without the default policy",
            with_token(GRANT, none()),
            capabilities(),
            error(403, POLICY),
        ),
        case(
            "ui/mounts, granted",
            with_token(GRANT, json!({})),
            ui_mount(),
            Expect::Json(200, vec![("/data/type", json!("pki"))]),
        ),
        case(
            "ui/mounts of the sign path",
            with_token(GRANT, json!({})),
            get("sys/internal/ui/mounts/pki{n}/sign/web").by("{token}"),
            Expect::Json(200, vec![("/data/type", json!("pki"))]),
        ),
        case("ui/mounts, a sibling granted", with_token(SIBLING, json!({})), ui_mount(), Expect::Status(200)),
        case("ui/mounts, nothing granted", with_token(OTHER, json!({})), ui_mount(), error(403, PREFLIGHT)),
        case(
            "ui/mounts without the default policy",
            with_token(GRANT, none()),
            ui_mount(),
            Expect::Status(200),
        ),
        case(
            "ui/mounts of an absent mount, root",
            vec![],
            get("sys/internal/ui/mounts/absent{n}"),
            error(
                403,
                "preflight capability check returned 403, please ensure client's policies grant access to path \"absent{n}/\"",
            ),
        ),
    ]
}

fn lives() -> Vec<Case> {
    let past = Duration::from_millis(2200);
    vec![
        case("expired", with_token(GRANT, json!({"ttl": "1s"})), sign().after(past), error(403, INVALID)),
        case(
            "expired batch token",
            with_token(GRANT, json!({"ttl": "1s", "type": "batch"})),
            sign().after(past),
            error(403, INVALID),
        ),
        case(
            "revoked by itself",
            [with_token(GRANT, json!({})), vec![post("auth/token/revoke-self", json!({})).by("{token}")]]
                .concat(),
            sign(),
            error(403, INVALID),
        ),
        case(
            "revocation",
            with_token(GRANT, json!({})),
            post("auth/token/revoke-self", json!({})).by("{token}"),
            Expect::Empty(204),
        ),
        case(
            "revocation of a batch token",
            with_token(GRANT, json!({"type": "batch"})),
            post("auth/token/revoke-self", json!({})).by("{token}"),
            error(400, "batch tokens cannot be revoked"),
        ),
        case(
            "revoked by accessor",
            vec![
                post("auth/token/create", json!({"policies": ["default"]}))
                    .keep("accessor", "/auth/accessor"),
                post("auth/token/create", json!({"policies": ["default"]}))
                    .keep("token", "/auth/client_token"),
            ],
            post("auth/token/revoke-accessor", json!({"accessor": "{accessor}"})),
            Expect::Empty(204),
        ),
        case(
            "creation",
            vec![],
            post("auth/token/create", json!({"policies": ["default"], "ttl": "1h"})),
            Expect::Json(
                200,
                vec![
                    ("/auth/lease_duration", json!(3600)),
                    ("/auth/renewable", json!(true)),
                    ("/auth/orphan", json!(false)),
                ],
            ),
        ),
        case(
            "creation of an orphan",
            vec![],
            post("auth/token/create-orphan", json!({"policies": ["default"], "ttl": "1h"})),
            Expect::Json(200, vec![("/auth/orphan", json!(true))]),
        ),
        case(
            "creation with the default life",
            vec![],
            post("auth/token/create", json!({"policies": ["default"]})),
            Expect::Json(200, vec![("/auth/lease_duration", json!(2_764_800))]),
        ),
    ]
}

fn renewals() -> Vec<Case> {
    let renew = |fields| post("auth/token/renew-self", fields).by("{token}");
    let lease = |seconds: u64| {
        Expect::Json(200, vec![("/auth/lease_duration", json!(seconds)), ("/warnings", json!(null))])
    };
    vec![
        case("renewal", with_token(GRANT, json!({})), renew(json!({})), lease(3600)),
        case(
            "renewal by an increment",
            with_token(GRANT, json!({})),
            renew(json!({"increment": "2h"})),
            lease(7200),
        ),
        case(
            "renewal of a periodic token",
            with_token(GRANT, json!({"period": "30m"})),
            renew(json!({"increment": "2h"})),
            lease(1800),
        ),
        case(
            "renewal cut by the maximum",
            with_token(GRANT, json!({"explicit_max_ttl": "30m", "ttl": "10m"})),
            renew(json!({"increment": "1h"})),
            Expect::Status(200),
        ),
        case(
            "renewal of a batch token",
            with_token(GRANT, json!({"type": "batch"})),
            renew(json!({})),
            error(400, "batch tokens cannot be renewed"),
        ),
        case(
            "renewal of an unrenewable token",
            with_token(GRANT, json!({"renewable": false})),
            renew(json!({})),
            error(400, "lease is not renewable"),
        ),
    ]
}

fn uses() -> Vec<Case> {
    let uses = |count: u64| with_token(GRANT, json!({"num_uses": count}));
    vec![
        case("the last use", uses(1), sign(), Expect::Status(200)),
        case("no use left", [uses(1), vec![sign()]].concat(), sign(), error(403, INVALID)),
        case("a look-up is a use", [uses(1), vec![lookup()]].concat(), sign(), error(403, INVALID)),
        case(
            "a refusal is a use",
            [with_token(OTHER, json!({"num_uses": 1})), vec![sign()]].concat(),
            lookup(),
            error(403, INVALID),
        ),
        case("ui/mounts is no use", [uses(1), vec![ui_mount()]].concat(), sign(), Expect::Status(200)),
        case(
            "look-up of a limited token",
            uses(4),
            lookup(),
            Expect::Json(200, vec![("/data/num_uses", json!(3))]),
        ),
    ]
}

fn wrapping() -> Vec<Case> {
    let wrapped = || {
        get("auth/token/lookup-self")
            .by("{token}")
            .header("x-vault-wrap-ttl", "60s")
            .keep("wrap", "/wrap_info/token")
    };
    let unwrap = || post("sys/wrapping/unwrap", json!({})).by("{wrap}");
    vec![
        case(
            "a wrapped answer",
            with_token(GRANT, json!({})),
            get("auth/token/lookup-self").by("{token}").header("x-vault-wrap-ttl", "60s"),
            Expect::Json(200, vec![("/wrap_info/ttl", json!(60)), ("/data", json!(null))]),
        ),
        case(
            "unwrap",
            [with_token(GRANT, json!({})), vec![wrapped()]].concat(),
            unwrap(),
            Expect::Json(200, vec![("/data/display_name", json!("token"))]),
        ),
        case(
            "unwrap twice",
            [with_token(GRANT, json!({})), vec![wrapped(), unwrap()]].concat(),
            unwrap(),
            error(400, "wrapping token is not valid or does not exist"),
        ),
        case(
            "unwrap of a stranger",
            with_token(GRANT, json!({})),
            post("sys/wrapping/unwrap", json!({"token": "hvs.nope"})).by("{token}"),
            error(400, "wrapping token is not valid or does not exist"),
        ),
        case(
            "a bad wrap TTL",
            with_token(GRANT, json!({})),
            lookup().header("x-vault-wrap-ttl", "abc"),
            error(400, "error parsing X-Vault-Wrap-TTL header: time: invalid duration \"abc\""),
        ),
    ]
}
