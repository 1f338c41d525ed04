//! The world that logins ask: Kubernetes' TokenReview, a JWKS address, AWS STS. All injected, all switchable while running.
//! What the plugins make of an answer is not decided here but in `auth/`.
//! No sockets: a caller that wants a real API server asked brings a function for it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

/// A future in a box, as the injected functions give it.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The world around the logins.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// Who reviews ServiceAccount tokens.
    pub reviewer: Reviewer,
    /// Who serves the keys of JWT mounts that have a `jwks_url`.
    pub jwks: Jwks,
    /// Who answers GetCallerIdentity.
    pub sts: Sts,
}

/// One question to TokenReview.
#[derive(Clone)]
pub struct Review {
    /// The ServiceAccount token.
    pub token: Zeroizing<String>,
    /// The audiences asked for.
    pub audiences: Vec<String>,
    /// What the token says of itself, unverified: `system:serviceaccount:<namespace>:<name>`.
    pub claimed_user: String,
    /// The uid that the token claims.
    pub claimed_uid: String,
}

impl fmt::Debug for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Review {{ {}, audiences {:?} }}", self.claimed_user, self.audiences)
    }
}

/// What TokenReview said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reviewed {
    /// The token is good, for this user.
    Authenticated {
        /// `status.user.username`.
        username: String,
        /// `status.user.uid`.
        uid: String,
        /// `status.audiences`.
        audiences: Vec<String>,
    },
    /// `status.authenticated` is false.
    NotAuthenticated,
    /// Anything else: 401 to 503, garbage, refused, wrong CA. All the same bytes to a client (vault-measured 1.7).
    Failed,
}

/// Who reviews ServiceAccount tokens.
#[derive(Clone, Default)]
pub enum Reviewer {
    /// Believes what each token says of itself.
    #[default]
    Accepts,
    /// Says that no token is authenticated.
    Refuses,
    /// Can't be reached, or answers with an error.
    Fails,
    /// Never answers: Vault gives up after 90 s.
    Hangs,
    /// Accepts after this long.
    Slow(Duration),
    /// Asks a function, for example a real API server.
    Asks(Arc<dyn Fn(Review) -> BoxFuture<Reviewed> + Send + Sync>),
}

impl fmt::Debug for Reviewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reviewer::Accepts => "Accepts",
            Reviewer::Refuses => "Refuses",
            Reviewer::Fails => "Fails",
            Reviewer::Hangs => "Hangs",
            Reviewer::Slow(_) => "Slow",
            Reviewer::Asks(_) => "Asks",
        })
    }
}

impl Reviewer {
    pub(crate) async fn answer(&self, review: Review) -> Reviewed {
        match self {
            Reviewer::Accepts => accepted(review),
            Reviewer::Refuses => Reviewed::NotAuthenticated,
            Reviewer::Fails => Reviewed::Failed,
            Reviewer::Hangs => std::future::pending().await,
            Reviewer::Slow(wait) => {
                tokio::time::sleep(*wait).await;
                accepted(review)
            }
            Reviewer::Asks(function) => function(review).await,
        }
    }
}

fn accepted(review: Review) -> Reviewed {
    Reviewed::Authenticated {
        username: review.claimed_user,
        uid: review.claimed_uid,
        audiences: review.audiences,
    }
}

/// A public key that a JWKS address serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedKey {
    /// The key id that tokens name.
    pub kid: String,
    /// The SubjectPublicKeyInfo, as PEM.
    pub public_key_pem: String,
}

/// A JWKS address.
#[derive(Debug, Clone, Default)]
pub enum Jwks {
    /// Refuses connections.
    #[default]
    Refused,
    /// Serves these keys.
    Serves(Vec<ServedKey>),
    /// Answers with this status and body.
    Answers {
        /// For example `500 Internal Server Error`.
        status: String,
        /// The body.
        body: String,
    },
    /// Closes the connection.
    Closes,
    /// Never answers: logins queue behind it.
    Hangs,
}

impl Jwks {
    /// The keys, or the text that go-oidc gives (vault-measured 3).
    pub(crate) async fn answer(&self, url: &str) -> Result<Vec<ServedKey>, String> {
        match self {
            Jwks::Serves(keys) => Ok(keys.clone()),
            Jwks::Answers { status, body } => {
                Err(format!("fetching keys oidc: get keys failed: {status} {body}"))
            }
            Jwks::Closes => Err(format!("fetching keys oidc: get keys failed Get \"{url}\": EOF")),
            Jwks::Hangs => std::future::pending().await,
            Jwks::Refused => {
                let host = url.split('/').nth(2).unwrap_or_default();
                Err(format!(
                    "fetching keys oidc: get keys failed Get \"{url}\": dial tcp {host}: connect: connection refused"
                ))
            }
        }
    }
}

/// A signed GetCallerIdentity request, as an AWS login hands it over.
#[derive(Clone)]
pub struct StsCall {
    /// The HTTP method.
    pub method: String,
    /// The address.
    pub url: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl fmt::Debug for StsCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StsCall {{ {} {} }}", self.method, self.url)
    }
}

/// What STS said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StsAnswer {
    /// The signature is good, for this principal.
    Identity {
        /// The caller's ARN.
        arn: String,
    },
    /// An error answer, with its status.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error's code and message.
        says: String,
    },
    /// No answer; the text names the cause as Go does.
    Unreachable(String),
}

/// Who answers GetCallerIdentity.
#[derive(Clone, Default)]
pub enum Sts {
    /// Takes every request that looks signed, for this principal.
    Accepts {
        /// The caller's ARN.
        arn: String,
    },
    /// Checks the SigV4 signature with these credentials.
    Verifies(Arc<crate::auth::AwsAccount>),
    /// Says 403 to everybody.
    Refuses,
    /// Can't be reached.
    #[default]
    Unreachable,
    /// Never answers.
    Hangs,
    /// Asks a function.
    Asks(Arc<dyn Fn(StsCall) -> BoxFuture<StsAnswer> + Send + Sync>),
}

impl fmt::Debug for Sts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sts::Accepts { .. } => "Accepts",
            Sts::Verifies(_) => "Verifies",
            Sts::Refuses => "Refuses",
            Sts::Unreachable => "Unreachable",
            Sts::Hangs => "Hangs",
            Sts::Asks(_) => "Asks",
        })
    }
}

impl Sts {
    pub(crate) async fn answer(&self, call: StsCall) -> StsAnswer {
        match self {
            Sts::Accepts { arn } => StsAnswer::Identity { arn: arn.clone() },
            Sts::Verifies(account) => account.check(&call),
            Sts::Refuses => StsAnswer::Refused { status: 403, says: "InvalidClientTokenId".to_owned() },
            Sts::Unreachable => StsAnswer::Unreachable(format!(
                "Post \"{}\": dial tcp: connect: connection refused",
                call.url
            )),
            Sts::Hangs => std::future::pending().await,
            Sts::Asks(function) => function(call).await,
        }
    }
}
