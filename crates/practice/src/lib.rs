//! A practice Vault: signs for real, and misbehaves on command or on a seeded schedule.
//! It speaks as Vault 1.21 or OpenBao 2.6 where their bytes were measured, in process or over sockets, in real or virtual time.
//! It guards nothing: its keys come from a seed. Never let anything real depend on it.
//!
//! - [`Practice`] is one node, [`Cluster`] three; both are called with [`Practice::call`] or as tower services.
//! - [`faults`] holds what can go wrong: [`FaultRule`], the rows of the fault table ([`by_row`]), [`Schedule`].
//! - [`serve`] and [`run`] put it on a socket.

mod admin;
mod auth;
mod chance;
mod clock;
mod cluster;
mod desk;
mod exchange;
pub mod faults;
mod furnish;
mod golang;
mod http;
mod options;
mod outside;
mod perform;
mod pki;
mod practice;
mod run;
mod server;
mod service;
mod state;
mod sys;
mod workshop;
mod world;

pub use admin::AdminError;
pub use auth::AwsAccount;
pub use chance::Chance;
pub use clock::Clock;
pub use cluster::{Balance, Balancer, Cluster, ClusterEvent, ClusterNetwork};
pub use faults::{
    Deed, Denial, Fault, FaultId, FaultRule, Internal, Menu, Needs, Piece, RedirectTo, Row, Scene, Schedule,
    Share, by_row,
};
pub use furnish::{Furnished, furnish, furnish_kubernetes, furnish_pki};
pub use http::ask::Peer;
pub use http::body::Body;
pub use http::phase::Phase;
pub use http::respond::ServedBy;
pub use http::transport::{TransportError, TransportKind};
pub use options::{CaKeyKind, ElectionPace, Options, Product, Scheme};
pub use outside::{BoxFuture, Jwks, Outside, Review, Reviewed, Reviewer, ServedKey, Sts, StsAnswer, StsCall};
pub use pki::ca::LeafNotAfter;
pub use practice::Practice;
pub use run::{RunError, RunOptions, Running, run, start};
pub use server::{IdentityError, ServerIdentity, serve};
pub use service::{CallFuture, OverBodies, whole_body};
pub use state::audit::{Audit, Record, Seen};
pub use state::ledger::Signed;
pub use workshop::{KeyPair, RequestNames, SignedRequest, Workshop, certificate_request};
