//! Rules for issuers: exactly one kind of authority, and what each of them needs.
//! What only a look at the authority itself can tell is not asked here.

use super::{Faults, acme, set, vault};
use crate::field_error::FieldError;
use crate::issuer::{CaIssuer, IssuerSpec, VenafiIssuer, VenafiTpp};

/// The faults of an Issuer's or ClusterIssuer's spec.
pub fn validate_issuer(spec: &IssuerSpec) -> Vec<FieldError> {
    let mut faults = Vec::new();
    let kinds = [
        ("acme", spec.acme.is_some()),
        ("ca", spec.ca.is_some()),
        ("selfSigned", spec.self_signed.is_some()),
        ("vault", spec.vault.is_some()),
        ("venafi", spec.venafi.is_some()),
    ];
    let mut there = kinds.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name);
    // The first is checked, each further one is refused.
    match there.next() {
        None => faults.push(FieldError::required("spec", "at least one issuer must be configured")),
        Some("acme") => spec.acme.iter().for_each(|acme| acme::acme(acme, &mut faults)),
        Some("ca") => spec.ca.iter().for_each(|issuer| ca(issuer, &mut faults)),
        Some("vault") => spec.vault.iter().for_each(|vault| vault::vault(vault, &mut faults)),
        Some("venafi") => spec.venafi.iter().for_each(|issuer| venafi(issuer, &mut faults)),
        Some(_) => {}
    }
    for more in there {
        faults
            .push(FieldError::forbidden(format!("spec.{more}"), "may not specify more than one issuer type"));
    }
    faults
}

/// What an issuer's author should know although nothing is wrong.
pub fn issuer_warnings(spec: &IssuerSpec) -> Vec<String> {
    let binding = spec.acme.as_ref().and_then(|acme| acme.external_account_binding.as_ref());
    let old_field = binding.is_some_and(|binding| binding.key_algorithm.is_some());
    old_field
        .then(|| {
            "spec.acme.externalAccountBinding.keyAlgorithm has no effect and is deprecated: HS256 is always used"
                .to_owned()
        })
        .into_iter()
        .collect()
}

fn ca(ca: &CaIssuer, faults: &mut Faults) {
    if ca.secret_name.is_empty() {
        faults.push(FieldError::required("spec.ca.secretName", ""));
    }
    let lists = [("ocspServers", &ca.ocsp_servers), ("issuingCertificateURLs", &ca.issuing_certificate_urls)];
    for (name, urls) in lists {
        for (index, url) in crate::items(urls).iter().enumerate() {
            if url.is_empty() {
                let path = format!("spec.ca.{name}[{index}]");
                faults.push(FieldError::invalid(path, url, "must be a valid URL"));
            }
        }
    }
}

fn venafi(venafi: &VenafiIssuer, faults: &mut Faults) {
    const ONE_OF: &str = "please supply one of: tpp, cloud, ngts";
    if venafi.zone.is_empty() {
        faults.push(FieldError::required("spec.venafi.zone", ""));
    }
    if let Some(platform) = &venafi.tpp {
        tpp(platform, faults);
    }
    if let Some(ngts) = &venafi.ngts {
        if ngts.tsg_id.is_empty() {
            faults.push(FieldError::required("spec.venafi.ngts.tsgID", ""));
        }
        if ngts.credentials_ref.name.is_empty() {
            faults.push(FieldError::required("spec.venafi.ngts.credentialsRef.name", ""));
        }
    }
    let backends = [venafi.tpp.is_some(), venafi.cloud.is_some(), venafi.ngts.is_some()];
    match backends.iter().filter(|is_set| **is_set).count() {
        0 => faults.push(FieldError::required("spec.venafi", ONE_OF)),
        1 => {}
        _ => faults.push(FieldError::forbidden("spec.venafi", ONE_OF)),
    }
}

fn tpp(tpp: &VenafiTpp, faults: &mut Faults) {
    if tpp.url.is_empty() {
        faults.push(FieldError::required("spec.venafi.tpp.url", ""));
    }
    let inline = tpp.ca_bundle.as_ref().is_some_and(|bundle| !bundle.is_empty());
    if inline && tpp.ca_bundle_secret_ref.is_some() {
        let detail = "may not specify more than one of caBundle and caBundleSecretRef";
        faults.push(FieldError::forbidden("spec.venafi.tpp", detail));
    }
}

/// How many of these are set.
pub(super) fn count(values: &[&Option<String>]) -> usize {
    values.iter().filter(|value| set(value)).count()
}
