//! The same seed gives the same trace, byte for byte: in the same thread, in another one, beside others. Nothing but the seed goes in:
//! each run hashes its maps with other keys, so that whatever depended on their order would show here.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use everleaf_simulation::moments::DAY;
use everleaf_simulation::{Options, Report, Scenario, run};

const WHOLE: Options = Options { goes_on: true, whole_trace: true };

/// Without optimisation a day takes a second or two, so these are short.
const DAYS: u32 = 4;

fn played(seed: u64) -> Report {
    let mut scenario = Scenario::drawn(seed);
    scenario.horizon = DAYS * DAY;
    scenario.faults.retain(|planned| planned.at + planned.lasts < scenario.horizon);
    run(&scenario, WHOLE).unwrap()
}

/// The first line in which two traces differ.
fn difference(one: &Report, other: &Report) -> Option<(usize, String, String)> {
    let pairs = one.trace.iter().zip(&other.trace).enumerate();
    let mut differing = pairs.filter(|(_, (one, other))| one != other);
    differing.next().map(|(at, (one, other))| (at, one.clone(), other.clone()))
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    let mut hashes = BTreeSet::new();
    for seed in 1..=3 {
        let elsewhere = std::thread::spawn(move || played(seed));
        let (first, again) = (played(seed), played(seed));
        for other in [&again, &elsewhere.join().unwrap()] {
            assert_eq!(difference(&first, other), None, "seed {seed}");
            assert_eq!((&first.hash, first.lines), (&other.hash, other.lines), "seed {seed}");
            assert_eq!(first.counts, other.counts, "seed {seed}");
        }
        assert!(first.lines > 3_000, "seed {seed}: {} lines", first.lines);
        hashes.insert(first.hash);
    }
    assert_eq!(hashes.len(), 3, "another seed gives another trace");
}
