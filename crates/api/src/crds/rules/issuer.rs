//! Rules over Issuers and ClusterIssuers: exactly one kind of authority, and what each of them needs.
//! What is in a CA bundle CEL can't read; setting up the issuer does.

use super::{Rule, Rules, acme, alone, any_of, filled, rule};

/// Ways to log in to a Vault.
const WAYS: [&str; 5] = ["appRole", "kubernetes", "tokenSecretRef", "clientCertificate", "aws"];

pub(super) fn rules() -> Rules {
    const KINDS: [&str; 5] = ["acme", "ca", "selfSigned", "vault", "venafi"];
    let mut all = Rules::default();
    all.rules.push(any_of("spec", &KINDS, "at least one issuer must be configured"));
    all.rules.extend(alone("spec", &KINDS, "may not specify more than one issuer type"));
    ca(&mut all);
    vault(&mut all);
    auth(&mut all);
    venafi(&mut all);
    acme::rules(&mut all);
    all
}

fn ca(all: &mut Rules) {
    all.rules.push(filled("spec.ca", "secretName", "must be specified"));
    for list in ["ocspServers", "issuingCertificateURLs"] {
        all.rules.push(rule(format!("spec.ca.{list}[]"), "self != ''", "must be a valid URL"));
    }
}

fn vault(all: &mut Rules) {
    const AT: &str = "spec.vault";
    all.rules.push(filled(AT, "server", "must be specified"));
    all.rules.push(filled(AT, "path", "must be specified"));
    all.rules.push(stays_inside("spec.vault.path"));
    let trust = "!has(self.caBundle) || self.caBundle.size() == 0 || !has(self.caBundleSecretRef)";
    let message = "caBundle and caBundleSecretRef cannot be used together";
    all.rules.push(rule(AT, trust, message).field("caBundle"));
    let key = "!has(self.clientCertSecretRef) || has(self.clientKeySecretRef)";
    let message = "clientKeySecretRef must be provided when defining the clientCertSecretRef";
    all.rules.push(rule(AT, key, message).field("clientKeySecretRef"));
    let certificate = "!has(self.clientKeySecretRef) || has(self.clientCertSecretRef)";
    let message = "clientCertSecretRef must be provided when defining the clientKeySecretRef";
    all.rules.push(rule(AT, certificate, message).field("clientCertSecretRef"));
}

fn auth(all: &mut Rules) {
    const AT: &str = "spec.vault.auth";
    let message = "please supply one of: appRole, kubernetes, tokenSecretRef, clientCertificate, aws";
    all.rules.push(any_of(AT, &WAYS, message));
    let app_role = format!("{AT}.appRole");
    all.rules.push(filled(&app_role, "roleId", "must be specified"));
    all.rules.push(filled(&format!("{app_role}.secretRef"), "name", "must be specified"));
    all.rules.push(stays_inside(format!("{app_role}.path")));
    for way in ["clientCertificate", "kubernetes", "aws"] {
        all.rules.push(stays_inside(format!("{AT}.{way}.mountPath")));
    }
    let kubernetes = format!("{AT}.kubernetes");
    all.rules.push(filled(&kubernetes, "role", "must be specified"));
    let one = "(has(self.secretRef) && self.secretRef.name != '') != has(self.serviceAccountRef)";
    let message = "please supply one of: secretRef, serviceAccountRef";
    all.rules.push(rule(kubernetes.as_str(), one, message));
    let aws = format!("{AT}.aws");
    for account in [&kubernetes, &aws] {
        all.rules.push(filled(&format!("{account}.serviceAccountRef"), "name", "must be specified"));
    }
    let arn = "!has(self.serviceAccountRef) || (has(self.iamRoleArn) && self.iamRoleArn != '')";
    let message = "iamRoleArn is required when using serviceAccountRef for IRSA";
    all.rules.push(rule(aws, arn, message).field("iamRoleArn").required());
}

/// That exactly one platform is there is said by a rule of the type itself.
fn venafi(all: &mut Rules) {
    all.rules.push(filled("spec.venafi", "zone", "must be specified"));
    all.rules.push(filled("spec.venafi.tpp", "url", "must be specified"));
    let trust = "!has(self.caBundle) || self.caBundle.size() == 0 || !has(self.caBundleSecretRef)";
    let message = "may not specify more than one of caBundle and caBundleSecretRef";
    all.rules.push(rule("spec.venafi.tpp", trust, message).forbidden());
    all.rules.push(filled("spec.venafi.ngts", "tsgID", "must be specified"));
    all.rules.push(filled("spec.venafi.ngts.credentialsRef", "name", "must be specified"));
}

/// A path must not climb out of its mount.
fn stays_inside(at: impl Into<String>) -> Rule {
    let message = "must not contain '..' path segments";
    rule(at, r"!self.matches('(^|/)\\.\\.(/|$)')", message)
}
