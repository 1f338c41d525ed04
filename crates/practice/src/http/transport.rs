//! What goes wrong below HTTP, as a value that a client can read the way it reads real socket errors.
//! Every kind has an `io::Error` as its source with the kind that the system would give.
//! In socket mode the server turns the same values into real refusals, resets and silence.

use std::error::Error;
use std::fmt;
use std::io;

use rustls::CertificateError;

/// No HTTP answer, and why.
#[derive(Debug)]
pub struct TransportError {
    kind: TransportKind,
    source: io::Error,
}

/// What happened below HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TransportKind {
    /// Nobody listens: nothing was sent.
    Refused,
    /// The name doesn't resolve: nothing was sent.
    Unresolved,
    /// The connection was reset; the request may have been carried out.
    Reset,
    /// The connection was closed in the middle of the answer, or before it.
    Closed,
    /// The other side stayed silent until the network gave up.
    TimedOut,
    /// The server's certificate comes from a CA that the client doesn't trust.
    Untrusted,
    /// The server's certificate has another name.
    WrongName,
    /// The server's certificate is out of date.
    Expired,
}

impl TransportError {
    /// An error of this kind.
    pub fn new(kind: TransportKind) -> TransportError {
        let source = match distrust(kind) {
            Some(why) => io::Error::new(io_kind(kind), rustls::Error::InvalidCertificate(why)),
            None => io::Error::new(io_kind(kind), words(kind)),
        };
        TransportError { kind, source }
    }

    /// What happened.
    pub fn kind(&self) -> TransportKind {
        self.kind
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(words(self.kind))
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

impl From<TransportKind> for TransportError {
    fn from(kind: TransportKind) -> TransportError {
        TransportError::new(kind)
    }
}

fn io_kind(kind: TransportKind) -> io::ErrorKind {
    match kind {
        TransportKind::Refused => io::ErrorKind::ConnectionRefused,
        TransportKind::Unresolved => io::ErrorKind::NotFound,
        TransportKind::Reset => io::ErrorKind::ConnectionReset,
        TransportKind::Closed => io::ErrorKind::UnexpectedEof,
        TransportKind::TimedOut => io::ErrorKind::TimedOut,
        TransportKind::Untrusted | TransportKind::WrongName | TransportKind::Expired => {
            io::ErrorKind::InvalidData
        }
    }
}

/// What rustls says of the server's certificate, so that a client finds the same error as behind a socket.
fn distrust(kind: TransportKind) -> Option<CertificateError> {
    match kind {
        TransportKind::Untrusted => Some(CertificateError::UnknownIssuer),
        TransportKind::WrongName => Some(CertificateError::NotValidForName),
        TransportKind::Expired => Some(CertificateError::Expired),
        _ => None,
    }
}

fn words(kind: TransportKind) -> &'static str {
    match kind {
        TransportKind::Refused => "connection refused",
        TransportKind::Unresolved => "failed to lookup address information: Name or service not known",
        TransportKind::Reset => "connection reset by peer",
        TransportKind::Closed => "connection closed before message completed",
        TransportKind::TimedOut => "connection timed out",
        TransportKind::Untrusted => "invalid peer certificate: UnknownIssuer",
        TransportKind::WrongName => "invalid peer certificate: NotValidForName",
        TransportKind::Expired => "invalid peer certificate: Expired",
    }
}
