//! Keeps the serving certificate alive: the CA in its Secret, the configurations that trust it, and a leaf of this replica's own.
//! Several replicas agree by the Secret: who loses the race to write it reads what the other wrote. A leaf of a new CA is shown one
//! look after the configurations trust that CA, so no call meets a certificate that its API server doesn't know yet.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use everleaf_core::x509::Certificate;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::authority::{Authority, Judged, Leaf, judge};
use crate::bundle::{MOST_CONFLICTS, trust_mutating, trust_validating};
use crate::shown::Shown;

/// How often everything is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The API server's answer to a write that lost a race: it exists already, or has changed.
const CONFLICT: u16 = 409;

/// What the keeper looks after.
#[derive(Debug, Clone)]
pub struct Names {
    /// Where the Secret with the CA lives.
    pub namespace: String,
    /// Its name.
    pub secret: String,
    /// Names that API servers call the webhook by.
    pub dns_names: Vec<String>,
    /// ValidatingWebhookConfigurations that shall trust the CA.
    pub validating: Vec<String>,
    /// MutatingWebhookConfigurations that shall trust the CA.
    pub mutating: Vec<String>,
}

/// Looks after it until `stop`. What can't be done now is tried again at the next look.
pub async fn keep(client: Client, names: Names, shown: Shown, stop: CancellationToken) {
    let mut kept = Kept { client, names, shown, leaf: None, announced: None, bundle: String::new() };
    loop {
        if let Err(error) = kept.look(Timestamp::now()).await {
            warn!(error = %format!("{error:#}"), "the webhook's certificate could not be looked after");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

struct Kept {
    client: Client,
    names: Names,
    shown: Shown,
    leaf: Option<Leaf>,
    /// The CA that the configurations were told to trust at the look before.
    announced: Option<Certificate>,
    /// What they were told to trust.
    bundle: String,
}

impl Kept {
    async fn look(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let authority = self.agree(now).await.context("agree on a CA")?;
        self.announce(&authority.bundle).await;
        let is_known =
            self.announced.as_ref().is_some_and(|known| known.der() == authority.certificate().der());
        self.announced = Some(authority.certificate().clone());
        self.bundle.clone_from(&authority.bundle);
        let good = self.leaf.as_ref().filter(|leaf| leaf.is_fresh(now));
        let waits = match good {
            None => false,
            Some(leaf) if leaf.authority.der() == authority.certificate().der() => return Ok(()),
            Some(_) => !is_known,
        };
        if !waits {
            let leaf =
                authority.leaf(&self.names.dns_names, now).await.context("make a serving certificate")?;
            self.shown.put(leaf.certified.clone());
            self.leaf = Some(leaf);
            info!("the webhook has a new serving certificate");
        }
        Ok(())
    }

    /// The CA in the Secret, made where there is none that can be used.
    async fn agree(&self, now: Timestamp) -> anyhow::Result<Authority> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.names.namespace);
        for _ in 0..MOST_CONFLICTS {
            let there = secrets.get_opt(&self.names.secret).await?;
            let (why, still_trusted) = match judge(&data(there.as_ref()), now) {
                Judged::Good(authority) => return Ok(*authority),
                Judged::Replace { why, still_trusted } => (why, still_trusted),
            };
            // A Secret that was deleted took with it what connections are still shown.
            let made = Authority::new(now, &format!("{still_trusted}{}", self.bundle)).await?;
            let secret = self.secret(&made, there.as_ref())?;
            let written = match there {
                None => secrets.create(&PostParams::default(), &secret).await,
                Some(_) => secrets.replace(&self.names.secret, &PostParams::default(), &secret).await,
            };
            match written {
                Ok(_) => {
                    info!(why, secret = self.names.secret, "the webhook has a new CA");
                    return Ok(made);
                }
                Err(kube::Error::Api(status)) if status.code == CONFLICT => {}
                Err(error) => return Err(error.into()),
            }
        }
        anyhow::bail!("others write the Secret {} all the time", self.names.secret)
    }

    fn secret(&self, authority: &Authority, there: Option<&Secret>) -> anyhow::Result<Secret> {
        let version = there.and_then(|secret| secret.metadata.resource_version.clone());
        Ok(serde_json::from_value(json!({
            "metadata": {
                "name": self.names.secret, "namespace": self.names.namespace, "resourceVersion": version,
                "labels": { "app.kubernetes.io/name": "everleaf", "app.kubernetes.io/managed-by": "everleaf-webhook" },
                "annotations": { "cert-manager.io/allow-direct-injection": "true" },
            },
            "stringData": authority.entries(),
        }))?)
    }

    /// Told to all configurations; one that can't be told is told at the next look.
    async fn announce(&self, bundle: &str) {
        for name in &self.names.validating {
            if let Err(error) = trust_validating(&self.client, name, bundle).await {
                warn!(%error, name, "a ValidatingWebhookConfiguration could not be given the CA");
            }
        }
        for name in &self.names.mutating {
            if let Err(error) = trust_mutating(&self.client, name, bundle).await {
                warn!(%error, name, "a MutatingWebhookConfiguration could not be given the CA");
            }
        }
    }
}

fn data(secret: Option<&Secret>) -> BTreeMap<String, Vec<u8>> {
    let data = secret.and_then(|secret| secret.data.as_ref());
    data.into_iter().flatten().map(|(name, bytes)| (name.clone(), bytes.0.clone())).collect()
}
