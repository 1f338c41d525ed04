//! Invalid Issuers, each with the field that must be named.

use everleaf_testkit::makers;
use serde_json::{Value, json};

use super::{Row, row};

fn issuer(spec: Value, field: &'static str) -> Row {
    row(&makers::self_signed_issuer("bad"), &[("/spec", spec)], field)
}

/// `part` of a good object replaced or added.
fn with(mut good: Value, change: Value) -> Value {
    good.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    good
}

/// Invalid Issuers that the definitions alone refuse.
pub(crate) fn issuers() -> Vec<Row> {
    let mut rows = authorities();
    rows.extend(vaults());
    rows.extend(acme());
    rows.extend(dns01());
    rows
}

fn authorities() -> Vec<Row> {
    let venafi =
        |change: Value, field| issuer(json!({ "venafi": with(json!({ "zone": "z" }), change) }), field);
    let cloud = json!({ "apiTokenSecretRef": { "name": "a" } });
    vec![
        issuer(json!({}), "spec"),
        issuer(json!({ "selfSigned": {}, "ca": { "secretName": "a" } }), "spec.selfSigned"),
        issuer(json!({ "selfSigned": {}, "venafi": { "zone": "z", "cloud": cloud } }), "spec.venafi"),
        issuer(json!({ "ca": { "secretName": "" } }), "spec.ca.secretName"),
        issuer(json!({ "ca": { "secretName": "a", "ocspServers": [""] } }), "spec.ca.ocspServers[0]"),
        issuer(
            json!({ "ca": { "secretName": "a", "issuingCertificateURLs": ["http://a", ""] } }),
            "spec.ca.issuingCertificateURLs[1]",
        ),
        venafi(json!({ "zone": "", "cloud": cloud }), "spec.venafi.zone"),
        venafi(json!({}), "spec.venafi"),
        venafi(
            json!({ "cloud": cloud, "tpp": { "url": "u", "credentialsRef": { "name": "a" } } }),
            "spec.venafi",
        ),
        venafi(json!({ "tpp": { "url": "", "credentialsRef": { "name": "a" } } }), "spec.venafi.tpp.url"),
        venafi(
            json!({ "ngts": { "tsgID": "", "credentialsRef": { "name": "a" } } }),
            "spec.venafi.ngts.tsgID",
        ),
        venafi(
            json!({ "ngts": { "tsgID": "1", "credentialsRef": { "name": "" } } }),
            "spec.venafi.ngts.credentialsRef.name",
        ),
    ]
}

fn vaults() -> Vec<Row> {
    let token = json!({ "tokenSecretRef": { "name": "t", "key": "k" } });
    let vault = |change: Value, field| {
        let good = json!({ "server": "http://127.0.0.1:1", "path": "pki/sign/web", "auth": token });
        issuer(json!({ "vault": with(good, change) }), field)
    };
    let auth = |auth: Value, field| vault(json!({ "auth": auth }), field);
    let app_role = |change: Value, field| {
        let good = json!({ "path": "approle", "roleId": "r", "secretRef": { "name": "a", "key": "k" } });
        auth(json!({ "appRole": with(good, change) }), field)
    };
    let account = json!({ "name": "a" });
    vec![
        vault(json!({ "server": "" }), "spec.vault.server"),
        vault(json!({ "path": "" }), "spec.vault.path"),
        vault(json!({ "path": "pki/../sys/seal" }), "spec.vault.path"),
        vault(json!({ "path": "pki/.." }), "spec.vault.path"),
        vault(
            json!({ "caBundle": "eA==", "caBundleSecretRef": { "name": "a", "key": "k" } }),
            "spec.vault.caBundle",
        ),
        vault(json!({ "clientCertSecretRef": { "name": "c" } }), "spec.vault.clientKeySecretRef"),
        vault(json!({ "clientKeySecretRef": { "name": "c" } }), "spec.vault.clientCertSecretRef"),
        auth(json!({}), "spec.vault.auth"),
        app_role(json!({ "roleId": "" }), "spec.vault.auth.appRole.roleId"),
        app_role(json!({ "secretRef": { "name": "" } }), "spec.vault.auth.appRole.secretRef.name"),
        app_role(json!({ "path": "../x" }), "spec.vault.auth.appRole.path"),
        auth(
            json!({ "clientCertificate": { "mountPath": "a/../b" } }),
            "spec.vault.auth.clientCertificate.mountPath",
        ),
        auth(
            json!({ "kubernetes": { "role": "", "secretRef": { "name": "a" } } }),
            "spec.vault.auth.kubernetes.role",
        ),
        auth(json!({ "kubernetes": { "role": "a" } }), "spec.vault.auth.kubernetes"),
        auth(
            json!({ "kubernetes": { "role": "a", "secretRef": { "name": "a" }, "serviceAccountRef": account } }),
            "spec.vault.auth.kubernetes",
        ),
        auth(
            json!({ "kubernetes": { "role": "a", "serviceAccountRef": { "name": "" } } }),
            "spec.vault.auth.kubernetes.serviceAccountRef.name",
        ),
        auth(json!({ "aws": { "role": "" } }), "spec.vault.auth.aws.role"),
        auth(
            json!({ "aws": { "role": "a", "serviceAccountRef": account } }),
            "spec.vault.auth.aws.iamRoleArn",
        ),
    ]
}

fn good_acme() -> Value {
    json!({ "server": "https://acme.example", "privateKeySecretRef": { "name": "a" } })
}

fn solver(solver: Value, field: &'static str) -> Row {
    issuer(json!({ "acme": with(good_acme(), json!({ "solvers": [solver] })) }), field)
}

fn acme() -> Vec<Row> {
    let acme = |change: Value, field| issuer(json!({ "acme": with(good_acme(), change) }), field);
    let ingress = |ingress: Value, field| solver(json!({ "http01": { "ingress": ingress } }), field);
    let secret = json!({ "name": "a", "key": "k" });
    vec![
        acme(json!({ "server": "" }), "spec.acme.server"),
        acme(json!({ "privateKeySecretRef": { "name": "" } }), "spec.acme.privateKeySecretRef.name"),
        acme(json!({ "caBundle": "eA==", "skipTLSVerify": true }), "spec.acme.caBundle"),
        acme(
            json!({ "externalAccountBinding": { "keyID": "", "keySecretRef": secret } }),
            "spec.acme.externalAccountBinding.keyID",
        ),
        acme(
            json!({ "externalAccountBinding": { "keyID": "a", "keySecretRef": { "name": "a" } } }),
            "spec.acme.externalAccountBinding.keySecretRef.key",
        ),
        solver(json!({}), "spec.acme.solvers[0]"),
        solver(
            json!({ "http01": { "ingress": {} }, "dns01": { "digitalocean": { "tokenSecretRef": secret } } }),
            "spec.acme.solvers[0]",
        ),
        solver(
            json!({ "http01": { "ingress": {} }, "waitInsteadOfSelfCheck": "-5s" }),
            "spec.acme.solvers[0].waitInsteadOfSelfCheck",
        ),
        solver(json!({ "http01": {} }), "spec.acme.solvers[0].http01"),
        solver(
            json!({ "http01": { "ingress": {}, "gatewayHTTPRoute": {} } }),
            "spec.acme.solvers[0].http01.gatewayHTTPRoute",
        ),
        ingress(json!({ "class": "a", "name": "b" }), "spec.acme.solvers[0].http01.ingress"),
        ingress(
            json!({ "ingressClassName": "Not/A" }),
            "spec.acme.solvers[0].http01.ingress.ingressClassName",
        ),
        ingress(json!({ "serviceType": "LoadBalancer" }), "spec.acme.solvers[0].http01.ingress.serviceType"),
    ]
}

fn dns01() -> Vec<Row> {
    const AT: &str = "spec.acme.solvers[0].dns01";
    let dns01 = |providers: Value, field| solver(json!({ "dns01": providers }), field);
    let azure = |change: Value, field| {
        let good = json!({ "subscriptionID": "s", "resourceGroupName": "g" });
        dns01(json!({ "azureDNS": with(good, change) }), field)
    };
    let secret = json!({ "name": "a", "key": "k" });
    vec![
        dns01(json!({}), AT),
        dns01(
            json!({ "digitalocean": { "tokenSecretRef": secret }, "cloudDNS": { "project": "p" } }),
            "spec.acme.solvers[0].dns01.digitalocean",
        ),
        dns01(
            json!({ "digitalocean": { "tokenSecretRef": { "name": "a" } } }),
            "spec.acme.solvers[0].dns01.digitalocean.tokenSecretRef.key",
        ),
        dns01(json!({ "cloudDNS": { "project": "" } }), "spec.acme.solvers[0].dns01.cloudDNS.project"),
        azure(
            json!({ "managedIdentity": { "tenantID": "t" } }),
            "spec.acme.solvers[0].dns01.azureDNS.managedIdentity",
        ),
        azure(
            json!({ "managedIdentity": { "clientID": "c", "resourceID": "r" } }),
            "spec.acme.solvers[0].dns01.azureDNS.managedIdentity",
        ),
        azure(
            json!({ "clientID": "c", "tenantID": "t" }),
            "spec.acme.solvers[0].dns01.azureDNS.clientSecretSecretRef",
        ),
        dns01(json!({ "cloudflare": { "email": "e" } }), "spec.acme.solvers[0].dns01.cloudflare"),
        dns01(
            json!({ "cloudflare": { "apiKeySecretRef": secret } }),
            "spec.acme.solvers[0].dns01.cloudflare.email",
        ),
        dns01(
            json!({ "route53": { "accessKeyID": "a", "accessKeyIDSecretRef": secret } }),
            "spec.acme.solvers[0].dns01.route53",
        ),
        dns01(
            json!({ "rfc2136": { "nameserver": "2001:db8::1" } }),
            "spec.acme.solvers[0].dns01.rfc2136.nameserver",
        ),
        dns01(
            json!({ "rfc2136": { "nameserver": "a", "tsigAlgorithm": "ROT13" } }),
            "spec.acme.solvers[0].dns01.rfc2136.tsigAlgorithm",
        ),
        dns01(
            json!({ "rfc2136": { "nameserver": "a", "tsigKeyName": "k" } }),
            "spec.acme.solvers[0].dns01.rfc2136.tsigSecretSecretRef",
        ),
        dns01(
            json!({ "webhook": { "groupName": "g", "solverName": "" } }),
            "spec.acme.solvers[0].dns01.webhook.solverName",
        ),
    ]
}
