//! One table of calls with their expected answers, played against the practice Vault and against a real one.
//! A case sets itself up with plain API calls, under names of its own (`{n}` in a path is the case's number).
//! It must hold nothing that only one of the two can do.
#![allow(
    clippy::needless_pass_by_value,
    clippy::large_enum_variant,
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod auth;
pub mod csrs;
pub mod jwt;
mod paths;
mod pki;
pub mod scrub;
pub mod shape;
mod sign;
mod tokens;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use everleaf_practice::{Practice, whole_body};
use everleaf_testkit::servers::Vault;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Sends bytes as they are.
pub type RawHttp = Client<HttpConnector, Full<Bytes>>;

pub fn raw_http() -> RawHttp {
    Client::builder(TokioExecutor::new()).build_http()
}

/// Who is asked.
pub enum Target {
    Practice(Practice),
    Real(Vault, RawHttp),
}

/// Whose token a call carries.
#[derive(Debug, Clone)]
pub enum Who {
    Root,
    Nobody,
    /// As it stands, with names in braces filled in.
    Token(String),
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: &'static str,
    /// Behind `/v1/`; beginning with a slash it is the whole path.
    pub path: String,
    pub who: Who,
    pub body: String,
    pub headers: Vec<(&'static str, String)>,
    /// A name for a part of the answer, by JSON pointer.
    pub keep: Option<(&'static str, &'static str)>,
    /// How long to wait before.
    pub wait: Duration,
}

/// What the last call of a case must give.
#[derive(Debug, Clone)]
pub enum Expect {
    /// This status and this text in the error list.
    Error(u16, String),
    /// This status and an empty error list.
    NoErrors(u16),
    /// This status and an empty body.
    Empty(u16),
    /// This status and these members, by JSON pointer.
    Json(u16, Vec<(&'static str, Value)>),
    /// This status, an empty body and this place.
    Redirect(&'static str),
    /// This status; the body is only compared between the two servers.
    Status(u16),
}

pub struct Case {
    pub name: &'static str,
    pub setup: Vec<Call>,
    pub call: Call,
    pub expect: Expect,
}

/// An answer, as far as it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub content_type: Option<String>,
    pub body: String,
}

pub fn call(method: &'static str, path: &str) -> Call {
    Call {
        method,
        path: path.to_owned(),
        who: Who::Root,
        body: String::new(),
        headers: Vec::new(),
        keep: None,
        wait: Duration::ZERO,
    }
}

pub fn post(path: &str, body: Value) -> Call {
    Call { body: body.to_string(), ..call("POST", path) }
}

pub fn get(path: &str) -> Call {
    call("GET", path)
}

pub fn delete(path: &str) -> Call {
    call("DELETE", path)
}

impl Call {
    pub fn by(mut self, token: &str) -> Call {
        self.who = Who::Token(token.to_owned());
        self
    }

    pub fn by_nobody(mut self) -> Call {
        self.who = Who::Nobody;
        self
    }

    pub fn raw(mut self, body: impl Into<String>) -> Call {
        self.body = body.into();
        self
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Call {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn keep(mut self, name: &'static str, pointer: &'static str) -> Call {
        self.keep = Some((name, pointer));
        self
    }

    pub fn after(mut self, wait: Duration) -> Call {
        self.wait = wait;
        self
    }
}

pub fn case(name: &'static str, setup: Vec<Call>, call: Call, expect: Expect) -> Case {
    Case { name, setup, call, expect }
}

pub fn error(status: u16, text: &str) -> Expect {
    Expect::Error(status, text.to_owned())
}

pub const POLICY: &str = "1 error occurred:\n\t* permission denied\n\n";
pub const BARE: &str = "permission denied";
pub const INVALID: &str = "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n";

/// The whole table.
pub fn cases() -> Vec<Case> {
    [paths::cases(), tokens::cases(), sign::cases(), pki::cases(), auth::cases(), jwt::cases()]
        .into_iter()
        .flatten()
        .collect()
}

type Kept = BTreeMap<&'static str, String>;

fn filled(text: &str, number: usize, kept: &Kept) -> String {
    let mut text = text.replace("{n}", &number.to_string());
    for (name, value) in kept {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    text
}

impl Target {
    /// Plays a case; the answer of its last call.
    pub async fn play(&self, case: &Case, number: usize) -> Answer {
        let mut kept = Kept::new();
        for call in &case.setup {
            let answer = self.send(call, number, &kept).await;
            // Some steps are meant to be refused, such as wrong secret-ids; those keep nothing.
            if let Some((name, pointer)) = call.keep {
                let body: Value = serde_json::from_str(&answer.body)
                    .unwrap_or_else(|error| panic!("{}: {call:?}: {error}: {answer:?}", case.name));
                let value = body.pointer(pointer);
                let value = value.unwrap_or_else(|| panic!("{}: {call:?}: {answer:?}", case.name));
                kept.insert(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            }
        }
        self.send(&case.call, number, &kept).await
    }

    async fn send(&self, call: &Call, number: usize, kept: &Kept) -> Answer {
        if !call.wait.is_zero() {
            tokio::time::sleep(call.wait).await;
        }
        let path = filled(&call.path, number, kept);
        let path = if path.starts_with('/') { path } else { format!("/v1/{path}") };
        let body = filled(&call.body, number, kept);
        let mut headers: Vec<(&str, String)> =
            call.headers.iter().map(|(name, value)| (*name, filled(value, number, kept))).collect();
        match &call.who {
            Who::Root => headers.push(("x-vault-token", self.root())),
            Who::Nobody => {}
            Who::Token(token) => headers.push(("x-vault-token", filled(token, number, kept))),
        }
        match self {
            Target::Practice(practice) => practice_call(practice, call.method, &path, &headers, &body).await,
            Target::Real(vault, http) => {
                let url = format!("{}{path}", vault.url());
                real_call(http, call.method, &url, &headers, &body).await
            }
        }
    }

    fn root(&self) -> String {
        match self {
            Target::Practice(_) => "root".to_owned(),
            Target::Real(vault, _) => vault.api().token().to_owned(),
        }
    }
}

async fn practice_call(
    practice: &Practice,
    method: &str,
    path: &str,
    headers: &[(&str, String)],
    body: &str,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Bytes::from(body.to_owned())).unwrap();
    let response = practice.call(request).await.unwrap();
    let (status, headers, body) = whole_body(response).await.unwrap();
    answer(status.as_u16(), &headers, &body)
}

async fn real_call(
    http: &RawHttp,
    method: &str,
    url: &str,
    headers: &[(&str, String)],
    body: &str,
) -> Answer {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    let (head, body) = http.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    answer(head.status.as_u16(), &head.headers, &body)
}

fn answer(status: u16, headers: &http::HeaderMap, body: &[u8]) -> Answer {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    Answer {
        status,
        location: header("location"),
        content_type: header("content-type"),
        body: String::from_utf8_lossy(body).into_owned(),
    }
}

/// What is wrong with an answer, if anything is.
pub fn fault_of(expect: &Expect, answer: &Answer, number: usize) -> Option<String> {
    let is = |status: u16, body: String| {
        (answer.status != status || answer.body != body)
            .then(|| format!("expected {status} {body:?}, got {answer:?}"))
    };
    match expect {
        Expect::Error(status, text) => {
            let text = text.replace("{n}", &number.to_string());
            let list = serde_json::to_string(&[text]).unwrap();
            let list = list.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
            is(*status, format!("{{\"errors\":{list}}}\n"))
        }
        Expect::NoErrors(status) => is(*status, "{\"errors\":[]}\n".to_owned()),
        Expect::Empty(status) => is(*status, String::new()),
        Expect::Redirect(location) => {
            let fits = answer.status == 307
                && answer.location.as_deref() == Some(location)
                && answer.body.is_empty();
            (!fits).then(|| format!("expected a redirect to {location}, got {answer:?}"))
        }
        Expect::Status(status) => {
            (answer.status != *status).then(|| format!("expected {status}, got {answer:?}"))
        }
        Expect::Json(status, members) => {
            if answer.status != *status {
                return Some(format!("expected {status}, got {answer:?}"));
            }
            let body: Value = serde_json::from_str(&answer.body).ok()?;
            members.iter().find_map(|(pointer, wanted)| {
                let given = body.pointer(pointer).cloned().unwrap_or(Value::Null);
                (given != *wanted)
                    .then(|| format!("{pointer}: expected {wanted}, got {given} in {}", answer.body))
            })
        }
    }
}
