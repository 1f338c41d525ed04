//! The pace of an issuer: one probe stands for all while it is broken, and the load comes back step by step.
#![allow(clippy::panic)]

use std::time::Duration;

use everleaf_core::failure::Class;
use everleaf_core::pace::{Admission, Answered, Moment, Pace, WIDTH};

fn at(millis: u64) -> Moment {
    Moment(Duration::from_millis(millis))
}

fn down(class: Class) -> Answered {
    Answered::Failed { class, overloaded: false, retry_after: None }
}

fn broken(class: Class) -> Pace {
    let mut pace = Pace::new("issuer");
    for _ in 0..2 {
        assert_eq!(pace.admit(at(0)), Admission::Go);
    }
    for _ in 0..2 {
        pace.answered(down(class), at(0));
    }
    assert!(pace.is_broken());
    pace
}

/// When the next probe may start.
fn probe_at(pace: &mut Pace, now: Moment) -> Moment {
    match pace.admit(now) {
        Admission::Probe => now,
        Admission::NotBefore(at) => {
            assert_eq!(pace.admit(at), Admission::Probe);
            at
        }
        other => panic!("no probe: {other:?}"),
    }
}

#[test]
fn one_failure_does_not_break_an_issuer_but_two_in_a_row_do() {
    let mut pace = Pace::new("issuer");
    pace.admit(at(0));
    pace.answered(down(Class::Transient), at(0));
    assert!(!pace.is_broken());
    pace.admit(at(0));
    pace.answered(Answered::Works, at(0));
    pace.admit(at(0));
    pace.answered(down(Class::Transient), at(0));
    assert!(!pace.is_broken(), "a success between starts the count anew");
    pace.admit(at(0));
    pace.answered(down(Class::Transient), at(0));
    assert!(pace.is_broken());
}

#[test]
fn while_broken_only_one_call_is_in_flight_and_probes_are_at_most_five_seconds_apart() {
    let mut pace = broken(Class::Transient);
    let mut now = at(0);
    for probe in 0..200 {
        let next = probe_at(&mut pace, now);
        assert!(next.since(now) <= Duration::from_secs(5), "probe {probe} after {:?}", next.since(now));
        assert!(next > now, "a probe must not follow at once");
        assert_eq!(pace.admit(next), Admission::Full, "a second call beside the probe");
        pace.answered(down(Class::Transient), next);
        now = next;
    }
}

#[test]
fn what_a_person_must_mend_is_probed_slower_but_within_a_minute() {
    let mut pace = broken(Class::Access);
    let mut now = at(0);
    let mut waits = Vec::new();
    for _ in 0..10 {
        let next = probe_at(&mut pace, now);
        waits.push(next.since(now));
        pace.answered(down(Class::Access), next);
        now = next;
    }
    assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(30)), "{waits:?}");
    assert!(waits.last() >= Some(&Duration::from_secs(15)), "{waits:?}");
}

#[test]
fn after_a_good_probe_the_load_grows_and_fifty_are_admitted_within_five_seconds() {
    let mut pace = broken(Class::Transient);
    let healed = probe_at(&mut pace, at(0));
    pace.answered(Answered::Works, healed);
    let (mut now, mut served, mut first_second) = (healed, 0, 0);
    while served < 50 {
        match pace.admit(now) {
            Admission::Go => {
                served += 1;
                first_second += usize::from(now.since(healed) < Duration::from_secs(1));
                pace.answered(Answered::Works, now);
            }
            Admission::NotBefore(at) => now = at,
            other => panic!("{other:?}"),
        }
        assert!(now.since(healed) < Duration::from_secs(5), "{served} served by then");
    }
    assert!(first_second < 50, "not all at once");
}

#[test]
fn a_rate_limit_while_recovering_slows_down_instead_of_breaking_again() {
    let mut pace = broken(Class::Transient);
    let healed = probe_at(&mut pace, at(0));
    pace.answered(Answered::Works, healed);
    assert_eq!(pace.admit(healed), Admission::Go);
    let limited = Answered::Failed { class: Class::Transient, overloaded: true, retry_after: None };
    pace.answered(limited, healed);
    assert!(!pace.is_broken());
}

#[test]
fn retry_after_binds_the_next_probe() {
    let mut pace = broken(Class::Transient);
    let probe = probe_at(&mut pace, at(0));
    let wait = Duration::from_secs(40);
    pace.answered(
        Answered::Failed { class: Class::Transient, overloaded: true, retry_after: Some(wait) },
        probe,
    );
    assert_eq!(probe_at(&mut pace, probe).since(probe), wait);
}

#[test]
fn a_change_in_the_api_lets_the_next_probe_start_at_once() {
    let mut pace = broken(Class::Access);
    assert!(matches!(pace.admit(at(0)), Admission::NotBefore(_)));
    pace.nudge(at(0));
    assert_eq!(pace.admit(at(0)), Admission::Probe);
}

#[test]
fn a_healthy_issuer_never_has_more_than_its_width_in_flight() {
    let mut pace = Pace::new("issuer");
    for _ in 0..WIDTH {
        assert_eq!(pace.admit(at(0)), Admission::Go);
    }
    assert_eq!(pace.admit(at(0)), Admission::Full);
    pace.given_back();
    assert_eq!(pace.admit(at(0)), Admission::Go);
}

#[test]
fn a_probe_that_hung_is_followed_at_once_because_it_has_waited_already() {
    let mut pace = broken(Class::Transient);
    let mut now = at(0);
    for _ in 0..10 {
        let started = probe_at(&mut pace, now);
        let gave_up = started.plus(Duration::from_secs(4));
        pace.answered(Answered::Failed { class: Class::Transient, overloaded: true, retry_after: None }, gave_up);
        now = gave_up;
    }
    let next = probe_at(&mut pace, now);
    assert!(next.since(now) <= Duration::from_secs(1), "{:?}", next.since(now));
}
