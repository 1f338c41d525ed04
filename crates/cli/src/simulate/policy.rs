//! The two policies in one model of Vault: it signs at a rate, each call takes its time, and during an outage each call fails.
//! Everleaf's side runs the pace and the waits of the controller itself; the peer's side is written from what was measured of it.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::time::Duration;

use everleaf_core::failure::Class;
use everleaf_core::pace::{Admission, Answered, Moment, Pace, Ticket};
use everleaf_core::retry::{self, Cadence, Jitter};

use super::outcome::{Count, Outcome};
use super::plan::Plan;

/// How long a call takes, answered or refused.
const CALL: Duration = Duration::from_millis(20);
/// The peer's workers that sign side by side.
const PEER_WORKERS: usize = 5;

/// Whose policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// One probe stands for all, the least life left is first, waits are bound by the life left.
    Everleaf,
    /// cert-manager's: a failed sign ends the request, and the next one is made after 1, 2, 4 ... 32 hours.
    Peer,
}

/// Runs a policy through a plan.
pub(crate) fn run(policy: Policy, plan: &Plan) -> Outcome {
    let mut run = Run::new(policy, plan);
    while let Some(Reverse((at, _, event))) = run.events.pop() {
        if at > plan.span {
            break;
        }
        run.happen(event, at);
        match policy {
            Policy::Everleaf => run.admit(at),
            Policy::Peer => run.hand_out(at),
        }
    }
    for (number, certificate) in run.certificates.iter().enumerate() {
        run.count.over(number, certificate.ends);
    }
    run.count.outcome()
}

/// Something happens. The order only makes equal moments certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A call ends.
    Done { number: usize, signed: bool },
    /// A certificate is to be renewed, or tried again.
    Due(usize),
    /// The pace lets more through.
    Wake,
}

#[derive(Debug, Clone)]
struct Certificate {
    due: Duration,
    ends: Duration,
    /// Tries that failed since it was due.
    failures: u32,
    /// Tries as a probe of the present outage.
    probes: u32,
    /// Waits by itself, for a moment of its own.
    waits: bool,
    ticket: Option<Ticket>,
}

struct Run<'a> {
    policy: Policy,
    plan: &'a Plan,
    certificates: Vec<Certificate>,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    order: u64,
    count: Count<'a>,
    /// When Vault can take the next call.
    free: Duration,
    pace: Pace,
    line: BTreeSet<(u32, Duration, usize)>,
    woken: Option<Duration>,
    queue: VecDeque<usize>,
    busy: usize,
}

impl<'a> Run<'a> {
    /// Renewals are spread evenly over the first period, as those of a cluster that has run for long are.
    fn new(policy: Policy, plan: &'a Plan) -> Run<'a> {
        let period = plan.life - plan.renew_before;
        let certificate = |number: usize| {
            let due = period.mul_f64((number as f64 + 0.5) / plan.certificates as f64);
            let ends = due + plan.renew_before;
            Certificate { due, ends, failures: 0, probes: 0, waits: false, ticket: None }
        };
        let mut run = Run {
            policy,
            plan,
            certificates: (0..plan.certificates).map(certificate).collect(),
            events: BinaryHeap::new(),
            order: 0,
            count: Count::new(plan),
            free: Duration::ZERO,
            pace: Pace::new("vault"),
            line: BTreeSet::new(),
            woken: None,
            queue: VecDeque::new(),
            busy: 0,
        };
        for number in 0..plan.certificates {
            let due = run.certificates.get(number).map(|certificate| certificate.due).unwrap_or_default();
            run.schedule(due, Event::Due(number));
        }
        run
    }

    fn schedule(&mut self, at: Duration, event: Event) {
        self.order += 1;
        self.events.push(Reverse((at, self.order, event)));
    }

    fn happen(&mut self, event: Event, at: Duration) {
        match event {
            Event::Wake => self.woken = None,
            Event::Due(number) => match self.policy {
                Policy::Everleaf => self.join(number),
                Policy::Peer => self.queue.push_back(number),
            },
            Event::Done { number, signed: true } => self.signed(number, at),
            Event::Done { number, signed: false } => self.failed(number, at),
        }
    }

    /// Starts a call; Vault answers in its turn, or refuses at once.
    fn call(&mut self, number: usize, at: Duration) {
        let signed = self.plan.is_up(at);
        let mut end = at + CALL;
        if signed {
            self.free = self.free.max(at) + Duration::from_secs_f64(1.0 / self.plan.rate);
            end = end.max(self.free);
        }
        self.schedule(end, Event::Done { number, signed });
    }

    fn signed(&mut self, number: usize, at: Duration) {
        let Some(certificate) = self.certificates.get_mut(number) else { return };
        self.count.renewed(number, certificate.due, certificate.ends, at);
        certificate.ends = at + self.plan.life;
        certificate.due = certificate.ends - self.plan.renew_before;
        (certificate.failures, certificate.probes) = (0, 0);
        let (due, ticket) = (certificate.due, certificate.ticket.take());
        self.schedule(due, Event::Due(number));
        self.busy = self.busy.saturating_sub(1);
        if let Some(ticket) = ticket {
            let was_broken = self.pace.is_broken();
            self.pace.answered(ticket, Answered::Works, Moment(at));
            if was_broken {
                self.count_anew();
            }
        }
    }

    fn failed(&mut self, number: usize, at: Duration) {
        self.count.failed();
        self.busy = self.busy.saturating_sub(1);
        let Some(certificate) = self.certificates.get_mut(number) else { return };
        certificate.failures += 1;
        let (failures, left) = (certificate.failures, certificate.ends.checked_sub(at));
        let Some(ticket) = certificate.ticket.take() else {
            let wait = Cadence::PEER.wait(failures, left, Jitter::of(&number.to_string(), failures));
            return self.schedule(at + wait, Event::Due(number));
        };
        let was_broken = self.pace.is_broken();
        let answer = Answered::Failed { class: Class::Transient, overloaded: false, retry_after: None };
        self.pace.answered(ticket, answer, Moment(at));
        if self.pace.is_broken() {
            self.wait_in_line(number);
            if !was_broken {
                self.gather();
            }
            return;
        }
        certificate_mut(&mut self.certificates, number, |certificate| certificate.waits = true);
        let jitter = Jitter::of(&number.to_string(), failures);
        let wait = retry::next_delay(Class::Transient, failures, left, None, jitter);
        self.schedule(at + wait, Event::Due(number));
    }

    /// One whose moment has come joins the line, unless it stands there already.
    fn join(&mut self, number: usize) {
        let Some(certificate) = self.certificates.get(number) else { return };
        let waited = certificate.failures == 0 || certificate.waits;
        if waited && certificate.ticket.is_none() {
            self.wait_in_line(number);
        }
    }

    fn wait_in_line(&mut self, number: usize) {
        if let Some(certificate) = self.certificates.get_mut(number) {
            certificate.waits = false;
            self.line.insert((certificate.probes, certificate.ends, number));
        }
    }

    /// The issuer broke: who waited by itself waits with the others.
    fn gather(&mut self) {
        let waiting = self.certificates.iter().enumerate().filter(|(_, certificate)| certificate.waits);
        for number in waiting.map(|(number, _)| number).collect::<Vec<_>>() {
            self.wait_in_line(number);
        }
    }

    /// The issuer works again: tries as a probe don't count any more.
    fn count_anew(&mut self) {
        for (_, _, number) in std::mem::take(&mut self.line) {
            certificate_mut(&mut self.certificates, number, |certificate| certificate.probes = 0);
            self.wait_in_line(number);
        }
    }

    /// Everleaf: as many calls as the pace admits, the least life left first.
    fn admit(&mut self, at: Duration) {
        while let Some(&(probes, ends, number)) = self.line.first() {
            let ticket = match self.pace.admit(Moment(at)) {
                Admission::Go(ticket) | Admission::Probe(ticket) => ticket,
                Admission::Full => return,
                Admission::NotBefore(Moment(moment)) => {
                    // Never now: a moment that is over would be asked for again and again.
                    let moment = moment.max(at + Duration::from_millis(1));
                    if self.woken.is_none_or(|woken| moment < woken) {
                        self.woken = Some(moment);
                        self.schedule(moment, Event::Wake);
                    }
                    return;
                }
            };
            self.line.remove(&(probes, ends, number));
            certificate_mut(&mut self.certificates, number, |certificate| {
                certificate.probes += u32::from(ticket.probe().is_some());
                certificate.ticket = Some(ticket);
            });
            self.call(number, at);
        }
    }

    /// The peer: whoever came first, as many as there are workers.
    fn hand_out(&mut self, at: Duration) {
        while self.busy < PEER_WORKERS {
            let Some(number) = self.queue.pop_front() else { return };
            self.busy += 1;
            self.call(number, at);
        }
    }
}

fn certificate_mut(all: &mut [Certificate], number: usize, change: impl FnOnce(&mut Certificate)) {
    if let Some(certificate) = all.get_mut(number) {
        change(certificate);
    }
}
