//! What the Secret shall hold beside key and certificate: labels, annotations, formats, keystores.
//! A literal password never gets into an error.

use everleaf_core::wanted::{Jks, Keystores, OutputFormat, Password, Pkcs12, Pkcs12Profile, SecretTemplate};

use crate::certificate::{
    CertificateSpec, JksKeystore, LiteralPassword, OutputFormatType, Pkcs12Keystore, Pkcs12ProfileName,
};
use crate::field_error::FieldError;
use crate::names::annotation::ALLOW_DIRECT_INJECTION;
use crate::references::{SecretKeySelector, chosen};
use crate::validate::{Faults, kubernetes};

/// Alias of the key in a Java keystore where a spec names none.
const DEFAULT_ALIAS: &str = "certificate";
/// Annotations that are ours to set.
const OURS: &str = "cert-manager.io/";

pub(super) fn secret_template(spec: &CertificateSpec, faults: &mut Faults) -> SecretTemplate {
    const ANNOTATIONS: &str = "spec.secretTemplate.annotations";
    let Some(template) = spec.secret_template.as_deref() else { return SecretTemplate::default() };
    let annotations = template.annotations.clone().unwrap_or_default();
    let labels = template.labels.clone().unwrap_or_default();
    kubernetes::labels(&labels, "spec.secretTemplate.labels", faults);
    for key in annotations.keys().filter(|key| key.starts_with(OURS) && *key != ALLOW_DIRECT_INJECTION) {
        let detail = "cert-manager.io/* annotations are not allowed";
        faults.push(FieldError::invalid(ANNOTATIONS, key, detail));
    }
    kubernetes::annotations(&annotations, ANNOTATIONS, faults);
    SecretTemplate { annotations, labels }
}

pub(super) fn formats(spec: &CertificateSpec, faults: &mut Faults) -> Vec<OutputFormat> {
    let mut formats = Vec::new();
    for (index, written) in crate::items(&spec.additional_output_formats).iter().enumerate() {
        let path = format!("spec.additionalOutputFormats[{index}].type");
        let format = match &written.type_ {
            OutputFormatType::Der => OutputFormat::Der,
            OutputFormatType::CombinedPem => OutputFormat::CombinedPem,
            OutputFormatType::Other(word) => {
                faults.push(FieldError::not_supported(path, word, OutputFormatType::WORDS));
                continue;
            }
        };
        if formats.contains(&format) {
            faults.push(FieldError::duplicate(path, written.type_.as_str()));
        } else {
            formats.push(format);
        }
    }
    formats
}

/// Blocks with `create: false` are checked like others, and then have no effect.
pub(super) fn keystores(spec: &CertificateSpec, faults: &mut Faults) -> Keystores {
    let Some(keystores) = spec.keystores.as_deref() else { return Keystores::default() };
    Keystores {
        jks: keystores.jks.as_ref().and_then(|keystore| jks(keystore, faults)),
        pkcs12: keystores.pkcs12.as_ref().and_then(|keystore| pkcs12(keystore, faults)),
    }
}

fn jks(keystore: &JksKeystore, faults: &mut Faults) -> Option<Jks> {
    let password = password(&keystore.password, &keystore.password_secret_ref, "spec.keystores.jks", faults)?;
    let alias = match crate::text(&keystore.alias) {
        "" => DEFAULT_ALIAS,
        alias => alias,
    };
    keystore.create.then(|| Jks { alias: alias.to_owned(), password })
}

fn pkcs12(keystore: &Pkcs12Keystore, faults: &mut Faults) -> Option<Pkcs12> {
    const PATH: &str = "spec.keystores.pkcs12";
    let password = password(&keystore.password, &keystore.password_secret_ref, PATH, faults)?;
    let profile = match &keystore.profile {
        None | Some(Pkcs12ProfileName::LegacyRc2) => Pkcs12Profile::LegacyRc2,
        Some(Pkcs12ProfileName::LegacyDes) => Pkcs12Profile::LegacyDes,
        Some(Pkcs12ProfileName::Modern2023) => Pkcs12Profile::Modern2023,
        Some(Pkcs12ProfileName::Modern2026) => Pkcs12Profile::Modern2026,
        Some(Pkcs12ProfileName::Other(word)) => {
            faults.push(FieldError::not_supported(format!("{PATH}.profile"), word, Pkcs12ProfileName::WORDS));
            return None;
        }
    };
    keystore.create.then_some(Pkcs12 { profile, password })
}

/// Exactly one of a literal password and a Secret.
fn password(
    literal: &Option<LiteralPassword>,
    secret: &Option<SecretKeySelector>,
    path: &str,
    faults: &mut Faults,
) -> Option<Password> {
    match (literal, chosen(secret)) {
        (Some(_), Some(_)) => {
            let detail = "exactly one of passwordSecretRef and password must be provided; cannot set both";
            faults.push(FieldError::forbidden(path, detail));
            None
        }
        (None, None) => {
            let detail = "must set exactly one of passwordSecretRef and password";
            faults.push(FieldError::forbidden(path, detail));
            None
        }
        (Some(literal), None) if literal.as_str().is_empty() => {
            let detail = "literal password cannot be empty if set";
            faults.push(FieldError::forbidden(format!("{path}.password"), detail));
            None
        }
        (Some(literal), None) => Some(Password::Literal(literal.as_str().to_owned())),
        (None, Some(secret)) => {
            Some(Password::Secret { name: secret.name.clone(), key: secret.key.clone().unwrap_or_default() })
        }
    }
}
