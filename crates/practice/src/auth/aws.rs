//! AWS IAM: a signed GetCallerIdentity request for a token (vault-server 4.6; from reading, not measured).
//! The signature is checked by whoever plays STS; this file reads the login's fields and judges the principal.
//! Nothing of the signed request is kept after the login.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{AuthMethod, Place, Principal, Step, TokenRole, store, welcome};
use crate::http::answer::{Handled, Refusal, Success};
use crate::http::ask::Verb;
use crate::outside::{StsAnswer, StsCall};
use crate::state::fields::Fields;
use crate::state::turn::Turn;

/// An AWS auth mount.
#[derive(Debug, Clone, Default)]
pub(crate) struct Aws {
    /// `iam_server_id_header_value`.
    server_id: String,
    pub(crate) roles: BTreeMap<String, Role>,
}

/// A role.
#[derive(Debug, Clone, Default)]
pub(crate) struct Role {
    principals: Vec<String>,
    pub(crate) token: TokenRole,
}

/// A login that waits for STS.
pub(crate) struct Pending {
    place: Place,
    role_name: String,
    role: Role,
}

const SERVER_ID_HEADER: &str = "x-vault-aws-iam-server-id";

pub(crate) fn begin(_turn: &mut Turn<'_>, place: &Place, method: &Aws, fields: Fields<'_>) -> Step {
    match read(method, fields) {
        Err(refusal) => Step::Done(Err(refusal)),
        Ok((call, role_name, role)) => Step::Sts(call, Pending { place: place.clone(), role_name, role }),
    }
}

fn read(method: &Aws, fields: Fields<'_>) -> Result<(StsCall, String, Role), Refusal> {
    let http_method = fields.text("iam_http_request_method")?;
    if http_method.is_empty() {
        return Err(Refusal::bad("missing iam_http_request_method"));
    }
    let url = decoded(fields, "iam_request_url")?;
    let body = decoded(fields, "iam_request_body")?;
    let headers = headers(&decoded(fields, "iam_request_headers")?)?;
    let role_name = fields.text("role")?;
    let role = method.roles.get(&role_name);
    let role = role.ok_or_else(|| Refusal::bad(format!("entry for role {role_name} not found")))?;
    if !method.server_id.is_empty() {
        check_server_id(&headers, &method.server_id)?;
    }
    Ok((StsCall { method: http_method, url, headers, body }, role_name, role.clone()))
}

fn decoded(fields: Fields<'_>, name: &str) -> Result<String, Refusal> {
    let text = fields.text(name)?;
    if text.is_empty() {
        return Err(Refusal::bad(format!("missing {name}")));
    }
    let bytes = STANDARD.decode(text).map_err(|_| Refusal::bad(format!("failed to base64 decode {name}")))?;
    String::from_utf8(bytes).map_err(|_| Refusal::bad(format!("failed to base64 decode {name}")))
}

/// The headers: a JSON map of texts or of lists of texts.
fn headers(text: &str) -> Result<Vec<(String, String)>, Refusal> {
    let parsed: Option<serde_json::Map<String, Value>> = serde_json::from_str(text).ok();
    let parsed = parsed.ok_or_else(|| Refusal::bad("failed to JSON decode iam_request_headers"))?;
    let first = |value: &Value| match value {
        Value::Array(values) => values.first().and_then(Value::as_str).unwrap_or_default().to_owned(),
        value => value.as_str().unwrap_or_default().to_owned(),
    };
    Ok(parsed.iter().map(|(name, value)| (name.to_ascii_lowercase(), first(value))).collect())
}

fn check_server_id(headers: &[(String, String)], wanted: &str) -> Result<(), Refusal> {
    let given = headers.iter().find(|(name, _)| name == SERVER_ID_HEADER).map(|(_, value)| value);
    let signed =
        headers.iter().any(|(name, value)| name == "authorization" && value.contains(SERVER_ID_HEADER));
    let why = match given {
        None => "missing header \"X-Vault-AWS-IAM-Server-ID\"".to_owned(),
        Some(given) if given != wanted => format!("expected \"{wanted}\" but got \"{given}\""),
        Some(_) if !signed => "header wasn't signed".to_owned(),
        Some(_) => return Ok(()),
    };
    Err(Refusal::bad(format!("error validating X-Vault-AWS-IAM-Server-ID header: {why}")))
}

pub(crate) fn finish(turn: &mut Turn<'_>, pending: Pending, answer: &StsAnswer) -> Handled {
    let Pending { place, role_name, role } = pending;
    let arn = match answer {
        StsAnswer::Identity { arn } => arn,
        StsAnswer::Refused { status, says } => {
            let text =
                format!("error making upstream request: received error code {status} from STS: {says}");
            return Err(Refusal::bad(text));
        }
        StsAnswer::Unreachable(cause) => {
            return Err(Refusal::bad(format!(
                "error making upstream request: error making request: {cause}"
            )));
        }
    };
    let principal_arn = canonical(arn);
    if !role.principals.iter().any(|bound| fits(bound, &principal_arn)) {
        return Err(Refusal::bad(format!(
            "IAM Principal \"{principal_arn}\" does not belong to the role \"{role_name}\""
        )));
    }
    let account = arn.split(':').nth(4).unwrap_or_default().to_owned();
    let session = arn.rsplit('/').next().unwrap_or_default().to_owned();
    let principal = Principal {
        alias: principal_arn.clone(),
        display_name: session,
        metadata: json!({
            "account_id": account,
            "auth_type": "iam",
            "canonical_arn": principal_arn,
            "role_id": role_name,
        }),
        role: role_name,
        certificate: None,
    };
    welcome(turn, &place, principal, &role.token)
}

/// The ARN of the role behind an assumed-role session; other ARNs stay.
fn canonical(arn: &str) -> String {
    let Some((head, session)) = arn.split_once(":assumed-role/") else { return arn.to_owned() };
    let role = session.split('/').next().unwrap_or_default();
    format!("{}:role/{role}", head.replacen(":sts:", ":iam:", 1))
}

fn fits(bound: &str, arn: &str) -> bool {
    match bound.strip_suffix('*') {
        Some(prefix) => arn.starts_with(prefix),
        None => bound == arn,
    }
}

pub(crate) fn configure(
    turn: &mut Turn<'_>,
    place: &Place,
    method: &Aws,
    segments: &[&str],
    verb: Verb,
    fields: Fields<'_>,
) -> Handled {
    let mut method = method.clone();
    match (segments, verb) {
        (["config", "client"], Verb::Write) => {
            method.server_id = fields.text("iam_server_id_header_value")?
        }
        (["role", name], Verb::Write) => {
            let role = method.roles.entry((*name).to_owned()).or_default();
            role.principals = fields.list("bound_iam_principal_arn");
            role.token.read(fields)?;
        }
        (["role", name], Verb::Read) => {
            let role = method.roles.get(*name).ok_or(Refusal::empty(404))?;
            return Ok(Success::data(json!({ "token_policies": role.token.policies }), "aws"));
        }
        (["role", name], Verb::Delete) => {
            method.roles.remove(*name);
        }
        _ => return Err(Refusal::unsupported_path()),
    }
    store(turn, place, AuthMethod::Aws(method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assumed_role_is_judged_by_its_role() {
        assert_eq!(canonical("arn:aws:sts::1:assumed-role/app/session"), "arn:aws:iam::1:role/app");
        assert_eq!(canonical("arn:aws:iam::1:user/me"), "arn:aws:iam::1:user/me");
        assert!(fits("arn:aws:iam::1:role/*", "arn:aws:iam::1:role/app"));
    }
}
