//! How long we wait: properties that must hold for any failure, any life and any `Retry-After`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use everleaf_core::failure::Class;
use everleaf_core::retry::{CAP_WITHOUT_LIFE, Cadence, FLOOR, Jitter, LIFE_SHARE, base, cap, next_delay};
use proptest::prelude::*;

fn class() -> impl Strategy<Value = Class> {
    prop_oneof![Just(Class::Transient), Just(Class::Access), Just(Class::Issuer), Just(Class::Request)]
}

fn seconds(most: u64) -> impl Strategy<Value = Duration> {
    (0..most).prop_map(Duration::from_secs)
}

proptest! {
    #[test]
    fn a_wait_is_never_zero_and_never_longer_than_the_share_of_life(
        class in class(),
        attempts in 0u32..100_000,
        life in proptest::option::of(seconds(400 * 24 * 3600)),
        retry_after in proptest::option::of(seconds(u64::from(u32::MAX))),
        jitter in 0.0f64..1.0,
    ) {
        let wait = next_delay(class, attempts, life, retry_after, Jitter::new(jitter));
        let most = match life {
            Some(life) if !life.is_zero() => (life / LIFE_SHARE).max(FLOOR),
            _ => CAP_WITHOUT_LIFE,
        };
        prop_assert!(wait >= FLOOR);
        prop_assert!(wait <= most, "{wait:?} > {most:?}");
    }

    #[test]
    fn the_base_grows_with_the_attempts_until_its_cap(class in class(), attempts in 1u32..1000) {
        prop_assert!(base(class, attempts) <= base(class, attempts + 1));
    }

    #[test]
    fn a_retry_after_within_the_cap_is_kept(class in class(), attempts in 1u32..20, after in 1u64..60, jitter in 0.0f64..1.0) {
        let after = Duration::from_secs(after);
        let wait = next_delay(class, attempts, None, Some(after), Jitter::new(jitter));
        prop_assert!(wait >= after);
    }

    #[test]
    fn jitter_is_a_share_and_the_same_each_time(uid in "[a-f0-9-]{0,40}", attempt in any::<u32>()) {
        let jitter = Jitter::of(&uid, attempt);
        prop_assert!((0.0..1.0).contains(&jitter.value()));
        prop_assert_eq!(jitter, Jitter::of(&uid, attempt));
    }

    #[test]
    fn our_cadence_never_waits_longer_than_a_share_of_the_life_left(attempts in 1u32..1000, life in seconds(90 * 24 * 3600), jitter in 0.0f64..1.0) {
        let wait = Cadence::BoundByLife.wait(attempts, Some(life), Jitter::new(jitter));
        if !life.is_zero() {
            prop_assert!(wait <= (life / LIFE_SHARE).max(Duration::from_secs(60)));
        }
        prop_assert!(wait >= Duration::from_secs(30));
    }
}

#[test]
fn the_peers_cadence_doubles_from_its_minimum_to_its_maximum() {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let cadence = Cadence::Doubling { minimum: hours(1), maximum: hours(32) };
    let waits: Vec<Duration> = (1..=8).map(|attempt| cadence.wait(attempt, None, Jitter::new(0.5))).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 32, 32].map(hours));
}

#[test]
fn jitters_of_different_objects_spread_over_the_whole_range() {
    let mut buckets = [0u32; 10];
    for object in 0..1000 {
        let jitter = Jitter::of(&format!("8f14e45f-ceea-467f-9a36-{object:012}"), 1);
        buckets[(jitter.value() * 10.0) as usize] += 1;
    }
    assert!(buckets.iter().all(|&count| count > 50), "{buckets:?}");
}

#[test]
fn a_certificate_with_ten_minutes_left_never_waits_for_long() {
    assert!(cap(Some(Duration::from_secs(600))) <= Duration::from_secs(30));
}
