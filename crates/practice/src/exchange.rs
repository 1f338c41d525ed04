//! One request and its answer: faults first, then the node's standing, then the work, then what faults make of the answer.
//! The work is done in one go under the lock; everything that takes time happens outside it.
//! A client may give up at any await: what was done stays done, and every request is counted when it comes in or is answered.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use jiff::Timestamp;

use crate::auth::{self, Reported, Step};
use crate::cluster::standing::Standing;
use crate::faults::act::{self, Act, Damage, Hit, LONGEST_REQUEST, Mangle};
use crate::faults::rules::Call;
use crate::http::answer::{Handled, Raw, Refusal, finish};
use crate::http::ask::{Ask, Verb};
use crate::http::body::{Body, Drip, End};
use crate::http::flow::{self, Flowed};
use crate::http::paths::odd_path;
use crate::http::transport::{TransportError, TransportKind};
use crate::options::Product;
use crate::outside::Outside;
use crate::practice::Practice;
use crate::state::audit::{Record, Seen};
use crate::sys::status::Status;
use crate::world::{Seat, World};

/// An extension of every answer: the node that gave it, and the connection that carried it (0 where there are none).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServedBy {
    /// The node.
    pub node: usize,
    /// The connection's number.
    pub connection: u64,
}

/// A request on its way.
pub(crate) struct Exchange<'a> {
    practice: &'a Practice,
    ask: Ask,
    method: String,
    /// Path and query, as they came.
    target: String,
    raw_path: String,
    /// How long the connection was idle before.
    idle: Duration,
}

/// How far the work came.
enum Progress {
    Done(Raw),
    Refused,
    /// Nothing can be said before something changes.
    Wait(Option<Timestamp>),
    Login(Step, Outside),
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(practice: &'a Practice, request: Request<Bytes>) -> Exchange<'a> {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let ask = Ask::read(&request);
        let connection = practice.connection.as_ref();
        let idle = connection.map_or(Duration::ZERO, |connection| connection.use_at(practice.now()));
        Exchange {
            practice,
            idle,
            ask,
            method: request.method().to_string(),
            raw_path: request.uri().path().to_owned(),
            target,
        }
    }

    pub(crate) async fn run(self) -> Result<Response<Body>, TransportError> {
        let mut act = self.struck();
        let mut waited = Duration::ZERO;
        if let Act::Silence(wait, then) = act {
            self.note(self.end_of(&then));
            tokio::time::sleep(wait).await;
            waited = wait;
            act = *then;
        }
        let counted = !waited.is_zero();
        match act {
            Act::Break(kind) => {
                if !counted {
                    self.note(Seen::Broken(kind));
                }
                Err(kind.into())
            }
            Act::Answer(raw) => {
                if !counted {
                    self.note(Seen::Status(raw.status));
                }
                Ok(self.response(raw, None))
            }
            Act::Sealed => self.answer(self.sealed_answer()),
            Act::HealthCode(code) => {
                let raw = self.status().map(|status| status.health(&self.ask.query));
                self.answer(raw.map(|raw| Raw { status: code, ..raw }))
            }
            Act::BreakIfIdle(limit) if self.idle >= limit => {
                self.note(Seen::Broken(TransportKind::Reset));
                Err(TransportKind::Reset.into())
            }
            Act::Work(mangle) => self.work(mangle).await,
            Act::BreakIfIdle(_) | Act::Silence(..) => self.work(Mangle::default()).await,
        }
    }

    /// What a fault makes of this call; work, if none hits it.
    fn struck(&self) -> Act {
        let practice = self.practice;
        let now = practice.now();
        let mut world = practice.world();
        let call = Call { phase: self.ask.phase(), path: &self.ask.path, node: practice.index };
        let World { rules, fault_chance, .. } = &mut *world;
        let Some(fault) = rules.strike(call, now, fault_chance) else { return Act::Work(Mangle::default()) };
        let address = world.nodes.address(practice.index);
        act::act(
            &fault,
            Hit {
                product: world.product,
                phase: call.phase,
                path: call.path,
                target: &self.target,
                address: &address,
            },
        )
    }

    fn end_of(&self, act: &Act) -> Seen {
        match act {
            Act::Answer(raw) => Seen::Status(raw.status),
            _ => Seen::Silence,
        }
    }

    fn status(&self) -> Option<Status> {
        let now = self.practice.now();
        self.practice.world().status(self.practice.index, now)
    }

    fn sealed_answer(&self) -> Option<Raw> {
        let status = Status { sealed: true, ..self.status()? };
        Some(node_state_call(&self.ask, &status).unwrap_or_else(|| Raw::refusal(&Refusal::sealed())))
    }

    fn answer(&self, raw: Option<Raw>) -> Result<Response<Body>, TransportError> {
        match raw {
            Some(raw) => {
                self.note(Seen::Status(raw.status));
                Ok(self.response(raw, None))
            }
            None => self.refused(),
        }
    }

    fn refused(&self) -> Result<Response<Body>, TransportError> {
        self.note(Seen::Broken(TransportKind::Refused));
        Err(TransportKind::Refused.into())
    }

    /// The work itself, and what the fault makes of its answer.
    async fn work(&self, mangle: Mangle) -> Result<Response<Body>, TransportError> {
        let mut silent = false;
        let mut raw = loop {
            let mut changed = pin!(self.practice.changes());
            changed.as_mut().enable();
            match self.progress(&mangle) {
                Progress::Done(raw) => break raw,
                Progress::Refused => return self.refused(),
                Progress::Login(step, outside) => break self.finish_login(step, outside).await,
                Progress::Wait(until) => {
                    // A call that meets silence is counted once, when it meets it.
                    if !silent {
                        self.note(Seen::Silence);
                    }
                    silent = true;
                    self.practice.wait(changed, until).await;
                }
            }
        };
        if let Some(kind) = mangle.lose {
            self.note(Seen::Lost(kind));
            return Err(kind.into());
        }
        self.note(Seen::Status(raw.status));
        if !mangle.latency.is_zero() {
            tokio::time::sleep(mangle.latency).await;
        }
        if let Some(damage) = mangle.damage {
            act::damage(&mut raw, damage);
        }
        Ok(self.response(raw, Some(&mangle)))
    }

    fn progress(&self, mangle: &Mangle) -> Progress {
        let practice = self.practice;
        let now = practice.now();
        let mut world = practice.world();
        let Some(status) = world.status(practice.index, now) else { return Progress::Refused };
        let standing = &status.standing;
        if matches!(standing, Standing::Dead) {
            return Progress::Refused;
        }
        let until = world.next_change(practice.index, now);
        let reads_on = world.product == Product::OpenBao && !matches!(standing, Standing::Frozen);
        if standing.is_silent_to(self.ask.phase(), &self.ask.path)
            && !self.copy_may_answer(standing, reads_on)
        {
            return Progress::Wait(until);
        }
        if let Some(raw) = self.before_the_token(&mut world, &status, now) {
            return Progress::Done(raw);
        }
        self.at_a_desk(&mut world, &status, now, mangle, until)
    }

    /// An OpenBao standby whose leader is frozen goes on answering what it can from its copy (vault-measured 5.3).
    fn copy_may_answer(&self, standing: &Standing, reads_on: bool) -> bool {
        use crate::cluster::standing::Silence;
        let waits = matches!(
            standing,
            Standing::Stalled { silence: Silence::Forwarded | Silence::OnlyForwarded, .. }
        );
        reads_on && waits && self.ask.path != "sys/leader"
    }

    /// Odd paths, node-state calls, sealing, quotas, a broken audit device.
    fn before_the_token(&self, world: &mut World, status: &Status, now: Timestamp) -> Option<Raw> {
        if let Some(raw) = odd_path(&self.method, &self.raw_path, world.product) {
            return Some(raw);
        }
        let sealed = !status.initialized || status.sealed;
        // A sealed node has no quotas (vault-server 1.6); the others also count node-state calls, most of which are exempt.
        if !sealed {
            let address = self.ask.peer.address;
            let mut turn = world.turn(self.practice.index, now, Seat::Own, None);
            if let Some(raw) = flow::over_quota(&mut turn, &self.ask.path, address) {
                return Some(raw);
            }
        }
        if let Some(raw) =
            self.namespaced_node_call(world.product).or_else(|| node_state_call(&self.ask, status))
        {
            return Some(raw);
        }
        if let Some(raw) = self.node_deed(world, now) {
            return Some(raw);
        }
        if sealed {
            return Some(Raw::refusal(&Refusal::sealed()));
        }
        if world.audit_broken {
            return Some(Raw::refusal(&Refusal::internal()));
        }
        None
    }

    /// OpenBao refuses some node-state calls with a namespace header (vault-measured 2).
    fn namespaced_node_call(&self, product: Product) -> Option<Raw> {
        let named =
            self.ask.namespace.as_ref().is_some_and(|namespace| !namespace.trim_matches('/').is_empty());
        let refused = named && product == Product::OpenBao && self.ask.path == "sys/health";
        refused.then(|| Raw::refusal(&Refusal::bad("operation unavailable in namespaces")))
    }

    /// Sealing, unsealing and stepping down, with a root token.
    fn node_deed(&self, world: &mut World, now: Timestamp) -> Option<Raw> {
        if self.ask.verb != Verb::Write {
            return None;
        }
        match self.ask.path.as_str() {
            "sys/unseal" => {
                if let Some(node) = world.node_mut(self.practice.index) {
                    node.sealed = false;
                }
                self.practice.stir();
                world.status(self.practice.index, now).map(|status| status.seal_status())
            }
            "sys/seal" | "sys/step-down" => {
                let root = self.ask.token.as_ref().is_some_and(|token| world.is_root(token));
                if !root {
                    return None;
                }
                world.perform_at_node(&self.ask.path, self.practice.index, now);
                self.practice.stir();
                Some(Raw::no_content())
            }
            _ => None,
        }
    }

    /// Lets the node do the work, or says why it can't.
    fn at_a_desk(
        &self,
        world: &mut World,
        status: &Status,
        now: Timestamp,
        mangle: &Mangle,
        until: Option<Timestamp>,
    ) -> Progress {
        let openbao = world.product == Product::OpenBao;
        let redirect =
            |world: &World, to: usize| Raw::redirect(format!("{}{}", world.nodes.address(to), self.target));
        let follower =
            status.standing.believed_leader().is_some() || matches!(status.standing, Standing::Leaderless);
        if openbao && follower {
            match self.flow(world, now, Seat::Copy, mangle) {
                Progress::Done(raw) if raw.status == NEEDS_LEADER => {}
                Progress::Login(..) | Progress::Wait(_) | Progress::Refused => {}
                done => return done,
            }
        }
        match &status.standing {
            Standing::Standby { leader } if self.ask.no_forwarding => {
                Progress::Done(redirect(world, *leader))
            }
            Standing::Redirecting { to } => Progress::Done(redirect(world, *to)),
            Standing::Leaderless => Progress::Done(Raw::refusal(&Refusal::leaderless())),
            Standing::Stalled { .. } => Progress::Wait(until),
            _ => self.flow(world, now, Seat::Own, mangle),
        }
    }

    fn flow(&self, world: &mut World, now: Timestamp, seat: Seat, mangle: &Mangle) -> Progress {
        let outside = world.outside.clone();
        let mut turn = world.turn(self.practice.index, now, seat, mangle.twist);
        match flow::take(&mut turn, &self.ask) {
            Flowed::Login(step) => Progress::Login(step, outside),
            Flowed::Done(handled) => Progress::Done(self.finished(world, handled)),
        }
    }

    fn finished(&self, world: &mut World, handled: Handled) -> Raw {
        if handled.as_ref().is_err_and(|refusal| *refusal == Refusal::NeedsLeader) {
            return Raw { status: NEEDS_LEADER, ..Raw::no_content() };
        }
        // OpenBao sends a client to itself when a deposed leader can't store (vault-measured 5.4).
        let handled = handled.map_err(|refusal| match refusal {
            Refusal::Elsewhere(address) => Refusal::Elsewhere(format!("{address}{}", self.target)),
            other => other,
        });
        let request_id = world.chance.uuid();
        finish(handled, world.product, &request_id)
    }

    async fn finish_login(&self, step: Step, outside: Outside) -> Raw {
        let asked = async {
            match &step {
                Step::Done(_) => Reported::Nothing,
                Step::Review(review, _) => Reported::Review(outside.reviewer.answer(review.clone()).await),
                Step::Keys(url, _) => Reported::Keys(outside.jwks.answer(url).await),
                Step::Sts(call, _) => Reported::Sts(outside.sts.answer(call.clone()).await),
            }
        };
        let reported = tokio::time::timeout(LONGEST_REQUEST, asked).await.unwrap_or(Reported::Nothing);
        let now = self.practice.now();
        let mut world = self.practice.world();
        let mut turn = world.turn(self.practice.index, now, Seat::Own, None);
        let handled = auth::resume(&mut turn, step, reported);
        self.finished(&mut world, handled)
    }

    fn note(&self, seen: Seen) {
        let practice = self.practice;
        let record = Record {
            at: practice.now(),
            node: practice.index,
            connection: practice.connection.as_ref().map_or(0, |connection| connection.number),
            phase: self.ask.phase(),
            method: self.method.clone(),
            path: self.ask.path.clone(),
            seen,
        };
        practice.world().audit.note(record);
    }

    fn response(&self, raw: Raw, mangle: Option<&Mangle>) -> Response<Body> {
        let damage = mangle.and_then(|mangle| mangle.damage);
        let bytes = if self.ask.head { Bytes::new() } else { raw.body };
        let length = bytes.len();
        let half = length / 2;
        let mut body = match damage {
            Some(Damage::Truncated) => Body::cut(&bytes, half, End::Broken(TransportKind::Closed)),
            Some(Damage::HalfThenSilence) => Body::cut(&bytes, half, End::Silent),
            _ => Body::whole(bytes),
        };
        if let Some((piece, pause)) = mangle.and_then(|mangle| mangle.drip) {
            body = body.dripping(Drip { piece, pause });
        }
        let mut response = Response::new(body);
        let connection = self.practice.connection.as_ref().map_or(0, |connection| connection.number);
        response.extensions_mut().insert(ServedBy { node: self.practice.index, connection });
        *response.status_mut() =
            StatusCode::from_u16(raw.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000; includeSubDomains"),
        );
        if let Some(content_type) = raw.content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if raw.status != 204 && !self.ask.head {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        for (name, value) in raw.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        // Both products send the header back (vault-answers: "header X-Vault-Namespace").
        if let Some(Ok(namespace)) = self.ask.namespace.as_deref().map(HeaderValue::from_str) {
            headers.insert("x-vault-namespace", namespace);
        }
        response
    }
}

/// Marks an answer that a copy can't give; it never leaves this file.
const NEEDS_LEADER: u16 = 0;

/// The calls that every living node answers.
fn node_state_call(ask: &Ask, status: &Status) -> Option<Raw> {
    if ask.verb != Verb::Read {
        return None;
    }
    match ask.path.as_str() {
        "sys/health" => Some(status.health(&ask.query)),
        "sys/seal-status" => Some(status.seal_status()),
        "sys/leader" => Some(status.leader()),
        "sys/init" => Some(Raw::json(200, &format!("{{\"initialized\":{}}}", status.initialized))),
        _ => None,
    }
}
