//! What tests need and programs never link: starters of real servers (etcd, kube-apiserver,
//! kube-controller-manager, Vault) and makers of the objects that tests hand in.
//! It never reaches beyond loopback and leaves no process and no folder behind.

pub mod makers;
pub mod servers;
