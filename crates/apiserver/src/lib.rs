//! The embedded Kubernetes-style API: a tower service over a store.
//! `kube::Client::new` takes it in process; behind hyper and TLS it serves kubectl.
//! It must never know the operator: kinds come in as CustomResourceDefinition-shaped JSON, clock and chance as functions.

mod accept;
mod apply;
mod auth;
mod body;
mod builder;
mod chance;
mod clock;
mod discovery;
mod gc;
mod jsonpath;
mod kinds;
mod object;
mod objects;
mod openapi;
mod options;
mod parse;
mod patch;
mod protobuf;
mod read;
mod request;
mod respond;
mod reviews;
mod roles;
mod schema;
mod selectors;

mod server;
mod status;
pub mod store;
mod table;
mod watch;
mod write;

pub use auth::{Attributes, Authorize, Door, Identity, Peer, Token};
pub use body::Body;
pub use builder::{BuildError, Builder};
pub use chance::Chance;
pub use clock::WallClock;
pub use server::Server;
