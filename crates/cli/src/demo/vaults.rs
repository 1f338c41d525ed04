//! The Vault of the demo: the practice one in this process, or one of the user's own with a troublemaker before it.
//! Whichever it is, it can be put into each trouble, and it counts what it signed and what it refused.

use std::sync::{Mutex, MutexGuard, PoisonError};

use everleaf_issuers::wire::Network;
use everleaf_practice::{
    Denial, Fault, FaultId, FaultRule, Options, Phase, Practice, Scene, Seen, TransportKind, furnish,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::acts::Trouble;
use super::real::RealVault;

/// Two issuers, by name, role, and the life of their certificates. Vault dates each back by another 30 s, so a third of life and 30 s is left
/// when it is renewed: they renew every 10 and every 6 seconds, and no outage falls between all of them.
pub(super) const ISSUERS: [(&str, &str, &str); 2] =
    [("vault", "web", "30s"), ("vault-short", "web-short", "24s")];

/// The rules of a role, for certificates of this life.
pub(super) fn rules(life: &str) -> Value {
    json!({ "allow_any_name": true, "enforce_hostnames": false, "key_type": "any", "require_cn": false, "max_ttl": life })
}

/// The Vault.
pub(super) enum Vault {
    /// In this process.
    Practice(Box<PracticeVault>),
    /// The user's own.
    Real(RealVault),
}

/// The practice Vault and the fault that holds.
pub(super) struct PracticeVault {
    vault: Practice,
    fault: Mutex<Option<FaultId>>,
}

/// How the issuers log in.
pub(super) struct Access {
    /// Where the Vault is.
    pub(super) server: String,
    /// The PKI mount.
    pub(super) mount: String,
    /// `spec.vault.auth`
    pub(super) auth: Value,
    /// The Secret that it refers to: key and value.
    pub(super) secret: (&'static str, zeroize::Zeroizing<String>),
}

impl Vault {
    /// A practice Vault with the demo's roles.
    pub(super) fn practice() -> anyhow::Result<(Vault, Access)> {
        let seed = u64::try_from(Timestamp::now().as_nanosecond() & 0xffff_ffff).unwrap_or(1);
        let vault = Practice::new(Options::new("demo-root", seed));
        let scene = Scene::default();
        let credentials = furnish(&vault, &scene)?;
        for (_, role, life) in ISSUERS {
            vault.write_role(&scene.pki, role, rules(life))?;
        }
        let grant = format!("path \"{}/sign/*\" {{ capabilities = [\"create\", \"update\"] }}", scene.pki);
        vault.write_policy(&scene.policy, &grant)?;
        let access = Access {
            server: "http://vault.practice:8200".to_owned(),
            mount: scene.pki,
            auth: json!({ "appRole": { "path": scene.auth, "roleId": credentials.role_id,
                "secretRef": { "name": super::stage::SECRET, "key": "secretId" } } }),
            secret: ("secretId", credentials.secret_id),
        };
        Ok((Vault::Practice(Box::new(PracticeVault { vault, fault: Mutex::default() })), access))
    }

    /// The way to it.
    pub(super) fn network(&self) -> Network {
        match self {
            Vault::Practice(practice) => Network::in_process(practice.vault.over_bodies()),
            Vault::Real(real) => real.network(),
        }
    }

    /// Begins a trouble.
    pub(super) fn inflict(&self, trouble: Trouble) {
        match self {
            Vault::Practice(practice) => practice.inflict(trouble),
            Vault::Real(real) => real.hold(Some(trouble)),
        }
    }

    /// Ends it.
    pub(super) fn heal(&self) {
        match self {
            Vault::Practice(practice) => practice.heal(),
            Vault::Real(real) => real.hold(None),
        }
    }

    /// How many certificates it has signed.
    pub(super) fn signed(&self) -> u64 {
        match self {
            Vault::Practice(practice) => practice.vault.audit().signatures(),
            Vault::Real(real) => real.signed(),
        }
    }

    /// How many calls were refused or lost.
    pub(super) fn refused(&self) -> u64 {
        match self {
            Vault::Practice(practice) => {
                practice.vault.audit().count(|_, _, seen| !matches!(seen, Seen::Status(200..=299)))
            }
            Vault::Real(real) => real.refused(),
        }
    }

    /// Leaves a Vault of the user's own as it was.
    pub(super) async fn clean_up(&self) {
        if let Vault::Real(real) = self {
            real.clean_up().await;
        }
    }
}

impl PracticeVault {
    fn inflict(&self, trouble: Trouble) {
        let on_sign = |fault| FaultRule::new(fault).on(Phase::Sign);
        let rule = match trouble {
            Trouble::Sealed => return self.vault.seal(),
            Trouble::Denied => on_sign(Fault::Denied(Denial::Bare)),
            Trouble::Limited => on_sign(Fault::RateLimited(None)),
            Trouble::Reset => FaultRule::new(Fault::Broken(TransportKind::Reset)),
        };
        *self.fault() = Some(self.vault.inflict(rule));
    }

    fn heal(&self) {
        match self.fault().take() {
            Some(id) => self.vault.lift(id),
            None => self.vault.unseal(),
        }
    }

    fn fault(&self) -> MutexGuard<'_, Option<FaultId>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
