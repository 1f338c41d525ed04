//! Sets a practice Vault up as an issuer: PKI mount with a CA and a role, a policy, an auth mount with a role.
//! The same calls that an administrator would make, by hand; for the demo, tests and the stand-alone server.
//! Credentials leave only in the value that is given back.

use std::fmt;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::admin::AdminError;
use crate::faults::Scene;
use crate::practice::Practice;

/// Credentials of a furnished Vault.
#[derive(Clone)]
pub struct Furnished {
    /// The AppRole's role_id.
    pub role_id: String,
    /// A secret_id of it.
    pub secret_id: Zeroizing<String>,
    /// A token that may sign, for token auth.
    pub token: Zeroizing<String>,
}

impl fmt::Debug for Furnished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Furnished {{ role_id: {} }}", self.role_id)
    }
}

/// The longest life of a certificate from the furnished role.
const MAX_TTL: &str = "2160h";
/// The life of tokens.
const TOKEN_TTL: &str = "1h";
/// The life of the CA.
const CA_TTL: &str = "87600h";

/// Sets up PKI, policy and AppRole as the scene names them.
pub fn furnish(practice: &Practice, scene: &Scene) -> Result<Furnished, AdminError> {
    furnish_pki(practice, scene)?;
    practice.write(&format!("sys/auth/{}", scene.auth), json!({ "type": "approle" }))?;
    let role = format!("auth/{}/{}", scene.auth, scene.auth_role);
    practice.write(&role, json!({ "token_policies": [scene.policy], "token_ttl": TOKEN_TTL }))?;
    let role_id = text(&practice.read(&format!("{role}/role-id"))?, "role_id");
    let secret = practice.write(&format!("{role}/secret-id"), Value::Null)?;
    let created =
        practice.write("auth/token/create", json!({ "policies": [scene.policy], "period": "24h" }))?;
    Ok(Furnished {
        role_id,
        secret_id: Zeroizing::new(text(&secret, "secret_id")),
        token: Zeroizing::new(text(&created, "client_token")),
    })
}

/// Sets up PKI and policy only.
pub fn furnish_pki(practice: &Practice, scene: &Scene) -> Result<(), AdminError> {
    let (pki, role, policy) = (&scene.pki, &scene.role, &scene.policy);
    practice.write(
        &format!("sys/mounts/{pki}"),
        json!({ "type": "pki", "config": { "max_lease_ttl": CA_TTL } }),
    )?;
    practice.write(
        &format!("{pki}/root/generate/internal"),
        json!({ "common_name": "practice root", "ttl": CA_TTL }),
    )?;
    let fields = json!({
        "allow_any_name": true, "enforce_hostnames": false, "key_type": "any", "require_cn": false,
        "max_ttl": MAX_TTL, "allowed_uri_sans": ["*"], "allowed_other_sans": ["*"],
    });
    practice.write_role(pki, role, fields)?;
    let grant = format!("path \"{pki}/sign/{role}\" {{ capabilities = [\"create\", \"update\"] }}");
    practice.write_policy(policy, &grant)?;
    Ok(())
}

/// Sets up Kubernetes auth for these accounts; empty lists mean any.
pub fn furnish_kubernetes(
    practice: &Practice,
    scene: &Scene,
    audience: &str,
    names: &[&str],
    namespaces: &[&str],
) -> Result<(), AdminError> {
    let or_any = |list: &[&str]| if list.is_empty() { json!(["*"]) } else { json!(list) };
    practice.write(&format!("sys/auth/{}", scene.auth), json!({ "type": "kubernetes" }))?;
    practice
        .write(&format!("auth/{}/config", scene.auth), json!({ "kubernetes_host": "https://kubernetes" }))?;
    let fields = json!({
        "bound_service_account_names": or_any(names),
        "bound_service_account_namespaces": or_any(namespaces),
        "audience": audience,
        "token_policies": [scene.policy],
        "token_ttl": TOKEN_TTL,
    });
    practice.write(&format!("auth/{}/{}", scene.auth, scene.auth_role), fields)?;
    Ok(())
}

fn text(data: &Value, name: &str) -> String {
    data.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
