//! The controller's flags as typed: the peer's names, so that a Deployment needs nothing but another image.
//! What they mean, and which of them mean nothing here, stands in `meaning.rs`.

use std::path::PathBuf;

use clap::Args;

use super::logs::Format;
use crate::webhook::CertificateFlags;

/// Flags of `everleaf controller`.
#[derive(Args, Debug)]
pub(crate) struct Flags {
    /// Path of a kubeconfig; without it the in-cluster account is used.
    #[arg(long)]
    pub kubeconfig: Option<PathBuf>,
    /// Address of the Kubernetes API, instead of the one in the kubeconfig.
    #[arg(long)]
    pub master: Option<String>,
    /// Only look at this namespace. ClusterIssuers are off then.
    #[arg(long, default_value = "")]
    pub namespace: String,
    /// Where the Secrets of ClusterIssuers live.
    #[arg(long, default_value = "kube-system")]
    pub cluster_resource_namespace: String,
    /// Work only while holding a Lease.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub leader_elect: bool,
    /// Namespace of the Lease.
    #[arg(long, default_value = "kube-system")]
    pub leader_election_namespace: String,
    /// Name of the Lease; the default follows the peer, so that a swap never has two writers. With --controllers it can be another.
    #[arg(long)]
    pub leader_election_name: Option<String>,
    /// How long a Lease that isn't renewed still counts.
    #[arg(long, default_value = "60s")]
    pub leader_election_lease_duration: String,
    /// How long the holder tries to renew before it gives up.
    #[arg(long, default_value = "40s")]
    pub leader_election_renew_deadline: String,
    /// How often everyone looks at the Lease.
    #[arg(long, default_value = "15s")]
    pub leader_election_retry_period: String,
    /// Controllers to run: `*` for the default ones, `name` to add, `-name` to take away.
    #[arg(long, value_delimiter = ',', default_value = "*", allow_hyphen_values = true)]
    pub controllers: Vec<String>,
    /// Workers for Certificates, and again for CertificateRequests.
    #[arg(long, default_value_t = 24)]
    pub concurrent_workers: usize,
    /// Owner references on Secrets, so that they go with their Certificate.
    #[arg(long, default_value_t = false, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub enable_certificate_owner_ref: bool,
    /// Prefixes of annotations that requests take over from their Certificate.
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    pub copied_annotation_prefixes: Vec<String>,
    /// First wait after a proved refusal; with the maximum it brings the peer's cadence.
    #[arg(long)]
    pub certificate_request_minimum_backoff_duration: Option<String>,
    /// Longest wait after a proved refusal.
    #[arg(long)]
    pub certificate_request_maximum_backoff_duration: Option<String>,
    /// Whether Issuers may log in to Vault with the AWS credentials around the controller.
    #[arg(long, default_value_t = false, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub issuer_ambient_credentials: bool,
    /// The same for ClusterIssuers.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub cluster_issuer_ambient_credentials: bool,
    /// Address of the metrics server; 0 switches it off.
    #[arg(long, default_value = "0.0.0.0:9402")]
    pub metrics_listen_address: String,
    /// Address of the health server; 0 switches it off.
    #[arg(long, default_value = "0.0.0.0:9403")]
    pub internal_healthz_listen_address: String,
    /// How much to log: 0 to 2 what happens, 3 and 4 details, more the libraries too.
    #[arg(short = 'v', long = "v", default_value_t = 2)]
    pub v: u8,
    /// Shape of the log.
    #[arg(long, value_enum, default_value = "text")]
    pub logging_format: Format,
    /// Address to serve admission reviews on, as `everleaf webhook` does; 0 switches that off.
    #[arg(long, default_value = "0")]
    pub webhook_listen_address: String,
    #[command(flatten)]
    pub webhook_certificate: CertificateFlags,
    #[command(flatten)]
    pub without_meaning: WithoutMeaning,
}

/// Flags of the peer that mean nothing here: taken, and told about.
#[derive(Args, Debug)]
#[allow(missing_docs)]
pub(crate) struct WithoutMeaning {
    #[arg(long, hide = true)]
    pub kube_api_qps: Option<f64>,
    #[arg(long, hide = true)]
    pub kube_api_burst: Option<i64>,
    #[arg(long, hide = true)]
    pub config: Option<String>,
    #[arg(long, hide = true)]
    pub feature_gates: Option<String>,
    #[arg(long, hide = true)]
    pub max_concurrent_challenges: Option<i64>,
    #[arg(long, hide = true)]
    pub auto_certificate_annotations: Option<String>,
    #[arg(long, hide = true)]
    pub extra_certificate_annotations: Option<String>,
    #[arg(long, hide = true)]
    pub default_issuer_name: Option<String>,
    #[arg(long, hide = true)]
    pub default_issuer_kind: Option<String>,
    #[arg(long, hide = true)]
    pub default_issuer_group: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub enable_gateway_api: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub enable_gateway_api_listenerset: Option<bool>,
    #[arg(long, hide = true)]
    pub gateway_api_extra_protocols: Option<String>,
    #[arg(long, hide = true)]
    pub acme_http01_solver_image: Option<String>,
    #[arg(long, hide = true)]
    pub acme_http01_solver_resource_request_cpu: Option<String>,
    #[arg(long, hide = true)]
    pub acme_http01_solver_resource_request_memory: Option<String>,
    #[arg(long, hide = true)]
    pub acme_http01_solver_resource_limits_cpu: Option<String>,
    #[arg(long, hide = true)]
    pub acme_http01_solver_resource_limits_memory: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub acme_http01_solver_run_as_non_root: Option<bool>,
    #[arg(long, hide = true)]
    pub acme_http01_solver_nameservers: Option<String>,
    #[arg(long, hide = true)]
    pub acme_http01_solver_extra_labels: Option<String>,
    #[arg(long, hide = true)]
    pub acme_http01_solver_runtime_class_name: Option<String>,
    #[arg(long, hide = true)]
    pub dns01_recursive_nameservers: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub dns01_recursive_nameservers_only: Option<bool>,
    #[arg(long, hide = true)]
    pub dns01_check_retry_period: Option<String>,
    #[arg(long, hide = true)]
    pub max_certificate_size: Option<i64>,
    #[arg(long, hide = true)]
    pub max_private_key_size: Option<i64>,
    #[arg(long, hide = true)]
    pub max_certificate_chain_length: Option<i64>,
    #[arg(long, hide = true)]
    pub max_certificate_bundle_size: Option<i64>,
    #[arg(long, hide = true)]
    pub metrics_tls_cert_file: Option<String>,
    #[arg(long, hide = true)]
    pub metrics_tls_private_key_file: Option<String>,
    #[arg(long, hide = true)]
    pub metrics_dynamic_serving_ca_secret_name: Option<String>,
    #[arg(long, hide = true)]
    pub metrics_dynamic_serving_ca_secret_namespace: Option<String>,
    #[arg(long, hide = true)]
    pub metrics_dynamic_serving_dns_names: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub enable_profiling: Option<bool>,
    #[arg(long, hide = true)]
    pub profiler_address: Option<String>,
    #[arg(long, hide = true)]
    pub internal_healthz_leader_election_timeout: Option<String>,
}

impl WithoutMeaning {
    /// The flags that were given although they mean nothing here.
    pub(crate) fn given(&self) -> Vec<&'static str> {
        macro_rules! given {
            ($($field:ident => $flag:literal),* $(,)?) => {
                [$((self.$field.is_some(), $flag)),*].into_iter().filter_map(|(is, flag)| is.then_some(flag)).collect()
            };
        }
        given! {
            kube_api_qps => "--kube-api-qps", kube_api_burst => "--kube-api-burst", config => "--config",
            feature_gates => "--feature-gates", max_concurrent_challenges => "--max-concurrent-challenges",
            auto_certificate_annotations => "--auto-certificate-annotations",
            extra_certificate_annotations => "--extra-certificate-annotations",
            default_issuer_name => "--default-issuer-name", default_issuer_kind => "--default-issuer-kind",
            default_issuer_group => "--default-issuer-group", enable_gateway_api => "--enable-gateway-api",
            enable_gateway_api_listenerset => "--enable-gateway-api-listenerset",
            gateway_api_extra_protocols => "--gateway-api-extra-protocols",
            acme_http01_solver_image => "--acme-http01-solver-image",
            acme_http01_solver_resource_request_cpu => "--acme-http01-solver-resource-request-cpu",
            acme_http01_solver_resource_request_memory => "--acme-http01-solver-resource-request-memory",
            acme_http01_solver_resource_limits_cpu => "--acme-http01-solver-resource-limits-cpu",
            acme_http01_solver_resource_limits_memory => "--acme-http01-solver-resource-limits-memory",
            acme_http01_solver_run_as_non_root => "--acme-http01-solver-run-as-non-root",
            acme_http01_solver_nameservers => "--acme-http01-solver-nameservers",
            acme_http01_solver_extra_labels => "--acme-http01-solver-extra-labels",
            acme_http01_solver_runtime_class_name => "--acme-http01-solver-runtime-class-name",
            dns01_recursive_nameservers => "--dns01-recursive-nameservers",
            dns01_recursive_nameservers_only => "--dns01-recursive-nameservers-only",
            dns01_check_retry_period => "--dns01-check-retry-period",
            max_certificate_size => "--max-certificate-size", max_private_key_size => "--max-private-key-size",
            max_certificate_chain_length => "--max-certificate-chain-length",
            max_certificate_bundle_size => "--max-certificate-bundle-size",
            metrics_tls_cert_file => "--metrics-tls-cert-file",
            metrics_tls_private_key_file => "--metrics-tls-private-key-file",
            metrics_dynamic_serving_ca_secret_name => "--metrics-dynamic-serving-ca-secret-name",
            metrics_dynamic_serving_ca_secret_namespace => "--metrics-dynamic-serving-ca-secret-namespace",
            metrics_dynamic_serving_dns_names => "--metrics-dynamic-serving-dns-names",
            enable_profiling => "--enable-profiling", profiler_address => "--profiler-address",
            internal_healthz_leader_election_timeout => "--internal-healthz-leader-election-timeout",
        }
    }
}
