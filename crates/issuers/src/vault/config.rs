//! What a Vault issuer is configured to, parsed: addresses and paths that can be used as they are, one way to log in.
//! It holds no secret values but names of Secrets. It never touches the environment: `VAULT_*` changes nothing (vault-issuer 5.G8).

use http::uri::Authority;
use http::{HeaderValue, Uri};
use rustls_pki_types::ServerName;

use crate::surroundings::KeyRef;

/// The configuration of one Vault issuer.
#[derive(Debug, Clone)]
pub struct Config {
    /// The server.
    pub server: Server,
    /// The path to sign at, without `/v1/`: `pki/sign/web`.
    pub path: ApiPath,
    /// The namespace, for every call but health.
    pub namespace: Option<HeaderValue>,
    /// The name to ask for in TLS and to verify, where it isn't the host of the server.
    pub server_name: Option<ServerName<'static>>,
    /// Whom to trust.
    pub ca: Ca,
    /// The client certificate for connections.
    pub identity: Option<PairRef>,
    /// How to log in.
    pub auth: Auth,
}

/// Whom to trust.
#[derive(Debug, Clone)]
pub enum Ca {
    /// The system's roots.
    System,
    /// This bundle, as PEM, instead of the system's roots.
    Inline(Vec<u8>),
    /// A bundle in a Secret, instead of the system's roots.
    Secret(KeyRef),
}

/// A certificate and its key in Secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairRef {
    /// The certificate.
    pub certificate: KeyRef,
    /// The key.
    pub key: KeyRef,
}

impl PairRef {
    /// A Secret of type `kubernetes.io/tls`.
    pub fn of_secret(name: &str) -> PairRef {
        let key = |key: &str| KeyRef { name: name.to_owned(), key: key.to_owned() };
        PairRef { certificate: key("tls.crt"), key: key("tls.key") }
    }
}

/// How to log in.
#[derive(Debug, Clone)]
pub enum Auth {
    /// A token in a Secret.
    Token(KeyRef),
    /// AppRole.
    AppRole {
        /// The login path.
        login: ApiPath,
        /// The role id.
        role_id: String,
        /// The secret id.
        secret_id: KeyRef,
    },
    /// Kubernetes, or JWT behind the same fields.
    Kubernetes {
        /// The login path.
        login: ApiPath,
        /// The role.
        role: String,
        /// Where the JWT comes from.
        jwt: Jwt,
    },
    /// TLS certificate.
    Certificate {
        /// The login path.
        login: ApiPath,
        /// The role; `None` lets Vault match any.
        role: Option<String>,
        /// The Secret with the certificate; `None` takes that of the connections.
        secret: Option<String>,
    },
    /// AWS IAM.
    Aws {
        /// The login path.
        login: ApiPath,
        /// Who logs in, and where that is confirmed.
        aws: Aws,
    },
}

/// An AWS login.
#[derive(Debug, Clone)]
pub struct Aws {
    /// The role in Vault.
    pub role: String,
    /// The region of the issuer.
    pub region: Option<String>,
    /// The value of `X-Vault-AWS-IAM-Server-ID`.
    pub header_value: Option<String>,
    /// The ServiceAccount that takes on an AWS role; `None` for the credentials around the controller.
    pub web_identity: Option<WebIdentity>,
}

/// A ServiceAccount that takes on an AWS role.
#[derive(Debug, Clone)]
pub struct WebIdentity {
    /// Its name.
    pub account: String,
    /// The audiences of its token.
    pub audiences: Vec<String>,
    /// The AWS role.
    pub role_arn: String,
}

/// Where a JWT comes from.
#[derive(Debug, Clone)]
pub enum Jwt {
    /// A Secret.
    Secret(KeyRef),
    /// A token asked for a ServiceAccount.
    ServiceAccount {
        /// Its name.
        name: String,
        /// All audiences it is asked for.
        audiences: Vec<String>,
    },
}

/// A path below `/v1/`, without slashes at its ends, ready for a URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ApiPath(String);

impl ApiPath {
    /// A path as written in `spec.vault.path`: slashes at the ends and doubled ones go, what a URL can't hold is encoded.
    ///
    /// Doubled slashes would be answered by a redirect (vault-measured 2).
    pub fn new(written: &str) -> ApiPath {
        let segments: Vec<_> =
            written.split('/').filter(|segment| !segment.is_empty()).map(encoded).collect();
        ApiPath(segments.join("/"))
    }

    /// The login path of a mount path as written: `/v1/auth/x`, `v1/auth/x` and `auth/x` mean the same (vault-issuer 5.G1, L13).
    pub fn login_below(written: &str) -> ApiPath {
        let path = ApiPath::new(written).0;
        let path = path.strip_prefix("v1/").unwrap_or(&path);
        ApiPath(format!("{path}/login"))
    }

    /// A path that is written in our own code.
    pub(crate) const fn known(path: String) -> ApiPath {
        ApiPath(path)
    }

    /// Whether nothing is left of what was written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it leads to OpenBao's CEL roles, whose refusals have status 500 (vault-server 3.7).
    pub fn is_cel(&self) -> bool {
        let segments: Vec<_> = self.0.split('/').collect();
        // After the mount, `cel` and then `sign` or `issue`: a mount may be called `cel` as well.
        let leads_there = |pair: &[&str]| matches!(pair, ["cel", "sign" | "issue"]);
        segments.get(1..).unwrap_or_default().windows(2).any(leads_there)
    }
}

fn encoded(segment: &str) -> String {
    let mut text = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => text.push(char::from(byte)),
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b','
            | b';' | b'=' | b':' | b'@' => text.push(char::from(byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

/// The address of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    tls: bool,
    authority: Authority,
    prefix: String,
}

impl Server {
    /// Reads `spec.vault.server`: `https://host:port`, maybe with a path in front of `/v1`. The error says what is wrong with it.
    pub fn parse(written: &str) -> Result<Server, String> {
        let uri: Uri = written.parse().map_err(|_| format!("{written:?} is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(format!("{written:?} begins neither with https:// nor with http://")),
        };
        let authority = uri.authority().cloned().ok_or_else(|| format!("{written:?} names no host"))?;
        if authority.host().is_empty() {
            return Err(format!("{written:?} names no host"));
        }
        if authority.as_str().contains('@') {
            return Err("the server's address must not hold credentials".to_owned());
        }
        if uri.query().is_some() {
            return Err(format!("{written:?} has a query, which an address of a server can't have"));
        }
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Server { tls, authority, prefix })
    }

    /// The URL of an API path.
    pub(crate) fn url(&self, path: &ApiPath) -> String {
        format!("{}://{}{}/v1/{}", self.scheme(), self.authority, self.prefix, path.as_str())
    }

    /// The address, for messages.
    pub fn shown(&self) -> String {
        format!("{}://{}{}", self.scheme(), self.authority, self.prefix)
    }

    /// Whether it is spoken to over TLS.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// `https` or `http`.
    pub fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

impl Config {
    /// The Secrets it depends on, each once.
    pub fn secrets(&self) -> Vec<String> {
        let mut names = Vec::new();
        if let Ca::Secret(at) = &self.ca {
            names.push(at.name.clone());
        }
        if let Some(pair) = &self.identity {
            names.extend([pair.certificate.name.clone(), pair.key.name.clone()]);
        }
        match &self.auth {
            Auth::Token(at) => names.push(at.name.clone()),
            Auth::AppRole { secret_id, .. } => names.push(secret_id.name.clone()),
            Auth::Kubernetes { jwt: Jwt::Secret(at), .. } => names.push(at.name.clone()),
            Auth::Kubernetes { jwt: Jwt::ServiceAccount { .. }, .. } | Auth::Aws { .. } => {}
            Auth::Certificate { secret, .. } => names.extend(secret.clone()),
        }
        names.sort();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn every_way_to_write_a_mount_path_leads_to_the_same_login() {
        for written in [
            "/v1/auth/kubernetes",
            "v1/auth/kubernetes",
            "auth/kubernetes",
            "/auth/kubernetes/",
            "//auth//kubernetes",
        ] {
            assert_eq!(ApiPath::login_below(written).as_str(), "auth/kubernetes/login", "{written}");
        }
        // Auth in a parent namespace (vault-issuer 5.G5) keeps working.
        assert_eq!(ApiPath::login_below("/v1/parent/auth/jwt").as_str(), "parent/auth/jwt/login");
    }

    #[test]
    fn a_servers_address_keeps_its_path_and_refuses_what_cant_be_one() {
        let url = |server: &str| Server::parse(server).unwrap().url(&ApiPath::new("pki/sign/web"));
        assert_eq!(url("https://vault:8200"), "https://vault:8200/v1/pki/sign/web");
        assert_eq!(url("https://vault:8200/"), "https://vault:8200/v1/pki/sign/web");
        assert_eq!(
            url("http://[::1]:8200/proxied/vault/"),
            "http://[::1]:8200/proxied/vault/v1/pki/sign/web"
        );
        for bad in [
            " https://vault",
            "https:/vault",
            "vault:8200",
            "",
            "ftp://vault",
            "https://u:p@vault",
            "https://v/?a=b",
        ] {
            let why = Server::parse(bad).unwrap_err();
            assert!(!why.contains("u:p"), "{why}");
        }
    }

    #[test]
    fn paths_are_cleaned_and_encoded() {
        let cases = [
            ("/pki/sign/web/", "pki/sign/web"),
            ("pki//sign/web", "pki/sign/web"),
            ("pki/sign/my role", "pki/sign/my%20role"),
            ("pki/sign/a?b#c%", "pki/sign/a%3Fb%23c%25"),
            ("pki/sign/rôle", "pki/sign/r%C3%B4le"),
        ];
        for (written, clean) in cases {
            assert_eq!(ApiPath::new(written).as_str(), clean);
        }
        assert!(ApiPath::new("pki/cel/sign/web").is_cel());
        assert!(!ApiPath::new("pki-cel/sign/web").is_cel());
        assert!(!ApiPath::new("cel/sign/web").is_cel(), "a mount of that name");
    }
}
