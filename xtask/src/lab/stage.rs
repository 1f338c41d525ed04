//! Everything that the lab and the benchmarks run on: a Kubernetes API with CRDs and rights, a Vault with a PKI, and
//! the controller under test, speaking as its own user with the rights of `deploy/`.
//! It never gives the controller more rights than an install does.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use everleaf_testkit::servers::{
    CaKey, Controller, ControllerOptions, Kube, KubeOptions, Pki, PkiOptions, Vault,
};

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is started.
pub(crate) struct StageOptions {
    pub(crate) program: PathBuf,
    /// The key of the PKI's root; no Vault without.
    pub(crate) vault: Option<CaKey>,
    pub(crate) controller_manager: bool,
    /// More flags for the controller.
    pub(crate) flags: Vec<String>,
}

/// All that runs.
pub(crate) struct Stage {
    // Dropped in this order: what depends on others goes first.
    pub(crate) controller: Controller,
    vault: Option<(Vault, Pki)>,
    pub(crate) kube: Kube,
}

impl Stage {
    /// Starts everything and waits until all of it is ready.
    pub(crate) async fn raise(options: StageOptions) -> Result<Self> {
        let kube = KubeOptions { crds: true, rights: true, controller_manager: options.controller_manager };
        let (kube, vault) = tokio::try_join!(Kube::start_with(kube), start_vault(options.vault))?;
        let controller = ControllerOptions {
            program: Some(options.program),
            flags: options.flags,
            ..ControllerOptions::default()
        };
        let controller = Controller::start(&kube, &controller).await?;
        Ok(Self { controller, vault, kube })
    }

    /// Vault and its PKI.
    pub(crate) fn vault(&self) -> Result<(&Vault, &Pki)> {
        self.vault.as_ref().map(|(vault, pki)| (vault, pki)).context("this stage has no Vault")
    }

    /// Waits; the controller isn't expected to end by itself.
    pub(crate) async fn until_controller_ends(&mut self) -> Result<()> {
        while self.controller.server().runs() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("the controller ended\n{}", self.controller.server().last_words())
    }
}

async fn start_vault(ca_key: Option<CaKey>) -> Result<Option<(Vault, Pki)>> {
    let Some(ca_key) = ca_key else { return Ok(None) };
    let vault = Vault::start_dev().await?;
    let pki = vault.pki("pki", &PkiOptions { ca_key, ..PkiOptions::default() }).await?;
    Ok(Some((vault, pki)))
}
