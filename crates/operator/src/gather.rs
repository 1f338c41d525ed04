//! Reads everything one pass over a Certificate needs, and nothing else: the records of the watches, the key in memory, and (only for a
//! target Secret that isn't labelled as ours) one Secret by name. It never writes.

use std::sync::Arc;

use everleaf_core::observed::{Claim, KeyFacts, NextKey, Observed, RequestSeen, SecretSeen};
use everleaf_core::request::Approver;
use everleaf_core::retry;
use everleaf_core::wanted::Wanted;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use crate::context::Context;
use crate::ids::{IssuerId, Key};
use crate::records::{CertificateRecord, SecretBody};
use crate::world::{Kind, State};

/// What became of gathering.
pub(crate) enum Gathered {
    /// There is no such Certificate, or it is being deleted.
    Gone,
    /// A watch has yet to show what we wrote: the pass follows then.
    Behind,
    /// The spec can't be parsed, and why.
    Invalid(Arc<CertificateRecord>, String),
    /// Everything.
    All(Box<Gathering>),
}

/// The record and what was observed.
pub(crate) struct Gathering {
    /// The Certificate.
    pub record: Arc<CertificateRecord>,
    /// The wish.
    pub wanted: Arc<Wanted>,
    /// What is there.
    pub seen: Observed,
}

/// Gathers for one Certificate.
pub(crate) async fn gather(context: &Context, key: &Key) -> kube::Result<Gathered> {
    let record = match context.world.look().certificate(key) {
        Some(record) if !record.deleting => record.clone(),
        _ => return Ok(Gathered::Gone),
    };
    let wanted = match &record.wanted {
        Ok(wanted) => wanted.clone(),
        Err(why) => return Ok(Gathered::Invalid(record.clone(), why.clone())),
    };
    let answered_here = answered_here(context, &wanted, &key.namespace).await;
    let secret_key = Key::new(&key.namespace, &wanted.secret_name);
    let (mut seen, needs_read) = {
        let state = context.world.look();
        if is_behind(&state, key, &secret_key, &record) {
            return Ok(Gathered::Behind);
        }
        let needs_read = state
            .secret(&secret_key)
            .is_some_and(|secret| matches!(secret.body, SecretBody::Unread | SecretBody::Lost));
        (observe(context, &state, &record, &wanted, answered_here), needs_read)
    };
    if needs_read {
        seen.secret = read_secret(context, &secret_key).await?.map(Arc::new);
        let mut state = context.world.look();
        if seen.secret.is_none() {
            state.forget_lost_secret(&secret_key);
        }
        // Only now is it known for whom it was issued.
        let holder = seen.secret.as_deref().and_then(issued_for);
        seen.claim = claim(&state, &record, &secret_key, holder);
    }
    Ok(Gathered::All(Box::new(Gathering { record, wanted, seen })))
}

fn is_behind(state: &State, key: &Key, secret: &Key, record: &CertificateRecord) -> bool {
    let requests = state.requests_of(&record.uid);
    state.is_behind(Kind::Certificate, key)
        || state.is_behind(Kind::Secret, secret)
        || state.is_behind(Kind::Request, &record.next_request_key())
        || requests.iter().any(|request| state.is_behind(Kind::Request, &request.key()))
        || state.keys_of(&record.uid).iter().any(|(key, _)| state.is_behind(Kind::Secret, key))
        || record
            .status
            .next_key_name
            .as_ref()
            .is_some_and(|name| state.is_behind(Kind::Secret, &Key::new(&record.namespace, name)))
}

fn observe(
    context: &Context,
    state: &State,
    record: &CertificateRecord,
    wanted: &Wanted,
    answered_here: bool,
) -> Observed {
    let secret_key = Key::new(&record.namespace, &wanted.secret_name);
    let (mut current, mut next, mut strays, mut history) = (None, Vec::new(), Vec::new(), Vec::new());
    for request in state.requests_of(&record.uid) {
        if request.deleting {
            continue;
        }
        let Some(revision) = request.revision else {
            strays.push(request.name.clone());
            continue;
        };
        history.push((revision, request.name.clone()));
        if record.status.revision == Some(revision) {
            current = Some(request.seen());
        } else if revision == record.status.revision.unwrap_or(0).saturating_add(1) {
            next.push(request.seen());
        }
    }
    history.sort();
    next.sort_by(|a: &RequestSeen, b| a.name.cmp(&b.name));
    let stored = state.keys_of(&record.uid);
    let secret = state.secret(&secret_key).and_then(|secret| secret.facts());
    Observed {
        me: record.identity(),
        claim: claim(state, record, &secret_key, secret.as_deref().and_then(issued_for)),
        secret,
        current,
        next,
        strays,
        history,
        key: next_key(context, record, &stored),
        stored_keys: stored.iter().map(|(key, _)| key.name.clone()).collect(),
        free_key_name: free_key_name(state, record),
        status: record.status.clone(),
        answered_here,
    }
}

/// One Certificate owns a Secret: the one the Secret was issued for if it still wants it, else the oldest, ties by name.
fn claim(state: &State, record: &CertificateRecord, secret: &Key, issued_for: Option<&str>) -> Claim {
    let me = record.key();
    let claims: Vec<&Key> = state.claims(secret).collect();
    if claims.len() < 2 {
        return Claim::Ours;
    }
    let by_annotation = claims.iter().find(|claim| Some(claim.name.as_str()) == issued_for);
    let oldest = || {
        let ages = claims.iter().filter_map(|claim| Some((state.certificate(claim)?.created, *claim)));
        ages.min().map(|(_, claim)| claim)
    };
    match by_annotation.copied().or_else(oldest) {
        Some(owner) if *owner != me => Claim::HeldBy(owner.name.clone()),
        _ => Claim::Ours,
    }
}

/// The Certificate a Secret was issued for, by its annotation.
fn issued_for(secret: &SecretSeen) -> Option<&str> {
    secret.annotations.get(everleaf_core::annotations::CERTIFICATE_NAME).map(String::as_str)
}

/// The key for the next issuance: in memory, or the Secret that status names, or the only one we own.
fn next_key(
    context: &Context,
    record: &CertificateRecord,
    stored: &[(&Key, &Arc<crate::records::SecretRecord>)],
) -> NextKey {
    let named = record.status.next_key_name.as_deref();
    let chosen = stored.iter().find(|(key, _)| Some(key.name.as_str()) == named).or(stored.first());
    if let Some((key, secret)) = chosen {
        let secret_name = key.name.clone();
        return match secret.next_key() {
            Some(facts) => NextKey::Stored { facts, secret_name },
            None => NextKey::Spoilt { secret_name },
        };
    }
    match context.held.of(&record.uid) {
        Some(held) => {
            let facts = KeyFacts { public: held.key.public().clone(), kind: held.key.kind() };
            NextKey::Held { facts, secret_name: held.secret_name }
        }
        None => NextKey::None,
    }
}

/// A name that nothing stands under. A Secret there without our owner reference and label is never touched: another name is taken.
fn free_key_name(state: &State, record: &CertificateRecord) -> String {
    const TRIES: u32 = 64;
    let prefix: String = record.name.chars().take(247).collect();
    let names = (0..TRIES).map(|salt| {
        let seed = record.status.revision.unwrap_or(0).wrapping_mul(TRIES).wrapping_add(salt);
        format!("{prefix}-{}", retry::name_suffix(&record.uid, seed))
    });
    let mut last = String::new();
    for name in names {
        let is_free = state.secret(&Key::new(&record.namespace, &name)).is_none();
        last = name;
        if is_free {
            break;
        }
    }
    last
}

/// True if requests to this issuer are approved and signed by this process at once.
async fn answered_here(context: &Context, wanted: &Wanted, namespace: &str) -> bool {
    let Some(id) = IssuerId::of(&wanted.issuer, namespace) else { return false };
    if !context.signs_for(&id) {
        return false;
    }
    context.approvals.ask(&wanted.issuer, namespace).await == Approver::Allowed
}

async fn read_secret(context: &Context, key: &Key) -> kube::Result<Option<SecretSeen>> {
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), &key.namespace);
    Ok(secrets.get_opt(&key.name).await?.map(|secret| crate::secrets::facts(&secret)))
}
