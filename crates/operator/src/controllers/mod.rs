//! One controller per object kind, and the peer's names for switching parts of them on and off.

pub mod certificates;
pub mod issuers;
pub mod requests;

use std::collections::BTreeSet;

use crate::records::IssuerType;

/// Which controllers run, by the peer's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controllers(BTreeSet<&'static str>);

/// The peer's names, and whether they run unless switched off.
const NAMES: [(&str, bool); 24] = [
    ("issuers", true),
    ("clusterissuers", true),
    ("certificates-metrics", true),
    ("ingress-shim", true),
    ("gateway-shim", false),
    ("orders", true),
    ("challenges", true),
    ("certificaterequests-approver", true),
    ("certificaterequests-issuer-acme", true),
    ("certificaterequests-issuer-ca", true),
    ("certificaterequests-issuer-selfsigned", true),
    ("certificaterequests-issuer-vault", true),
    ("certificaterequests-issuer-venafi", true),
    ("certificates-trigger", true),
    ("certificates-issuing", true),
    ("certificates-key-manager", true),
    ("certificates-request-manager", true),
    ("certificates-readiness", true),
    ("certificates-revision-manager", true),
    ("certificatesigningrequests-issuer-acme", false),
    ("certificatesigningrequests-issuer-ca", false),
    ("certificatesigningrequests-issuer-selfsigned", false),
    ("certificatesigningrequests-issuer-vault", false),
    ("certificatesigningrequests-issuer-venafi", false),
];

/// The six that make up the life of a Certificate: ours is one reconciler, so they run together or not at all.
const CERTIFICATES: [&str; 6] = [
    "certificates-trigger",
    "certificates-issuing",
    "certificates-key-manager",
    "certificates-request-manager",
    "certificates-readiness",
    "certificates-revision-manager",
];

/// What is wrong with `--controllers`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControllersError {
    /// No such name.
    #[error("--controllers: there is no controller named \"{0}\"; known are *, {names}", names = NAMES.map(|(name, _)| name).join(", "))]
    Unknown(String),
    /// Some of the six, but not all.
    #[error("--controllers: the certificates-* controllers are one here and can only be switched together; missing: {}", .0.join(", "))]
    Torn(Vec<&'static str>),
}

impl Default for Controllers {
    fn default() -> Self {
        Controllers(NAMES.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect())
    }
}

impl Controllers {
    /// From the list of the flag: `*` stands for those that run by default, `-name` takes one away. An empty list is `*`.
    pub fn parse(list: &[String]) -> Result<Controllers, ControllersError> {
        if list.is_empty() {
            return Ok(Controllers::default());
        }
        let star = list.iter().any(|name| name == "*");
        let mut on = if star { Controllers::default().0 } else { BTreeSet::new() };
        for name in list.iter().filter(|name| *name != "*") {
            let (bare, is_off) = name.strip_prefix('-').map_or((name.as_str(), false), |bare| (bare, true));
            let known = NAMES.iter().find(|(known, _)| *known == bare);
            let (known, _) = known.ok_or_else(|| ControllersError::Unknown(bare.to_owned()))?;
            if is_off {
                on.remove(known);
            } else {
                on.insert(known);
            }
        }
        let missing: Vec<&str> = CERTIFICATES.into_iter().filter(|name| !on.contains(name)).collect();
        if !missing.is_empty() && missing.len() < CERTIFICATES.len() {
            return Err(ControllersError::Torn(missing));
        }
        Ok(Controllers(on))
    }

    /// Certificates are looked after.
    pub fn certificates(&self) -> bool {
        self.0.contains("certificates-issuing")
    }

    /// Requests are approved.
    pub fn approver(&self) -> bool {
        self.0.contains("certificaterequests-approver")
    }

    /// Conditions of Issuers are kept.
    pub fn issuers(&self) -> bool {
        self.0.contains("issuers")
    }

    /// Conditions of ClusterIssuers are kept.
    pub fn cluster_issuers(&self) -> bool {
        self.0.contains("clusterissuers")
    }

    /// Requests to issuers of this type are signed.
    pub fn signs(&self, kind: IssuerType) -> bool {
        match kind {
            IssuerType::Vault => self.0.contains("certificaterequests-issuer-vault"),
            IssuerType::Ca => self.0.contains("certificaterequests-issuer-ca"),
            IssuerType::SelfSigned => self.0.contains("certificaterequests-issuer-selfsigned"),
            IssuerType::Acme | IssuerType::Venafi | IssuerType::None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(list: &[&str]) -> Result<Controllers, ControllersError> {
        Controllers::parse(&list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_star_with_a_minus_switches_one_off() {
        let controllers = parse(&["*", "-certificaterequests-approver"]).unwrap();
        assert!(!controllers.approver());
        assert!(controllers.certificates());
        assert!(controllers.signs(IssuerType::Vault));
    }

    #[test]
    fn the_vault_signer_can_run_alone() {
        let controllers = parse(&["certificaterequests-issuer-vault"]).unwrap();
        assert!(controllers.signs(IssuerType::Vault));
        assert!(!controllers.signs(IssuerType::Ca));
        assert!(!controllers.approver() && !controllers.certificates() && !controllers.issuers());
    }

    #[test]
    fn unknown_names_and_half_a_certificate_controller_are_refused() {
        assert_eq!(parse(&["webhooks"]), Err(ControllersError::Unknown("webhooks".into())));
        assert!(matches!(parse(&["*", "-certificates-trigger"]), Err(ControllersError::Torn(_))));
    }
}
