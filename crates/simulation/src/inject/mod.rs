//! Carries the planned faults out: begins each at its moment and heals it at its end, and tells the ledger what is disturbed.
//! It decides nothing: what is done is in the plan.

mod deeds;
mod vault;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::Wrong;
use crate::fault::{ApiTrouble, Fault, LeaseDeed, Planned, ReplicaTrouble, Scope};
use crate::ledger::{self, Clockwork};
use crate::objects;
use crate::stage::Stage;

/// The row of the fault table in which the clock of Vault jumps.
const VAULT_CLOCK: u8 = 43;

/// Carries faults out.
pub struct Injector {
    stage: Arc<Stage>,
    /// What has to be undone, by the index of the fault.
    wrongs: BTreeMap<usize, Wrong>,
    rows: BTreeMap<usize, vault::Playing>,
}

impl Injector {
    /// An injector that has done nothing yet.
    pub fn new(stage: Arc<Stage>) -> Injector {
        Injector { stage, wrongs: BTreeMap::new(), rows: BTreeMap::new() }
    }

    /// A fault begins.
    pub async fn begin(&mut self, index: usize, planned: &Planned) {
        self.tell_begin(planned);
        match planned.fault {
            Fault::Vault { issuer, row } => {
                if row == VAULT_CLOCK {
                    ledger::lock(&self.stage.ledger).clock_off(Clockwork::Vault(issuer), true);
                }
                let playing = vault::begin_row(&self.stage, issuer, row);
                self.rows.extend(playing.map(|playing| (index, playing)));
            }
            Fault::FalseRefusals { issuer } => {
                let playing = vault::begin_false_refusals(&self.stage, issuer);
                self.rows.extend(playing.map(|playing| (index, playing)));
            }
            Fault::Api(trouble) => {
                self.wrongs.insert(index, self.stage.conditions.begin(trouble));
                if matches!(trouble, ApiTrouble::WatchesBreak | ApiTrouble::WatchesExpire) {
                    self.stage.conditions.break_watches();
                }
            }
            Fault::Replica { replica, trouble } => self.begin_replica(index, replica, trouble, planned),
            Fault::Lease(deed) => self.meddle(deed).await,
            Fault::User(deed) => deeds::begin(&self.stage, deed).await,
        }
    }

    /// A fault ends.
    pub async fn end(&mut self, index: usize, planned: &Planned) {
        match planned.fault {
            Fault::Vault { issuer, .. } | Fault::FalseRefusals { issuer } => {
                if matches!(planned.fault, Fault::Vault { row: VAULT_CLOCK, .. }) {
                    ledger::lock(&self.stage.ledger).clock_off(Clockwork::Vault(issuer), false);
                }
                if let Some(playing) = self.rows.remove(&index) {
                    vault::end(&self.stage, &playing);
                }
            }
            Fault::Api(_) => {
                if let Some(wrong) = self.wrongs.remove(&index) {
                    self.stage.conditions.end(wrong);
                }
            }
            Fault::Replica { replica, trouble } => self.end_replica(index, replica, trouble),
            Fault::Lease(_) => {}
            Fault::User(deed) => deeds::end(&self.stage, deed).await,
        }
        self.tell_end(planned);
    }

    fn tell_begin(&self, planned: &Planned) {
        let mut ledger = ledger::lock(&self.stage.ledger);
        ledger.note(&format!("FAULT {:?}", planned.fault));
        let now = self.stage.wall.elapsed();
        match planned.fault.scope() {
            Scope::World => ledger.scopes.begin_world(),
            Scope::Issuer(issuer) => {
                ledger.scopes.begin_issuer(issuer);
                if planned.fault.refuses_truly() {
                    ledger.scopes.begin_refusing(issuer, now);
                }
            }
            Scope::Certificate(_) => {}
        }
    }

    fn tell_end(&self, planned: &Planned) {
        let mut ledger = ledger::lock(&self.stage.ledger);
        ledger.note(&format!("HEALED {:?}", planned.fault));
        let now = self.stage.wall.elapsed();
        let calm_from = now + planned.fault.settles_in(self.stage.scenario.lease.takeover());
        match planned.fault.scope() {
            Scope::World => ledger.scopes.end_world(calm_from),
            Scope::Issuer(issuer) => {
                ledger.scopes.end_issuer(issuer, calm_from);
                ledger.cured(issuer);
                if planned.fault.refuses_truly() && !matches!(planned.fault, Fault::FalseRefusals { .. }) {
                    ledger.scopes.end_refusing(issuer, now);
                }
            }
            Scope::Certificate(_) => {}
        }
    }

    fn begin_replica(&mut self, index: usize, number: usize, trouble: ReplicaTrouble, planned: &Planned) {
        let Some(replica) = self.stage.replicas.get(number) else { return };
        let conditions = &self.stage.conditions;
        if matches!(trouble, ReplicaTrouble::ClockJumps(_) | ReplicaTrouble::ClockDrifts(_)) {
            ledger::lock(&self.stage.ledger).clock_off(Clockwork::Replica(number), true);
        }
        match trouble {
            ReplicaTrouble::Killed => replica.kill(),
            ReplicaTrouble::Restarted => replica.stop(),
            ReplicaTrouble::KilledAtWrite { nth, after } => {
                if let Some(life) = replica.life() {
                    life.arm(nth, after);
                }
            }
            ReplicaTrouble::CutFromApi => conditions.cut_from_api(number, true),
            ReplicaTrouble::CutFromVault { issuer } => {
                self.wrongs.insert(index, conditions.cut_from_vault(number, issuer));
            }
            ReplicaTrouble::SlowWrites(by) => conditions.slow_writes(number, Some(by.min(planned.lasts))),
            ReplicaTrouble::ClockJumps(by) => replica.hands.jump(by),
            ReplicaTrouble::ClockDrifts(drift) => replica.hands.drift(drift, self.stage.wall),
        }
    }

    fn end_replica(&mut self, index: usize, number: usize, trouble: ReplicaTrouble) {
        let Some(replica) = self.stage.replicas.get(number) else { return };
        let conditions = &self.stage.conditions;
        match trouble {
            ReplicaTrouble::Killed | ReplicaTrouble::Restarted => replica.let_up(),
            ReplicaTrouble::KilledAtWrite { .. } => {
                if let Some(life) = replica.life() {
                    life.disarm();
                }
            }
            ReplicaTrouble::CutFromApi => conditions.cut_from_api(number, false),
            ReplicaTrouble::CutFromVault { .. } => {
                if let Some(wrong) = self.wrongs.remove(&index) {
                    conditions.mend_vault(wrong);
                }
            }
            ReplicaTrouble::SlowWrites(_) => conditions.slow_writes(number, None),
            ReplicaTrouble::ClockJumps(_) | ReplicaTrouble::ClockDrifts(_) => {
                replica.hands.set_right();
                ledger::lock(&self.stage.ledger).clock_off(Clockwork::Replica(number), false);
            }
        }
    }

    async fn meddle(&self, deed: LeaseDeed) {
        let path = objects::lease_path();
        let done = match deed {
            LeaseDeed::Deleted => self.stage.admin.delete(&path).await.map(drop),
            LeaseDeed::Stolen => {
                let steal = |lease: &mut serde_json::Value| {
                    if let Some(holder) = lease.pointer_mut("/spec/holderIdentity") {
                        *holder = "somebody-else".into();
                    }
                };
                self.stage.admin.change(&path, steal).await
            }
        };
        deeds::note(&self.stage, done.err());
    }
}
