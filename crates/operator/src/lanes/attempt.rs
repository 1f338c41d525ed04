//! One attempt to get one request signed: ask, look at the answer, record it. The record is written by `publish.rs`.
//! It never marks a request failed without a `Refusal`.

use std::sync::Arc;
use std::time::Duration;

use everleaf_core::checked::{Checked, Flaw};
use everleaf_core::conditions::NextTry;
use everleaf_core::failure::{Blame, Call, Class, Failure, Finality, Outcome, Refusal, Says, Sighting};
use everleaf_core::pace::Ticket;
use everleaf_core::retry::{self, Jitter};
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
    let Start { job, issuer, ticket } = start;
    let record = context.world.look().request(&job.request).cloned();
    let Some(record) = record.filter(|record| record.uid == job.uid && record.is_open()) else {
        lane.given_back(ticket);
        return lane.finish(&job);
    };
    let csr = match record.sound_csr() {
        Ok(csr) => csr,
        Err(why) => {
            lane.given_back(ticket);
            let failure = unsound(&why);
            return end_at_once(&lane, &context, &record, &job, failure).await;
        }
    };
    let attempt = Attempt { lane: &lane, context: &context, record: &record, job, issuer: &issuer, ticket };
    tokio::select! {
        biased;
        () = context.stop.cancelled() => {}
        () = attempt.carry_out(&csr) => {}
    }
}

struct Attempt<'a> {
    lane: &'a Arc<Lane>,
    context: &'a Arc<Context>,
    record: &'a RequestRecord,
    job: Job,
    issuer: &'a Issuer,
    ticket: Ticket,
}

impl Attempt<'_> {
    async fn carry_out(self, csr: &Csr) {
        if self.asks_for_health()
            && let Err(failure) = self.issuer.health().await
        {
            return self.issuer_failed(failure).await;
        }
        let key = match self.key_if_needed(csr).await {
            Ok(key) => key,
            Err(failure) => {
                self.lane.given_back(self.ticket);
                return match failure.finality {
                    Finality::AtOnce => {
                        end_at_once(self.lane, self.context, self.record, &self.job, failure).await
                    }
                    Finality::WhenProved | Finality::Never => self.retry(failure, None).await,
                };
            }
        };
        let answer = self.ask(csr, key.as_deref()).await;
        match answer.outcome.clone() {
            Outcome::Issued(chain) => {
                let checked = Checked::new(chain, csr.public_key(), csr.sans(), self.context.clock.now());
                match checked {
                    Ok(checked) => self.signed(&checked).await,
                    Err(flaw) => self.issuer_failed(flawed(&flaw)).await,
                }
            }
            Outcome::Pending { poll_after } => {
                self.lane.works(self.ticket);
                self.lane.put_back(self.job, poll_after);
            }
            Outcome::Failed(failure) if is_issuers_fault(&failure) => self.issuer_failed(failure).await,
            Outcome::Failed(failure) => self.refused(failure, &answer).await,
        }
    }

    /// A probe asks for the server's health first, which spares a sick server a sign call. But health proves nothing, and something in
    /// between may refuse it for ever: each third probe does without.
    fn asks_for_health(&self) -> bool {
        const WITHOUT: u32 = 3;
        self.ticket.probe().is_some_and(|number| number % WITHOUT != WITHOUT - 1)
    }

    /// The sign call; when the answer is slow, that is told meanwhile.
    async fn ask(&self, csr: &Csr, key: Option<&PrivateKey>) -> Answered {
        let order = Order {
            csr_pem: &self.record.csr_pem,
            csr,
            duration: self.record.duration,
            is_ca: self.record.is_ca,
            usages: &self.record.usages,
            key,
            is_probe: self.ticket.probe().is_some(),
        };
        let sign = self.issuer.sign(&order, self.context.clock.now());
        tokio::pin!(sign);
        tokio::select! {
            biased;
            answer = &mut sign => return answer,
            () = tokio::time::sleep(SLOW) => {}
        }
        if self.job.told.is_none() {
            let message =
                format!("Waiting for the answer of {}. Next try follows if there is none.", self.lane.id);
            let (answer, ()) = tokio::join!(sign, self.tell(message, Told::slow(self.lane.moment())));
            return answer;
        }
        sign.await
    }

    async fn signed(&self, checked: &Checked) {
        if self.lane.works(self.ticket) {
            info!(issuer = %self.lane.id, "the issuer works again");
            self.context.issuers.push(self.lane.id.clone());
        }
        self.context.metrics.attempt(&self.lane.id, "Signed", "Signed");
        let waited = self.context.clock.now().duration_since(self.record.created);
        self.context.metrics.issued(&self.lane.id, waited.try_into().unwrap_or_default());
        publish::issued(self.context, &self.job, &self.record.csr_pem, checked).await;
        self.lane.finish(&self.job);
    }

    async fn issuer_failed(self, failure: Failure) {
        if self.lane.failed(self.ticket, &failure, self.context.clock.now()) {
            warn!(issuer = %self.lane.id, class = %failure.class, code = failure.code, says = %failure.says, "the issuer does not work, one probe stands for all");
        }
        self.context.issuers.push(self.lane.id.clone());
        self.retry(failure, None).await;
    }

    /// The issuer says that this request can't be signed: believed only with proof.
    async fn refused(self, failure: Failure, answer: &Answered) {
        self.lane.works(self.ticket);
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
            return self.lane.finish(&self.job);
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
        let life = everleaf_core::renewal::life_left(self.job.ends, now);
        let jitter = Jitter::of(&self.job.uid, self.job.attempts);
        let wait = retry::next_delay(failure.class, self.job.attempts, life, failure.retry_after, jitter);
        info!(
            request = %self.job.request, issuer = %self.lane.id, class = %failure.class, code = failure.code,
            says = %failure.says, attempt = self.job.attempts, wait = ?wait, "attempt failed"
        );
        let rung = retry::base(failure.class, self.job.attempts).min(self.job.patience(now));
        let rung = (!self.lane.is_broken()).then_some(rung);
        let told = Told::of(&failure, rung, self.lane.moment()).after(self.job.told.as_ref());
        if self.is_to_be_told(&failure, &told) {
            let next = match (told.rung, now.checked_add(wait)) {
                (Some(_), Ok(at)) if told.times < publish::TOLD_FREELY => NextTry::By(at),
                (Some(rung), _) => NextTry::AtLeastEvery(rung),
                (None, _) => NextTry::WithTheIssuer,
            };
            self.tell(everleaf_core::conditions::waiting(&failure, next), told.clone()).await;
            self.job.told = Some(told);
        }
        self.lane.put_back(self.job, wait);
    }

    /// Who stands in the line of a broken issuer is told with the others, and what heals by itself within seconds isn't told at all.
    fn is_to_be_told(&self, failure: &Failure, new: &Told) -> bool {
        match (&self.job.told, new.rung) {
            (None, None) => false,
            (None, Some(_)) if failure.class == Class::Transient && self.job.attempts < 2 => false,
            (old, _) => publish::is_news(old.as_ref(), new),
        }
    }

    async fn tell(&self, message: String, told: Told) {
        publish::pending(self.context, &self.job.request, &self.job.uid, self.job.approve, message).await;
        self.lane.note_told(&self.job, told);
    }

    /// A SelfSigned issuer signs with the request's own key.
    async fn key_if_needed(&self, csr: &Csr) -> Result<Option<Arc<PrivateKey>>, Failure> {
        if !matches!(self.issuer, Issuer::SelfSigned(_)) {
            return Ok(None);
        }
        crate::held::key_of_request(self.context, self.record, csr).await.map(Some)
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
    lane.finish(job);
}

fn unsound(why: &str) -> Failure {
    Failure {
        class: Class::Request,
        call: Call::Sign,
        code: "UnsoundRequest",
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
            Flaw::TooLong { .. } => "ChainTooLong",
        },
        says: Says::new(&flaw.to_string()),
        retry_after: None,
        blame: Blame::Issuer,
        finality: Finality::Never,
    }
}
