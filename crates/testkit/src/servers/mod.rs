//! Starters of the real servers that tests, the lab and the benchmarks run against.
//! Each server lives in a folder of its own, listens on loopback only, and dies with the process that
//! started it; nothing here may outlive that process, whatever ends it.

mod apiserver;
mod audit;
mod binaries;
mod controller;
mod controller_manager;
mod etcd;
mod faults;
mod folder;
mod http;
mod manifests;
mod ports;
mod process;
mod vault;
mod vault_access;
mod vault_cluster;
mod vault_pki;

pub use apiserver::{CONTROLLER_USER, Kube, KubeOptions, shared_kube};
pub use audit::{ApiLog, ApiRequest, Mark, VaultLog, VaultRequest};
pub use binaries::{Component, LOCATION_VARIABLE, Program};
pub use controller::{Controller, ControllerOptions, PROGRAM_VARIABLE};
pub use faults::{Fault, FaultProxy};
pub use folder::KEEP_VARIABLE;
pub use http::{Answer, Http};
pub use manifests::{apply_file, apply_manifests, await_established};
pub use process::{Server, Signal};
pub use vault::{Vault, VaultApi};
pub use vault_access::{CertLogin, KubernetesLogin};
pub use vault_cluster::VaultCluster;
pub use vault_pki::{AppRole, CaKey, Issued, Pki, PkiOptions};
