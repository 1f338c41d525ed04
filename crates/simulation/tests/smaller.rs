//! A failing scenario is made smaller: what is left still breaks the same invariant, and nothing that isn't needed for that is left.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use everleaf_simulation::fault::{ApiTrouble, Fault, ReplicaTrouble};
use everleaf_simulation::{Options, Planned, Scenario, run, shrink};

const HOUR: Duration = Duration::from_secs(3_600);

/// A day with many small troubles and one that lasts to the end, so that it never becomes calm.
fn never_calm() -> (Scenario, Planned) {
    let mut scenario = Scenario::drawn(3);
    scenario.horizon = 12 * HOUR;
    scenario.certificates.truncate(3);
    scenario.faults = (1..9)
        .map(|hour| Planned {
            at: hour * HOUR,
            lasts: Duration::from_secs(5),
            fault: Fault::Replica { replica: 0, trouble: ReplicaTrouble::Killed },
        })
        .collect();
    let culprit = Planned { at: 6 * HOUR, lasts: 6 * HOUR, fault: Fault::Api(ApiTrouble::Conflicts(0.5)) };
    scenario.faults.insert(5, culprit);
    (scenario, culprit)
}

#[test]
fn only_what_is_needed_to_break_the_invariant_is_left() {
    let (scenario, culprit) = never_calm();
    let small = shrink(&scenario, "never-calm");
    assert_eq!(small.faults, [culprit]);
    let report = run(&small, Options::default()).unwrap();
    assert!(report.violations.iter().any(|violation| violation.rule == "never-calm"), "{report}");
}

#[test]
fn a_scenario_that_breaks_nothing_of_the_kind_stays_as_it_is() {
    let (scenario, _) = never_calm();
    assert_eq!(shrink(&scenario, "torn-pair").faults, scenario.faults);
}
