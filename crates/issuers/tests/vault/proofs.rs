//! Refusals and their proof: a 403 by policy is Transient until a sound node has said it twice, and a request is refused for good only
//! with a committed write in between on the same connection.

use everleaf_core::failure::{Blame, Class, ConnectionId, Finality, Refusal, Sighting};
use everleaf_core::x509::Csr;
use everleaf_issuers::Answered;

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn a_refusal_by_policy_is_transient_until_it_is_proved_and_then_says_what_is_lacking() {
    let bench = Bench::new(approle());
    bench.server.state().may_sign = false;
    let first = bench.fails().await;
    assert_eq!((first.class, first.code), (Class::Transient, "DeniedByPolicy"));
    pass(5).await;
    assert_eq!(bench.fails().await.class, Class::Transient, "five seconds prove nothing");
    assert_eq!(bench.server.count("renew-self"), 0);
    pass(6).await;
    let proved = bench.fails().await;
    assert_eq!(
        (proved.class, proved.code, &proved.blame),
        (Class::Access, "PolicyLacksPath", &Blame::Issuer)
    );
    assert_eq!(proved.finality, Finality::Never, "a policy never ends a request");
    let says = proved.says.as_str();
    assert!(says.contains("web-sign") && says.contains("update") && says.contains("pki/sign/web"), "{says}");
    // From now on each try takes the policies of today: a role that is mended shows in new tokens only.
    let calls = bench.server.state().seen.len();
    for _ in 0..10 {
        pass(30).await;
        assert_eq!(bench.fails().await, proved, "the same words each time");
    }
    let seen = bench.server.state().seen.len() - calls;
    assert!(seen <= 3 * 10, "a login, the sign and a look at the capabilities each: {seen}");
    bench.server.state().may_sign = true;
    bench.chain().await;
    bench.server.state().may_sign = false;
    assert_eq!(
        bench.fails().await.class,
        Class::Transient,
        "a proof ends with the first answer that contradicts it"
    );
}

/// Policies are fixed at the login (vault-server 2.3, 2a): the proof takes a token of today, but not a login for each try.
#[tokio::test(start_paused = true)]
async fn a_role_that_was_given_another_policy_is_seen_without_anybodys_help() {
    let bench = Bench::new(approle());
    bench.chain().await;
    bench.server.script(|seen| {
        let old = seen.token.as_deref() == Some("hvs.token-number-1") && seen.path.ends_with("sign/web");
        old.then(|| error(403, POLICY))
    });
    pass(120).await;
    assert_eq!(bench.fails().await.class, Class::Transient);
    pass(11).await;
    bench.chain().await;
    assert_eq!(bench.server.logins(), 2);
}

/// A thawed leader refuses falsely for as long as it lives, but can't commit (vault-measured 5.4).
#[tokio::test(start_paused = true)]
async fn a_node_that_cant_commit_proves_nothing_quickly() {
    let bench = Bench::new(approle());
    bench.chain().await;
    bench.server.script(|seen| match seen.path.as_str() {
        path if path.ends_with("sign/web") => Some(error(403, POLICY)),
        path if path.ends_with("renew-self") => Some(error(
            500,
            "1 error occurred:\n\t* failed to persist lease entry: node is not the leader\n\n",
        )),
        path if path.ends_with("/login") => Some(error(500, "internal error")),
        _ => None,
    });
    for _ in 0..17 {
        assert_eq!(bench.fails().await.class, Class::Transient);
        pass(10).await;
    }
    // Minutes of repetition set the pace and the words; they end nothing.
    pass(30).await;
    let failure = bench.fails().await;
    assert_eq!((failure.class, failure.finality), (Class::Access, Finality::Never));
    bench.server.well();
    bench.chain().await;
}

#[tokio::test(start_paused = true)]
async fn refusals_from_changing_connections_prove_nothing_quickly() {
    let bench = Bench::new(approle());
    let mut connection = 100;
    bench.server.script(move |seen| {
        connection += 1;
        seen.path.ends_with("sign/web").then(|| Say::On(connection, Box::new(error(403, POLICY))))
    });
    for _ in 0..10 {
        assert_eq!(bench.fails().await.class, Class::Transient);
        pass(15).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_grants_the_path_but_not_its_fields_is_told_so() {
    let bench = Bench::new(approle());
    bench.server.script(|seen| seen.path.ends_with("sign/web").then(|| error(403, POLICY)));
    bench.fails().await;
    pass(11).await;
    let failure = bench.fails().await;
    assert_eq!(failure.code, "PolicyLacksPath");
    assert!(failure.says.as_str().contains("allowed_parameters"), "{}", failure.says);
}

fn sighting(answered: &Answered, bench: &Bench) -> Sighting {
    Sighting {
        failure: failure(answered),
        at: bench.now(),
        connection: answered.connection.unwrap(),
        token: answered.token,
    }
}

const REFUSED: &str = "common name web.example.com not allowed by this role";

#[tokio::test(start_paused = true)]
async fn a_refused_request_is_proved_by_its_second_attempt() {
    let bench = Bench::new(approle());
    bench.server.script(|seen| seen.path.ends_with("sign/web").then(|| error(400, REFUSED)));
    let answered = bench.sign().await;
    assert_eq!(failure(&answered).finality, Finality::WhenProved);
    assert_eq!(answered.write_before, None);
    let first = sighting(&answered, &bench);
    pass(20).await;
    let too_early = bench.sign().await;
    assert_eq!(too_early.write_before, None, "twenty seconds are too few");
    pass(11).await;
    let answered = bench.sign().await;
    let second = sighting(&answered, &bench);
    let write = answered.write_before.unwrap();
    assert_eq!(write.connection, first.connection);
    assert_eq!(bench.server.count("renew-self"), 1);
    let refusal = Refusal::proved(&first, write, &second).unwrap();
    assert_eq!(refusal.failure().code, "NameNotAllowed");
}

#[tokio::test(start_paused = true)]
async fn without_a_committed_write_a_refusal_is_never_proved() {
    let bench = Bench::new(approle());
    bench.server.script(|seen| match seen.path.as_str() {
        path if path.ends_with("sign/web") => Some(error(400, REFUSED)),
        path if path.ends_with("renew-self") => Some(error(500, "internal error")),
        _ => None,
    });
    for _ in 0..50 {
        let answered = bench.sign().await;
        assert_eq!(answered.write_before, None);
        pass(40).await;
    }
}

/// A batch token is made without a write (vault-measured 5.6).
#[tokio::test(start_paused = true)]
async fn a_batch_token_commits_nothing() {
    let bench = Bench::new(approle());
    {
        let mut state = bench.server.state();
        (state.token_type, state.renewable) = ("batch", false);
    }
    bench.server.script(|seen| seen.path.ends_with("sign/web").then(|| error(400, REFUSED)));
    for _ in 0..20 {
        assert_eq!(bench.sign().await.write_before, None);
        pass(40).await;
    }
    assert!(bench.server.logins() <= 15, "{}", bench.server.logins());
}

#[tokio::test(start_paused = true)]
async fn a_service_token_that_cant_be_renewed_is_proved_by_a_login() {
    let bench = Bench::new(approle());
    bench.server.state().renewable = false;
    bench.server.script(|seen| seen.path.ends_with("sign/web").then(|| error(400, REFUSED)));
    let answered = bench.sign().await;
    let first = sighting(&answered, &bench);
    pass(31).await;
    let answered = bench.sign().await;
    let second = sighting(&answered, &bench);
    assert!(second.token > first.token);
    assert!(Refusal::proved(&first, answered.write_before.unwrap(), &second).is_some());
}

#[tokio::test(start_paused = true)]
async fn many_refused_requests_share_one_write() {
    let bench = Bench::new(approle());
    bench.server.script(|seen| seen.path.ends_with("sign/web").then(|| error(400, REFUSED)));
    let key = &made().key;
    let csrs: Vec<Csr> =
        (0..20).map(|n| Csr::build(&wanted(&format!("host-{n}.example.com")), key).unwrap()).collect();
    let pems: Vec<String> = csrs.iter().map(Csr::to_pem).collect();
    let order = |n: usize| everleaf_issuers::Order {
        csr_pem: &pems[n],
        csr: &csrs[n],
        duration: None,
        is_ca: false,
        usages: &[],
        key: None,
        is_probe: false,
    };
    for n in 0..20 {
        assert_eq!(bench.vault.sign(&order(n), bench.now()).await.write_before, None);
    }
    pass(31).await;
    for n in 0..20 {
        assert!(bench.vault.sign(&order(n), bench.now()).await.write_before.is_some(), "{n}");
    }
    assert_eq!(bench.server.count("renew-self"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_on_another_connection_starts_the_proof_anew() {
    let bench = Bench::new(approle());
    let mut connection = 0;
    bench.server.script(move |seen| {
        seen.path.ends_with("sign/web").then(|| {
            connection += 1;
            Say::On(connection, Box::new(error(400, REFUSED)))
        })
    });
    let first = bench.sign().await;
    assert_eq!(first.connection, Some(ConnectionId(1)));
    pass(31).await;
    let second = bench.sign().await;
    let one = sighting(&first, &bench);
    let two = sighting(&second, &bench);
    let proved = second.write_before.is_some_and(|write| Refusal::proved(&one, write, &two).is_some());
    assert!(!proved);
}

#[tokio::test(start_paused = true)]
async fn the_write_can_be_asked_for_by_itself() {
    let bench = Bench::new(approle());
    let answered = bench.sign().await;
    let over = answered.connection.unwrap();
    let write = bench.vault.committed_write(over, bench.now()).await.unwrap();
    assert_eq!((write.connection, write.at), (over, bench.now()));
    bench.server.script(|seen| seen.path.ends_with("renew-self").then(|| error(503, "Vault is sealed")));
    assert_eq!(bench.vault.committed_write(over, bench.now()).await.unwrap_err().code, "Sealed");
}
