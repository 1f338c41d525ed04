//! Every state in which a controller that died, or somebody who interfered, can leave an issuance: from each of them the passes that follow come
//! to a certificate in order. A pass that leaves everything as it is has to say who wakes the next one, or it hangs.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod makers;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use everleaf_core::conditions::Condition;
use everleaf_core::decide::{Policy, decide};
use everleaf_core::observed::*;
use everleaf_core::plan::{KeyOrigin, Plan, StatusWish, Step};
use everleaf_core::retry::Cadence;
use everleaf_core::wanted::{Rotation, Wanted};
use everleaf_core::x509::{PrivateKey, PublicKey};
use jiff::Timestamp;
use makers::*;

const POLICY: Policy =
    Policy { cadence: Cadence::BoundByLife, issuer_changed: None, owner_references: false };
/// More than any of these states needs.
const PASSES: usize = 25;
const KEY_SECRET: &str = "web-x7k2p";

thread_local! {
    /// Every private key of this test, whoever holds it.
    static KEYS: RefCell<Vec<Arc<PrivateKey>>> = const { RefCell::new(Vec::new()) };
}

fn known(key: PrivateKey) -> Arc<PrivateKey> {
    let key = Arc::new(key);
    KEYS.with_borrow_mut(|keys| keys.push(key.clone()));
    key
}

fn private(public: &PublicKey) -> Arc<PrivateKey> {
    KEYS.with_borrow(|keys| keys.iter().find(|key| key.public() == public).cloned()).unwrap()
}

/// A cluster of one Certificate: what the operator would do with a plan, done to plain data.
#[derive(Clone)]
struct Play {
    wish: Wanted,
    seen: Observed,
    /// Secrets with next keys.
    stored: BTreeMap<String, Option<PublicKey>>,
    /// The key in memory.
    held: Option<PublicKey>,
    now: Timestamp,
}

impl Play {
    fn of(wish: &Wanted, seen: Observed) -> Play {
        let now = start() + hours(1);
        Play { wish: wish.clone(), seen, stored: BTreeMap::new(), held: None, now }
    }

    fn storing(mut self, name: &str, key: Option<&PrivateKey>) -> Play {
        self.stored.insert(name.to_owned(), key.map(|key| key.public().clone()));
        self
    }

    fn holding(mut self, key: &PrivateKey) -> Play {
        self.held = Some(key.public().clone());
        self
    }

    /// As gather does: the stored key that status names, or the first, or the one in memory.
    fn gather(&mut self) {
        let named = self.seen.status.next_key_name.clone().unwrap_or_default();
        let chosen = self.stored.get_key_value(&named).or(self.stored.first_key_value());
        self.seen.key = match (chosen, &self.held) {
            (Some((name, Some(public))), _) => {
                NextKey::Stored { facts: facts(&private(public)), secret_name: name.clone() }
            }
            (Some((name, None)), _) => NextKey::Spoilt { secret_name: name.clone() },
            (None, Some(public)) => {
                NextKey::Held { facts: facts(&private(public)), secret_name: KEY_SECRET.into() }
            }
            (None, None) => NextKey::None,
        };
        self.seen.stored_keys = self.stored.keys().cloned().collect();
    }

    /// As apply does. A step that can't be taken is a fault of the plan.
    fn apply(&mut self, plan: Plan) {
        match plan.step {
            Step::Rest => {}
            Step::DeleteRequest { name, .. } => self.delete_request(&name),
            Step::DeleteKey { secret_name, .. } => {
                assert!(self.stored.remove(&secret_name).is_some(), "{secret_name} isn't there");
                self.held = None;
            }
            Step::StoreKey { origin, secret_name } => {
                let public = self.key(origin);
                assert!(self.stored.insert(secret_name, Some(public)).is_none(), "a key is overwritten");
            }
            Step::Request { origin, revision, .. } => {
                let public = self.key(origin);
                let name = format!("web-{revision}");
                assert!(self.seen.next.is_empty(), "{name} is there already");
                let mut made = request(&self.wish, &private(&public), &name);
                made.created = self.now;
                self.held = Some(public);
                self.seen.next.push(made);
                self.seen.history.push((revision, name));
            }
            Step::Store { checked, .. } => {
                let leaf = checked.chain().leaf();
                let public = self.seen.key.facts().unwrap().public.clone();
                assert_eq!(&public, leaf.public_key(), "a Secret with a key that doesn't match");
                self.seen.secret = Some(Arc::new(secret(&self.wish, &private(&public), leaf)));
            }
            step @ (Step::StoreTemporary { .. } | Step::Refresh { .. }) => panic!("{step:?}"),
        }
        if let Some(wish) = plan.status {
            self.publish(wish);
        }
    }

    fn delete_request(&mut self, name: &str) {
        let seen = &mut self.seen;
        let before = seen.history.len() + seen.strays.len();
        seen.next.retain(|request| request.name != name);
        seen.strays.retain(|stray| stray != name);
        seen.history.retain(|(_, request)| request != name);
        assert!(seen.history.len() + seen.strays.len() < before, "{name} isn't there");
        self.held = None;
    }

    fn key(&self, origin: KeyOrigin) -> PublicKey {
        match origin {
            KeyOrigin::Made => known(key()).public().clone(),
            KeyOrigin::Kept => self.seen.secret.as_ref().unwrap().key.read().unwrap().public.clone(),
            KeyOrigin::InHand => self.seen.key.facts().unwrap().public.clone(),
        }
    }

    fn publish(&mut self, wish: StatusWish) {
        let status = &mut self.seen.status;
        let since = |condition: &Condition| match &status.issuing {
            Some((old, since)) if old.holds == condition.holds => *since,
            _ => self.now,
        };
        let issuing = wish.issuing.map(|condition| (condition.clone(), since(&condition)));
        if wish.revision != status.revision {
            let name = format!("web-{}", wish.revision.unwrap());
            self.seen.current = self.seen.next.iter().find(|request| request.name == name).cloned();
            self.seen.next.retain(|request| request.name != name);
            self.held = None;
        }
        *status = StatusSeen {
            ready: Some(wish.ready),
            issuing,
            revision: wish.revision,
            last_failure: wish.last_failure,
            failed_attempts: wish.failed_attempts,
            next_key_name: wish.next_key_name,
            renewal_time: wish.leaf.and_then(|leaf| leaf.renewal),
        };
    }

    /// The issuer signs what waits. Returns whether anything did.
    fn sign(&mut self) -> bool {
        let waiting = |request: &&mut RequestSeen| matches!(request.state, RequestState::Waiting { .. });
        let Some(request) = self.seen.next.iter_mut().find(waiting) else { return false };
        let public = request.csr.as_ref().unwrap().public_key();
        let leaf = certificate(&self.wish, &private(public), self.now, hours(90 * 24));
        *request = issued(request.clone(), leaf);
        true
    }

    fn is_in_order(&self) -> bool {
        let status = &self.seen.status;
        status.ready.as_ref().is_some_and(|ready| ready.holds)
            && status.issuing.is_none()
            && (status.last_failure, status.failed_attempts) == (None, 0)
            && status.next_key_name.is_none()
            && self.stored.is_empty()
            && self.seen.next.is_empty()
            && self.seen.strays.is_empty()
            && self.seen.history.len() <= 1
    }

    /// Passes, each woken by what the one before changed, by the issuer's answer, or by the date it named.
    fn run(mut self, name: &str) -> Play {
        let mut steps = Vec::new();
        for _ in 0..PASSES {
            self.gather();
            let before = format!("{:?}{:?}", self.seen, self.stored);
            let plan = decide(&self.wish, &self.seen, POLICY, self.now);
            let wake = plan.wake;
            steps.push(format!("{:?} -> wake {wake:?}", plan.step));
            self.apply(plan);
            self.gather();
            if format!("{:?}{:?}", self.seen, self.stored) != before || self.sign() {
                continue;
            }
            if self.is_in_order() {
                assert!(wake.is_some_and(|at| at > self.now), "{name}: it would never be renewed");
                return self;
            }
            let at = wake.unwrap_or_else(|| panic!("{name} hangs:\n{}\n{:?}", steps.join("\n"), self.seen));
            assert!(at > self.now, "{name} runs in a circle:\n{}", steps.join("\n"));
            self.now = at;
        }
        panic!("{name} comes to no end:\n{}", steps.join("\n"));
    }
}

/// A Certificate in order, with its key known.
fn sound(wish: &Wanted) -> Observed {
    let (seen, key) = in_order(wish);
    known(key);
    seen
}

/// A Secret with a certificate that was issued after the first one.
fn renewed(wish: &Wanted, seen: Observed) -> (Observed, RequestSeen) {
    let new = known(key());
    let leaf = certificate(wish, &new, start(), hours(90 * 24));
    let request = issued(request(wish, &new, "web-2"), leaf.clone());
    let secret = Some(Arc::new(secret(wish, &new, &leaf)));
    let history = vec![(1, "web-1".into()), (2, "web-2".into())];
    (Observed { secret, next: vec![request.clone()], history, ..seen }, request)
}

fn with_request(request: RequestSeen, seen: Observed) -> Observed {
    let revision = request.name.trim_start_matches("web-").parse().unwrap();
    let mut history = seen.history.clone();
    history.push((revision, request.name.clone()));
    Observed { next: vec![request], history, ..seen }
}

fn with_status(seen: Observed, change: impl FnOnce(&mut StatusSeen)) -> Observed {
    let mut seen = seen;
    change(&mut seen.status);
    seen
}

type States = Vec<(&'static str, Play)>;

/// A process ended between two writes.
fn left_by_a_crash(wish: &Wanted) -> States {
    let lost = known(key());
    let waiting = request(wish, &lost, "web-1");
    let answered = issued(waiting.clone(), certificate(wish, &lost, start(), hours(24)));
    let useless = issued(waiting.clone(), certificate(wish, &key(), start(), hours(24)));
    let expired = issued(waiting.clone(), certificate(wish, &lost, start() - hours(48), hours(24)));
    let sound = sound(wish);
    let told_late =
        Observed { next: sound.current.clone().into_iter().collect(), current: None, ..sound.clone() };
    let told_late = with_status(told_late, |status| status.revision = None);
    let by_hand = |seen| with_status(seen, |status| status.issuing = issuing("ManuallyTriggered", start()));
    let (stored_again, _) = renewed(wish, sound.clone());
    let named = |seen| with_status(seen, |status| status.next_key_name = Some(KEY_SECRET.into()));
    let of = |seen| Play::of(wish, seen);
    vec![
        ("nothing is there", of(nothing())),
        ("a key is stored, status doesn't name it", of(nothing()).storing(KEY_SECRET, Some(&lost))),
        ("a key is stored and named", of(named(nothing())).storing(KEY_SECRET, Some(&lost))),
        ("status names a key that is gone", of(named(by_hand(nothing())))),
        ("a stored key can't be read", of(named(nothing())).storing(KEY_SECRET, None)),
        (
            "two keys are stored, and status names the second",
            of(with_status(nothing(), |status| status.next_key_name = Some("web-zzzzz".into())))
                .storing("web-aaaaa", Some(&lost))
                .storing("web-zzzzz", Some(&lost)),
        ),
        ("a request waits, its key is lost", of(with_request(waiting, nothing()))),
        ("a request is signed, its key is lost", of(with_request(answered.clone(), nothing()))),
        (
            "a request is signed, its key is stored",
            of(with_request(answered.clone(), nothing())).storing(KEY_SECRET, Some(&lost)),
        ),
        (
            "a request is signed, another key is stored",
            of(with_request(answered, nothing())).storing(KEY_SECRET, Some(&known(key()))),
        ),
        (
            "a request is signed for another key",
            of(with_request(useless, nothing())).storing(KEY_SECRET, Some(&lost)),
        ),
        (
            "a request was signed so long ago that it is expired",
            of(with_request(expired, nothing())).storing(KEY_SECRET, Some(&lost)),
        ),
        ("the first certificate is stored, status tells nothing", of(told_late)),
        ("a renewed certificate is stored, status tells of the first", of(stored_again.clone())),
        ("the same, and asked for by hand", of(by_hand(stored_again))),
        (
            "the first certificate is stored, its request is gone, status tells nothing",
            of(with_status(Observed { current: None, history: vec![], ..sound.clone() }, |status| {
                status.revision = None;
            })),
        ),
        ("a key is left though nothing runs", of(named(sound.clone())).storing(KEY_SECRET, Some(&lost))),
        ("Issuing stands though all is in order", of(by_hand(sound))),
    ]
}

/// Somebody changed something meanwhile, or a request ended without a certificate.
fn left_by_others(wish: &Wanted) -> States {
    let lost = known(key());
    let waiting = request(wish, &lost, "web-1");
    let other_spec = request(&wanted("old.example"), &lost, "web-1");
    let unreadable = RequestSeen { csr: Err("no CSR".into()), ..waiting.clone() };
    let failed = ended(waiting.clone(), "Failed", "Vault failed to sign: 503", start());
    let denied = ended(waiting.clone(), "Denied", "no such names", start());
    let sound = sound(wish);
    let told = |seen, reason: &str| {
        with_status(seen, |status| {
            (status.last_failure, status.failed_attempts) = (Some(start()), 1);
            status.issuing = Some((Condition::no(reason, "has failed"), start()));
        })
    };
    let twice = Observed {
        next: vec![waiting.clone(), RequestSeen { name: "web-other".into(), ..waiting }],
        history: vec![(1, "web-1".into()), (1, "web-other".into())],
        ..nothing()
    };
    let idle = with_request(request(wish, &lost, "web-2"), sound.clone());
    let (elsewhere, _) = renewed(&wanted("old.example"), self::sound(&wanted("old.example")));
    let of = |seen| Play::of(wish, seen);
    vec![
        ("the Secret is gone", of(Observed { secret: None, ..sound })),
        ("the spec changed while a request waits", of(with_request(other_spec, nothing())).holding(&lost)),
        ("the spec changed before status told of the Secret", of(elsewhere)),
        ("a request has no revision", of(Observed { strays: vec!["stray".into()], ..nothing() })),
        ("a request can't be read", of(with_request(unreadable, nothing()))),
        ("two requests have the next revision", of(twice).holding(&lost)),
        ("a request waits though all is in order", of(idle)),
        ("a request failed, nobody was told", of(with_request(failed.clone(), nothing())).holding(&lost)),
        ("a request failed and its key is lost", of(with_request(failed.clone(), nothing()))),
        ("a request failed, that is told", of(told(with_request(failed, nothing()), "Failed"))),
        ("a request was denied, nobody was told", of(with_request(denied.clone(), nothing()))),
        ("a request was denied, that is told", of(told(with_request(denied, nothing()), "Denied"))),
        ("a failure is told, its request is gone", of(told(nothing(), "Failed"))),
        (
            "a failure is told, its key is left",
            of(told(nothing(), "Failed")).storing(KEY_SECRET, Some(&lost)),
        ),
        ("Issuing=False stands without a failure", {
            let stale = Some((Condition::no("Failed", "has failed"), start()));
            of(with_status(nothing(), |status| status.issuing = stale))
        }),
    ]
}

fn hold(states: impl Fn(&Wanted) -> States) {
    for rotation in [Rotation::Always, Rotation::Never] {
        let mut wish = wanted("a.example");
        wish.key.rotation = rotation;
        for (name, play) in states(&wish) {
            for answered_here in [true, false] {
                let mut play = play.clone();
                play.seen.answered_here = answered_here;
                let name = format!("{name} ({rotation:?}, answered here: {answered_here})");
                let done = play.run(&name);
                let leaf = done.seen.secret.as_ref().unwrap().certificate.read().unwrap().clone();
                assert_eq!(leaf.sans().dns, ["a.example"], "{name}");
            }
        }
    }
}

#[test]
fn whatever_a_crash_leaves_is_finished() {
    hold(left_by_a_crash);
}

#[test]
fn whatever_others_leave_is_finished() {
    hold(left_by_others);
}

#[test]
fn an_issuance_that_came_between_secret_and_status_is_told_and_not_repeated() {
    let wish = wanted("a.example");
    let (seen, request) = renewed(&wish, sound(&wish));
    let RequestState::Issued { chain: Ok(chain), .. } = request.state else { panic!("it is issued") };
    let done = Play::of(&wish, seen).run("told late");
    assert_eq!(done.seen.status.revision, Some(2));
    let stored = done.seen.secret.unwrap().certificate.read().unwrap().clone();
    assert_eq!(stored.der(), chain.leaf().der(), "it is the one that was stored before");
}
