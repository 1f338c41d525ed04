//! What a sign call carries, and what is made of its reply.

use everleaf_core::failure::{Class, Finality};
use everleaf_core::x509::{Csr, sign_self};
use serde_json::json;

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn a_sign_call_carries_the_peers_fields_and_no_others() {
    let bench = Bench::new(approle());
    bench.chain().await;
    let state = bench.server.state();
    let call = state.seen.last().unwrap();
    assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/v1/pki/sign/web"));
    assert_eq!(
        call.body,
        json!({
            "csr": made().csr_pem, "common_name": "web.example.com", "alt_names": "web.example.com,www.web.example.com",
            "ip_sans": "192.0.2.7", "uri_sans": "spiffe://x/y", "ttl": "2160h0m0s", "exclude_cn_from_sans": "true",
        })
    );
}

#[tokio::test(start_paused = true)]
async fn the_chain_is_made_of_issuing_ca_and_ca_chain() {
    let root = made().root.to_pem();
    let cases = [
        (json!({"issuing_ca": root}), true),
        (json!({"ca_chain": [root]}), true),
        (json!({"ca_chain": [], "issuing_ca": root}), true),
        (json!({"ca_chain": ["garbage", root, 7, null]}), true),
        (json!({"ca_chain": null, "issuing_ca": ""}), false),
        (json!({}), false),
    ];
    for (above, has_ca) in cases {
        let bench = Bench::new(approle());
        let shown = above.to_string();
        bench.server.script(move |seen| {
            seen.path.ends_with("sign/web").then(|| {
                let mut data = above.clone();
                data["certificate"] = leaf(&seen.body).to_pem().into();
                reply(200, &json!({"data": data}))
            })
        });
        let chain = bench.chain().await;
        assert_eq!(chain.certificates.len(), 1);
        assert_eq!(chain.ca.is_some(), has_ca, "{shown}");
        assert_eq!(chain.leaf().public_key(), made().key.public());
    }
}

#[tokio::test(start_paused = true)]
async fn a_certificate_for_another_key_is_the_issuers_fault_and_names_the_path() {
    let bench = Bench::new(approle());
    bench.server.script(|seen| {
        seen.path.ends_with("sign/web").then(|| {
            let other = key();
            let csr = Csr::build(&wanted("web.example.com"), &other).unwrap();
            let own = sign_self(&plan(&csr, 1, false), &other).unwrap();
            reply(200, &json!({"data": {"certificate": own.to_pem(), "private_key": "x"}}))
        })
    });
    let failure = bench.fails().await;
    assert_eq!((failure.class, failure.code, failure.finality), (Class::Issuer, "OtherKey", Finality::Never));
    assert!(failure.says.as_str().contains("issue"));
}

#[tokio::test(start_paused = true)]
async fn a_ca_that_ends_too_soon_signs_for_the_time_it_has() {
    let bench = Bench::new(approle());
    bench.server.script(|seen| {
        let long = seen.path.ends_with("sign/web") && seen.body["ttl"] == "2160h0m0s";
        long.then(|| {
            error(400, "cannot satisfy request, as TTL would result in notAfter of 2027-02-22T12:00:00.5Z that is beyond the expiration of the CA certificate at 2026-11-25T12:00:00Z")
        })
    });
    let answered = bench.sign().await;
    assert!(is_issued(&answered));
    assert_eq!(bench.server.state().seen.last().unwrap().body["ttl"], "23h59m0s");
    assert!(answered.warnings[0].contains("2026-11-25T12:00:00Z"), "{:?}", answered.warnings);
}

#[tokio::test(start_paused = true)]
async fn a_ca_that_has_ended_is_told_in_words_that_stay_the_same() {
    let bench = Bench::new(approle());
    let mut nanos = 100;
    bench.server.script(move |seen| {
        seen.path.ends_with("sign/web").then(|| {
            nanos += 1;
            error(400, &format!("cannot satisfy request, as TTL would result in notAfter of 2027-02-22T12:00:00.{nanos}Z that is beyond the expiration of the CA certificate at 2026-11-24T12:01:00Z"))
        })
    });
    let first = bench.fails().await;
    assert_eq!((first.class, first.code), (Class::Issuer, "CaExpired"));
    assert_eq!(bench.fails().await, first);
    assert_eq!(bench.server.signs(), 2, "no second call for a life of nothing");
}

#[tokio::test(start_paused = true)]
async fn warnings_are_handed_on_once() {
    let bench = Bench::new(approle());
    bench.server.script(|seen| {
        seen.path.ends_with("sign/web").then(|| {
            let capped =
                "TTL \"768h0m0s\" is longer than permitted maxTTL \"72h0m0s\", so maxTTL is being used";
            reply(
                200,
                &json!({"data": {"certificate": leaf(&seen.body).to_pem()}, "warnings": [capped, capped]}),
            )
        })
    });
    let answered = bench.sign().await;
    assert_eq!(answered.warnings.len(), 1);
    assert!(answered.warnings[0].contains("72h0m0s"));
}

#[tokio::test(start_paused = true)]
async fn a_csr_too_long_for_vault_is_never_sent() {
    let bench = Bench::new(approle());
    let long = "x".repeat(300_000);
    let order = everleaf_issuers::Order {
        csr_pem: &long,
        csr: &made().csr,
        duration: None,
        is_ca: false,
        usages: &[],
        key: None,
        is_probe: false,
    };
    let failure = failure(&bench.vault.sign(&order, bench.now()).await);
    assert_eq!((failure.class, failure.finality), (Class::Request, Finality::AtOnce));
    assert_eq!(bench.server.state().seen.len(), 0);
}

/// The founding case of the project: two minutes of 403, then the same request is signed.
#[tokio::test(start_paused = true)]
async fn two_minutes_of_any_fault_never_end_a_request() {
    let faults: Vec<Say> = vec![
        error(403, POLICY),
        error(403, INVALID),
        error(403, BARE),
        error(503, "Vault is sealed"),
        error(500, "local node not active but active cluster node not found"),
        error(500, "internal error"),
        error(429, "rate limit quota exceeded"),
        error(412, "required index state not present"),
        error(404, "no handler for route \"pki/sign/web\". route entry not found."),
        error(400, "unknown role: web"),
        error(400, "something nobody has heard of"),
        error(401, "who are you"),
        raw(200, "text/html", b"<html>"),
        raw(204, "text/plain", b""),
        redirect("https://dead.example:8200/v1/pki/sign/web"),
        Say::Hang,
        Say::Trouble(everleaf_issuers::wire::TroubleKind::Lost),
        Say::Trouble(everleaf_issuers::wire::TroubleKind::Refused),
    ];
    for fault in faults {
        for everything in [false, true] {
            let bench = Bench::new(approle());
            let shown = format!("{fault:?} everywhere: {everything}");
            let say = fault.clone();
            bench
                .server
                .script(move |seen| (everything || seen.path.ends_with("sign/web")).then(|| say.clone()));
            while bench.now() < start() + jiff::SignedDuration::from_secs(120) {
                let failure = bench.fails().await;
                assert_eq!(failure.finality, Finality::Never, "{shown}");
                assert_ne!(failure.class, Class::Request, "{shown}");
                pass(5).await;
            }
            bench.server.well();
            pass(6).await;
            bench.chain().await;
        }
    }
}
