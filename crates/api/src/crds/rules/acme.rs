//! Rules over `spec.acme`: server, account and HTTP01 solvers. DNS01 has a file of its own.

use super::{
    GO_DURATION, Rule, Rules, SUBDOMAIN, SUBDOMAIN_MAX, alone, any_of, bound, dns01, duration, filled, rule,
    whole_selector,
};

/// More solvers than fit into an object together with what each of them needs.
const MOST_SOLVERS: usize = 5_000;
/// The Gateway API takes no more.
const MOST_PARENTS: usize = 32;

pub(super) fn rules(all: &mut Rules) {
    const AT: &str = "spec.acme";
    const SOLVER: &str = "spec.acme.solvers[]";
    let trust =
        "!has(self.caBundle) || self.caBundle.size() == 0 || !has(self.skipTLSVerify) || !self.skipTLSVerify";
    let message = "caBundle and skipTLSVerify are mutually exclusive and cannot both be set";
    all.rules.push(rule(AT, trust, message).field("caBundle"));
    all.rules.push(filled(AT, "server", "acme server URL is a required field"));
    let message = "private key secret name is a required field";
    all.rules.push(filled("spec.acme.privateKeySecretRef", "name", message));
    let binding = "spec.acme.externalAccountBinding";
    let message = "the keyID field is required when using externalAccountBinding";
    all.rules.push(filled(binding, "keyID", message));
    all.rules.extend(whole_selector(&format!("{binding}.keySecretRef")));

    all.bounds.push(bound("spec.acme.solvers", "maxItems", MOST_SOLVERS));
    all.rules.push(any_of(SOLVER, &["http01", "dns01"], "no solver type configured"));
    let message = "may not specify more than one solver type in a single solver";
    all.rules.push(rule(SOLVER, "!has(self.http01) || !has(self.dns01)", message).forbidden());
    let wait = format!("{SOLVER}.waitInsteadOfSelfCheck");
    let (readable, bound) = duration(&wait);
    all.rules.push(readable);
    all.bounds.push(bound);
    let positive = format!("!self.matches('{GO_DURATION}') || duration(self) >= duration('0s')");
    all.rules.push(rule(wait, positive, "must not be negative"));
    http01(&format!("{SOLVER}.http01"), all);
    dns01::rules(&format!("{SOLVER}.dns01"), all);
}

fn http01(at: &str, all: &mut Rules) {
    const KINDS: [&str; 2] = ["ingress", "gatewayHTTPRoute"];
    all.rules.push(any_of(at, &KINDS, "no HTTP01 solver type configured"));
    all.rules.extend(alone(at, &KINDS, "only 1 HTTP01 solver type may be configured"));
    let ingress = format!("{at}.ingress");
    let chosen = "[has(self.class), has(self.ingressClassName), has(self.name) && self.name != ''].filter(is, is).size() <= 1";
    let message = "only one of 'ingressClassName', 'name' or 'class' should be specified";
    all.rules.push(rule(ingress.as_str(), chosen, message).forbidden());
    let class = format!("{ingress}.ingressClassName");
    all.bounds.push(bound(class.as_str(), "maxLength", SUBDOMAIN_MAX));
    let message = "must be a valid IngressClass name";
    all.rules.push(rule(class, format!("self.matches('{SUBDOMAIN}')"), message));
    let gateway = format!("{at}.gatewayHTTPRoute");
    all.rules.push(service_type(&ingress));
    all.rules.push(service_type(&gateway));
    let parent = format!("{gateway}.parentRefs[]");
    all.bounds.push(bound(format!("{gateway}.parentRefs"), "maxItems", MOST_PARENTS));
    let name = "!has(self.kind) || self.name != ''";
    all.rules.push(rule(parent, name, "name is required when kind is specified").field("name").required());
}

fn service_type(at: &str) -> Rule {
    let known = "!has(self.serviceType) || self.serviceType in ['', 'ClusterIP', 'NodePort']";
    let message = "must be empty, \"ClusterIP\" or \"NodePort\"";
    rule(at, known, message).field("serviceType")
}
