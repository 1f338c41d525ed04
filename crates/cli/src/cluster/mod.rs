//! The cluster that a command of a user speaks to: the flags that say which, and a client for it.
//! It reads kubeconfigs as kubectl does. It never prints what stands in one.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use kube::config::{KubeConfigOptions, Kubeconfig};

/// A server that is gone is told soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Lists of thousands of objects take their time.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The group and version of our kinds.
pub(crate) const GROUP_VERSION: &str = "cert-manager.io/v1";

/// Which cluster, and which namespace in it.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct Place {
    /// Path of a kubeconfig. $KUBECONFIG, ~/.kube/config or the account of the pod where nothing is given.
    #[arg(long)]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; the current one where nothing is given.
    #[arg(long)]
    pub context: Option<String>,
    /// Namespace; that of the context where nothing is given.
    #[arg(long, short = 'n')]
    pub namespace: Option<String>,
}

/// A way into a cluster.
#[derive(Clone)]
pub(crate) struct Cluster {
    /// The client.
    pub client: kube::Client,
    /// The namespace that is meant where a command names none.
    pub namespace: String,
}

impl Place {
    /// Finds the cluster. Nothing is asked of it yet.
    pub(crate) async fn connect(&self) -> anyhow::Result<Cluster> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let mut config = match &self.kubeconfig {
            Some(path) => {
                let read =
                    Kubeconfig::read_from(path).with_context(|| format!("can't read {}", path.display()))?;
                kube::Config::from_custom_kubeconfig(read, &options).await?
            }
            None if self.context.is_some() => kube::Config::from_kubeconfig(&options).await?,
            None => kube::Config::infer()
                .await
                .context("no cluster found: neither --kubeconfig nor $KUBECONFIG nor an account of a pod")?,
        };
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        Ok(Cluster { client: kube::Client::try_from(config)?, namespace })
    }
}

impl Cluster {
    /// An error where our kinds aren't served at all: the API says "not found" of an object then, too.
    pub(crate) async fn serves_our_kinds(&self) -> anyhow::Result<()> {
        self.client.list_api_group_resources(GROUP_VERSION).await.map(|_| ()).map_err(told)
    }
}

/// Runs a command's work to its end.
pub(crate) fn run<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// An error of the API in words for people. A kind that isn't served is told as such: its own words are "404 page not found".
pub(crate) fn told(error: kube::Error) -> anyhow::Error {
    match &error {
        kube::Error::Api(status) if status.code == 404 && status.message.contains("page not found") => {
            anyhow::anyhow!("this cluster doesn't serve cert-manager.io/v1: its CRDs are not installed")
        }
        kube::Error::Api(status) => anyhow::anyhow!("{}", status.message),
        _ => anyhow::Error::new(error).context("the API can't be reached"),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn errors_of_the_api_are_told_in_its_words_and_missing_kinds_as_such() {
        let api = |message: &str, code| {
            told(kube::Error::Api(Box::new(Status::failure(message, "Any").with_code(code)))).to_string()
        };
        assert_eq!(
            api("certificates is forbidden: User \"bob\" cannot list", 403),
            "certificates is forbidden: User \"bob\" cannot list"
        );
        assert!(api("404 page not found\n", 404).ends_with("its CRDs are not installed"));
        assert_eq!(api("secrets \"a\" not found", 404), "secrets \"a\" not found");
    }
}
