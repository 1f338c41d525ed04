//! A look at one Vault for a person: health, a token, and what that token may do at the sign path, each told on its own.
//! It logs in as the issuer does and signs nothing. No token leaves this file.

use std::time::Duration;

use everleaf_core::failure::Failure;
use jiff::Timestamp;

use super::answer::Reply;
use super::client::Ask;
use super::config::ApiPath;
use super::{Asked, Inner, Vault};

/// What a look found. Later steps are left out where an earlier one leaves no sense in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The server's health; its own time, where it says one.
    pub health: Result<Option<Timestamp>, Failure>,
    /// The token that a login gave, or that lies in a Secret.
    pub token: Option<Result<TokenSeen, Failure>>,
    /// What the token may do at the sign path; `None` if that couldn't be asked.
    pub capabilities: Option<Vec<String>>,
}

/// Facts of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSeen {
    /// Its policies.
    pub policies: Vec<String>,
    /// How long it still lives; `None`: for ever, or not known.
    pub life: Option<Duration>,
    /// It can be renewed.
    pub renewable: bool,
}

impl Vault {
    /// Looks at the server as the issuer would use it.
    pub async fn examine(&self) -> Examined {
        let inner = &self.0;
        let health = inner.health_and_time().await;
        if health.is_err() {
            return Examined { health, token: None, capabilities: None };
        }
        if let Err(failure) = inner.check_token().await {
            return Examined { health, token: Some(Err(failure)), capabilities: None };
        }
        let token = match inner.token().await {
            Ok(token) => token,
            Err(failure) => return Examined { health, token: Some(Err(failure)), capabilities: None },
        };
        let known = TokenSeen {
            policies: token.policies.clone(),
            life: token.life.length,
            renewable: token.life.renewable,
        };
        // Each look would use a counted token up.
        if token.is_counted() {
            return Examined { health, token: Some(Ok(known)), capabilities: None };
        }
        let seen = match inner.look_up(&token).await {
            Ok(Some(reply)) => seen(&reply, known),
            Ok(None) | Err(_) => known,
        };
        let capabilities = inner.capabilities(&token, None).await;
        Examined { health, token: Some(Ok(seen)), capabilities }
    }
}

impl Inner {
    async fn health_and_time(self: &std::sync::Arc<Self>) -> Result<Option<Timestamp>, Failure> {
        let client = self.client().await?;
        let path = ApiPath::known("sys/health".to_owned());
        let ask = Ask { namespaced: false, ..Ask::get(&path, self.common.deadlines.health) };
        let (answered, got) = self.ask(&client, ask, Asked::Health).await;
        answered?;
        let time =
            got.ok().and_then(|reply| reply.body.at("/server_time_utc").and_then(serde_json::Value::as_i64));
        Ok(time.and_then(|seconds| Timestamp::from_second(seconds).ok()))
    }
}

/// What a look-up says, over what the login said.
fn seen(reply: &Reply, known: TokenSeen) -> TokenSeen {
    let policies = reply.body.at("/data/policies").and_then(serde_json::Value::as_array);
    let named =
        policies.map(|list| list.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect());
    let seconds = reply.body.at("/data/ttl").and_then(serde_json::Value::as_u64);
    let renewable = reply.body.at("/data/renewable").and_then(serde_json::Value::as_bool);
    TokenSeen {
        policies: named.unwrap_or(known.policies),
        life: seconds.map_or(known.life, |seconds| (seconds > 0).then(|| Duration::from_secs(seconds))),
        renewable: renewable.unwrap_or(known.renewable),
    }
}
