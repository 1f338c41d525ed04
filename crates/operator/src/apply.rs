//! Carries out a plan for one Certificate: the one step, then its record in status, then the event. Only this file writes for Certificates.
//! It never decides: what isn't in the plan isn't done. Every write carries the version it was decided on.

use std::sync::Arc;

use everleaf_core::checked::Checked;
use everleaf_core::observed::{NextKey, Observed};
use everleaf_core::plan::{Event, KeyOrigin, Plan, StatusWish, Step};
use everleaf_core::temporary;
use everleaf_core::wanted::KeyEncoding;
use everleaf_core::x509::{Csr, CsrError, KeyError, PrivateKey, Serial};
use everleaf_keystores::KeystoreError;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams, Preconditions};
use tracing::{debug, info};

use crate::context::Context;
use crate::gather::Gathering;
use crate::held::{self, Held};
use crate::ids::Key;
use crate::keystores::{self, Parts};
use crate::records::CertificateRecord;
use crate::secrets::{self, Contents, FIELD_MANAGER};
use crate::status;
use crate::world::Kind;
use crate::write;

/// Why a pass could not be finished.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// The API refused or could not be reached.
    #[error(transparent)]
    Api(#[from] kube::Error),
    /// The key for the issuance is not there any more: the next pass starts anew.
    #[error("the private key of the running issuance is gone")]
    KeyGone,
    /// No key could be made.
    #[error("could not make a private key: {0}")]
    Key(#[from] KeyError),
    /// No CSR could be made: the spec asks for something that can't be encoded.
    #[error("could not make the request: {0}")]
    Csr(#[from] CsrError),
    /// A person must provide a keystore's password first; what is missing.
    #[error("{0}")]
    Password(String),
    /// A keystore could not be written.
    #[error("could not write a keystore: {0}")]
    Keystore(String),
    /// No temporary certificate could be made.
    #[error("could not make a temporary certificate: {0}")]
    Temporary(String),
    /// A Secret stands where a next key was to be stored, and it isn't ours.
    #[error("Secret {0} stands in the way of the next private key and is not ours")]
    Occupied(String),
    /// A CertificateRequest stands where the next one was to be created, and it isn't ours.
    #[error(
        "CertificateRequest {0} stands in the way of the next request and belongs to nobody or to another"
    )]
    RequestOccupied(String),
}

impl From<KeystoreError> for ApplyError {
    fn from(why: KeystoreError) -> Self {
        ApplyError::Keystore(why.to_string())
    }
}

/// Carries out the plan.
pub(crate) async fn apply(context: &Context, gathering: &Gathering, plan: Plan) -> Result<(), ApplyError> {
    let Gathering { record, wanted, seen } = gathering;
    match &plan.step {
        Step::Rest => {}
        Step::DeleteRequest { name, why } => delete_request(context, record, name, why).await?,
        Step::DeleteKey { secret_name, why } => delete_key(context, record, secret_name, why).await?,
        Step::StoreKey { origin, secret_name } => {
            let key = key(context, gathering, *origin).await?;
            store_key(context, record, &key, secret_name).await?;
        }
        Step::Request { origin, revision, key_secret_name } => {
            let key = key(context, gathering, *origin).await?;
            let csr = Csr::build(wanted, &key)?;
            let held = Held { key, secret_name: key_secret_name.clone() };
            context.held.hold(&record.uid, held);
            create_request(context, record, &csr, *revision, key_secret_name).await?;
        }
        Step::Store { checked, request, revision } => {
            store(context, gathering, checked, Standing::Issued).await?;
            info!(certificate = %record.key(), request, revision, "stored a new certificate");
        }
        Step::StoreTemporary { request } => store_temporary(context, gathering, request).await?,
        Step::Refresh { why } => refresh(context, gathering, why).await?,
    }
    if let Some(wish) = &plan.status {
        publish(context, record, wish).await?;
    }
    let is_done = plan.status.as_ref().is_some_and(|wish| wish.revision != record.status.revision);
    if is_done {
        context.held.drop_key(&record.uid);
    }
    tell(context, record, seen, plan.event.as_ref());
    Ok(())
}

/// Publishes a status if it says anything new.
pub(crate) async fn publish(
    context: &Context,
    record: &CertificateRecord,
    wish: &StatusWish,
) -> Result<(), kube::Error> {
    let Some(new) = status::certificate(record, wish, context.clock.now()) else { return Ok(()) };
    let key = record.key();
    let version =
        write::status(&context.client, write::CERTIFICATES, &key, &record.resource_version, &new).await?;
    context.world.changed(Kind::Certificate, &key, Some(&version));
    Ok(())
}

fn tell(context: &Context, record: &CertificateRecord, seen: &Observed, event: Option<&Event>) {
    let Some(event) = event else { return };
    debug!(certificate = %seen.me.name, reason = event.reason, "telling an event");
    context.reporter.tell(&record.about(), "certificates-issuing", event);
}

async fn delete_request(
    context: &Context,
    record: &CertificateRecord,
    name: &str,
    why: &str,
) -> Result<(), kube::Error> {
    info!(certificate = %record.key(), request = name, why, "deleting a request");
    let requests: Api<everleaf_api::CertificateRequest> =
        Api::namespaced(context.client.clone(), &record.namespace);
    if name == record.next_request_key().name {
        context.held.drop_key(&record.uid);
    }
    gone(requests.delete(name, &DeleteParams::default()).await)?;
    context.world.deleted(Kind::Request, &Key::new(&record.namespace, name));
    Ok(())
}

async fn delete_key(
    context: &Context,
    record: &CertificateRecord,
    name: &str,
    why: &str,
) -> Result<(), kube::Error> {
    info!(certificate = %record.key(), secret = name, why, "deleting a next key");
    let key = Key::new(&record.namespace, name);
    let version = context.world.look().secret(&key).map(|secret| secret.resource_version.clone());
    let parameters = DeleteParams {
        preconditions: Some(Preconditions { resource_version: version, uid: None }),
        ..DeleteParams::default()
    };
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), &record.namespace);
    context.held.drop_key(&record.uid);
    gone(secrets.delete(name, &parameters).await)?;
    context.world.deleted(Kind::Secret, &key);
    Ok(())
}

/// Being gone already is as good as deleted.
fn gone<T>(answer: kube::Result<T>) -> kube::Result<()> {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.map(drop),
    }
}

async fn key(
    context: &Context,
    gathering: &Gathering,
    origin: KeyOrigin,
) -> Result<Arc<PrivateKey>, ApplyError> {
    let Gathering { record, wanted, seen } = gathering;
    match (origin, &seen.key) {
        (KeyOrigin::Made, _) => Ok(Arc::new(context.keys.make(wanted.key.kind).await?)),
        (KeyOrigin::Kept, _) => {
            let target = Key::new(&record.namespace, &wanted.secret_name);
            held::stored_key(context, &target).await?.ok_or(ApplyError::KeyGone)
        }
        (KeyOrigin::InHand, NextKey::Stored { secret_name, .. }) => {
            in_hand(context, record, secret_name).await
        }
        (KeyOrigin::InHand, _) => Ok(context.held.of(&record.uid).ok_or(ApplyError::KeyGone)?.key),
    }
}

/// The key of the running issuance: from memory if it is the one in that Secret, else from the Secret.
async fn in_hand(
    context: &Context,
    record: &CertificateRecord,
    secret: &str,
) -> Result<Arc<PrivateKey>, ApplyError> {
    if let Some(held) = context.held.of(&record.uid).filter(|held| held.secret_name == secret) {
        return Ok(held.key);
    }
    let key = Key::new(&record.namespace, secret);
    held::stored_key(context, &key).await?.ok_or(ApplyError::KeyGone)
}

async fn store_key(
    context: &Context,
    record: &CertificateRecord,
    key: &Arc<PrivateKey>,
    name: &str,
) -> Result<(), ApplyError> {
    let pem = key.to_pem(KeyEncoding::Pkcs8);
    let labels = [(secrets::NEXT_KEY_LABEL, "true"), (everleaf_core::annotations::FAO_LABEL, "true")];
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(record.namespace.clone()),
            owner_references: Some(vec![record.owner_reference()]),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some([("tls.key".to_owned(), ByteString(pem.as_bytes().to_vec()))].into()),
        ..Secret::default()
    };
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), &record.namespace);
    match secrets.create(&PostParams::default(), &secret).await {
        Ok(created) => {
            context.held.hold(&record.uid, Held { key: key.clone(), secret_name: name.to_owned() });
            let version = created.metadata.resource_version.as_deref();
            context.world.made(Kind::Secret, &Key::new(&record.namespace, name), version);
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.code == 409 => {
            context.held.drop_key(&record.uid);
            Err(ApplyError::Occupied(name.to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}

async fn create_request(
    context: &Context,
    record: &CertificateRecord,
    csr: &Csr,
    revision: u32,
    key_secret_name: &str,
) -> Result<(), ApplyError> {
    let request = record.new_request(csr, revision, key_secret_name, &context.behaviour.copied_annotations);
    let key = Key::new(&record.namespace, request.metadata.name.as_deref().unwrap_or_default());
    let created = write::create(&context.client, write::REQUESTS, &record.namespace, &request).await;
    let is_taken = matches!(&created, Err(kube::Error::Api(status)) if status.code == 409)
        && context
            .world
            .look()
            .request(&key)
            .is_some_and(|there| there.owner_uid.as_ref() != Some(&record.uid));
    if is_taken {
        return Err(ApplyError::RequestOccupied(key.name));
    }
    context.world.made(Kind::Request, &key, Some(&created?));
    Ok(())
}

/// What a certificate is to its Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The one that was asked for.
    Issued,
    /// One to bridge the wait.
    Temporary,
}

async fn store_temporary(context: &Context, gathering: &Gathering, request: &str) -> Result<(), ApplyError> {
    let broken = |why: &dyn std::fmt::Display| ApplyError::Temporary(why.to_string());
    let Some(waiting) = gathering.seen.next.iter().find(|waiting| waiting.name == request) else {
        return Ok(());
    };
    let mut serials = [[0; Serial::LENGTH]; 2];
    for serial in &mut serials {
        context.common.chance.fill(serial).map_err(|why| broken(&why))?;
    }
    let ca_key = context.keys.make(temporary::CA_KEY).await?;
    let serials = serials.map(Serial::from_random);
    let checked =
        temporary::sign(waiting, &ca_key, serials, context.clock.now()).map_err(|why| broken(&why))?;
    store(context, gathering, &checked, Standing::Temporary).await?;
    info!(certificate = %gathering.record.key(), request, "stored a temporary certificate");
    Ok(())
}

async fn store(
    context: &Context,
    gathering: &Gathering,
    checked: &Checked,
    standing: Standing,
) -> Result<(), ApplyError> {
    let Gathering { record, wanted, seen } = gathering;
    let key = key(context, gathering, KeyOrigin::InHand).await?;
    if key.public() != checked.chain().leaf().public_key() {
        return Err(ApplyError::KeyGone);
    }
    let key_pem = key.to_pem(wanted.key.encoding);
    let (certificate_pem, ca_pem) = Contents::texts(checked);
    let parts = Parts {
        key: key.pkcs8_der(),
        certificate_pem: certificate_pem.as_bytes(),
        ca_pem: ca_pem.as_deref().map(str::as_bytes),
    };
    let keystores = keystores::files(context, &record.namespace, &wanted.keystores, &parts).await?;
    let mut secret = secrets::target(&Contents {
        wanted,
        certificate_name: &record.name,
        namespace: &record.namespace,
        key_pem: key_pem.as_bytes(),
        certificate_pem: certificate_pem.as_bytes(),
        ca_pem: ca_pem.as_deref().map(str::as_bytes),
        leaf: checked.chain().leaf(),
        keystores,
        kind: seen.secret.as_ref().map(|secret| secret.kind.as_str()),
        owner: context.behaviour.owner_references.then(|| record.owner_reference()),
    });
    if standing == Standing::Temporary {
        secrets::leave_out_issuer(&mut secret);
    }
    let version = seen.secret.as_ref().map(|secret| secret.resource_version.clone());
    apply_secret(context, secret, version).await?;
    Ok(())
}

/// Server-side apply, forced, on the version that was decided on.
async fn apply_secret(
    context: &Context,
    mut secret: Secret,
    version: Option<String>,
) -> Result<(), kube::Error> {
    let key = Key::of(&secret);
    let is_new = version.is_none();
    secret.metadata.resource_version = version;
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), &key.namespace);
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    let applied = secrets.patch(&key.name, &parameters, &Patch::Apply(&secret)).await?;
    let version = applied.metadata.resource_version.as_deref();
    if is_new {
        context.world.made(Kind::Secret, &key, version);
    } else {
        context.world.changed(Kind::Secret, &key, version);
    }
    Ok(())
}

/// Writes the Secret again from its own data; key, certificate and CA stay.
async fn refresh(context: &Context, gathering: &Gathering, why: &str) -> Result<(), ApplyError> {
    let Gathering { record, wanted, seen } = gathering;
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), &record.namespace);
    let Some(is) = secrets.get_opt(&wanted.secret_name).await? else { return Ok(()) };
    let Some(leaf) = seen.secret.as_ref().and_then(|secret| secret.certificate.read()) else { return Ok(()) };
    let data = is.data.unwrap_or_default();
    let entry = |name: &str| data.get(name).map(|bytes| bytes.0.as_slice());
    let key = PrivateKey::from_pem(entry("tls.key").unwrap_or_default())?;
    let parts = Parts {
        key: key.pkcs8_der(),
        certificate_pem: entry("tls.crt").unwrap_or_default(),
        ca_pem: entry("ca.crt"),
    };
    let keystores = keystores::files(context, &record.namespace, &wanted.keystores, &parts).await?;
    let mut secret = secrets::target(&Contents {
        wanted,
        certificate_name: &record.name,
        namespace: &record.namespace,
        key_pem: entry("tls.key").unwrap_or_default(),
        certificate_pem: entry("tls.crt").unwrap_or_default(),
        ca_pem: entry("ca.crt"),
        leaf,
        keystores,
        kind: is.type_.as_deref(),
        owner: context.behaviour.owner_references.then(|| record.owner_reference()),
    });
    secrets::carry_issuer(&mut secret, is.metadata.annotations.as_ref());
    info!(certificate = %record.key(), secret = wanted.secret_name, why, "writing the Secret's metadata again");
    apply_secret(context, secret, is.metadata.resource_version).await?;
    Ok(())
}
