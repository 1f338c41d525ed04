//! What happens to a Certificate next, case by case. Each test is one state and the one thing to do in it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod makers;

use std::time::Duration;

use everleaf_core::conditions;
use everleaf_core::decide::{PATIENCE, Policy, decide};
use everleaf_core::observed::*;
use everleaf_core::plan::{KeyOrigin, Plan, Step};
use everleaf_core::retry::Cadence;
use everleaf_core::wanted::{Rotation, Wanted};
use everleaf_core::x509::{KeyKind, RsaSize};
use jiff::Timestamp;
use makers::*;

const POLICY: Policy =
    Policy { cadence: Cadence::BoundByLife, issuer_changed: None, owner_references: false };

fn plan(wanted: &Wanted, seen: &Observed, now: Timestamp) -> Plan {
    decide(wanted, seen, POLICY, now)
}

fn held(key: &everleaf_core::x509::PrivateKey) -> NextKey {
    NextKey::Held { facts: facts(key), secret_name: "web-x7k2p".into() }
}

fn stored(key: &everleaf_core::x509::PrivateKey) -> NextKey {
    NextKey::Stored { facts: facts(key), secret_name: "web-x7k2p".into() }
}

#[test]
fn a_new_certificate_asks_at_once_and_writes_nothing_else() {
    let plan = plan(&wanted("a.example"), &nothing(), start());
    assert!(matches!(
        plan.step,
        Step::Request { origin: KeyOrigin::Made, revision: 1, ref key_secret_name } if key_secret_name == "web-x7k2p"
    ));
    assert_eq!(plan.status, None, "status is not written while the answer is expected at once");
    assert_eq!(plan.wake, Some(start() + PATIENCE));
}

#[test]
fn a_request_that_leaves_our_hands_has_its_key_stored_first() {
    let wish = wanted("a.example");
    let mut seen = Observed { answered_here: false, ..nothing() };
    let first = plan(&wish, &seen, start());
    assert!(matches!(first.step, Step::StoreKey { origin: KeyOrigin::Made, .. }));
    let status = first.status.unwrap();
    assert_eq!(status.next_key_name.as_deref(), Some("web-x7k2p"));
    assert_eq!(status.issuing.unwrap().reason, "DoesNotExist");
    assert_eq!(status.ready.reason, "DoesNotExist");
    let key = key();
    seen.key = stored(&key);
    seen.stored_keys = vec!["web-x7k2p".into()];
    let second = plan(&wish, &seen, start());
    assert!(matches!(second.step, Step::Request { origin: KeyOrigin::InHand, revision: 1, .. }));
}

#[test]
fn a_signed_request_is_stored_and_told_in_one_step() {
    let (wish, key) = (wanted("a.example"), key());
    let leaf = certificate(&wish, &key, start(), hours(24));
    let seen =
        Observed { next: vec![issued(request(&wish, &key, "web-1"), leaf)], key: held(&key), ..nothing() };
    let plan = plan(&wish, &seen, start());
    assert!(matches!(plan.step, Step::Store { revision: 1, ref request, .. } if request == "web-1"));
    let status = plan.status.unwrap();
    assert!(status.ready.holds);
    assert_eq!((status.issuing, status.revision, status.failed_attempts), (None, Some(1), 0));
    assert_eq!(status.leaf.unwrap().renewal, Some(start() + hours(16)), "two thirds of a day");
    assert_eq!(plan.event.unwrap().message, conditions::ISSUED);
}

/// An earlier process ended between the Secret and the status: nothing is asked for anew.
#[test]
fn a_certificate_that_is_stored_but_not_told_is_told() {
    let wish = wanted("a.example");
    let (first, _) = in_order(&wish);
    let first = Observed {
        next: vec![first.current.clone().unwrap()],
        current: None,
        status: StatusSeen::default(),
        ..first
    };
    let (mut renewed, _) = in_order(&wish);
    let new = key();
    let leaf = certificate(&wish, &new, start(), hours(90 * 24));
    renewed.secret = Some(std::sync::Arc::new(secret(&wish, &new, &leaf)));
    renewed.next = vec![issued(request(&wish, &new, "web-2"), leaf)];
    for (seen, revision) in [(first, 1), (renewed, 2)] {
        let plan = plan(&wish, &seen, start() + hours(1));
        assert!(matches!(plan.step, Step::Rest), "{:?}", plan.step);
        let status = plan.status.unwrap();
        assert!(status.ready.holds);
        assert_eq!((status.revision, status.issuing), (Some(revision), None));
        assert_eq!(plan.event.unwrap().message, conditions::ISSUED);
        let elsewhere = decide(&wanted("b.example"), &seen, POLICY, start() + hours(1)).status.unwrap();
        assert_eq!(elsewhere.ready.reason, "RequestChanged", "a spec that changed meanwhile isn't met");
    }
}

#[test]
fn a_certificate_for_another_key_is_never_stored() {
    let (wish, ours, other) = (wanted("a.example"), key(), key());
    let leaf = certificate(&wish, &other, start(), hours(24));
    let seen =
        Observed { next: vec![issued(request(&wish, &ours, "web-1"), leaf)], key: held(&ours), ..nothing() };
    let plan = plan(&wish, &seen, start());
    assert!(matches!(plan.step, Step::Rest));
    let issuing = plan.status.unwrap().issuing.unwrap();
    assert_eq!((issuing.holds, issuing.reason.as_str()), (false, "InvalidCertificate"));
}

#[test]
fn an_expired_answer_is_never_stored() {
    let (wish, key) = (wanted("a.example"), key());
    let leaf = certificate(&wish, &key, start() - hours(48), hours(24));
    let seen =
        Observed { next: vec![issued(request(&wish, &key, "web-1"), leaf)], key: held(&key), ..nothing() };
    let issuing = plan(&wish, &seen, start()).status.unwrap().issuing.unwrap();
    assert_eq!(issuing.reason, "InvalidCertificate");
}

#[test]
fn a_request_whose_key_died_with_an_earlier_process_is_deleted() {
    let (wish, lost) = (wanted("a.example"), key());
    for state in [false, true] {
        let mut request = request(&wish, &lost, "web-1");
        if state {
            request = issued(request, certificate(&wish, &lost, start(), hours(24)));
        }
        let seen = Observed { next: vec![request], ..nothing() };
        assert!(
            matches!(plan(&wish, &seen, start()).step, Step::DeleteRequest { ref name, .. } if name == "web-1")
        );
    }
}

#[test]
fn a_request_that_waits_is_waited_for_quietly_until_there_is_something_to_tell() {
    let (wish, key) = (wanted("a.example"), key());
    let mut seen = Observed { next: vec![request(&wish, &key, "web-1")], key: held(&key), ..nothing() };
    let quiet = plan(&wish, &seen, start());
    assert!(matches!(quiet.step, Step::Rest) && quiet.status.is_none());
    assert_eq!(quiet.wake, Some(start() + PATIENCE));
    seen.next[0].state = RequestState::Waiting { approved: true, told: Some("Transient: sealed".into()) };
    let told = plan(&wish, &seen, start());
    assert!(matches!(told.step, Step::StoreKey { origin: KeyOrigin::InHand, .. }), "this may outlive us");
    let status = told.status.unwrap();
    assert!(!status.ready.holds);
    let issuing = status.issuing.unwrap();
    assert!(issuing.holds && issuing.message.contains("sealed"), "{}", issuing.message);
}

#[test]
fn ready_stays_true_while_a_renewal_waits() {
    let wish = wanted("a.example");
    let (mut seen, _) = in_order(&wish);
    let next = key();
    let mut waiting = request(&wish, &next, "web-2");
    waiting.state = RequestState::Waiting { approved: true, told: Some("Transient: sealed".into()) };
    seen.next = vec![waiting];
    seen.key = stored(&next);
    let status = plan(&wish, &seen, start() + hours(61 * 24)).status.unwrap();
    assert!(status.ready.holds);
    assert_eq!(status.issuing.unwrap().reason, "Renewing");
}

#[test]
fn an_expired_certificate_says_so_at_once_and_why_it_could_not_be_renewed() {
    let wish = wanted("a.example");
    let (mut seen, _) = in_order(&wish);
    let next = key();
    let mut waiting = request(&wish, &next, "web-2");
    waiting.state = RequestState::Waiting { approved: true, told: Some("Transient: sealed".into()) };
    seen.next = vec![waiting];
    seen.key = stored(&next);
    let status = plan(&wish, &seen, start() + hours(91 * 24)).status.unwrap();
    assert_eq!((status.ready.holds, status.ready.reason.as_str()), (false, "Expired"));
    assert!(status.ready.message.contains("sealed"));
}

#[test]
fn a_certificate_in_order_rests_until_its_renewal() {
    let wish = wanted("a.example");
    let (seen, _) = in_order(&wish);
    let plan = plan(&wish, &seen, start() + hours(24));
    assert!(matches!(plan.step, Step::Rest));
    assert!(plan.status.unwrap().ready.holds);
    assert_eq!(plan.wake, Some(start() + hours(60 * 24)));
}

#[test]
fn renewal_comes_at_two_thirds_of_the_life_and_not_before() {
    let wish = wanted("a.example");
    let (seen, _) = in_order(&wish);
    let due = start() + hours(60 * 24);
    assert!(matches!(plan(&wish, &seen, due - hours(1)).step, Step::Rest));
    assert!(matches!(plan(&wish, &seen, due).step, Step::Request { revision: 2, .. }));
}

#[test]
fn every_damage_to_the_secret_is_issued_again_with_its_reason() {
    let wish = wanted("a.example");
    let (seen, _) = in_order(&wish);
    type Damage = (&'static str, fn(&mut SecretSeen));
    let damages: [Damage; 7] = [
        ("MissingData", |secret| secret.data_keys.clear()),
        ("MissingData", |secret| secret.key = Entry::Missing),
        ("MissingData", |secret| secret.certificate = Entry::Missing),
        ("InvalidKeyPair", |secret| secret.key = Entry::Unreadable("no PEM".into())),
        ("InvalidCertificate", |secret| secret.certificate = Entry::Unreadable("no PEM".into())),
        ("InvalidKeyPair", |secret| secret.key = Entry::Read(facts(&key()))),
        ("IncorrectIssuer", |secret| {
            secret.annotations.insert(everleaf_core::annotations::ISSUER_NAME.into(), "other".into());
        }),
    ];
    for (reason, damage) in damages {
        // Answered elsewhere, so that the reason is published in the first step.
        let seen = Observed { answered_here: false, ..with_secret(seen.clone(), damage) };
        let plan = plan(&wish, &seen, start() + hours(1));
        assert!(matches!(plan.step, Step::StoreKey { .. }), "{reason}");
        assert_eq!(plan.status.unwrap().issuing.unwrap().reason, reason);
    }
    let gone = Observed { secret: None, answered_here: false, ..seen };
    assert_eq!(plan(&wish, &gone, start()).status.unwrap().issuing.unwrap().reason, "DoesNotExist");
}

#[test]
fn a_changed_spec_is_issued_again() {
    let (seen, _) = in_order(&wanted("a.example"));
    let seen = Observed { answered_here: false, ..seen };
    let status = plan(&wanted("b.example"), &seen, start() + hours(1)).status.unwrap();
    let issuing = status.issuing.unwrap();
    assert_eq!(issuing.reason, "RequestChanged");
    assert!(issuing.message.contains("[spec.dnsNames]"), "{}", issuing.message);
    assert!(!status.ready.holds);
}

#[test]
fn a_restored_backup_without_requests_is_not_issued_again() {
    let wish = wanted("a.example");
    let (seen, _) = in_order(&wish);
    let restored = Observed { current: None, history: vec![], status: StatusSeen::default(), ..seen };
    let plan = plan(&wish, &restored, start() + hours(1));
    assert!(matches!(plan.step, Step::Rest));
    assert!(plan.status.unwrap().ready.holds);
}

#[test]
fn a_request_that_no_longer_fits_the_spec_is_deleted() {
    let key = key();
    let old = request(&wanted("old.example"), &key, "web-1");
    let seen = Observed { next: vec![old], key: held(&key), ..nothing() };
    assert!(matches!(plan(&wanted("new.example"), &seen, start()).step, Step::DeleteRequest { .. }));
}

#[test]
fn a_denial_is_told_once_and_then_waited_out() {
    let (wish, key) = (wanted("a.example"), key());
    let denied = ended(request(&wish, &key, "web-1"), "Denied", "no such names here", start());
    let mut seen = Observed { next: vec![denied], key: held(&key), ..nothing() };
    let first = plan(&wish, &seen, start());
    let status = first.status.unwrap();
    assert_eq!(status.failed_attempts, 1);
    assert_eq!(status.issuing.as_ref().unwrap().reason, "Denied");
    assert!(first.event.unwrap().warning);
    seen.status.last_failure = Some(start());
    seen.status.failed_attempts = 1;
    seen.status.issuing = Some((status.issuing.unwrap(), start()));
    let soon = plan(&wish, &seen, start() + Duration::from_secs(10));
    assert!(matches!(soon.step, Step::Rest), "{:?}", soon.step);
    assert!(soon.wake.unwrap() > start() + Duration::from_secs(60));
    let later = plan(&wish, &seen, start() + hours(9));
    assert!(matches!(later.step, Step::DeleteRequest { .. }), "a new try begins with a new request");
}

#[test]
fn a_proved_refusal_is_tried_again_at_once_when_the_issuer_changes() {
    let (wish, key) = (wanted("a.example"), key());
    let message = format!("{} (sign failed: name not allowed).", conditions::REFUSED);
    let refused = ended(request(&wish, &key, "web-1"), "Failed", &message, start());
    let mut seen = Observed { next: vec![refused], ..nothing() };
    seen.status.last_failure = Some(start());
    seen.status.failed_attempts = 1;
    let now = start() + Duration::from_secs(20);
    assert!(matches!(plan(&wish, &seen, now).step, Step::Rest));
    let changed = Policy { issuer_changed: Some(start() + Duration::from_secs(10)), ..POLICY };
    assert!(matches!(decide(&wish, &seen, changed, now).step, Step::DeleteRequest { .. }));
}

#[test]
fn a_proved_refusal_is_tried_again_at_once_when_the_spec_changes() {
    let (old, new, key) = (wanted("bad.example"), wanted("good.example"), key());
    let message = format!("{} (sign failed: name not allowed).", conditions::REFUSED);
    let refused = ended(request(&old, &key, "web-1"), "Failed", &message, start());
    let mut seen = Observed { next: vec![refused], ..nothing() };
    seen.status.last_failure = Some(start());
    seen.status.failed_attempts = 1;
    let now = start() + Duration::from_secs(20);
    assert!(matches!(plan(&old, &seen, now).step, Step::Rest));

    let first = plan(&new, &seen, now);
    assert!(matches!(first.step, Step::Rest), "{:?}", first.step);
    seen.status.last_failure = first.status.unwrap().last_failure;
    assert_eq!(seen.status.last_failure, None, "the refusal of the old spec is forgotten first");
    assert!(matches!(plan(&new, &seen, now).step, Step::DeleteRequest { .. }));
    seen.next.clear();
    assert!(matches!(plan(&new, &seen, now).step, Step::Request { .. }));
}

#[test]
fn a_back_off_that_another_controller_left_after_an_unproved_failure_is_dropped() {
    let (wish, key) = (wanted("a.example"), key());
    let left = ended(request(&wish, &key, "web-1"), "Failed", "Vault failed to sign: 503", start());
    let mut seen = Observed { next: vec![left], ..nothing() };
    seen.status.last_failure = Some(start());
    seen.status.failed_attempts = 6;
    assert!(matches!(plan(&wish, &seen, start() + hours(1)).step, Step::DeleteRequest { .. }));
    // Its request is gone then, and the failure still stands in status.
    let said = conditions::failed("Vault failed to sign: 503");
    seen.next.clear();
    seen.status.issuing = Some((conditions::Condition::no("Failed", said), start()));
    assert!(matches!(plan(&wish, &seen, start() + hours(1)).step, Step::Request { .. }));
    let refused = conditions::failed(&format!("{} (sign failed: no)", conditions::REFUSED));
    seen.status.issuing = Some((conditions::Condition::no("Failed", refused), start()));
    assert!(
        matches!(plan(&wish, &seen, start() + hours(1)).step, Step::Rest),
        "a proved refusal keeps its time"
    );
}

/// The certificate of another's issuer is told once and waited out like any other failure, with the request left for those who look.
#[test]
fn a_useless_answer_is_told_once_and_then_waited_out() {
    let (mut wish, ours, other) = (wanted("a.example"), key(), key());
    wish.issuer.written_group = "issuers.example.com".into();
    let leaf = certificate(&wish, &other, start(), hours(24));
    let answered = issued(request(&wish, &ours, "web-1"), leaf);
    let mut seen = Observed { next: vec![answered], key: stored(&ours), answered_here: false, ..nothing() };
    let status = plan(&wish, &seen, start() + Duration::from_secs(1)).status.unwrap();
    assert_eq!((status.failed_attempts, status.issuing.unwrap().reason.as_str()), (1, "InvalidCertificate"));
    seen.status.last_failure = status.last_failure;
    seen.status.failed_attempts = 1;
    seen.stored_keys = vec!["web-x7k2p".into()];
    let soon = plan(&wish, &seen, start() + Duration::from_secs(2));
    assert!(matches!(soon.step, Step::DeleteKey { .. }), "{:?}", soon.step);
    seen.stored_keys.clear();
    seen.key = NextKey::None;
    let rests = plan(&wish, &seen, start() + Duration::from_secs(3));
    assert!(matches!(rests.step, Step::Rest), "{:?}", rests.step);
    assert_eq!(rests.status.unwrap().failed_attempts, 1);
    assert!(matches!(plan(&wish, &seen, start() + hours(9)).step, Step::DeleteRequest { .. }));
}

#[test]
fn a_useless_answer_of_a_built_in_issuer_is_tried_again_in_seconds() {
    let (wish, key) = (wanted("a.example"), key());
    let dead = certificate(&wish, &key, start() - hours(48), hours(24));
    let mut seen = Observed { next: vec![issued(request(&wish, &key, "web-1"), dead)], ..nothing() };
    seen.status.last_failure = Some(start());
    seen.status.failed_attempts = 1;
    let later = plan(&wish, &seen, start() + Duration::from_secs(3));
    assert!(matches!(later.step, Step::DeleteRequest { .. }), "{:?}", later.step);
    seen.status.failed_attempts = 9;
    let soon = plan(&wish, &seen, start() + Duration::from_secs(3));
    assert!(matches!(soon.step, Step::Rest), "another that keeps answering so is not asked without end");
}

#[test]
fn an_end_that_another_clock_puts_into_the_future_is_told_once() {
    let (wish, key) = (wanted("a.example"), key());
    let at = start() + hours(1);
    let denied = ended(request(&wish, &key, "web-1"), "Denied", "no such names here", at);
    let seen = Observed { next: vec![denied], key: held(&key), ..nothing() };
    assert_eq!(plan(&wish, &seen, start()).status.unwrap().last_failure, Some(at));
}

#[test]
fn the_peers_cadence_holds_for_its_full_time_when_it_is_asked_for() {
    let wish = wanted("a.example");
    let mut seen = nothing();
    seen.status.last_failure = Some(start());
    seen.status.failed_attempts = 7;
    let cadence =
        Cadence::Doubling { minimum: Duration::from_secs(3600), maximum: Duration::from_secs(32 * 3600) };
    let policy = Policy { cadence, ..POLICY };
    assert!(matches!(decide(&wish, &seen, policy, start() + hours(31)).step, Step::Rest));
    assert!(matches!(decide(&wish, &seen, policy, start() + hours(32)).step, Step::Request { .. }));
}

#[test]
fn issuing_set_by_hand_starts_an_issuance_from_any_state() {
    let wish = wanted("a.example");
    let (mut seen, _) = in_order(&wish);
    seen.status.issuing = issuing("ManuallyTriggered", start() + hours(1));
    seen.status.last_failure = Some(start());
    seen.status.failed_attempts = 3;
    let plan = plan(&wish, &seen, start() + hours(1));
    assert!(matches!(plan.step, Step::Request { revision: 2, .. }), "{:?}", plan.step);
}

#[test]
fn rotation_never_keeps_the_key() {
    let mut wish = wanted("a.example");
    wish.key.rotation = Rotation::Never;
    let (seen, _) = in_order(&wish);
    let seen = with_secret(seen, |secret| secret.certificate = Entry::Missing);
    assert!(matches!(plan(&wish, &seen, start()).step, Step::Request { origin: KeyOrigin::Kept, .. }));
}

#[test]
fn rotation_never_with_a_key_that_does_not_fit_waits_for_a_person() {
    let mut wish = wanted("a.example");
    wish.key.rotation = Rotation::Never;
    let (seen, _) = in_order(&wish);
    wish.key.kind = KeyKind::Rsa(RsaSize::new(2048).unwrap());
    let plan = plan(&wish, &seen, start());
    assert!(matches!(plan.step, Step::Rest));
    assert_eq!(plan.event.unwrap().reason, "CannotRegenerateKey");
    assert!(plan.status.unwrap().issuing.unwrap().holds);
}

#[test]
fn leftover_keys_and_old_requests_are_tidied_one_by_one() {
    let wish = wanted("a.example");
    let (mut seen, _) = in_order(&wish);
    seen.stored_keys = vec!["web-old".into()];
    assert!(
        matches!(plan(&wish, &seen, start()).step, Step::DeleteKey { ref secret_name, .. } if secret_name == "web-old")
    );
    seen.stored_keys.clear();
    seen.status.revision = Some(2);
    seen.current.as_mut().unwrap().name = "web-2".into();
    seen.history = vec![(1, "web-1".into()), (2, "web-2".into())];
    assert!(
        matches!(plan(&wish, &seen, start()).step, Step::DeleteRequest { ref name, .. } if name == "web-1")
    );
}

/// A Secret that came back by itself, or a spec that was changed back, leaves a request that nobody waits for.
#[test]
fn the_request_of_an_issuance_that_is_wanted_no_longer_goes_and_never_the_current_one() {
    let wish = wanted("a.example");
    let (mut seen, _) = in_order(&wish);
    seen.next = vec![request(&wish, &key(), "web-2")];
    seen.history = vec![(1, "web-1".into()), (2, "web-2".into())];
    let first = plan(&wish, &seen, start() + hours(1));
    assert!(
        matches!(first.step, Step::DeleteRequest { ref name, .. } if name == "web-2"),
        "{:?}",
        first.step
    );
    seen.next.clear();
    seen.history = vec![(1, "web-1".into()), (7, "web-7".into())];
    let second = plan(&wish, &seen, start() + hours(1));
    assert!(
        matches!(second.step, Step::DeleteRequest { ref name, .. } if name == "web-7"),
        "{:?}",
        second.step
    );
}

#[test]
fn a_secret_that_another_certificate_holds_is_left_alone() {
    let seen = Observed { claim: Claim::HeldBy("older".into()), ..nothing() };
    let plan = plan(&wanted("a.example"), &seen, start());
    assert!(matches!(plan.step, Step::Rest));
    let ready = plan.status.unwrap().ready;
    assert_eq!(ready.reason, "IncorrectCertificate");
    assert!(ready.message.contains("older"));
}

#[test]
fn owner_references_follow_the_policy_without_a_new_certificate() {
    let wish = wanted("a.example");
    let (seen, _) = in_order(&wish);
    let on = Policy { owner_references: true, ..POLICY };
    assert!(matches!(
        decide(&wish, &seen, on, start()).step,
        Step::Refresh { why: "SecretOwnerRefMismatch" }
    ));
    let owned = with_secret(seen, |secret| secret.owners = vec!["uid-1".into()]);
    assert!(matches!(decide(&wish, &owned, on, start()).step, Step::Rest));
    assert!(matches!(plan(&wish, &owned, start()).step, Step::Rest), "another's owner reference stays");
    let by_us = with_secret(owned, |secret| {
        secret.managed =
            Ok(Some(ManagedSet { owners: ["uid-1".to_owned()].into(), ..ManagedSet::default() }));
    });
    assert!(matches!(plan(&wish, &by_us, start()).step, Step::Refresh { .. }));
}

#[test]
fn labels_and_annotations_of_ours_that_are_gone_are_written_again() {
    let wish = wanted("a.example");
    let (seen, _) = in_order(&wish);
    let damages: [fn(&mut SecretSeen); 3] = [
        |secret| drop(secret.labels.remove("controller.cert-manager.io/fao")),
        |secret| drop(secret.annotations.remove("cert-manager.io/alt-names")),
        |secret| drop(secret.annotations.insert("cert-manager.io/ip-sans".into(), "192.0.2.1".into())),
    ];
    for damage in damages {
        let seen = with_secret(seen.clone(), damage);
        assert!(matches!(plan(&wish, &seen, start()).step, Step::Refresh { .. }));
    }
}

#[test]
fn a_changed_secret_template_is_written_without_a_new_certificate() {
    let mut wish = wanted("a.example");
    let (seen, _) = in_order(&wish);
    wish.secret_template.labels.insert("team".into(), "web".into());
    assert!(matches!(plan(&wish, &seen, start()).step, Step::Refresh { .. }));
}

/// A Certificate that wants a temporary certificate, with a request that waits.
fn impatient(wish: &Wanted, key: &everleaf_core::x509::PrivateKey) -> Observed {
    let me = Identity { wants_temporary: true, ..nothing().me };
    Observed { me, next: vec![request(wish, key, "web-1")], key: held(key), ..nothing() }
}

fn temporary(wish: &Wanted, key: &everleaf_core::x509::PrivateKey) -> everleaf_core::checked::Checked {
    let serials = [7, 8].map(|byte| everleaf_core::x509::Serial::from_random([byte; 20]));
    everleaf_core::temporary::sign(&request(wish, key, "web-1"), &makers::key(), serials, start()).unwrap()
}

#[test]
fn a_temporary_certificate_is_stored_while_the_request_waits_if_it_is_asked_for() {
    let (wish, key) = (wanted("a.example"), key());
    let seen = impatient(&wish, &key);
    let wish_now = plan(&wish, &seen, start());
    assert!(matches!(wish_now.step, Step::StoreTemporary { ref request } if request == "web-1"));
    assert_eq!(wish_now.status, None);
    assert_eq!(wish_now.event.unwrap().message, conditions::ISSUED_TEMPORARY);
    let patient = Observed { me: nothing().me, ..seen.clone() };
    assert!(matches!(plan(&wish, &patient, start()).step, Step::Rest), "nobody asked for one");
    let leaf = certificate(&wish, &key, start(), hours(24));
    let answered = Observed { next: vec![issued(request(&wish, &key, "web-1"), leaf)], ..seen };
    assert!(matches!(plan(&wish, &answered, start()).step, Step::Store { .. }), "the real one is there");
}

#[test]
fn no_temporary_certificate_replaces_a_pair_that_can_be_used() {
    let wish = wanted("a.example");
    let (sound, _) = in_order(&wish);
    let next = key();
    let seen = Observed {
        me: Identity { wants_temporary: true, ..nothing().me },
        next: vec![request(&wish, &next, "web-2")],
        key: held(&next),
        ..sound
    };
    let renewal = start() + hours(80 * 24);
    assert!(!matches!(plan(&wish, &seen, renewal).step, Step::StoreTemporary { .. }));
    let broken = with_secret(seen, |secret| secret.certificate = Entry::Missing);
    assert!(matches!(plan(&wish, &broken, renewal).step, Step::StoreTemporary { .. }));
}

#[test]
fn a_temporary_certificate_is_never_taken_for_the_real_one() {
    let (wish, key) = (wanted("a.example"), key());
    let checked = temporary(&wish, &key);
    let leaf = checked.chain().leaf().clone();
    assert_eq!(leaf.issuer().common_name().as_deref(), Some("cert-manager.local"));
    assert_eq!((leaf.not_before(), leaf.not_after()), (start(), start() + hours(90 * 24)));
    assert_eq!(leaf.sans().dns, ["a.example"]);
    assert_eq!(leaf.public_key(), key.public());
    let mut stands = secret(&wish, &key, &leaf);
    let issuer =
        ["cert-manager.io/issuer-name", "cert-manager.io/issuer-kind", "cert-manager.io/issuer-group"];
    issuer.iter().for_each(|mark| drop(stands.annotations.remove(*mark)));
    let seen = Observed { secret: Some(std::sync::Arc::new(stands)), ..impatient(&wish, &key) };
    let waits = plan(&wish, &seen, start());
    assert!(matches!(waits.step, Step::Rest), "it isn't made twice: {:?}", waits.step);
    let later = plan(&wish, &seen, start() + PATIENCE);
    let status = later.status.unwrap();
    assert_eq!((status.ready.holds, status.ready.reason.as_str()), (false, "IncorrectIssuer"));
    assert!(status.ready.message.contains("temporary certificate"), "{}", status.ready.message);
    assert!(status.issuing.unwrap().holds);
    // After a crash the request is gone with its key: the issuance starts anew, whatever the Secret holds.
    let crashed = Observed { next: vec![], key: NextKey::None, ..seen };
    assert!(matches!(plan(&wish, &crashed, start()).step, Step::Request { .. }));
}

fn missing_password() -> everleaf_core::hindered::Hindrance {
    everleaf_core::hindered::Hindrance {
        reason: everleaf_core::hindered::PASSWORD_NOT_FOUND,
        message: "there is no Secret \"pw\"".into(),
    }
}

#[test]
fn an_issuance_without_its_keystore_password_keeps_its_key_and_tells_why_once() {
    let (wish, key) = (wanted("a.example"), key());
    let leaf = certificate(&wish, &key, start(), hours(24));
    let answered = issued(request(&wish, &key, "web-1"), leaf);
    let mut seen = Observed { next: vec![answered], key: held(&key), ..nothing() };
    let told = everleaf_core::hindered::hindered(&wish, &seen, POLICY, start(), &missing_password());
    assert!(matches!(told.step, Step::StoreKey { origin: KeyOrigin::InHand, .. }), "this may outlive us");
    let event = told.event.unwrap();
    assert_eq!((event.warning, event.reason.as_str()), (true, "KeystorePasswordSecretNotFound"));
    let status = told.status.unwrap();
    assert!(!status.ready.holds && status.ready.message.contains("there is no Secret \"pw\""));
    let issuing = status.issuing.clone().unwrap();
    assert!(issuing.holds && issuing.message.contains("there is no Secret \"pw\""));
    assert_eq!(status.next_key_name.as_deref(), Some("web-x7k2p"));
    assert!(told.wake.unwrap() >= start() + Duration::from_secs(60), "the Secret's appearance wakes it");

    seen.key = stored(&key);
    seen.status.ready = Some(status.ready);
    seen.status.issuing = Some((issuing, start()));
    seen.status.next_key_name = status.next_key_name;
    let again = everleaf_core::hindered::hindered(&wish, &seen, POLICY, start(), &missing_password());
    assert!(matches!(again.step, Step::Rest));
    assert_eq!(again.event, None);
    assert!(matches!(plan(&wish, &seen, start()).step, Step::Store { .. }), "each pass tries it");
}

#[test]
fn a_certificate_in_order_stays_ready_while_a_keystore_lacks_its_password() {
    let wish = wanted("a.example");
    let (seen, _) = in_order(&wish);
    let told = everleaf_core::hindered::hindered(&wish, &seen, POLICY, start(), &missing_password());
    assert!(matches!(told.step, Step::Rest));
    let status = told.status.unwrap();
    assert!(status.ready.holds && status.ready.message.contains("there is no Secret \"pw\""));
    assert_eq!(status.issuing, None);
}
