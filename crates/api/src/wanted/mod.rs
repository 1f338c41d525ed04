//! From a Certificate's spec to what it means: a [`Wanted`], or all that is wrong with it, each fault with its path.
//! The rules are those of the peer's webhook (certificate-lifecycle 1.7), and hold for stored specs as for new ones:
//! whatever the peer takes is taken, save what can't be issued at all (RSA sizes that can't be made, names that no CSR
//! can carry), which the peer finds out only when it tries. Defaults are filled in here and never stored.

mod key;
mod life;
mod names;
mod output;

use everleaf_core::wanted::Wanted;

use crate::certificate::CertificateSpec;
use crate::field_error::FieldError;
use crate::references::issuer_ref;
use crate::usage;
use crate::validate::kubernetes::subdomain_faults;
use crate::validate::{Faults, issuer_reference};

/// How many requests are kept where a spec names no number.
const DEFAULT_REVISION_HISTORY: usize = 1;

/// What a spec asks for, or everything that is wrong with it.
pub fn wanted(spec: &CertificateSpec) -> Result<Wanted, Vec<FieldError>> {
    let mut faults = Vec::new();
    secret_name(&spec.secret_name, &mut faults);
    issuer_reference(&spec.issuer_ref, &mut faults);
    let wanted = Wanted {
        secret_name: spec.secret_name.clone(),
        issuer: issuer_ref(&spec.issuer_ref),
        subject: names::subject(spec, &mut faults),
        sans: names::sans(spec, &mut faults),
        key: key::key(spec, &mut faults),
        signature: key::signature(spec, &mut faults),
        duration: life::duration(spec, &mut faults),
        renewal: life::renewal(spec, &mut faults),
        usages: usages(spec, &mut faults),
        usages_in_csr: spec.encode_usages_in_request.unwrap_or(true),
        is_ca: spec.is_ca.unwrap_or(false),
        revision_history_limit: revision_history(spec, &mut faults),
        secret_template: output::secret_template(spec, &mut faults),
        name_constraints: names::name_constraints(spec, &mut faults),
        output_formats: output::formats(spec, &mut faults),
        keystores: output::keystores(spec, &mut faults),
    };
    if faults.is_empty() { Ok(wanted) } else { Err(faults) }
}

fn secret_name(name: &str, faults: &mut Faults) {
    if name.is_empty() {
        faults.push(FieldError::required("spec.secretName", "must be specified"));
        return;
    }
    for fault in subdomain_faults(name) {
        faults.push(FieldError::invalid("spec.secretName", name, fault));
    }
}

fn usages(spec: &CertificateSpec, faults: &mut Faults) -> Vec<everleaf_core::wanted::Usage> {
    for (index, name) in crate::items(&spec.usages).iter().enumerate() {
        if usage::usage(name).is_none() {
            faults.push(FieldError::invalid(
                format!("spec.usages[{index}]"),
                name.as_str(),
                "unknown keyusage",
            ));
        }
    }
    usage::usages(&spec.usages)
}

fn revision_history(spec: &CertificateSpec, faults: &mut Faults) -> usize {
    let Some(limit) = spec.revision_history_limit else { return DEFAULT_REVISION_HISTORY };
    if limit < 1 {
        faults.push(FieldError::invalid_number(
            "spec.revisionHistoryLimit",
            limit,
            "must not be less than 1",
        ));
    }
    usize::try_from(limit).unwrap_or(DEFAULT_REVISION_HISTORY)
}
