//! The servers of one test binary: a Kubernetes API with the CRDs, the rights of `deploy/`, a Vault with a PKI, and the real
//! `everleaf controller`, speaking as its own user. Started by whoever asks first, ended with the binary.
//! Tests never share objects: each takes namespaces of its own.

use everleaf_testkit::servers::{
    Controller, ControllerOptions, Kube, KubeOptions, PROGRAM_VARIABLE, Pki, PkiOptions, Vault, shared_kube,
};
use serde_json::json;
use tokio::sync::OnceCell;

/// The running servers.
pub(crate) struct Stage {
    pub(crate) controller: Controller,
    pub(crate) kube: &'static Kube,
    pub(crate) vault: Vault,
    pub(crate) pki: Pki,
}

/// The servers of this binary.
pub(crate) async fn stage() -> &'static Stage {
    static SHARED: OnceCell<Stage> = OnceCell::const_new();
    SHARED.get_or_init(raise).await
}

async fn raise() -> Stage {
    let (kube, (vault, pki)) = tokio::join!(async { shared_kube().await.unwrap() }, vault());
    let controller = Controller::start(kube, &ours(&[])).await.unwrap();
    Stage { controller, kube, vault, pki }
}

async fn vault() -> (Vault, Pki) {
    let vault = Vault::start_dev().await.unwrap();
    let pki = vault.pki("pki", &role()).await.unwrap();
    (vault, pki)
}

/// A role that takes whatever a Certificate may ask for.
pub(crate) fn role() -> PkiOptions {
    PkiOptions { role_fields: json!({ "allowed_other_sans": ["*"] }), ..PkiOptions::default() }
}

/// The program that cargo built for these tests (or the one that `EVERLEAF_PROGRAM` names), with more flags.
pub(crate) fn ours(flags: &[&str]) -> ControllerOptions {
    ControllerOptions {
        program: std::env::var_os(PROGRAM_VARIABLE).is_none().then(|| env!("CARGO_BIN_EXE_everleaf").into()),
        flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
        ..ControllerOptions::default()
    }
}

/// A Kubernetes API of its own, for tests that start controllers of their own.
pub(crate) async fn own_kube() -> Kube {
    Kube::start_with(KubeOptions { crds: true, rights: true, controller_manager: false }).await.unwrap()
}
