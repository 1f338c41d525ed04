//! One request and its answer: what a fault makes of it before the work, the work, what the fault makes of the answer.
//! The work is done in one go; everything that takes time happens between.
//! A client may give up at any await: what was done stays done. Every request is counted when it comes in.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use crate::desk::{Progress, node_state_call};
use crate::faults::act::{self, Act, Hit, Mangle};
use crate::faults::rules::Call;
use crate::http::answer::{Raw, Refusal};
use crate::http::ask::Ask;
use crate::http::body::Body;
use crate::http::respond::{ServedBy, response};
use crate::http::transport::{TransportError, TransportKind};
use crate::practice::Practice;
use crate::state::audit::{Record, RecordId, Seen};
use crate::sys::status::Status;
use crate::world::World;

/// A request on its way.
pub(crate) struct Exchange<'a> {
    pub(crate) practice: &'a Practice,
    pub(crate) ask: Ask,
    pub(crate) method: String,
    /// Path and query, as they came.
    pub(crate) target: String,
    pub(crate) raw_path: String,
    connection: u64,
    /// How long the connection was idle before.
    idle: Duration,
}

/// An answer, or how the connection breaks, and how the counters are to call it.
type End = (Seen, Result<(Raw, Mangle), TransportKind>);

fn broken(kind: TransportKind) -> End {
    (Seen::Broken(kind), Err(kind))
}

fn answered(raw: Raw) -> End {
    (Seen::Status(raw.status), Ok((raw, Mangle::default())))
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(practice: &'a Practice, request: &Request<Bytes>) -> Exchange<'a> {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let connection = practice.connection.as_ref();
        Exchange {
            practice,
            ask: Ask::read(request),
            method: request.method().to_string(),
            raw_path: request.uri().path().to_owned(),
            target,
            connection: connection.map_or(0, |connection| connection.number),
            idle: connection.map_or(Duration::ZERO, |connection| connection.use_at(practice.now())),
        }
    }

    pub(crate) async fn run(self) -> Result<Response<Body>, TransportError> {
        let record = self.count();
        let (seen, end) = self.end(self.struck()).await;
        self.practice.world().audit.amend(record, seen);
        let (mut raw, mangle) = end?;
        if !mangle.latency.is_zero() {
            tokio::time::sleep(mangle.latency).await;
        }
        if let Some(damage) = mangle.damage {
            act::damage(&mut raw, damage);
        }
        let served_by = ServedBy { node: self.practice.index, connection: self.connection };
        Ok(response(raw, &self.ask, &mangle, served_by))
    }

    /// Counts the request as one that is met with silence; its end amends that.
    fn count(&self) -> RecordId {
        let practice = self.practice;
        let record = Record {
            at: practice.now(),
            node: practice.index,
            connection: self.connection,
            phase: self.ask.phase(),
            method: self.method.clone(),
            path: self.ask.path.clone(),
            seen: Seen::Silence,
        };
        practice.world().audit.note(record)
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
        let hit = Hit {
            product: world.product,
            phase: call.phase,
            path: call.path,
            target: &self.target,
            address: &address,
        };
        act::act(&fault, hit)
    }

    async fn end(&self, act: Act) -> End {
        let mut act = act;
        if let Act::Silence(wait, then) = act {
            tokio::time::sleep(wait).await;
            act = *then;
        }
        match act {
            Act::Break(kind) => broken(kind),
            Act::Answer(raw) => answered(raw),
            Act::Sealed => self.by_status(|ask, status| {
                let sealed = Status { sealed: true, ..status };
                node_state_call(ask, &sealed).unwrap_or_else(|| Raw::refusal(&Refusal::sealed()))
            }),
            Act::HealthCode(code) => {
                self.by_status(|ask, status| Raw { status: code, ..status.health(&ask.query) })
            }
            Act::BreakIfIdle(limit) if self.idle >= limit => broken(TransportKind::Reset),
            Act::Work(mangle) => self.work(mangle).await,
            // A silence isn't followed by another one.
            Act::BreakIfIdle(_) | Act::Silence(..) => self.work(Mangle::default()).await,
        }
    }

    fn by_status(&self, answer: impl FnOnce(&Ask, Status) -> Raw) -> End {
        let now = self.practice.now();
        let status = self.practice.world().status(self.practice.index, now);
        status.map_or(broken(TransportKind::Refused), |status| answered(answer(&self.ask, status)))
    }

    /// The work itself; a node that is silent is waited for.
    async fn work(&self, mangle: Mangle) -> End {
        let raw = loop {
            let mut changed = pin!(self.practice.changes());
            changed.as_mut().enable();
            match self.progress(mangle.twist) {
                Progress::Done(raw) => break raw,
                Progress::Refused => return broken(TransportKind::Refused),
                Progress::Login(step, outside) => break self.finish_login(*step, &outside).await,
                Progress::Wait(until) => self.practice.wait(changed, until).await,
            }
        };
        match mangle.lose {
            Some(kind) => (Seen::Lost(kind), Err(kind)),
            None => (Seen::Status(raw.status), Ok((raw, mangle))),
        }
    }
}
