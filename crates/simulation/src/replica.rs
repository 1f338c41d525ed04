//! A replica of the operator: started, killed, stopped and started again, as a kubelet would. Each life is a new operator with empty
//! memory; what an earlier life left running reaches nobody.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use everleaf_core::retry::Cadence;
use everleaf_issuers::Common;
use everleaf_operator::context::{Behaviour, CopiedAnnotations};
use everleaf_operator::controllers::Controllers;
use everleaf_operator::leader::Election;
use everleaf_operator::run::{Operator, Parts};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cluster::{Door, Life};
use crate::keys;
use crate::ledger;
use crate::moments::Hands;
use crate::objects::{HOME, LEASE};
use crate::stage::Stage;
use crate::vaults::Way;

/// How long a process takes to start.
const START: Duration = Duration::from_secs(2);
/// How often idle issuers are looked at: more seldom than the minute of production, because two idle weeks would consist of little else.
const IDLE_LOOK: Duration = Duration::from_secs(1_200);
/// Workers of each kind, as in production.
const WORKERS: usize = 8;

/// A life, and how to ask it to stop.
type Running = (Arc<Life>, CancellationToken);

/// The handle on a replica. Share it by clone.
#[derive(Debug, Clone)]
pub struct Replica {
    /// Its clock.
    pub hands: Hands,
    now: Arc<Mutex<Option<Running>>>,
    /// How many reasons there are for it to be down.
    down: watch::Sender<u32>,
}

impl Default for Replica {
    fn default() -> Self {
        Replica { hands: Hands::default(), now: Arc::default(), down: watch::Sender::new(0) }
    }
}

impl Replica {
    /// Kills it; it stays down until it is let up.
    pub fn kill(&self) {
        self.hold_down();
        if let Some(life) = self.life() {
            life.end();
        }
    }

    /// Asks it to stop; it stays down until it is let up.
    pub fn stop(&self) {
        self.hold_down();
        let stop = self.lock().as_ref().map(|(_, stop)| stop.clone());
        stop.into_iter().for_each(|stop| stop.cancel());
    }

    /// One reason less to be down.
    pub fn let_up(&self) {
        self.down.send_modify(|count| *count = count.saturating_sub(1));
    }

    /// Its present life.
    pub fn life(&self) -> Option<Arc<Life>> {
        self.lock().as_ref().map(|(life, _)| life.clone())
    }

    fn hold_down(&self) {
        self.down.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the replica running, one life after another, for as long as the simulation lasts.
    pub async fn keep(self, number: usize, stage: Arc<Stage>) {
        let mut down = self.down.subscribe();
        for count in 1.. {
            if down.wait_for(|count| *count == 0).await.is_err() {
                return;
            }
            tokio::time::sleep(START).await;
            let life = Arc::new(Life::new(number, count));
            let stop = CancellationToken::new();
            *self.lock() = Some((life.clone(), stop.clone()));
            {
                let mut ledger = ledger::lock(&stage.ledger);
                ledger.counts.lives += 1;
                ledger.note(&format!("{} starts", life.writer));
            }
            live(&stage, number, count, &life, &stop, &self.hands).await;
            life.end();
            stop.cancel();
            ledger::lock(&stage.ledger).note(&format!("{} has ended", life.writer));
        }
    }
}

/// One life, until it stops, loses the Lease or is killed.
async fn live(
    stage: &Arc<Stage>,
    number: usize,
    count: u32,
    life: &Arc<Life>,
    stop: &CancellationToken,
    hands: &Hands,
) {
    let chance = stage.chance.fork(&format!("replica-{number}-{count}"));
    let shared = |purpose| Arc::new(Mutex::new(chance.fork(purpose)));
    let door = Door {
        server: stage.server.clone(),
        seat: stage.seat.clone(),
        ledger: stage.ledger.clone(),
        conditions: stage.conditions.clone(),
        life: life.clone(),
        chance: shared("api"),
        wall: stage.wall,
    };
    let way = Way::new(
        stage.vaults.clone(),
        stage.conditions.clone(),
        life.clone(),
        stage.ledger.clone(),
        chance.fork("vaults"),
    );
    let parts = Parts {
        client: kube::Client::new(door, HOME),
        clock: hands.clock(stage.wall),
        keys: keys::source(chance.fork("keys")),
        common: Common {
            network: way.network(),
            chance: keys::serials(chance.fork("serials")),
            idle_look: IDLE_LOOK,
            ..Common::default()
        },
        behaviour: behaviour(),
        election: Some(election(stage, number, count)),
    };
    let Ok(operator) = Operator::new(parts) else { return };
    // A task of its own: it goes on to its end after a kill, cut off from everything.
    let running = tokio::spawn(operator.run(stop.clone()));
    tokio::select! {
        biased;
        () = life.over() => {}
        _ = running => {}
    }
}

fn behaviour() -> Behaviour {
    Behaviour {
        controllers: Controllers::default(),
        cadence: Cadence::BoundByLife,
        owner_references: false,
        copied_annotations: CopiedAnnotations::default(),
        cluster_resource_namespace: HOME.to_owned(),
        namespace: String::new(),
        workers: WORKERS,
    }
}

fn election(stage: &Stage, number: usize, count: u32) -> Election {
    let pace = stage.scenario.lease;
    Election {
        namespace: HOME.to_owned(),
        name: LEASE.to_owned(),
        identity: ledger::identity(number, count),
        lease_duration: pace.duration,
        renew_deadline: pace.deadline,
        retry_period: pace.retry,
    }
}
