//! One attempt to get one request signed: ask, look at the answer, record it. The record is written by `publish.rs`.
//! It never marks a request failed without a `Refusal`.

use std::sync::Arc;
use std::time::Duration;

use everleaf_core::checked::{Checked, Flaw};
use everleaf_core::conditions::NextTry;
use everleaf_core::failure::{Blame, Call, Class, Failure, Finality, Outcome, Refusal, Says, Sighting};
use everleaf_core::retry;
use everleaf_core::x509::{Csr, PrivateKey};
use everleaf_issuers::{Answered, Issuer, Order};
use tracing::{info, warn};

use super::job::{Job, Told};
use super::lane::{Lane, Start, is_issuers_fault};
use super::publish;
use crate::context::Context;
use crate::records::RequestRecord;

/// An answer that isn't there by now is told about.
const SLOW: Duration = Duration::from_secs(2);

pub(super) async fn run(lane: Arc<Lane>, context: Arc<Context>, start: Start) {
    let Start { job, issuer, is_probe } = start;
    let record = context.world.look().request(&job.request).cloned();
    let Some(record) = record.filter(|record| record.uid == job.uid && record.is_open()) else {
        lane.given_back();
        lane.finish(&job.request);
        return;
    };
    let csr = match record.csr() {
        Ok(csr) => csr,
        Err(why) => {
            lane.given_back();
            let failure = unreadable(&why);
            return end_at_once(&lane, &context, &record, &job, failure).await;
        }
    };
    let attempt = Attempt { lane: &lane, context: &context, record: &record, job, issuer: &issuer };
    tokio::select! {
        () = attempt.carry_out(&csr, is_probe) => {}
        () = context.stop.cancelled() => lane.given_back(),
    }
}

struct Attempt<'a> {
    lane: &'a Arc<Lane>,
    context: &'a Arc<Context>,
    record: &'a RequestRecord,
    job: Job,
    issuer: &'a Issuer,
}

impl Attempt<'_> {
    async fn carry_out(self, csr: &Csr, is_probe: bool) {
        if is_probe && let Err(failure) = self.issuer.health().await {
            return self.issuer_failed(failure).await;
        }
        let key = match self.key_if_needed().await {
            Ok(key) => key,
            Err(failure) => {
                self.lane.given_back();
                return self.retry(failure, None).await;
            }
        };
        let answer = self.ask(csr, key.as_deref(), is_probe).await;
        match answer.outcome.clone() {
            Outcome::Issued(chain) => {
                let checked = Checked::new(chain, csr.public_key(), csr.sans(), self.context.clock.now());
                match checked {
                    Ok(checked) => self.signed(&checked).await,
                    Err(flaw) => self.issuer_failed(flawed(&flaw)).await,
                }
            }
            Outcome::Pending { poll_after } => {
                self.lane.works();
                self.lane.put_back(self.job, poll_after);
            }
            Outcome::Failed(failure) if is_issuers_fault(&failure) => self.issuer_failed(failure).await,
            Outcome::Failed(failure) => self.refused(failure, &answer).await,
        }
    }

    /// The sign call; when the answer is slow, that is told meanwhile.
    async fn ask(&self, csr: &Csr, key: Option<&PrivateKey>, is_probe: bool) -> Answered {
        let order = Order {
            csr_pem: &self.record.csr_pem,
            csr,
            duration: self.record.duration,
            is_ca: self.record.is_ca,
            usages: &self.record.usages,
            key,
            is_probe,
        };
        let sign = self.issuer.sign(&order, self.context.clock.now());
        tokio::pin!(sign);
        tokio::select! {
            answer = &mut sign => return answer,
            () = tokio::time::sleep(SLOW) => {}
        }
        if self.job.told.is_none() {
            let message =
                format!("Waiting for the answer of {}. Next try follows if there is none.", self.lane.id);
            let told = Told { cause: None, rung: 0, at: self.lane.moment() };
            let (answer, ()) = tokio::join!(sign, self.tell(message, told));
            return answer;
        }
        sign.await
    }

    async fn signed(&self, checked: &Checked) {
        if self.lane.works() {
            info!(issuer = %self.lane.id, "the issuer works again");
            self.context.issuers.push(self.lane.id.clone());
        }
        self.context.metrics.attempt(&self.lane.id, "Signed", "Signed");
        publish::issued(self.context, &self.job, checked).await;
        self.lane.finish(&self.job.request);
    }

    async fn issuer_failed(self, failure: Failure) {
        let cap = retry::cap(everleaf_core::renewal::life_left(self.job.ends, self.context.clock.now()));
        if self.lane.failed(&failure, cap, self.context.clock.now()) {
            warn!(issuer = %self.lane.id, class = %failure.class, code = failure.code, says = %failure.says, "the issuer does not work, one probe stands for all");
            self.context.tasks.spawn(publish::tell_the_line(
                self.lane.clone(),
                self.context.clone(),
                failure.clone(),
            ));
        }
        self.context.issuers.push(self.lane.id.clone());
        self.retry(failure, None).await;
    }

    /// The issuer says that this request can't be signed: believed only with proof.
    async fn refused(self, failure: Failure, answer: &Answered) {
        self.lane.works();
        if failure.finality == Finality::AtOnce {
            return end_at_once(self.lane, self.context, self.record, &self.job, failure).await;
        }
        let sighting = answer.connection.map(|connection| Sighting {
            failure: failure.clone(),
            at: self.context.clock.now(),
            connection,
            token: answer.token,
        });
        if let (Some(first), Some(second), Some(write)) = (&self.job.sighting, &sighting, answer.write_before)
            && let Some(refusal) = Refusal::proved(first, write, second)
        {
            self.context.metrics.attempt(&self.lane.id, failure.class.as_str(), failure.code);
            publish::refused(self.context, &self.job, &refusal).await;
            return self.lane.finish(&self.job.request);
        }
        self.retry(failure, sighting).await;
    }

    async fn retry(mut self, failure: Failure, sighting: Option<Sighting>) {
        self.context.metrics.attempt(&self.lane.id, failure.class.as_str(), failure.code);
        self.job.attempts = self.job.attempts.saturating_add(1);
        // The first sighting stays the first, as long as the same is said.
        let same = self.job.sighting.as_ref().zip(sighting.as_ref());
        let keeps =
            same.is_some_and(|(old, new)| old.failure == new.failure && old.connection == new.connection);
        if !keeps {
            self.job.sighting = sighting;
        }
        let now = self.context.clock.now();
        let wait = self.lane.back_off(&self.job, &failure, now);
        info!(
            request = %self.job.request, issuer = %self.lane.id, class = %failure.class, code = failure.code,
            says = %failure.says, attempt = self.job.attempts, wait = ?wait, "attempt failed"
        );
        let broken = self.lane.is_broken();
        let rung = if broken { 0 } else { self.job.attempts };
        let told = self.job.telling(&failure, rung, self.lane.moment());
        if publish::is_news(self.job.told.as_ref(), &told) {
            let next = match now.checked_add(wait) {
                Ok(at) if !broken => NextTry::By(at),
                _ => NextTry::WithTheIssuer,
            };
            let message = everleaf_core::conditions::waiting(&failure, next);
            self.tell(message, told.clone()).await;
            self.job.told = Some(told);
        }
        self.lane.put_back(self.job, wait);
    }

    async fn tell(&self, message: String, told: Told) {
        publish::pending(self.context, &self.job.request, &self.job.uid, self.job.approve, message).await;
        self.lane.note_told(&self.job.request, told);
    }

    /// A SelfSigned issuer signs with the request's own key.
    async fn key_if_needed(&self) -> Result<Option<Arc<PrivateKey>>, Failure> {
        if !matches!(self.issuer, Issuer::SelfSigned(_)) {
            return Ok(None);
        }
        crate::held::key_of_request(self.context, self.record).await.map(Some)
    }
}

/// What we see ourselves needs no second look.
async fn end_at_once(
    lane: &Lane,
    context: &Arc<Context>,
    record: &RequestRecord,
    job: &Job,
    failure: Failure,
) {
    context.metrics.attempt(&lane.id, failure.class.as_str(), failure.code);
    if let Some(refusal) = Refusal::evident(failure) {
        warn!(request = %record.key(), says = %refusal.failure().says, "the request can't be signed");
        publish::refused(context, job, &refusal).await;
    }
    lane.finish(&job.request);
}

fn unreadable(why: &str) -> Failure {
    Failure {
        class: Class::Request,
        call: Call::Sign,
        code: "UnreadableCsr",
        says: Says::new(why),
        retry_after: None,
        blame: Blame::Request,
        finality: Finality::AtOnce,
    }
}

/// A signed answer that must not be stored: the issuer's fault, whoever made it so.
fn flawed(flaw: &Flaw) -> Failure {
    Failure {
        class: Class::Issuer,
        call: Call::Sign,
        code: match flaw {
            Flaw::OtherKey => "OtherKey",
            Flaw::Expired(_) | Flaw::NoLife { .. } => "DeadCertificate",
            Flaw::LacksNames(_) => "LacksNames",
            Flaw::BrokenChain(_) => "BrokenChain",
        },
        says: Says::new(&flaw.to_string()),
        retry_after: None,
        blame: Blame::Issuer,
        finality: Finality::Never,
    }
}
