//! The promise, seed by seed: a fixed set, the same in every run. Fresh seeds are for `cargo xtask simulate`, until none finds anything.
//! A seed that breaks an invariant is printed with the line that runs it again and makes it smaller; it is never left out.
//! `EVERLEAF_SEEDS` runs another number of fixed seeds.

#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use everleaf_simulation::ledger::Counts;
use everleaf_simulation::{Options, Report, Scenario, run};

/// As many as two or three minutes of two processors can take without optimisation; `cargo xtask simulate` runs as many as one likes.
const FIXED: u64 = 8;

#[test]
fn no_invariant_breaks_in_any_of_the_fixed_seeds() {
    let count = std::env::var("EVERLEAF_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(FIXED);
    let (next, good) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= count {
                        return;
                    }
                    let report = held(seed);
                    good.lock().unwrap().push(report.counts);
                }
            });
        }
    });
    let good = good.into_inner().unwrap();
    assert_eq!(good.len() as u64, count);
    let sum = good.iter().fold(Counts::default(), |sum, counts| sum.and(counts));
    println!("{count} seeds: {sum}");
    // A run in which little happens proves little.
    assert!(sum.stored > 100 * count && sum.inspected > 40_000 * count && sum.lives > 2 * count, "{sum}");
}

fn held(seed: u64) -> Report {
    let report = run(&Scenario::drawn(seed), Options::default()).unwrap();
    assert!(
        report.is_good(),
        "{report}\nagain: cargo xtask simulate --seeds 1 --from {seed}\nits end:\n{}",
        report.trace.join("\n")
    );
    report
}
