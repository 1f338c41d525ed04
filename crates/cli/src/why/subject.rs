//! What is asked about: `web`, `cert/web`, `issuer/vault`. Kinds are named as kubectl names them.
//! A name without a kind is that of a Certificate.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// A kind that has a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Kind {
    /// Certificate
    Certificate,
    /// CertificateRequest
    CertificateRequest,
    /// Issuer
    Issuer,
    /// ClusterIssuer
    ClusterIssuer,
}

impl Kind {
    /// The kind as manifests write it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Certificate => "Certificate",
            Kind::CertificateRequest => "CertificateRequest",
            Kind::Issuer => "Issuer",
            Kind::ClusterIssuer => "ClusterIssuer",
        }
    }

    fn of(word: &str) -> Option<Kind> {
        let word = word.to_lowercase();
        let word = word.strip_suffix(".cert-manager.io").unwrap_or(&word);
        match word {
            "certificate" | "certificates" | "cert" | "certs" => Some(Kind::Certificate),
            "certificaterequest" | "certificaterequests" | "cr" | "crs" => Some(Kind::CertificateRequest),
            "issuer" | "issuers" | "iss" => Some(Kind::Issuer),
            "clusterissuer" | "clusterissuers" | "ciss" => Some(Kind::ClusterIssuer),
            _ => None,
        }
    }
}

/// A kind and a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The kind.
    pub kind: Kind,
    /// The name.
    pub name: String,
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(typed: &str) -> Result<Subject, String> {
        let (kind, name) = typed.split_once('/').unwrap_or(("certificate", typed));
        let known = Kind::of(kind).ok_or_else(|| {
            format!("{kind:?} has no story: certificate, certificaterequest, issuer and clusterissuer have")
        })?;
        if name.is_empty() || name.contains('/') {
            return Err(format!("{typed:?} is not a name"));
        }
        Ok(Subject { kind: known, name: name.to_owned() })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn subjects_are_named_as_kubectl_names_them() {
        let rows = [
            ("web", Kind::Certificate, "web"),
            ("cert/web", Kind::Certificate, "web"),
            ("certificates.cert-manager.io/web", Kind::Certificate, "web"),
            ("cr/web-1", Kind::CertificateRequest, "web-1"),
            ("Issuer/vault", Kind::Issuer, "vault"),
            ("clusterissuer/vault", Kind::ClusterIssuer, "vault"),
        ];
        for (typed, kind, name) in rows {
            assert_eq!(typed.parse::<Subject>().unwrap(), Subject { kind, name: name.to_owned() }, "{typed}");
        }
        for wrong in ["pod/web", "cert/", "cert/a/b", ""] {
            assert!(wrong.parse::<Subject>().is_err(), "{wrong}");
        }
    }
}
