//! Who calls, and what they may do.
//! A door is where calls come in: in process everybody is one known user; from the network a token or a client
//! certificate is needed. Tokens are compared without telling how much of them was right, and are never shown.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, header};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::status::{About, Outcome, Rejection};

/// The user that callers without credentials are.
const ANONYMOUS: &str = "system:anonymous";
const UNAUTHENTICATED: &str = "system:unauthenticated";
const AUTHENTICATED: &str = "system:authenticated";

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The name.
    pub name: String,
    /// The uid, if there is one.
    pub uid: String,
    /// The groups.
    pub groups: Vec<String>,
}

impl Identity {
    /// A user with all rights, by this name.
    pub fn admin(name: &str) -> Identity {
        Identity { name: name.to_owned(), uid: String::new(), groups: vec!["system:masters".to_owned()] }
    }

    fn anonymous() -> Identity {
        Identity { name: ANONYMOUS.to_owned(), uid: String::new(), groups: vec![UNAUTHENTICATED.to_owned()] }
    }

    /// Whether the caller showed no credentials.
    pub fn is_anonymous(&self) -> bool {
        self.name == ANONYMOUS
    }

    fn known(mut self) -> Identity {
        if !self.groups.iter().any(|group| group == AUTHENTICATED) {
            self.groups.push(AUTHENTICATED.to_owned());
        }
        self
    }

    /// As reviews show a user.
    pub(crate) fn json(&self) -> Value {
        let mut user = json!({"username": self.name, "groups": self.groups});
        if let (false, Some(map)) = (self.uid.is_empty(), user.as_object_mut()) {
            map.insert("uid".to_owned(), self.uid.as_str().into());
        }
        user
    }
}

/// The user of a connection, from a client certificate that was verified. The TLS layer puts it into the request's
/// extensions.
#[derive(Debug, Clone)]
pub struct Peer(pub Identity);

/// A bearer token and whose it is.
#[derive(Clone)]
pub struct Token {
    secret: Zeroizing<String>,
    identity: Identity,
}

impl Token {
    /// A token of this user.
    pub fn new(secret: impl Into<String>, identity: Identity) -> Token {
        Token { secret: Zeroizing::new(secret.into()), identity }
    }

    fn is(&self, presented: &str) -> bool {
        let (ours, theirs) = (self.secret.as_bytes(), presented.as_bytes());
        let differing = ours.iter().zip(theirs).fold(0, |bits, (a, b)| bits | (a ^ b));
        ours.len() == theirs.len() && differing == 0 && !ours.is_empty()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} bytes, {})", self.secret.len(), self.identity.name)
    }
}

/// Where calls come in.
#[derive(Debug, Clone)]
pub enum Door {
    /// Everybody is this user: for calls in the same process.
    Open(Identity),
    /// Callers must show one of these tokens or a client certificate.
    Guarded(Arc<[Token]>),
}

/// What somebody wants to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, or any other.
    pub verb: String,
    /// The API group; empty for core.
    pub group: String,
    /// The plural; empty for a path.
    pub resource: String,
    /// The subresource, if one is meant.
    pub subresource: String,
    /// The namespace; empty for all, or none.
    pub namespace: String,
    /// The name; empty for all.
    pub name: String,
    /// The path, where no resource is meant.
    pub path: String,
}

/// Says whether a user may do something. Callers without credentials never get this far.
pub type Authorize = Arc<dyn Fn(&Identity, &Attributes) -> bool + Send + Sync>;

/// Everybody who is known may do everything.
pub(crate) fn allow_all() -> Authorize {
    Arc::new(|_, _| true)
}

impl Door {
    /// Who calls.
    pub(crate) fn identify(&self, headers: &HeaderMap, peer: Option<&Peer>) -> Outcome<Identity> {
        let tokens = match self {
            Door::Open(identity) => return Ok(identity.clone().known()),
            Door::Guarded(tokens) => tokens,
        };
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match (given.and_then(bearer), given, peer) {
            (Some(presented), _, _) => match whose(tokens, presented) {
                Some(identity) => Ok(identity.clone().known()),
                None => Err(Rejection::unauthorized()),
            },
            (None, Some(_), _) => Err(Rejection::unauthorized()),
            (None, None, Some(Peer(identity))) => Ok(identity.clone().known()),
            (None, None, None) => Ok(Identity::anonymous()),
        }
    }

    /// Whose token this is.
    pub(crate) fn review(&self, presented: &str) -> Option<Identity> {
        match self {
            Door::Open(_) => None,
            Door::Guarded(tokens) => whose(tokens, presented).map(|identity| identity.clone().known()),
        }
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn whose<'a>(tokens: &'a [Token], presented: &str) -> Option<&'a Identity> {
    // All are looked at, so that time doesn't tell which one came close.
    tokens.iter().fold(None, |found, token| if token.is(presented) { Some(&token.identity) } else { found })
}

/// The refusal of what a user may not do.
pub(crate) fn forbidden(identity: &Identity, attributes: &Attributes) -> Rejection {
    let Attributes { verb, group, resource, subresource, namespace, name, path } = attributes;
    let user = &identity.name;
    if resource.is_empty() {
        let why = format!("User \"{user}\" cannot {verb} path \"{path}\"");
        return Rejection::forbidden(&About { group: "", kind: "", name: "" }, &why);
    }
    let whole = if subresource.is_empty() { resource.clone() } else { format!("{resource}/{subresource}") };
    let place = match namespace.as_str() {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace \"{namespace}\""),
    };
    let why = format!("User \"{user}\" cannot {verb} resource \"{whole}\" in API group \"{group}\" {place}");
    Rejection::forbidden(&About { group, kind: resource, name }, &why)
}

/// The user that a caller wants to act as, if one is named.
pub(crate) fn impersonated(headers: &HeaderMap) -> Option<Identity> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let name = text("impersonate-user")?;
    let groups = headers.get_all("impersonate-group").iter().filter_map(|value| value.to_str().ok());
    let uid = text("impersonate-uid").unwrap_or_default().to_owned();
    Some(Identity { name: name.to_owned(), uid, groups: groups.map(str::to_owned).collect() }.known())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(authorization: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_guarded_door_wants_a_good_token_or_a_certificate() {
        let door = Door::Guarded([Token::new("good", Identity::admin("me"))].into());
        let peer = Peer(Identity::admin("certified"));
        let name = |authorization, peer| {
            door.identify(&headers(authorization), peer).map(|identity| identity.name).map_err(|r| r.code)
        };
        assert_eq!(name(Some("Bearer good"), None), Ok("me".to_owned()));
        assert_eq!(name(Some("bearer  good"), None), Ok("me".to_owned()));
        for bad in ["Bearer bad", "Bearer ", "Bearer goodx", "Bearer goo", "Basic good", "good"] {
            assert_eq!(name(Some(bad), Some(&peer)), Err(401), "{bad}");
        }
        assert_eq!(name(None, Some(&peer)), Ok("certified".to_owned()));
        assert_eq!(name(None, None), Ok(ANONYMOUS.to_owned()));
    }

    #[test]
    fn an_empty_token_opens_nothing() {
        let door = Door::Guarded([Token::new("", Identity::admin("me"))].into());
        assert!(door.identify(&headers(Some("Bearer ")), None).is_err());
    }

    #[test]
    fn a_token_is_never_shown() {
        assert_eq!(format!("{:?}", Token::new("s3cret", Identity::admin("me"))), "Token(6 bytes, me)");
    }
}
