//! An issuer ready for use, whatever its kind: made from a spec, kept for the life of that spec, with its connections, tokens and keys.
//! It is never shared between specs and knows nothing of other issuers, except for the count of wrong AppRole tries.

use std::sync::{Arc, LazyLock};

use everleaf_api::IssuerSpec;
use everleaf_api::issuer::Authority;
use everleaf_core::failure::{Blame, Call, Class, CommittedWrite, ConnectionId, Failure};
use jiff::Timestamp;

use crate::ca::{CaIssuer, Plan};
use crate::common::Common;
use crate::order::{Answered, IssuerIdentity, Order, SpecError, Verified};
use crate::selfsigned::SelfSigned;
use crate::surroundings::{Surroundings, failure};
use crate::vault::Vault;
use crate::vault::config::Config;

/// An issuer.
#[derive(Debug)]
pub enum Issuer {
    /// Vault or OpenBao.
    Vault(Vault),
    /// A CA in a Secret.
    Ca(CaIssuer),
    /// The request's own key.
    SelfSigned(SelfSigned),
    /// A kind that isn't built in yet.
    Unsupported(Unsupported),
}

/// An issuer of a kind that isn't built in yet.
#[derive(Debug)]
pub struct Unsupported {
    identity: IssuerIdentity,
    kind: &'static str,
}

impl Issuer {
    /// Makes an issuer from a spec, with what this process has in common. The error is what the Ready condition says.
    pub fn from_spec(
        identity: IssuerIdentity,
        spec: &IssuerSpec,
        surroundings: Arc<dyn Surroundings>,
    ) -> Result<Issuer, SpecError> {
        static OF_PROCESS: LazyLock<Common> = LazyLock::new(Common::default);
        Issuer::from_spec_with(identity, spec, surroundings, &OF_PROCESS)
    }

    /// The same over another network, with other deadlines or another chance: for tests and simulation.
    pub fn from_spec_with(
        identity: IssuerIdentity,
        spec: &IssuerSpec,
        surroundings: Arc<dyn Surroundings>,
        common: &Common,
    ) -> Result<Issuer, SpecError> {
        match spec.authority() {
            Some(Authority::Vault(vault)) => {
                let config = Config::from_spec(&identity, vault)?;
                Ok(Issuer::Vault(Vault::new(identity, config, surroundings, common.clone())))
            }
            Some(Authority::Ca(ca)) => {
                let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
                let plan = Plan {
                    secret: ca.secret_name.clone(),
                    crl_distribution_points: list(&ca.crl_distribution_points),
                    ocsp_servers: list(&ca.ocsp_servers),
                    issuing_certificate_urls: list(&ca.issuing_certificate_urls),
                };
                Ok(Issuer::Ca(CaIssuer::new(identity, plan, surroundings, common.chance.clone())))
            }
            Some(Authority::SelfSigned(own)) => {
                let points = own.crl_distribution_points.clone().unwrap_or_default();
                Ok(Issuer::SelfSigned(SelfSigned::new(identity, points, common.chance.clone())))
            }
            Some(Authority::Acme(_)) => Ok(Issuer::Unsupported(Unsupported { identity, kind: "acme" })),
            Some(Authority::Venafi(_)) => Ok(Issuer::Unsupported(Unsupported { identity, kind: "venafi" })),
            None => Err(SpecError {
                reason: "ConfigInvalid",
                message: "the issuer must be of exactly one type: acme, ca, selfSigned, vault or venafi"
                    .to_owned(),
            }),
        }
    }

    /// Which issuer it is, and which state of its spec it was made from.
    pub fn identity(&self) -> &IssuerIdentity {
        match self {
            Issuer::Vault(vault) => vault.identity(),
            Issuer::Ca(ca) => ca.identity(),
            Issuer::SelfSigned(own) => own.identity(),
            Issuer::Unsupported(other) => &other.identity,
        }
    }

    /// Gets one order signed. An answer always comes back, within the deadlines of the calls it takes.
    pub async fn sign(&self, order: &Order<'_>, now: Timestamp) -> Answered {
        match self {
            Issuer::Vault(vault) => vault.sign(order, now).await,
            Issuer::Ca(ca) => ca.sign(order, now).await,
            Issuer::SelfSigned(own) => own.sign(order, now),
            Issuer::Unsupported(other) => Answered::failed(other.failure()),
        }
    }

    /// Whether it can be used, for the Ready condition.
    pub async fn check(&self, now: Timestamp) -> Result<Verified, Failure> {
        match self {
            Issuer::Vault(vault) => vault.check().await,
            Issuer::Ca(ca) => ca.check(now).await,
            Issuer::SelfSigned(own) => Ok(own.check()),
            Issuer::Unsupported(other) => Err(other.failure()),
        }
    }

    /// A quick look at the server before a probe signs; issuers without one are always well.
    pub async fn health(&self) -> Result<(), Failure> {
        match self {
            Issuer::Vault(vault) => vault.health().await,
            Issuer::Ca(_) | Issuer::SelfSigned(_) => Ok(()),
            Issuer::Unsupported(other) => Err(other.failure()),
        }
    }

    /// Makes the server commit a write on a connection. `sign` does so itself where a refusal waits for its proof.
    pub async fn committed_write(
        &self,
        over: ConnectionId,
        now: Timestamp,
    ) -> Result<CommittedWrite, Failure> {
        match self {
            Issuer::Vault(vault) => vault.committed_write(over, now).await,
            Issuer::Ca(_) | Issuer::SelfSigned(_) => Err(failure(
                Class::Transient,
                Call::RenewToken,
                "NothingCommitted",
                "there is no server",
                Blame::Issuer,
            )),
            Issuer::Unsupported(other) => Err(other.failure()),
        }
    }

    /// A Secret has changed, appeared or gone: what was made of it is dropped.
    pub fn secret_changed(&self, name: &str) {
        match self {
            Issuer::Vault(vault) => vault.secret_changed(name),
            Issuer::Ca(ca) if ca.secret() == name => ca.secret_changed(),
            Issuer::Ca(_) | Issuer::SelfSigned(_) | Issuer::Unsupported(_) => {}
        }
    }

    /// The Secrets it depends on, in its resource namespace.
    pub fn secrets(&self) -> Vec<String> {
        match self {
            Issuer::Vault(vault) => vault.secrets(),
            Issuer::Ca(ca) => vec![ca.secret().to_owned()],
            Issuer::SelfSigned(_) | Issuer::Unsupported(_) => Vec::new(),
        }
    }

    /// Whether it depends on a Secret.
    pub fn refers_to(&self, secret: &str) -> bool {
        self.secrets().iter().any(|name| name == secret)
    }
}

impl Unsupported {
    fn failure(&self) -> Failure {
        let says = format!("issuers of type {} are not supported yet", self.kind);
        failure(Class::Issuer, Call::Sign, "Unsupported", &says, Blame::Issuer)
    }
}
