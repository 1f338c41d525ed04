//! Misbehaviour on command: what can go wrong with a call, on which calls, how often, how long.
//! Every row of the fault table (vault-server 7) has a ready-made trouble in `rows`.
//! Faults are what the client sees; whether work was done behind them is part of the fault.

pub(crate) mod act;
mod deed;
pub mod rows;
pub(crate) mod rules;
mod schedule;
pub(crate) mod stash;

use std::time::Duration;

pub use deed::Deed;
pub use rows::{Needs, Row, Scene, by_row};
pub use rules::{FaultId, FaultRule, Share};
pub use schedule::{Event, Menu, Schedule};
pub use stash::Piece;

use crate::http::transport::TransportKind;

/// What can go wrong with a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// No connection, or a broken one, before any work is done.
    Broken(TransportKind),
    /// The work is done, then the connection breaks and the answer is lost.
    Lost(TransportKind),
    /// No answer at all; the server gives up after its 90 s.
    Hang,
    /// The first call on a connection that was idle for so long is reset (a balancer cut it in silence).
    IdleCut(Duration),
    /// The work is done and the answer comes so much later.
    Latency(Duration),
    /// The server's own limit for a request passes: 500 after this time, nothing done.
    TimeLimit(Duration),
    /// The answer's body comes in pieces of this many bytes, with a pause before each.
    Drip {
        /// Bytes at a time.
        piece: usize,
        /// The pause before each.
        pause: Duration,
    },

    /// As a sealed node, health and seal-status included.
    Sealed,
    /// 307, with an empty body.
    Redirect(RedirectTo),
    /// 403 in one of its texts.
    Denied(Denial),
    /// 400 for a role that is there: `unknown role` on sign, the method's own text on login.
    UnknownRole,
    /// 404 for a mount that is there.
    NoRoute,
    /// 404 with an empty list.
    NotFound,
    /// 412 of Vault Enterprise.
    IndexNotPresent,
    /// 429 of a quota; with `Retry-After` in seconds, or without.
    RateLimited(Option<u64>),
    /// `sys/health` answers with this code (472, 473, 474, 530...); other calls are untouched.
    HealthCode(u16),
    /// 500 in one of its texts.
    Internal(Internal),
    /// A proxy's own page with this status: HTML, not JSON.
    Page(u16),
    /// 503 of a standby that knows no leader, as an error list.
    Unavailable,
    /// 400 in plain text: HTTP was spoken to a TLS port.
    PlainHttp,
    /// Any status with any one text in the error list.
    Status(u16, String),
    /// This status with an empty body and nothing done (200 or 204: another engine at the path).
    Empty(u16),

    /// The work is done and half of the body is missing, though the length says otherwise.
    Truncated,
    /// The work is done, half of the body comes, and then nothing more.
    HalfThenSilence,
    /// The work is done and the body is half of its JSON, with a fitting length.
    HalfJson,
    /// The work is done and the body is called `text/html`.
    WrongContentType,
    /// The body has this many bytes of padding.
    Oversize(usize),
    /// The certificate in the 200 died an hour ago.
    DeadCertificate,
    /// The certificate in the 200 holds another key.
    ForeignKey,
    /// The certificate in the 200 has other names.
    OtherNames,
    /// 200 with a data object that holds no certificate.
    NoCertificate,
}

/// Where a redirect points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedirectTo {
    /// To this scheme, host and port.
    Address(String),
    /// To an address where nobody listens.
    Nowhere,
    /// To the node that sends it.
    Itself,
}

/// The texts of a 403 (vault-measured, "three texts").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// `permission denied`.
    Bare,
    /// The token is good, its policies don't allow this.
    Policy,
    /// The token is unknown, expired or revoked.
    InvalidToken,
}

/// The texts of a 500 (vault-server 1.8, vault-measured 2 and 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Internal {
    /// `internal error`.
    Bare,
    /// The same, wrapped.
    Wrapped,
    /// A node that is neither active nor knows who is.
    Leaderless,
    /// A request that was running while the node stepped down.
    ContextCanceled,
    /// The same, before it got the lock.
    ActiveContextCanceled,
    /// The request's time was over inside the server.
    DeadlineExceeded,
    /// A deposed leader's write.
    NotTheLeader,
    /// A full disk.
    DiskFull,
    /// An external plugin that crashed.
    PluginShutDown,
    /// A mount without a default issuer.
    NoDefaultIssuer,
}

/// What a fault does to a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twist {
    Dead,
    OtherKey,
    OtherNames,
}
