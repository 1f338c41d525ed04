//! Many certificates at once: what a thousand of them cost Vault in logins, before and behind the end of a token, and what an hour without Vault
//! costs in calls and in writes.

use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{Api, WatchEvent, WatchParams};

use everleaf_api::CertificateRequest;
use everleaf_practice::{Deed, Phase};
use serde_json::json;
use tokio::time::sleep;

use crate::stage::{NAMESPACE, Plot, Stage, seconds};

const MANY: usize = 1000;
/// A part of those that are signed while tokens end.
const PART: usize = 300;
/// Status writes of one waiting request in an hour without Vault.
const WRITES_AN_HOUR: usize = 12;

/// The most logins that were under way at one moment, by the practice Vault's own record.
fn logins_at_once(stage: &Stage) -> usize {
    let audit = stage.vault.audit();
    let mut at: Vec<_> =
        audit.records().filter(|record| record.phase == Phase::Login).map(|record| record.at).collect();
    at.sort();
    at.chunk_by(|one, next| next.duration_since(*one).as_millis() < SLOW_LOGIN_MILLIS.into())
        .map(<[_]>::len)
        .max()
        .unwrap_or(0)
}

/// How long a login takes in these tests: a second one within that time would be beside the first.
const SLOW_LOGIN_MILLIS: u32 = 800;

fn slow_logins(stage: &Stage) {
    use everleaf_practice::{Fault, FaultRule};
    let slow = Fault::Latency(std::time::Duration::from_millis(SLOW_LOGIN_MILLIS.into()));
    stage.vault.inflict(FaultRule::new(slow).on(Phase::Login));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_that_wake_at_once_share_one_login() {
    let stage = Stage::set(Plot::default()).await;
    slow_logins(&stage);
    stage.vault.seal();
    stage.ask("web", MANY).await;
    sleep(seconds(60)).await;
    stage.vault.perform(&Deed::RevokeTokens);
    stage.vault.unseal();
    let took = stage.until_ready("web", MANY, seconds(120)).await;
    let audit = stage.vault.audit();
    assert!(took.is_some(), "only {} of {MANY} are ready", stage.ready("web").await);
    assert_eq!(logins_at_once(&stage), 1, "logins beside each other");
    assert!(audit.logins() <= 2, "{} logins for {} signs", audit.logins(), audit.signatures());
    println!("a thousand: ready after {took:?}, {} logins, {} signs", audit.logins(), audit.signatures());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_costs_one_login_in_a_thousand_signs() {
    let stage = Stage::bare(Plot::default()).await;
    // Not renewable beyond this: each token ends after two minutes, and twice while the thousand are signed.
    let role = json!({ "token_ttl": "2m", "token_max_ttl": "2m" });
    stage.vault.write("auth/approle/role/everleaf", role).unwrap();
    stage.start();
    for part in 0..4 {
        stage.ask(&format!("part{part}"), PART).await;
        assert!(stage.until_ready(&format!("part{part}"), PART, seconds(60)).await.is_some(), "part {part}");
        sleep(seconds(15)).await;
    }
    let audit = stage.vault.audit();
    let (logins, signs) = (audit.logins(), audit.signatures());
    assert!(1_000 * logins < 2 * signs, "{logins} logins for {signs} signs");
    assert!(signs < 4 * PART as u64 + 10, "{signs} signs for {} certificates", 4 * PART);
    let refused = audit.answered(Phase::Sign, 403);
    assert_eq!(refused, 0, "a token's end was seen by signs");
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_vault_costs_few_calls_and_few_writes() {
    let stage = Stage::set(Plot::default()).await;
    stage.ask("warm", 1).await;
    stage.until_ready("warm", 1, seconds(20)).await.unwrap();
    stage.vault.seal();
    stage.ask("web", 50).await;
    sleep(seconds(5)).await;
    let requests: Api<CertificateRequest> = Api::namespaced(stage.client.clone(), NAMESPACE);
    let counting = tokio::spawn(async move {
        let mut writes = std::collections::BTreeMap::<String, usize>::new();
        for _ in 0..20 {
            let events = requests.watch(&WatchParams::default().timeout(200), "0").await.unwrap().boxed();
            events
                .try_for_each(|event| {
                    let (WatchEvent::Added(request) | WatchEvent::Modified(request)) = &event else {
                        return std::future::ready(Ok(()));
                    };
                    let count = writes.entry(request.metadata.name.clone().unwrap()).or_default();
                    *count += usize::from(matches!(event, WatchEvent::Modified(_)));
                    std::future::ready(Ok(()))
                })
                .await
                .unwrap();
        }
        writes
    });
    let before = stage.calls();
    sleep(seconds(1800)).await;
    let half = stage.calls();
    sleep(seconds(1800)).await;
    let whole = stage.calls();
    let writes = counting.await.unwrap();
    let most = writes.values().max().copied().unwrap_or(0);
    println!("an hour: {} calls, then {}; at most {most} writes of a request", half - before, whole - half);
    assert!(whole - half <= 1800 / 2, "{} calls in the second half hour", whole - half);
    assert_eq!(writes.len(), 51, "all requests were watched");
    assert!(most <= WRITES_AN_HOUR, "{most} status writes of one request in an hour");
    stage.vault.unseal();
    let took = stage.until_ready("web", 50, seconds(10)).await;
    assert!(took.is_some(), "only {} ready 10 s after the unseal", stage.ready("web").await);
}
