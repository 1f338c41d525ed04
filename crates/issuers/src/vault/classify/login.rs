//! What answers to a login mean, by method. Most refusals of a login can't be told from an outage behind Vault (vault-measured 1.7):
//! those stay Transient. A login never ends a request.

use super::Blamed::{Credentials, Issuer};
use super::{Denial, Row, Text, Verdict, access, denial, inner, is_success, look_up, transient};
use crate::vault::answer::{Body, Method, Reply};

/// AppRole (vault-measured 3).
const APPROLE: &[Row] = &[
    // Bad, used up or expired secret_id, unknown role, or a standby that lags: the same bytes. It counts toward the lock-out.
    (Text::Whole("invalid role or secret ID"), access(WRONG_CREDENTIALS, Credentials)),
    // Older Vault (vault-server 4.2).
    (Text::Whole("invalid role ID"), access(WRONG_CREDENTIALS, Credentials)),
    (Text::Begins("invalid secret id"), access(WRONG_CREDENTIALS, Credentials)),
    (Text::Begins("invalid secret_id"), access(WRONG_CREDENTIALS, Credentials)),
    (
        Text::Around("source address ", " unauthorized through CIDR restrictions on the secret ID"),
        access("AddressNotAllowed", Issuer),
    ),
    (Text::Begins("source address "), access("AddressNotAllowed", Issuer)),
    (Text::Whole("missing secret_id"), access("CredentialsIncomplete", Credentials)),
    (Text::Whole("missing role_id"), access("CredentialsIncomplete", Issuer)),
    (
        Text::Whole("failed to determine alias name from login request"),
        access("CredentialsIncomplete", Issuer),
    ),
];

/// Kubernetes and JWT: decided by Vault alone, without any outside call (vault-measured 7).
const KUBERNETES: &[Row] = &[
    (Text::Whole("service account name not authorized"), access("ServiceAccountNotAllowed", Issuer)),
    (Text::Whole("namespace not authorized"), access("ServiceAccountNotAllowed", Issuer)),
    (Text::Begins("invalid audience (aud) claim: "), access("AudienceRefused", Issuer)),
    (Text::Begins("invalid issuer (iss) claim"), access("ClaimRefused", Issuer)),
    (Text::Begins("invalid subject (sub) claim"), access("ClaimRefused", Issuer)),
    // Clocks, or a stale JWT: the next one is fresh (vault-measured 7).
    (Text::Begins("invalid expiration time (exp) claim: "), transient("JwtNotInTime")),
    (Text::Begins("invalid not before (nbf) claim: "), transient("JwtNotInTime")),
    (Text::Begins("invalid issued at (iat) claim: "), transient("JwtNotInTime")),
    // The Kubernetes API couldn't be read for a namespace selector (vault-server 1.4 b).
    (Text::Begins("namespace not authorized err="), transient("LoginDenied")),
    (Text::Around("invalid role name \"", "\""), access("AuthRoleUnknown", Issuer)),
    (Text::Around("role \"", "\" could not be found"), access("AuthRoleUnknown", Issuer)),
    (Text::Begins("error validating claims: "), access("ClaimRefused", Issuer)),
    (Text::Whole("missing role"), access("CredentialsIncomplete", Issuer)),
    (Text::Whole("missing jwt"), access("CredentialsIncomplete", Credentials)),
    (Text::Whole("missing token"), access("CredentialsIncomplete", Credentials)),
    // Discovery or JWKS couldn't be fetched (vault-measured 3): status 400, but the network's fault.
    (Text::Begins("error configuring token validator"), transient("KeysNotFetched")),
    (Text::Begins("error verifying token signature: fetching keys"), transient("KeysNotFetched")),
    // A rotation under way looks the same (vault-measured 7).
    (
        Text::Begins("error verifying token signature: failed to verify id token signature"),
        transient("JwtSignatureRefused"),
    ),
    (
        Text::Begins("error verifying token signature: no known key successfully validated"),
        transient("JwtSignatureRefused"),
    ),
    (
        Text::Begins("error verifying token signature: oidc: malformed jwt"),
        access("JwtMalformed", Credentials),
    ),
    // Never written, or storage failed: the same text, so it isn't told from a fault (vault-measured 3 and 7).
    (Text::Whole("could not load backend configuration"), transient("AuthNotConfigured")),
];

/// TLS certificate. The same bytes for another CA, a refused name, an unknown role and a storage fault (vault-server 1.3), and for a
/// certificate that is being rotated: somebody is told, and the certificate is read again for each try.
const CERTIFICATE: &[Row] = &[
    (Text::Whole("client certificate must be supplied"), access("ClientCertificateRefused", Credentials)),
    (Text::Whole("no client certificate found"), access("ClientCertificateRefused", Credentials)),
    (Text::Whole("tls connection not found"), access("ClientCertificateRefused", Credentials)),
    (
        Text::Begins("invalid certificate or no client certificate supplied"),
        access("ClientCertificateRefused", Credentials),
    ),
    (
        Text::Begins("failed to match all constraints for this login certificate"),
        access("ClientCertificateRefused", Credentials),
    ),
    (
        Text::Begins("no chain matching all constraints could be found for this login certificate"),
        access("ClientCertificateRefused", Credentials),
    ),
    // Status 500, though the client's own certificate is over or not yet valid (vault-measured 3).
    (
        Text::Begins(
            "failed to verify client's certificate: x509: certificate has expired or is not yet valid",
        ),
        access("ClientCertificateExpired", Credentials),
    ),
];

/// AWS IAM (vault-server 4.6; not measured).
const AWS: &[Row] = &[
    (Text::Begins("error making upstream request"), transient("UpstreamFailed")),
    (Text::Around("entry for role ", " not found"), access("AuthRoleUnknown", Issuer)),
    (Text::Begins("IAM Principal "), access("PrincipalRefused", Issuer)),
];

/// The credentials are wrong, as far as this answer says; the only one that counts toward AppRole's lock-out.
pub(in crate::vault) const WRONG_CREDENTIALS: &str = "WrongCredentials";
/// The login was refused without a reason.
const LOGIN_DENIED: &str = "LoginDenied";

pub(super) fn of(reply: &Reply, method: Method) -> Option<Verdict> {
    match (reply.status, &reply.body) {
        (status, Body::Json(_)) if is_success(status) => granted(&reply.body),
        (status, _) if is_success(status) || status == 204 => Some(transient("NotVault")),
        (400 | 403 | 500, Body::Errors(text)) => Some(refused(reply, text, method)),
        // A token went along, so a missing mount shows (vault-measured 3); without one it is a bare 403.
        (404, Body::Errors(text)) if inner(text).starts_with("no handler for route ") => {
            Some(access("AuthMountMissing", Issuer))
        }
        (404, Body::Errors(text)) if matches!(inner(text), "unsupported path" | "") => {
            Some(access("AuthPathUnknown", Issuer))
        }
        _ => Some(transient("UnexpectedStatus")),
    }
}

/// `auth.client_token` or, as the peer takes it, `data.id` (vault-issuer 2.2); an empty one is an error with every method (L8).
fn granted(body: &Body) -> Option<Verdict> {
    let token = body.text_at("/auth/client_token").or_else(|| body.text_at("/data/id"));
    match (token, body.at("/auth/mfa_requirement")) {
        (Some(_), _) => None,
        (None, Some(_)) => Some(access("SecondFactorWanted", Issuer)),
        (None, None) => Some(access("NoTokenInReply", Issuer)),
    }
}

fn refused(reply: &Reply, text: &str, method: Method) -> Verdict {
    if denial(reply) == Some(Denial::Bare) {
        // Every failure of a TokenReview, a missing mount, a lock-out, a disabled entity: the same bytes (vault-measured 1.7, 3).
        return transient(LOGIN_DENIED);
    }
    let text = inner(text);
    // JWT mounts put this before what they say of the token.
    let text = text.strip_prefix("error validating token: ").unwrap_or(text);
    let rows = match method {
        Method::AppRole => APPROLE,
        Method::Kubernetes => KUBERNETES,
        Method::Certificate => CERTIFICATE,
        Method::Aws => AWS,
        Method::Token => &[],
    };
    let unknown = if reply.status == 500 { "ServerFault" } else { "UnknownRefusal" };
    look_up(rows, text).unwrap_or(transient(unknown))
}

/// What stands in the tables here, for the snapshot.
#[cfg(test)]
pub(super) fn tables() -> Vec<(Method, &'static [Row])> {
    vec![
        (Method::AppRole, APPROLE),
        (Method::Kubernetes, KUBERNETES),
        (Method::Certificate, CERTIFICATE),
        (Method::Aws, AWS),
    ]
}
