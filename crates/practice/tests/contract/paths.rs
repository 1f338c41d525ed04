//! Paths, verbs, bodies: what Vault's HTTP layer and framework say before any engine is asked.
//! Recorded in vault-answers.json; section 2 of vault-measured.
//! All calls are by root, so that no policy stands in between.

use serde_json::json;

use super::{BARE, Call, Case, Expect, POLICY, call, case, error, get, post};

fn pki() -> Vec<Call> {
    vec![
        post("sys/mounts/pki{n}", json!({"type": "pki", "config": {"max_lease_ttl": "87600h"}})),
        post(
            "pki{n}/root/generate/internal",
            json!({"common_name": "test", "ttl": "87600h", "key_type": "ec"}),
        ),
        post("pki{n}/roles/web", json!({"allow_any_name": true, "key_type": "any", "max_ttl": "72h"})),
    ]
}

fn on_sign(name: &'static str, method: &'static str, expect: Expect) -> Case {
    case(name, pki(), call(method, "pki{n}/sign/web"), expect)
}

fn body(name: &'static str, body: &str, expect: Expect) -> Case {
    case(name, pki(), post("pki{n}/sign/web", json!(null)).raw(body), expect)
}

const UNSUPPORTED_PATH: &str = "1 error occurred:\n\t* unsupported path\n\n";
const UNSUPPORTED_OPERATION: &str = "1 error occurred:\n\t* unsupported operation\n\n";

pub fn cases() -> Vec<Case> {
    [node_calls(), odd_paths(), verbs(), bodies()].into_iter().flatten().collect()
}

fn node_calls() -> Vec<Case> {
    let healthy = vec![("/initialized", json!(true)), ("/sealed", json!(false)), ("/standby", json!(false))];
    vec![
        case("health", vec![], get("sys/health").by_nobody(), Expect::Json(200, healthy.clone())),
        case(
            "health, unknown token",
            vec![],
            get("sys/health").by("hvs.nope"),
            Expect::Json(200, healthy.clone()),
        ),
        case(
            "health with a code of one's own",
            vec![],
            get("sys/health?activecode=299").by_nobody(),
            Expect::Json(299, healthy.clone()),
        ),
        case("health, HEAD", vec![], call("HEAD", "sys/health").by_nobody(), Expect::Empty(200)),
        case(
            "health with a namespace",
            vec![],
            get("sys/health").by_nobody().header("x-vault-namespace", "nope"),
            Expect::Json(200, healthy),
        ),
        case(
            "seal-status",
            vec![],
            get("sys/seal-status").by_nobody(),
            Expect::Json(200, vec![("/sealed", json!(false)), ("/t", json!(1))]),
        ),
        case(
            "leader",
            vec![],
            get("sys/leader").by_nobody(),
            Expect::Json(200, vec![("/ha_enabled", json!(false))]),
        ),
        case(
            "init",
            vec![],
            get("sys/init").by_nobody(),
            Expect::Json(200, vec![("/initialized", json!(true))]),
        ),
    ]
}

fn odd_paths() -> Vec<Case> {
    vec![
        case("path without /v1", vec![], post("/pki/sign/web", json!({})), Expect::Redirect("/ui/")),
        case("path without /v1, GET", vec![], get("/pki/sign/web"), Expect::Status(307)),
        case("double slash, GET", vec![], get("/v1/pki//ca/pem"), Expect::Status(307)),
        case(
            "double slash",
            vec![],
            post("/v1/pki//sign/web", json!({})),
            Expect::Redirect("/v1/pki/sign/web"),
        ),
        case(
            "relative path",
            vec![],
            post("/v1/pki/x/../sign/web", json!({})),
            Expect::Redirect("/v1/pki/sign/web"),
        ),
        case(
            "/v1 twice",
            vec![],
            post("v1/pki/sign/web", json!({})),
            error(404, "no handler for route \"v1/pki/sign/web\". route entry not found."),
        ),
        case("typo inside the mount", pki(), post("pki{n}/sgn/web", json!({})), error(404, UNSUPPORTED_PATH)),
        case("sign without role", pki(), post("pki{n}/sign", json!({})), error(404, UNSUPPORTED_PATH)),
        case(
            "sign with an empty role",
            pki(),
            post("pki{n}/sign/", json!({})),
            error(400, "cannot write to a path ending in '/'"),
        ),
        case(
            "mount unknown, root",
            vec![],
            post("gone{n}/sign/web", json!({})),
            error(404, "no handler for route \"gone{n}/sign/web\". route entry not found."),
        ),
        case(
            "mount unknown, a token without a grant",
            vec![token("default")],
            post("gone{n}/sign/web", json!({})).by("{token}"),
            error(403, POLICY),
        ),
        case(
            "login mount unknown",
            vec![],
            post("auth/nomount{n}/login", json!({})).by_nobody(),
            error(403, BARE),
        ),
        case(
            "login mount unknown, with a token",
            vec![],
            post("auth/nomount{n}/login", json!({})),
            error(404, "no handler for route \"auth/nomount{n}/login\". route entry not found."),
        ),
        case(
            "another engine: KV v1",
            vec![post("sys/mounts/kv{n}", json!({"type": "kv"}))],
            post("kv{n}/sign/web", json!({"csr": "x"})),
            Expect::Empty(204),
        ),
        case(
            "another engine: KV v2",
            vec![post("sys/mounts/kv{n}", json!({"type": "kv", "options": {"version": "2"}}))],
            post("kv{n}/sign/web", json!({"csr": "x"})).after(std::time::Duration::from_millis(1500)),
            Expect::Status(404),
        ),
        case(
            "engine disabled",
            [pki(), vec![super::delete("sys/mounts/pki{n}")]].concat(),
            post("pki{n}/sign/web", json!({})),
            error(404, "no handler for route \"pki{n}/sign/web\". route entry not found."),
        ),
    ]
}

fn token(policy: &str) -> Call {
    post("auth/token/create", json!({"policies": [policy], "ttl": "1h"})).keep("token", "/auth/client_token")
}

fn verbs() -> Vec<Case> {
    vec![
        on_sign("GET on sign", "GET", error(405, UNSUPPORTED_OPERATION)),
        on_sign("DELETE on sign", "DELETE", error(405, UNSUPPORTED_OPERATION)),
        on_sign("OPTIONS on sign", "OPTIONS", error(405, UNSUPPORTED_OPERATION)),
        on_sign("HEAD on sign", "HEAD", Expect::Empty(405)),
        on_sign("LIST on sign", "LIST", error(404, UNSUPPORTED_PATH)),
        on_sign("PATCH without a media type", "PATCH", error(400, "mime: no media type")),
        on_sign("a method that nobody knows", "FOO", Expect::NoErrors(405)),
        case(
            "PATCH with a media type",
            pki(),
            call("PATCH", "pki{n}/sign/web").raw("{}").header("content-type", "application/merge-patch+json"),
            error(405, UNSUPPORTED_OPERATION),
        ),
    ]
}

fn bodies() -> Vec<Case> {
    let parse = |why: &str| error(400, &format!("error parsing JSON: failed to parse JSON input: {why}"));
    vec![
        body("empty body", "", error(400, "\"csr\" is empty")),
        body("empty object", "{}", error(400, "\"csr\" is empty")),
        body("null", "null", error(400, "\"csr\" is empty")),
        body("not JSON", "hello", parse("invalid character 'h' looking for beginning of value")),
        body(
            "array",
            "[]",
            parse("json: cannot unmarshal array into Go value of type map[string]interface {}"),
        ),
        body(
            "string",
            "\"a\"",
            parse("json: cannot unmarshal string into Go value of type map[string]interface {}"),
        ),
        body("truncated JSON", "{\"csr\":\"abc", error(500, "malformed JSON, unclosed string")),
        body(
            "2 MiB in one string",
            &format!("{{\"csr\":\"{}\"}}", "a".repeat(2 << 20)),
            error(500, "JSON string value exceeds allowed length"),
        ),
        body(
            "20000 strings in an array",
            &format!("{{\"csr\":[{}\"a\"]}}", "\"a\",".repeat(20_000)),
            error(500, "JSON array exceeds allowed element count"),
        ),
        body(
            "2000 deep",
            &format!("{{\"csr\":{}{}}}", "[".repeat(2000), "]".repeat(2000)),
            error(500, "JSON input exceeds allowed nesting depth"),
        ),
        body("csr is a number", "{\"csr\":5}", error(400, "csr contains no data")),
        body(
            "csr is a list",
            "{\"csr\":[\"a\"]}",
            error(
                400,
                "Field validation failed: error converting input for field \"csr\": '' expected type 'string', got unconvertible type '[]interface {}', value: '[a]'",
            ),
        ),
        case(
            "form-encoded",
            pki(),
            post("pki{n}/sign/web", json!(null))
                .raw("csr=abc")
                .header("content-type", "application/x-www-form-urlencoded"),
            error(400, "csr contains no data"),
        ),
    ]
}
