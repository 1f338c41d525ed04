//! A cluster in which all is in order: nothing is written but the Lease, however many certificates there are and however long it lasts.

use std::time::Duration;

use everleaf_operator::controllers::Controllers;
use everleaf_operator::leader::Election;
use futures::StreamExt as _;
use serde_json::json;
use tokio::time::sleep;

use crate::door::Fate;
use crate::ground::Ground;
use crate::stage::{NAMESPACE, seconds};

const MANY: usize = 3000;
const HOUR: Duration = Duration::from_secs(3600);
/// Asked for at a time.
const AT_ONCE: usize = 50;

fn election(identity: &str) -> Election {
    Election {
        namespace: NAMESPACE.to_owned(),
        name: "cert-manager-controller".to_owned(),
        identity: identity.to_owned(),
        lease_duration: seconds(60),
        renew_deadline: seconds(40),
        retry_period: seconds(15),
    }
}

#[tokio::test(start_paused = true)]
async fn three_thousand_certificates_in_order_cost_no_write_but_the_lease_s() {
    let ground = Ground::new().await;
    let life = ground.start_with(Fate::Lives, Controllers::default(), Some(election("first")));
    let asks = (0..MANY).map(|number| {
        let ground = &ground;
        async move { ground.ask(&format!("web-{number}"), "ca", json!({})).await }
    });
    futures::stream::iter(asks).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    let give_up = tokio::time::Instant::now() + seconds(600);
    while !is_all_issued(&ground).await {
        assert!(tokio::time::Instant::now() < give_up, "not all were issued");
        sleep(seconds(5)).await;
    }
    sleep(seconds(120)).await;
    an_hour_writes_only_the_lease(&life.door).await;
    life.stop().await;

    // Nor does a start cost one.
    let next = ground.start_with(Fate::Lives, Controllers::default(), Some(election("second")));
    an_hour_writes_only_the_lease(&next.door).await;
    next.stop().await;
}

async fn is_all_issued(ground: &Ground) -> bool {
    let certificates = ground.certificates().await;
    certificates.len() > MANY
        && certificates.values().all(|certificate| {
            let status = certificate.status.as_ref();
            status.is_some_and(|status| everleaf_api::condition::is_true(&status.conditions, "Ready"))
        })
}

async fn an_hour_writes_only_the_lease(door: &crate::door::Door) {
    let before = door.writes().len();
    sleep(HOUR).await;
    let writes = door.writes().split_off(before);
    let (lease, others): (Vec<_>, Vec<_>) = writes.into_iter().partition(|write| write.contains("/leases"));
    assert!(lease.len() >= 200, "the Lease was renewed {} times in an hour", lease.len());
    assert!(others.is_empty(), "{} writes: {others:?}", others.len());
}
