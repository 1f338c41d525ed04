//! Every answer that Vault 1.21.1 and OpenBao 2.6.2 were seen to give (fixtures/recorded-answers.jsonl: 1,300 of them, equal ones once)
//! gets the class that the measurement gives it. The table is written by hand, from `vault-measured.md` sections 2 to 5.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use everleaf_core::failure::{Blame, ConnectionId};
use everleaf_issuers::vault::answer::{Answer, Asked, Body, Got, Method, Reply};
use everleaf_issuers::vault::classify::classify;
use everleaf_issuers::wire::{Trouble, TroubleKind};
use serde_json::Value;

/// Call (`*` for any, `login` for any login), status (0: no answer), what the body holds (`=` whole text of the error, else a part), and
/// what must come of it. The first row that fits counts.
const TABLE: &[(&str, u16, &str, &str)] = &[
    // No HTTP answer.
    ("*", 0, "timeout", "Transient NoAnswer"),
    ("*", 0, "refused", "Transient ConnectionRefused"),
    ("*", 0, "lost", "Transient ConnectionLost"),
    ("*", 0, "untrusted", "Access ServerNotTrusted"),
    // Anywhere.
    ("health", 429, "\"standby\":true", "fine"),
    ("*", 429, "rate limit quota exceeded", "Transient RateLimited"),
    ("*", 307, "", "Transient Redirected"),
    ("health", 503, "sealed", "Transient Sealed"),
    ("*", 503, "=Vault is sealed", "Transient Sealed"),
    ("*", 503, "has been locked by an administrator", "Transient NamespaceLocked"),
    ("*", 404, "=namespace not found", "Access NamespaceNotFound"),
    ("*", 400, "Client sent an HTTP request to an HTTPS server", "Access PlainHttpToTlsPort"),
    ("*", 500, "local node not active but active cluster node not found", "Transient NoLeader"),
    ("*", 500, "leadership lost while committing log", "Transient NotTheLeader"),
    ("*", 500, "node is not the leader", "Transient NotTheLeader"),
    ("*", 500, "internal error", "Transient InternalError"),
    // Health.
    ("health", 200, "", "fine"),
    ("health", 299, "", "fine"),
    ("health", 400, "operation unavailable in namespaces", "fine"),
    ("health", 474, "", "Transient NoLeader"),
    ("health", 501, "", "Transient NotInitialised"),
    // Sign: well.
    ("sign", 200, "certificate", "fine"),
    ("sign", 200, "{}", "Issuer NoCertificate"),
    ("sign", 204, "", "Issuer NotPki"),
    // Sign: the token.
    ("sign", 403, "=1 error occurred:\n\t* permission denied", "Transient DeniedByPolicy"),
    ("sign", 403, "=2 errors occurred:\n\t* permission denied\n\t* invalid token", "Transient TokenRefused"),
    ("sign", 403, "=permission denied", "Transient TokenRefused"),
    ("sign", 400, "token had one use left", "Transient TokenSpent"),
    // Sign: the request.
    ("sign", 400, "common name ", "Request NameNotAllowed WhenProved"),
    ("sign", 400, "email address ", "Request NameNotAllowed WhenProved"),
    ("sign", 400, "IP Subject Alternative Names are not allowed", "Request NameNotAllowed WhenProved"),
    ("sign", 400, "URI Subject Alternative Names are not allowed", "Request NameNotAllowed WhenProved"),
    ("sign", 400, "role requires keys of type", "Request KeyNotAllowed WhenProved"),
    ("sign", 400, "role requires a minimum of", "Request KeyNotAllowed WhenProved"),
    ("sign", 400, "RSA keys < 2048 bits", "Request KeyNotAllowed WhenProved"),
    ("sign", 400, "the common_name field is required", "Request CommonNameMissing WhenProved"),
    ("sign", 400, "certificate request could not be parsed", "Request UnreadableCsr AtOnce"),
    ("sign", 400, "=request signature invalid", "Request UnreadableCsr AtOnce"),
    ("sign", 400, "=\"csr\" is empty", "Request CsrLost WhenProved"),
    ("sign", 400, "=csr contains no data", "Request CsrLost WhenProved"),
    ("sign", 400, "Field validation failed", "Request FieldRefused"),
    ("sign", 400, "Either ttl or not_after", "Request FieldRefused"),
    ("sign", 400, "path parameter must be", "Request FieldRefused"),
    // Sign: mount, role, CA.
    ("sign", 400, "unknown role: ", "Issuer RoleUnknown"),
    ("sign", 400, "beyond the expiration of the CA certificate", "Issuer CaEndsTooSoon"),
    ("sign", 400, "=notAfter before notBefore", "Issuer CaExpired"),
    ("sign", 400, "cannot write to a path ending in '/'", "Issuer PathUnknown"),
    ("sign", 404, "no handler for route", "Issuer MountMissing"),
    ("sign", 404, "unsupported path", "Issuer PathUnknown"),
    ("sign", 404, "versioned K/V secrets engine", "Issuer NotPki"),
    ("sign", 404, "\"errors\":[]", "Issuer PathUnknown"),
    ("sign", 405, "", "Issuer CallRefused"),
    ("sign", 413, "", "Issuer CallRefused"),
    ("sign", 500, "no default issuer currently configured", "Issuer NoDefaultIssuer"),
    ("sign", 500, "unable to find PKI issuer for reference", "Issuer CaUnknown"),
    ("sign", 500, "unable to fetch corresponding key for issuer", "Issuer CaWithoutKey"),
    ("sign", 500, "requested usage issuing-certificates", "Issuer CaMayNotIssue"),
    ("sign", 500, "no space left on device", "Transient NotStored"),
    ("cel", 500, "CEL role not found", "Issuer RoleUnknown"),
    ("cel", 500, "no way", "Request CelRoleRefused"),
    // Sign: what we never send.
    ("sign", 400, "error parsing JSON", "Transient UnknownRefusal"),
    ("sign", 400, "failed to decode JSON input", "Transient UnknownRefusal"),
    ("sign", 400, "refused JSON input due to high complexity", "Transient UnknownRefusal"),
    ("sign", 400, "error parsing X-Vault-Wrap-TTL header", "Transient UnknownRefusal"),
    ("sign", 400, "parsing time ", "Transient UnknownRefusal"),
    ("sign", 400, "mime: no media type", "Transient UnknownRefusal"),
    ("sign", 400, "cannot handle internal-only request operation", "Transient UnknownRefusal"),
    ("sign", 400, "=invalid role or secret ID", "Transient UnknownRefusal"),
    ("sign", 500, "JSON", "Transient ServerFault"),
    // Logins.
    ("login", 200, "client_token", "fine"),
    ("login", 403, "=permission denied", "Transient LoginDenied"),
    ("login", 404, "no handler for route", "Access AuthMountMissing"),
    ("approle", 400, "=invalid role or secret ID", "Access WrongCredentials"),
    ("approle", 400, "CIDR restrictions", "Access AddressNotAllowed"),
    ("approle", 400, "=missing secret_id", "Access CredentialsIncomplete"),
    ("approle", 500, "=missing role_id", "Access CredentialsIncomplete"),
    ("approle", 500, "=failed to determine alias name from login request", "Access CredentialsIncomplete"),
    ("kubernetes", 400, "invalid role name", "Access AuthRoleUnknown"),
    ("kubernetes", 400, "missing ", "Access CredentialsIncomplete"),
    ("kubernetes", 403, "=service account name not authorized", "Access ServiceAccountNotAllowed"),
    ("kubernetes", 403, "=namespace not authorized", "Access ServiceAccountNotAllowed"),
    ("kubernetes", 403, "invalid audience (aud) claim", "Access AudienceRefused"),
    ("kubernetes", 403, "(exp) claim", "Transient JwtNotInTime"),
    ("kubernetes", 403, "(nbf) claim", "Transient JwtNotInTime"),
    ("kubernetes", 403, "(iat) claim", "Transient JwtNotInTime"),
    ("kubernetes", 500, "=could not load backend configuration", "Transient AuthNotConfigured"),
    ("jwt", 400, "fetching keys", "Transient KeysNotFetched"),
    ("jwt", 400, "keyset configuration error", "Transient KeysNotFetched"),
    ("jwt", 400, "failed to verify id token signature", "Transient JwtSignatureRefused"),
    ("jwt", 400, "malformed jwt", "Access JwtMalformed"),
    ("jwt", 400, "(aud) claim", "Access AudienceRefused"),
    ("jwt", 400, "(iss) claim", "Access ClaimRefused"),
    ("jwt", 400, "(sub) claim", "Access ClaimRefused"),
    ("jwt", 400, "error validating claims", "Access ClaimRefused"),
    ("jwt", 400, "(exp) claim", "Transient JwtNotInTime"),
    ("jwt", 400, "(nbf) claim", "Transient JwtNotInTime"),
    ("jwt", 400, "could not be found", "Access AuthRoleUnknown"),
    ("jwt", 400, "missing ", "Access CredentialsIncomplete"),
    ("cert", 400, "", "Access ClientCertificateRefused"),
    ("cert", 500, "certificate has expired or is not yet valid", "Access ClientCertificateExpired"),
    // Looks at the token.
    ("lookup", 200, "", "fine"),
    ("lookup", 403, "=1 error occurred:\n\t* permission denied", "Transient MayNotLook"),
    ("lookup", 403, "", "Access TokenRefused"),
    ("renew", 200, "", "fine"),
    ("renew", 403, "", "Transient TokenRefused"),
    ("renew", 400, "", "Transient NotRenewable"),
    ("renew", 500, "does not exist during renewal", "Transient NotRenewable"),
    ("renew", 500, "client identity during renewal", "Transient NotRenewable"),
    ("capabilities", 200, "", "fine"),
    ("capabilities", 403, "=1 error occurred:\n\t* permission denied", "Transient MayNotLook"),
    ("capabilities", 403, "preflight capability check returned 403", "Transient UnknownRefusal"),
    ("capabilities", 403, "permission denied", "Transient TokenRefused"),
];

struct Recorded {
    call: String,
    status: u16,
    body: String,
    none: String,
    got: Got,
}

fn recorded(line: &str) -> Recorded {
    let row: Value = serde_json::from_str(line).unwrap();
    let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let status = row["status"].as_u64().map_or(0, |status| u16::try_from(status).unwrap());
    let (body, none) = (text("body"), text("none"));
    let got = match none.as_str() {
        "" => Ok(Reply {
            status,
            retry_after: row["retry_after"]
                .as_str()
                .map(|s| std::time::Duration::from_secs(s.parse().unwrap())),
            location: row["location"].as_str().map(str::to_owned),
            body: Body::read(body.as_bytes(), None),
            connection: ConnectionId(1),
        }),
        "timeout" => trouble(TroubleKind::Deadline(std::time::Duration::from_secs(3))),
        "refused" => trouble(TroubleKind::Refused),
        "lost" => trouble(TroubleKind::Lost),
        "untrusted" => trouble(TroubleKind::Untrusted("unable to get local issuer certificate".to_owned())),
        other => panic!("{other}"),
    };
    Recorded { call: text("call"), status, body, none, got }
}

fn trouble(kind: TroubleKind) -> Got {
    Err(Trouble::after_sending(kind, false))
}

fn is_login(call: &str) -> bool {
    matches!(call, "approle" | "kubernetes" | "jwt" | "cert")
}

impl Recorded {
    fn fits(&self, (call, status, part, _): &(&str, u16, &str, &str)) -> bool {
        let error = match &self.got {
            Ok(Reply { body: Body::Errors(text), .. }) => text.as_str(),
            _ => "",
        };
        let fits = match part.strip_prefix('=') {
            Some(whole) => error == whole,
            None => error.contains(part) || self.body.contains(part) || self.none.contains(part),
        };
        (*call == "*" || *call == self.call || (*call == "login" && is_login(&self.call)))
            && *status == self.status
            && fits
    }

    fn class(&self) -> String {
        let secret = Blame::Secret("credentials".to_owned());
        let login = |method| Asked::Login { method, credentials: &secret };
        let asked = match self.call.as_str() {
            "sign" => Asked::Sign { cel: false },
            "cel" => Asked::Sign { cel: true },
            "approle" => login(Method::AppRole),
            "kubernetes" | "jwt" => login(Method::Kubernetes),
            "cert" => login(Method::Certificate),
            "lookup" => Asked::LookUp { credentials: &secret },
            "renew" => Asked::Renew,
            "capabilities" => Asked::Capabilities,
            "health" => Asked::Health,
            other => panic!("{other}"),
        };
        match classify(&Answer { asked, server: "https://vault:8200", got: &self.got }) {
            None => "fine".to_owned(),
            Some(failure) => match failure.finality {
                everleaf_core::failure::Finality::Never => format!("{} {}", failure.class, failure.code),
                finality => format!("{} {} {finality:?}", failure.class, failure.code),
            },
        }
    }
}

#[test]
fn every_recorded_answer_has_the_class_that_was_measured() {
    let mut wrong = Vec::new();
    let mut used = vec![0_u32; TABLE.len()];
    for line in include_str!("fixtures/recorded-answers.jsonl").lines() {
        let answer = recorded(line);
        let Some(row) = TABLE.iter().position(|row| answer.fits(row)) else {
            wrong.push(format!("no row for {line}"));
            continue;
        };
        used[row] += 1;
        if answer.class() != TABLE[row].3 {
            wrong.push(format!("{} instead of {} for {line}", answer.class(), TABLE[row].3));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let idle: Vec<_> = TABLE.iter().zip(&used).filter(|(_, used)| **used == 0).map(|(row, _)| row).collect();
    assert!(idle.is_empty(), "rows that no answer fits: {idle:#?}");
}
