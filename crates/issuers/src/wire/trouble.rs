//! No usable HTTP answer, and why: in our own words, so that no port, address or request id ever makes a message change.
//! Everything here is Transient but for trust and wrong protocols, which somebody has to mend.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What happened.
    pub kind: TroubleKind,
    /// It happened on a connection that had carried a call before; it may simply have been closed meanwhile.
    pub reused: bool,
    /// Not a byte of the request has left: repeating it can't do it twice.
    pub unsent: bool,
}

/// What happened instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TroubleKind {
    /// The host name doesn't resolve.
    NameNotResolved,
    /// Nobody listens.
    Refused,
    /// No route, or another fault before the connection stood.
    Unreachable,
    /// The connection didn't stand within the time for it.
    ConnectDeadline(Duration),
    /// The connection stood, but the answer wasn't there in time.
    Deadline(Duration),
    /// Reset or closed before the answer was complete.
    Lost,
    /// What came isn't HTTP.
    NotHttp,
    /// The body is over the bound, in bytes.
    TooLarge(usize),
    /// The server's certificate isn't trusted, has another name or is out of date.
    Untrusted(String),
    /// The server wants a client certificate, or another one.
    ClientCertificate(String),
    /// TLS was spoken to something that doesn't.
    NotTls,
    /// Another fault of TLS.
    Tls(String),
    /// A redirect that isn't followed.
    BadRedirect(String),
    /// The proxy that the environment names is of a kind that isn't spoken; its scheme.
    BadProxy(String),
}

impl Trouble {
    /// Trouble before anything was sent.
    pub fn before_sending(kind: TroubleKind) -> Trouble {
        Trouble { kind, reused: false, unsent: true }
    }

    /// Trouble after the request has left, or may have.
    pub fn after_sending(kind: TroubleKind, reused: bool) -> Trouble {
        Trouble { kind, reused, unsent: false }
    }

    /// Reads the chain of causes of an error of the transport.
    pub fn from_error(error: &(dyn Error + 'static), reused: bool) -> Trouble {
        let mut trouble = Trouble::after_sending(TroubleKind::Lost, reused);
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(known) = error.downcast_ref::<Trouble>() {
                return known.clone();
            }
            if let Some(kind) = kind_of(error) {
                trouble.unsent = is_before_sending(&kind);
                trouble.kind = kind;
                return trouble;
            }
            cause = error.source();
        }
        trouble
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.kind.words())
    }
}

impl Error for Trouble {}

impl TroubleKind {
    /// What happened, in words that are the same each time it happens.
    pub fn words(&self) -> String {
        match self {
            TroubleKind::NameNotResolved => "the server's name could not be resolved".to_owned(),
            TroubleKind::Refused => "connection refused".to_owned(),
            TroubleKind::Unreachable => "the server can't be reached".to_owned(),
            TroubleKind::ConnectDeadline(time) => format!("no connection within {} s", time.as_secs()),
            TroubleKind::Deadline(time) => format!("no answer within {} s", time.as_secs()),
            TroubleKind::Lost => "the connection was closed before the answer was complete".to_owned(),
            TroubleKind::NotHttp => "the answer isn't HTTP".to_owned(),
            TroubleKind::TooLarge(bound) => format!("the answer is larger than {bound} bytes"),
            TroubleKind::Untrusted(why) => format!("the server's certificate is not accepted: {why}"),
            TroubleKind::ClientCertificate(why) => {
                format!("the server doesn't accept the client certificate: {why}")
            }
            TroubleKind::NotTls => "the server doesn't speak TLS on that port".to_owned(),
            TroubleKind::Tls(why) => format!("TLS failed: {why}"),
            TroubleKind::BadRedirect(why) => why.clone(),
            TroubleKind::BadProxy(scheme) => format!("proxies are spoken to over http only, not {scheme}"),
        }
    }
}

fn is_before_sending(kind: &TroubleKind) -> bool {
    match kind {
        TroubleKind::NameNotResolved
        | TroubleKind::Refused
        | TroubleKind::Unreachable
        | TroubleKind::ConnectDeadline(_)
        | TroubleKind::Untrusted(_)
        | TroubleKind::BadProxy(_)
        | TroubleKind::NotTls => true,
        // In TLS 1.3 the server judges the client certificate after the first request has left.
        TroubleKind::ClientCertificate(_)
        | TroubleKind::Tls(_)
        | TroubleKind::Deadline(_)
        | TroubleKind::Lost
        | TroubleKind::NotHttp
        | TroubleKind::TooLarge(_)
        | TroubleKind::BadRedirect(_) => false,
    }
}

fn kind_of(error: &(dyn Error + 'static)) -> Option<TroubleKind> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(kind_of_tls(tls));
    }
    if let Some(http) = error.downcast_ref::<hyper::Error>() {
        return http.is_parse().then_some(TroubleKind::NotHttp);
    }
    let io = error.downcast_ref::<io::Error>()?;
    if let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return Some(kind_of_tls(tls));
    }
    match io.kind() {
        io::ErrorKind::ConnectionRefused => Some(TroubleKind::Refused),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::TimedOut
        | io::ErrorKind::UnexpectedEof => Some(TroubleKind::Lost),
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::NetworkDown => Some(TroubleKind::Unreachable),
        // A simulated transport can't make a rustls error; it says the same in an io::Error's words.
        io::ErrorKind::InvalidData => Some(TroubleKind::Untrusted("it can't be verified".to_owned())),
        io::ErrorKind::NotFound => Some(TroubleKind::NameNotResolved),
        _ => None,
    }
}

fn kind_of_tls(error: &rustls::Error) -> TroubleKind {
    match error {
        rustls::Error::InvalidCertificate(why) => TroubleKind::Untrusted(distrust(why)),
        rustls::Error::NoCertificatesPresented => TroubleKind::Untrusted("there is none".to_owned()),
        rustls::Error::InvalidMessage(_) => TroubleKind::NotTls,
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA => TroubleKind::ClientCertificate(format!("alert {alert:?}")),
            other => TroubleKind::Tls(format!("alert {other:?}")),
        },
        rustls::Error::PeerIncompatible(_) => {
            TroubleKind::Tls("no common protocol version or cipher".to_owned())
        }
        _ => TroubleKind::Tls("protocol error".to_owned()),
    }
}

/// rustls puts times and names into these errors; the words here stay the same from try to try.
fn distrust(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => "it is signed by an authority that isn't trusted here".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it isn't valid yet".to_owned()
        }
        CertificateError::NotValidForName => "it is for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("it is for {}, not for {}", presented.join(", "), expected.to_str())
        }
        CertificateError::BadSignature => "its signature is bad".to_owned(),
        CertificateError::BadEncoding => "it can't be read".to_owned(),
        CertificateError::Revoked => "it is revoked".to_owned(),
        _ => "it can't be verified".to_owned(),
    }
}
