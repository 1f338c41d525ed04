//! A small Vault in this process, with a script on top: it signs for real, counts calls, and misbehaves where a test says so.
//! No sockets, no clock of its own.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use everleaf_core::failure::ConnectionId;
use everleaf_issuers::wire::{Carried, Network, Over, Request, Trouble, TroubleKind};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::service_fn;

use super::made::signed;

pub(crate) const POLICY: &str = "1 error occurred:\n\t* permission denied\n\n";
pub(crate) const INVALID: &str = "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n";
pub(crate) const BARE: &str = "permission denied";
pub(crate) const SERVER: &str = "https://vault.example:8200";
pub(crate) const SECRET_ID: &str = "a-secret-id-nobody-may-see";

/// One call, as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) token: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) marked: bool,
    pub(crate) body: Value,
    pub(crate) over: Option<Over>,
}

/// What the server says.
#[derive(Debug, Clone)]
pub(crate) enum Say {
    Reply {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// On this connection.
    On(u64, Box<Say>),
    After(Duration, Box<Say>),
    Hang,
    Trouble(TroubleKind),
}

pub(crate) fn reply(status: u16, body: &Value) -> Say {
    let headers = vec![("content-type", "application/json".to_owned())];
    Say::Reply { status, headers, body: serde_json::to_vec(body).unwrap() }
}

pub(crate) fn error(status: u16, text: &str) -> Say {
    reply(status, &json!({ "errors": [text] }))
}

pub(crate) fn raw(status: u16, content_type: &str, body: &[u8]) -> Say {
    Say::Reply { status, headers: vec![("content-type", content_type.to_owned())], body: body.to_vec() }
}

pub(crate) fn redirect(to: &str) -> Say {
    Say::Reply { status: 307, headers: vec![("location", to.to_owned())], body: Vec::new() }
}

type Script = Box<dyn FnMut(&Seen) -> Option<Say> + Send>;

/// What the server is and does.
pub(crate) struct State {
    pub(crate) seen: Vec<Seen>,
    pub(crate) tokens: BTreeSet<String>,
    pub(crate) made: u64,
    pub(crate) lease: u64,
    pub(crate) renewable: bool,
    pub(crate) token_type: &'static str,
    pub(crate) num_uses: u64,
    pub(crate) secret_id: String,
    pub(crate) may_sign: bool,
    pub(crate) script: Option<Script>,
}

impl Default for State {
    fn default() -> State {
        State {
            seen: Vec::new(),
            tokens: BTreeSet::new(),
            made: 0,
            lease: 3600,
            renewable: true,
            token_type: "service",
            num_uses: 0,
            secret_id: SECRET_ID.to_owned(),
            may_sign: true,
            script: None,
        }
    }
}

/// The server.
#[derive(Clone, Default)]
pub(crate) struct Server1(Arc<Mutex<State>>);

impl Server1 {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// What the script doesn't answer, the server does.
    pub(crate) fn script(&self, script: impl FnMut(&Seen) -> Option<Say> + Send + 'static) {
        self.state().script = Some(Box::new(script));
    }

    pub(crate) fn well(&self) {
        self.state().script = None;
    }

    pub(crate) fn count(&self, path: &str) -> usize {
        self.state().seen.iter().filter(|seen| seen.path.ends_with(path)).count()
    }

    pub(crate) fn logins(&self) -> usize {
        self.count("/login")
    }

    pub(crate) fn signs(&self) -> usize {
        self.count("pki/sign/web")
    }

    pub(crate) fn network(&self) -> Network {
        let server = self.clone();
        Network::in_process(service_fn(move |request: Request| {
            let server = server.clone();
            async move { server.answer(request).await }
        }))
    }

    pub(crate) async fn answer(&self, request: Request) -> Result<http::Response<Full<Bytes>>, Trouble> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap_or_else(|never: Infallible| match never {}).to_bytes();
        let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let seen = Seen {
            method: head.method.to_string(),
            host: head.uri.authority().unwrap().to_string(),
            path: head.uri.path().to_owned(),
            token: header("x-vault-token"),
            namespace: header("x-vault-namespace"),
            marked: header("x-vault-request").as_deref() == Some("true"),
            body: serde_json::from_slice(&body).unwrap_or_default(),
            over: head.extensions.get::<Over>().copied(),
        };
        let say = {
            let mut state = self.state();
            state.seen.push(seen.clone());
            let mut script = state.script.take();
            let say = script.as_mut().and_then(|script| script(&seen));
            if state.script.is_none() {
                state.script = script;
            }
            say.unwrap_or_else(|| state.usual(&seen))
        };
        said(say).await
    }
}

async fn said(mut say: Say) -> Result<http::Response<Full<Bytes>>, Trouble> {
    let mut carried = None;
    loop {
        match say {
            Say::After(time, then) => {
                tokio::time::sleep(time).await;
                say = *then;
            }
            Say::On(connection, then) => {
                carried = Some(Carried(ConnectionId(connection)));
                say = *then;
            }
            Say::Hang => std::future::pending().await,
            Say::Trouble(kind) => return Err(Trouble::after_sending(kind, false)),
            Say::Reply { status, headers, body } => {
                let mut response = http::Response::new(Full::new(Bytes::from(body)));
                *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
                for (name, value) in headers {
                    response.headers_mut().insert(name, value.parse().unwrap());
                }
                if let Some(carried) = carried {
                    response.extensions_mut().insert(carried);
                }
                return Ok(response);
            }
        }
    }
}

impl State {
    fn usual(&mut self, seen: &Seen) -> Say {
        let path = seen.path.trim_start_matches("/v1/");
        let known = seen.token.as_ref().is_some_and(|token| self.tokens.contains(token));
        match path {
            "sys/health" => reply(200, &json!({"initialized": true, "sealed": false, "standby": false})),
            "auth/approle/login" if seen.body["secret_id"] != self.secret_id => {
                error(400, "invalid role or secret ID")
            }
            path if path.ends_with("/login") => self.token(),
            _ if !known => error(403, INVALID),
            "auth/token/lookup-self" => reply(
                200,
                &json!({"data": {"ttl": self.lease, "renewable": self.renewable, "num_uses": 0, "policies": ["default", "web-sign"]}}),
            ),
            "auth/token/renew-self" => {
                let token = seen.token.clone().unwrap();
                reply(200, &self.auth(&token))
            }
            "sys/capabilities-self" => {
                let may = if self.may_sign { "update" } else { "deny" };
                reply(200, &json!({"data": {"capabilities": [may]}}))
            }
            "pki/sign/web" if !self.may_sign => error(403, POLICY),
            "pki/sign/web" => signed(&seen.body),
            other => error(404, &format!("no handler for route \"{other}\". route entry not found.")),
        }
    }

    fn token(&mut self) -> Say {
        self.made += 1;
        let token = format!("hvs.token-number-{}", self.made);
        self.tokens.insert(token.clone());
        reply(200, &self.auth(&token))
    }

    fn auth(&self, token: &str) -> Value {
        json!({"auth": {
            "client_token": token, "lease_duration": self.lease, "renewable": self.renewable,
            "token_type": self.token_type, "num_uses": self.num_uses, "policies": ["default", "web-sign"],
        }})
    }
}
