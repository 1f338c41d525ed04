//! Wires the operator together and runs it until it is told to stop. Everything it needs comes in as an argument.
//! The watches run on every replica, so that a take-over starts with full records; only the one that leads works.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch as channel;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use everleaf_issuers::Common;
use everleaf_issuers::keys::KeySource;

use crate::approver::Approvals;
use crate::clock::Clock;
use crate::context::{Behaviour, Context};
use crate::controllers::{certificates, issuers, requests};
use crate::fence::Fence;
use crate::leader::{Candidate, Election};
use crate::metrics::Metrics;
use crate::report::Reporter;
use crate::serve::Health;
use crate::watch;

/// How long work in flight may take on the way out.
const GRACE: Duration = Duration::from_secs(20);

/// What an operator is made from.
pub struct Parts {
    /// The API.
    pub client: kube::Client,
    /// The wall clock.
    pub clock: Clock,
    /// Where keys come from.
    pub keys: KeySource,
    /// What all issuers share: network, chance, deadlines.
    pub common: Common,
    /// How things are done here.
    pub behaviour: Behaviour,
    /// The election; `None` to work without one.
    pub election: Option<Election>,
}

/// An operator that has not started yet.
pub struct Operator {
    /// What its parts share.
    pub context: Arc<Context>,
    /// What health probes are told.
    pub health: Health,
    unfenced: kube::Client,
    fence: Fence,
    election: Option<Election>,
}

/// How an operator ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// It lost the lease: the process should end, so that nothing of it goes on.
    LostLease,
}

impl Operator {
    /// Puts the parts together. Must be called on a runtime; nothing is read or written before [`Operator::run`].
    pub fn new(parts: Parts) -> prometheus::Result<Operator> {
        let Parts { client, clock, keys, common, behaviour, election } = parts;
        let fence = if election.is_some() { Fence::closed() } else { Fence::open() };
        let fenced = fence.guard(client.clone());
        let context = Context {
            approvals: Approvals::new(fenced.clone(), behaviour.controllers.approver()),
            reporter: Reporter::start(&fenced, clock.clone()),
            client: fenced,
            clock,
            world: Default::default(),
            lanes: Default::default(),
            held: Default::default(),
            keys,
            common,
            metrics: Metrics::new()?,
            behaviour,
            retries: Default::default(),
            looks: Default::default(),
            certificates: Default::default(),
            requests: Default::default(),
            issuers: Default::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        Ok(Operator {
            context: Arc::new(context),
            health: Health::default(),
            unfenced: client,
            fence,
            election,
        })
    }

    /// Runs until `stop`, or until the lease is lost.
    pub async fn run(self, stop: CancellationToken) -> Ended {
        let synced = watch::start(&self.context);
        self.context.tasks.spawn(tell_synced(synced.clone(), self.health.clone(), self.context.stop.clone()));
        let ended = match self.election.clone() {
            None => {
                self.work(synced, &stop).await;
                self.drain().await;
                Ended::Stopped
            }
            Some(election) => {
                let mut candidate = Candidate::new(
                    self.unfenced.clone(),
                    election,
                    self.fence.clone(),
                    self.context.clock.clone(),
                );
                self.lead(&mut candidate, synced, &stop).await
            }
        };
        self.drain().await;
        ended
    }

    /// Works while it holds the lease. The lease is released only when no work is in flight any more.
    async fn lead(
        &self,
        candidate: &mut Candidate,
        synced: Vec<channel::Receiver<bool>>,
        stop: &CancellationToken,
    ) -> Ended {
        if !candidate.win(stop).await {
            return Ended::Stopped;
        }
        let drained = CancellationToken::new();
        let work = async {
            self.work(synced, stop).await;
            self.drain().await;
            drained.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            released = candidate.hold(&drained) => {
                if released {
                    return Ended::Stopped;
                }
                self.health.alive.store(false, Ordering::Relaxed);
                Ended::LostLease
            }
            () = work => Ended::Stopped,
        }
    }

    /// Waits for the first lists, starts the workers, and returns when told to stop.
    async fn work(&self, synced: Vec<channel::Receiver<bool>>, stop: &CancellationToken) {
        tokio::select! {
            biased;
            () = all(synced) => {}
            () = stop.cancelled() => return,
        }
        info!("the first lists are complete, work begins");
        let context = &self.context;
        context.tasks.spawn(issuers::work(context.clone()));
        for _ in 0..context.behaviour.workers {
            if context.behaviour.controllers.certificates() {
                context.tasks.spawn(certificates::work(context.clone()));
            }
            context.tasks.spawn(requests::work(context.clone()));
        }
        stop.cancelled().await;
    }

    async fn drain(&self) {
        self.context.stop.cancel();
        self.context.tasks.close();
        if tokio::time::timeout(GRACE, self.context.tasks.wait()).await.is_err() {
            info!("some work was still in flight when the time to stop was over");
        }
    }
}

/// Ready means: the records are complete. A replica that waits for the lease is ready too, so that a rolling update goes on.
async fn tell_synced(synced: Vec<channel::Receiver<bool>>, health: Health, stop: CancellationToken) {
    tokio::select! {
        biased;
        () = all(synced) => health.synced.store(true, Ordering::Relaxed),
        () = stop.cancelled() => {}
    }
}

async fn all(synced: Vec<channel::Receiver<bool>>) {
    for mut watch in synced {
        // A watch that ended can't become complete any more; its task has said why.
        let _ = watch.wait_for(|done| *done).await;
    }
}
