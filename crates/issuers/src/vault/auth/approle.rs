//! AppRole: `role_id` from the spec, `secret_id` from a Secret, both trimmed. An empty one is never sent.
//! Wrong tries are counted (`lockout.rs`), because Vault locks the role for everybody.

use everleaf_core::failure::{Blame, Call, Class, Failure};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Fingerprint, Login, Method, Role, credential, json};
use crate::surroundings::{KeyRef, Surroundings, failure};
use crate::vault::config::{ApiPath, Config};

#[derive(Serialize)]
struct Body<'a> {
    role_id: &'a str,
    secret_id: &'a str,
}

/// Reads the secret_id and makes the call.
pub(in crate::vault) async fn login(
    config: &Config,
    path: &ApiPath,
    role_id: &str,
    at: &KeyRef,
    from: &dyn Surroundings,
) -> Result<Login, Failure> {
    let role_id = role_id.trim();
    if role_id.is_empty() {
        // Vault would answer with a server fault (vault-measured 3).
        let says = "spec.vault.auth.appRole.roleId is empty";
        return Err(failure(Class::Access, Call::Login, "CredentialsIncomplete", says, Blame::Issuer));
    }
    let secret_id = credential(from, at).await?;
    let pair = Zeroizing::new(format!("{role_id}\n{}", *secret_id));
    let namespace = config.namespace.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let role =
        Role([config.server.shown(), namespace.to_owned(), path.as_str().to_owned(), role_id.to_owned()]);
    Ok(Login {
        method: Method::AppRole,
        path: path.clone(),
        body: json(&Body { role_id, secret_id: &secret_id }),
        credentials: Blame::Secret(at.name.clone()),
        counted: Some((role, Fingerprint::of(pair.as_bytes()))),
        secrets: vec![secret_id],
    })
}
