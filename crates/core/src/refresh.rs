//! When a sound Secret must be written again without a new certificate: its labels, annotations, extra formats or owner aren't as wanted.
//! An ordered list of small checks, as in `reissue.rs`. It never asks for a new certificate.

use std::collections::{BTreeMap, BTreeSet};

use crate::annotations::{self, FAO_LABEL, OWN_PREFIXES};
use crate::observed::SecretSeen;
use crate::reissue::Evidence;
use crate::wanted::OutputFormat;

type Check = fn(&Evidence<'_>, &SecretSeen) -> Option<&'static str>;

const CHECKS: [Check; 5] =
    [base_label_is_wrong, details_are_wrong, template_is_wrong, formats_are_wrong, owner_is_wrong];

/// What is not as wanted, if anything. A Secret without readable key and certificate is no case for this: it is issued again.
pub fn stale(evidence: &Evidence<'_>) -> Option<&'static str> {
    let secret = evidence.secret?;
    secret.key.read()?;
    secret.certificate.read()?;
    CHECKS.iter().find_map(|check| check(evidence, secret))
}

fn base_label_is_wrong(_: &Evidence<'_>, secret: &SecretSeen) -> Option<&'static str> {
    let wrong = secret.labels.get(FAO_LABEL).is_none_or(|value| value != "true");
    wrong.then_some("SecretManagedMetadataMismatch")
}

fn details_are_wrong(_: &Evidence<'_>, secret: &SecretSeen) -> Option<&'static str> {
    let details = annotations::details(secret.certificate.read()?);
    let wrong = details.iter().any(|(key, value)| secret.annotations.get(key) != Some(value));
    wrong.then_some("SecretTemplateMismatch")
}

fn template_is_wrong(evidence: &Evidence<'_>, secret: &SecretSeen) -> Option<&'static str> {
    let template = &evidence.wanted.secret_template;
    let differs = |wanted: &BTreeMap<String, String>, has: &BTreeMap<String, String>| {
        wanted.iter().any(|(key, value)| has.get(key) != Some(value))
    };
    let ours = |key: &&String| OWN_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
    // Without managedFields (another client removed them) nobody knows what we once set: only what is wanted is looked at.
    let owns_more = |owned: &BTreeSet<String>, wanted: &BTreeMap<String, String>| {
        owned.iter().filter(|key| !ours(key)).any(|key| !wanted.contains_key(key))
    };
    let Ok(managed) = &secret.managed else { return None };
    let leftover = managed.as_ref().is_some_and(|managed| {
        owns_more(&managed.labels, &template.labels) || owns_more(&managed.annotations, &template.annotations)
    });
    let wrong = differs(&template.labels, &secret.labels)
        || differs_outside_own(&template.annotations, &secret.annotations)
        || leftover;
    wrong.then_some("SecretTemplateMismatch")
}

/// Annotations under our own prefixes are computed and win over a template that names them.
fn differs_outside_own(wanted: &BTreeMap<String, String>, has: &BTreeMap<String, String>) -> bool {
    let own = |key: &str| OWN_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
    wanted.iter().any(|(key, value)| !own(key) && has.get(key) != Some(value))
}

fn formats_are_wrong(evidence: &Evidence<'_>, secret: &SecretSeen) -> Option<&'static str> {
    let wants = |format| evidence.wanted.output_formats.contains(&format);
    let pairs = [(OutputFormat::Der, "key.der"), (OutputFormat::CombinedPem, "tls-combined.pem")];
    let owned = secret.managed.as_ref().ok().and_then(Option::as_ref);
    let wrong = pairs.iter().any(|(format, key)| {
        let has = secret.data_keys.contains(*key);
        let leftover = owned.is_some_and(|owned| owned.data.contains(*key)) && !wants(*format);
        (wants(*format) && !has) || leftover
    });
    (wrong || !secret.formats_sound).then_some("AdditionalOutputFormatsMismatch")
}

/// With owner references on it must be ours; with them off it must not be ours by our own doing.
fn owner_is_wrong(evidence: &Evidence<'_>, secret: &SecretSeen) -> Option<&'static str> {
    let uid = &evidence.me.uid;
    let is_ours = secret.owners.contains(uid);
    let by_us = secret
        .managed
        .as_ref()
        .is_ok_and(|managed| managed.as_ref().is_some_and(|managed| managed.owners.contains(uid)));
    let wrong = if evidence.owned { !is_ours } else { by_us };
    wrong.then_some("SecretOwnerRefMismatch")
}
