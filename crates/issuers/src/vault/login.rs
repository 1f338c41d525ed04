//! Getting a token: one login at a time for as many as wait, a renewal in the background, a look at a given token.
//! A token that still works goes on being used while logins fail. Logins are few: they are what fills Vault's storage (vault-server 6).

use std::sync::Arc;
use std::time::Duration;

use everleaf_core::failure::{Blame, Call, Class, CommittedWrite, ConnectionId, Failure, TokenNumber};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::Inner;
use super::answer::{Answer, Asked, Body, Got, Reply};
use super::auth::{self, Login};
use super::classify::{self, Denial, classify, denial};
use super::client::{Ask, Client, Repeat};
use super::config::{ApiPath, Auth};
use super::lockout::{HeldBack, Seat, Tried};
use super::tokens::{Granted, Kind, Life, Origin, Step, Token};
use crate::surroundings::failure;
use crate::wire::{Over, TroubleKind};

/// A token older than this may lack what its role was given since: policies are fixed at the login (vault-server 2.3, step 2a).
const STALE_AFTER: Duration = super::tokens::DOUBT_PAUSE;

impl Inner {
    /// A token to use now.
    pub(super) async fn token(self: &Arc<Self>) -> Result<Arc<Token>, Failure> {
        let (epoch, step) = self.tokens.step(Instant::now());
        match step {
            Step::Use(token) => Ok(token),
            Step::UseAndRenew(token) => {
                drop(self.fly(epoch, Flying::Renew, None));
                Ok(token)
            }
            Step::LogIn => self.fly(epoch, Flying::LogIn, None).await,
            Step::Failed(failure) => Err(failure),
        }
    }

    fn fly(
        self: &Arc<Self>,
        epoch: u64,
        flying: Flying,
        over: Option<Over>,
    ) -> impl Future<Output = Result<Arc<Token>, Failure>> + use<> {
        let inner = self.clone();
        self.logins.join(epoch, || async move {
            let began = Instant::now();
            let current = inner.tokens.current(epoch);
            let granted = match (flying, current) {
                (Flying::Renew, Some(token)) => inner.renewed_or_new(&token, over).await,
                (Flying::Renew | Flying::LogIn, _) => inner.log_in(over).await,
            };
            inner.tokens.land(epoch, granted, began)
        })
    }

    /// A renewal that fails for whatever reason is no error of the issuer: a login follows, and the old token still works
    /// (vault-server 1.12).
    async fn renewed_or_new(
        self: &Arc<Self>,
        token: &Arc<Token>,
        over: Option<Over>,
    ) -> Result<Granted, Failure> {
        if token.life.unknown {
            return self.looked_up(token).await;
        }
        if token.can_be_renewed(Instant::now())
            && let Ok(granted) = self.renew(token, over).await
            && !is_near_its_end(token, &granted)
        {
            return Ok(granted);
        }
        self.log_in(over).await
    }

    /// Logs in, or reads the given token.
    async fn log_in(self: &Arc<Self>, over: Option<Over>) -> Result<Granted, Failure> {
        if let Auth::Token(at) = &self.config.auth {
            let text = auth::token::read(self.surroundings.as_ref(), at).await?;
            let life = Life { born: Instant::now(), length: None, renewable: false, unknown: true };
            let (kind, origin) = (Kind::Unknown, Origin::Given);
            return Ok(Granted {
                text,
                kind,
                origin,
                life,
                uses: None,
                policies: Vec::new(),
                made_over: None,
            });
        }
        let login = self.login().await?;
        let seat = self.seat(&login).await?;
        let client = self.login_client().await?;
        let began = Instant::now();
        let deadline = self.patience.of_next(began, self.common.deadlines.login);
        let ask = Ask {
            secrets: login.secrets,
            repeat: Repeat::OnlyUnsent,
            over,
            ..Ask::post(&login.path, login.body, deadline)
        };
        let asked = Asked::Login { method: login.method, credentials: &login.credentials };
        let (answered, got) = self.ask(&client, ask, asked).await;
        match &got {
            Ok(_) => self.patience.answered(began.elapsed()),
            Err(trouble) if matches!(trouble.kind, TroubleKind::Deadline(_)) => self.patience.silent(began),
            Err(_) => {}
        }
        if let Some(seat) = seat {
            note(seat, &answered, &got);
        }
        answered.and_then(|()| granted(got, &login.credentials))
    }

    async fn login(&self) -> Result<Login, Failure> {
        let from = self.surroundings.as_ref();
        let credentials = auth::credentials(&self.config.auth);
        match &self.config.auth {
            Auth::AppRole { login, role_id, secret_id } => {
                auth::approle::login(&self.config, login, role_id, secret_id, from).await
            }
            Auth::Kubernetes { login, role, jwt } => auth::kubernetes::login(login, role, jwt, from).await,
            Auth::Certificate { login, role, .. } => {
                Ok(auth::cert::login(login, role.as_deref(), credentials))
            }
            Auth::Aws { login, aws } => auth::aws::login(self, login, aws).await,
            Auth::Token(_) => Err(failure(Class::Access, Call::Login, "NoLogin", "", credentials)),
        }
    }

    async fn seat(&self, login: &Login) -> Result<Option<Seat>, Failure> {
        let Some((role, fingerprint)) = &login.counted else { return Ok(None) };
        match self.common.wrong_tries.seat(role.clone(), *fingerprint).await {
            Ok(seat) => Ok(Some(seat)),
            Err(HeldBack::Busy) => {
                let says = "another login with this role takes its time";
                Err(failure(Class::Transient, Call::Login, "LoginBusy", says, Blame::Issuer))
            }
            Err(HeldBack::For(wait)) => {
                let says = "these credentials were refused before; further tries are spaced, because Vault locks the role for \
                            everybody after five";
                let held = failure(
                    Class::Access,
                    Call::Login,
                    "CredentialsHeldBack",
                    says,
                    login.credentials.clone(),
                );
                Err(Failure { retry_after: Some(wait), ..held })
            }
        }
    }

    /// Renews the token.
    async fn renew(self: &Arc<Self>, token: &Arc<Token>, over: Option<Over>) -> Result<Granted, Failure> {
        let client = self.login_client().await?;
        let path = ApiPath::known("auth/token/renew-self".to_owned());
        let increment = token.life.length.map_or(0, |length| length.as_secs());
        let body = Zeroizing::new(format!("{{\"increment\":\"{increment}s\"}}").into_bytes());
        let ask = Ask {
            token: Some(token.text.as_str()),
            over,
            ..Ask::post(&path, body, self.common.deadlines.look_up)
        };
        let (answered, got) = self.ask(&client, ask, Asked::Renew).await;
        answered?;
        let mut granted = granted(got, &auth::credentials(&self.config.auth))?;
        // The reply names the same token; a wrapped or trimmed one must never take its place.
        granted.text = token.text.clone();
        granted.origin = token.origin;
        Ok(granted)
    }

    /// Looks at a given token once, to know how long it lives and whether it can be renewed.
    async fn looked_up(self: &Arc<Self>, token: &Arc<Token>) -> Result<Granted, Failure> {
        let (life, policies, uses) = match self.look_up(token).await {
            Ok(Some(reply)) => facts(&reply.body),
            // It may not look at itself: used as it is, for ever.
            Ok(None) => (eternal(), Vec::new(), None),
            Err(not_seen) => return Err(not_seen.failure),
        };
        Ok(Granted {
            text: token.text.clone(),
            kind: Kind::Unknown,
            origin: token.origin,
            life,
            uses,
            policies,
            made_over: token.made_over,
        })
    }

    /// Looks at the token; `None` if it is good but may not look at itself.
    pub(super) async fn look_up(self: &Arc<Self>, token: &Arc<Token>) -> Result<Option<Reply>, NotSeen> {
        let unseen = |failure| NotSeen { failure, denial: None };
        let client = self.client().await.map_err(unseen)?;
        let path = ApiPath::known("auth/token/lookup-self".to_owned());
        let ask = Ask { token: Some(token.text.as_str()), ..Ask::get(&path, self.common.deadlines.look_up) };
        let credentials = auth::credentials(&self.config.auth);
        let (answered, got) = self.ask(&client, ask, Asked::LookUp { credentials: &credentials }).await;
        match answered {
            Ok(()) => {
                token.has_worked();
                Ok(got.ok())
            }
            Err(failure) if failure.code == classify::MAY_NOT_LOOK => Ok(None),
            Err(failure) => Err(NotSeen { failure, denial: got.as_ref().ok().and_then(denial) }),
        }
    }

    /// Makes Vault commit something on a connection: renews the token, or logs in where that isn't possible or where the policies
    /// may be stale. `Err` where nothing was committed, and so nothing can be proved.
    pub(super) async fn commit(
        self: &Arc<Self>,
        over: ConnectionId,
        wish: Wish,
        now: Timestamp,
    ) -> Result<CommittedWrite, Failure> {
        let token = self.token().await?;
        let is_given = token.origin == Origin::Given;
        let renewable = token.can_be_renewed(Instant::now());
        let stale = wish == Wish::FreshPolicies && token.life.born.elapsed() >= STALE_AFTER;
        // A batch token is followed by a batch token, which commits nothing.
        let wants_login = stale || (!renewable && token.kind != Kind::Batch);
        let may_log_in = !is_given && wants_login && self.tokens.replace(Instant::now());
        let over = Some(Over::Connection(over));
        let (epoch, _) = self.tokens.step(Instant::now());
        let fresh = match (may_log_in, renewable) {
            (true, _) => self.fly(epoch, Flying::LogIn, over).await?,
            (false, true) => {
                let granted = self.renew(&token, over).await?;
                self.tokens.land(epoch, Ok(granted), Instant::now())?
            }
            (false, false) => {
                return Err(not_committed("the token can't be renewed, and no login is to be made now"));
            }
        };
        // A batch token is made without a write (vault-measured 5.6).
        let committed = fresh.made_over.filter(|_| fresh.kind == Kind::Service);
        let write = committed.map(|connection| CommittedWrite { at: now, connection });
        write.ok_or_else(|| not_committed("logging in gives a batch token, which commits nothing"))
    }

    /// A login for the policies of today, where the token's may be old: a role that was mended shows in new tokens only (vault-server 7,
    /// row 10). One that fails leaves the old token in use, and the refusal is told again.
    pub(super) async fn freshen_policies(self: &Arc<Self>) {
        let Ok(token) = self.token().await else { return };
        let stale = token.life.born.elapsed() >= STALE_AFTER;
        if token.origin == Origin::Given || !stale || !self.tokens.replace(Instant::now()) {
            return;
        }
        let (epoch, _) = self.tokens.step(Instant::now());
        if let Err(failure) = self.fly(epoch, Flying::LogIn, None).await {
            tracing::debug!(code = failure.code, says = %failure.says, "no fresh token for a policy that lacks a path");
        }
    }

    /// Makes a call and says what its answer means.
    pub(super) async fn ask(
        &self,
        client: &Client,
        ask: Ask<'_>,
        asked: Asked<'_>,
    ) -> (Result<(), Failure>, Got) {
        let got = client.call(ask).await;
        let server = self.config.server.shown();
        let failure = classify(&Answer { asked, server: &server, got: &got });
        if let Some(failure) = &failure {
            self.learn(failure);
        }
        (failure.map_or(Ok(()), Err), got)
    }

    /// The number of the newest token.
    pub(super) fn newest_token(&self) -> TokenNumber {
        self.tokens.newest()
    }
}

/// A token that couldn't be looked at, and whether because Vault refuses it.
pub(super) struct NotSeen {
    pub(super) failure: Failure,
    pub(super) denial: Option<Denial>,
}

/// What a flight is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flying {
    LogIn,
    Renew,
}

/// What a committed write is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// That something is committed.
    AnyWrite,
    /// That, and a token with the policies of today.
    FreshPolicies,
}

fn not_committed(why: &str) -> Failure {
    failure(Class::Transient, Call::RenewToken, "NothingCommitted", why, Blame::Issuer)
}

/// Past its maximum a token is renewed to ever shorter lives (vault-measured 3): then a login is due.
fn is_near_its_end(token: &Token, renewed: &Granted) -> bool {
    match (token.life.length, renewed.life.length) {
        (Some(before), Some(after)) => token.origin == Origin::Login && after < before.mul_f64(0.5),
        _ => false,
    }
}

fn note(seat: Seat, answered: &Result<(), Failure>, got: &Got) {
    match (answered, got) {
        (Ok(()), _) => seat.note(Tried::Right),
        (Err(failure), _) if failure.code == classify::WRONG_CREDENTIALS => seat.note(Tried::Wrong),
        (Err(_), Err(trouble)) if !trouble.unsent => seat.note(Tried::Unknown),
        // Sealed, rate-limited, denied: Vault hasn't looked at the secret_id.
        (Err(_), _) => drop(seat),
    }
}

/// Takes the token out of a reply; `classify` has seen that there is one.
fn granted(got: Got, credentials: &Blame) -> Result<Granted, Failure> {
    let lost = || failure(Class::Transient, Call::Login, "NoTokenInReply", "", credentials.clone());
    let Ok(mut reply) = got else { return Err(lost()) };
    let born = Instant::now();
    let text = reply.body.take_text("/auth/client_token").or_else(|| reply.body.take_text("/data/id"));
    let Some(text) = text else { return Err(lost()) };
    let number = |pointer| reply.body.at(pointer).and_then(Value::as_u64);
    // Zero means for ever (vault-server 4).
    let length = number("/auth/lease_duration").filter(|seconds| *seconds > 0).map(Duration::from_secs);
    let renewable = reply.body.at("/auth/renewable").and_then(Value::as_bool) == Some(true);
    Ok(Granted {
        text,
        kind: kind(reply.body.text_at("/auth/token_type")),
        origin: Origin::Login,
        life: Life { born, length, renewable, unknown: false },
        uses: number("/auth/num_uses").and_then(|uses| u32::try_from(uses).ok()),
        policies: texts(reply.body.at("/auth/policies")),
        made_over: Some(reply.connection),
    })
}

fn kind(written: Option<&str>) -> Kind {
    match written {
        Some("service") => Kind::Service,
        Some("batch") => Kind::Batch,
        _ => Kind::Unknown,
    }
}

fn eternal() -> Life {
    Life { born: Instant::now(), length: None, renewable: false, unknown: false }
}

fn facts(body: &Body) -> (Life, Vec<String>, Option<u32>) {
    let number = |pointer| body.at(pointer).and_then(Value::as_u64);
    let length = number("/data/ttl").filter(|seconds| *seconds > 0).map(Duration::from_secs);
    let renewable = body.at("/data/renewable").and_then(Value::as_bool) == Some(true) && length.is_some();
    let uses = number("/data/num_uses").and_then(|uses| u32::try_from(uses).ok());
    (Life { length, renewable, ..eternal() }, texts(body.at("/data/policies")), uses)
}

fn texts(list: Option<&Value>) -> Vec<String> {
    /// More policies than this aren't named in a message anyway.
    const MOST: usize = 32;
    let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).take(MOST).map(str::to_owned).collect()
}
