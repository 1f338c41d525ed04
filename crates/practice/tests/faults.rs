//! Every fault: what a client sees of it, and whether the work behind it was done.
//! In process and in virtual time.
//! Texts are checked where they are made; here it is which calls are hit and what is left afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use std::time::Duration;

use common::*;
use everleaf_practice::{Denial, Fault, FaultRule, Internal, Phase, RedirectTo, Seen, Share, TransportKind};
use serde_json::Value;

/// The faults that answer instead of the work, and the status of a sign under them.
fn instead() -> Vec<(Fault, u16, &'static str)> {
    vec![
        (Fault::Sealed, 503, "Vault is sealed"),
        (Fault::Redirect(RedirectTo::Nowhere), 307, ""),
        (Fault::Redirect(RedirectTo::Itself), 307, ""),
        (Fault::Denied(Denial::Bare), 403, BARE),
        (Fault::Denied(Denial::Policy), 403, POLICY),
        (Fault::Denied(Denial::InvalidToken), 403, INVALID),
        (Fault::UnknownRole, 400, "unknown role: web"),
        (Fault::NoRoute, 404, "no handler for route \"pki/sign/web\". route entry not found."),
        (Fault::NotFound, 404, ""),
        (Fault::IndexNotPresent, 412, "required index state not present"),
        (Fault::RateLimited(Some(7)), 429, "request path \"pki/sign/web\": rate limit quota exceeded"),
        (Fault::Internal(Internal::Bare), 500, "internal error"),
        (Fault::Internal(Internal::Leaderless), 500, LEADERLESS),
        (Fault::Page(502), 502, ""),
        (Fault::Unavailable, 503, "no active Vault instance found"),
        (Fault::PlainHttp, 400, ""),
        (Fault::Status(418, "teapot".into()), 418, "teapot"),
        (Fault::Empty(200), 200, ""),
        (Fault::Empty(204), 204, ""),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_answers_does_no_work() {
    for (fault, status, says) in instead() {
        let (practice, furnished) = issuer(1);
        let id = practice.inflict(FaultRule::new(fault.clone()).on(Phase::Sign));
        let gave = sign(&practice, &furnished.token).await;
        assert_eq!((gave.status(), gave.says().as_str()), (status, says), "{fault:?}");
        assert!(practice.signed().is_empty(), "{fault:?}");
        assert_eq!(practice.audit().answered(Phase::Sign, status), 1, "{fault:?}");
        practice.lift(id);
        assert_eq!(sign(&practice, &furnished.token).await.status(), 200, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_before_the_work_leaves_nothing_behind() {
    let kinds = [
        TransportKind::Refused,
        TransportKind::Unresolved,
        TransportKind::Reset,
        TransportKind::Closed,
        TransportKind::TimedOut,
        TransportKind::Untrusted,
    ];
    for kind in kinds {
        let (practice, furnished) = issuer(1);
        practice.inflict(FaultRule::new(Fault::Broken(kind)));
        assert_eq!(sign(&practice, &furnished.token).await, Gave::Broke(kind));
        assert!(practice.signed().is_empty());
        assert_eq!(practice.audit().count(|_, _, seen| seen == Seen::Broken(kind)), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_leaves_a_certificate_and_a_token_behind() {
    let (practice, furnished) = issuer(1);
    let before = practice.living_tokens();
    practice.inflict(FaultRule::new(Fault::Lost(TransportKind::Reset)));
    assert_eq!(sign(&practice, &furnished.token).await, Gave::Broke(TransportKind::Reset));
    assert_eq!(login(&practice, &furnished).await, Gave::Broke(TransportKind::Reset));
    assert_eq!(practice.signed().len(), 1);
    assert_eq!(practice.living_tokens(), before + 1);
    assert_eq!((practice.audit().signatures(), practice.audit().logins()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_hang_ends_after_the_servers_own_limit() {
    let (practice, furnished) = issuer(1);
    practice.inflict(FaultRule::new(Fault::Hang).on(Phase::Sign));
    assert_eq!(sign(&practice, &furnished.token).await, Gave::Nothing);
    let began = practice.now();
    let gave = call(&practice, "POST", "pki/sign/web", &furnished.token, Value::Null).await;
    assert_eq!(gave, Gave::Broke(TransportKind::Closed));
    assert_eq!(practice.now().duration_since(began).as_secs(), 90);
    // The caller who was impatient met silence, the patient one met a closed connection.
    let counted = |end: Seen| practice.audit().count(|_, _, seen| seen == end);
    assert_eq!([counted(Seen::Silence), counted(Seen::Broken(TransportKind::Closed))], [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_the_answer_of_work_done_in_time() {
    let (practice, furnished) = issuer(1);
    practice.inflict(FaultRule::new(Fault::Latency(secs(10))).on(Phase::Sign));
    assert_eq!(sign(&practice, &furnished.token).await, Gave::Nothing);
    assert_eq!(practice.signed().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_servers_time_limit_is_a_500_and_no_work() {
    let (practice, furnished) = issuer(1);
    practice.inflict(FaultRule::new(Fault::TimeLimit(secs(1))).on(Phase::Sign));
    let gave = sign(&practice, &furnished.token).await;
    assert_eq!((gave.status(), gave.says().as_str()), (500, "context deadline exceeded"));
    assert!(practice.signed().is_empty());
}

/// Whether an answer is what a fault should make of one that is so long when it is whole.
type Fits = fn(&Gave, usize) -> bool;

#[tokio::test(start_paused = true)]
async fn half_answers_are_told_from_whole_ones() {
    let (practice, furnished) = issuer(1);
    let whole = sign(&practice, &furnished.token).await.body().len();
    let rows: Vec<(Fault, Fits)> = vec![
        (Fault::Truncated, |gave, _| *gave == Gave::Broke(TransportKind::Closed)),
        (Fault::HalfThenSilence, |gave, _| *gave == Gave::Nothing),
        (Fault::HalfJson, |gave, whole| {
            gave.status() == 200 && gave.json().is_null() && gave.body().len() <= whole / 2 + 1
        }),
        (Fault::WrongContentType, |gave, whole| gave.status() == 200 && gave.body().len() == whole),
        (
            Fault::Oversize(1 << 20),
            |gave, _| matches!(gave, Gave::Answer { body, .. } if body.len() > 1 << 20),
        ),
        (Fault::NoCertificate, |gave, _| gave.json()["data"] == serde_json::json!({})),
        (Fault::Drip { piece: 100, pause: millis(10) }, |gave, whole| gave.body().len() == whole),
        (Fault::Drip { piece: 1, pause: secs(1) }, |gave, _| *gave == Gave::Nothing),
    ];
    for (fault, fits) in rows {
        let id = practice.inflict(FaultRule::new(fault.clone()).on(Phase::Sign));
        let gave = sign(&practice, &furnished.token).await;
        assert!(fits(&gave, whole), "{fault:?}: {gave:?}");
        practice.lift(id);
    }
}

#[tokio::test(start_paused = true)]
async fn bad_certificates_come_in_a_200() {
    for fault in [Fault::DeadCertificate, Fault::ForeignKey, Fault::OtherNames] {
        let (practice, furnished) = issuer(1);
        practice.inflict(FaultRule::new(fault.clone()));
        let gave = sign(&practice, &furnished.token).await;
        assert_eq!(gave.status(), 200, "{fault:?}");
        let signed = practice.signed().pop().unwrap();
        let dead = signed.not_after < practice.now();
        assert_eq!(dead, fault == Fault::DeadCertificate);
        assert_eq!(signed.name == "other.invalid", fault == Fault::OtherNames);
        assert_eq!(gave.json()["data"]["expiration"], signed.not_after.as_second());
        // A login isn't touched by what concerns certificates.
        assert_eq!(login(&practice, &furnished).await.status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_foreign_key_is_not_the_requests_key() {
    let (practice, furnished) = issuer(1);
    let good = sign(&practice, &furnished.token).await;
    practice.inflict(FaultRule::new(Fault::ForeignKey));
    let bad = sign(&practice, &furnished.token).await;
    let request = everleaf_practice::certificate_request(
        11,
        everleaf_practice::CaKeyKind::Ed25519,
        &everleaf_practice::RequestNames::host("web.example.com"),
    );
    let key = request.unwrap().public_key;
    let holds = |gave: &Gave| {
        let pem = gave.json()["data"]["certificate"].as_str().unwrap().to_owned();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).unwrap();
        der.windows(key.len()).any(|window| window == key)
    };
    assert!(holds(&good) && !holds(&bad));
}

#[tokio::test(start_paused = true)]
async fn health_codes_concern_health_only() {
    let (practice, furnished) = issuer(1);
    for code in [472, 473, 474, 530] {
        let id = practice.inflict(FaultRule::new(Fault::HealthCode(code)));
        assert_eq!(health(&practice).await.status(), code);
        assert_eq!(sign(&practice, &furnished.token).await.status(), 200);
        practice.lift(id);
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_sent_only_where_it_is_asked_for() {
    let (practice, furnished) = issuer(1);
    for (wait, header) in [(Some(7), Some("7")), (Some(0), Some("0")), (None, None)] {
        let id = practice.inflict(FaultRule::new(Fault::RateLimited(wait)));
        let Gave::Answer { retry_after, .. } = sign(&practice, &furnished.token).await else {
            panic!("no answer")
        };
        assert_eq!(retry_after.as_deref(), header);
        practice.lift(id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_keeps_to_its_phase_its_times_and_its_span() {
    let (practice, furnished) = issuer(1);
    practice.inflict(FaultRule::new(Fault::Sealed).on(Phase::Login).lasting(secs(10)));
    assert_eq!(login(&practice, &furnished).await.status(), 503);
    assert_eq!(sign(&practice, &furnished.token).await.status(), 200);
    tokio::time::sleep(secs(10)).await;
    assert_eq!(login(&practice, &furnished).await.status(), 200);

    practice.inflict(FaultRule::new(Fault::NotFound).on(Phase::Sign).times(2).after(secs(5)));
    assert_eq!(sign(&practice, &furnished.token).await.status(), 200);
    tokio::time::sleep(secs(5)).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(sign(&practice, &furnished.token).await.status());
    }
    assert_eq!(statuses, [404, 404, 200]);
}

#[tokio::test(start_paused = true)]
async fn a_share_of_calls_is_drawn_from_the_seed() {
    let run = |seed| async move {
        let (practice, furnished) = issuer(seed);
        practice.inflict(FaultRule::new(Fault::Sealed).on(Phase::Sign).with_share(Share::new(0.5)));
        let mut statuses = Vec::new();
        for _ in 0..40 {
            statuses.push(sign(&practice, &furnished.token).await.status());
        }
        statuses
    };
    let first = run(1).await;
    assert_eq!(first, run(1).await);
    assert_ne!(first, run(2).await);
    assert!(first.contains(&200) && first.contains(&503));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_cut_and_a_busy_one_is_not() {
    let (practice, furnished) = issuer(1);
    practice.inflict(FaultRule::new(Fault::IdleCut(secs(60))));
    let connection = practice.connect();
    assert_eq!(sign(&connection, &furnished.token).await.status(), 200);
    tokio::time::sleep(secs(59)).await;
    assert_eq!(sign(&connection, &furnished.token).await.status(), 200);
    tokio::time::sleep(secs(60)).await;
    assert_eq!(sign(&connection, &furnished.token).await, Gave::Broke(TransportKind::Reset));
    assert_eq!(sign(&practice.connect(), &furnished.token).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_sealed_node_is_sealed_for_health_and_seal_status_too() {
    let (practice, furnished) = issuer(1);
    practice.inflict(FaultRule::new(Fault::Sealed).lasting(Duration::from_secs(5)));
    assert_eq!(health(&practice).await.status(), 503);
    let status = call(&practice, "GET", "sys/seal-status", "", Value::Null).await;
    assert_eq!((status.status(), status.json()["sealed"].clone()), (200, true.into()));
    practice.lift_all();
    practice.seal();
    assert_eq!(health(&practice).await.status(), 503);
    assert_eq!(sign(&practice, &furnished.token).await.says(), "Vault is sealed");
    practice.unseal();
    assert_eq!(sign(&practice, &furnished.token).await.status(), 200);
}
