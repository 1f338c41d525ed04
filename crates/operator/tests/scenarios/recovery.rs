//! Thousands of renewals that came due while Vault was away: who is served first, how fast, and at what cost in logins.
//! The order and the rate are read from the practice Vault's own list of what it signed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use everleaf_core::pace::WIDTH;
use everleaf_practice::Signed;
use jiff::Timestamp;
use serde_json::json;
use tokio::time::sleep;

use crate::stage::{Plot, Stage, seconds};

/// From the start to the outage.
const CALM: u64 = 1_200;
/// The least life left when Vault comes back.
const LEAST_LEFT: u64 = 15 * 60;
/// A renewal may come this many places early or late: calls under way side by side, and requests that are made at the same moment.
const DISPLACEMENT: usize = 2 * WIDTH;

/// `count` certificates, of which each has a different life left when an outage of `outage` ends; what was signed before and after.
async fn outage(count: usize, outage: u64) -> (Stage, Timestamp, Vec<Signed>, Vec<Signed>) {
    let stage = Stage::set(Plot::default()).await;
    // All come due during the outage: the first five minutes after its begin, the last a quarter of an hour before its end.
    let renew_before = outage + LEAST_LEFT - 300;
    let (least, spread) = (CALM + outage + LEAST_LEFT, outage - 1_200);
    for number in 0..count {
        // Not in the order of their creation.
        let place = (number * 373) % count;
        let life = least + place as u64 * spread / count as u64;
        let spec = json!({ "duration": format!("{life}s"), "renewBefore": format!("{renew_before}s"), "dnsNames": [format!("web-{number}.example")] });
        stage.certificate(&format!("web-{number}"), spec).await;
    }
    signed(&stage, count).await;
    assert!(stage.until_ready("web", count, seconds(60)).await.is_some());
    let first = stage.vault.signed();
    assert_eq!(first.len(), count, "nothing is renewed before the outage");
    let begun = stage.vault.now().duration_since(first[0].at).unsigned_abs();
    sleep(seconds(CALM) - begun).await;
    stage.vault.seal();
    sleep(seconds(outage)).await;
    let healed = stage.vault.now();
    stage.vault.unseal();
    signed(&stage, 2 * count).await;
    let all = stage.vault.signed();
    let renewed = all.get(first.len()..).unwrap_or_default().to_vec();
    (stage, healed, first, renewed)
}

/// Waits until so many were signed, or ten minutes. Looking at every object each time would take long.
async fn signed(stage: &Stage, count: usize) {
    for _ in 0..600 {
        if stage.vault.signed().len() >= count {
            break;
        }
        sleep(seconds(1)).await;
    }
}

/// How far from its place in the order of life left a renewal was made, at most.
fn most_displaced(first: &[Signed], renewed: &[Signed]) -> usize {
    let ends: BTreeMap<&str, Timestamp> =
        first.iter().map(|sign| (sign.name.as_str(), sign.not_after)).collect();
    let mut order: Vec<&str> = renewed.iter().map(|sign| sign.name.as_str()).collect();
    order.sort_by_key(|name| ends[name]);
    let place: BTreeMap<&str, usize> = order.iter().enumerate().map(|(place, name)| (*name, place)).collect();
    // The first is the probe's: each probe is another request's, so that a bad one can't stand before all others.
    let displaced = renewed.iter().enumerate().skip(1);
    displaced.map(|(at, sign)| place[sign.name.as_str()].abs_diff(at)).max().unwrap_or(0)
}

/// How many calls may have been made so long after the first: the rate begins with 16 a second and half a second's worth at once, and each
/// success adds one a second, so that both grow by e each second.
fn allowed(after: Duration) -> f64 {
    24.0 * after.as_secs_f64().exp() - 16.0 + WIDTH as f64
}

fn check(count: usize, (stage, healed, first, renewed): &(Stage, Timestamp, Vec<Signed>, Vec<Signed>)) {
    let names: BTreeSet<&str> = renewed.iter().map(|sign| sign.name.as_str()).collect();
    assert_eq!((renewed.len(), names.len()), (count, count), "each is renewed, and none twice");
    let ends: BTreeMap<&str, Timestamp> =
        first.iter().map(|sign| (sign.name.as_str(), sign.not_after)).collect();
    for sign in renewed {
        assert!(sign.at < ends[sign.name.as_str()], "{} expired before it was renewed", sign.name);
    }
    let displaced = most_displaced(first, renewed);
    assert!(displaced <= DISPLACEMENT, "a renewal was made {displaced} places from its own");
    let since = |sign: &Signed| sign.at.duration_since(renewed[0].at).unsigned_abs();
    for (made, sign) in renewed.iter().enumerate() {
        let after = since(sign);
        // Beyond that the issuer counts as well, and only the calls side by side are bound.
        assert!(made > 500 || made as f64 <= allowed(after), "{made} signs within {after:?}");
    }
    let logins = stage.vault.audit().logins();
    assert!(logins <= 4, "{logins} logins");
    let took = renewed[renewed.len() - 1].at.duration_since(*healed);
    println!(
        "{count}: all renewed {took:#} after the unseal, {displaced} places displaced at most, {logins} logins"
    );
}

#[tokio::test(start_paused = true)]
async fn after_two_hours_without_vault_a_thousand_are_renewed_in_the_order_of_life_left() {
    check(1_000, &outage(1_000, 7_200).await);
}

/// F6 of the catalogue.
#[tokio::test(start_paused = true)]
async fn after_an_hour_without_vault_five_thousand_cost_a_handful_of_logins_and_one_sign_each() {
    check(5_000, &outage(5_000, 3_600).await);
}
