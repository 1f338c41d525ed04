//! The stage of one simulation: the API, the Vaults, the replicas, the clocks, and what is wrong with the ways between them.
//! Setting it makes the issuers and their Secrets; the rest happens by the scenario.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use everleaf_apiserver::Server;
use everleaf_practice::{CaKeyKind, Chance, Workshop};

use crate::cluster::{self, Admin, Conditions, Seat};
use crate::ledger::{Ledger, SharedLedger};
use crate::moments::{DAY, Wall};
use crate::objects;
use crate::replica::Replica;
use crate::scenario::{IssuerKind, IssuerPlan, Scenario};
use crate::vaults::Vaults;

/// The stage.
pub struct Stage {
    /// What is played.
    pub scenario: Scenario,
    /// The true time.
    pub wall: Wall,
    /// Sees everything.
    pub ledger: SharedLedger,
    /// The API.
    pub server: Server,
    /// Whom the API serves at this moment.
    pub seat: Seat,
    /// The person behind the faults.
    pub admin: Admin,
    /// What is wrong with the API and the ways to it.
    pub conditions: Conditions,
    /// The Vaults.
    pub vaults: Vaults,
    /// The replicas.
    pub replicas: Vec<Replica>,
    /// The stream that everything else is forked from.
    pub chance: Chance,
    /// The secret_id of each AppRole that is good now.
    pub secret_ids: Mutex<BTreeMap<usize, String>>,
}

/// A stage that could not be set: a fault of the harness.
#[derive(Debug, thiserror::Error)]
#[error("the stage can't be set: {0}")]
pub struct NotSet(pub String);

impl Stage {
    /// Sets the stage. Call it inside a paused runtime.
    pub async fn set(scenario: Scenario, whole_trace: bool) -> Result<Arc<Stage>, NotSet> {
        let not_set = |error: &dyn std::fmt::Display| NotSet(error.to_string());
        let wall = Wall::begin();
        let chance = Chance::new(scenario.seed).fork("run");
        let ledger: SharedLedger = Arc::new(Mutex::new(Ledger::new(&scenario, wall, whole_trace)));
        let seat = Seat::default();
        let server = cluster::server(wall, &chance, &seat, &ledger).map_err(|error| not_set(&error))?;
        let vaults = Vaults::new(&scenario, wall, &chance).map_err(|error| not_set(&error))?;
        let stage = Stage {
            admin: Admin::new(server.clone(), seat.clone()),
            replicas: (0..scenario.replicas).map(|_| Replica::default()).collect(),
            conditions: Conditions::default(),
            secret_ids: Mutex::default(),
            scenario,
            wall,
            ledger,
            server,
            seat,
            vaults,
            chance,
        };
        stage.furnish().await.map_err(|error| not_set(&error))?;
        Ok(Arc::new(stage))
    }

    async fn furnish(&self) -> Result<(), cluster::Refused> {
        for name in objects::namespaces() {
            self.admin.create("/api/v1/namespaces", &objects::namespace(name)).await?;
        }
        for (index, issuer) in self.scenario.issuers.iter().enumerate() {
            if let Some(secret) = self.credentials(index, issuer) {
                let path = objects::secrets_path(objects::credentials_namespace(issuer));
                self.admin.create(&path, &secret).await?;
            }
            self.create_issuer(index).await?;
        }
        Ok(())
    }

    fn credentials(&self, index: usize, issuer: &IssuerPlan) -> Option<serde_json::Value> {
        match issuer.kind {
            IssuerKind::SelfSigned => None,
            IssuerKind::Ca => {
                let seed = self.chance.fork(&issuer.name).number();
                let life = 3_650 * DAY;
                let workshop =
                    Workshop::new(seed, "simulated ca", CaKeyKind::Ed25519, self.wall.now(), life)?;
                let ca = workshop.ca();
                Some(objects::ca_secret(issuer, &ca.certificate_pem, &ca.key_pem))
            }
            IssuerKind::Vault(_) => {
                let approle = self.vaults.of(index)?.approle.as_ref()?;
                let secret_id = approle.secret_id.as_str().to_owned();
                let secret = objects::approle_secret(issuer, &secret_id);
                self.secret_ids.lock().unwrap_or_else(PoisonError::into_inner).insert(index, secret_id);
                Some(secret)
            }
        }
    }

    /// Makes an issuer as its plan says.
    pub async fn create_issuer(&self, index: usize) -> Result<(), cluster::Refused> {
        let Some(plan) = self.scenario.issuers.get(index) else { return Ok(()) };
        let approle = self.vaults.of(index).and_then(|place| place.approle.as_ref());
        let role_id = approle.map(|approle| approle.role_id.clone()).unwrap_or_default();
        let object = objects::issuer(index, plan, &role_id);
        self.admin.create(&objects::issuers_path(plan), &object).await.map(drop)
    }

    /// Makes a Certificate as its plan says.
    pub async fn create_certificate(&self, index: usize) -> Result<(), cluster::Refused> {
        let Some(plan) = self.scenario.certificates.get(index) else { return Ok(()) };
        let Some(issuer) = self.scenario.issuers.get(plan.issuer) else { return Ok(()) };
        let object = objects::certificate(plan, issuer);
        self.admin.create(&objects::certificates_path(&plan.namespace), &object).await.map(drop)
    }
}
