//! The lane itself: its line, its pace, and the loop that starts calls. State behind one short lock; the calls run as tasks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use everleaf_core::failure::{Call, Class, Failure, Says};
use everleaf_core::pace::{Admission, Answered, Moment, Pace, Ticket};
use everleaf_issuers::Issuer;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::attempt;
use super::job::{Job, Told};
use super::line::{First, Line};
use super::publish;
use crate::context::Context;
use crate::ids::{IssuerId, Key};

/// The lane of one issuer.
pub struct Lane {
    /// Whose lane it is.
    pub id: IssuerId,
    started: Instant,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    issuer: Option<Arc<Issuer>>,
    unusable: Option<String>,
    pace: Pace,
    line: Line,
    telling: Telling,
    trouble: Option<Trouble>,
    /// What was last told of the present trouble on the issuer.
    told: Option<ToldTrouble>,
    succeeded: Option<Moment>,
    changed_at: Option<Timestamp>,
    closed: bool,
}

/// Whether those in the line of a broken issuer are told what they wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    /// All have heard it, or there is nothing to hear.
    Done,
    /// Somebody may not have heard it.
    Due,
    /// A task is at it.
    UnderWay,
}

/// What was told of a trouble: who must move, in which words, when, and how many different words there were.
struct ToldTrouble {
    class: Class,
    call: Call,
    says: Says,
    at: Moment,
    times: u32,
}

/// The first words for a trouble are told at once, because evidence comes in steps: a 403 is only that until policies and a write were
/// looked at. After that, it is told again in other words after this long, and where somebody else must move now, after this long.
const TELL_AGAIN: Duration = Duration::from_secs(300);
const TELL_ANOTHER_CLASS: Duration = Duration::from_secs(60);

/// What is wrong with an issuer now.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// The last failure that was the issuer's.
    pub failure: Failure,
    /// Since when.
    pub since: Timestamp,
}

/// One call that may start now.
pub(super) struct Start {
    pub job: Job,
    pub issuer: Arc<Issuer>,
    pub ticket: Ticket,
}

enum Next {
    Start(Box<Start>),
    At(Moment),
    Idle,
    Closed,
}

impl Lane {
    /// An empty lane.
    pub fn new(id: IssuerId) -> Lane {
        let pace = Pace::new(id.to_string());
        let state = State {
            issuer: None,
            unusable: None,
            pace,
            line: Line::default(),
            telling: Telling::Done,
            trouble: None,
            told: None,
            succeeded: None,
            changed_at: None,
            closed: false,
        };
        Lane { id, started: Instant::now(), state: Mutex::new(state), changed: Notify::new() }
    }

    /// The moment now, on the lane's own clock.
    pub fn moment(&self) -> Moment {
        Moment(self.started.elapsed())
    }

    /// Takes over an issuer made from a new spec. `changed` is when the change was seen; `None` at the first sight of it.
    pub fn take_issuer(&self, issuer: Arc<Issuer>, changed: Option<Timestamp>) {
        let now = self.moment();
        let mut state = self.lock();
        state.issuer = Some(issuer);
        state.unusable = None;
        state.changed_at = changed.or(state.changed_at);
        state.start_over(now);
        drop(state);
        self.changed.notify_one();
    }

    /// The spec can't be used, and why: nothing is signed until it changes. Returns true if that is news.
    pub fn refuse(&self, why: &str) -> bool {
        let mut state = self.lock();
        state.issuer = None;
        let is_news = state.unusable.as_deref() != Some(why);
        state.unusable = Some(why.to_owned());
        is_news
    }

    /// Why the issuer's spec can't be used, if it can't.
    pub fn unusable(&self) -> Option<String> {
        self.lock().unusable.clone()
    }

    /// A Secret of the issuer changed: what waited for it may be tried at once.
    pub fn credentials_changed(&self, at: Timestamp) {
        let now = self.moment();
        let mut state = self.lock();
        state.changed_at = Some(at);
        state.start_over(now);
        drop(state);
        self.changed.notify_one();
    }

    /// The issuer, once it could be made.
    pub fn issuer(&self) -> Option<Arc<Issuer>> {
        self.lock().issuer.clone()
    }

    /// Puts a request into the line, or updates one that is in it.
    pub fn submit(&self, job: Job, now: Timestamp) {
        let soon = self.moment().plus(job.patience(now));
        let mut state = self.lock();
        state.pace.probe_by(soon);
        state.line.submit(job);
        state.must_tell();
        drop(state);
        self.changed.notify_one();
    }

    /// Takes a request out of the line.
    pub fn forget(&self, request: &Key) {
        self.lock().line.drop_job(request);
    }

    /// Nothing more is started.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// When the issuer or its credentials last changed, as far as seen.
    pub fn changed_at(&self) -> Option<Timestamp> {
        self.lock().changed_at
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.lock().line.len()
    }

    /// True while one probe stands for all.
    pub fn is_broken(&self) -> bool {
        self.lock().pace.is_broken()
    }

    /// The trouble, once it is old or certain enough to be told.
    pub fn trouble(&self) -> Option<Trouble> {
        let now = self.moment();
        let state = self.lock();
        state.trouble.clone().filter(|_| state.pace.is_sick(now))
    }

    /// Whether this trouble should be told on the issuer: not so soon after the last time, and later still where the same one must move.
    pub fn is_news(&self, failure: &Failure) -> bool {
        let now = self.moment();
        match &self.lock().told {
            None => true,
            Some(told) if told.times < publish::TOLD_FREELY => true,
            Some(told) if told.class == failure.class => now.since(told.at) >= TELL_AGAIN,
            Some(told) => now.since(told.at) >= TELL_ANOTHER_CLASS,
        }
    }

    /// It has been told on the issuer.
    pub fn note_trouble_told(&self, failure: &Failure) {
        let now = self.moment();
        let told = &mut self.lock().told;
        let (times, is_same) = match told {
            None => (0, false),
            Some(told) => {
                let is_same =
                    (told.class, told.call) == (failure.class, failure.call) && told.says == failure.says;
                (told.times, is_same)
            }
        };
        let (class, call, says) = (failure.class, failure.call, failure.says.clone());
        *told = Some(ToldTrouble { class, call, says, at: now, times: times + u32::from(!is_same) });
    }

    /// How long ago the issuer last worked.
    pub fn idle_for(&self) -> Option<Duration> {
        let now = self.moment();
        self.lock().succeeded.map(|at| now.since(at))
    }

    /// A call ended well, or with a verdict on the request alone: the issuer works. Returns true if it was in trouble before.
    pub(super) fn works(&self, ticket: Ticket) -> bool {
        let now = self.moment();
        let mut state = self.lock();
        let was_broken = state.pace.is_broken();
        state.pace.answered(ticket, Answered::Works, now);
        state.succeeded = Some(now);
        if was_broken {
            state.line.gather();
            state.line.count_anew();
        }
        let was_in_trouble = state.trouble.take().is_some();
        if was_in_trouble {
            state.told = None;
        }
        drop(state);
        self.changed.notify_one();
        was_in_trouble
    }

    /// A call ended with a failure of the issuer. Returns true if this broke it.
    pub(super) fn failed(&self, ticket: Ticket, failure: &Failure, at: Timestamp) -> bool {
        let now = self.moment();
        let mut state = self.lock();
        let was_broken = state.pace.is_broken();
        // A certificate with little life left is never told to come back in an hour.
        let retry_after = failure.retry_after.map(|wait| wait.min(state.line.patience(at)));
        let overloaded = matches!(failure.code, "RateLimited" | "NoAnswer" | "ServerTimeout");
        let answer = Answered::Failed { class: failure.class, overloaded, retry_after };
        state.pace.answered(ticket, answer, now);
        let since = state.trouble.as_ref().map_or(at, |trouble| trouble.since);
        let same = state.trouble.as_ref().is_some_and(|trouble| trouble.failure.class == failure.class);
        state.trouble = Some(Trouble { failure: failure.clone(), since });
        let broke = state.pace.is_broken() && !was_broken;
        if broke {
            state.line.gather();
        }
        if broke || !same {
            state.must_tell();
        }
        drop(state);
        self.changed.notify_one();
        broke
    }

    /// A call that was admitted was never made.
    pub(super) fn given_back(&self, ticket: Ticket) {
        self.lock().pace.given_back(ticket);
        self.changed.notify_one();
    }

    /// The job goes back into the line after a try. While one probe stands for all it waits for the issuer and not for its own back-off,
    /// unless it was refused for a reason of its own.
    pub(super) fn put_back(&self, job: Job, wait: Duration) {
        let now = self.moment();
        let mut state = self.lock();
        let waits_alone = !state.pace.is_broken() || job.sighting.is_some();
        let until = waits_alone.then(|| now.plus(wait));
        let is_untold = job.told.is_none();
        state.line.put_back(job, until);
        if is_untold {
            state.must_tell();
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The job is done with.
    pub(super) fn finish(&self, job: &Job) {
        self.lock().line.finish(job);
        self.changed.notify_one();
    }

    /// Remembers what is published about a request.
    pub(super) fn note_told(&self, job: &Job, told: Told) {
        self.lock().line.note_told(job, told);
    }

    /// Some of those who wait for a broken issuer and haven't heard why, with the reason. They are kept from being started until they
    /// are put back. `None`: all have heard it.
    pub(super) fn take_untold(&self, most: usize) -> Option<(Failure, Vec<Job>)> {
        let now = self.moment();
        let mut state = self.lock();
        let failure = state.trouble.as_ref().map(|trouble| trouble.failure.clone());
        let failure = failure.filter(|_| state.pace.is_broken() && !state.closed);
        let untold = failure.map(|failure| {
            let jobs = state.line.take_untold(most, &Told::of(&failure, None, now));
            (failure, jobs)
        });
        let untold = untold.filter(|(_, jobs)| !jobs.is_empty());
        if untold.is_none() {
            state.telling = Telling::Done;
        }
        untold
    }

    /// Puts back one that has been told.
    pub(super) fn put_back_told(&self, job: Job) {
        self.lock().line.put_back(job, None);
        self.changed.notify_one();
    }

    /// True once, when somebody has to be told: whoever asks does it.
    fn begins_telling(&self) -> bool {
        let mut state = self.lock();
        let due = state.telling == Telling::Due && state.pace.is_broken();
        if due {
            state.telling = Telling::UnderWay;
        }
        due
    }

    fn next(&self) -> Next {
        let now = self.moment();
        let mut state = self.lock();
        if state.closed {
            return Next::Closed;
        }
        let Some(issuer) = state.issuer.clone() else { return Next::Idle };
        match state.line.first(now) {
            First::Waits => {}
            First::At(moment) => return Next::At(moment),
            First::Nobody => return Next::Idle,
        }
        let ticket = match state.pace.admit(now) {
            Admission::Go(ticket) | Admission::Probe(ticket) => ticket,
            Admission::Full => return Next::Idle,
            Admission::NotBefore(at) => return Next::At(at),
        };
        match state.line.take(ticket.probe().is_some()) {
            Some(job) => Next::Start(Box::new(Start { job, issuer, ticket })),
            None => {
                state.pace.given_back(ticket);
                Next::At(now)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The spec or the credentials changed for the better, as far as we know: everyone may try at once, counted anew. What worked before
    /// says nothing of what is there now.
    fn start_over(&mut self, now: Moment) {
        self.succeeded = None;
        self.pace.nudge(now);
        self.line.forget_refusals();
        self.line.gather();
        self.line.count_anew();
    }

    /// Somebody may not have heard what is the matter.
    fn must_tell(&mut self) {
        if self.telling == Telling::Done {
            self.telling = Telling::Due;
        }
    }
}

/// The lane's loop: starts calls as the pace admits them, until the process stops.
pub(super) async fn run(lane: Arc<Lane>, context: Arc<Context>) {
    loop {
        let changed = lane.changed.notified();
        if lane.begins_telling() {
            context.tasks.spawn(publish::tell_the_line(lane.clone(), context.clone()));
        }
        match lane.next() {
            Next::Start(start) => {
                context.tasks.spawn(attempt::run(lane.clone(), context.clone(), *start));
                continue;
            }
            Next::Closed => return,
            Next::At(moment) => {
                let at = lane.started + moment.0;
                tokio::select! {
                    biased;
                    () = context.stop.cancelled() => return,
                    () = changed => {}
                    () = tokio::time::sleep_until(at) => {}
                }
            }
            Next::Idle => tokio::select! {
                biased;
                () = context.stop.cancelled() => return,
                () = changed => {}
            },
        }
    }
}

/// True for failures that say something about the issuer and not only about the request.
pub(super) fn is_issuers_fault(failure: &Failure) -> bool {
    failure.class != Class::Request
}

#[cfg(test)]
mod tests {
    use everleaf_core::failure::{Blame, Finality};

    use super::*;

    fn failure(class: Class, says: &str) -> Failure {
        let (call, blame, finality) = (Call::Sign, Blame::Issuer, Finality::WhenProved);
        Failure { class, call, code: "Code", says: Says::new(says), retry_after: None, blame, finality }
    }

    #[tokio::test(start_paused = true)]
    async fn better_words_for_a_trouble_are_told_at_once_and_ever_new_ones_seldom() {
        let lane = Lane::new(IssuerId::ClusterIssuer("vault".to_owned()));
        let mut told = 0;
        for second in 0..3_600 {
            let failure = failure(Class::Transient, ["502", "503", "504", "reset", "hang"][second % 5]);
            if lane.is_news(&failure) {
                lane.note_trouble_told(&failure);
                told += 1;
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!((5..=20).contains(&told), "told {told} times in an hour");
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_words_of_two_calls_by_turns_are_told_seldom() {
        let lane = Lane::new(IssuerId::ClusterIssuer("vault".to_owned()));
        let mut told = 0;
        for second in 0..3_600 {
            let call = [Call::Health, Call::Login][second % 2];
            let failure = Failure { call, ..failure(Class::Transient, "Vault is sealed") };
            if lane.is_news(&failure) {
                lane.note_trouble_told(&failure);
                told += 1;
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(told <= 20, "told {told} times in an hour");
    }
}
