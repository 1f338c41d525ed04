//! Three nodes: what each of them gives during and after an event, as measured on real ones (vault-measured 5).
//! Moments are those of the tables there; the clock is virtual, so they are exact.
//! Node 0 leads at first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use std::time::Duration;

use common::*;
use everleaf_practice::faults::rows;
use everleaf_practice::{
    Balance, Cluster, ClusterEvent, ElectionPace, Furnished, Options, Practice, Product, Scene,
    TransportKind, by_row, furnish,
};
use serde_json::{Value, json};

async fn three(product: Product) -> (Cluster, Furnished) {
    three_of(Options::simulated(1).speaking_as(product)).await
}

/// Three nodes, set up, and long enough ago that every standby knows it.
async fn three_of(options: Options) -> (Cluster, Furnished) {
    let cluster = Cluster::new(options);
    let furnished = furnish(&cluster.node(0), &Scene::default()).unwrap();
    let nostore = json!({
        "allow_any_name": true, "enforce_hostnames": false, "key_type": "any", "no_store": true,
    });
    cluster.node(0).write_role("pki", "nostore", nostore).unwrap();
    let grant = "path \"pki/sign/*\" { capabilities = [\"update\"] }";
    cluster.node(0).write_policy("web-sign", grant).unwrap();
    tokio::time::sleep(secs(1)).await;
    (cluster, furnished)
}

/// What a node gives, in a word: a status, a broken connection, silence, or where it redirects to.
async fn word(cluster: &Cluster, node: usize, token: &str) -> String {
    told(cluster, &sign(&cluster.node(node), token).await)
}

fn told(cluster: &Cluster, gave: &Gave) -> String {
    match gave {
        Gave::Nothing => "silent".to_owned(),
        Gave::Broke(kind) => format!("{kind:?}"),
        Gave::Answer { location: Some(location), .. } => {
            let to = cluster.nodes().find(|node| location.starts_with(&node.address()));
            format!("307 to {}", to.map_or("nowhere".to_owned(), |node| node.index().to_string()))
        }
        Gave::Answer { status, .. } => status.to_string(),
    }
}

async fn words(cluster: &Cluster, token: &str) -> [String; 3] {
    // Together, because one that is silent takes time.
    let ask = |node| word(cluster, node, token);
    let (zero, one, two) = tokio::join!(ask(0), ask(1), ask(2));
    [zero, one, two]
}

/// Plays until these moments after the event and compares what the nodes say to a sign.
async fn play(cluster: &Cluster, token: &str, table: &[(u64, [&str; 3])]) {
    let began = cluster.node(0).now();
    for (at, expected) in table {
        let now = Duration::try_from(cluster.node(0).now().duration_since(began)).unwrap();
        tokio::time::sleep(millis(*at).saturating_sub(now)).await;
        let given = words(cluster, token).await;
        assert_eq!(given, *expected, "after {at} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn standbys_forward_and_say_so_in_their_health() {
    for product in [Product::Vault, Product::OpenBao] {
        let (cluster, furnished) = three(product).await;
        assert_eq!(words(&cluster, &furnished.token).await, ["200", "200", "200"]);
        let mut codes = Vec::new();
        for node in cluster.nodes() {
            codes.push(health(&node).await.status());
        }
        assert_eq!(codes, [200, 429, 429]);
        let leader = call(&cluster.node(2), "GET", "sys/leader", "", Value::Null).await.json();
        assert_eq!(leader["leader_address"], cluster.node(0).address());
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_down_costs_half_a_second_on_vault() {
    let (cluster, furnished) = three(Product::Vault).await;
    cluster.happen(ClusterEvent::StepDown);
    play(
        &cluster,
        &furnished.token,
        &[
            (0, ["500", "307 to 0", "307 to 0"]),
            (400, ["500", "307 to 0", "307 to 0"]),
            (600, ["200", "200", "200"]),
        ],
    )
    .await;
    assert_eq!(cluster.leader(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_step_down_costs_openbao_writes_three_seconds_and_reads_nothing() {
    let (cluster, furnished) = three(Product::OpenBao).await;
    cluster.happen(ClusterEvent::StepDown);
    for node in cluster.nodes() {
        assert_eq!(sign_with(&node, "pki/sign/nostore", &furnished.token).await.status(), 200);
        assert_eq!(look_up(&node, &furnished.token).await.status(), 200);
    }
    play(
        &cluster,
        &furnished.token,
        &[
            (100, ["500", "307 to 0", "307 to 0"]),
            (600, ["307 to 1", "200", "307 to 1"]),
            (3200, ["200", "200", "307 to 1"]),
            (3600, ["200", "200", "200"]),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_leader_is_redirected_to_until_the_election_is_over() {
    let (cluster, furnished) = three(Product::Vault).await;
    cluster.happen(ClusterEvent::KillLeader);
    play(
        &cluster,
        &furnished.token,
        &[
            (0, ["Refused", "307 to 0", "307 to 0"]),
            (1800, ["Refused", "307 to 0", "307 to 0"]),
            (1900, ["Refused", "200", "200"]),
        ],
    )
    .await;
    cluster.happen(ClusterEvent::Restart(0));
    tokio::time::sleep(secs(8)).await;
    assert_eq!(words(&cluster, &furnished.token).await, ["200", "200", "200"]);

    let (cluster, furnished) =
        three_of(Options { election: ElectionPace::Default, ..Options::simulated(1) }).await;
    cluster.happen(ClusterEvent::KillLeader);
    tokio::time::sleep(secs(11)).await;
    assert_eq!(words(&cluster, &furnished.token).await, ["Refused", "307 to 0", "307 to 0"]);
    assert_eq!(health(&cluster.node(2)).await.status(), 474);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(words(&cluster, &furnished.token).await, ["Refused", "200", "200"]);
}

#[tokio::test(start_paused = true)]
async fn a_killed_leader_of_openbao_leaves_reads_alone() {
    let (cluster, furnished) = three(Product::OpenBao).await;
    cluster.happen(ClusterEvent::KillLeader);
    assert_eq!(look_up(&cluster.node(2), &furnished.token).await.status(), 200);
    play(
        &cluster,
        &furnished.token,
        &[
            (1000, ["Refused", "307 to 0", "307 to 0"]),
            (2200, ["Refused", "200", "307 to 1"]),
            (5000, ["Refused", "200", "200"]),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_frozen_leader_silences_all_nodes_for_half_a_minute() {
    let (cluster, furnished) = three(Product::Vault).await;
    cluster.happen(ClusterEvent::FreezeLeader);
    play(
        &cluster,
        &furnished.token,
        &[
            (0, ["silent", "silent", "silent"]),
            (10_000, ["silent", "silent", "silent"]),
            (23_500, ["silent", "silent", "silent"]),
            (28_000, ["silent", "200", "307 to 1"]),
            (31_500, ["silent", "200", "200"]),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_node_that_takes_over_from_a_frozen_leader_is_silent_in_its_health_too() {
    let (cluster, _) = three(Product::Vault).await;
    cluster.happen(ClusterEvent::FreezeLeader);
    assert_eq!(health(&cluster.node(1)).await.status(), 429);
    tokio::time::sleep(secs(12)).await;
    let (one, two) = (cluster.node(1), cluster.node(2));
    assert_eq!(health(&one).await, Gave::Nothing);
    assert_eq!(health(&two).await.status(), 474);
    let leader = call_within(PATIENCE, &two, "GET", "sys/leader", "", Value::Null).await;
    assert_eq!(leader, Gave::Nothing);
    let seal = call_within(PATIENCE, &two, "GET", "sys/seal-status", "", Value::Null).await;
    assert_eq!(seal.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_patient_request_to_a_frozen_cluster_is_answered_in_the_end() {
    let (cluster, furnished) = three(Product::Vault).await;
    cluster.happen(ClusterEvent::FreezeLeader);
    let body = json!({"csr": csr(), "ttl": "24h"});
    let began = cluster.node(0).now();
    let one = async {
        let node = cluster.node(1);
        call(&node, "POST", "pki/sign/web", &furnished.token, body.clone()).await
    };
    let two = async {
        let node = cluster.node(2);
        call(&node, "POST", "pki/sign/web", &furnished.token, body.clone()).await
    };
    let (one, two) = tokio::join!(one, two);
    assert_eq!((one.status(), told(&cluster, &two)), (200, "307 to 1".to_owned()));
    let took = cluster.node(0).now().duration_since(began).as_secs();
    assert!((27..=28).contains(&took), "{took} s");
}

#[tokio::test(start_paused = true)]
async fn openbao_reads_through_a_freeze_on_the_third_node() {
    let (cluster, furnished) = three(Product::OpenBao).await;
    cluster.happen(ClusterEvent::FreezeLeader);
    tokio::time::sleep(secs(5)).await;
    let third = cluster.node(2);
    assert_eq!(look_up(&third, &furnished.token).await.status(), 200);
    assert_eq!(sign_with(&third, "pki/sign/nostore", &furnished.token).await.status(), 200);
    assert_eq!(sign(&third, &furnished.token).await, Gave::Nothing);
    assert_eq!(look_up(&cluster.node(1), &furnished.token).await, Gave::Nothing);
}

/// A cluster whose leader came to power by a change, was frozen for 40 s and is back.
async fn thawed(product: Product) -> (Cluster, Furnished, Practice, Practice) {
    let (cluster, furnished) = three(product).await;
    cluster.happen(ClusterEvent::StepDown);
    tokio::time::sleep(secs(5)).await;
    let old = cluster.leader().unwrap();
    cluster.happen(ClusterEvent::FreezeLeader);
    tokio::time::sleep(secs(40)).await;
    let new = cluster.leader().unwrap();
    assert_ne!(old, new);
    (cluster.clone(), furnished, cluster.node(old), cluster.node(new))
}

#[tokio::test(start_paused = true)]
async fn a_thawed_leader_lies_and_only_writes_tell() {
    for product in [Product::Vault, Product::OpenBao] {
        let (cluster, furnished, old, new) = thawed(product).await;
        let revoked = token(&new, &furnished).await;
        // What the real leader changes while the other one is frozen is never heard of there.
        new.write_policy("web-sign", "path \"pki/sign/other\" { capabilities = [\"update\"] }").unwrap();
        new.write_role("pki", "later", json!({"allow_any_name": true, "key_type": "any", "no_store": true}))
            .unwrap();
        new.write("sys/mounts/late", json!({"type": "pki"})).unwrap();
        cluster.happen(ClusterEvent::ThawAll);
        tokio::time::sleep(secs(100)).await;
        call(&new, "POST", "auth/token/revoke-self", &revoked, json!({})).await;

        assert_eq!(health(&old).await.status(), 200, "{product:?}");
        assert_eq!(health(&new).await.status(), 200, "{product:?}");
        let leader = call(&old, "GET", "sys/leader", "", Value::Null).await.json();
        assert_eq!(leader["is_self"], true, "{product:?}");
        assert_eq!(look_up(&old, &furnished.token).await.status(), 200, "{product:?}");

        // Old rights, old roles, old mounts.
        assert_eq!(sign_with(&old, "pki/sign/nostore", &furnished.token).await.status(), 200, "{product:?}");
        assert_eq!(sign_with(&new, "pki/sign/nostore", &furnished.token).await.says(), POLICY, "{product:?}");
        assert_eq!(capabilities(&new, &furnished.token).await.json()["capabilities"], json!(["deny"]));
        assert_eq!(
            sign_with(&old, "pki/sign/later", "root").await.says(),
            "unknown role: later",
            "{product:?}"
        );
        assert!(sign_with(&old, "late/sign/web", "root").await.says().starts_with("no handler for route"));
        assert!(sign_with(&new, "late/sign/web", "root").await.says().starts_with("unknown role"));
        assert_eq!(look_up(&old, &revoked).await.status(), 200, "{product:?}");
        assert_eq!(look_up(&new, &revoked).await.status(), 403, "{product:?}");

        // Writes fail.
        let stored = sign(&old, &furnished.token).await;
        match product {
            Product::Vault => {
                assert!(stored.says().contains("unable to store certificate locally: node is not the leader"))
            }
            Product::OpenBao => assert!(stored.location().starts_with(&old.address()), "{stored:?}"),
        }
        assert_eq!(login(&old, &furnished).await.says(), "internal error", "{product:?}");
        assert_eq!(renew(&old, &furnished.token).await.status(), 500, "{product:?}");

        // A step-down doesn't help, a restart does.
        let answer = call(&old, "POST", "sys/step-down", "root", json!({})).await;
        assert_eq!(answer.status(), 204);
        assert_eq!(health(&old).await.status(), 200, "{product:?}");
        cluster.happen(ClusterEvent::Kill(old.index()));
        cluster.happen(ClusterEvent::Restart(old.index()));
        tokio::time::sleep(secs(8)).await;
        assert_eq!(health(&old).await.status(), 429, "{product:?}");
        assert_eq!(sign_with(&old, "pki/sign/nostore", &furnished.token).await.says(), POLICY, "{product:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_lying_leader_is_a_row_of_its_own_and_a_restart_cures_it() {
    let (cluster, furnished) = three(Product::Vault).await;
    let row = rows::lying_leader();
    cluster.node(0).begin(&row);
    tokio::time::sleep(secs(45)).await;
    cluster.node(0).heal(&row);
    tokio::time::sleep(secs(3_600)).await;
    let active = cluster.nodes().filter(Practice::calls_itself_active).count();
    assert_eq!(active, 2);
    cluster.happen(ClusterEvent::RestartLiars);
    tokio::time::sleep(secs(10)).await;
    assert_eq!(cluster.nodes().filter(Practice::calls_itself_active).count(), 1);
    assert_eq!(words(&cluster, &furnished.token).await, ["200", "200", "200"]);
}

#[tokio::test(start_paused = true)]
async fn the_first_leader_since_initialisation_yields_after_a_thaw() {
    let (cluster, furnished) = three(Product::Vault).await;
    cluster.happen(ClusterEvent::FreezeLeader);
    tokio::time::sleep(secs(40)).await;
    cluster.happen(ClusterEvent::ThawAll);
    assert_eq!(health(&cluster.node(0)).await.status(), 200);
    tokio::time::sleep(secs(2)).await;
    assert_eq!(health(&cluster.node(0)).await.status(), 429);
    assert_eq!(words(&cluster, &furnished.token).await, ["200", "200", "200"]);
}

#[tokio::test(start_paused = true)]
async fn a_short_freeze_changes_nothing() {
    let (cluster, furnished) = three(Product::Vault).await;
    cluster.happen(ClusterEvent::FreezeLeader);
    tokio::time::sleep(secs(1)).await;
    cluster.happen(ClusterEvent::ThawAll);
    assert_eq!(cluster.leader(), Some(0));
    assert_eq!(words(&cluster, &furnished.token).await, ["200", "200", "200"]);
}

#[tokio::test(start_paused = true)]
async fn a_surviving_standby_redirects_to_its_dead_leader_for_ever() {
    for product in [Product::Vault, Product::OpenBao] {
        let (cluster, furnished) = three(product).await;
        let cached = token(&cluster.node(0), &furnished).await;
        cluster.happen(ClusterEvent::KillAllBut(1));
        let survivor = cluster.node(1);
        for _ in 0..3 {
            assert_eq!(words(&cluster, &cached).await, ["Refused", "307 to 0", "Refused"], "{product:?}");
            assert_eq!(told(&cluster, &login(&survivor, &furnished).await), "307 to 0", "{product:?}");
            assert_eq!(told(&cluster, &renew(&survivor, &cached).await), "307 to 0", "{product:?}");
            let read = look_up(&survivor, &cached).await;
            let refused = sign_with(&survivor, "pki/sign/nope", "root").await;
            match product {
                Product::Vault => {
                    assert_eq!(told(&cluster, &read), "307 to 0");
                    assert_eq!(told(&cluster, &refused), "307 to 0");
                }
                Product::OpenBao => {
                    assert_eq!(read.status(), 200);
                    assert_eq!(refused.says(), "unknown role: nope");
                }
            }
            let leader = call(&survivor, "GET", "sys/leader", "", Value::Null).await.json();
            assert_eq!(leader["leader_address"], cluster.node(0).address());
            tokio::time::sleep(secs(600)).await;
        }
        cluster.happen(ClusterEvent::RestartAll);
        tokio::time::sleep(secs(10)).await;
        assert_eq!(words(&cluster, &furnished.token).await, ["200", "200", "200"], "{product:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_surviving_leader_reads_for_a_second_and_then_knows_nobody() {
    let (cluster, furnished) = three(Product::Vault).await;
    cluster.happen(ClusterEvent::KillAllBut(0));
    let survivor = cluster.node(0);
    assert_eq!(look_up(&survivor, &furnished.token).await.status(), 200);
    assert_eq!(sign_with(&survivor, "pki/sign/nostore", &furnished.token).await.status(), 200);
    assert!(sign(&survivor, &furnished.token).await.says().contains("leadership lost while committing log"));
    assert_eq!(login(&survivor, &furnished).await.says(), "internal error");
    tokio::time::sleep(secs(1)).await;
    assert_eq!(sign(&survivor, &furnished.token).await.says(), LEADERLESS);
    assert_eq!(look_up(&survivor, &furnished.token).await.says(), LEADERLESS);
    assert_eq!(health(&survivor).await.status(), 429);
}

#[tokio::test(start_paused = true)]
async fn cut_cluster_ports_show_as_redirects_and_as_474() {
    let (cluster, furnished) = three(Product::Vault).await;
    cluster.happen(ClusterEvent::CutClusterPorts);
    assert_eq!(words(&cluster, &furnished.token).await, ["200", "307 to 0", "307 to 0"]);
    tokio::time::sleep(secs(11)).await;
    assert_eq!(health(&cluster.node(1)).await.status(), 474);
    cluster.happen(ClusterEvent::MendClusterPorts);
    assert_eq!(words(&cluster, &furnished.token).await, ["200", "200", "200"]);
}

#[tokio::test(start_paused = true)]
async fn an_openbao_standby_answers_from_a_copy_that_is_a_little_old() {
    let (cluster, furnished) = three(Product::OpenBao).await;
    let (leader, standby) = (cluster.node(0), cluster.node(1));
    leader.write_policy("web-sign", "path \"pki/sign/other\" { capabilities = [\"update\"] }").unwrap();
    tokio::time::sleep(secs(1)).await;
    leader.write_policy("web-sign", "path \"pki/sign/*\" { capabilities = [\"update\"] }").unwrap();
    leader.write_role("pki", "new", json!({"allow_any_name": true, "key_type": "any"})).unwrap();
    assert_eq!(sign(&standby, &furnished.token).await.says(), POLICY);
    assert_eq!(capabilities(&standby, &furnished.token).await.json()["capabilities"], json!(["deny"]));
    assert_eq!(sign_with(&standby, "pki/sign/new", "root").await.says(), "unknown role: new");
    assert_eq!(sign(&leader, &furnished.token).await.status(), 200);
    tokio::time::sleep(millis(100)).await;
    assert_eq!(sign(&standby, &furnished.token).await.status(), 200);

    // Vault's standbys judge nothing themselves.
    let (cluster, furnished) = three(Product::Vault).await;
    cluster.node(0).write_role("pki", "new", json!({"allow_any_name": true, "key_type": "any"})).unwrap();
    assert_eq!(sign_with(&cluster.node(1), "pki/sign/new", &furnished.token).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn forwarding_can_be_refused() {
    let (cluster, furnished) = three(Product::Vault).await;
    let request = http::Request::post("/v1/pki/sign/web?x=1")
        .header("x-vault-token", furnished.token.as_str())
        .header("x-vault-no-request-forwarding", "true")
        .body(bytes::Bytes::new())
        .unwrap();
    let gave = gave(cluster.node(1).call(request).await).await;
    assert_eq!(gave.location(), format!("{}/v1/pki/sign/web?x=1", cluster.node(0).address()));
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_fails_writes_and_then_everything_until_there_is_space() {
    let (cluster, furnished) = three(Product::Vault).await;
    cluster.happen(ClusterEvent::FillDisks);
    for node in cluster.nodes() {
        assert!(sign(&node, &furnished.token).await.says().contains("no space left on device"));
    }
    tokio::time::sleep(secs(1)).await;
    assert_eq!(words(&cluster, &furnished.token).await, ["500", "500", "500"]);
    assert_eq!(health(&cluster.node(0)).await.status(), 429);
    cluster.happen(ClusterEvent::EmptyDisks);
    tokio::time::sleep(secs(5)).await;
    assert_eq!(words(&cluster, &furnished.token).await, ["200", "200", "200"]);
}

#[tokio::test(start_paused = true)]
async fn sealing_the_leader_of_a_cluster_lets_another_one_take_over() {
    let (cluster, furnished) = three(Product::Vault).await;
    cluster.node(0).seal();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(words(&cluster, &furnished.token).await, ["503", "200", "200"]);
    let leader = call(&cluster.node(0), "GET", "sys/leader", "", Value::Null).await;
    assert_eq!(leader.says(), "Vault is sealed");
    cluster.node(0).unseal();
    assert_eq!(words(&cluster, &furnished.token).await, ["200", "200", "200"]);
}

#[tokio::test(start_paused = true)]
async fn every_cluster_row_begins_and_heals() {
    for number in [4, 5, 6, 7, 8, 47] {
        let (cluster, furnished) = three(Product::Vault).await;
        let row = by_row(number, &Scene::default()).unwrap();
        cluster.node(0).begin(&row);
        let during = words(&cluster, &furnished.token).await;
        assert_ne!(during, ["200", "200", "200"], "row {number} {}", row.what);
        cluster.node(0).heal(&row);
        tokio::time::sleep(secs(60)).await;
        assert_eq!(
            words(&cluster, &furnished.token).await,
            ["200", "200", "200"],
            "row {number} {}",
            row.what
        );
    }
    let (cluster, furnished) = three(Product::OpenBao).await;
    cluster.node(0).begin(&by_row(42, &Scene::default()).unwrap());
    tokio::time::sleep(millis(100)).await;
    assert_eq!(sign(&cluster.node(1), &furnished.token).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_balancer_by_health_also_picks_the_second_active_node() {
    let (cluster, _, old, new) = thawed(Product::Vault).await;
    cluster.happen(ClusterEvent::ThawAll);
    let balancer = cluster.balancer(Balance::Healthy);
    let mut picked: Vec<usize> = (0..4).map(|_| balancer.connect().unwrap().index()).collect();
    picked.sort_unstable();
    picked.dedup();
    let mut both = [old.index(), new.index()];
    both.sort_unstable();
    assert_eq!(picked, both);
    let standbys = cluster.balancer(Balance::Standbys);
    assert!((0..4).all(|_| standbys.connect().unwrap().index() != new.index()));
}

#[tokio::test(start_paused = true)]
async fn the_network_leads_to_the_node_that_a_uri_names() {
    use tower::Service;
    let (cluster, furnished) = three(Product::Vault).await;
    let balancer = cluster.balancer(Balance::RoundRobin);
    let mut network = cluster.network().with_balancer("vault.test:8200", balancer);
    let mut ask = |uri: String| {
        let request = http::Request::get(uri).header("x-vault-token", furnished.token.as_str());
        let call = network.call(request.body(http_body_util::Full::new(bytes::Bytes::new())).unwrap());
        async move { gave(call.await).await }
    };
    let by_address = ask(format!("{}/v1/sys/health", cluster.node(2).address())).await;
    assert_eq!(by_address.status(), 429);
    assert_eq!(ask("http://127.0.0.1:1/v1/sys/health".into()).await, Gave::Broke(TransportKind::Refused));
    // The balancer stays on its node until that one fails.
    let front = || "http://vault.test:8200/v1/sys/health".to_owned();
    assert_eq!([ask(front()).await.status(), ask(front()).await.status()], [200, 200]);
    cluster.happen(ClusterEvent::Kill(0));
    assert_eq!(ask(front()).await, Gave::Broke(TransportKind::Refused));
    assert_eq!(ask(front()).await.status(), 429);
}
