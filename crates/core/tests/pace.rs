//! The pace of an issuer: one probe stands for all while it is broken, and the load comes back step by step.
#![allow(clippy::panic)]

use std::time::Duration;

use everleaf_core::failure::Class;
use everleaf_core::pace::{Admission, Answered, Moment, Pace, Ticket, WIDTH};

fn at(millis: u64) -> Moment {
    Moment(Duration::from_millis(millis))
}

fn down(class: Class) -> Answered {
    Answered::Failed { class, overloaded: false, retry_after: None }
}

fn go(pace: &mut Pace, now: Moment) -> Ticket {
    match pace.admit(now) {
        Admission::Go(ticket) => ticket,
        other => panic!("not admitted: {other:?}"),
    }
}

fn broken(class: Class) -> Pace {
    let mut pace = Pace::new("issuer");
    let calls = [go(&mut pace, at(0)), go(&mut pace, at(0))];
    for call in calls {
        pace.answered(call, down(class), at(0));
    }
    assert!(pace.is_broken());
    pace
}

/// The next probe, and when it starts.
fn probe(pace: &mut Pace, now: Moment) -> (Ticket, Moment) {
    let (admission, at) = match pace.admit(now) {
        Admission::NotBefore(at) => (pace.admit(at), at),
        admission => (admission, now),
    };
    match admission {
        Admission::Probe(ticket) => (ticket, at),
        other => panic!("no probe: {other:?}"),
    }
}

/// The pauses between the starts of probes that are refused at once, until this moment.
fn pauses(pace: &mut Pace, class: Class, until: Moment) -> Vec<(Moment, Duration)> {
    let mut now = at(0);
    let mut pauses = Vec::new();
    while now < until {
        let (ticket, next) = probe(pace, now);
        pauses.push((next, next.since(now)));
        pace.answered(ticket, down(class), next);
        now = next;
    }
    pauses
}

#[test]
fn one_failure_does_not_break_an_issuer_but_two_in_a_row_do() {
    let mut pace = Pace::new("issuer");
    let mut answer = |answer| {
        let call = go(&mut pace, at(0));
        pace.answered(call, answer, at(0));
        pace.is_broken()
    };
    assert!(!answer(down(Class::Transient)));
    assert!(!answer(Answered::Works));
    assert!(!answer(down(Class::Transient)), "a success between starts the count anew");
    assert!(answer(down(Class::Transient)));
}

#[test]
fn while_broken_only_one_probe_is_in_flight_and_probes_are_at_most_five_seconds_apart() {
    let mut pace = broken(Class::Transient);
    let mut now = at(0);
    for number in 0..200 {
        let (ticket, next) = probe(&mut pace, now);
        assert_eq!(ticket.probe(), Some(number));
        assert!(next.since(now) <= Duration::from_secs(5), "probe {number} after {:?}", next.since(now));
        assert!(next > now, "a probe must not follow at once");
        assert_eq!(pace.admit(next), Admission::Full, "a second call beside the probe");
        pace.answered(ticket, down(Class::Transient), next);
        now = next;
    }
}

#[test]
fn calls_from_before_the_outage_neither_hinder_probes_nor_count_as_such() {
    let mut pace = Pace::new("issuer");
    let calls: Vec<Ticket> = (0..WIDTH).map(|_| go(&mut pace, at(0))).collect();
    let (late, early) = calls.split_at(WIDTH - 2);
    for call in early {
        pace.answered(*call, down(Class::Transient), at(10));
    }
    let (ticket, first) = probe(&mut pace, at(10));
    assert!(first <= at(1_010), "{first:?}");
    for call in late {
        pace.answered(*call, down(Class::Transient), at(2_000));
    }
    pace.answered(ticket, down(Class::Transient), first);
    let (ticket, second) = probe(&mut pace, first);
    assert_eq!(ticket.probe(), Some(1));
    assert!(second.since(first) <= Duration::from_secs(2), "{:?}", second.since(first));
}

#[test]
fn what_a_person_must_mend_is_probed_slower_only_after_minutes_and_still_twice_a_minute() {
    for class in [Class::Access, Class::Issuer] {
        let mut pace = broken(class);
        for (at, pause) in pauses(&mut pace, class, at(600_000)) {
            let most = if at.0 < Duration::from_secs(180) { 5 } else { 30 };
            assert!(pause <= Duration::from_secs(most), "{pause:?} at {at:?}");
            assert!(
                at.0 < Duration::from_secs(220) || pause >= Duration::from_secs(15),
                "{pause:?} at {at:?}"
            );
        }
    }
}

#[test]
fn after_a_good_probe_the_load_grows_and_fifty_are_admitted_within_five_seconds() {
    let mut pace = broken(Class::Transient);
    let (ticket, healed) = probe(&mut pace, at(0));
    pace.answered(ticket, Answered::Works, healed);
    let (mut now, mut served, mut first_second) = (healed, 0, 0);
    while served < 50 {
        match pace.admit(now) {
            Admission::Go(ticket) => {
                served += 1;
                first_second += usize::from(now.since(healed) < Duration::from_secs(1));
                pace.answered(ticket, Answered::Works, now);
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
    let (ticket, healed) = probe(&mut pace, at(0));
    pace.answered(ticket, Answered::Works, healed);
    let ticket = go(&mut pace, healed);
    let limited = Answered::Failed { class: Class::Transient, overloaded: true, retry_after: None };
    pace.answered(ticket, limited, healed);
    assert!(!pace.is_broken());
}

#[test]
fn retry_after_binds_the_next_probe_whoever_heard_it() {
    let wait = Duration::from_secs(40);
    let limited = Answered::Failed { class: Class::Transient, overloaded: true, retry_after: Some(wait) };
    let mut pace = broken(Class::Transient);
    let (ticket, first) = probe(&mut pace, at(0));
    pace.answered(ticket, limited, first);
    let (ticket, second) = probe(&mut pace, first);
    assert_eq!(second.since(first), wait);

    pace.answered(ticket, limited, second);
    let urgent = second.plus(Duration::from_secs(7));
    pace.probe_by(urgent);
    assert_eq!(probe(&mut pace, second).1, urgent, "somebody can't wait that long");

    let mut pace = Pace::new("issuer");
    let calls = [go(&mut pace, at(0)), go(&mut pace, at(0)), go(&mut pace, at(0))];
    for (call, answer) in calls.into_iter().zip([down(Class::Transient), down(Class::Transient), limited]) {
        pace.answered(call, answer, at(0));
    }
    assert_eq!(probe(&mut pace, at(0)).1, at(40_000));
}

#[test]
fn a_change_in_the_api_lets_a_probe_start_at_once_even_beside_one_that_waits() {
    let mut pace = broken(Class::Access);
    assert!(matches!(pace.admit(at(0)), Admission::NotBefore(_)));
    pace.nudge(at(0));
    let (first, _) = probe(&mut pace, at(0));
    assert_eq!(pace.admit(at(0)), Admission::Full);
    pace.nudge(at(1));
    let (second, _) = probe(&mut pace, at(1));
    assert_eq!(pace.admit(at(1)), Admission::Full);
    pace.answered(second, Answered::Works, at(2));
    pace.answered(first, down(Class::Access), at(3));
    assert!(!pace.is_broken(), "one that asked with the old credentials doesn't break it again");
}

#[test]
fn a_healthy_issuer_never_has_more_than_its_width_in_flight() {
    let mut pace = Pace::new("issuer");
    let calls: Vec<Ticket> = (0..WIDTH).map(|_| go(&mut pace, at(0))).collect();
    assert_eq!(pace.admit(at(0)), Admission::Full);
    for call in calls {
        pace.given_back(call);
    }
    let _ = go(&mut pace, at(0));
}

#[test]
fn a_probe_that_hung_is_followed_at_once_because_it_has_waited_already() {
    let mut pace = broken(Class::Transient);
    let mut now = at(0);
    for _ in 0..10 {
        let (ticket, started) = probe(&mut pace, now);
        let gave_up = started.plus(Duration::from_secs(10));
        pace.answered(ticket, down(Class::Transient), gave_up);
        now = gave_up;
    }
    let (_, next) = probe(&mut pace, now);
    assert!(next.since(now) <= Duration::from_secs(1), "{:?}", next.since(now));
}
