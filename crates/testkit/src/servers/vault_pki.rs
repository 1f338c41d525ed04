//! Makes a PKI mount ready to sign: root, role, policy and an AppRole that may sign and nothing else.
//! The leaves it issues are for tests of TLS itself.
//! It never weakens Vault: what a test needs beyond the policy it has to grant in plain sight.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::vault::{Vault, VaultApi};

const ROOT_LIFE: &str = "87600h";

/// The key that a PKI root is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CaKey {
    /// P-256: signing costs a millisecond.
    #[default]
    Ecdsa,
    /// RSA-2048.
    Rsa,
}

/// What a mount and its role look like.
#[derive(Debug, Clone)]
pub struct PkiOptions {
    /// Name of the role, `web` if not said.
    pub role: String,
    /// Key of the root.
    pub ca_key: CaKey,
    /// The role's `max_ttl`.
    pub max_ttl: String,
    /// Fields of the role that replace or join the defaults.
    pub role_fields: Value,
    /// Life of the AppRole's tokens.
    pub token_ttl: String,
    /// Longest life of the AppRole's tokens.
    pub token_max_ttl: String,
}

impl Default for PkiOptions {
    fn default() -> Self {
        Self {
            role: "web".to_owned(),
            ca_key: CaKey::Ecdsa,
            max_ttl: "2160h".to_owned(),
            role_fields: json!({}),
            token_ttl: "1h".to_owned(),
            token_max_ttl: "24h".to_owned(),
        }
    }
}

/// Credentials of an AppRole.
#[derive(Clone)]
pub struct AppRole {
    /// Mount path of the auth method.
    pub mount: String,
    /// Name of the role.
    pub name: String,
    /// The role id.
    pub role_id: String,
    /// One secret id.
    pub secret_id: String,
}

impl std::fmt::Debug for AppRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppRole")
            .field("mount", &self.mount)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A PKI mount that signs.
#[derive(Debug, Clone)]
pub struct Pki {
    /// Mount path.
    pub mount: String,
    /// Name of the role.
    pub role: String,
    /// What an issuer's `spec.vault.path` names: `<mount>/sign/<role>`.
    pub sign_path: String,
    /// The policy that allows to sign.
    pub policy: String,
    /// The root certificate, PEM.
    pub root: String,
    /// An AppRole that holds the policy.
    pub approle: AppRole,
}

/// A certificate with its key that Vault made.
pub struct Issued {
    /// Leaf, PEM.
    pub certificate: String,
    /// Key, PEM.
    pub key: String,
}

impl Vault {
    /// [`VaultApi::pki`] with the root token.
    pub async fn pki(&self, mount: &str, options: &PkiOptions) -> Result<Pki> {
        self.api().pki(mount, options).await
    }
}

impl VaultApi {
    /// Makes a PKI mount with a root, a role, a policy and an AppRole, named after mount and role.
    pub async fn pki(&self, mount: &str, options: &PkiOptions) -> Result<Pki> {
        let tune = json!({ "type": "pki", "config": { "max_lease_ttl": ROOT_LIFE } });
        self.write(&format!("sys/mounts/{mount}"), tune).await?;
        let root = self.pki_root(mount, options.ca_key).await?;
        let role = options.role.clone();
        self.write(&format!("{mount}/roles/{role}"), role_fields(options)).await?;
        let sign_path = format!("{mount}/sign/{role}");
        let policy = format!("{}-{role}", mount.replace('/', "-"));
        let rules = format!("path \"{sign_path}\" {{ capabilities = [\"create\", \"update\"] }}");
        self.policy(&policy, &rules).await?;
        let approle = self.approle("approle", &policy, &policy, options).await?;
        Ok(Pki { mount: mount.to_owned(), role, sign_path, policy, root, approle })
    }

    async fn pki_root(&self, mount: &str, key: CaKey) -> Result<String> {
        let (key_type, key_bits) = match key {
            CaKey::Ecdsa => ("ec", 256),
            CaKey::Rsa => ("rsa", 2048),
        };
        let request = json!({
            "common_name": format!("{mount} root"), "ttl": ROOT_LIFE, "key_type": key_type, "key_bits": key_bits,
        });
        text(&self.write(&format!("{mount}/root/generate/internal"), request).await?, "certificate")
    }

    /// Makes an AppRole `name` under `mount` (enabled if need be) that holds `policy`, with one secret id.
    pub async fn approle(
        &self,
        mount: &str,
        name: &str,
        policy: &str,
        options: &PkiOptions,
    ) -> Result<AppRole> {
        self.enable_auth(mount, "approle").await?;
        let role = format!("auth/{mount}/role/{name}");
        let fields = json!({
            "token_policies": [policy], "token_ttl": options.token_ttl, "token_max_ttl": options.token_max_ttl,
        });
        self.write(&role, fields).await?;
        let role_id = text(&self.read(&format!("{role}/role-id")).await?, "role_id")?;
        let secret_id = text(&self.write(&format!("{role}/secret-id"), json!({})).await?, "secret_id")?;
        Ok(AppRole { mount: mount.to_owned(), name: name.to_owned(), role_id, secret_id })
    }

    /// Logs in with an AppRole and returns the token.
    pub async fn login(&self, approle: &AppRole) -> Result<String> {
        let body = json!({ "role_id": approle.role_id, "secret_id": approle.secret_id });
        let path = format!("auth/{}/login", approle.mount);
        text(&self.with_token("").write(&path, body).await?, "client_token")
    }

    /// Lets Vault make key and certificate for `name`, good for servers and clients.
    pub async fn issue(&self, pki: &Pki, name: &str) -> Result<Issued> {
        let path = format!("{}/issue/{}", pki.mount, pki.role);
        let request = json!({ "common_name": name, "ttl": "24h" });
        let made = self.write(&path, request).await?;
        Ok(Issued { certificate: text(&made, "certificate")?, key: text(&made, "private_key")? })
    }
}

fn role_fields(options: &PkiOptions) -> Value {
    let mut fields = json!({
        "allow_any_name": true, "enforce_hostnames": false, "allow_ip_sans": true, "allowed_uri_sans": "*",
        "require_cn": false, "key_type": "any", "max_ttl": options.max_ttl,
        "server_flag": true, "client_flag": true,
    });
    if let (Some(fields), Some(more)) = (fields.as_object_mut(), options.role_fields.as_object()) {
        fields.extend(more.clone());
    }
    // "issue" makes the key itself and needs to know which; "any" takes what the caller asks for.
    fields
}

pub(crate) fn text(answer: &Value, field: &str) -> Result<String> {
    let found = answer.get(field).and_then(Value::as_str);
    Ok(found.with_context(|| format!("Vault's answer has no {field}"))?.to_owned())
}
