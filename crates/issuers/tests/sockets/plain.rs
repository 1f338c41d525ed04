//! Connections: numbered, reused, left after a fault, and found again for a proof.

use everleaf_core::failure::{Class, ConnectionId, Refusal, Sighting};
use everleaf_issuers::Answered;
use everleaf_issuers::vault::config::Ca;
use futures::future::join_all;
use jiff::SignedDuration;
use serde_json::json;

use crate::support::*;
use crate::{around, listen, vault};

fn plain() -> everleaf_issuers::vault::config::Config {
    // TLS isn't spoken here; the bundle spares the look for the system's roots.
    config(approle())
}

#[tokio::test]
async fn calls_one_after_the_other_share_a_connection_and_a_fault_ends_it() {
    let server = Server1::default();
    let listening = listen(server.clone(), None).await;
    let vault = vault(plain(), &listening.url("http"), &around());
    for _ in 0..5 {
        assert_eq!(sign(&vault, start()).await.connection, Some(ConnectionId(1)));
    }
    server.script(|seen| seen.path.ends_with("sign/web").then(|| error(403, POLICY)));
    assert_eq!(sign(&vault, start()).await.connection, Some(ConnectionId(1)));
    server.well();
    assert_eq!(
        sign(&vault, start()).await.connection,
        Some(ConnectionId(1)),
        "a refusal keeps its connection"
    );
    server.script(|seen| seen.path.ends_with("sign/web").then(|| error(500, "internal error")));
    assert_eq!(sign(&vault, start()).await.connection, Some(ConnectionId(1)));
    server.well();
    assert_eq!(sign(&vault, start()).await.connection, Some(ConnectionId(2)), "another node may answer");
}

#[tokio::test]
async fn a_proof_finds_its_connection_again_among_many() {
    let server = Server1::default();
    let listening = listen(server.clone(), None).await;
    let vault = vault(plain(), &listening.url("http"), &around());
    let refused = "common name web.example.com not allowed by this role";
    server.script(move |seen| seen.path.ends_with("sign/web").then(|| error(400, refused)));
    let first = sign(&vault, start()).await;
    server.script(|seen| {
        let slow =
            Say::After(std::time::Duration::from_millis(100), Box::new(reply(200, &json!({"data": {}}))));
        seen.path.ends_with("sign/web").then_some(slow)
    });
    // Other requests, many at a time: the pool has eight connections now, the one of the refusal somewhere among them.
    let other = everleaf_core::x509::Csr::build(&wanted("other.example.com"), &made().key).unwrap();
    let pem = other.to_pem();
    let order = everleaf_issuers::Order {
        csr_pem: &pem,
        csr: &other,
        duration: None,
        is_ca: false,
        usages: &[],
        key: None,
        is_probe: false,
    };
    let others = join_all((0..8).map(|_| vault.sign(&order, start()))).await;
    let mut numbers: Vec<_> = others.iter().filter_map(|answer| answer.connection).collect();
    numbers.sort_by_key(|number| number.0);
    numbers.dedup();
    assert_eq!(numbers.len(), 8, "{numbers:?}");
    server.script(move |seen| seen.path.ends_with("sign/web").then(|| error(400, refused)));
    let later = start() + SignedDuration::from_secs(31);
    let second = sign(&vault, later).await;
    assert_eq!(second.connection, first.connection);
    let sighting = |answered: &Answered, at| Sighting {
        failure: failure(answered),
        at,
        connection: answered.connection.unwrap(),
        token: answered.token,
    };
    let (one, two) = (sighting(&first, start()), sighting(&second, later));
    assert!(Refusal::proved(&one, second.write_before.unwrap(), &two).is_some());
}

#[tokio::test]
async fn connections_closed_while_idle_are_never_noticed() {
    let server = Server1::default();
    let listening = listen(server.clone(), None).await;
    let vault = vault(plain(), &listening.url("http"), &around());
    for round in 0..20 {
        let answers = join_all((0..4).map(|_| sign(&vault, start()))).await;
        assert!(answers.iter().all(is_issued), "{round}: {answers:?}");
        listening.close_all();
    }
}

#[tokio::test]
async fn a_port_without_a_server_and_one_that_stays_silent_are_transient() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let silent = vault(plain(), &format!("http://{address}"), &around());
    let failure = silent.health().await.unwrap_err();
    assert_eq!((failure.class, failure.code), (Class::Transient, "NoAnswer"));
    drop(listener);
    let refused = vault(plain(), &format!("http://{address}"), &around());
    let failure = refused.health().await.unwrap_err();
    assert_eq!((failure.class, failure.code), (Class::Transient, "ConnectionRefused"));
    assert_eq!(failure.says.as_str(), "connection refused", "no port, no address: the words stay the same");
}

#[tokio::test]
async fn the_port_of_a_redirect_is_another_connection() {
    let (leader, standby) = (Server1::default(), Server1::default());
    let (at_leader, at_standby) = (listen(leader.clone(), None).await, listen(standby.clone(), None).await);
    let to = at_leader.url("http");
    standby.script(move |seen| Some(redirect(&format!("{to}{}", seen.path))));
    let vault = vault(plain(), &at_standby.url("http"), &around());
    assert!(is_issued(&sign(&vault, start()).await));
    assert_eq!((leader.signs(), standby.signs()), (1, 1));
    drop(at_leader);
    let failure = failure(&sign(&vault, start()).await);
    assert_eq!((failure.class, failure.code), (Class::Transient, "RedirectNotFollowed"));
}

#[tokio::test]
async fn a_reset_in_the_middle_of_an_answer_is_transient() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let cut = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"data\":").await;
        }
    });
    let vault = vault(plain(), &format!("http://{address}"), &around());
    let failure = failure(&sign(&vault, start()).await);
    assert_eq!((failure.class, failure.code), (Class::Transient, "ConnectionLost"));
    cut.abort();
}

#[tokio::test]
async fn something_else_than_http_is_transient() {
    use tokio::io::AsyncWriteExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let other = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").await;
        }
    });
    let vault = vault(plain(), &format!("http://{address}"), &around());
    assert_eq!(failure(&sign(&vault, start()).await).class, Class::Transient);
    other.abort();
}

/// The peer honours the proxy of the environment (vault-issuer 1.3); so do we, by a tunnel, so that no proxy sees a token.
#[tokio::test]
async fn a_proxy_is_asked_for_a_tunnel() {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let server = Server1::default();
    let listening = listen(server.clone(), None).await;
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (to, heard) = (listening.address, asked.clone());
    let task = tokio::spawn(async move {
        loop {
            let (stream, _) = proxy.accept().await.unwrap();
            let heard = heard.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                heard.lock().unwrap().push(line.trim().to_owned());
                while line != "\r\n" {
                    line.clear();
                    stream.read_line(&mut line).await.unwrap();
                }
                stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let mut there = tokio::net::TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut there).await;
            });
        }
    });
    let over = |proxy: String| {
        let matcher = hyper_util::client::proxy::matcher::Matcher::builder().all(proxy).build();
        let network = everleaf_issuers::wire::Network::Sockets(std::sync::Arc::new(matcher));
        let common = everleaf_issuers::Common { network, ..Default::default() };
        let server = everleaf_issuers::vault::config::Server::parse("http://vault.internal:8200").unwrap();
        let config = everleaf_issuers::vault::config::Config { server, ..plain() };
        everleaf_issuers::vault::Vault::new(identity(), config, std::sync::Arc::new(around()), common)
    };
    assert!(is_issued(&sign(&over(format!("http://{address}")), start()).await));
    assert_eq!(*asked.lock().unwrap(), ["CONNECT vault.internal:8200 HTTP/1.1"]);
    let socks = failure(&sign(&over(format!("socks5://{address}")), start()).await);
    assert_eq!((socks.class, socks.code), (Class::Access, "ProxyNotSpoken"));
    task.abort();
}

#[tokio::test]
async fn without_a_bundle_the_systems_roots_are_asked_and_nothing_panics() {
    let mut config = plain();
    config.ca = Ca::System;
    let server = Server1::default();
    let listening = listen(server.clone(), None).await;
    let vault = vault(config, &listening.url("http"), &around());
    assert!(is_issued(&sign(&vault, start()).await), "plain HTTP asks for no roots");
    let mut config = plain();
    config.ca = Ca::System;
    let vault = crate::vault(config, &listening.url("https"), &around());
    let failure = failure(&sign(&vault, start()).await);
    assert!(matches!(failure.code, "NoTrustedAuthorities" | "ServerSpeaksNoTls"), "{failure:?}");
}
