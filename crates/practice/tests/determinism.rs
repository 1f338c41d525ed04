//! The same seed gives the same bytes: ids, tokens, certificates, faults, the whole history of a schedule.
//! With Ed25519 CAs, because ECDSA signatures draw their randomness where no seed reaches.
//! Histories run over virtual days; their seed is printed when they differ.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::*;
use everleaf_practice::{Cluster, Menu, Needs, Options, Practice, Scene, Schedule, furnish};

/// Everything that came back within a day under a drawn schedule, and all counters.
async fn history(seed: u64) -> Vec<String> {
    let cluster = Cluster::new(Options::simulated(seed));
    let furnished = furnish(&cluster.node(0), &Scene::default()).unwrap();
    let schedule = Schedule::seeded(seed, &Menu::healing(Needs::Cluster), &Scene::default(), secs(86_400));
    cluster.node(0).follow(&schedule);
    let mut history = Vec::new();
    for round in 0..720_usize {
        let node = cluster.node(round % 3);
        let logged = login(&node, &furnished).await;
        let token = logged.json()["auth"]["client_token"].as_str().unwrap_or("").to_owned();
        let signed = sign(&node, &token).await;
        history.push(format!("{} {logged:?} {signed:?} {:?}", node.now(), health(&node).await));
        tokio::time::sleep(secs(120)).await;
    }
    history.push(format!("{:?}", cluster.node(0).audit().by_path()));
    history
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_day_byte_for_byte() {
    for seed in [1, 2] {
        let (one, two) = (history(seed).await, history(seed).await);
        for (index, (one, two)) in one.iter().zip(&two).enumerate() {
            assert_eq!(one, two, "seed {seed}, line {index}");
        }
        assert_eq!(one.len(), two.len(), "seed {seed}");
        // A day with troubles in it, that isn't nothing but trouble.
        let good = one.iter().filter(|line| line.matches("status: 200").count() >= 2).count();
        assert!((350..700).contains(&good), "seed {seed}: {good} good rounds");
    }
}

#[tokio::test(start_paused = true)]
async fn another_seed_gives_another_day() {
    assert_ne!(history(1).await, history(2).await);
}

#[tokio::test(start_paused = true)]
async fn faults_do_not_change_what_is_signed_besides_them() {
    use everleaf_practice::{Fault, FaultRule, Phase, Share};
    let signed = |faulty: bool| async move {
        let practice = Practice::new(Options::simulated(5));
        let furnished = furnish(&practice, &Scene::default()).unwrap();
        if faulty {
            let rule = FaultRule::new(Fault::Sealed).on(Phase::Health).with_share(Share::new(0.5));
            practice.inflict(rule);
        }
        for _ in 0..10 {
            health(&practice).await;
        }
        sign(&practice, &furnished.token).await.body().to_owned()
    };
    assert_eq!(signed(false).await, signed(true).await);
}

#[tokio::test(start_paused = true)]
async fn all_troubles_of_a_schedule_have_healed_when_it_is_over() {
    for seed in 0..12 {
        let cluster = Cluster::new(Options::simulated(seed));
        let scene = Scene::default();
        let furnished = furnish(&cluster.node(0), &scene).unwrap();
        let schedule = Schedule::seeded(seed, &Menu::healing(Needs::Cluster), &scene, secs(86_400));
        cluster.node(0).follow(&schedule);
        tokio::time::sleep(schedule.end() + secs(1_200)).await;
        // Each killed plugin costs one call, and nobody has called.
        for _ in 0..100 {
            sign(&cluster.node(0), &furnished.token).await;
        }
        for node in cluster.nodes() {
            let token = token(&node, &furnished).await;
            let gave = sign(&node, &token).await;
            assert_eq!(gave.status(), 200, "seed {seed}, node {}: {gave:?}", node.index());
        }
    }
}
