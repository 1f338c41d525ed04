//! When a sound Secret must be written again without a new certificate: its labels, annotations, extra formats, keystores or owner aren't as wanted.
//! An ordered list of small checks, as in `reissue.rs` (certificate-lifecycle 2.3, checks 11 to 20). It never asks for a new certificate.

use std::collections::{BTreeMap, BTreeSet};

use crate::annotations::{self, FAO_LABEL, OWN_PREFIXES};
use crate::observed::{ManagedSet, SecretSeen};
use crate::reissue::Evidence;
use crate::wanted::{OutputFormat, Wanted};

/// What the checks look at.
struct Look<'a> {
    evidence: &'a Evidence<'a>,
    secret: &'a SecretSeen,
    /// The annotations that describe the leaf.
    details: BTreeMap<String, String>,
    /// What our field manager owns. Without it (another client removed managedFields, or they can't be read) nobody knows what we once set:
    /// only values are looked at.
    managed: Option<&'a ManagedSet>,
}

type Check = fn(&Look<'_>) -> Option<&'static str>;

const CHECKS: [Check; 10] = [
    base_label_is_wrong,
    details_are_wrong,
    own_keys_are_not_those_we_manage,
    template_is_wrong,
    template_keys_are_not_those_we_manage,
    formats_are_wrong,
    formats_are_not_those_we_manage,
    owner_is_wrong,
    owner_is_not_as_we_manage_it,
    keystores_are_wrong,
];

/// What is not as wanted, if anything. A Secret without readable key and certificate is no case for this: it is issued again.
pub fn stale(evidence: &Evidence<'_>) -> Option<&'static str> {
    let secret = evidence.secret?;
    secret.key.read()?;
    let details = annotations::details(secret.certificate.read()?);
    let managed = secret.managed.as_ref().ok().and_then(Option::as_ref);
    let look = Look { evidence, secret, details, managed };
    CHECKS.iter().find_map(|check| check(&look))
}

fn base_label_is_wrong(look: &Look<'_>) -> Option<&'static str> {
    let wrong = look.secret.labels.get(FAO_LABEL).is_none_or(|value| value != "true");
    wrong.then_some("SecretManagedMetadataMismatch")
}

fn details_are_wrong(look: &Look<'_>) -> Option<&'static str> {
    let has = &look.secret.annotations;
    let wrong = look.details.iter().any(|(key, value)| has.get(key) != Some(value));
    wrong.then_some("SecretTemplateMismatch")
}

/// Labels and annotations under our own prefixes: a detail of an earlier certificate, say, must go.
fn own_keys_are_not_those_we_manage(look: &Look<'_>) -> Option<&'static str> {
    let managed = look.managed?;
    let template = &look.evidence.wanted.secret_template;
    let mut labels = own(template.labels.keys());
    labels.insert(FAO_LABEL);
    let mut marks = own(template.annotations.keys());
    marks.extend(look.details.keys().map(String::as_str));
    // Who issued, and for whom, is carried over as it stands: it is no part of this comparison.
    let carried = |key: &&str| annotations::CARRIED.contains(key);
    marks.retain(|key| !carried(key));
    let mut owned = own(&managed.annotations);
    owned.retain(|key| !carried(key));
    (own(&managed.labels) != labels || owned != marks).then_some("SecretManagedMetadataMismatch")
}

fn template_is_wrong(look: &Look<'_>) -> Option<&'static str> {
    let template = &look.evidence.wanted.secret_template;
    let differs = |has: &BTreeMap<String, String>, key: &String, value: &String| has.get(key) != Some(value);
    let label = template.labels.iter().any(|(key, value)| {
        // What we compute wins over a template that names it.
        key != FAO_LABEL && differs(&look.secret.labels, key, value)
    });
    let mark = template.annotations.iter().any(|(key, value)| {
        let computed = look.details.contains_key(key) || annotations::CARRIED.contains(&key.as_str());
        !computed && differs(&look.secret.annotations, key, value)
    });
    (label || mark).then_some("SecretTemplateMismatch")
}

/// Labels and annotations outside our prefixes: what the template named once and doesn't any more must go; what others set stays.
fn template_keys_are_not_those_we_manage(look: &Look<'_>) -> Option<&'static str> {
    let managed = look.managed?;
    let template = &look.evidence.wanted.secret_template;
    let wrong = foreign(&managed.labels) != foreign(template.labels.keys())
        || foreign(&managed.annotations) != foreign(template.annotations.keys());
    wrong.then_some("SecretTemplateMismatch")
}

fn is_own(key: &str) -> bool {
    OWN_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

fn own<'a>(keys: impl IntoIterator<Item = &'a String>) -> BTreeSet<&'a str> {
    keys.into_iter().map(String::as_str).filter(|key| is_own(key)).collect()
}

fn foreign<'a>(keys: impl IntoIterator<Item = &'a String>) -> BTreeSet<&'a str> {
    keys.into_iter().map(String::as_str).filter(|key| !is_own(key)).collect()
}

const FORMATS: [(OutputFormat, &str); 2] =
    [(OutputFormat::Der, "key.der"), (OutputFormat::CombinedPem, "tls-combined.pem")];

fn formats_are_wrong(look: &Look<'_>) -> Option<&'static str> {
    let secret = look.secret;
    let wrong = FORMATS.iter().any(|(format, key)| {
        let sound = secret.data_keys.contains(*key) && !secret.unsound_formats.contains(format);
        look.evidence.wanted.output_formats.contains(format) && !sound
    });
    wrong.then_some("AdditionalOutputFormatsMismatch")
}

fn formats_are_not_those_we_manage(look: &Look<'_>) -> Option<&'static str> {
    let managed = look.managed?;
    let wrong = FORMATS.iter().any(|(format, key)| {
        look.evidence.wanted.output_formats.contains(format) != managed.data.contains(*key)
    });
    wrong.then_some("AdditionalOutputFormatsMismatch")
}

/// With owner references on it must be ours.
fn owner_is_wrong(look: &Look<'_>) -> Option<&'static str> {
    let wrong = look.evidence.owned && !look.secret.owners.contains(&look.evidence.me.uid);
    wrong.then_some("SecretOwnerRefMismatch")
}

/// With owner references on it must be ours by our own doing, with them off it must not; another's doing stays.
fn owner_is_not_as_we_manage_it(look: &Look<'_>) -> Option<&'static str> {
    let by_us = look.managed?.owners.contains(&look.evidence.me.uid);
    (look.evidence.owned != by_us).then_some("SecretOwnerRefMismatch")
}

fn keystores_are_wrong(look: &Look<'_>) -> Option<&'static str> {
    let wrong = keystore_keys(look.evidence.wanted, look.secret.has_ca).into_iter().any(|(key, wanted)| {
        let has = look.secret.data_keys.contains(key);
        let ours = look.managed.is_some_and(|managed| managed.data.contains(key));
        if wanted { !has } else { ours }
    });
    wrong.then_some("SecretMismatch")
}

/// Each key that may hold a keystore, and whether it should. A truststore needs a CA.
fn keystore_keys(wanted: &Wanted, has_ca: bool) -> [(&'static str, bool); 4] {
    let (jks, pkcs12) = (wanted.keystores.jks.is_some(), wanted.keystores.pkcs12.is_some());
    [
        ("keystore.jks", jks),
        ("truststore.jks", jks && has_ca),
        ("keystore.p12", pkcs12),
        ("truststore.p12", pkcs12 && has_ca),
    ]
}
