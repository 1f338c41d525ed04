//! The contract table against a real Vault in dev mode, and byte by byte against the practice Vault's answers.
//! One server for all cases: each has names of its own.
//! Needs the server that `cargo xtask servers` builds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod contract;

use std::collections::BTreeMap;

use contract::scrub::scrub;
use contract::shape::shape;
use contract::{Answer, Case, Target, cases, fault_of, raw_http};
use everleaf_practice::{Clock, Options, Outside, Practice, Reviewer};
use everleaf_testkit::servers::Vault;

fn practice() -> Target {
    let outside = Outside { reviewer: Reviewer::Fails, ..Outside::default() };
    let options = Options { clock: Clock::system(), ..Options::new("root", 1) };
    Target::Practice(Practice::new(options.with_outside(outside)))
}

#[tokio::test]
#[ignore = "needs real servers: cargo xtask test"]
async fn the_real_vault_answers_the_same_as_the_practice_vault() {
    let real = Target::Real(Vault::start_dev().await.unwrap(), raw_http());
    let mut faults = Vec::new();
    for (number, case) in cases().iter().enumerate() {
        let answer = real.play(case, number).await;
        if let Some(fault) = fault_of(&case.expect, &answer, number) {
            faults.push(format!("{number} {}: {fault}", case.name));
        }
        let ours = practice().play(case, number).await;
        if let Some(difference) = difference(case, &answer, &ours) {
            faults.push(format!("{number} {}: {difference}", case.name));
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases().len(), faults.join("\n"));
}

/// The first difference between two answers, what changes from run to run aside.
fn difference(case: &Case, real: &Answer, ours: &Answer) -> Option<String> {
    let plain = |answer: &Answer| Answer { body: plain_body(case, &answer.body), ..answer.clone() };
    let (real_plain, ours_plain) = (plain(real), plain(ours));
    if real_plain != ours_plain {
        return Some(format!("differs:\n  real {real_plain:?}\n  ours {ours_plain:?}"));
    }
    let (real, ours) = (shape(&real.body), shape(&ours.body));
    // Where a server makes the leaf's key, it differs; where a life ends with the CA's, it depends on when that was made.
    let incomparable = case.name.starts_with("issue ") || case.name.starts_with("CA expired");
    (real != ours && !incomparable).then(|| format!("certificates differ:\n  real {real:?}\n  ours {ours:?}"))
}

/// PEM files and texts with moments in them can't be compared as they are.
fn plain_body(case: &Case, body: &str) -> String {
    let body = scrub(body);
    if case.name.starts_with("capabilities") && body.contains("\"data\"") {
        // The order of the members at the top differs from call to call on the real server.
        let parsed: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&body.replace('*', "")).unwrap();
        return format!("{parsed:?}");
    }
    if body.starts_with("-----BEGIN") {
        return "PEM".to_owned();
    }
    // Moments stand in texts of CAs that end, ids in those of issuers that can't sign.
    match (case.name.starts_with("CA "), body.split_once(" notAfter of ")) {
        (true, Some((head, _))) => head.to_owned(),
        _ => without_ids(&body),
    }
}

/// Puts a star in the place of every UUID.
fn without_ids(text: &str) -> String {
    let is_id = |word: &str| word.len() == 36 && word.matches('-').count() == 4;
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().chain(std::iter::once('\0')) {
        if c.is_ascii_hexdigit() || c == '-' {
            word.push(c);
            continue;
        }
        out.push_str(if is_id(&word) { "*" } else { &word });
        word.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}
