//! Kubernetes login, and JWT login behind the same fields: a JWT from a Secret, or one asked for a ServiceAccount for each login.
//! The audiences name the issuer and the server, so that the token is of no use elsewhere.

use std::time::Duration;

use everleaf_core::failure::{Blame, Failure};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Login, Method, credential, json};
use crate::surroundings::{Surroundings, unread_token};
use crate::vault::config::{ApiPath, Jwt};

/// The life of a ServiceAccount token: the shortest the API server gives (vault-issuer 2.2).
const JWT_LIFE: Duration = Duration::from_secs(600);

#[derive(Serialize)]
struct Body<'a> {
    role: &'a str,
    jwt: &'a str,
}

/// Gets a JWT and makes the call.
pub(in crate::vault) async fn login(
    path: &ApiPath,
    role: &str,
    jwt: &Jwt,
    from: &dyn Surroundings,
) -> Result<Login, Failure> {
    let token: Zeroizing<String> = match jwt {
        Jwt::Secret(at) => credential(from, at).await?,
        Jwt::ServiceAccount { name, audiences } => {
            let token = from.service_account_token(name, audiences, JWT_LIFE).await;
            token.map_err(|why| unread_token(name, &why))?
        }
    };
    Ok(Login {
        method: Method::Kubernetes,
        path: path.clone(),
        body: json(&Body { role, jwt: &token }),
        credentials: blame(jwt),
        counted: None,
        secrets: vec![token],
    })
}

/// The object to look at when the JWT is refused.
pub(super) fn blame(jwt: &Jwt) -> Blame {
    match jwt {
        Jwt::Secret(at) => Blame::Secret(at.name.clone()),
        Jwt::ServiceAccount { name, .. } => Blame::ServiceAccount(name.clone()),
    }
}

/// The audiences of a ServiceAccount token: the user's, one that names the issuer, and the server, each once (vault-issuer 2.2).
pub(in crate::vault) fn audiences(
    wanted: &[String],
    namespace: Option<&str>,
    issuer: &str,
    server: &str,
) -> Vec<String> {
    let own = match namespace {
        Some(namespace) => format!("vault://{namespace}/{issuer}"),
        None => format!("vault://{issuer}"),
    };
    let mut audiences = wanted.to_vec();
    for more in [own, server.to_owned()] {
        if !audiences.contains(&more) {
            audiences.push(more);
        }
    }
    audiences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audiences_name_the_issuer_and_the_server() {
        let extra = ["extra".to_owned()];
        assert_eq!(
            audiences(&extra, Some("ns"), "web", "https://v"),
            ["extra", "vault://ns/web", "https://v"]
        );
        assert_eq!(audiences(&[], None, "web", "https://v"), ["vault://web", "https://v"]);
        let same = ["https://v".to_owned()];
        assert_eq!(audiences(&same, None, "web", "https://v"), ["https://v", "vault://web"]);
    }
}
