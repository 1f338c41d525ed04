//! Private keys of issuances that are answered at once: they stay in memory until the certificate is stored with them.
//! A key is wiped when it is dropped. It never leaves this map but into the target Secret, or into a next-key Secret.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use everleaf_core::failure::{Blame, Call, Class, Failure, Finality, Says};
use everleaf_core::x509::{Csr, PrivateKey};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use crate::context::Context;
use crate::ids::Key;
use crate::records::RequestRecord;

/// Keys in memory, by the UID of their Certificate.
#[derive(Default)]
pub struct HeldKeys {
    keys: Mutex<HashMap<String, Held>>,
}

/// A key and the name reserved for its Secret.
#[derive(Clone)]
pub struct Held {
    /// The key.
    pub key: Arc<PrivateKey>,
    /// The reserved name.
    pub secret_name: String,
}

impl HeldKeys {
    /// Holds a key for the running issuance of a Certificate.
    pub fn hold(&self, certificate_uid: &str, held: Held) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(certificate_uid.to_owned(), held);
    }

    /// The key held for a Certificate.
    pub fn of(&self, certificate_uid: &str) -> Option<Held> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(certificate_uid).cloned()
    }

    /// Drops the key of a Certificate.
    pub fn drop_key(&self, certificate_uid: &str) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(certificate_uid);
    }
}

/// The private key a SelfSigned request was made with: from memory if it is there, else from the Secret it names. A request that an
/// earlier process made may name the Secret that the key in memory is to have, and be made with another key: that one says nothing of it.
pub(crate) async fn key_of_request(
    context: &Context,
    record: &RequestRecord,
    csr: &Csr,
) -> Result<Arc<PrivateKey>, Failure> {
    let Some(secret_name) = &record.key_secret else {
        let says = "the request has no annotation cert-manager.io/private-key-secret-name, so its key can't be found";
        return Err(failure("MissingAnnotation", says, Blame::Request, Finality::AtOnce));
    };
    let held = record.owner_uid.as_deref().and_then(|uid| context.held.of(uid));
    let is_its_key = |held: &Held| held.secret_name == *secret_name && held.key.public() == csr.public_key();
    if let Some(held) = held.filter(is_its_key) {
        return Ok(held.key);
    }
    let blame = Blame::Secret(secret_name.clone());
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), &record.namespace);
    let secret = match secrets.get_opt(secret_name).await {
        Ok(Some(secret)) => secret,
        Ok(None) => return Err(failure("MissingSecret", "there is no such Secret", blame, Finality::Never)),
        Err(error) => return Err(failure("ErrorGettingSecret", &error.to_string(), blame, Finality::Never)),
    };
    let pem = secret.data.unwrap_or_default().remove("tls.key").map(|bytes| bytes.0).unwrap_or_default();
    match PrivateKey::from_pem(&pem) {
        Ok(key) => Ok(Arc::new(key)),
        Err(error) => Err(failure("ErrorParsingKey", &error.to_string(), blame, Finality::Never)),
    }
}

/// The key of a next-key Secret.
pub(crate) async fn stored_key(context: &Context, secret: &Key) -> kube::Result<Option<Arc<PrivateKey>>> {
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), &secret.namespace);
    let data = secrets.get_opt(&secret.name).await?.and_then(|secret| secret.data).unwrap_or_default();
    let pem = data.get("tls.key");
    Ok(pem.and_then(|pem| PrivateKey::from_pem(&pem.0).ok()).map(Arc::new))
}

fn failure(code: &'static str, says: &str, blame: Blame, finality: Finality) -> Failure {
    let class = if finality == Finality::AtOnce { Class::Request } else { Class::Access };
    Failure { class, call: Call::ReadSecret, code, says: Says::new(says), retry_after: None, blame, finality }
}
