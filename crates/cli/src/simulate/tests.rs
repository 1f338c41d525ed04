//! The model against what was measured, and the answers against what must hold for them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use clap::Parser;

use super::plan::{Flags, Outage, Plan};
use super::policy::{self, Policy};
use super::{Progress, least, simulate};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn plan() -> Plan {
    let outages = vec![Outage { at: 30 * DAY, lasts: 12 * HOUR }];
    Plan { certificates: 500, life: 7 * DAY, renew_before: 2 * DAY, span: 60 * DAY, rate: 100.0, outages }
}

fn quiet() -> Progress {
    Progress { shown: false, done: 0 }
}

#[test]
fn the_peers_side_fails_fifty_of_fifty_for_an_hour_after_fifteen_seconds_of_trouble() {
    // All due within the fifteen seconds, as they were when it was measured.
    let life = 30 * DAY;
    let renew_before = life - Duration::from_secs(10);
    let outages = vec![Outage { at: Duration::ZERO, lasts: Duration::from_secs(15) }];
    let plan = Plan { certificates: 50, life, renew_before, span: 2 * HOUR, rate: 100.0, outages };
    let peer = policy::run(Policy::Peer, &Plan { span: HOUR, ..plan.clone() });
    assert_eq!((peer.failed_calls, peer.signs), (50, 0), "all fail, and none is tried again within the hour");
    let peer = policy::run(Policy::Peer, &Plan { span: HOUR + Duration::from_secs(30), ..plan.clone() });
    assert_eq!(peer.failed_calls, 50);
    assert!(peer.signs >= 50, "an hour after its failure each is signed");
    assert!((3_580.0..3_600.0).contains(&peer.recovery_seconds[0]), "{:?}", peer.recovery_seconds);
    let ours = policy::run(Policy::Everleaf, &Plan { span: Duration::from_secs(25), ..plan });
    assert!(ours.signs >= 50, "{} signs ten seconds after it healed", ours.signs);
    assert!(ours.recovery_seconds[0] <= 10.0, "{:?}", ours.recovery_seconds);
}

#[test]
fn the_peers_waits_double_to_thirty_two_hours() {
    let outages = vec![Outage { at: Duration::ZERO, lasts: 70 * HOUR }];
    let plan = Plan {
        certificates: 1,
        life: 30 * DAY,
        renew_before: 29 * DAY,
        span: 130 * HOUR,
        rate: 1.0,
        outages,
    };
    let peer = policy::run(Policy::Peer, &plan);
    // Due at 12 h; tried again 1, 3, 7, 15, 31 and 63 h later, and that is after the outage.
    assert_eq!(peer.failed_calls, 6);
    assert!((5.0 * 3_600.0 - peer.recovery_seconds[0]).abs() < 60.0, "{:?}", peer.recovery_seconds);
}

#[test]
fn a_renew_before_that_is_longer_than_the_outage_is_enough_for_everleaf_and_a_shorter_one_is_not() {
    let report = simulate(plan(), &mut quiet());
    assert_eq!(report.everleaf.expired, 0);
    assert!(report.everleaf.recovery_seconds[0] <= 15.0, "{:?}", report.everleaf.recovery_seconds);
    let smallest = report.least.everleaf.unwrap();
    assert!(smallest >= 11 * HOUR && smallest <= 13 * HOUR, "{smallest:?}");
    assert!(report.least.peer.unwrap() > smallest, "{:?}", report.least);
    let short = policy::run(Policy::Everleaf, &plan().renewing(6 * HOUR));
    assert!(short.expired > 0 && short.least_left_seconds < 0.0 && short.expired_seconds > 0.0);
    assert_eq!(short.expired_over_time.iter().filter(|count| **count < 0).count(), 0);
    assert!(short.expired_over_time.iter().any(|count| *count > 0));
}

#[test]
fn without_an_outage_nothing_fails_and_the_smallest_renew_before_is_the_smallest_step() {
    let calm = Plan { outages: Vec::new(), ..plan() };
    for policy in [Policy::Everleaf, Policy::Peer] {
        let outcome = policy::run(policy, &calm);
        assert_eq!((outcome.expired, outcome.failed_calls), (0, 0), "{policy:?}");
        assert_eq!(least(policy, &calm, &mut quiet()), Some(calm.life / 400), "{policy:?}");
        let each = calm.span.as_secs_f64() / (5.0 * 86_400.0);
        let expected = (500.0 * each) as u64;
        assert!(outcome.signs.abs_diff(expected) <= 500, "{policy:?}: {} signs", outcome.signs);
    }
}

#[test]
fn a_vault_that_is_gone_for_longer_than_a_life_is_told_as_hopeless() {
    let outages = vec![Outage { at: 10 * DAY, lasts: 20 * DAY }];
    let report = simulate(Plan { outages, ..plan() }, &mut quiet());
    assert_eq!(report.least.everleaf, None);
    assert!(report.verdict().contains("no longer one would do"), "{}", report.verdict());
}

#[test]
fn the_same_plan_gives_the_same_outcome_and_the_page_needs_no_network() {
    let (one, two) = (simulate(plan(), &mut quiet()), simulate(plan(), &mut quiet()));
    assert_eq!(one.json(), two.json());
    let page = one.html();
    assert!(page.contains("<svg") && page.contains("cert-manager"));
    assert!(!page.contains("http") && !page.contains("src="), "nothing is fetched");
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    flags: Flags,
}

#[test]
fn numbers_that_make_no_sense_are_refused_by_name() {
    let table: &[(&[&str], &str)] = &[
        (&["--certificates", "0"], "certificates: 0 is not between"),
        (&["--life", "soon"], "--life: \"soon\""),
        (&["--life", "10s"], "life: must be at least a minute"),
        (&["--renew-before", "9000h"], "renewBefore: must be shorter than life"),
        (&["--renew-before", "0s"], "renewBefore: must be more than nothing"),
        (&["--renew-before=-1h"], "--renew-before"),
        (&["--span", "99999d"], "span: must be"),
        (&["--rate", "0"], "rate: must be at least"),
        (&["--outage-every", "1h"], "--outage-every must be longer than --outage"),
        (&["--certificates", "100000", "--life", "1m", "--renew-before", "20s"], "this would be"),
        (&["--plan", "/no/such/plan"], "--plan: /no/such/plan"),
    ];
    for (arguments, wanted) in table {
        let line = Line::try_parse_from([&["simulate"], *arguments].concat());
        let told = match line {
            Err(error) => error.to_string(),
            Ok(line) => format!("{:#}", Plan::of(&line.flags).expect_err("a refusal")),
        };
        assert!(told.contains(wanted), "{arguments:?}: {told}");
    }
}

#[test]
fn a_plan_is_read_from_a_file_and_a_field_that_nobody_knows_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.yaml");
    let read = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let line = Line::try_parse_from(["simulate", "--plan", file.to_str().unwrap()]).unwrap();
        Plan::of(&line.flags)
    };
    let text =
        "certificates: 500\nlife: 7d\nrenewBefore: 48h\nspan: 60d\noutages:\n- {at: 30d, lasts: 12h}\n";
    assert_eq!(read(text).unwrap(), plan());
    let told = format!("{:#}", read(&format!("{text}colour: red\n")).unwrap_err());
    assert!(told.contains("colour"), "{told}");
    let overlap = text.replace("- {at: 30d, lasts: 12h}", "- {at: 30d, lasts: 12h}\n- {at: 30d, lasts: 1h}");
    assert!(format!("{:#}", read(&overlap).unwrap_err()).contains("must follow each other"));
}
