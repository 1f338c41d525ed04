//! Calls: headers, deadlines, the one redirect, the one repeat, and answers that are no answers.

use std::time::Duration;

use everleaf_core::failure::{Class, Finality};
use everleaf_issuers::wire::{BODY_LIMIT, TroubleKind};
use http::HeaderValue;
use serde_json::json;
use tokio::time::Instant;

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn every_call_is_marked_and_all_but_health_name_the_namespace() {
    let mut config = config(approle());
    config.namespace = Some(HeaderValue::from_static("team/a"));
    let bench = Bench::of(config, &Default::default());
    bench.chain().await;
    bench.vault.check().await.unwrap();
    let state = bench.server.state();
    assert!(state.seen.iter().all(|seen| seen.marked));
    for seen in &state.seen {
        let expected = (seen.path != "/v1/sys/health").then(|| "team/a".to_owned());
        assert_eq!(seen.namespace, expected, "{}", seen.path);
    }
    let login = &state.seen[0];
    assert_eq!(login.token, None, "no token goes along with a login");
    assert_eq!(login.body, json!({"role_id": "the-role-id", "secret_id": SECRET_ID}), "both are trimmed");
}

#[tokio::test(start_paused = true)]
async fn the_path_of_the_server_stands_before_every_call() {
    let mut config = config(approle());
    config.server = everleaf_issuers::vault::config::Server::parse("https://proxy.example/vault/").unwrap();
    let bench = Bench::of(config, &Default::default());
    bench.server.script(|seen| {
        let path = seen.path.clone();
        (!path.starts_with("/vault/v1/")).then(|| error(404, "wrong place"))
    });
    let _ = bench.sign().await;
    assert_eq!(bench.server.state().seen[0].path, "/vault/v1/auth/approle/login");
}

#[tokio::test(start_paused = true)]
async fn one_redirect_is_followed_with_token_and_body() {
    let bench = Bench::new(approle());
    bench.server.script(|seen| {
        (seen.host == "vault.example:8200")
            .then(|| redirect(&format!("https://node-2.example:8200{}", seen.path)))
    });
    bench.chain().await;
    let state = bench.server.state();
    let hosts: Vec<_> = state.seen.iter().map(|seen| seen.host.as_str()).collect();
    assert_eq!(
        hosts,
        ["vault.example:8200", "node-2.example:8200", "vault.example:8200", "node-2.example:8200"]
    );
    assert_eq!(state.seen[3].token.as_deref(), Some("hvs.token-number-1"));
    assert_eq!(state.seen[2].body, state.seen[3].body);
    assert!(state.seen[3].marked);
}

#[tokio::test(start_paused = true)]
async fn a_second_redirect_is_not_followed_and_is_transient() {
    let bench = Bench::new(approle());
    bench.chain().await;
    let mut hops = 0;
    bench.server.script(move |seen| {
        hops += 1;
        Some(redirect(&format!("https://node-{hops}.example:8200{}", seen.path)))
    });
    let failure = bench.fails().await;
    assert_eq!((failure.class, failure.code), (Class::Transient, "Redirected"));
    assert_eq!(bench.server.signs(), 3, "the good one, the redirected one, one hop");
}

#[tokio::test(start_paused = true)]
async fn a_redirect_out_of_tls_or_to_nowhere_is_not_followed() {
    for to in ["http://vault.example:8200/v1/pki/sign/web", "ftp://x/", "https://user:pw@other/", "::::", ""]
    {
        let bench = Bench::new(approle());
        bench.chain().await;
        bench.server.script(move |_| Some(redirect(to)));
        let failure = bench.fails().await;
        assert_eq!(failure.class, Class::Transient, "{to}");
        assert!(!failure.says.as_str().contains("pw"), "{}", failure.says);
        assert_eq!(bench.server.signs(), 2, "{to}: no hop");
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_to_a_dead_leader_is_transient_and_told() {
    let bench = Bench::new(approle());
    bench.chain().await;
    bench.server.script(|seen| match seen.host.as_str() {
        "vault.example:8200" => Some(redirect(&format!("https://dead.example:8200{}", seen.path))),
        _ => Some(Say::Trouble(TroubleKind::Refused)),
    });
    let failure = bench.fails().await;
    assert_eq!((failure.class, failure.code), (Class::Transient, "RedirectNotFollowed"));
    assert_eq!(failure.says.as_str(), "redirected to dead.example:8200: connection refused");
}

/// A thawed leader of OpenBao redirects to itself (vault-measured 5.4): once more over a new connection, then it is for the retry.
#[tokio::test(start_paused = true)]
async fn a_redirect_to_itself_takes_a_new_connection_once() {
    let bench = Bench::new(approle());
    bench.chain().await;
    bench.server.script(|_| Some(redirect("/v1/pki/sign/web")));
    assert_eq!(bench.fails().await.code, "Redirected");
    let state = bench.server.state();
    let last = state.seen.last().unwrap();
    assert_eq!(
        (last.host.as_str(), last.over),
        ("vault.example:8200", Some(everleaf_issuers::wire::Over::Fresh))
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_closed_meanwhile_costs_one_repeat_that_nobody_sees() {
    let bench = Bench::new(approle());
    bench.chain().await;
    let mut first = true;
    bench.server.script(move |_| std::mem::take(&mut first).then_some(Say::Trouble(TroubleKind::Lost)));
    let answer = bench.sign().await;
    assert!(is_issued(&answer));
    assert_eq!(bench.server.signs(), 3);
}

#[tokio::test(start_paused = true)]
async fn there_is_never_a_second_repeat() {
    let bench = Bench::new(approle());
    bench.chain().await;
    bench.server.script(|_| Some(Say::Trouble(TroubleKind::Lost)));
    assert_eq!(bench.fails().await.code, "ConnectionLost");
    assert_eq!(bench.server.signs(), 3, "the good one, the lost one, one repeat");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_repeated_on_a_new_connection_or_after_two_seconds() {
    let bench = Bench::new(approle());
    bench.chain().await;
    bench
        .server
        .script(|_| Some(Say::After(Duration::from_secs(3), Box::new(Say::Trouble(TroubleKind::Lost)))));
    assert_eq!(bench.fails().await.code, "ConnectionLost");
    assert_eq!(bench.server.signs(), 2, "three seconds are for a retry");
    // That closed the connection: the next one is new, and its loss is no accident of an idle connection.
    bench.server.script(|_| Some(Say::Trouble(TroubleKind::Lost)));
    assert_eq!(bench.fails().await.code, "ConnectionLost");
    assert_eq!(bench.server.signs(), 3);
}

#[tokio::test(start_paused = true)]
async fn silence_ends_at_the_deadline_of_each_call() {
    let bench = Bench::new(approle());
    bench.server.script(|seen| seen.path.ends_with("/login").then_some(Say::Hang));
    let began = Instant::now();
    let failure = bench.fails().await;
    assert_eq!((failure.class, failure.code), (Class::Transient, "NoAnswer"));
    assert_eq!(began.elapsed(), Duration::from_secs(6));
    assert_eq!(failure.says.as_str(), "no answer within 6 s");

    let bench = Bench::new(approle());
    bench.chain().await;
    bench.server.script(|seen| seen.path.ends_with("sign/web").then_some(Say::Hang));
    let began = Instant::now();
    assert_eq!(bench.fails().await.code, "NoAnswer");
    assert_eq!(began.elapsed(), Duration::from_secs(10));

    bench.server.script(|seen| seen.path.ends_with("health").then_some(Say::Hang));
    let began = Instant::now();
    assert_eq!(bench.vault.health().await.unwrap_err().code, "NoAnswer");
    assert_eq!(began.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_sign_call_that_was_swallowed_is_made_again_beside_it_over_a_new_connection() {
    let bench = Bench::new(approle());
    bench.chain().await;
    let mut swallowed = 0;
    bench.server.script(move |seen| {
        let swallow = seen.path.ends_with("sign/web") && swallowed < 2;
        swallowed += usize::from(swallow);
        swallow.then_some(Say::Hang)
    });
    let began = Instant::now();
    assert!(is_issued(&bench.sign().await));
    assert_eq!(began.elapsed(), Duration::from_secs(8));
    let seen = bench.server.state().seen.clone();
    assert!(seen.iter().rev().take(2).all(|seen| seen.over == Some(everleaf_issuers::wire::Over::Fresh)));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_slow_but_answers_is_not_burdened_with_more_calls() {
    let bench = Bench::new(approle());
    bench.chain().await;
    bench.server.script(|seen| {
        let sealed = Say::After(Duration::from_secs(6), Box::new(error(503, "Vault is sealed")));
        seen.path.ends_with("sign/web").then_some(sealed)
    });
    assert_eq!(bench.fails().await.code, "Sealed");
    assert_eq!(bench.server.signs(), 1 + 2, "the first that takes six seconds is asked twice");
    assert_eq!(bench.fails().await.code, "Sealed");
    assert_eq!(bench.server.signs(), 1 + 2 + 1, "now it is known to be slow");
}

#[tokio::test(start_paused = true)]
async fn a_login_is_never_made_beside_another() {
    let bench = Bench::new(approle());
    bench.server.script(|seen| seen.path.ends_with("/login").then_some(Say::Hang));
    bench.fails().await;
    assert_eq!(bench.server.logins(), 1);
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_no_answers_are_transient_and_told_in_few_words() {
    let page = format!("<html><title>Sorry</title>{}</html>", "x".repeat(900_000));
    let cases: Vec<(Say, Class, &str)> = vec![
        (raw(200, "text/html", page.as_bytes()), Class::Transient, "NotVault"),
        (raw(403, "text/html", page.as_bytes()), Class::Transient, "NotVault"),
        (raw(404, "text/html", b"<html>"), Class::Transient, "NotVault"),
        (raw(200, "application/json", b""), Class::Transient, "NotVault"),
        (
            raw(200, "application/json", b"{\"data\":{\"certificate\":\"-----BEGIN"),
            Class::Transient,
            "NotVault",
        ),
        (raw(200, "application/json", b"[1,2]"), Class::Transient, "NotVault"),
        (raw(200, "application/json", b"null"), Class::Transient, "NotVault"),
        (raw(204, "application/json", b""), Class::Issuer, "NotPki"),
        (reply(200, &json!({"data": {}})), Class::Issuer, "NoCertificate"),
        (reply(200, &json!({"data": {"certificate": "not PEM"}})), Class::Issuer, "CertificateUnusable"),
        (reply(200, &json!({"data": {"certificate": 7}})), Class::Issuer, "NoCertificate"),
        (raw(500, "text/plain", b"\xff\xfe\x00"), Class::Transient, "NotVault"),
        (raw(418, "application/json", b"{}"), Class::Transient, "UnexpectedStatus"),
        (Say::Trouble(TroubleKind::NotHttp), Class::Transient, "NotHttp"),
    ];
    for (say, class, code) in cases {
        let bench = Bench::new(approle());
        bench.chain().await;
        let shown = format!("{say:?}").chars().take(200).collect::<String>();
        bench.server.script(move |_| Some(say.clone()));
        let failure = bench.fails().await;
        assert_eq!((failure.class, failure.code), (class, code), "{shown}");
        assert_eq!(failure.finality, Finality::Never);
        assert!(
            failure.says.as_str().len() < 200 && !failure.says.as_str().contains('<'),
            "{}",
            failure.says
        );
        bench.server.well();
        bench.chain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn json_under_a_wrong_content_type_is_json() {
    let bench = Bench::new(approle());
    bench.server.script(|seen| {
        seen.path.ends_with("sign/web").then(|| match signed(&seen.body) {
            Say::Reply { status, body, .. } => raw(status, "text/html", &body),
            other => other,
        })
    });
    bench.chain().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_over_a_mebibyte_is_cut_off_with_a_clear_failure() {
    let bench = Bench::new(approle());
    bench.server.script(|seen| {
        seen.path.ends_with("sign/web").then(|| raw(200, "application/json", &vec![b' '; BODY_LIMIT + 1]))
    });
    let failure = bench.fails().await;
    assert_eq!((failure.class, failure.code), (Class::Transient, "AnswerTooLarge"));
    assert_eq!(failure.says.as_str(), "the answer is larger than 1048576 bytes");
    bench.server.script(|seen| {
        seen.path.ends_with("sign/web").then(|| match signed(&seen.body) {
            Say::Reply { status, mut body, .. } => {
                body.resize(BODY_LIMIT, b' ');
                raw(status, "application/json", &body)
            }
            other => other,
        })
    });
    bench.chain().await;
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_handed_on_and_zero_counts_as_absent() {
    let cases = [
        ("7", Some(Duration::from_secs(7))),
        ("0", None),
        ("-3", None),
        ("soon", None),
        ("999999999", Some(Duration::from_secs(3600))),
        ("Tue, 24 Nov 2026 12:00:42 GMT", Some(Duration::from_secs(42))),
    ];
    for (written, wait) in cases {
        let bench = Bench::new(approle());
        bench.chain().await;
        bench.server.script(move |_| {
            let headers = vec![
                ("retry-after", written.to_owned()),
                ("date", "Tue, 24 Nov 2026 12:00:00 GMT".to_owned()),
            ];
            let body = br#"{"errors":["request path \"pki/sign/web\": rate limit quota exceeded"]}"#.to_vec();
            Some(Say::Reply { status: 429, headers, body })
        });
        let failure = bench.fails().await;
        assert_eq!((failure.code, failure.retry_after), ("RateLimited", wait), "{written}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_other_side_echoes_of_a_secret_is_masked() {
    let bench = Bench::new(approle());
    bench.server.script(|seen| {
        let all = format!("you sent {} {} {}", seen.body, seen.token.clone().unwrap_or_default(), seen.path);
        Some(error(400, &all))
    });
    let failure = bench.fails().await;
    assert!(!format!("{failure:?}").contains(SECRET_ID), "{failure:?}");
    assert!(failure.says.as_str().contains("***"));
    bench.server.well();
    pass(6).await;
    bench.chain().await;
    bench
        .server
        .script(|seen| Some(error(400, &format!("no such thing as {}", seen.token.clone().unwrap()))));
    let failure = bench.fails().await;
    assert!(!format!("{failure:?}").contains("hvs.token"), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn debug_never_shows_a_secret() {
    let bench = Bench::new(approle());
    let answered = bench.sign().await;
    let secret = everleaf_issuers::Surroundings::secret(&bench.around, "approle").await.unwrap();
    let shown = format!("{:?} {:?} {:?} {:?}", bench.vault, answered, secret, bench.server.network());
    for word in [SECRET_ID, "hvs.token", "the-role-id"] {
        assert!(!shown.contains(word), "{word} in {shown}");
    }
    let data = b"{\"auth\":{\"client_token\":\"hvs.token-number-1\"}}";
    let body = everleaf_issuers::vault::answer::Body::read(data, None);
    assert!(!format!("{body:?}").contains("hvs."));
}

#[tokio::test(start_paused = true)]
async fn health_reads_the_states_of_a_node() {
    let sealed = json!({"initialized": true, "sealed": true, "standby": true});
    let standby = json!({"initialized": true, "sealed": false, "standby": true});
    let cases = [
        (reply(200, &json!({"initialized": true, "sealed": false, "standby": false})), None),
        (reply(429, &standby), None),
        (reply(473, &standby), None),
        (error(429, "rate limit quota exceeded"), Some("RateLimited")),
        (reply(472, &standby), Some("WrongNode")),
        (reply(474, &standby), Some("NoLeader")),
        (reply(501, &sealed), Some("NotInitialised")),
        (reply(503, &sealed), Some("Sealed")),
        (raw(403, "text/html", b"<html>forbidden</html>"), None),
        (raw(404, "application/json", b"{\"errors\":[]}"), None),
        (raw(502, "text/html", b"<html>"), Some("ServerFault")),
    ];
    for (say, code) in cases {
        let bench = Bench::new(approle());
        let shown = format!("{say:?}");
        bench.server.script(move |seen| seen.path.ends_with("health").then(|| say.clone()));
        assert_eq!(bench.vault.health().await.err().map(|failure| failure.code), code, "{shown}");
        assert_eq!(bench.vault.check().await.err().map(|failure| failure.code), code, "{shown}");
    }
}
