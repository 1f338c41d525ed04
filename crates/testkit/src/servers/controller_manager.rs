//! Starts kube-controller-manager with the few controllers that tests of a certificate manager need: namespaces
//! are emptied, owned objects collected, ServiceAccounts and their tokens made.
//! It serves no port; that it works is seen from what it makes.

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;

use super::folder::Folder;
use super::process::Server;
use super::{Kube, Program};

const CONTROLLERS: &str = "namespace-controller,garbage-collector-controller,serviceaccount-controller,\
                           serviceaccount-token-controller,root-ca-certificate-publisher-controller,\
                           clusterrole-aggregation-controller";

/// Starts it and waits until it has made the ServiceAccount `default` of the namespace `default`.
pub(crate) async fn start(kube: &Kube, folder: &Folder) -> Result<Server> {
    let arguments = [
        format!("--kubeconfig={}", kube.kubeconfig().display()),
        format!("--controllers={CONTROLLERS}"),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        format!("--service-account-private-key-file={}", kube.service_account_key().display()),
        format!("--root-ca-file={}", kube.ca_file().display()),
    ];
    let program = Program::KubeControllerManager.locate()?;
    let mut server = Server::start("kube-controller-manager", &program, &arguments, &[], folder.path())?;
    let accounts: Api<ServiceAccount> = Api::namespaced(kube.client()?, "default");
    server
        .until_ready(|| async {
            ensure!(accounts.get_opt("default").await?.is_some(), "no ServiceAccount default/default yet");
            Ok(())
        })
        .await?;
    Ok(server)
}
