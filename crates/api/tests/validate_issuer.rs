//! Rules for issuers: each one refuses with its path (certificate-lifecycle 1.7, vault-issuer 1.1, 1.2 and 6.1).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::needless_pass_by_value, missing_docs)]

use everleaf_api::IssuerSpec;
use everleaf_api::validate::{issuer_warnings, validate_issuer};
use serde_json::{Value, json};

fn faults(spec: &Value) -> Vec<String> {
    let spec: IssuerSpec = serde_json::from_value(spec.clone()).unwrap();
    validate_issuer(&spec).iter().map(ToString::to_string).collect()
}

fn taken(specs: &[Value]) {
    for spec in specs {
        assert_eq!(faults(spec), Vec::<String>::new(), "{spec}");
    }
}

fn refused(table: &[(Value, &str)]) {
    for (spec, start) in table {
        let faults = faults(spec);
        assert_eq!(faults.len(), 1, "{spec}: {faults:?}");
        assert!(faults[0].starts_with(start), "{spec}: {faults:?} should start with {start}");
    }
}

/// `base` with the fields of `patch` set; `null` takes a field away.
fn with(base: &Value, patch: &Value) -> Value {
    let mut merged = base.clone();
    for (name, value) in patch.as_object().unwrap() {
        match value {
            Value::Null => merged.as_object_mut().unwrap().remove(name),
            value => merged.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    merged
}

#[test]
fn exactly_one_kind_of_authority_is_set() {
    refused(&[
        (json!({}), "spec: Required value: at least one issuer must be configured"),
        (
            json!({ "ca": { "secretName": "a" }, "selfSigned": {} }),
            "spec.selfSigned: Forbidden: may not specify more than one",
        ),
        // The later one is refused, and not looked at.
        (json!({ "selfSigned": {}, "vault": {} }), "spec.vault: Forbidden"),
    ]);
    let three = faults(&json!({ "ca": { "secretName": "a" }, "selfSigned": {}, "venafi": {} }));
    assert_eq!(three.len(), 2, "{three:?}");
    taken(&[json!({ "selfSigned": {} }), json!({ "selfSigned": { "crlDistributionPoints": [""] } })]);
}

#[test]
fn a_ca_needs_its_secret_and_whole_urls() {
    refused(&[
        (json!({ "ca": {} }), "spec.ca.secretName: Required value"),
        (
            json!({ "ca": { "secretName": "a", "ocspServers": ["http://a", ""] } }),
            "spec.ca.ocspServers[1]: Invalid value: \"\"",
        ),
        (
            json!({ "ca": { "secretName": "a", "issuingCertificateURLs": [""] } }),
            "spec.ca.issuingCertificateURLs[0]: Invalid value: \"\": must be a valid URL",
        ),
    ]);
    taken(&[
        json!({ "ca": { "secretName": "a", "crlDistributionPoints": ["http://a"], "ocspServers": ["http://a"] } }),
    ]);
}

fn vault(patch: Value) -> Value {
    let base = json!({
        "server": "https://vault:8200", "path": "pki/sign/web", "auth": { "tokenSecretRef": { "name": "t" } },
    });
    json!({ "vault": with(&base, &patch) })
}

#[test]
fn a_vault_needs_server_path_and_trust_that_agrees() {
    let secret = json!({ "name": "s" });
    refused(&[
        (vault(json!({ "server": "" })), "spec.vault.server: Required value"),
        (vault(json!({ "server": null })), "spec.vault.server: Required value"),
        (vault(json!({ "path": "" })), "spec.vault.path: Required value"),
        (
            vault(json!({ "path": "pki/../sys" })),
            "spec.vault.path: Invalid value: \"pki/../sys\": must not contain '..'",
        ),
        (vault(json!({ "path": ".." })), "spec.vault.path: Invalid value"),
        (
            vault(json!({ "caBundle": "bm90IGEgY2VydA==" })),
            "spec.vault.caBundle: Invalid value: \"<snip>\": cert bundle didn't contain",
        ),
        (vault(json!({ "caBundle": "not base64!" })), "spec.vault.caBundle: Invalid value"),
        (vault(json!({ "clientCertSecretRef": secret })), "spec.vault.clientKeySecretRef: Invalid value"),
        (vault(json!({ "clientKeySecretRef": secret })), "spec.vault.clientCertSecretRef: Invalid value"),
        (vault(json!({ "auth": {} })), "spec.vault.auth: Required value: please supply one of"),
        (vault(json!({ "auth": null })), "spec.vault.auth: Required value"),
    ]);
    let both = faults(&vault(json!({ "caBundle": "bm90IGEgY2VydA==", "caBundleSecretRef": secret })));
    assert!(
        both.iter().any(|f| f.starts_with("spec.vault.caBundleSecretRef: Invalid value: \"s\"")),
        "{both:?}"
    );
    assert!(both.iter().filter(|f| f.starts_with("spec.vault.caBundle: ")).count() == 2, "{both:?}");
    taken(&[
        vault(json!({})),
        vault(json!({ "caBundle": "", "caBundleSecretRef": secret })),
        vault(json!({ "clientCertSecretRef": secret, "clientKeySecretRef": secret })),
        // Let through here; setting the issuer up finds these out.
        vault(json!({ "server": " https:/vault" })),
        vault(json!({ "path": "pki//issue/web/" })),
        vault(json!({ "path": "pki/..web" })),
        vault(
            json!({ "auth": { "tokenSecretRef": { "name": "t" }, "kubernetes": { "role": "r", "secretRef": { "name": "s" } } } }),
        ),
    ]);
}

#[test]
fn each_way_to_log_in_to_a_vault_has_its_needs() {
    let auth = |auth: Value| vault(json!({ "auth": auth }));
    let role = |patch: Value| {
        auth(
            json!({ "appRole": with(&json!({ "path": "approle", "roleId": "r", "secretRef": { "name": "s" } }), &patch) }),
        )
    };
    let account = json!({ "name": "web" });
    refused(&[
        (role(json!({ "roleId": "" })), "spec.vault.auth.appRole.roleId: Required value"),
        (
            role(json!({ "secretRef": { "name": "" } })),
            "spec.vault.auth.appRole.secretRef.name: Required value",
        ),
        (role(json!({ "path": "a/../b" })), "spec.vault.auth.appRole.path: Invalid value"),
        (
            auth(json!({ "clientCertificate": { "mountPath": "/v1/auth/../x" } })),
            "spec.vault.auth.clientCertificate.mountPath: Invalid value",
        ),
        (
            auth(json!({ "kubernetes": { "serviceAccountRef": account } })),
            "spec.vault.auth.kubernetes.role: Required value",
        ),
        (
            auth(json!({ "kubernetes": { "role": "r" } })),
            "spec.vault.auth.kubernetes: Required value: please supply one of",
        ),
        (
            auth(json!({ "kubernetes": { "role": "r", "secretRef": { "name": "" } } })),
            "spec.vault.auth.kubernetes: Required value",
        ),
        (
            auth(
                json!({ "kubernetes": { "role": "r", "secretRef": { "name": "s" }, "serviceAccountRef": account } }),
            ),
            "spec.vault.auth.kubernetes: Forbidden",
        ),
        (
            auth(json!({ "kubernetes": { "role": "r", "serviceAccountRef": { "name": "" } } })),
            "spec.vault.auth.kubernetes.serviceAccountRef.name: Required value",
        ),
        (
            auth(json!({ "kubernetes": { "role": "r", "mountPath": "..", "secretRef": { "name": "s" } } })),
            "spec.vault.auth.kubernetes.mountPath: Invalid value",
        ),
        (auth(json!({ "aws": {} })), "spec.vault.auth.aws.role: Required value"),
        (
            auth(json!({ "aws": { "role": "r", "mountPath": "a/.." } })),
            "spec.vault.auth.aws.mountPath: Invalid value",
        ),
        (
            auth(json!({ "aws": { "role": "r", "serviceAccountRef": account } })),
            "spec.vault.auth.aws.iamRoleArn: Required value",
        ),
        (
            auth(json!({ "aws": { "role": "r", "iamRoleArn": "arn", "serviceAccountRef": { "name": "" } } })),
            "spec.vault.auth.aws.serviceAccountRef.name: Required value",
        ),
    ]);
    taken(&[
        role(json!({})),
        // An empty key is found out when the issuer is set up.
        role(json!({ "secretRef": { "name": "s", "key": "" }, "path": "" })),
        auth(json!({ "clientCertificate": {} })),
        // What Go clients write next to a ServiceAccount.
        auth(
            json!({ "kubernetes": { "role": "r", "secretRef": { "name": "" }, "serviceAccountRef": account } }),
        ),
        auth(json!({ "aws": { "role": "r" } })),
        auth(json!({ "aws": { "role": "r", "iamRoleArn": "arn", "serviceAccountRef": account } })),
    ]);
}

#[test]
fn a_venafi_platform_is_exactly_one() {
    let venafi = |patch: Value| json!({ "venafi": with(&json!({ "zone": "z" }), &patch) });
    let cloud = json!({ "apiTokenSecretRef": { "name": "a", "key": "k" } });
    let tpp = json!({ "url": "https://tpp", "credentialsRef": { "name": "c" } });
    refused(&[
        (venafi(json!({ "zone": "", "cloud": cloud })), "spec.venafi.zone: Required value"),
        (venafi(json!({})), "spec.venafi: Required value: please supply one of: tpp, cloud, ngts"),
        (venafi(json!({ "cloud": cloud, "tpp": tpp })), "spec.venafi: Forbidden"),
        (venafi(json!({ "tpp": with(&tpp, &json!({ "url": "" })) })), "spec.venafi.tpp.url: Required value"),
        (
            venafi(
                json!({ "tpp": with(&tpp, &json!({ "caBundle": "eA==", "caBundleSecretRef": { "name": "a" } })) }),
            ),
            "spec.venafi.tpp: Forbidden: may not specify more than one",
        ),
        (
            venafi(json!({ "ngts": { "credentialsRef": { "name": "c" } } })),
            "spec.venafi.ngts.tsgID: Required value",
        ),
        (venafi(json!({ "ngts": { "tsgID": "1" } })), "spec.venafi.ngts.credentialsRef.name: Required value"),
    ]);
    taken(&[venafi(json!({ "cloud": cloud })), venafi(json!({ "tpp": tpp }))]);
}

fn acme(patch: Value) -> Value {
    json!({ "acme": with(&json!({ "server": "https://acme", "privateKeySecretRef": { "name": "a" } }), &patch) })
}

#[test]
fn an_acme_account_needs_server_and_key() {
    let eab = |patch: Value| {
        let base = json!({ "keyID": "k", "keySecretRef": { "name": "s", "key": "k" } });
        acme(json!({ "externalAccountBinding": with(&base, &patch) }))
    };
    refused(&[
        (acme(json!({ "server": "" })), "spec.acme.server: Required value"),
        (acme(json!({ "privateKeySecretRef": null })), "spec.acme.privateKeySecretRef.name: Required value"),
        (
            acme(json!({ "caBundle": "bm90IGEgY2VydA==" })),
            "spec.acme.caBundle: Invalid value: \"<snip>\": cert bundle didn't",
        ),
        (eab(json!({ "keyID": "" })), "spec.acme.externalAccountBinding.keyID: Required value"),
        (
            eab(json!({ "keySecretRef": { "key": "k" } })),
            "spec.acme.externalAccountBinding.keySecretRef.name: Required value",
        ),
        (
            eab(json!({ "keySecretRef": { "name": "s" } })),
            "spec.acme.externalAccountBinding.keySecretRef.key: Required value",
        ),
    ]);
    let both = faults(&acme(json!({ "caBundle": "bm90IGEgY2VydA==", "skipTLSVerify": true })));
    assert!(both.iter().any(|f| f.starts_with("spec.acme.skipTLSVerify: Invalid value: true")), "{both:?}");
    taken(&[
        acme(json!({})),
        acme(json!({ "skipTLSVerify": true })),
        eab(json!({ "keyAlgorithm": "HS256" })),
    ]);
    let old: IssuerSpec = serde_json::from_value(eab(json!({ "keyAlgorithm": "HS256" }))).unwrap();
    assert!(issuer_warnings(&old)[0].contains("keyAlgorithm"));
    let new: IssuerSpec = serde_json::from_value(eab(json!({}))).unwrap();
    assert_eq!(issuer_warnings(&new), Vec::<String>::new());
}

fn solver(solver: Value) -> Value {
    acme(json!({ "solvers": [{ "http01": { "ingress": {} } }, solver] }))
}

#[test]
fn an_http01_solver_is_exactly_one() {
    let ingress = |ingress: Value| solver(json!({ "http01": { "ingress": ingress } }));
    let gateway = |gateway: Value| solver(json!({ "http01": { "gatewayHTTPRoute": gateway } }));
    refused(&[
        (solver(json!({})), "spec.acme.solvers[1]: Required value: no solver type configured"),
        (
            solver(json!({ "http01": { "ingress": {} }, "dns01": {} })),
            "spec.acme.solvers[1]: Forbidden: may not specify more than one solver type",
        ),
        (
            solver(json!({ "http01": { "ingress": {} }, "waitInsteadOfSelfCheck": "-1s" })),
            "spec.acme.solvers[1].waitInsteadOfSelfCheck: Invalid value: \"-1s\": must not be negative",
        ),
        (
            solver(json!({ "http01": { "ingress": {} }, "waitInsteadOfSelfCheck": "soon" })),
            "spec.acme.solvers[1].waitInsteadOfSelfCheck: Invalid value: \"soon\"",
        ),
        (solver(json!({ "http01": {} })), "spec.acme.solvers[1].http01: Required value"),
        (
            solver(json!({ "http01": { "ingress": {}, "gatewayHTTPRoute": {} } })),
            "spec.acme.solvers[1].http01: Required value: only 1",
        ),
        (
            ingress(json!({ "class": "a", "ingressClassName": "a" })),
            "spec.acme.solvers[1].http01.ingress: Forbidden",
        ),
        (ingress(json!({ "class": "a", "name": "a" })), "spec.acme.solvers[1].http01.ingress: Forbidden"),
        (
            ingress(json!({ "ingressClassName": "azure/application-gateway" })),
            "spec.acme.solvers[1].http01.ingress.ingressClassName: Invalid value",
        ),
        (
            ingress(json!({ "serviceType": "LoadBalancer" })),
            "spec.acme.solvers[1].http01.ingress.serviceType: Invalid value",
        ),
        (
            gateway(json!({ "serviceType": "X" })),
            "spec.acme.solvers[1].http01.gatewayHTTPRoute.serviceType: Invalid value",
        ),
        (
            gateway(json!({ "parentRefs": [{ "kind": "Gateway", "name": "" }] })),
            "spec.acme.solvers[1].http01.gatewayHTTPRoute.parentRefs[0].name: Required value",
        ),
        (
            gateway(json!({ "parentRefs": [{ "name": "a" }] })),
            "spec.acme.solvers[1].http01.gatewayHTTPRoute.parentRefs[0].kind: Required value",
        ),
    ]);
    taken(&[
        ingress(json!({ "class": "azure/application-gateway", "serviceType": "NodePort" })),
        ingress(json!({ "name": "", "ingressClassName": "nginx" })),
        gateway(json!({})),
        gateway(json!({ "parentRefs": [{ "kind": "Gateway", "name": "a" }] })),
        solver(json!({ "http01": { "ingress": {} }, "waitInsteadOfSelfCheck": "0s" })),
    ]);
}

#[test]
fn a_dns01_solver_is_one_provider_with_all_it_needs() {
    const AT: &str = "spec.acme.solvers[1].dns01";
    let dns = |dns: Value| solver(json!({ "dns01": dns }));
    let key = json!({ "name": "s", "key": "k" });
    let azure = |patch: Value| {
        dns(json!({ "azureDNS": with(&json!({ "subscriptionID": "s", "resourceGroupName": "g" }), &patch) }))
    };
    let principal = json!({ "clientID": "c", "tenantID": "t", "clientSecretSecretRef": key });
    let identity = |identity: Value| azure(json!({ "managedIdentity": identity }));
    let rfc =
        |patch: Value| dns(json!({ "rfc2136": with(&json!({ "nameserver": "ns.example.com:53" }), &patch) }));
    let akamai = json!({
        "serviceConsumerDomain": "d", "clientTokenSecretRef": key, "clientSecretSecretRef": key, "accessTokenSecretRef": key,
    });
    let table: Vec<(Value, &str)> = vec![
        (dns(json!({})), ": Required value: no DNS01 provider configured"),
        (dns(json!({ "cloudflare": { "apiTokenSecretRef": key }, "route53": {} })), ".route53: Forbidden"),
        (
            dns(json!({ "cnameStrategy": "Maybe", "route53": {} })),
            ".cnameStrategy: Unsupported value: \"Maybe\"",
        ),
        (dns(json!({ "nameservers": ["8.8.8.8"], "route53": {} })), ".nameservers[0]: Invalid value"),
        (
            dns(json!({ "nameservers": ["8.8.8.8:53", "http://a/dns-query"], "route53": {} })),
            ".nameservers[1]: Invalid value",
        ),
        (
            dns(json!({ "akamai": with(&akamai, &json!({ "serviceConsumerDomain": null })) })),
            ".akamai.serviceConsumerDomain: Required",
        ),
        (
            dns(json!({ "akamai": with(&akamai, &json!({ "clientTokenSecretRef": { "name": "a" } })) })),
            ".akamai.clientTokenSecretRef.key: Required",
        ),
        (azure(json!({ "subscriptionID": "" })), ".azureDNS.subscriptionID: Required value"),
        (azure(json!({ "resourceGroupName": null })), ".azureDNS.resourceGroupName: Required value"),
        (azure(json!({ "environment": "Moon" })), ".azureDNS.environment: Unsupported value"),
        (azure(json!({ "zoneType": "Moon" })), ".azureDNS.zoneType: Unsupported value"),
        (azure(with(&principal, &json!({ "clientID": null }))), ".azureDNS.clientID: Required value"),
        (azure(with(&principal, &json!({ "tenantID": null }))), ".azureDNS.tenantID: Required value"),
        (
            azure(with(&principal, &json!({ "clientSecretSecretRef": null }))),
            ".azureDNS.clientSecretSecretRef: Required value",
        ),
        (azure(with(&principal, &json!({ "managedIdentity": {} }))), ".azureDNS.managedIdentity: Forbidden"),
        (identity(json!({ "clientID": "c", "resourceID": "r" })), ".azureDNS.managedIdentity: Forbidden"),
        (identity(json!({ "tenantID": "t" })), ".azureDNS.managedIdentity: Required value"),
        (dns(json!({ "cloudDNS": {} })), ".cloudDNS.project: Required value"),
        (
            dns(json!({ "cloudDNS": { "project": "p", "serviceAccountSecretRef": { "name": "s" } } })),
            ".cloudDNS.serviceAccountSecretRef.key: Required",
        ),
        (dns(json!({ "cloudflare": {} })), ".cloudflare: Required value"),
        (
            dns(
                json!({ "cloudflare": { "email": "a@b", "apiKeySecretRef": key, "apiTokenSecretRef": key } }),
            ),
            ".cloudflare: Forbidden",
        ),
        (dns(json!({ "cloudflare": { "apiKeySecretRef": key } })), ".cloudflare.email: Required value"),
        (
            dns(json!({ "route53": { "accessKeyID": "A", "accessKeyIDSecretRef": key } })),
            ".route53: Required value",
        ),
        (
            dns(json!({ "route53": { "accessKeyIDSecretRef": { "name": "s" } } })),
            ".route53.accessKeyIDSecretRef.key: Required value",
        ),
        (dns(json!({ "acmeDNS": { "accountSecretRef": key } })), ".acmeDNS.host: Required value"),
        (
            dns(json!({ "acmeDNS": { "host": "h", "accountSecretRef": { "name": "s" } } })),
            ".acmeDNS.accountSecretRef.key: Required value",
        ),
        (
            dns(json!({ "digitalocean": { "tokenSecretRef": { "key": "k" } } })),
            ".digitalocean.tokenSecretRef.name: Required value",
        ),
        (rfc(json!({ "nameserver": "" })), ".rfc2136.nameserver: Required value"),
        (rfc(json!({ "nameserver": "ns:0" })), ".rfc2136.nameserver: Invalid value"),
        (rfc(json!({ "nameserver": "ns:dns" })), ".rfc2136.nameserver: Invalid value"),
        (rfc(json!({ "nameserver": "2001:db8::1" })), ".rfc2136.nameserver: Invalid value"),
        (rfc(json!({ "nameserver": ":53" })), ".rfc2136.nameserver: Invalid value"),
        (rfc(json!({ "tsigAlgorithm": "HMACSHA3" })), ".rfc2136.tsigAlgorithm: Unsupported value"),
        (rfc(json!({ "tsigSecretSecretRef": key })), ".rfc2136.tsigKeyName: Required value"),
        (
            rfc(json!({ "tsigKeyName": "k", "tsigSecretSecretRef": { "name": "s" } })),
            ".rfc2136.tsigSecretSecretRef.key: Required value",
        ),
        (dns(json!({ "webhook": { "groupName": "g" } })), ".webhook.solverName: Required value"),
    ];
    for (spec, end) in table {
        refused(&[(spec, &format!("{AT}{end}"))]);
    }
    let nothing = faults(&rfc(json!({ "tsigKeyName": "k" })));
    assert_eq!(nothing.len(), 2, "{nothing:?}");
    taken(&[
        dns(json!({ "akamai": akamai })),
        dns(
            json!({ "nameservers": ["8.8.8.8:53", "[2001:db8::1]:53", "https://dns.example.com/dns-query"], "route53": {} }),
        ),
        azure(json!({})),
        azure(principal),
        identity(json!({ "clientID": "c", "tenantID": "t" })),
        identity(json!({ "resourceID": "r" })),
        dns(json!({ "cloudDNS": { "project": "p" } })),
        dns(json!({ "route53": { "secretAccessKeySecretRef": { "name": "" } } })),
        dns(json!({ "acmeDNS": { "host": "h", "accountSecretRef": key } })),
        rfc(json!({ "nameserver": "[2001:db8::1]", "protocol": "TCP" })),
        rfc(json!({ "nameserver": "10.0.0.1:", "tsigSecretSecretRef": { "name": "" } })),
        rfc(json!({ "tsigKeyName": "k", "tsigSecretSecretRef": key, "tsigAlgorithm": "hmacsha256" })),
        dns(json!({ "webhook": { "groupName": "g", "solverName": "s", "config": 1 } })),
    ]);
}
