//! The contract table against the practice Vault, in process and in virtual time.
//! Every case has a Vault of its own, so that none can lean on another.
//! What real servers answer to the same table is compared in `real_vault.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod contract;

use contract::{Target, cases, fault_of};
use everleaf_practice::{Options, Outside, Practice, Reviewer};

fn options() -> Options {
    // The wall clock, because the table's JWTs are dated by it; waiting is still virtual.
    let outside = Outside { reviewer: Reviewer::Fails, ..Outside::default() };
    Options { clock: everleaf_practice::Clock::tokio_from(jiff::Timestamp::now()), ..Options::new("root", 1) }
        .with_outside(outside)
}

#[tokio::test(start_paused = true)]
async fn the_practice_vault_answers_the_contract_table() {
    let mut faults = Vec::new();
    for (number, case) in cases().iter().enumerate() {
        let answer = Target::Practice(Practice::new(options())).play(case, number).await;
        if let Some(fault) = fault_of(&case.expect, &answer, number) {
            faults.push(format!("{number} {}: {fault}", case.name));
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases().len(), faults.join("\n"));
}

#[test]
fn the_table_is_large_and_its_names_are_unique() {
    let mut names: Vec<_> = cases().iter().map(|case| case.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count > 150, "{count}");
}
