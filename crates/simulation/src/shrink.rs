//! Makes a failing scenario smaller: leaves faults out, half of them, a quarter, one by one, while the same invariant still breaks.

use crate::run::{Options, run};
use crate::scenario::Scenario;

/// The smallest scenario found that still breaks this invariant.
pub fn shrink(scenario: &Scenario, rule: &str) -> Scenario {
    let mut smallest = scenario.clone();
    let mut size = smallest.faults.len() / 2;
    while size > 0 {
        let mut from = 0;
        while from < smallest.faults.len() {
            let candidate = without(&smallest, from, size);
            if breaks(&candidate, rule) {
                smallest = candidate;
            } else {
                from += size;
            }
        }
        size /= 2;
    }
    smallest
}

fn without(scenario: &Scenario, from: usize, size: usize) -> Scenario {
    let outside = |index: &usize| *index < from || *index >= from + size;
    let kept = scenario.faults.iter().enumerate().filter(|(index, _)| outside(index));
    Scenario { faults: kept.map(|(_, planned)| *planned).collect(), ..scenario.clone() }
}

fn breaks(scenario: &Scenario, rule: &str) -> bool {
    let report = run(scenario, Options::default());
    report.is_ok_and(|report| report.violations.iter().any(|violation| violation.rule == rule))
}
