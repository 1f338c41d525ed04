//! Objects at the edge of what cert-manager takes: none may be refused.

use everleaf_testkit::makers;
use serde_json::{Value, json};

use super::request;
use super::rows::SOME_CSR;

/// Valid objects of all kinds.
pub(crate) fn all() -> Vec<Value> {
    let mut all: Vec<Value> = certificates().iter().map(|changes| changed(changes)).collect();
    all.extend(issuers());
    all.push(request("good", SOME_CSR).json());
    let foreign = json!({ "name": "a", "kind": "Foo", "group": "foos.example" });
    all.push(
        request("good", SOME_CSR).with("/spec/issuerRef", foreign).with("/spec/duration", json!("1s")).json(),
    );
    all
}

fn changed(changes: &[(&str, Value)]) -> Value {
    let good = makers::certificate("good");
    changes.iter().fold(good, |object, (at, value)| object.with(at, value.clone())).json()
}

fn certificates() -> Vec<Vec<(&'static str, Value)>> {
    let literal = |text: &str| vec![("/spec/literalSubject", json!(text)), ("/spec/dnsNames", json!([]))];
    let percentage = |duration: &str, percentage: i32| {
        vec![("/spec/duration", json!(duration)), ("/spec/renewBeforePercentage", json!(percentage))]
    };
    let window = |cron: &str| {
        let windows = json!([{ "cron": cron, "windowDuration": "1h30m", "timezone": "Europe/Berlin" }]);
        vec![("/spec/renewal", json!({ "policy": "RenewBefore", "windows": windows }))]
    };
    let ips = ["10.0.0.1", "::", "2001:db8::1", "::ffff:1.2.3.4", "0:0:0:0:0:FFFF:1.2.3.4"];
    let emails = ["a@b", "first.last+tag@sub.b.example", "a@[10.0.0.1]", "!#$%&'*+/=?^_`{|}~-@x"];
    let ranges = ["10.0.0.1/8", "0.0.0.0/0", "fe80::/10", "::ffff:10.0.0.0/104"];
    vec![
        vec![],
        vec![("/spec/secretName", json!("a".repeat(253)))],
        vec![("/spec/secretName", json!("web.example-com.tls"))],
        vec![("/spec/issuerRef", json!({ "name": "a", "kind": "", "group": "" }))],
        vec![("/spec/issuerRef", json!({ "name": "a", "kind": "Foo", "group": "foos.example" }))],
        vec![("/spec/commonName", json!("a".repeat(64)))],
        vec![("/spec/commonName", json!("ü".repeat(32)))],
        literal("CN=web,OU=ops\\, really,DC=example,DC=com"),
        literal(" CN = a + 1.2.840.113549.1.9.1 = b ; SERIALNUMBER=1,UID=x"),
        literal("CN=#0c0161,STREET=\"not a quote\",L=a=b"),
        literal("\\43N=written with an escape"),
        literal("2.5.4.3=by number"),
        vec![("/spec/literalSubject", json!("")), ("/spec/commonName", json!("a"))],
        vec![("/spec/literalSubject", json!("CN=a")), ("/spec/subject", json!({ "countries": [] }))],
        vec![("/spec/dnsNames", json!(["not a dns name", "*.example"])), ("/spec/uris", json!(["anything"]))],
        vec![("/spec/ipAddresses", json!(ips)), ("/spec/dnsNames", json!([]))],
        vec![("/spec/emailAddresses", json!(emails)), ("/spec/dnsNames", json!([]))],
        vec![(
            "/spec/otherNames",
            json!([{ "oid": "1.3.6.1.4.1.311.20.2.3", "utf8Value": "u@x" }, { "oid": "2.999", "utf8Value": "ü" }]),
        )],
        vec![("/spec/privateKey", json!({ "algorithm": "RSA", "size": 2049 }))],
        vec![("/spec/privateKey", json!({ "size": 8192 }))],
        vec![("/spec/privateKey", json!({ "size": 0 }))],
        vec![
            ("/spec/privateKey", json!({ "algorithm": "Ed25519", "size": 7 })),
            ("/spec/signatureAlgorithm", json!("PureEd25519")),
        ],
        vec![
            ("/spec/privateKey", json!({ "algorithm": "ECDSA", "size": 521 })),
            ("/spec/signatureAlgorithm", json!("ECDSAWithSHA512")),
        ],
        vec![("/spec/privateKey", json!({})), ("/spec/signatureAlgorithm", json!("SHA512WithRSA"))],
        vec![("/spec/duration", json!("1h"))],
        vec![("/spec/duration", json!("+2160h0m0.5s")), ("/spec/renewBefore", json!("5m"))],
        vec![("/spec/duration", json!("60m0s")), ("/spec/renewBefore", json!("59m59.999999999s"))],
        vec![("/spec/renewBefore", json!("2159h"))],
        percentage("1h", 1),
        percentage("1h", 99),
        vec![("/spec/renewBeforePercentage", json!(100))],
        vec![("/spec/renewBeforePercentage", json!(-5))],
        vec![("/spec/revisionHistoryLimit", json!(1)), ("/spec/usages", json!(["any", "s/mime"]))],
        vec![("/spec/renewal", json!({ "policy": "Disabled", "windows": [] }))],
        window("0 22 * * MON-FRI"),
        window("  */5,7\t1-3 ? JAN-MAR 0  "),
        window("@every 8h"),
        window("@midnight"),
        vec![
            (
                "/spec/secretTemplate/annotations",
                json!({ "cert-manager.io/allow-direct-injection": "true", "a": "any text\nat all" }),
            ),
            ("/spec/secretTemplate/labels", json!({ "a": "", "example.com/b": "A-b_c.9" })),
        ],
        vec![("/spec/additionalOutputFormats", json!([{ "type": "CombinedPEM" }, { "type": "DER" }]))],
        vec![
            (
                "/spec/keystores/jks",
                json!({ "create": true, "password": "x", "passwordSecretRef": { "name": "" } }),
            ),
            (
                "/spec/keystores/pkcs12",
                json!({ "create": false, "passwordSecretRef": { "name": "a", "key": "b" } }),
            ),
        ],
        vec![
            ("/spec/isCA", json!(true)),
            ("/spec/nameConstraints", json!({ "critical": true, "permitted": { "ipRanges": ranges } })),
        ],
        vec![("/spec/isCA", json!(true)), ("/spec/nameConstraints", json!({ "excluded": {} }))],
    ]
}

fn issuers() -> Vec<Value> {
    let secret = json!({ "name": "a", "key": "k" });
    let vault = |auth: Value| json!({ "vault": { "server": "s", "path": "a..b/sign/x", "auth": auth } });
    let solvers = json!([
        { "http01": { "ingress": { "class": "azure/application-gateway", "name": "" } } },
        { "http01": { "gatewayHTTPRoute": { "serviceType": "ClusterIP", "parentRefs": [{ "name": "g", "kind": "Gateway" }] } } },
        { "dns01": { "rfc2136": { "nameserver": "[2001:db8::1]:53", "tsigAlgorithm": "hmacsha512", "tsigKeyName": "k", "tsigSecretSecretRef": secret } } },
        { "dns01": { "rfc2136": { "nameserver": "ns.example" } }, "waitInsteadOfSelfCheck": "0s" },
        { "dns01": { "azureDNS": { "subscriptionID": "s", "resourceGroupName": "g", "managedIdentity": { "clientID": "c", "tenantID": "t" } } } },
        { "dns01": { "azureDNS": { "subscriptionID": "s", "resourceGroupName": "g", "clientID": "c", "tenantID": "t", "clientSecretSecretRef": secret } } },
        { "dns01": { "cloudflare": { "apiTokenSecretRef": secret } } },
        { "dns01": { "route53": {} } },
        { "dns01": { "webhook": { "groupName": "g", "solverName": "s", "config": { "any": ["thing"] } } } },
    ]);
    let specs = [
        json!({ "selfSigned": {} }),
        json!({ "ca": { "secretName": "a", "ocspServers": ["http://a"] } }),
        vault(json!({ "tokenSecretRef": { "name": "t" }, "clientCertificate": {} })),
        vault(
            json!({ "kubernetes": { "role": "r", "secretRef": { "name": "" }, "serviceAccountRef": { "name": "a" } } }),
        ),
        vault(json!({ "aws": { "role": "r" } })),
        json!({ "acme": { "server": "s", "privateKeySecretRef": { "name": "a" }, "skipTLSVerify": true, "solvers": solvers } }),
        json!({ "venafi": { "zone": "z", "cloud": { "apiTokenSecretRef": { "name": "a" } } } }),
    ];
    let issuer = |spec: &Value| makers::self_signed_issuer("good").with("/spec", spec.clone());
    let mut issuers: Vec<Value> = specs.iter().map(|spec| issuer(spec).json()).collect();
    issuers.extend(specs.iter().map(|spec| issuer(spec).cluster_wide().json()));
    issuers
}
