//! The heart: from what is wanted and what is there to the one thing to do now. Read it from the top.
//! Pure. It never reads, never writes, never waits, and decides from what exists, never from which event came.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::checked::Checked;
use crate::conditions::{self, Condition, request_reason};
use crate::failure::Class;
use crate::next_key::{self, KeyChoice};
use crate::observed::{Claim, Ending, NextKey, Observed, RequestSeen, RequestState, SecretSeen};
use crate::plan::{Event, KeyOrigin, LeafTimes, Plan, StatusWish, Step};
use crate::reissue::{self, Evidence, Reason, Violation};
use crate::renewal::{life_left, renewal_time};
use crate::retry::{self, Cadence, Jitter};
use crate::wanted::Wanted;
use crate::x509::{Certificate, Chain};

/// How long an issuance that is answered in this process may take its turn before its story is published.
pub const PATIENCE: SignedDuration = SignedDuration::from_secs(30);
/// How often a Certificate looks whether the Secret that another one holds has become free.
const LOOK_FOR_FREE_SECRET: SignedDuration = SignedDuration::from_mins(3);

/// How this installation wants things done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// When a Certificate tries again after a proved refusal.
    pub cadence: Cadence,
    /// When the issuer or its credentials last changed in the API, as far as this process has seen.
    pub issuer_changed: Option<Timestamp>,
    /// Secrets are owned by their Certificate, so that they go with it.
    pub owner_references: bool,
}

/// What to do with one Certificate now.
pub fn decide(wanted: &Wanted, seen: &Observed, policy: Policy, now: Timestamp) -> Plan {
    let pass = Pass::new(wanted, seen, policy, now);
    if let Claim::HeldBy(other) = &seen.claim {
        return pass.leave_it_to(other);
    }
    if let Some(stray) = seen.strays.first() {
        return Plan::only(Step::DeleteRequest { name: stray.clone(), why: "no readable revision" });
    }
    if let Some(plan) = pass.tell_what_is_stored() {
        return plan;
    }
    match pass.reason_to_issue() {
        None => pass.at_rest(),
        Some(reason) => pass.issue(&reason),
    }
}

pub(crate) struct Pass<'a> {
    wanted: &'a Wanted,
    seen: &'a Observed,
    policy: Policy,
    now: Timestamp,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(wanted: &'a Wanted, seen: &'a Observed, policy: Policy, now: Timestamp) -> Pass<'a> {
        Pass { wanted, seen, policy, now }
    }
}

impl Pass<'_> {
    fn evidence(&self) -> Evidence<'_> {
        Evidence {
            wanted: self.wanted,
            me: &self.seen.me,
            secret: self.seen.secret.as_deref(),
            current: self.seen.current.as_ref(),
            owned: self.policy.owner_references,
            now: self.now,
        }
    }

    /// A violated check, or an `Issuing=True` that stands already: by hand (`renew`), or ours from an earlier pass.
    pub(crate) fn reason_to_issue(&self) -> Option<Violation> {
        let violated = reissue::must_issue(&self.evidence());
        let standing = self.seen.status.issuing.as_ref().filter(|(condition, _)| condition.holds);
        violated.or_else(|| {
            standing.map(|(condition, _)| Violation {
                reason: reissue::Reason::Renewing,
                message: condition.message.clone(),
            })
        })
    }

    /// Nothing to issue: tidy up, keep the Secret's dress right, publish, and sleep until the next date.
    fn at_rest(&self) -> Plan {
        if let Some(left) = self.seen.stored_keys.first() {
            return Plan::only(Step::DeleteKey { secret_name: left.clone(), why: "no issuance is running" });
        }
        let mut status = self.status();
        status.next_key_name = None;
        let step = match crate::refresh::stale(&self.evidence()) {
            Some(why) => Step::Refresh { why },
            None => self.tidy_requests(&status).unwrap_or(Step::Rest),
        };
        Plan { step, status: Some(status), event: None, wake: self.next_date() }
    }

    /// The request of an issuance that is wanted no longer goes, and of the finished ones the oldest beyond the limit; never that of the
    /// certificate in use.
    fn tidy_requests(&self, status: &StatusWish) -> Option<Step> {
        if !status.ready.holds {
            return None;
        }
        if let Some(left) = self.seen.next.first() {
            return Some(Step::DeleteRequest { name: left.name.clone(), why: "no issuance is running" });
        }
        let current = self.seen.current.as_ref().map(|current| &current.name);
        let over = self.seen.history.len() > self.wanted.revision_history_limit;
        let (_, oldest) = self.seen.history.iter().find(|(_, name)| over && Some(name) != current)?;
        let why = "more finished requests than revisionHistoryLimit";
        Some(Step::DeleteRequest { name: oldest.clone(), why })
    }

    fn issue(&self, reason: &Violation) -> Plan {
        let fitting = match self.sort_out_requests() {
            Err(plan) => return *plan,
            Ok(fitting) => fitting,
        };
        if let Some(until) = self.backing_off(fitting) {
            return self.wait_after_refusal(until);
        }
        match fitting {
            None => self.start(reason),
            Some(request) => self.follow(request, reason),
        }
    }

    /// Of the requests of the next revision at most one is left that fits the wish; what doesn't fit goes.
    fn sort_out_requests(&self) -> Result<Option<&RequestSeen>, Box<Plan>> {
        let delete = |request: &RequestSeen, why| {
            Box::new(Plan::only(Step::DeleteRequest { name: request.name.clone(), why }))
        };
        for request in &self.seen.next {
            if request.csr.is_err() {
                return Err(delete(request, "its CSR can't be read"));
            }
            if !reissue::request_differences(request, self.wanted).is_empty() {
                return Err(self
                    .forget_failure(request)
                    .unwrap_or_else(|| delete(request, "the spec has changed since")));
            }
        }
        match self.seen.next.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            [_, second, ..] => Err(delete(second, "another request of the same revision exists")),
        }
    }

    /// The failure of a request that the spec has outgrown is no reason to wait any more. That is recorded before the request goes,
    /// because afterwards nothing tells that the failure belongs to an older spec.
    fn forget_failure(&self, outgrown: &RequestSeen) -> Option<Box<Plan>> {
        let is_failure = matches!(outgrown.state, RequestState::Ended(_) | RequestState::Issued { .. });
        self.seen.status.last_failure.filter(|_| is_failure)?;
        let mut status = self.status();
        status.last_failure = None;
        Some(Box::new(Plan { step: Step::Rest, status: Some(status), event: None, wake: None }))
    }

    /// After a proved refusal (and after whatever ended the request of another's issuer) the Certificate tries again by the cadence,
    /// but at once when spec, issuer or credentials have changed, or by hand.
    fn backing_off(&self, fitting: Option<&RequestSeen>) -> Option<Timestamp> {
        let status = &self.seen.status;
        let failed = status.last_failure?;
        let changed_since = self.policy.issuer_changed.is_some_and(|at| at > failed);
        let answer = fitting.map(|request| self.answer(request));
        if status.is_issuing() || changed_since || matches!(answer, Some(Answer::Waits(_) | Answer::Sound(_)))
        {
            return None;
        }
        let attempts = status.failed_attempts.max(1);
        let jitter = Jitter::of(&self.seen.me.uid, attempts);
        let life = self.life_left_at(failed);
        let ending = match answer {
            Some(Answer::Ended(ending)) => Some(ending),
            _ => self.told_ending(failed),
        };
        let wait = match ending {
            Some(ending) if self.is_unproved(&ending) => {
                retry::next_delay(Class::Transient, attempts, life, None, jitter)
            }
            _ => self.policy.cadence.wait(attempts, life, jitter),
        };
        let until = failed.checked_add(wait).unwrap_or(Timestamp::MAX);
        (until > self.now).then_some(until)
    }

    /// How the last request ended, as status tells it: the request itself goes as soon as it is tried again, and what was no proof before
    /// is none afterwards.
    fn told_ending(&self, at: Timestamp) -> Option<Ending> {
        let (told, _) = self.seen.status.issuing.as_ref().filter(|(condition, _)| !condition.holds)?;
        Some(Ending { reason: told.reason.clone(), message: told.message.clone(), at })
    }

    /// What another controller called failed, or answered with a certificate that is of no use, is tried again in seconds: with a built-in
    /// issuer only our own words count as proof.
    fn is_unproved(&self, ending: &Ending) -> bool {
        let without_proof = [request_reason::FAILED, Reason::InvalidCertificate.as_str()];
        self.wanted.issuer.is_builtin()
            && without_proof.contains(&ending.reason.as_str())
            && !conditions::is_refusal(ending)
    }

    /// What became of a request. A certificate that can't be used is an end without one.
    fn answer<'r>(&self, request: &'r RequestSeen) -> Answer<'r> {
        let (chain, at) = match &request.state {
            RequestState::Waiting { told, .. } => return Answer::Waits(told.as_deref()),
            RequestState::Ended(ending) => return Answer::Ended(ending.clone()),
            RequestState::Issued { chain, at } => (chain, *at),
        };
        match self.checked(request, chain) {
            Ok(checked) => Answer::Sound(Box::new(checked)),
            Err(message) => {
                Answer::Ended(Ending { reason: Reason::InvalidCertificate.as_str().to_owned(), message, at })
            }
        }
    }

    fn checked(&self, request: &RequestSeen, chain: &Result<Chain, String>) -> Result<Checked, String> {
        let chain = chain.clone().map_err(|why| format!("The issued certificate can't be read: {why}"))?;
        let csr = request.csr.as_ref().map_err(Clone::clone)?;
        Checked::new(chain, csr.public_key(), csr.sans(), self.now)
            .map_err(|flaw| format!("The issued certificate is refused: {flaw}"))
    }

    fn life_left_at(&self, at: Timestamp) -> Option<Duration> {
        life_left(self.leaf_end(), at)
    }

    fn leaf_end(&self) -> Option<Timestamp> {
        Some(self.seen.secret.as_ref()?.certificate.read()?.not_after())
    }

    fn wait_after_refusal(&self, until: Timestamp) -> Plan {
        if let Some(left) = self.seen.stored_keys.first() {
            return Plan::only(Step::DeleteKey { secret_name: left.clone(), why: "the issuance has failed" });
        }
        let mut status = self.status();
        status.next_key_name = None;
        let wake = earliest(Some(until), self.next_date());
        Plan { step: Step::Rest, status: Some(status), event: None, wake }
    }

    /// No request yet: find the key, store it first if the request leaves our hands, then ask.
    fn start(&self, reason: &Violation) -> Plan {
        let revision = self.next_revision();
        let (origin, key_secret_name) = match next_key::choose(self.wanted, self.seen) {
            KeyChoice::Use(origin, name) => (origin, name),
            KeyChoice::Discard(secret_name, why) => return Plan::only(Step::DeleteKey { secret_name, why }),
            KeyChoice::Stuck => return self.stuck_with_old_key(reason),
        };
        let is_stored = matches!(self.seen.key, NextKey::Stored { .. });
        if self.seen.answered_here || is_stored {
            let status = is_stored.then(|| self.story(reason, None, Some(key_secret_name.clone())));
            let wake = self.now.checked_add(PATIENCE).ok();
            return Plan {
                step: Step::Request { origin, revision, key_secret_name },
                status,
                event: None,
                wake,
            };
        }
        let status = self.story(reason, None, Some(key_secret_name.clone()));
        Plan {
            event: self.announce(reason),
            step: Step::StoreKey { origin, secret_name: key_secret_name },
            status: Some(status),
            wake: None,
        }
    }

    /// The request stands: see how it was answered.
    fn follow(&self, request: &RequestSeen, reason: &Violation) -> Plan {
        let delete = |why| Plan::only(Step::DeleteRequest { name: request.name.clone(), why });
        let key = self.seen.key.facts();
        let same_key =
            key.zip(request.csr.as_ref().ok()).is_some_and(|(key, csr)| key.public == *csr.public_key());
        match self.answer(request) {
            Answer::Ended(ending) if self.is_told(&ending) => {
                delete("its end has been told, this is a new try")
            }
            Answer::Ended(ending) => self.fail(&ending),
            // A key that was only in memory died with an earlier process: the certificate would be of no use.
            _ if !same_key => delete("the key it was made with is gone"),
            Answer::Sound(checked) => self.store(request, checked),
            Answer::Waits(told) => self.wait_for(request, reason, told),
        }
    }

    /// A failure counts once: what is older than the last recorded failure, or than an `Issuing=True` set since, has been dealt with.
    fn is_told(&self, ending: &Ending) -> bool {
        let status = &self.seen.status;
        let recorded = status.last_failure.is_some_and(|at| ending.at <= at);
        // A denial is told whenever it carries whatever date: approvers stamp it themselves.
        let asked_anew = ending.reason == request_reason::FAILED
            && status
                .issuing
                .as_ref()
                .is_some_and(|(condition, since)| condition.holds && ending.at < *since);
        recorded || asked_anew
    }

    fn store(&self, request: &RequestSeen, checked: Box<Checked>) -> Plan {
        let ready = Condition::yes("Ready", conditions::UP_TO_DATE);
        let plan = self.tell_success(checked.chain().leaf(), ready);
        let step = Step::Store { request: request.name.clone(), checked, revision: self.next_revision() };
        Plan { step, ..plan }
    }

    /// The Secret holds the certificate of the next revision already, and status doesn't say so: an earlier process ended between these two
    /// writes, or the second one met a conflict. The issuance is done; asking for another certificate would waste this one.
    fn tell_what_is_stored(&self) -> Option<Plan> {
        let leaf = self.seen.secret.as_deref()?.certificate.read()?;
        let is_stored = |request: &&RequestSeen| match &request.state {
            RequestState::Issued { chain: Ok(chain), .. } => chain.leaf().der() == leaf.der(),
            _ => false,
        };
        let request = self.seen.next.iter().find(is_stored)?;
        let ready = match reissue::not_ready(&Evidence { current: Some(request), ..self.evidence() }) {
            None => Condition::yes("Ready", conditions::UP_TO_DATE),
            Some(violation) => Condition::no(violation.reason.as_str(), violation.message),
        };
        Some(self.tell_success(leaf, ready))
    }

    fn tell_success(&self, leaf: &Certificate, ready: Condition) -> Plan {
        let times = self.times(leaf.not_before(), leaf.not_after());
        let status = StatusWish {
            ready,
            issuing: None,
            leaf: Some(times),
            revision: Some(self.next_revision()),
            last_failure: None,
            failed_attempts: 0,
            next_key_name: None,
        };
        Plan {
            step: Step::Rest,
            status: Some(status),
            event: Some(Event::normal("Issuing", conditions::ISSUED)),
            wake: times.renewal.or(Some(times.not_after)),
        }
    }

    fn fail(&self, ending: &Ending) -> Plan {
        let (reason, message) = (ending.reason.as_str(), conditions::failed(&ending.message));
        let mut status = self.status();
        status.issuing = Some(Condition::no(reason, message.clone()));
        // Another's clock may be ahead of ours; an end that looks later than its record would be told again and again.
        status.last_failure = Timestamp::from_second(self.now.max(ending.at).as_second()).ok();
        status.failed_attempts = self.seen.status.failed_attempts.saturating_add(1);
        Plan {
            step: Step::Rest,
            status: Some(status),
            event: Some(Event::warning(reason, message)),
            wake: self.now.checked_add(SignedDuration::from_secs(1)).ok(),
        }
    }

    /// Not answered: publish the story as soon as there is one, and store the key, since this may outlive us.
    fn wait_for(&self, request: &RequestSeen, reason: &Violation, told: Option<&str>) -> Plan {
        let patient_until = request.created.checked_add(PATIENCE).unwrap_or(self.now);
        if self.seen.me.wants_temporary && reissue::unusable(&self.evidence()).is_some() {
            return Plan {
                step: Step::StoreTemporary { request: request.name.clone() },
                status: None,
                event: Some(Event::normal("Issuing", conditions::ISSUED_TEMPORARY)),
                wake: Some(patient_until),
            };
        }
        if self.seen.answered_here && told.is_none() && self.now < patient_until {
            return Plan { wake: Some(patient_until), ..Plan::only(Step::Rest) };
        }
        if let NextKey::Held { secret_name, .. } = &self.seen.key {
            let status = self.story(reason, told, Some(secret_name.clone()));
            return Plan {
                event: self.announce(reason),
                step: Step::StoreKey { origin: KeyOrigin::InHand, secret_name: secret_name.clone() },
                status: Some(status),
                wake: self.next_date(),
            };
        }
        let status = self.story(reason, told, self.seen.status.next_key_name.clone());
        Plan { step: Step::Rest, status: Some(status), event: self.announce(reason), wake: self.next_date() }
    }

    /// `rotationPolicy: Never` with a key that isn't as wanted: only a person can resolve it, by deleting the Secret or changing the spec.
    fn stuck_with_old_key(&self, reason: &Violation) -> Plan {
        let why = "User intervention required: existing private key in Secret does not match requirements on Certificate resource, \
                   but cannot create new private key as existing key cannot be deleted due to rotation policy";
        let status = self.story(reason, Some(why), None);
        let changed = self.announce(reason).is_some();
        let event = changed.then(|| Event::warning("CannotRegenerateKey", why));
        Plan { step: Step::Rest, status: Some(status), event, wake: self.next_date() }
    }

    fn leave_it_to(&self, other: &str) -> Plan {
        let mut status = self.status();
        let message = format!(
            "Secret \"{}\" is written for Certificate \"{other}\"; one Secret can hold only one of them",
            self.wanted.secret_name
        );
        status.ready = Condition::no(reissue::Reason::IncorrectCertificate.as_str(), message);
        Plan {
            step: Step::Rest,
            status: Some(status),
            event: None,
            wake: self.now.checked_add(LOOK_FOR_FREE_SECRET).ok(),
        }
    }

    /// The status of a Certificate at which nothing happens.
    pub(crate) fn status(&self) -> StatusWish {
        let ready = match reissue::not_ready(&self.evidence()) {
            None => Condition::yes("Ready", conditions::UP_TO_DATE),
            Some(violation) => Condition::no(violation.reason.as_str(), violation.message),
        };
        let leaf = self.seen.secret.as_deref().and_then(leaf_of);
        StatusWish::carried(&self.seen.status, ready, leaf.map(|(begins, ends)| self.times(begins, ends)))
    }

    /// The status while an issuance runs: its story stands in `Issuing=True`, and `Ready` follows the certificate in use.
    pub(crate) fn story(
        &self,
        reason: &Violation,
        told: Option<&str>,
        next_key_name: Option<String>,
    ) -> StatusWish {
        let mut status = self.status();
        let (as_word, check) = match &self.seen.status.issuing {
            // Asked for by hand: its own reason stays.
            Some((condition, _)) if condition.holds && self.is_by_hand(condition) => {
                (condition.reason.clone(), conditions::without_story(&condition.message).to_owned())
            }
            _ => (reason.reason.as_str().to_owned(), reason.message.clone()),
        };
        let check = conditions::without_story(&check).to_owned();
        status.issuing = Some(Condition::yes(as_word, conditions::with_story(&check, told)));
        status.next_key_name = next_key_name;
        if let (false, Some(told)) = (status.ready.holds, told) {
            status.ready.message = conditions::with_story(&status.ready.message, Some(told));
        }
        status
    }

    fn is_by_hand(&self, condition: &Condition) -> bool {
        !reissue::Reason::ALL.iter().any(|reason| reason.as_str() == condition.reason)
    }

    /// The event for the moment in which `Issuing` becomes True.
    fn announce(&self, reason: &Violation) -> Option<Event> {
        (!self.seen.status.is_issuing())
            .then(|| Event::normal("Issuing", conditions::without_story(&reason.message)))
    }

    fn times(&self, not_before: Timestamp, not_after: Timestamp) -> LeafTimes {
        let renewal = renewal_time(&self.wanted.renewal, not_before, not_after).moment();
        LeafTimes { not_before, not_after, renewal }
    }

    fn next_revision(&self) -> u32 {
        self.seen.status.revision.unwrap_or(0).saturating_add(1)
    }

    /// The next date on which something changes by itself: renewal, or the end of the certificate in use.
    fn next_date(&self) -> Option<Timestamp> {
        let (begins, ends) = leaf_of(self.seen.secret.as_deref()?)?;
        let after_end = ends.checked_add(SignedDuration::from_secs(1)).unwrap_or(ends);
        let dates = [self.times(begins, ends).renewal, Some(after_end)];
        dates.into_iter().flatten().filter(|date| *date > self.now).min()
    }
}

/// What became of a request.
enum Answer<'r> {
    /// Nothing yet, and what is told about that.
    Waits(Option<&'r str>),
    /// No certificate, or none that can be used.
    Ended(Ending),
    /// A certificate that may be stored.
    Sound(Box<Checked>),
}

fn leaf_of(secret: &SecretSeen) -> Option<(Timestamp, Timestamp)> {
    let leaf = secret.certificate.read()?;
    Some((leaf.not_before(), leaf.not_after()))
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}
