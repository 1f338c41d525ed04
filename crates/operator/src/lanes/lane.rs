//! The lane itself: its line, its pace, and the loop that starts calls. State behind one short lock; the calls run as tasks.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use everleaf_core::failure::{Class, Failure};
use everleaf_core::pace::{Admission, Answered, Moment, Pace, Urgency};
use everleaf_core::retry::{self, Jitter};
use everleaf_issuers::Issuer;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::attempt;
use super::job::Job;
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
    jobs: HashMap<Key, Job>,
    ready: BTreeSet<(Urgency, Key)>,
    later: BTreeSet<(Moment, Key)>,
    trouble: Option<Trouble>,
    succeeded: Option<Moment>,
    changed_at: Option<Timestamp>,
    closed: bool,
}

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
    pub is_probe: bool,
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
            jobs: HashMap::new(),
            ready: BTreeSet::new(),
            later: BTreeSet::new(),
            trouble: None,
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
        state.release_all(now);
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
        state.release_all(now);
        drop(state);
        self.changed.notify_one();
    }

    /// The issuer, once it could be made.
    pub fn issuer(&self) -> Option<Arc<Issuer>> {
        self.lock().issuer.clone()
    }

    /// Puts a request into the line, or updates one that is in it.
    pub fn submit(&self, job: Job) {
        let mut state = self.lock();
        match state.jobs.get_mut(&job.request) {
            Some(known) if known.uid == job.uid => known.approve = job.approve,
            _ => {
                state.drop_job(&job.request);
                state.enqueue(job);
            }
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Takes a request out of the line.
    pub fn forget(&self, request: &Key) {
        self.lock().drop_job(request);
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
        self.lock().jobs.len()
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

    /// How long ago the issuer last worked.
    pub fn idle_for(&self) -> Option<Duration> {
        let now = self.moment();
        self.lock().succeeded.map(|at| now.since(at))
    }

    /// How long a request with this much failed attempts waits, and which message rung it is on.
    pub(super) fn back_off(&self, job: &Job, failure: &Failure, now: Timestamp) -> Duration {
        let life = everleaf_core::renewal::life_left(job.ends, now);
        let jitter = Jitter::of(&job.uid, job.attempts);
        retry::next_delay(failure.class, job.attempts, life, failure.retry_after, jitter)
    }

    /// A call ended well, or with a verdict on the request alone: the issuer works. Returns true if it was in trouble before.
    pub(super) fn works(&self) -> bool {
        let now = self.moment();
        let mut state = self.lock();
        state.pace.answered(Answered::Works, now);
        state.succeeded = Some(now);
        let was_broken = state.trouble.take().is_some();
        if was_broken {
            state.release_all(now);
        }
        drop(state);
        self.changed.notify_one();
        was_broken
    }

    /// A call ended with a failure of the issuer. Returns true if this broke it.
    pub(super) fn failed(&self, failure: &Failure, cap: Duration, at: Timestamp) -> bool {
        let now = self.moment();
        let mut state = self.lock();
        let was_broken = state.pace.is_broken();
        let retry_after = failure.retry_after.map(|wait| wait.min(cap));
        let overloaded = matches!(failure.code, "RateLimited" | "NoAnswer" | "ServerTimeout");
        state.pace.answered(Answered::Failed { class: failure.class, overloaded, retry_after }, now);
        let since = state.trouble.as_ref().map_or(at, |trouble| trouble.since);
        state.trouble = Some(Trouble { failure: failure.clone(), since });
        let broke = state.pace.is_broken() && !was_broken;
        if broke {
            state.gather_line();
        }
        drop(state);
        self.changed.notify_one();
        broke
    }

    /// A call that was admitted was never made.
    pub(super) fn given_back(&self) {
        self.lock().pace.given_back();
        self.changed.notify_one();
    }

    /// The job goes back into the line after a try.
    pub(super) fn put_back(&self, mut job: Job, wait: Duration) {
        let now = self.moment();
        let mut state = self.lock();
        if state.closed || state.jobs.get(&job.request).is_none_or(|known| known.uid != job.uid) {
            return;
        }
        job.busy = false;
        // While one probe stands for all, the line waits for the issuer and not for its own back-off.
        let waits_alone = !state.pace.is_broken() || job.sighting.is_some();
        job.not_before = if waits_alone { now.plus(wait) } else { now };
        state.enqueue(job);
        drop(state);
        self.changed.notify_one();
    }

    /// The job is done with.
    pub(super) fn finish(&self, request: &Key) {
        self.lock().drop_job(request);
        self.changed.notify_one();
    }

    /// Remembers what is published about a request.
    pub(super) fn note_told(&self, request: &Key, told: super::job::Told) {
        if let Some(job) = self.lock().jobs.get_mut(request) {
            job.told = Some(told);
        }
    }

    /// Requests nobody has been told about and nobody works on; they are marked busy until put back.
    pub(super) fn untold(&self, most: usize) -> Vec<Job> {
        let mut state = self.lock();
        let keys: Vec<Key> = state.ready.iter().map(|(_, key)| key.clone()).collect();
        let mut untold = Vec::new();
        for key in keys {
            if untold.len() == most {
                break;
            }
            let Some(job) = state.jobs.get_mut(&key).filter(|job| !job.busy && job.told.is_none()) else {
                continue;
            };
            job.busy = true;
            let job = job.clone();
            state.ready.remove(&(job.urgency, key));
            untold.push(job);
        }
        untold
    }

    fn next(&self) -> Next {
        let now = self.moment();
        let mut state = self.lock();
        if state.closed {
            return Next::Closed;
        }
        state.move_due(now);
        let Some(issuer) = state.issuer.clone() else { return Next::Idle };
        let later = state.later.first().map(|(at, _)| *at);
        let Some((urgency, key)) = state.ready.first().cloned() else {
            return later.map_or(Next::Idle, Next::At);
        };
        let is_probe = match state.pace.admit(now) {
            Admission::Go => false,
            Admission::Probe => true,
            Admission::Full => return Next::Idle,
            Admission::NotBefore(at) => return Next::At(at),
        };
        state.ready.remove(&(urgency, key.clone()));
        let Some(job) = state.jobs.get_mut(&key) else {
            state.pace.given_back();
            return Next::At(now);
        };
        job.busy = true;
        job.urgency.probes += u32::from(is_probe);
        Next::Start(Box::new(Start { job: job.clone(), issuer, is_probe }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enqueue(&mut self, job: Job) {
        let key = job.request.clone();
        if job.not_before == Moment::default() {
            self.ready.insert((job.urgency, key.clone()));
        } else {
            self.later.insert((job.not_before, key.clone()));
        }
        self.jobs.insert(key, job);
    }

    fn drop_job(&mut self, request: &Key) {
        if let Some(job) = self.jobs.remove(request) {
            self.ready.remove(&(job.urgency, request.clone()));
            self.later.remove(&(job.not_before, request.clone()));
        }
    }

    fn move_due(&mut self, now: Moment) {
        while let Some((at, key)) = self.later.first().cloned() {
            if at > now {
                return;
            }
            self.later.remove(&(at, key.clone()));
            if let Some(job) = self.jobs.get(&key) {
                self.ready.insert((job.urgency, key));
            }
        }
    }

    /// The issuer broke: whoever waits by its own back-off for the issuer's fault joins the line; refusals keep their distance.
    fn gather_line(&mut self) {
        let later = std::mem::take(&mut self.later);
        for (at, key) in later {
            match self.jobs.get(&key) {
                Some(job) if job.sighting.is_none() => {
                    self.ready.insert((job.urgency, key));
                }
                Some(_) => {
                    self.later.insert((at, key));
                }
                None => {}
            }
        }
    }

    /// Something changed for the better: everyone may try at once, counted anew.
    fn release_all(&mut self, now: Moment) {
        self.pace.nudge(now);
        self.gather_line();
        let ready = std::mem::take(&mut self.ready);
        for (_, key) in ready {
            if let Some(job) = self.jobs.get_mut(&key) {
                job.urgency.probes = 0;
                self.ready.insert((job.urgency, key));
            }
        }
    }
}

/// The lane's loop: starts calls as the pace admits them, until the process stops.
pub(super) async fn run(lane: Arc<Lane>, context: Arc<Context>) {
    loop {
        let changed = lane.changed.notified();
        match lane.next() {
            Next::Start(start) => {
                context.tasks.spawn(attempt::run(lane.clone(), context.clone(), *start));
                continue;
            }
            Next::Closed => return,
            Next::At(moment) => {
                let at = lane.started + moment.0;
                tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(at) => {}
                    () = context.stop.cancelled() => return,
                }
            }
            Next::Idle => tokio::select! {
                () = changed => {}
                () = context.stop.cancelled() => return,
            },
        }
    }
}

/// True for failures that say something about the issuer and not only about the request.
pub(super) fn is_issuers_fault(failure: &Failure) -> bool {
    failure.class != Class::Request
}
