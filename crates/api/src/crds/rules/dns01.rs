//! Rules over DNS01 solvers: exactly one provider, and what each of them needs.

use super::{Rules, alone, any_of, bound, filled, rule, whole_selector};

/// In the order in which they are looked at: the first is checked, each further one is refused.
const PROVIDERS: [&str; 9] = [
    "akamai",
    "azureDNS",
    "cloudDNS",
    "cloudflare",
    "route53",
    "acmeDNS",
    "digitalocean",
    "rfc2136",
    "webhook",
];

/// Entries of Secrets that a provider refers to.
const SECRETS: [&str; 10] = [
    "akamai.accessTokenSecretRef",
    "akamai.clientSecretSecretRef",
    "akamai.clientTokenSecretRef",
    "azureDNS.clientSecretSecretRef",
    "cloudDNS.serviceAccountSecretRef",
    "cloudflare.apiKeySecretRef",
    "cloudflare.apiTokenSecretRef",
    "route53.accessKeyIDSecretRef",
    "acmeDNS.accountSecretRef",
    "digitalocean.tokenSecretRef",
];

/// Texts that a provider needs.
const TEXTS: [(&str, &str); 7] = [
    ("akamai", "serviceConsumerDomain"),
    ("azureDNS", "subscriptionID"),
    ("azureDNS", "resourceGroupName"),
    ("cloudDNS", "project"),
    ("acmeDNS", "host"),
    ("rfc2136", "nameserver"),
    ("webhook", "solverName"),
];

/// A host name with a port is not longer.
const NAMESERVER_MAX: usize = 300;
const ALGORITHM_MAX: usize = 20;

pub(super) fn rules(at: &str, all: &mut Rules) {
    all.rules.push(any_of(at, &PROVIDERS, "no DNS01 provider configured"));
    all.rules.extend(alone(at, &PROVIDERS, "may not specify more than one provider type"));
    for secret in SECRETS {
        all.rules.extend(whole_selector(&format!("{at}.{secret}")));
    }
    for (provider, field) in TEXTS {
        all.rules.push(filled(&format!("{at}.{provider}"), field, "must be specified"));
    }
    azure(&format!("{at}.azureDNS"), all);
    cloudflare(&format!("{at}.cloudflare"), all);
    rfc2136(&format!("{at}.rfc2136"), all);
    let keys = "!has(self.accessKeyID) || self.accessKeyID == '' || !has(self.accessKeyIDSecretRef)";
    let message = "accessKeyID and accessKeyIDSecretRef cannot both be specified";
    all.rules.push(rule(format!("{at}.route53"), keys, message).required());
}

fn azure(at: &str, all: &mut Rules) {
    let set = |field: &str| format!("(has(self.{field}) && self.{field} != '')");
    let (client, tenant) = (set("clientID"), set("tenantID"));
    let principal = format!("({client} || {tenant} || has(self.clientSecretSecretRef))");
    for (field, there) in [
        ("clientID", client),
        ("tenantID", tenant),
        ("clientSecretSecretRef", "has(self.clientSecretSecretRef)".into()),
    ] {
        let message = "clientID, clientSecretSecretRef and tenantID must be set together";
        all.rules.push(rule(at, format!("!{principal} || {there}"), message).field(field).required());
    }
    let message = "managed identity cannot be used together with clientID, clientSecretSecretRef or tenantID";
    all.rules.push(
        rule(at, format!("!{principal} || !has(self.managedIdentity)"), message)
            .field("managedIdentity")
            .forbidden(),
    );
    let identity = format!("{at}.managedIdentity");
    let (client, tenant, resource) = (set("clientID"), set("tenantID"), set("resourceID"));
    let message = "clientID and resourceID cannot both be specified";
    all.rules.push(rule(identity.as_str(), format!("!{client} || !{resource}"), message).forbidden());
    let message = "tenantID and resourceID cannot both be specified";
    all.rules.push(rule(identity.as_str(), format!("!{tenant} || !{resource}"), message).forbidden());
    let message = "clientID is required when using tenantID";
    all.rules.push(rule(identity, format!("!{tenant} || {client}"), message).required());
}

fn cloudflare(at: &str, all: &mut Rules) {
    let both = "!has(self.apiKeySecretRef) || !has(self.apiTokenSecretRef)";
    let message = "apiKeySecretRef and apiTokenSecretRef cannot both be specified";
    all.rules.push(rule(at, both, message).forbidden());
    let keys = ["apiKeySecretRef", "apiTokenSecretRef"];
    all.rules.push(any_of(at, &keys, "apiKeySecretRef or apiTokenSecretRef is required"));
    let email = "!has(self.apiKeySecretRef) || (has(self.email) && self.email != '')";
    all.rules.push(rule(at, email, "an API key needs an email").field("email").required());
}

fn rfc2136(at: &str, all: &mut Rules) {
    let nameserver = format!("{at}.nameserver");
    all.bounds.push(bound(nameserver.as_str(), "maxLength", NAMESERVER_MAX));
    let host = r"self == '' || self.matches('^\\s*(\\[[^\\]\\s]+\\]|[^:\\s\\[]+)(:[0-9]*)?\\s*$')";
    let message = "must be a host with an optional port; the host is an IPv4 address, an IPv6 address in square brackets, or a \
                   host name";
    all.rules.push(rule(nameserver, host, message));
    let algorithm = format!("{at}.tsigAlgorithm");
    all.bounds.push(bound(algorithm.as_str(), "maxLength", ALGORITHM_MAX));
    let known = "self.upperAscii() in ['', 'HMACMD5', 'HMACSHA1', 'HMACSHA256', 'HMACSHA512']";
    all.rules.push(rule(algorithm, known, "must be HMACMD5, HMACSHA1, HMACSHA256 or HMACSHA512"));
    let key = "(has(self.tsigKeyName) && self.tsigKeyName != '')";
    // A secret without its key counts as none here, as in the original.
    let secret = "(has(self.tsigSecretSecretRef) && self.tsigSecretSecretRef.name != '' && has(self.tsigSecretSecretRef.key) \
                  && self.tsigSecretSecretRef.key != '')";
    let message = "a TSIG key needs its secret";
    all.rules.push(rule(at, format!("!{key} || {secret}"), message).field("tsigSecretSecretRef").required());
    let message = "a TSIG secret needs the name of its key";
    all.rules.push(rule(at, format!("!{secret} || {key}"), message).field("tsigKeyName").required());
}
