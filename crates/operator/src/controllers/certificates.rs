//! One pass over a Certificate: gather, decide, apply. An error means that this pass could not be finished.

use std::sync::Arc;
use std::time::Duration;

use everleaf_core::conditions::Condition;
use everleaf_core::decide::{Policy, decide};
use everleaf_core::hindered::{Hindrance, PASSWORD_NOT_FOUND, hindered};
use everleaf_core::plan::{Event, StatusWish};
use everleaf_core::retry::Jitter;
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::apply::{self, ApplyError};
use crate::context::Context;
use crate::gather::{Gathered, Gathering, gather};
use crate::ids::{IssuerId, Key};
use crate::records::CertificateRecord;
use crate::world::EXPECT_FOR;

/// Waits after passes that could not be finished, in milliseconds; the last value stays.
const RETRIES: [u64; 6] = [200, 1_000, 2_000, 5_000, 10_000, 30_000];

/// Works on Certificates until the process stops.
pub async fn work(context: Arc<Context>) {
    loop {
        let key = tokio::select! {
            biased;
            () = context.stop.cancelled() => return,
            key = context.certificates.pop() => key,
        };
        let result = pass(&context, &key).await;
        context.metrics.pass("certificates", matches!(&result, Err(error) if !is_conflict(error)));
        context.certificates.done(&key);
        if let Err(error) = result {
            tell_once(&context, &key, &error);
            retry(&context, key, &error);
        } else {
            context.retries.forget(&key);
        }
    }
}

/// What only a person can clear out of the way is told as an event, the first time.
fn tell_once(context: &Context, key: &Key, error: &ApplyError) {
    let needs_a_person = matches!(error, ApplyError::Occupied(_) | ApplyError::RequestOccupied(_));
    if !needs_a_person || context.retries.has_failed(key) {
        return;
    }
    let record = context.world.look().certificate(key).cloned();
    if let Some(record) = record {
        let event = Event::warning("NameTaken", error.to_string());
        context.reporter.tell(&record.about(), "certificates-issuing", &event);
    }
}

fn retry(context: &Context, key: Key, error: &ApplyError) {
    let failures = context.retries.count(&key);
    let rung = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    let base = Duration::from_millis(RETRIES.get(rung).or(RETRIES.last()).copied().unwrap_or(1_000));
    let jitter = Jitter::of(&key.name, failures).value();
    let wait = base / 2 + (base / 2).mul_f64(jitter);
    if is_conflict(error) {
        debug!(certificate = %key, "a pass met a conflict, it follows again");
    } else {
        warn!(certificate = %key, %error, wait = ?wait, "a pass could not be finished, it follows again");
    }
    context.certificates.push_at(key, Instant::now() + wait);
}

/// Somebody else wrote first: the watch shows it and the next pass decides anew.
fn is_conflict(error: &ApplyError) -> bool {
    matches!(error, ApplyError::Api(kube::Error::Api(status)) if status.code == 409)
}

async fn pass(context: &Context, key: &Key) -> Result<(), ApplyError> {
    match gather(context, key).await? {
        Gathered::Gone => Ok(()),
        // The watch wakes it; should it never show what we wait for, it goes on without.
        Gathered::Behind => {
            context.certificates.push_at(key.clone(), Instant::now() + EXPECT_FOR);
            Ok(())
        }
        Gathered::Invalid(record, why) => tell_invalid(context, &record, &why).await,
        Gathered::All(gathering) => carry_on(context, key, &gathering).await,
    }
}

async fn carry_on(context: &Context, key: &Key, gathering: &Gathering) -> Result<(), ApplyError> {
    let now = context.clock.now();
    let issuer = IssuerId::of(&gathering.wanted.issuer, &key.namespace);
    let issuer_changed = issuer.and_then(|id| context.lanes.changed_at(&id));
    let policy = Policy {
        cadence: context.behaviour.cadence,
        issuer_changed,
        owner_references: context.behaviour.owner_references,
    };
    let plan = decide(&gathering.wanted, &gathering.seen, policy, now);
    let mut wake = plan.wake;
    match apply::apply(context, gathering, plan).await {
        Err(ApplyError::Password(message)) => {
            let why = Hindrance { reason: PASSWORD_NOT_FOUND, message };
            let plan = hindered(&gathering.wanted, &gathering.seen, policy, now, &why);
            wake = plan.wake;
            apply::apply(context, gathering, plan).await?;
        }
        Err(ApplyError::Csr(error)) => {
            tell_invalid(context, &gathering.record, &error.to_string()).await?;
        }
        other => other?,
    }
    if let Some(at) = wake {
        context.certificates.push_at(key.clone(), instant(at, now));
    }
    Ok(())
}

/// The moment of a date, on tokio's clock. A date long gone is now.
fn instant(at: Timestamp, now: Timestamp) -> Instant {
    /// Far dates are looked at again at least this often, so that a clock set wrong for a while does no lasting harm.
    const LOOK_AGAIN: Duration = Duration::from_secs(6 * 3600);
    let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
    Instant::now() + wait.min(LOOK_AGAIN)
}

/// A spec that can't be parsed: nothing is written but the reason.
async fn tell_invalid(context: &Context, record: &CertificateRecord, why: &str) -> Result<(), ApplyError> {
    let status = &record.status;
    let wish = StatusWish {
        ready: Condition::no("InvalidSpec", why),
        issuing: status
            .issuing
            .as_ref()
            .map(|(condition, _)| condition.clone())
            .filter(|condition| !condition.holds),
        leaf: record.leaf_times(),
        revision: status.revision,
        last_failure: status.last_failure,
        failed_attempts: status.failed_attempts,
        next_key_name: status.next_key_name.clone(),
    };
    Ok(apply::publish(context, record, &wish).await?)
}
