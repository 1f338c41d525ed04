//! The pure heart of Everleaf: what is asked, what is there, what to do, and for how long to wait.
//! No async, no network, no Kubernetes, no clock, no chance: all of these come in as arguments.

pub mod annotations;
pub mod checked;
pub mod conditions;
pub mod cron;
pub mod decide;
pub mod failure;
pub mod go_duration;
pub mod hindered;
mod next_key;
pub mod observed;
pub mod pace;
pub mod plan;
pub mod refresh;
pub mod reissue;
pub mod renewal;
pub mod request;
pub mod retry;
pub mod temporary;
pub mod wanted;
pub mod words;
pub mod x509;
