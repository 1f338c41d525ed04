//! Writes what a lane has to tell: certificates, refusals, and the state of those that wait.
//! A certificate for a request that was denied meanwhile, or that asks for something else now, is dropped, never forced.

use std::sync::Arc;
use std::time::Duration;

use everleaf_core::checked::Checked;
use everleaf_core::conditions::{self, Condition, NextTry, request_reason};
use everleaf_core::failure::Refusal;
use futures::StreamExt;
use tracing::{info, warn};

use super::job::{Job, Told};
use super::lane::Lane;
use crate::context::Context;
use crate::ids::Key;
use crate::status::RequestChange;
use crate::world::Kind;
use crate::{status, write};

/// A signed certificate is held for this long while the API can't be written; then it is signed anew.
const HOLD: Duration = Duration::from_secs(300);
/// Waits between tries to write it.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LAST_WAIT: Duration = Duration::from_secs(10);
/// Requests told about at once when an issuer breaks.
const TELL_AT_ONCE: usize = 8;
/// So often news is told at once; after that, at most every [`TELL_AGAIN`]: an outage of an hour costs a waiting request a dozen writes.
pub(super) const TOLD_FREELY: u32 = 4;
const TELL_AGAIN: Duration = Duration::from_secs(300);
/// Who waits in the line of an issuer that broke is told after this long: an outage that is over by then costs no writes.
const BEFORE_TELLING: Duration = Duration::from_secs(2);

/// Whether there is anything new to tell: another cause, or another rung.
pub(super) fn is_news(old: Option<&Told>, new: &Told) -> bool {
    let Some(old) = old else { return true };
    let differs =
        old.cause != new.cause || old.rung != new.rung || (new.rung.is_some() && old.times < TOLD_FREELY);
    differs && (old.times < TOLD_FREELY || new.at.since(old.at) >= TELL_AGAIN)
}

/// Publishes a certificate: approval (where it is ours), Ready and the certificate in one write.
pub(super) async fn issued(context: &Context, job: &Job, csr_pem: &str, checked: &Checked) {
    let change = RequestChange {
        approve: job.approve,
        ready: Some(Condition::yes(request_reason::ISSUED, "Certificate fetched from issuer successfully")),
        certificate: Some((checked.chain().to_pem(), checked.chain().ca_pem())),
        ended: false,
        answers: Some(csr_pem.to_owned()),
    };
    write_until_taken(context, &job.request, &job.uid, &change).await;
}

/// Ends a request by a proved refusal.
pub(super) async fn refused(context: &Context, job: &Job, refusal: &Refusal) {
    let ready = Condition::no(request_reason::FAILED, conditions::refused(refusal));
    let change = RequestChange {
        approve: job.approve,
        ready: Some(ready),
        certificate: None,
        ended: true,
        answers: None,
    };
    write_until_taken(context, &job.request, &job.uid, &change).await;
}

/// Publishes why a request waits.
pub(super) async fn pending(context: &Context, request: &Key, uid: &str, approve: bool, message: String) {
    let ready = Condition::no(request_reason::PENDING, message);
    let change =
        RequestChange { approve, ready: Some(ready), certificate: None, ended: false, answers: None };
    if let Err(error) = try_write(context, request, uid, &change).await {
        info!(%request, %error, "could not tell why a request waits");
    }
}

/// Tells everyone in the line of a broken issuer what they wait for, newcomers included.
pub(super) async fn tell_the_line(lane: Arc<Lane>, context: Arc<Context>) {
    tokio::select! {
        () = tokio::time::sleep(BEFORE_TELLING) => {}
        () = context.stop.cancelled() => return,
    }
    while let Some((failure, untold)) = lane.take_untold(TELL_AT_ONCE) {
        let message = conditions::waiting(&failure, NextTry::WithTheIssuer);
        let told = Told::of(&failure, None, lane.moment());
        futures::stream::iter(untold)
            .for_each_concurrent(TELL_AT_ONCE, |mut job| {
                let (lane, context, told, message) = (&lane, &context, told.clone(), message.clone());
                async move {
                    pending(context, &job.request, &job.uid, job.approve, message).await;
                    job.told = Some(told.after(job.told.as_ref()));
                    lane.put_back_told(job);
                }
            })
            .await;
    }
}

async fn write_until_taken(context: &Context, request: &Key, uid: &str, change: &RequestChange) {
    let started = tokio::time::Instant::now();
    let mut wait = FIRST_WAIT;
    loop {
        match try_write(context, request, uid, change).await {
            Ok(()) => return,
            // Gone, or nothing that can be written; a conflict is none of these: what has changed is looked at anew before the next try, and
            // an answer that was dropped for it would be asked for a second time.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 422) => {
                warn!(%request, code = status.code, says = %status.message, "dropped an answer: the request has changed");
                context.requests.push_at(request.clone(), tokio::time::Instant::now() + FIRST_WAIT);
                return;
            }
            Err(error) if started.elapsed() > HOLD => {
                warn!(%request, %error, "dropped an answer: the API could not be written for too long");
                context.requests.push(request.clone());
                return;
            }
            Err(error) => warn!(%request, %error, wait = ?wait, "could not publish an answer yet"),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LAST_WAIT);
    }
}

async fn try_write(context: &Context, request: &Key, uid: &str, change: &RequestChange) -> kube::Result<()> {
    let record = context.world.look().request(request).cloned();
    // Gone, replaced or ended meanwhile: nothing to say any more.
    let record = record.filter(|record| record.uid == uid && record.is_open());
    let record = record.filter(|record| change.answers.as_ref().is_none_or(|csr| *csr == record.csr_pem));
    let Some(record) = record else { return Ok(()) };
    let Some(new) = status::request(&record, change, context.clock.now()) else { return Ok(()) };
    let version = context.world.newest_version(Kind::Request, request, &record.resource_version);
    let written = write::status(&context.client, write::REQUESTS, request, &version, &new).await?;
    context.world.changed(Kind::Request, request, Some(&written));
    Ok(())
}
