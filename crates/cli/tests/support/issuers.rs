//! The issuers under test, each made as a user makes it and awaited until it is ready, with what its Ready condition must say.
//! A CA's root is made by openssl, a Vault's by Vault: nothing that judges a certificate comes from the product.

use everleaf_testkit::makers::{self, Maker};
use everleaf_testkit::servers::{Pki, Vault};
use serde_json::{Value, json};

use super::openssl;
use super::space::{Space, condition};
use super::stage::Stage;
use super::validate::Feature;

/// The namespace in which a ClusterIssuer's Secrets stand.
pub(crate) const CLUSTER_NAMESPACE: &str = "kube-system";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ca,
    SelfSigned,
    Vault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Namespace,
    Cluster,
}

/// An issuer that is ready.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    pub(crate) kind: Kind,
    pub(crate) scope: Scope,
    pub(crate) name: String,
    /// As a Certificate writes it: kind and group are left out for an Issuer, and written for a ClusterIssuer.
    pub(crate) reference: Value,
    /// What its certificates must verify against; none where each is its own.
    pub(crate) root: Option<String>,
}

impl Kind {
    /// What the catalogue says it can't do (certificate-lifecycle 7.2).
    pub(crate) fn lacks(self, feature: Feature) -> bool {
        let vault = [
            Feature::KeyUsages,
            Feature::SaveRootCa,
            Feature::Ed25519,
            Feature::IssueCa,
            Feature::LiteralSubject,
        ];
        self == Kind::Vault && vault.contains(&feature)
    }

    fn ready(self) -> (&'static str, &'static str) {
        match self {
            Kind::Ca => ("KeyPairVerified", "Signing CA verified"),
            Kind::SelfSigned => ("IsReady", ""),
            Kind::Vault => ("VaultVerified", "Vault verified"),
        }
    }
}

/// Makes an issuer and waits until it is ready.
pub(crate) async fn issuer(stage: &Stage, space: &Space, kind: Kind, scope: Scope) -> Issuer {
    let name = match scope {
        Scope::Namespace => "issuer".to_owned(),
        Scope::Cluster => format!("{}-issuer", space.name),
    };
    let home = match scope {
        Scope::Namespace => space.clone(),
        Scope::Cluster => space.elsewhere(CLUSTER_NAMESPACE),
    };
    let (object, root) = match kind {
        Kind::SelfSigned => (makers::self_signed_issuer(&name), None),
        Kind::Ca => {
            let (certificate, key) = openssl::root("everleaf test root");
            home.apply(pair_secret(&format!("{name}-ca"), &certificate, &key)).await;
            (makers::ca_issuer(&name, &format!("{name}-ca")), Some(certificate))
        }
        Kind::Vault => (vault(&home, &name, &stage.vault, &stage.pki).await, Some(stage.pki.root.clone())),
    };
    let (object, reference) = match scope {
        Scope::Namespace => (object, json!({ "name": name })),
        Scope::Cluster => (
            object.cluster_wide(),
            json!({ "name": name, "kind": "ClusterIssuer", "group": "cert-manager.io" }),
        ),
    };
    let made = Issuer { kind, scope, name, reference, root };
    home.apply(object).await;
    await_ready(&home, &made).await;
    made
}

/// The Secret with the secret id of the PKI's AppRole, and the Issuer that names it.
pub(crate) async fn vault(home: &Space, name: &str, vault: &Vault, pki: &Pki) -> Maker {
    home.apply(makers::approle_secret(name, &pki.approle.secret_id)).await;
    makers::vault_issuer(name, vault.url(), &pki.sign_path, &pki.approle.role_id)
}

async fn await_ready(space: &Space, issuer: &Issuer) {
    let kind = issuer_kind(issuer.scope);
    let ready = space
        .until(kind, &issuer.name, "ready", |issuer| condition(issuer, "Ready")["status"] == "True")
        .await;
    let is = condition(&ready, "Ready");
    let (reason, message) = issuer.kind.ready();
    assert_eq!(is["reason"], reason, "{is}");
    assert_eq!(is["message"], message, "{is}");
    assert_eq!(is["observedGeneration"], ready["metadata"]["generation"], "{is}");
    assert!(is["lastTransitionTime"].is_string(), "{is}");
}

/// Waits until an issuer that the test made itself is ready.
pub(crate) async fn ready(space: &Space, scope: Scope, name: &str) -> Value {
    let wanted = |issuer: &Value| condition(issuer, "Ready")["status"] == "True";
    space.until(issuer_kind(scope), name, "ready", wanted).await
}

fn issuer_kind(scope: Scope) -> &'static str {
    match scope {
        Scope::Namespace => "Issuer",
        Scope::Cluster => "ClusterIssuer",
    }
}

/// A Secret with a certificate and its key.
pub(crate) fn pair_secret(name: &str, certificate: &str, key: &str) -> Maker {
    makers::secret(name, &[("tls.crt", certificate), ("tls.key", key)])
        .with("/type", json!("kubernetes.io/tls"))
}
