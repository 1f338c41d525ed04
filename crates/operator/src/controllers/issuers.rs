//! Keeps issuers: makes them from their spec, looks after their health, and tells it in the Ready condition without flapping.
//! Each look runs as a task of its own, so that a dead issuer delays no other.

use std::sync::Arc;
use std::time::Duration;

use everleaf_core::conditions::{self, Condition};
use everleaf_core::failure::Failure;
use everleaf_core::plan::Event;
use everleaf_core::retry::Jitter;
use everleaf_issuers::{Issuer, IssuerIdentity};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::context::Context;
use crate::ids::{IssuerId, Key};
use crate::lanes::Lane;
use crate::records::{IssuerRecord, Readiness};
use crate::surroundings::KubeSurroundings;
use crate::{status, write};

/// Waits between looks at one that doesn't, in seconds; the last value stays.
const LOOK_AGAIN: [u64; 4] = [2, 5, 10, 20];
/// A look takes at most this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// A pass that could not write follows after this long.
const RETRY: Duration = Duration::from_secs(2);

/// Starts looks as they are due, until the process stops.
pub async fn work(context: Arc<Context>) {
    loop {
        let id = tokio::select! {
            biased;
            () = context.stop.cancelled() => return,
            id = context.issuers.pop() => id,
        };
        let task = {
            let context = context.clone();
            async move {
                tokio::select! {
                    biased;
                    () = context.stop.cancelled() => {}
                    () = pass(&context, &id) => {}
                }
                context.issuers.done(&id);
            }
        };
        context.tasks.spawn(task);
    }
}

async fn pass(context: &Arc<Context>, id: &IssuerId) {
    let record = context.world.look().issuer(id).cloned();
    let Some(record) = record else {
        context.lanes.close(id);
        return;
    };
    let lane = context.lanes.lane(id, context);
    let issuer = match made(context, &lane, &record) {
        Ok(issuer) => issuer,
        Err(condition) => {
            publish(context, &record, condition).await;
            return;
        }
    };
    look(context, &record, &lane, &issuer).await;
}

/// The issuer of this spec: the one in the lane, or a new one if the spec has changed.
fn made(context: &Arc<Context>, lane: &Lane, record: &IssuerRecord) -> Result<Arc<Issuer>, Condition> {
    if let Some(why) = &record.invalid {
        return Err(refused(context, lane, record.kind.trouble_reason(), why));
    }
    let identity = IssuerIdentity {
        kind: record.id.kind().to_owned(),
        namespace: record.id.namespace().map(str::to_owned),
        name: record.id.name().to_owned(),
        uid: record.uid.clone(),
        generation: record.generation,
    };
    let present = lane.issuer();
    if let Some(present) = present.as_ref().filter(|present| *present.identity() == identity) {
        return Ok(present.clone());
    }
    let namespace = record.id.namespace().unwrap_or(&context.behaviour.cluster_resource_namespace);
    let surroundings = Arc::new(KubeSurroundings::new(context.client.clone(), namespace));
    match Issuer::from_spec_with(identity, &record.spec, surroundings, &context.common) {
        Ok(issuer) => {
            let issuer = Arc::new(issuer);
            let changed = present.is_some().then(|| context.clock.now());
            lane.take_issuer(issuer.clone(), changed);
            wake_waiting(context, &record.id);
            info!(issuer = %record.id, generation = record.generation, "took over an issuer's spec");
            Ok(issuer)
        }
        Err(error) => Err(refused(context, lane, error.reason, &error.message)),
    }
}

/// A spec that can't be used: those that wait are told so.
fn refused(context: &Context, lane: &Lane, reason: &str, why: &str) -> Condition {
    if lane.refuse(why) {
        wake_waiting(context, &lane.id);
    }
    Condition::no(reason, why)
}

/// Whoever waits for this issuer, or was refused by it, looks again.
fn wake_waiting(context: &Context, id: &IssuerId) {
    let (requests, certificates) = {
        let state = context.world.look();
        (
            state.requests_to(id).cloned().collect::<Vec<_>>(),
            state.certificates_of(id).cloned().collect::<Vec<_>>(),
        )
    };
    requests.into_iter().for_each(|key| context.requests.push(key));
    certificates.into_iter().for_each(|key| context.certificates.push(key));
}

async fn look(context: &Arc<Context>, record: &IssuerRecord, lane: &Lane, issuer: &Issuer) {
    // While its lane has a probe running, that is the best knowledge there is; a look beside it would only add load.
    if let Some(trouble) = lane.trouble()
        && lane.waiting() > 0
    {
        tell_trouble(context, record, lane, &trouble.failure).await;
        return again(context, record, 1);
    }
    // One that has just signed needs no look.
    let worked_lately = lane.idle_for().is_some_and(|idle| idle < context.common.idle_look);
    let answer = if worked_lately && record.ready == Readiness::True {
        None
    } else {
        Some(tokio::time::timeout(PATIENCE, issuer.check(context.clock.now())).await)
    };
    match answer {
        None => again(context, record, 0),
        Some(Ok(Ok(verified))) => {
            context.looks.forget(&record.id);
            publish(context, record, Condition::yes(verified.reason, verified.message)).await;
            again(context, record, 0);
        }
        Some(Ok(Err(failure))) => sick(context, record, lane, &failure).await,
        Some(Err(_)) => {
            debug!(issuer = %record.id, "a look at an issuer took too long");
            again(context, record, 1);
        }
    }
}

/// One failure turns an issuer that was Ready not Ready only when the second look fails too: a flapping Ready breaks deployments.
async fn sick(context: &Arc<Context>, record: &IssuerRecord, lane: &Lane, failure: &Failure) {
    let failures = context.looks.count(&record.id);
    warn!(issuer = %record.id, class = %failure.class, code = failure.code, says = %failure.says, failures, "an issuer does not work");
    // A Ready that tells of an earlier spec is no promise for this one.
    if record.ready != Readiness::True
        || !record.is_told()
        || failures >= everleaf_core::pace::SICK_AFTER_FAILURES
        || lane.trouble().is_some()
    {
        tell_trouble(context, record, lane, failure).await;
    }
    again(context, record, failures);
}

/// Tells the trouble, unless the same has been told already in other words (a balancer answers 502, 503 and 504 by turns).
async fn tell_trouble(context: &Arc<Context>, record: &IssuerRecord, lane: &Lane, failure: &Failure) {
    let is_told = record.ready == Readiness::False && !lane.is_news(failure);
    if !is_told && publish(context, record, told(record, failure)).await {
        lane.note_trouble_told(failure);
    }
}

fn told(record: &IssuerRecord, failure: &Failure) -> Condition {
    let reason = record.kind.reason_of(failure.code);
    let message = format!(
        "{} ({} failed: {}). {}",
        failure.class,
        failure.call.as_str(),
        failure.says,
        conditions::who_acts(failure)
    );
    Condition::no(reason, message)
}

fn again(context: &Context, record: &IssuerRecord, failures: u32) {
    let base = match usize::try_from(failures).ok().filter(|failures| *failures > 0) {
        None => context.common.idle_look,
        Some(failures) => {
            Duration::from_secs(LOOK_AGAIN.get(failures - 1).or(LOOK_AGAIN.last()).copied().unwrap_or(20))
        }
    };
    let jitter = Jitter::of(&record.uid, failures).value();
    context.issuers.push_at(record.id.clone(), Instant::now() + base / 2 + (base / 2).mul_f64(jitter));
}

/// Writes the Ready condition where it says anything new. False: it could not be written, and is tried again soon.
async fn publish(context: &Arc<Context>, record: &IssuerRecord, condition: Condition) -> bool {
    let keeps = match record.id {
        IssuerId::Issuer(_) => context.behaviour.controllers.issuers(),
        IssuerId::ClusterIssuer(_) => context.behaviour.controllers.cluster_issuers(),
    };
    let Some(new) = status::issuer(record, &condition, context.clock.now()).filter(|_| keeps) else {
        return true;
    };
    let (resource, key) = match &record.id {
        IssuerId::Issuer(key) => (write::ISSUERS, key.clone()),
        IssuerId::ClusterIssuer(name) => (write::CLUSTER_ISSUERS, Key::new("", name)),
    };
    match write::status(&context.client, resource, &key, &record.resource_version, &new).await {
        Ok(_) if condition.holds => info!(issuer = %record.id, "the issuer is ready"),
        Ok(_) => {
            context.reporter.tell(
                &record.about(),
                "issuers",
                &Event::warning(condition.reason, condition.message),
            );
        }
        Err(error) => {
            debug!(issuer = %record.id, %error, "could not tell an issuer's state yet");
            context.issuers.push_at(record.id.clone(), Instant::now() + RETRY);
            return false;
        }
    }
    true
}

/// A Secret appeared, changed or went: the issuers that read it forget what they read, and what waits for them may try again.
pub fn secret_changed(context: &Arc<Context>, secret: &Key) {
    for lane in context.lanes.all() {
        let namespace = lane.id.namespace().unwrap_or(&context.behaviour.cluster_resource_namespace);
        let Some(issuer) = lane.issuer().filter(|_| namespace == secret.namespace) else { continue };
        if issuer.refers_to(&secret.name) {
            info!(issuer = %lane.id, secret = %secret, "a Secret of an issuer changed");
            issuer.secret_changed(&secret.name);
            lane.credentials_changed(context.clock.now());
            context.issuers.push(lane.id.clone());
            wake_waiting(context, &lane.id);
        }
    }
}
