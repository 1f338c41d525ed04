//! The auth methods: AppRole, Kubernetes, JWT, TLS certificates, AWS; what their roles have in common.
//! A login is a step: it is done at once, or it needs an answer from outside first, and then goes on.
//! The plugins' own words are as measured (vault-measured 3); no login may look at anything but its turn.

mod approle;
mod aws;
mod aws_signature;
mod cert;
mod jwt;
mod kubernetes;
mod token_paths;
mod tokens_of_jwt;

use std::time::Duration;

use serde_json::{Map, Value};

pub use aws_signature::AwsAccount;
pub(crate) use token_paths::token_path;

use crate::http::answer::{Handled, Refusal, Reply, Success};
use crate::http::ask::{Ask, Verb};
use crate::outside::{Review, Reviewed, ServedKey, StsAnswer, StsCall};
use crate::state::cidr::Cidr;
use crate::state::config::AuthMount;
use crate::state::fields::Fields;
use crate::state::token::{self, NewToken, Origin, RenewLimits, Token, TokenKind};
use crate::state::turn::Turn;

/// What kind of auth mount, with its roles and configuration.
#[derive(Debug, Clone)]
pub(crate) enum AuthMethod {
    AppRole(approle::AppRole),
    Kubernetes(kubernetes::Kubernetes),
    Jwt(jwt::Jwt),
    Cert(cert::Cert),
    Aws(aws::Aws),
}

impl AuthMethod {
    /// A fresh mount of this type, if there is one.
    pub(crate) fn new(kind: &str) -> Option<AuthMethod> {
        match kind {
            "approle" => Some(AuthMethod::AppRole(approle::AppRole::default())),
            "kubernetes" => Some(AuthMethod::Kubernetes(kubernetes::Kubernetes::default())),
            "jwt" | "oidc" => Some(AuthMethod::Jwt(jwt::Jwt::default())),
            "cert" => Some(AuthMethod::Cert(cert::Cert::default())),
            "aws" => Some(AuthMethod::Aws(aws::Aws::default())),
            _ => None,
        }
    }

    /// The settings that a role gives its tokens, if the role is there.
    fn token_role(&self, role: &str) -> Option<&TokenRole> {
        match self {
            AuthMethod::AppRole(method) => method.roles.get(role).map(|role| &role.token),
            AuthMethod::Kubernetes(method) => method.roles.get(role).map(|role| &role.token),
            AuthMethod::Jwt(method) => method.roles.get(role).map(|role| &role.token),
            AuthMethod::Cert(method) => method.roles.get(role).map(|role| &role.token),
            AuthMethod::Aws(method) => method.roles.get(role).map(|role| &role.token),
        }
    }

    /// The role_id of an AppRole.
    pub(crate) fn role_id(&self, role: &str) -> Option<String> {
        match self {
            AuthMethod::AppRole(method) => method.roles.get(role).map(|role| role.role_id.clone()),
            _ => None,
        }
    }
}

/// The common part of all roles: what their tokens are like (the `token_*` fields).
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TokenRole {
    policies: Vec<String>,
    ttl: Option<Duration>,
    max_ttl: Option<Duration>,
    explicit_max_ttl: Option<Duration>,
    period: Option<Duration>,
    /// 0 is without limit.
    uses: u64,
    no_default_policy: bool,
    kind: TokenKind,
    bound_cidrs: Vec<Cidr>,
}

impl TokenRole {
    /// Takes over the `token_*` fields that are there.
    fn read(&mut self, fields: Fields<'_>) -> Result<(), Refusal> {
        for (name, list) in [("token_policies", true), ("policies", true), ("token_bound_cidrs", false)] {
            if !fields.has(name) {
                continue;
            }
            if list {
                self.policies = fields.list(name);
            } else {
                self.bound_cidrs = fields.cidrs(name);
            }
        }
        for (name, field) in [
            ("token_ttl", &mut self.ttl),
            ("token_max_ttl", &mut self.max_ttl),
            ("token_explicit_max_ttl", &mut self.explicit_max_ttl),
            ("token_period", &mut self.period),
        ] {
            if fields.has(name) {
                *field = fields.duration(name)?;
            }
        }
        self.uses = fields.number("token_num_uses", self.uses)?;
        self.no_default_policy = fields.flag("token_no_default_policy", self.no_default_policy)?;
        match fields.text("token_type")?.as_str() {
            "batch" => self.kind = TokenKind::Batch,
            "service" | "default" | "default-service" => self.kind = TokenKind::Service,
            _ => {}
        }
        Ok(())
    }

    fn limits(&self) -> RenewLimits {
        RenewLimits { ttl: self.ttl, max_ttl: self.max_ttl, period: self.period }
    }
}

/// Where a login happens.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) namespace: String,
    /// With a slash at its end, without `auth/`.
    pub(crate) mount: String,
    pub(crate) accessor: String,
}

/// How far a login is.
pub(crate) enum Step {
    Done(Handled),
    Review(Review, kubernetes::Pending),
    Keys(String, jwt::Pending),
    Sts(StsCall, aws::Pending),
}

/// What came back from outside.
#[derive(Debug)]
pub(crate) enum Reported {
    Review(Reviewed),
    Keys(Result<Vec<ServedKey>, String>),
    Sts(StsAnswer),
    /// Nothing, for as long as a request may last.
    Nothing,
}

/// Begins a login.
pub(crate) fn login(
    turn: &mut Turn<'_>,
    ask: &Ask,
    place: &Place,
    auth: &AuthMount,
    fields: &Map<String, Value>,
) -> Step {
    let fields = Fields(fields);
    match &auth.method {
        AuthMethod::AppRole(method) => Step::Done(approle::login(turn, ask, place, method, fields)),
        AuthMethod::Kubernetes(method) => kubernetes::begin(turn, place, method, fields),
        AuthMethod::Jwt(method) => jwt::begin(turn, place, method, fields),
        AuthMethod::Cert(method) => Step::Done(cert::login(turn, ask, place, method, fields)),
        AuthMethod::Aws(method) => aws::begin(turn, place, method, fields),
    }
}

/// Goes on with a login after the answer from outside.
pub(crate) fn resume(turn: &mut Turn<'_>, step: Step, reported: Reported) -> Handled {
    match (step, reported) {
        (Step::Done(handled), _) => handled,
        (Step::Review(_, pending), Reported::Review(reviewed)) => {
            kubernetes::finish(turn, pending, &reviewed)
        }
        (Step::Keys(_, pending), Reported::Keys(keys)) => jwt::finish(turn, pending, keys),
        (Step::Sts(_, pending), Reported::Sts(answer)) => aws::finish(turn, pending, &answer),
        // A silent TokenReview becomes the bare 403 after the request's time is over (vault-measured 1.7).
        (Step::Review(..), _) => Err(Refusal::bare()),
        (Step::Keys(..) | Step::Sts(..), _) => Err(Refusal::bad("context deadline exceeded")),
    }
}

/// Who logged in, and what the token shall show of it.
struct Principal {
    role: String,
    alias: String,
    /// What comes behind the mount's name in the token's display name.
    display_name: String,
    metadata: Value,
    certificate: Option<crate::state::Digest>,
}

/// The end of every successful login: an entity, a token, an answer.
fn welcome(turn: &mut Turn<'_>, place: &Place, principal: Principal, role: &TokenRole) -> Handled {
    let key = (place.accessor.clone(), principal.alias.clone());
    let entity = match turn.ledger.entities.get(&key) {
        Some(entity) => entity.clone(),
        None => turn.chance.uuid(),
    };
    if turn.ledger.is_entity_barred(&entity) {
        return Err(Refusal::bare());
    }
    let new = NewToken {
        policies: role.policies.clone(),
        no_default_policy: role.no_default_policy,
        namespace: place.namespace.clone(),
        kind: role.kind,
        ttl: role.ttl,
        max_ttl: role.max_ttl,
        explicit_max_ttl: role.explicit_max_ttl,
        period: role.period,
        uses: role.uses,
        orphan: true,
        display_name: display_name(place, &principal.display_name),
        path: format!("auth/{}login", place.mount),
        meta: principal.metadata,
        entity: entity.clone(),
        bound_cidrs: role.bound_cidrs.clone(),
        origin: Some(Origin {
            mount: place.accessor.clone(),
            role: principal.role,
            certificate: principal.certificate,
        }),
        ..NewToken::default()
    };
    let auth = token::issue(turn, new)?;
    turn.ledger.entities.insert(key, entity);
    Ok(Reply::Data(Box::new(Success { auth: Some(auth), ..Success::default() })))
}

/// The mount's name, and what the plugin adds.
fn display_name(place: &Place, added: &str) -> String {
    let mount = place.mount.trim_matches('/').replace('/', "-");
    if added.is_empty() { mount } else { format!("{mount}-{added}") }
}

/// What the login's role says when its token is renewed (vault-measured 3: a role that is gone gives 500).
fn renewal_limits(turn: &Turn<'_>, ask: &Ask, token: &Token) -> Result<RenewLimits, Refusal> {
    let Some(origin) = &token.origin else { return Ok(RenewLimits::default()) };
    let namespace = turn.view.namespace(&token.namespace);
    let mount = namespace.and_then(|ns| ns.auths.values().find(|auth| auth.accessor == origin.mount));
    let Some(mount) = mount else { return Err(Refusal::invalid_token(turn.product)) };
    if let AuthMethod::Cert(_) = &mount.method {
        cert::check_renewal(turn, ask, origin)?;
    }
    let role = mount.method.token_role(&origin.role).ok_or_else(|| {
        let text = format!("failed to renew entry: role \"{}\" does not exist during renewal", origin.role);
        Refusal::wrapped(500, &text)
    })?;
    Ok(role.limits())
}

/// Reads and writes the configuration of an auth mount.
pub(crate) fn configure(
    turn: &mut Turn<'_>,
    place: &Place,
    auth: &AuthMount,
    rest: &str,
    verb: Verb,
    fields: &Map<String, Value>,
) -> Handled {
    let fields = Fields(fields);
    let segments: Vec<&str> = rest.split('/').collect();
    match &auth.method {
        AuthMethod::AppRole(method) => approle::configure(turn, place, method, &segments, verb, fields),
        AuthMethod::Kubernetes(method) => kubernetes::configure(turn, place, method, &segments, verb, fields),
        AuthMethod::Jwt(method) => jwt::configure(turn, place, method, &segments, verb, fields),
        AuthMethod::Cert(method) => cert::configure(turn, place, method, &segments, verb, fields),
        AuthMethod::Aws(method) => aws::configure(turn, place, method, &segments, verb, fields),
    }
}

/// Puts a changed method back into its mount.
fn store(turn: &mut Turn<'_>, place: &Place, method: AuthMethod) -> Handled {
    turn.configure_namespace(&place.namespace, |namespace| {
        if let Some(auth) = namespace.auths.get_mut(&place.mount) {
            auth.method = method;
        }
    })?;
    Ok(Reply::NoContent)
}
