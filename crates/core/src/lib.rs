//! The pure heart of Everleaf: what is asked, what is there, what to do, and for how long to wait.
//! No async, no network, no Kubernetes, no clock, no chance: all of these come in as arguments.

pub mod cron;
pub mod failure;
pub mod wanted;
pub mod words;
pub mod x509;
