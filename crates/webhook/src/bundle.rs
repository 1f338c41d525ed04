//! Puts what API servers shall trust into the webhook configurations, webhook by webhook.
//! A configuration that another replica changes at the same time is read again; one that isn't there is left out.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::serde::Serialize;
use k8s_openapi::serde::de::DeserializeOwned;
use kube::api::PostParams;
use kube::{Api, Client, Resource};
use tracing::info;

/// How often a write is tried against those of others.
pub(crate) const MOST_CONFLICTS: usize = 8;
const CONFLICT: u16 = 409;

/// Makes one configuration trust `bundle`.
pub(crate) async fn trust_validating(client: &Client, name: &str, bundle: &str) -> kube::Result<()> {
    let each = |configuration: &mut ValidatingWebhookConfiguration| {
        let webhooks = configuration.webhooks.iter_mut().flatten();
        webhooks.filter_map(|webhook| put(&mut webhook.client_config, bundle)).count() > 0
    };
    trust(client, name, each).await
}

/// The same for one that mutates.
pub(crate) async fn trust_mutating(client: &Client, name: &str, bundle: &str) -> kube::Result<()> {
    let each = |configuration: &mut MutatingWebhookConfiguration| {
        let webhooks = configuration.webhooks.iter_mut().flatten();
        webhooks.filter_map(|webhook| put(&mut webhook.client_config, bundle)).count() > 0
    };
    trust(client, name, each).await
}

/// Nothing if it was so already.
fn put(config: &mut WebhookClientConfig, bundle: &str) -> Option<()> {
    if config.ca_bundle.as_ref().is_some_and(|there| there.0 == bundle.as_bytes()) {
        return None;
    }
    config.ca_bundle = Some(ByteString(bundle.as_bytes().to_vec()));
    Some(())
}

async fn trust<K>(client: &Client, name: &str, change: impl Fn(&mut K) -> bool) -> kube::Result<()>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let api: Api<K> = Api::all(client.clone());
    let mut conflicts = 0;
    loop {
        let Some(mut configuration) = api.get_opt(name).await? else { return Ok(()) };
        if !change(&mut configuration) {
            return Ok(());
        }
        match api.replace(name, &PostParams::default(), &configuration).await {
            Ok(_) => {
                info!(name, "a webhook configuration trusts the CA now");
                return Ok(());
            }
            Err(kube::Error::Api(status)) if status.code == CONFLICT && conflicts < MOST_CONFLICTS => {
                conflicts += 1
            }
            Err(error) => return Err(error),
        }
    }
}
