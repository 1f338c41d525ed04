//! Rules for `spec.vault` (vault-issuer 1.1 and 1.2).
//! Several ways to log in at once are let through, as manifests with them exist; setting up the issuer refuses them.

use super::{Faults, ca_bundle, set};
use crate::field_error::FieldError;
use crate::issuer::{VaultAppRole, VaultAuth, VaultAwsAuth, VaultIssuer, VaultKubernetesAuth};

pub(super) fn vault(vault: &VaultIssuer, faults: &mut Faults) {
    if vault.server.is_empty() {
        faults.push(FieldError::required("spec.vault.server", ""));
    }
    if vault.path.is_empty() {
        faults.push(FieldError::required("spec.vault.path", ""));
    }
    stays_inside("spec.vault.path", &vault.path, faults);
    trust(vault, faults);
    match (&vault.client_cert_secret_ref, &vault.client_key_secret_ref) {
        (Some(_), None) => faults.push(FieldError::invalid(
            "spec.vault.clientKeySecretRef",
            "<snip>",
            "clientKeySecretRef must be provided when defining the clientCertSecretRef",
        )),
        (None, Some(_)) => faults.push(FieldError::invalid(
            "spec.vault.clientCertSecretRef",
            "<snip>",
            "clientCertSecretRef must be provided when defining the clientKeySecretRef",
        )),
        (Some(_), Some(_)) | (None, None) => {}
    }
    auth(&vault.auth, faults);
}

fn trust(vault: &VaultIssuer, faults: &mut Faults) {
    const TOGETHER: &str = "caBundle and caBundleSecretRef cannot be used together";
    let Some(bundle) = vault.ca_bundle.as_ref().filter(|bundle| !bundle.is_empty()) else { return };
    ca_bundle(bundle, "spec.vault.caBundle", faults);
    if let Some(secret) = &vault.ca_bundle_secret_ref {
        faults.push(FieldError::invalid("spec.vault.caBundle", "<snip>", TOGETHER));
        faults.push(FieldError::invalid("spec.vault.caBundleSecretRef", &secret.name, TOGETHER));
    }
}

fn auth(auth: &VaultAuth, faults: &mut Faults) {
    if let Some(role) = &auth.app_role {
        app_role(role, faults);
    }
    if let Some(certificate) = &auth.client_certificate {
        let path = "spec.vault.auth.clientCertificate.mountPath";
        stays_inside(path, crate::text(&certificate.mount_path), faults);
    }
    if let Some(method) = &auth.kubernetes {
        kubernetes(method, faults);
    }
    if let Some(method) = &auth.aws {
        aws(method, faults);
    }
    let ways = [
        auth.token_secret_ref.is_some(),
        auth.app_role.is_some(),
        auth.client_certificate.is_some(),
        auth.kubernetes.is_some(),
        auth.aws.is_some(),
    ];
    if !ways.contains(&true) {
        let detail = "please supply one of: appRole, kubernetes, tokenSecretRef, clientCertificate, aws";
        faults.push(FieldError::required("spec.vault.auth", detail));
    }
}

fn app_role(role: &VaultAppRole, faults: &mut Faults) {
    if role.role_id.is_empty() {
        faults.push(FieldError::required("spec.vault.auth.appRole.roleId", ""));
    }
    if role.secret_ref.name.is_empty() {
        faults.push(FieldError::required("spec.vault.auth.appRole.secretRef.name", ""));
    }
    stays_inside("spec.vault.auth.appRole.path", &role.path, faults);
}

fn kubernetes(method: &VaultKubernetesAuth, faults: &mut Faults) {
    const PATH: &str = "spec.vault.auth.kubernetes";
    const ONE_OF: &str = "please supply one of: secretRef, serviceAccountRef";
    if method.role.is_empty() {
        faults.push(FieldError::required(format!("{PATH}.role"), ""));
    }
    stays_inside(&format!("{PATH}.mountPath"), crate::text(&method.mount_path), faults);
    if method.service_account_ref.as_ref().is_some_and(|account| account.name.is_empty()) {
        faults.push(FieldError::required(format!("{PATH}.serviceAccountRef.name"), ""));
    }
    // `secretRef: {name: ""}` is what Go clients write for "not set".
    match (method.chosen_secret(), &method.service_account_ref) {
        (None, None) => faults.push(FieldError::required(PATH, ONE_OF)),
        (Some(_), Some(_)) => faults.push(FieldError::forbidden(PATH, ONE_OF)),
        (Some(_), None) | (None, Some(_)) => {}
    }
}

fn aws(method: &VaultAwsAuth, faults: &mut Faults) {
    const PATH: &str = "spec.vault.auth.aws";
    if method.role.is_empty() {
        faults.push(FieldError::required(format!("{PATH}.role"), ""));
    }
    stays_inside(&format!("{PATH}.mountPath"), crate::text(&method.mount_path), faults);
    let Some(account) = &method.service_account_ref else { return };
    if account.name.is_empty() {
        faults.push(FieldError::required(format!("{PATH}.serviceAccountRef.name"), ""));
    }
    if !set(&method.iam_role_arn) {
        let detail = "iamRoleArn is required when using serviceAccountRef for IRSA";
        faults.push(FieldError::required(format!("{PATH}.iamRoleArn"), detail));
    }
}

/// A path must not climb out of its mount.
fn stays_inside(path: &str, value: &str, faults: &mut Faults) {
    if value.split('/').any(|segment| segment == "..") {
        faults.push(FieldError::invalid(path, value, "must not contain '..' path segments"));
    }
}
