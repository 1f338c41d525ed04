//! Rules for `spec.acme`: server, account and HTTP01 solvers. DNS01 has a file of its own.

use super::kubernetes::subdomain_faults;
use super::{Faults, ca_bundle, dns01, set, whole_selector};
use crate::acme::{AcmeIssuer, ChallengeSolver, GatewayHttpRouteSolver, Http01Solver, IngressSolver};
use crate::field_error::FieldError;

pub(super) fn acme(acme: &AcmeIssuer, faults: &mut Faults) {
    trust(acme, faults);
    if acme.private_key_secret_ref.name.is_empty() {
        let detail = "private key secret name is a required field";
        faults.push(FieldError::required("spec.acme.privateKeySecretRef.name", detail));
    }
    if acme.server.is_empty() {
        faults.push(FieldError::required("spec.acme.server", "acme server URL is a required field"));
    }
    if let Some(binding) = &acme.external_account_binding {
        const PATH: &str = "spec.acme.externalAccountBinding";
        if binding.key_id.is_empty() {
            let detail = "the keyID field is required when using externalAccountBinding";
            faults.push(FieldError::required(format!("{PATH}.keyID"), detail));
        }
        whole_selector(&binding.key_secret_ref, &format!("{PATH}.keySecretRef"), faults);
    }
    for (index, one) in crate::items(&acme.solvers).iter().enumerate() {
        solver(one, &format!("spec.acme.solvers[{index}]"), faults);
    }
}

fn trust(acme: &AcmeIssuer, faults: &mut Faults) {
    const TOGETHER: &str = "caBundle and skipTLSVerify are mutually exclusive and cannot both be set";
    let Some(bundle) = acme.ca_bundle.as_ref().filter(|bundle| !bundle.is_empty()) else { return };
    if acme.skip_tls_verify == Some(true) {
        faults.push(FieldError::invalid("spec.acme.caBundle", "<snip>", TOGETHER));
        faults.push(FieldError::invalid_number("spec.acme.skipTLSVerify", true, TOGETHER));
    }
    ca_bundle(bundle, "spec.acme.caBundle", faults);
}

fn solver(solver: &ChallengeSolver, path: &str, faults: &mut Faults) {
    match (&solver.http01, &solver.dns01) {
        (None, None) => faults.push(FieldError::required(path, "no solver type configured")),
        (Some(http), None) => http01(http, &format!("{path}.http01"), faults),
        (None, Some(dns)) => dns01::dns01(dns, &format!("{path}.dns01"), faults),
        (Some(http), Some(_)) => {
            http01(http, &format!("{path}.http01"), faults);
            let detail = "may not specify more than one solver type in a single solver";
            faults.push(FieldError::forbidden(path, detail));
        }
    }
    let Some(wait) = &solver.wait_instead_of_self_check else { return };
    let path = format!("{path}.waitInsteadOfSelfCheck");
    match wait.parse() {
        Ok(duration) if duration.is_negative() => {
            faults.push(FieldError::invalid(path, wait.as_str(), "must not be negative"));
        }
        Ok(_) => {}
        Err(error) => faults.push(FieldError::invalid(path, wait.as_str(), error.to_string())),
    }
}

fn http01(http01: &Http01Solver, path: &str, faults: &mut Faults) {
    if let Some(solver) = &http01.ingress {
        ingress(solver, &format!("{path}.ingress"), faults);
    }
    if let Some(solver) = &http01.gateway_http_route {
        gateway(solver, &format!("{path}.gatewayHTTPRoute"), faults);
    }
    match (&http01.ingress, &http01.gateway_http_route) {
        (None, None) => faults.push(FieldError::required(path, "no HTTP01 solver type configured")),
        (Some(_), Some(_)) => {
            faults.push(FieldError::required(path, "only 1 HTTP01 solver type may be configured"));
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
}

fn ingress(ingress: &IngressSolver, path: &str, faults: &mut Faults) {
    // `class` and `ingressClassName` count when they are there, `name` when it isn't empty: so does the original.
    let chosen = [ingress.class.is_some(), ingress.ingress_class_name.is_some(), set(&ingress.name)];
    if chosen.iter().filter(|is_set| **is_set).count() > 1 {
        let detail = "only one of 'ingressClassName', 'name' or 'class' should be specified";
        faults.push(FieldError::forbidden(path, detail));
    }
    if let Some(class) = &ingress.ingress_class_name {
        for fault in subdomain_faults(class) {
            let detail = format!("must be a valid IngressClass name: {fault}");
            faults.push(FieldError::invalid(format!("{path}.ingressClassName"), class, detail));
        }
    }
    service_type(crate::text(&ingress.service_type), path, faults);
}

fn gateway(gateway: &GatewayHttpRouteSolver, path: &str, faults: &mut Faults) {
    service_type(crate::text(&gateway.service_type), path, faults);
    for (index, parent) in crate::items(&gateway.parent_refs).iter().enumerate() {
        let path = format!("{path}.parentRefs[{index}]");
        if parent.kind.is_some() && parent.name.is_empty() {
            let detail = "name is required when kind is specified";
            faults.push(FieldError::required(format!("{path}.name"), detail));
        }
        if parent.kind.is_none() && !parent.name.is_empty() {
            let detail = "kind is required when name is specified";
            faults.push(FieldError::required(format!("{path}.kind"), detail));
        }
    }
}

fn service_type(service_type: &str, path: &str, faults: &mut Faults) {
    if !matches!(service_type, "" | "ClusterIP" | "NodePort") {
        let detail = "must be empty, \"ClusterIP\" or \"NodePort\"";
        faults.push(FieldError::invalid(format!("{path}.serviceType"), service_type, detail));
    }
}
