//! The path and the query of a request -> what it speaks of, as types that can't be wrong.
//! Percent signs are undone here, once.
//! It decides nothing about rights or existence.

/// What a path points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// `/healthz`, `/livez`, `/readyz` and what lies below them.
    Health,
    /// `/version`
    Version,
    /// `/api`
    Api,
    /// `/apis`
    Apis,
    /// `/apis/{group}`
    Group(String),
    /// `/api/v1` or `/apis/{group}/{version}`
    GroupVersion { group: String, version: String },
    /// `/openapi/v3`
    OpenApiIndex,
    /// `/openapi/v3/...`
    OpenApi(String),
    /// Objects.
    Objects(Target),
    /// Anything else.
    Nowhere,
}

/// Objects of one kind, or one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

/// Reads the path.
pub(crate) fn place(path: &str) -> Place {
    let Some(segments) = segments(path) else { return Place::Nowhere };
    let words: Vec<&str> = segments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["healthz" | "livez" | "readyz", ..] => Place::Health,
        ["version"] => Place::Version,
        ["api"] => Place::Api,
        ["apis"] => Place::Apis,
        ["apis", group] => Place::Group((*group).to_owned()),
        ["api", version] => group_version("", version),
        ["apis", group, version] => group_version(group, version),
        ["openapi", "v3"] => Place::OpenApiIndex,
        ["openapi", "v3", rest @ ..] => Place::OpenApi(rest.join("/")),
        ["api", version, rest @ ..] => objects("", version, rest),
        ["apis", group, version, rest @ ..] => objects(group, version, rest),
        _ => Place::Nowhere,
    }
}

fn group_version(group: &str, version: &str) -> Place {
    Place::GroupVersion { group: group.to_owned(), version: version.to_owned() }
}

fn objects(group: &str, version: &str, rest: &[&str]) -> Place {
    // A namespace is itself an object: only what lies below it is namespaced.
    let (namespace, plural, name, subresource) = match rest {
        ["namespaces"] => (None, "namespaces", None, None),
        ["namespaces", name] => (None, "namespaces", Some(*name), None),
        ["namespaces", name, sub @ ("status" | "finalize")] => (None, "namespaces", Some(*name), Some(*sub)),
        ["namespaces", namespace, plural] => (Some(*namespace), *plural, None, None),
        ["namespaces", namespace, plural, name] => (Some(*namespace), *plural, Some(*name), None),
        ["namespaces", namespace, plural, name, sub] => (Some(*namespace), *plural, Some(*name), Some(*sub)),
        [plural] => (None, *plural, None, None),
        [plural, name] => (None, *plural, Some(*name), None),
        [plural, name, sub] => (None, *plural, Some(*name), Some(*sub)),
        _ => return Place::Nowhere,
    };
    Place::Objects(Target {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: plural.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.map(str::to_owned),
        subresource: subresource.map(str::to_owned),
    })
}

/// The segments between slashes; `None` where one is empty in the middle or isn't text.
fn segments(path: &str) -> Option<Vec<String>> {
    let trimmed = path.strip_prefix('/')?;
    let trimmed = trimmed.strip_suffix('/').unwrap_or(trimmed);
    if trimmed.is_empty() {
        return Some(Vec::new());
    }
    trimmed.split('/').map(|s| if s.is_empty() { None } else { percent_decoded(s, Plus::Stays) }).collect()
}

/// The parameters after the question mark, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query; pairs that aren't text are left out.
    pub(crate) fn parse(query: &str) -> Query {
        let pair = |part: &str| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            Some((percent_decoded(key, Plus::IsSpace)?, percent_decoded(value, Plus::IsSpace)?))
        };
        Query(query.split('&').filter(|part| !part.is_empty()).filter_map(pair).collect())
    }

    /// The first value of a parameter, if it is there and not empty.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, v)| k == key && !v.is_empty()).map(|(_, v)| v.as_str())
    }

    /// All values of a parameter.
    pub(crate) fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// Whether a flag is set: Go's `strconv.ParseBool` says so, or it stands there without a value.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        let value = self.values(key).next()?;
        Some(!matches!(value, "false" | "False" | "FALSE" | "f" | "F" | "0"))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Plus {
    Stays,
    IsSpace,
}

fn percent_decoded(text: &str, plus: Plus) -> Option<String> {
    if !text.contains(['%', '+']) {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let (high, low) = (hex(bytes.next()?)?, hex(bytes.next()?)?);
                out.push(high << 4 | low);
            }
            b'+' if plus == Plus::IsSpace => out.push(b' '),
            other => out.push(other),
        }
    }
    String::from_utf8(out).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn target(path: &str) -> (Option<String>, String, Option<String>, Option<String>) {
        match place(path) {
            Place::Objects(t) => (t.namespace, t.plural, t.name, t.subresource),
            other => panic!("{path} is {other:?}"),
        }
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn paths_of_objects_are_told_apart() {
        let table = [
            ("/api/v1/namespaces", (None, "namespaces", None, None)),
            ("/api/v1/namespaces/a", (None, "namespaces", some("a"), None)),
            ("/api/v1/namespaces/a/status", (None, "namespaces", some("a"), some("status"))),
            ("/api/v1/namespaces/a/secrets", (some("a"), "secrets", None, None)),
            ("/api/v1/namespaces/a/secrets/b/", (some("a"), "secrets", some("b"), None)),
            ("/apis/x.dev/v1/namespaces/a/ws/b/status", (some("a"), "ws", some("b"), some("status"))),
            ("/apis/x.dev/v1/ws", (None, "ws", None, None)),
            ("/apis/x.dev/v1/ws/a%2Fb", (None, "ws", some("a/b"), None)),
        ];
        for (path, (namespace, plural, name, sub)) in table {
            assert_eq!(target(path), (namespace, plural.to_owned(), name, sub), "{path}");
        }
    }

    #[test]
    fn other_paths_are_told_apart() {
        assert_eq!(place("/healthz"), Place::Health);
        assert_eq!(place("/readyz/ping"), Place::Health);
        assert_eq!(place("/api"), Place::Api);
        assert_eq!(place("/apis/"), Place::Apis);
        assert_eq!(place("/openapi/v3/apis/x.dev/v1"), Place::OpenApi("apis/x.dev/v1".to_owned()));
        for path in ["/", "", "/foo", "/api//x", "//", "/api/v1/a/b/c/d/e/f/g", "/api/v1/%ff", "/api/v1/%4"] {
            assert_eq!(place(path), Place::Nowhere, "{path}");
        }
    }

    #[test]
    fn a_query_is_decoded() {
        let query =
            Query::parse("labelSelector=a%3Db%2Cc+in+(d)&watch&limit=&dryRun=All&dryRun=x&pretty=false");
        assert_eq!(query.value("labelSelector"), Some("a=b,c in (d)"));
        assert_eq!(query.flag("watch"), Some(true));
        assert_eq!(query.flag("pretty"), Some(false));
        assert_eq!(query.flag("none"), None);
        assert_eq!(query.value("limit"), None);
        assert_eq!(query.values("dryRun").collect::<Vec<_>>(), ["All", "x"]);
    }
}
