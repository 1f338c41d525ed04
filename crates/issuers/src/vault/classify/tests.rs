//! The whole table of classification, printed: a change of it shows in review.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;
use std::time::Duration;

use everleaf_core::failure::{Blame, ConnectionId, Failure};

use super::*;
use crate::vault::answer::{Got, Method};

fn reply(status: u16, body: &[u8]) -> Got {
    Ok(Reply {
        status,
        retry_after: None,
        location: None,
        body: Body::read(body, Some("application/json")),
        connection: ConnectionId(1),
    })
}

fn errors(text: &str) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({ "errors": [text] })).unwrap()
}

fn classed(asked: Asked<'_>, got: &Got) -> Option<Failure> {
    classify(&Answer { asked, server: "https://vault:8200", got })
}

fn line(table: &mut String, left: &str, failure: Option<&Failure>) {
    let right = match failure {
        None => "fine".to_owned(),
        Some(failure) => {
            let blame = match &failure.blame {
                Blame::Server(_) => "server".to_owned(),
                Blame::Issuer => "issuer".to_owned(),
                Blame::Request => "request".to_owned(),
                Blame::Secret(name) => format!("secret {name}"),
                Blame::ServiceAccount(name) => format!("account {name}"),
            };
            format!(
                "{:<9} {:<24} {:<10} {blame}",
                failure.class,
                failure.code,
                format!("{:?}", failure.finality)
            )
        }
    };
    writeln!(table, "{left:<100} {right}").unwrap();
}

fn sample(text: Text) -> String {
    match text {
        Text::Whole(whole) => whole.to_owned(),
        Text::Begins(start) => format!("{start}..."),
        Text::Around(start, end) => format!("{start}...{end}"),
        Text::Holds(part) => format!("1 error occurred:\n\t* ...: {part}...\n\n"),
    }
}

fn asked_all(secret: &Blame) -> Vec<(&'static str, Asked<'_>)> {
    let login = |method| Asked::Login { method, credentials: secret };
    vec![
        ("sign", Asked::Sign { cel: false }),
        ("sign cel", Asked::Sign { cel: true }),
        ("login approle", login(Method::AppRole)),
        ("login kubernetes", login(Method::Kubernetes)),
        ("login cert", login(Method::Certificate)),
        ("login aws", login(Method::Aws)),
        ("look-up", Asked::LookUp { credentials: secret }),
        ("renew", Asked::Renew),
        ("capabilities", Asked::Capabilities),
        ("health", Asked::Health),
    ]
}

const POLICY: &str = "1 error occurred:\n\t* permission denied\n\n";
const INVALID: &str = "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n";

fn bodies() -> Vec<(u16, &'static str, Vec<u8>)> {
    vec![
        (200, "{}", b"{}".to_vec()),
        (200, "HTML", b"<html>welcome</html>".to_vec()),
        (200, "cut JSON", b"{\"data\":{\"certificate\":\"-----BEG".to_vec()),
        (200, "empty", Vec::new()),
        (200, "certificate", br#"{"data":{"certificate":"-----BEGIN"}}"#.to_vec()),
        (200, "token", br#"{"auth":{"client_token":"t"}}"#.to_vec()),
        (200, "token in data.id", br#"{"data":{"id":"t"}}"#.to_vec()),
        (200, "empty token, MFA", br#"{"auth":{"client_token":"","mfa_requirement":{}}}"#.to_vec()),
        (204, "empty", Vec::new()),
        (307, "empty", Vec::new()),
        (400, "unheard of", errors("unheard of")),
        (400, "HTML", b"<html>".to_vec()),
        (400, "plain HTTP to TLS", b"Client sent an HTTP request to an HTTPS server.\n".to_vec()),
        (401, "unheard of", errors("unheard of")),
        (403, "POLICY", errors(POLICY)),
        (403, "INVALID", errors(INVALID)),
        (403, "BARE", errors("permission denied")),
        (403, "unheard of", errors("permission denied by the order of the queen")),
        (403, "HTML", b"<html>forbidden</html>".to_vec()),
        (404, "mount", errors("no handler for route \"pki/sign/web\". route entry not found.")),
        (404, "unsupported path", errors("1 error occurred:\n\t* unsupported path\n\n")),
        (404, "empty list", br#"{"errors":[]}"#.to_vec()),
        (404, "no errors key", br#"{"data":null,"warnings":["Invalid path"]}"#.to_vec()),
        (404, "namespace", errors("namespace not found")),
        (
            404,
            "backend is nil",
            errors("no handler for route \"pki/\". route entry found, but backend is nil."),
        ),
        (404, "HTML", b"<html>".to_vec()),
        (405, "unsupported operation", errors("1 error occurred:\n\t* unsupported operation\n\n")),
        (408, "empty", Vec::new()),
        (412, "lag", errors("required index state not present")),
        (413, "too large", errors("http: request body too large")),
        (415, "empty", Vec::new()),
        (425, "empty", Vec::new()),
        (429, "rate limit", errors("request path \"x\": rate limit quota exceeded")),
        (429, "standby", br#"{"initialized":true,"sealed":false,"standby":true}"#.to_vec()),
        (472, "health", br#"{"sealed":false,"standby":true}"#.to_vec()),
        (473, "health", br#"{"sealed":false,"standby":true}"#.to_vec()),
        (474, "health", br#"{"sealed":false,"standby":true}"#.to_vec()),
        (500, "unheard of", errors("1 error occurred:\n\t* unheard of\n\n")),
        (500, "internal error", errors("internal error")),
        (500, "no leader", errors("local node not active but active cluster node not found")),
        (
            500,
            "not the leader",
            errors("1 error occurred:\n\t* unable to store certificate locally: node is not the leader\n\n"),
        ),
        (
            500,
            "storage full",
            errors("1 error occurred:\n\t* unable to store certificate locally: unable to store logs\n\n"),
        ),
        (500, "HTML", b"<html>".to_vec()),
        (501, "health", br#"{"initialized":false,"sealed":true,"standby":true}"#.to_vec()),
        (502, "HTML", b"<html>bad gateway</html>".to_vec()),
        (503, "sealed", errors("Vault is sealed")),
        (503, "health sealed", br#"{"initialized":true,"sealed":true,"standby":true}"#.to_vec()),
        (503, "namespace locked", errors("API access to this namespace has been locked by an administrator")),
        (503, "HTML", b"<html>maintenance</html>".to_vec()),
        (504, "empty", Vec::new()),
        (530, "empty", Vec::new()),
        (599, "empty", Vec::new()),
    ]
}

fn troubles() -> Vec<TroubleKind> {
    let text = || "why".to_owned();
    vec![
        TroubleKind::NameNotResolved,
        TroubleKind::Refused,
        TroubleKind::Unreachable,
        TroubleKind::ConnectDeadline(Duration::from_secs(5)),
        TroubleKind::Deadline(Duration::from_secs(10)),
        TroubleKind::Lost,
        TroubleKind::NotHttp,
        TroubleKind::TooLarge(1),
        TroubleKind::Untrusted(text()),
        TroubleKind::ClientCertificate(text()),
        TroubleKind::NotTls,
        TroubleKind::Tls(text()),
        TroubleKind::BadRedirect(text()),
        TroubleKind::BadProxy("socks5".to_owned()),
    ]
}

#[test]
fn the_whole_table() {
    let secret = Blame::Secret("credentials".to_owned());
    let mut table = String::new();
    table.push_str("# No answer (any call)\n");
    for kind in troubles() {
        let left = kind.words();
        let got = Err(Trouble::after_sending(kind, false));
        line(&mut table, &left, classed(Asked::Sign { cel: false }, &got).as_ref());
    }
    table.push_str("\n# Known texts of sign\n");
    for (status, rows) in sign::tables() {
        for (text, _) in rows {
            let text = sample(*text);
            let got = reply(status, &errors(&text));
            let left = format!("{status} {}", text.split_whitespace().collect::<Vec<_>>().join(" "));
            line(&mut table, &left, classed(Asked::Sign { cel: false }, &got).as_ref());
        }
    }
    for (method, rows) in login::tables() {
        writeln!(table, "\n# Known texts of a login by {method:?}").unwrap();
        for (text, _) in rows {
            let text = sample(*text);
            let got = reply(400, &errors(&text));
            line(&mut table, &text, classed(Asked::Login { method, credentials: &secret }, &got).as_ref());
        }
    }
    for (name, asked) in asked_all(&secret) {
        writeln!(table, "\n# Any other answer to {name}").unwrap();
        for (status, what, body) in bodies() {
            let got = reply(status, &body);
            line(&mut table, &format!("{status} {what}"), classed(asked, &got).as_ref());
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn permission_denied_within_another_text_decides_nothing() {
    let texts = [
        "permission denied by the order of the queen",
        "1 error occurred:\n\t* permission denied for mount",
        "3 errors occurred:\n\t* permission denied\n\t* invalid token\n\t* more",
        "PERMISSION DENIED",
        "1 error occurred: * permission denied",
    ];
    for text in texts {
        let got = reply(403, &errors(text));
        assert_eq!(denial(got.as_ref().unwrap()), None, "{text:?}");
    }
    assert_eq!(denial(reply(403, &errors(POLICY)).as_ref().unwrap()), Some(Denial::Policy));
    assert_eq!(denial(reply(403, &errors(INVALID)).as_ref().unwrap()), Some(Denial::Invalid));
    assert_eq!(denial(reply(403, &errors(" permission denied\n")).as_ref().unwrap()), Some(Denial::Bare));
    assert_eq!(denial(reply(400, &errors(POLICY)).as_ref().unwrap()), None, "only a 403 is a denial");
}

/// Whatever comes, nothing but a known refusal may ever end a request, and health, logins and look-ups never do.
#[test]
fn only_a_known_refusal_of_a_sign_call_can_end_a_request() {
    let secret = Blame::Secret("credentials".to_owned());
    let mut can_end = Vec::new();
    for (name, asked) in asked_all(&secret) {
        for status in 200..600 {
            for (_, what, body) in bodies() {
                if let Some(failure) = classed(asked, &reply(status, &body))
                    && failure.finality != Finality::Never
                {
                    can_end.push(format!("{name} {status} {what}"));
                }
            }
        }
    }
    assert_eq!(can_end, Vec::<String>::new());
}

#[test]
fn words_of_others_are_quoted_without_markup_and_with_a_bound() {
    let page = format!("<html>{}</html>", "x".repeat(500_000));
    let got = Ok(Reply {
        status: 502,
        retry_after: None,
        location: None,
        body: Body::read(page.as_bytes(), Some("text/html; charset=utf-8")),
        connection: ConnectionId(1),
    });
    let failure = classed(Asked::Sign { cel: false }, &got).unwrap();
    assert_eq!(failure.says.as_str(), "status 502: an answer that isn't JSON but text/html");
    let long = "common name ".to_owned() + &"x".repeat(100_000) + " not allowed by this role";
    let failure = classed(Asked::Sign { cel: false }, &reply(400, &errors(&long))).unwrap();
    assert_eq!(failure.code, "NameNotAllowed");
    assert!(failure.says.as_str().len() <= Says::LIMIT);
}
