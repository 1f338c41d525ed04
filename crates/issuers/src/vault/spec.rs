//! From `spec.vault` to a configuration that can be used, or to the fault that stands in the Ready condition (vault-issuer 3, checks
//! 1 to 10). Of several login methods none is taken: the issuer says so, as the peer's does.

use everleaf_api::issuer::{VaultAuth, VaultAwsAuth, VaultIssuer, VaultKubernetesAuth};
use everleaf_api::references::{SecretKeySelector, chosen};
use http::HeaderValue;
use rustls_pki_types::ServerName;

use super::NOT_READY;
use super::auth::kubernetes::audiences;
use super::config::{ApiPath, Auth, Aws, Ca, Config, Jwt, PairRef, Server, WebIdentity};
use crate::order::{IssuerIdentity, SpecError};
use crate::surroundings::KeyRef;

/// The login path of AppRole where none is written.
const APPROLE_PATH: &str = "approle";
const KUBERNETES_PATH: &str = "/v1/auth/kubernetes";
/// Without the doubled `/v1` of the peer (vault-issuer 5.G1).
const AWS_PATH: &str = "/v1/auth/aws";
const CERT_PATH: &str = "/v1/auth/cert";

impl Config {
    /// Reads a spec.
    pub fn from_spec(identity: &IssuerIdentity, spec: &VaultIssuer) -> Result<Config, SpecError> {
        let path = ApiPath::new(&spec.path);
        if spec.server.is_empty() || path.is_empty() {
            return fault("spec.vault.server and spec.vault.path are both required");
        }
        let server =
            Server::parse(&spec.server).or_else(|why| fault(&format!("spec.vault.server: {why}")))?;
        if has_dots(&spec.path) {
            return fault("spec.vault.path must not hold a segment \"..\"");
        }
        let namespace = filled(&spec.namespace).map(|written| {
            HeaderValue::from_str(written)
                .or_else(|_| fault("spec.vault.namespace holds characters that a header can't carry"))
        });
        let server_name = filled(&spec.server_name).map(|written| {
            ServerName::try_from(written.to_owned())
                .or_else(|_| fault("spec.vault.serverName is not a host name"))
        });
        Ok(Config {
            auth: auth(identity, spec)?,
            server,
            path,
            namespace: namespace.transpose()?,
            server_name: server_name.transpose()?,
            ca: ca(spec)?,
            identity: pair(spec)?,
        })
    }
}

fn ca(spec: &VaultIssuer) -> Result<Ca, SpecError> {
    let inline = spec.ca_bundle.as_ref().filter(|bundle| !bundle.is_empty());
    match (inline, chosen(&spec.ca_bundle_secret_ref)) {
        (Some(_), Some(_)) => {
            fault("spec.vault.caBundle and spec.vault.caBundleSecretRef can't be set together")
        }
        (Some(bundle), None) => match bundle.decode() {
            Some(pem) => Ok(Ca::Inline(pem.into_owned())),
            None => fault("spec.vault.caBundle is not base64"),
        },
        (None, Some(at)) => Ok(Ca::Secret(key_ref(at, "ca.crt"))),
        (None, None) => Ok(Ca::System),
    }
}

fn pair(spec: &VaultIssuer) -> Result<Option<PairRef>, SpecError> {
    match (chosen(&spec.client_cert_secret_ref), chosen(&spec.client_key_secret_ref)) {
        (Some(certificate), Some(key)) => {
            Ok(Some(PairRef { certificate: key_ref(certificate, "tls.crt"), key: key_ref(key, "tls.key") }))
        }
        (None, None) => Ok(None),
        _ => fault("spec.vault.clientCertSecretRef and spec.vault.clientKeySecretRef must be set together"),
    }
}

fn auth(identity: &IssuerIdentity, spec: &VaultIssuer) -> Result<Auth, SpecError> {
    let VaultAuth { token_secret_ref, app_role, client_certificate, kubernetes, aws } = &spec.auth;
    match (token_secret_ref, app_role, client_certificate, kubernetes, aws) {
        (None, None, None, None, None) => {
            fault("spec.vault.auth needs one of tokenSecretRef, appRole, clientCertificate, kubernetes, aws")
        }
        (Some(at), None, None, None, None) => match at.name.is_empty() {
            true => fault("spec.vault.auth.tokenSecretRef.name is required"),
            false => Ok(Auth::Token(key_ref(at, "token"))),
        },
        (None, Some(role), None, None, None) => app_role_auth(role),
        (None, None, Some(certificate), None, None) => Ok(Auth::Certificate {
            login: login_path(
                filled(&certificate.mount_path).unwrap_or(CERT_PATH),
                "clientCertificate.mountPath",
            )?,
            role: filled(&certificate.name).map(str::to_owned),
            secret: filled(&certificate.secret_name).map(str::to_owned),
        }),
        (None, None, None, Some(kubernetes), None) => kubernetes_auth(identity, &spec.server, kubernetes),
        (None, None, None, None, Some(aws)) => aws_auth(aws),
        _ => fault("spec.vault.auth must name one login method, not several"),
    }
}

fn app_role_auth(role: &everleaf_api::issuer::VaultAppRole) -> Result<Auth, SpecError> {
    if role.role_id.trim().is_empty() || role.secret_ref.name.is_empty() {
        return fault("spec.vault.auth.appRole needs both roleId and secretRef.name");
    }
    let key = role.secret_ref.key.as_deref().unwrap_or_default();
    if key.is_empty() {
        return fault("spec.vault.auth.appRole.secretRef.key is required");
    }
    let mount = if role.path.is_empty() { APPROLE_PATH } else { &role.path };
    Ok(Auth::AppRole {
        login: login_path(&format!("auth/{}", mount.trim_matches('/')), "appRole.path")?,
        role_id: role.role_id.clone(),
        secret_id: key_ref(&role.secret_ref, key),
    })
}

fn kubernetes_auth(
    identity: &IssuerIdentity,
    server: &str,
    kubernetes: &VaultKubernetesAuth,
) -> Result<Auth, SpecError> {
    if kubernetes.role.is_empty() {
        return fault("spec.vault.auth.kubernetes.role is required");
    }
    let account = kubernetes.service_account_ref.as_ref();
    let jwt = match (kubernetes.chosen_secret(), account) {
        (None, None) => {
            return fault("spec.vault.auth.kubernetes needs secretRef.name or serviceAccountRef.name");
        }
        (Some(_), Some(_)) => {
            return fault("spec.vault.auth.kubernetes takes secretRef or serviceAccountRef, not both");
        }
        (Some(at), None) => Jwt::Secret(key_ref(at, "token")),
        (None, Some(account)) if account.name.is_empty() => {
            return fault("spec.vault.auth.kubernetes.serviceAccountRef.name is required");
        }
        (None, Some(account)) => Jwt::ServiceAccount {
            name: account.name.clone(),
            audiences: audiences(
                account.audiences.as_deref().unwrap_or_default(),
                identity.namespace.as_deref(),
                &identity.name,
                server,
            ),
        },
    };
    let login =
        login_path(filled(&kubernetes.mount_path).unwrap_or(KUBERNETES_PATH), "kubernetes.mountPath")?;
    Ok(Auth::Kubernetes { login, role: kubernetes.role.clone(), jwt })
}

fn aws_auth(aws: &VaultAwsAuth) -> Result<Auth, SpecError> {
    if aws.role.is_empty() {
        return fault("spec.vault.auth.aws.role is required");
    }
    let arn = filled(&aws.iam_role_arn);
    let web_identity = match (&aws.service_account_ref, arn) {
        (None, _) => None,
        (Some(account), _) if account.name.is_empty() => {
            return fault("spec.vault.auth.aws.serviceAccountRef.name is required");
        }
        (Some(_), None) => return fault("spec.vault.auth.aws.serviceAccountRef needs iamRoleArn"),
        (Some(account), Some(arn)) => {
            Some(WebIdentity::new(&account.name, account.audiences.as_deref().unwrap_or_default(), arn))
        }
    };
    let of_a_host = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if filled(&aws.region).is_some_and(|region| !of_a_host(region)) {
        return fault("spec.vault.auth.aws.region is not the name of a region");
    }
    let printable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if filled(&aws.vault_header_value).is_some_and(|value| !printable(value)) {
        return fault("spec.vault.auth.aws.vaultHeaderValue holds characters that a header can't carry");
    }
    Ok(Auth::Aws {
        login: login_path(filled(&aws.mount_path).unwrap_or(AWS_PATH), "aws.mountPath")?,
        aws: Aws {
            role: aws.role.clone(),
            region: filled(&aws.region).map(str::to_owned),
            header_value: filled(&aws.vault_header_value).map(str::to_owned),
            web_identity,
        },
    })
}

fn login_path(written: &str, field: &str) -> Result<ApiPath, SpecError> {
    if has_dots(written) {
        return fault(&format!("spec.vault.auth.{field} must not hold a segment \"..\""));
    }
    Ok(ApiPath::login_below(written))
}

fn has_dots(path: &str) -> bool {
    path.split('/').any(|segment| segment == "..")
}

fn key_ref(at: &SecretKeySelector, default: &str) -> KeyRef {
    KeyRef { name: at.name.clone(), key: at.key_or(default).to_owned() }
}

fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

fn fault<T>(message: &str) -> Result<T, SpecError> {
    Err(SpecError { reason: NOT_READY, message: message.to_owned() })
}
