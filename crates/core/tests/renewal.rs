//! When a certificate is renewed: the rules as a table, by the life it really has.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use everleaf_core::renewal::{RenewalTime, renewal_time};
use everleaf_core::wanted::{RenewBefore, Renewal, RenewalPolicy};
use jiff::{SignedDuration, Timestamp};

fn renewed_after(before: RenewBefore, life: SignedDuration) -> SignedDuration {
    let start: Timestamp = "2026-01-10T12:00:00Z".parse().unwrap();
    let renewal = Renewal { before, policy: RenewalPolicy::AtTime };
    match renewal_time(&renewal, start, start + life) {
        RenewalTime::At(at) => at.duration_since(start),
        other => panic!("{other:?}"),
    }
}

const fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

#[test]
fn the_renewal_time_follows_the_wish_and_the_real_life() {
    let before = |hours: u64| RenewBefore::Duration(Duration::from_secs(hours * 3600));
    let days = |days: i64| hours(24 * days);
    let cases = [
        ("nothing set: two thirds", RenewBefore::Default, days(90), days(60)),
        ("an hour before the end", before(1), days(90), days(90) - hours(1)),
        ("a quarter of the life", RenewBefore::Percentage(25), days(90), hours(1620)),
        ("as long as the life", before(90 * 24), days(90), days(60)),
        ("longer than the life", before(91 * 24), days(90), days(60)),
        ("a percentage out of range", RenewBefore::Percentage(100), days(90), days(60)),
        ("zero", RenewBefore::Percentage(0), days(90), days(60)),
    ];
    for (name, before, life, expected) in cases {
        assert_eq!(renewed_after(before, life), expected, "{name}");
    }
}

#[test]
fn a_wish_as_long_as_the_life_that_vault_cut_it_to_makes_no_loop() {
    let life = hours(168) + SignedDuration::from_secs(30);
    let wish = RenewBefore::Duration(Duration::from_secs(168 * 3600));
    assert_eq!(renewed_after(wish, life), life * 2 / 3);
}

#[test]
fn a_short_life_may_be_renewed_early() {
    let minute = SignedDuration::from_mins(1);
    assert_eq!(renewed_after(RenewBefore::Percentage(50), minute), minute / 2);
}
