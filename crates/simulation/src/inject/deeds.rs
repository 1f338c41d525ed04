//! What the person behind the faults does: to Secrets, Certificates, issuers and credentials. A deed that the API or Vault refuses (the
//! object is gone, the mount is disabled) is noted in the trace and left.

use std::fmt::Display;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use everleaf_core::wanted::KeyEncoding;
use serde_json::{Value, json};

use crate::cluster::Refused;
use crate::fault::{Spoil, UserDeed};
use crate::keys;
use crate::ledger;
use crate::moments::DAY;
use crate::objects;
use crate::scenario::{CertificatePlan, IssuerPlan};
use crate::stage::Stage;
use crate::vaults::SECOND_ROLE;

/// The old secret_id dies this long after the new one is stored.
const OVERLAP: Duration = Duration::from_secs(5);

pub(super) fn note(stage: &Stage, error: Option<impl Display>) {
    if let Some(error) = error {
        ledger::lock(&stage.ledger).note(&format!("not done: {error}"));
    }
}

pub(super) async fn begin(stage: &Arc<Stage>, deed: UserDeed) {
    let done = match deed {
        UserDeed::SecretDeleted { certificate } => delete_secret(stage, certificate).await,
        UserDeed::SecretSpoilt { certificate, how } => spoil(stage, certificate, how).await,
        UserDeed::SecretsSwapped { one, other } => swap(stage, one, other).await,
        UserDeed::RequestsDeleted { certificate } => delete_requests(stage, certificate).await,
        UserDeed::CertificateRecreated { certificate } => recreate(stage, certificate).await,
        UserDeed::NamesChanged { certificate } => one_name_more(stage, certificate).await,
        UserDeed::AllNamesChanged => {
            for certificate in 0..stage.scenario.certificates.len() {
                note(stage, one_name_more(stage, certificate).await.err());
            }
            Ok(())
        }
        UserDeed::RenewedByHand { certificate } => renew(stage, certificate).await,
        UserDeed::MovedToIssuer { certificate, issuer } => move_to(stage, certificate, issuer).await,
        UserDeed::IssuerRepointed { issuer } => {
            let second = objects::sign_path(SECOND_ROLE);
            repoint(
                stage,
                issuer,
                |now| if now == second { objects::sign_path("web") } else { second.clone() },
            )
            .await
        }
        UserDeed::IssuerMispointed { issuer } => repoint(stage, issuer, |now| format!("{now}{NOBODY}")).await,
        UserDeed::IssuerDeleted { issuer } => match stage.scenario.issuers.get(issuer) {
            Some(plan) => stage.admin.delete(&objects::issuer_path(plan)).await.map(drop),
            None => Ok(()),
        },
        UserDeed::CredentialsRotated { issuer } => rotate(stage, issuer).await,
        UserDeed::CredentialsDie { issuer } => {
            destroy(stage, issuer, &known_secret_id(stage, issuer));
            Ok(())
        }
        UserDeed::CredentialsDeleted { issuer } => match stage.scenario.issuers.get(issuer) {
            Some(plan) => stage.admin.delete(&objects::credentials_path(plan)).await.map(drop),
            None => Ok(()),
        },
        UserDeed::CaRotated { issuer } => {
            if let Some(place) = stage.vaults.of(issuer) {
                place.node.rotate_ca(&place.scene.pki, 3_650 * DAY);
            }
            Ok(())
        }
    };
    note(stage, done.err());
}

pub(super) async fn end(stage: &Arc<Stage>, deed: UserDeed) {
    let done = match deed {
        UserDeed::IssuerMispointed { issuer } => repoint(stage, issuer, |now| now.replace(NOBODY, "")).await,
        UserDeed::IssuerDeleted { issuer } => stage.create_issuer(issuer).await,
        UserDeed::CredentialsDie { issuer } => match new_secret_id(stage, issuer) {
            Some(secret_id) => store_secret_id(stage, issuer, secret_id).await,
            None => Ok(()),
        },
        UserDeed::CredentialsDeleted { issuer } => {
            store_secret_id(stage, issuer, known_secret_id(stage, issuer)).await
        }
        _ => Ok(()),
    };
    note(stage, done.err());
}

/// What is put behind a role's name so that there is no such role.
const NOBODY: &str = "-nobody";

fn plan(stage: &Stage, certificate: usize) -> Option<&CertificatePlan> {
    stage.scenario.certificates.get(certificate)
}

async fn delete_secret(stage: &Stage, certificate: usize) -> Result<(), Refused> {
    let Some(plan) = plan(stage, certificate) else { return Ok(()) };
    stage.admin.delete(&objects::secret_path(plan)).await.map(drop)
}

async fn spoil(stage: &Stage, certificate: usize, how: Spoil) -> Result<(), Refused> {
    let Some(plan) = plan(stage, certificate) else { return Ok(()) };
    let other_key =
        keys::key(&mut stage.chance.fork(&plan.name)).map(|key| key.to_pem(KeyEncoding::Pkcs8).to_string());
    let change = |secret: &mut Value| {
        let Some(data) = secret.pointer_mut("/data").and_then(Value::as_object_mut) else { return };
        match how {
            Spoil::Certificate => drop(data.insert("tls.crt".into(), STANDARD.encode("spoilt").into())),
            Spoil::Key => drop(data.insert("tls.key".into(), STANDARD.encode("spoilt").into())),
            Spoil::OtherKey => {
                let key = STANDARD.encode(other_key.unwrap_or_default());
                data.insert("tls.key".into(), key.into());
            }
            Spoil::Emptied => {
                for name in ["tls.crt", "tls.key"] {
                    data.insert(name.into(), "".into());
                }
            }
            Spoil::Undressed => {
                if let Some(meta) = secret.pointer_mut("/metadata").and_then(Value::as_object_mut) {
                    meta.remove("labels");
                    meta.remove("annotations");
                }
            }
        }
    };
    stage.admin.change(&objects::secret_path(plan), change).await
}

async fn swap(stage: &Stage, one: usize, other: usize) -> Result<(), Refused> {
    let (Some(one), Some(other)) = (plan(stage, one), plan(stage, other)) else { return Ok(()) };
    let (one, other) = (objects::secret_path(one), objects::secret_path(other));
    let (Some(first), Some(second)) = (stage.admin.get(&one).await, stage.admin.get(&other).await) else {
        return Ok(());
    };
    let put = |into: &mut Value, from: &Value| {
        if let (Some(into), Some(from)) = (into.pointer_mut("/data"), from.get("data")) {
            *into = from.clone();
        }
    };
    stage.admin.change(&one, |secret| put(secret, &second)).await?;
    stage.admin.change(&other, |secret| put(secret, &first)).await
}

async fn delete_requests(stage: &Stage, certificate: usize) -> Result<(), Refused> {
    let Some(plan) = plan(stage, certificate) else { return Ok(()) };
    let collection = objects::requests_path(&plan.namespace);
    let list = stage.admin.get(&collection).await.unwrap_or_default();
    let items = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    for item in items {
        let text = |pointer| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if text("/metadata/ownerReferences/0/name") == plan.name {
            stage.admin.delete(&format!("{collection}/{}", text("/metadata/name"))).await?;
        }
    }
    Ok(())
}

async fn recreate(stage: &Stage, certificate: usize) -> Result<(), Refused> {
    let Some(plan) = plan(stage, certificate) else { return Ok(()) };
    let path = objects::certificate_path(plan);
    let Some(old) = stage.admin.get(&path).await else { return Ok(()) };
    stage.admin.delete(&path).await?;
    let new = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": { "name": plan.name, "namespace": plan.namespace }, "spec": old.get("spec"),
    });
    stage.admin.create(&objects::certificates_path(&plan.namespace), &new).await.map(drop)
}

async fn one_name_more(stage: &Stage, certificate: usize) -> Result<(), Refused> {
    let Some(plan) = plan(stage, certificate) else { return Ok(()) };
    let add = |object: &mut Value| {
        if let Some(names) = object.pointer_mut("/spec/dnsNames").and_then(Value::as_array_mut) {
            names.push(format!("{}-{}.example", plan.name, names.len()).into());
        }
    };
    stage.admin.change(&objects::certificate_path(plan), add).await
}

async fn renew(stage: &Stage, certificate: usize) -> Result<(), Refused> {
    let Some(plan) = plan(stage, certificate) else { return Ok(()) };
    let now = stage.wall.now().as_second();
    let now = jiff::Timestamp::from_second(now).unwrap_or_default().to_string();
    let condition = json!({
        "type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "lastTransitionTime": now,
        "message": "Certificate re-issuance manually triggered",
    });
    let set = |object: &mut Value| {
        let conditions = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
        if let Some(conditions) = conditions {
            conditions.retain(|known| known.get("type").and_then(Value::as_str) != Some("Issuing"));
            conditions.push(condition);
        }
    };
    stage.admin.change(&format!("{}/status", objects::certificate_path(plan)), set).await
}

async fn move_to(stage: &Stage, certificate: usize, issuer: usize) -> Result<(), Refused> {
    let (Some(plan), Some(issuer)) = (plan(stage, certificate), stage.scenario.issuers.get(issuer)) else {
        return Ok(());
    };
    let reference = objects::issuer_reference(issuer);
    let set = |object: &mut Value| {
        if let Some(place) = object.pointer_mut("/spec/issuerRef") {
            *place = reference;
        }
    };
    stage.admin.change(&objects::certificate_path(plan), set).await
}

async fn repoint(stage: &Stage, issuer: usize, to: impl FnOnce(&str) -> String) -> Result<(), Refused> {
    let Some(plan) = stage.scenario.issuers.get(issuer) else { return Ok(()) };
    let set = |object: &mut Value| {
        if let Some(path) = object.pointer_mut("/spec/vault/path") {
            *path = to(path.as_str().unwrap_or_default()).into();
        }
    };
    stage.admin.change(&objects::issuer_path(plan), set).await
}

async fn rotate(stage: &Arc<Stage>, issuer: usize) -> Result<(), Refused> {
    let old = known_secret_id(stage, issuer);
    let Some(new) = new_secret_id(stage, issuer) else { return Ok(()) };
    store_secret_id(stage, issuer, new).await?;
    let stage = stage.clone();
    tokio::spawn(async move {
        tokio::time::sleep(OVERLAP).await;
        destroy(&stage, issuer, &old);
    });
    Ok(())
}

fn known_secret_id(stage: &Stage, issuer: usize) -> String {
    let known = stage.secret_ids.lock().unwrap_or_else(PoisonError::into_inner);
    known.get(&issuer).cloned().unwrap_or_default()
}

fn new_secret_id(stage: &Stage, issuer: usize) -> Option<String> {
    let place = stage.vaults.of(issuer)?;
    let path = format!("auth/{}/{}/secret-id", place.scene.auth, place.scene.auth_role);
    match place.node.write(&path, Value::Null) {
        Ok(made) => made.get("secret_id").and_then(Value::as_str).map(str::to_owned),
        Err(error) => {
            note(stage, Some(error));
            None
        }
    }
}

fn destroy(stage: &Stage, issuer: usize, secret_id: &str) {
    let Some(place) = stage.vaults.of(issuer) else { return };
    let path = format!("auth/{}/{}/secret-id/destroy", place.scene.auth, place.scene.auth_role);
    note(stage, place.node.write(&path, json!({ "secret_id": secret_id })).err());
}

async fn store_secret_id(stage: &Stage, issuer: usize, secret_id: String) -> Result<(), Refused> {
    let Some(plan) = stage.scenario.issuers.get(issuer) else { return Ok(()) };
    let object = objects::approle_secret(plan, &secret_id);
    stage.secret_ids.lock().unwrap_or_else(PoisonError::into_inner).insert(issuer, secret_id);
    let path = objects::credentials_path(plan);
    if stage.admin.get(&path).await.is_none() {
        return store_anew(stage, plan, &object).await;
    }
    stage.admin.change(&path, |secret| secret.clone_from(&with_version(&object, secret))).await
}

async fn store_anew(stage: &Stage, plan: &IssuerPlan, object: &Value) -> Result<(), Refused> {
    let collection = objects::secrets_path(objects::credentials_namespace(plan));
    stage.admin.create(&collection, object).await.map(drop)
}

fn with_version(new: &Value, old: &Value) -> Value {
    let mut new = new.clone();
    if let Some(meta) = new.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        let version = old.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
        meta.insert("resourceVersion".to_owned(), version);
    }
    new
}
