//! The line of one lane: who waits, in which order, and who waits by itself for a moment of its own. Plain data behind the lane's lock.
//! It knows nothing of pace and calls nobody. A job that is being worked on is known, but stands in no place.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use everleaf_core::pace::{Moment, Urgency};
use everleaf_core::retry;
use jiff::Timestamp;

use super::job::{Job, Told};
use super::publish;
use crate::ids::Key;

/// The line.
#[derive(Default)]
pub(super) struct Line {
    jobs: HashMap<Key, Job>,
    ready: BTreeSet<(Urgency, Key)>,
    later: BTreeSet<(Moment, Key)>,
}

/// Who is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// Somebody stands in the line.
    Waits,
    /// Nobody before this moment.
    At(Moment),
    /// Nobody at all.
    Nobody,
}

impl Line {
    /// How many are known.
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Puts a new request into the line. One that is known already stays where it is; a new object under the same name takes its place.
    pub(super) fn submit(&mut self, job: Job) {
        match self.jobs.get_mut(&job.request) {
            Some(known) if known.uid == job.uid => known.approve = job.approve,
            _ => {
                self.drop_job(&job.request);
                self.put(job, None);
            }
        }
    }

    /// Puts a job that was worked on back: into the line, or aside until a moment. It is dropped if its request is gone meanwhile.
    pub(super) fn put_back(&mut self, mut job: Job, until: Option<Moment>) {
        let Some(known) = self.jobs.get(&job.request).filter(|known| known.uid == job.uid) else { return };
        job.approve = known.approve;
        self.put(job, until);
    }

    fn put(&mut self, mut job: Job, until: Option<Moment>) {
        let key = job.request.clone();
        job.until = until;
        match until {
            None => self.ready.insert((job.urgency, key.clone())),
            Some(until) => self.later.insert((until, key.clone())),
        };
        self.jobs.insert(key, job);
    }

    /// Forgets a request, whatever object stands under its name.
    pub(super) fn drop_job(&mut self, request: &Key) {
        let Some(job) = self.jobs.remove(request) else { return };
        self.ready.remove(&(job.urgency, request.clone()));
        if let Some(until) = job.until {
            self.later.remove(&(until, request.clone()));
        }
    }

    /// Forgets a job that is done with, unless a new object has taken its place.
    pub(super) fn finish(&mut self, done: &Job) {
        if self.jobs.get(&done.request).is_some_and(|known| known.uid == done.uid) {
            self.drop_job(&done.request);
        }
    }

    /// The longest that everybody can wait: that of the one with the least life left.
    pub(super) fn patience(&self, now: Timestamp) -> Duration {
        let waits = self.jobs.values().map(|job| job.patience(now));
        waits.min().unwrap_or(retry::CAP_WITHOUT_LIFE)
    }

    /// Lets those into the line whose moment has come, and says who is next.
    pub(super) fn first(&mut self, now: Moment) -> First {
        while let Some((at, key)) = self.later.first().cloned() {
            if at > now {
                break;
            }
            self.later.remove(&(at, key.clone()));
            self.join(key);
        }
        match (self.ready.is_empty(), self.later.first()) {
            (false, _) => First::Waits,
            (true, Some((at, _))) => First::At(*at),
            (true, None) => First::Nobody,
        }
    }

    /// Takes the first one out of the line, to be worked on.
    pub(super) fn take(&mut self, is_probe: bool) -> Option<Job> {
        let (_, key) = self.ready.pop_first()?;
        let job = self.jobs.get_mut(&key)?;
        job.urgency.probes += u32::from(is_probe);
        Some(job.clone())
    }

    /// The issuer broke, or works again: whoever waits by itself for the issuer's fault joins the line; refusals keep their distance.
    pub(super) fn gather(&mut self) {
        for (at, key) in std::mem::take(&mut self.later) {
            if self.jobs.get(&key).is_some_and(|job| job.sighting.is_some()) {
                self.later.insert((at, key));
            } else {
                self.join(key);
            }
        }
    }

    /// All count their tries as probes anew.
    pub(super) fn count_anew(&mut self) {
        for (_, key) in std::mem::take(&mut self.ready) {
            if let Some(job) = self.jobs.get_mut(&key) {
                job.urgency.probes = 0;
            }
            self.join(key);
        }
    }

    /// The issuer or its credentials changed: what was refused before may be granted now, so nobody keeps its distance.
    pub(super) fn forget_refusals(&mut self) {
        for job in self.jobs.values_mut() {
            job.sighting = None;
        }
    }

    fn join(&mut self, key: Key) {
        if let Some(job) = self.jobs.get_mut(&key) {
            job.until = None;
            self.ready.insert((job.urgency, key));
        }
    }

    /// Remembers what is published about a request.
    pub(super) fn note_told(&mut self, told_job: &Job, told: Told) {
        if let Some(job) = self.jobs.get_mut(&told_job.request).filter(|job| job.uid == told_job.uid) {
            job.told = Some(told);
        }
    }

    /// Some in the line who haven't heard what is the matter; they are taken out of it until put back.
    pub(super) fn take_untold(&mut self, most: usize, news: &Told) -> Vec<Job> {
        let jobs = &self.jobs;
        let hasnt_heard = |job: &Job| {
            job.told.as_ref().is_none_or(|old| !old.is_same_class(news) && publish::is_news(Some(old), news))
        };
        let untold = self.ready.iter().filter(|(_, key)| jobs.get(key).is_some_and(hasnt_heard));
        let untold: Vec<(Urgency, Key)> = untold.take(most).cloned().collect();
        let mut taken = Vec::new();
        for place in untold {
            self.ready.remove(&place);
            if let Some(job) = self.jobs.get_mut(&place.1) {
                taken.push(job.clone());
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use everleaf_core::failure::{
        Blame, Call, Class, ConnectionId, Failure, Finality, Says, Sighting, TokenNumber,
    };

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    fn job(name: &str, uid: &str, ends: i64) -> Job {
        let ends = Timestamp::from_second(ends).unwrap();
        Job::new(Key::new("ns", name), uid.to_owned(), true, Some(ends), Timestamp::UNIX_EPOCH)
    }

    fn failure(class: Class) -> Failure {
        let says = Says::new("says");
        let (call, blame, finality) = (Call::Sign, Blame::Issuer, Finality::WhenProved);
        Failure { class, call, code: "Code", says, retry_after: None, blame, finality }
    }

    fn line(jobs: &[Job]) -> Line {
        let mut line = Line::default();
        jobs.iter().for_each(|job| line.submit(job.clone()));
        line
    }

    fn taken(line: &mut Line) -> Vec<String> {
        std::iter::from_fn(|| line.take(false)).map(|job| job.request.name).collect()
    }

    #[test]
    fn the_end_of_an_old_job_never_drops_the_new_object_under_its_name() {
        let mut line = line(&[job("a", "old", 9)]);
        let old = line.take(false).unwrap();
        line.submit(job("a", "new", 9));
        line.finish(&old);
        line.put_back(old, None);
        assert_eq!(line.len(), 1);
        assert_eq!(line.take(false).unwrap().uid, "new");
        assert!(line.take(false).is_none(), "the old one must not come back either");
    }

    #[test]
    fn a_job_that_is_worked_on_is_not_started_again_by_a_second_submit_or_told_meanwhile() {
        let mut line = line(&[job("a", "1", 9)]);
        let busy = line.take(false).unwrap();
        line.submit(Job { approve: false, ..busy.clone() });
        assert_eq!(line.first(at(0)), First::Nobody);
        assert!(line.take_untold(8, &Told::of(&failure(Class::Transient), None, at(0))).is_empty());
        line.put_back(busy, None);
        assert!(!line.take(false).unwrap().approve, "what was learned meanwhile stays");
    }

    #[test]
    fn probes_go_round_and_otherwise_the_least_life_left_is_first() {
        let mut line = line(&[job("b", "b", 20), job("a", "a", 30), job("c", "c", 10)]);
        let mut probed = Vec::new();
        for _ in 0..4 {
            let job = line.take(true).unwrap();
            probed.push(job.request.name.clone());
            line.put_back(job, None);
        }
        assert_eq!(probed, ["c", "b", "a", "c"]);
        line.count_anew();
        assert_eq!(taken(&mut line), ["c", "b", "a"]);
    }

    #[test]
    fn whoever_waits_by_itself_joins_the_line_when_the_issuer_breaks_unless_it_was_refused() {
        let mut line = line(&[job("a", "a", 1), job("b", "b", 2)]);
        let (a, mut b) = (line.take(false).unwrap(), line.take(false).unwrap());
        b.sighting = Some(Sighting {
            failure: failure(Class::Request),
            at: Timestamp::UNIX_EPOCH,
            connection: ConnectionId(1),
            token: TokenNumber(1),
        });
        line.put_back(a, Some(at(60)));
        line.put_back(b, Some(at(60)));
        assert_eq!(line.first(at(1)), First::At(at(60)));
        line.gather();
        assert_eq!(taken(&mut line), ["a"]);
        line.forget_refusals();
        line.gather();
        assert_eq!(taken(&mut line), ["b"], "a new spec may grant what was refused");
    }

    #[test]
    fn a_dropped_job_leaves_no_trace_wherever_it_stands() {
        let mut line = line(&[job("ready", "1", 1), job("later", "2", 2), job("busy", "3", 3)]);
        let (_, later) = (line.take(false).unwrap(), line.take(false).unwrap());
        line.put_back(later, Some(at(5)));
        let busy = line.take(false).unwrap();
        ["ready", "later", "busy"].iter().for_each(|name| line.drop_job(&Key::new("ns", *name)));
        line.put_back(busy, None);
        assert_eq!((line.len(), line.first(at(9))), (0, First::Nobody));
    }

    #[test]
    fn everyone_is_told_once_and_again_only_when_somebody_else_must_move() {
        let mut line = line(&[job("a", "a", 1), job("b", "b", 2), job("c", "c", 3)]);
        let tell = |line: &mut Line, class, second| {
            let news = Told::of(&failure(class), None, at(second));
            let jobs = line.take_untold(2, &news);
            let count = jobs.len();
            for mut job in jobs {
                job.told = Some(news.clone().after(job.told.as_ref()));
                line.put_back(job, None);
            }
            count
        };
        assert_eq!([2, 1, 0], [0, 1, 2].map(|second| tell(&mut line, Class::Transient, second)));
        line.submit(job("newcomer", "d", 4));
        assert_eq!(tell(&mut line, Class::Transient, 3), 1);
        assert_eq!([2, 2, 0], [4, 5, 6].map(|second| tell(&mut line, Class::Access, second)));
        let classes = [Class::Transient, Class::Access];
        let flapping =
            (10..1_000).filter(|second| tell(&mut line, classes[*second as usize % 2], *second) > 0);
        assert!(flapping.count() < 30, "a class that flaps is no reason to write for ever");
    }
}
