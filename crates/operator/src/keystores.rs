//! The keystores of one Secret: reads the passwords that the spec names and has the files written. It never keeps a password, and never
//! writes to the API.

use everleaf_core::wanted::{Jks, Keystores, Password, Pkcs12};
use everleaf_core::x509::{Certificate, PemLimits};
use everleaf_issuers::Chance;
use everleaf_keystores::{Chance as Salts, KeystoreError, Material, jks, pkcs12};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use zeroize::Zeroizing;

use crate::apply::ApplyError;
use crate::context::Context;

/// Keys of a Secret, and what they hold.
pub(crate) type Files = Vec<(&'static str, Vec<u8>)>;

/// What keystores are made from: the key as PKCS#8 DER, and the texts of the Secret.
pub(crate) struct Parts<'a> {
    /// The private key.
    pub(crate) key: &'a [u8],
    /// `tls.crt`
    pub(crate) certificate_pem: &'a [u8],
    /// `ca.crt`
    pub(crate) ca_pem: Option<&'a [u8]>,
}

/// The keystores that are wished for; none is the usual case and costs nothing.
pub(crate) async fn files(
    context: &Context,
    namespace: &str,
    wanted: &Keystores,
    parts: &Parts<'_>,
) -> Result<Files, ApplyError> {
    if *wanted == Keystores::default() {
        return Ok(Files::new());
    }
    let broken = |why: &dyn std::fmt::Display| ApplyError::Keystore(why.to_string());
    let limit = PemLimits::DEFAULT.bundle;
    let chain = Certificate::all_from_pem(parts.certificate_pem, limit).map_err(|why| broken(&why))?;
    // A ca.crt that can't be read makes no truststore, as one that isn't there.
    let cas = parts.ca_pem.and_then(|pem| Certificate::all_from_pem(pem, limit).ok()).unwrap_or_default();
    let mut files = Files::new();
    if let Some(wish) = &wanted.jks {
        let password = password(context, namespace, &wish.password).await?;
        files.extend(java(wish, &password, parts.key, &chain, &cas, salts(&context.common.chance)?)?);
    }
    if let Some(wish) = &wanted.pkcs12 {
        let password = password(context, namespace, &wish.password).await?;
        let salts = [salts(&context.common.chance)?, salts(&context.common.chance)?];
        files.extend(personal(wish, &password, parts.key, &chain, &cas, salts)?);
    }
    Ok(files)
}

/// The times inside are those of the certificate, so that it says nothing of when it was written.
fn java(
    wish: &Jks,
    password: &str,
    key: &[u8],
    chain: &[Certificate],
    cas: &[Certificate],
    salts: Salts,
) -> Result<Files, KeystoreError> {
    let created = chain.first().map(Certificate::not_before).ok_or(KeystoreError::NoCertificate)?;
    let (chain, cas) = (ders(chain), ders(cas));
    let material = Material { key, chain: &chain, cas: &cas };
    let mut files = vec![("keystore.jks", jks::keystore(&wish.alias, password, &material, created, &salts)?)];
    if !cas.is_empty() {
        files.push(("truststore.jks", jks::truststore(password, &cas, created)?));
    }
    Ok(files)
}

fn personal(
    wish: &Pkcs12,
    password: &str,
    key: &[u8],
    chain: &[Certificate],
    cas: &[Certificate],
    [own, trust]: [Salts; 2],
) -> Result<Files, KeystoreError> {
    let (chain, cas) = (ders(chain), ders(cas));
    let material = Material { key, chain: &chain, cas: &cas };
    let mut files = vec![("keystore.p12", pkcs12::keystore(wish.profile, password, &material, &own)?)];
    if !cas.is_empty() {
        files.push(("truststore.p12", pkcs12::truststore(wish.profile, password, &cas, &trust)?));
    }
    Ok(files)
}

fn ders(certificates: &[Certificate]) -> Vec<&[u8]> {
    certificates.iter().map(Certificate::der).collect()
}

fn salts(chance: &Chance) -> Result<Salts, ApplyError> {
    let mut bytes = [0; Salts::LENGTH];
    chance.fill(&mut bytes).map_err(|why| ApplyError::Keystore(why.to_string()))?;
    Ok(Salts::from_random(bytes))
}

async fn password(
    context: &Context,
    namespace: &str,
    password: &Password,
) -> Result<Zeroizing<String>, ApplyError> {
    let (name, key) = match password {
        Password::Literal(text) => return Ok(Zeroizing::new(text.clone())),
        Password::Secret { name, key } => (name, key),
    };
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), namespace);
    let missing = |what: &str| {
        ApplyError::Password(format!(
            "The keystore is not written yet: {what}. It is written as soon as the password is there."
        ))
    };
    let Some(secret) = secrets.get_opt(name).await? else {
        return Err(missing(&format!("there is no Secret \"{name}\" with its password")));
    };
    let value = secret.data.unwrap_or_default().remove(key).map(|bytes| Zeroizing::new(bytes.0));
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Err(missing(&format!("Secret \"{name}\" holds no password under \"{key}\"")));
    };
    match std::str::from_utf8(&value) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(missing(&format!("what Secret \"{name}\" holds under \"{key}\" is no text"))),
    }
}
