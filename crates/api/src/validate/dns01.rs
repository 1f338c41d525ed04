//! Rules for DNS01 solvers: exactly one provider, and what each of them needs.

use super::issuer::count;
use super::{Faults, set, whole_selector};
use crate::acme::{
    AcmeDns, Akamai, AzureDns, AzureManagedIdentity, CloudDns, Cloudflare, CnameStrategy, DigitalOcean,
    Dns01Solver, Rfc2136, Route53, WebhookSolver,
};
use crate::field_error::FieldError;
use crate::references::{SecretKeySelector, chosen};

/// Algorithms of TSIG keys; case doesn't matter.
const TSIG_ALGORITHMS: [&str; 4] = ["HMACMD5", "HMACSHA1", "HMACSHA256", "HMACSHA512"];

pub(super) fn dns01(solver: &Dns01Solver, path: &str, faults: &mut Faults) {
    if let Some(CnameStrategy::Other(word)) = &solver.cname_strategy
        && !word.is_empty()
    {
        faults.push(FieldError::not_supported(format!("{path}.cnameStrategy"), word, CnameStrategy::WORDS));
    }
    for (index, server) in crate::items(&solver.nameservers).iter().enumerate() {
        if !is_resolver(server) {
            let detail = "must be a host with a port, or the https URL of a DNS-over-HTTPS server";
            faults.push(FieldError::invalid(format!("{path}.nameservers[{index}]"), server, detail));
        }
    }
    let mut providers = providers(solver).into_iter().flatten();
    // The first provider is checked, each further one is refused.
    match providers.next() {
        None => faults.push(FieldError::required(path, "no DNS01 provider configured")),
        Some(first) => check(&first, path, faults),
    }
    for more in providers {
        let detail = "may not specify more than one provider type";
        faults.push(FieldError::forbidden(format!("{path}.{}", more.name()), detail));
    }
}

enum Provider<'a> {
    Akamai(&'a Akamai),
    Azure(&'a AzureDns),
    CloudDns(&'a CloudDns),
    Cloudflare(&'a Cloudflare),
    Route53(&'a Route53),
    AcmeDns(&'a AcmeDns),
    DigitalOcean(&'a DigitalOcean),
    Rfc2136(&'a Rfc2136),
    Webhook(&'a WebhookSolver),
}

impl Provider<'_> {
    fn name(&self) -> &'static str {
        match self {
            Provider::Akamai(_) => "akamai",
            Provider::Azure(_) => "azureDNS",
            Provider::CloudDns(_) => "cloudDNS",
            Provider::Cloudflare(_) => "cloudflare",
            Provider::Route53(_) => "route53",
            Provider::AcmeDns(_) => "acmeDNS",
            Provider::DigitalOcean(_) => "digitalocean",
            Provider::Rfc2136(_) => "rfc2136",
            Provider::Webhook(_) => "webhook",
        }
    }
}

fn providers(solver: &Dns01Solver) -> [Option<Provider<'_>>; 9] {
    [
        solver.akamai.as_ref().map(Provider::Akamai),
        solver.azure_dns.as_ref().map(Provider::Azure),
        solver.cloud_dns.as_ref().map(Provider::CloudDns),
        solver.cloudflare.as_ref().map(Provider::Cloudflare),
        solver.route53.as_ref().map(Provider::Route53),
        solver.acme_dns.as_ref().map(Provider::AcmeDns),
        solver.digitalocean.as_ref().map(Provider::DigitalOcean),
        solver.rfc2136.as_ref().map(Provider::Rfc2136),
        solver.webhook.as_ref().map(Provider::Webhook),
    ]
}

fn check(provider: &Provider<'_>, path: &str, faults: &mut Faults) {
    let path = format!("{path}.{}", provider.name());
    match provider {
        Provider::Akamai(akamai) => {
            whole_selector(&akamai.access_token_secret_ref, &format!("{path}.accessTokenSecretRef"), faults);
            whole_selector(
                &akamai.client_secret_secret_ref,
                &format!("{path}.clientSecretSecretRef"),
                faults,
            );
            whole_selector(&akamai.client_token_secret_ref, &format!("{path}.clientTokenSecretRef"), faults);
            required(&akamai.service_consumer_domain, &path, "serviceConsumerDomain", faults);
        }
        Provider::Azure(azure_dns) => azure(azure_dns, &path, faults),
        Provider::CloudDns(cloud) => {
            optional_selector(&cloud.service_account_secret_ref, &path, "serviceAccountSecretRef", faults);
            required(&cloud.project, &path, "project", faults);
        }
        Provider::Cloudflare(provider) => cloudflare(provider, &path, faults),
        Provider::Route53(provider) => {
            if set(&provider.access_key_id) && provider.access_key_id_secret_ref.is_some() {
                let detail = "accessKeyID and accessKeyIDSecretRef cannot both be specified";
                faults.push(FieldError::required(path.as_str(), detail));
            }
            optional_selector(&provider.access_key_id_secret_ref, &path, "accessKeyIDSecretRef", faults);
        }
        Provider::AcmeDns(provider) => {
            whole_selector(&provider.account_secret_ref, &format!("{path}.accountSecretRef"), faults);
            required(&provider.host, &path, "host", faults);
        }
        Provider::DigitalOcean(provider) => {
            whole_selector(&provider.token_secret_ref, &format!("{path}.tokenSecretRef"), faults);
        }
        Provider::Rfc2136(provider) => rfc2136(provider, &path, faults),
        Provider::Webhook(webhook) => {
            if webhook.solver_name.is_empty() {
                faults.push(FieldError::required(
                    format!("{path}.solverName"),
                    "solver name must be specified",
                ));
            }
        }
    }
}

fn azure(azure: &AzureDns, path: &str, faults: &mut Faults) {
    let principal =
        set(&azure.client_id) || set(&azure.tenant_id) || azure.client_secret_secret_ref.is_some();
    if principal {
        required(crate::text(&azure.client_id), path, "clientID", faults);
        match &azure.client_secret_secret_ref {
            None => faults.push(FieldError::required(format!("{path}.clientSecretSecretRef"), "")),
            Some(secret) => whole_selector(secret, &format!("{path}.clientSecretSecretRef"), faults),
        }
        required(crate::text(&azure.tenant_id), path, "tenantID", faults);
        if azure.managed_identity.is_some() {
            let detail =
                "managed identity cannot be used together with clientID, clientSecretSecretRef or tenantID";
            faults.push(FieldError::forbidden(format!("{path}.managedIdentity"), detail));
        }
    } else if let Some(identity) = &azure.managed_identity {
        managed_identity(identity, &format!("{path}.managedIdentity"), faults);
    }
    required(&azure.subscription_id, path, "subscriptionID", faults);
    required(&azure.resource_group_name, path, "resourceGroupName", faults);
    if let Some(environment) = &azure.environment {
        let words = crate::acme::AzureDnsEnvironment::WORDS;
        one_of(environment.as_str(), words, &format!("{path}.environment"), faults);
    }
    if let Some(zone_type) = &azure.zone_type {
        let words = crate::acme::AzureZoneType::WORDS;
        one_of(zone_type.as_str(), words, &format!("{path}.zoneType"), faults);
    }
}

fn managed_identity(identity: &AzureManagedIdentity, path: &str, faults: &mut Faults) {
    if count(&[&identity.client_id, &identity.resource_id]) == 2 {
        faults.push(FieldError::forbidden(path, "clientID and resourceID cannot both be specified"));
    }
    if count(&[&identity.tenant_id, &identity.resource_id]) == 2 {
        faults.push(FieldError::forbidden(path, "tenantID and resourceID cannot both be specified"));
    }
    if set(&identity.tenant_id) && !set(&identity.client_id) {
        faults.push(FieldError::required(path, "clientID is required when using tenantID"));
    }
}

fn cloudflare(cloudflare: &Cloudflare, path: &str, faults: &mut Faults) {
    optional_selector(&cloudflare.api_key_secret_ref, path, "apiKeySecretRef", faults);
    optional_selector(&cloudflare.api_token_secret_ref, path, "apiTokenSecretRef", faults);
    match (&cloudflare.api_key_secret_ref, &cloudflare.api_token_secret_ref) {
        (Some(_), Some(_)) => {
            let detail = "apiKeySecretRef and apiTokenSecretRef cannot both be specified";
            faults.push(FieldError::forbidden(path, detail));
        }
        (None, None) => {
            faults.push(FieldError::required(path, "apiKeySecretRef or apiTokenSecretRef is required"));
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
    if cloudflare.api_key_secret_ref.is_some() {
        required(crate::text(&cloudflare.email), path, "email", faults);
    }
}

fn rfc2136(rfc2136: &Rfc2136, path: &str, faults: &mut Faults) {
    if rfc2136.nameserver.is_empty() {
        faults.push(FieldError::required(format!("{path}.nameserver"), ""));
    } else if !is_nameserver(&rfc2136.nameserver) {
        let detail = "must be a host with an optional port; the host is an IPv4 address, an IPv6 address in square \
                      brackets, or a host name";
        faults.push(FieldError::invalid(format!("{path}.nameserver"), &rfc2136.nameserver, detail));
    }
    let algorithm = crate::text(&rfc2136.tsig_algorithm);
    if !algorithm.is_empty() && !TSIG_ALGORITHMS.contains(&algorithm.to_uppercase().as_str()) {
        let path = format!("{path}.tsigAlgorithm");
        faults.push(FieldError::not_supported(path, algorithm, &TSIG_ALGORITHMS));
    }
    let secret = chosen(&rfc2136.tsig_secret_secret_ref);
    match (set(&rfc2136.tsig_key_name), secret) {
        (true, Some(secret)) => whole_selector(secret, &format!("{path}.tsigSecretSecretRef"), faults),
        (true, None) => {
            let nothing = SecretKeySelector::default();
            whole_selector(&nothing, &format!("{path}.tsigSecretSecretRef"), faults);
        }
        // A secret without its key counts as none here, as in the original.
        (false, Some(secret)) if set(&secret.key) => {
            faults.push(FieldError::required(format!("{path}.tsigKeyName"), ""));
        }
        (false, _) => {}
    }
}

fn required(value: &str, path: &str, field: &str, faults: &mut Faults) {
    if value.is_empty() {
        faults.push(FieldError::required(format!("{path}.{field}"), ""));
    }
}

fn optional_selector(selector: &Option<SecretKeySelector>, path: &str, field: &str, faults: &mut Faults) {
    if let Some(selector) = selector {
        whole_selector(selector, &format!("{path}.{field}"), faults);
    }
}

fn one_of(word: &str, words: &[&str], path: &str, faults: &mut Faults) {
    if !word.is_empty() && !words.contains(&word) {
        faults.push(FieldError::not_supported(path, word, words));
    }
}

/// A name server to ask: host and port, or the URL of a DNS-over-HTTPS server.
fn is_resolver(server: &str) -> bool {
    match server.strip_prefix("https://") {
        Some(rest) => is_host(rest) && !rest.starts_with('/'),
        None => host_and_port(server).is_some_and(|(host, port)| is_host(host) && is_port(port)),
    }
}

/// A name server that takes updates: a host, and a port if it isn't the usual one.
fn is_nameserver(server: &str) -> bool {
    host_and_port(server.trim())
        .is_some_and(|(host, port)| is_host(host) && (port.is_empty() || is_port(port)))
}

/// Host and port, the port empty if there is none; the host of an IPv6 address comes without its square brackets.
fn host_and_port(server: &str) -> Option<(&str, &str)> {
    if let Some(rest) = server.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        return if after.is_empty() { Some((host, "")) } else { Some((host, after.strip_prefix(':')?)) };
    }
    match server.split_once(':') {
        Some((_, port)) if port.contains(':') => None,
        Some((host, port)) => Some((host, port)),
        None => Some((server, "")),
    }
}

fn is_host(host: &str) -> bool {
    !host.is_empty() && !host.contains(char::is_whitespace)
}

fn is_port(port: &str) -> bool {
    port.parse::<u16>().is_ok_and(|port| port > 0)
}
