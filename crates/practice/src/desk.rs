//! What a node makes of one request: odd paths, node-state calls, quotas, then the way through policies and engines.
//! Where a node can't answer by itself, its standing says what it does instead: redirect, wait, or say that nobody leads.
//! Done in one go under the lock; only an answer from outside a login is waited for, without it.

use jiff::Timestamp;

use crate::auth::{self, Reported, Step};
use crate::cluster::standing::{Silence, Standing};
use crate::exchange::Exchange;
use crate::faults::Twist;
use crate::faults::act::LONGEST_REQUEST;
use crate::http::answer::{Handled, Raw, Refusal, finish};
use crate::http::ask::{Ask, Verb};
use crate::http::flow::{self, Flowed};
use crate::http::paths::odd_path;
use crate::options::Product;
use crate::outside::Outside;
use crate::sys::status::Status;
use crate::world::{Seat, World};

/// How far the work came.
pub(crate) enum Progress {
    Done(Raw),
    Refused,
    /// Nothing can be said before something changes.
    Wait(Option<Timestamp>),
    Login(Box<Step>, Box<Outside>),
}

impl Exchange<'_> {
    /// Lets the node work on the request, as far as it gets now.
    pub(crate) fn progress(&self, twist: Option<Twist>) -> Progress {
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
        self.at_a_desk(&mut world, &status, now, twist, until)
    }

    /// An OpenBao standby whose leader is frozen goes on answering what it can from its copy (vault-measured 5.3).
    fn copy_may_answer(&self, standing: &Standing, reads_on: bool) -> bool {
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
        twist: Option<Twist>,
        until: Option<Timestamp>,
    ) -> Progress {
        let openbao = world.product == Product::OpenBao;
        let redirect =
            |world: &World, to: usize| Raw::redirect(format!("{}{}", world.nodes.address(to), self.target));
        let follower =
            status.standing.believed_leader().is_some() || matches!(status.standing, Standing::Leaderless);
        if openbao && follower {
            match self.flow(world, now, Seat::Copy, twist) {
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
            _ => self.flow(world, now, Seat::Own, twist),
        }
    }

    fn flow(&self, world: &mut World, now: Timestamp, seat: Seat, twist: Option<Twist>) -> Progress {
        let outside = world.outside.clone();
        let mut turn = world.turn(self.practice.index, now, seat, twist);
        match flow::take(&mut turn, &self.ask) {
            Flowed::Login(step) => Progress::Login(step, Box::new(outside)),
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

    /// Asks outside for a login, and ends it with what came back.
    pub(crate) async fn finish_login(&self, step: Step, outside: &Outside) -> Raw {
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
}

/// Marks an answer that a copy can't give; it never leaves this file.
const NEEDS_LEADER: u16 = 0;

/// The calls that every living node answers.
pub(crate) fn node_state_call(ask: &Ask, status: &Status) -> Option<Raw> {
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
