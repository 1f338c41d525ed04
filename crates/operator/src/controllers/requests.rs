//! One pass over a CertificateRequest: look at it and its issuer, decide, and either write one status or put it into its issuer's lane.
//! Signing itself happens in the lane, so that a worker never waits for an issuer.

use std::sync::Arc;
use std::time::Duration;

use everleaf_core::conditions::{Condition, request_reason};
use everleaf_core::plan::Event;
use everleaf_core::request::{Approver, IssuerFacts, RequestStep, decide_request};
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::approver::FORBIDDEN_FOR;
use crate::context::Context;
use crate::ids::{IssuerId, Key};
use crate::lanes::Job;
use crate::records::{IssuerType, RequestRecord};
use crate::status::RequestChange;
use crate::world::{EXPECT_FOR, Kind};
use crate::{status, write};

/// A pass that could not be finished follows after this long.
const RETRY: Duration = Duration::from_secs(2);

/// Works on CertificateRequests until the process stops.
pub async fn work(context: Arc<Context>) {
    loop {
        let key = tokio::select! {
            biased;
            () = context.stop.cancelled() => return,
            key = context.requests.pop() => key,
        };
        let result = pass(&context, &key).await;
        let failed = matches!(&result, Err(error) if !is_conflict(error));
        context.metrics.pass("certificaterequests", failed);
        context.requests.done(&key);
        if let Err(error) = result {
            if failed {
                warn!(request = %key, %error, "a pass could not be finished, it follows again");
            }
            context.requests.push_at(key, Instant::now() + RETRY);
        }
    }
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

async fn pass(context: &Arc<Context>, key: &Key) -> kube::Result<()> {
    let record = {
        let state = context.world.look();
        match state.request(key) {
            Some(_) if state.is_behind(Kind::Request, key) => {
                context.requests.push_at(key.clone(), Instant::now() + EXPECT_FOR);
                return Ok(());
            }
            Some(record) if !record.deleting => record.clone(),
            _ => {
                drop(state);
                context.lanes.forget(key);
                return Ok(());
            }
        }
    };
    if !record.is_open() && !record.facts.denied {
        context.lanes.forget(key);
        return Ok(());
    }
    let issuer_id = IssuerId::of(&record.issuer, &key.namespace);
    let approver = context.approvals.ask(&record.issuer, &key.namespace).await;
    let issuer = issuer_facts(context, issuer_id.as_ref());
    let name = format!("{} \"{}\"", record.issuer.kind(), record.issuer.name);
    match decide_request(record.facts, approver, &issuer, &name) {
        RequestStep::Ignore => Ok(()),
        RequestStep::Approve => change(context, &record, RequestChange::approval()).await,
        RequestStep::TellDenied => {
            context.lanes.forget(key);
            tell_denied(context, &record).await
        }
        RequestStep::AwaitApproval(approver) => await_approval(context, &record, approver),
        RequestStep::TellPending { approve, reason, message } => {
            tell_pending(context, &record, approve, reason, &message).await
        }
        RequestStep::Sign { approve } => {
            if let Some(id) = issuer_id {
                submit(context, &record, &id, approve);
            }
            Ok(())
        }
    }
}

fn issuer_facts(context: &Context, id: Option<&IssuerId>) -> IssuerFacts {
    let Some(id) = id else { return IssuerFacts::UnknownKind };
    let unusable = context.lanes.open(id).and_then(|lane| lane.unusable());
    let state = context.world.look();
    let Some(record) = state.issuer(id) else { return IssuerFacts::Missing };
    match record.kind {
        IssuerType::None => IssuerFacts::NoType,
        kind if !context.behaviour.controllers.signs(kind) => IssuerFacts::NotOurs,
        _ => match unusable.or_else(|| record.invalid.clone()) {
            Some(why) => IssuerFacts::Unusable(why),
            None => IssuerFacts::Usable,
        },
    }
}

fn submit(context: &Arc<Context>, record: &RequestRecord, id: &IssuerId, approve: bool) {
    let ends = {
        let state = context.world.look();
        let owner = record.owner_name.as_ref().map(|name| Key::new(&record.namespace, name));
        owner.and_then(|owner| state.certificate(&owner)?.leaf_times()).map(|times| times.not_after)
    };
    let job = Job::new(record.key(), record.uid.clone(), approve, ends, record.created);
    context.lanes.lane(id, context).submit(job, context.clock.now());
}

/// Nobody has approved yet. When our own right is what's missing, it is asked for again after a while.
fn await_approval(context: &Context, record: &RequestRecord, approver: Approver) -> kube::Result<()> {
    debug!(request = %record.key(), ?approver, "waiting for approval");
    if approver == Approver::Forbidden {
        context.requests.push_at(record.key(), Instant::now() + FORBIDDEN_FOR);
    }
    Ok(())
}

async fn tell_denied(context: &Context, record: &RequestRecord) -> kube::Result<()> {
    let message = "The CertificateRequest was denied by an approval controller";
    let ready = Condition::no(request_reason::DENIED, message);
    change(context, record, RequestChange { ready: Some(ready), ended: true, ..RequestChange::default() })
        .await
}

async fn tell_pending(
    context: &Context,
    record: &RequestRecord,
    approve: bool,
    reason: &'static str,
    message: &str,
) -> kube::Result<()> {
    let was_pending = record.told.is_some();
    let ready = Condition::no(request_reason::PENDING, message);
    change(context, record, RequestChange { ready: Some(ready), approve, ..RequestChange::default() })
        .await?;
    if !was_pending {
        context.reporter.tell(&record.about(), "certificaterequests", &Event::normal(reason, message));
    }
    Ok(())
}

async fn change(context: &Context, record: &RequestRecord, change: RequestChange) -> kube::Result<()> {
    let Some(new) = status::request(record, &change, context.clock.now()) else { return Ok(()) };
    let key = record.key();
    let version =
        write::status(&context.client, write::REQUESTS, &key, &record.resource_version, &new).await?;
    context.world.changed(Kind::Request, &key, Some(&version));
    Ok(())
}
