//! How bytes reach a certificate authority: connections over sockets, TLS, and the seam where tests and simulation put a service of
//! this process instead. Nothing here knows what Vault is. Every body is bounded, every wait has an end.

mod pinned;
mod pool;
mod tls;
mod transport;
mod trouble;

pub use transport::{Carried, Exchanged, HttpTransport, InProcess, Network, Numbers, Over, Request};
pub use trouble::{Trouble, TroubleKind};

pub(crate) use tls::{Identity, TlsFault, Trust, client_config};
pub(crate) use transport::Terms;

/// The most bytes of an answer that are read: a signed chain is a few kilobytes, and a proxy's page is of no use (vault-issuer 5.E2).
pub const BODY_LIMIT: usize = 1024 * 1024;
