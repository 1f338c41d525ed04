//! The options of a request -> types, refused where they contradict each other.
//! The rules and words are those of kube-apiserver 1.36.
//! An option that isn't known is not looked at.

use std::time::Duration;

use serde_json::{Value, json};

use crate::kinds::Resource;
use crate::request::Query;
use crate::selectors::Selector;
use crate::status::{Cause, Fault, Outcome, Rejection};

/// The longest name of a field manager.
const LONGEST_MANAGER: usize = 128;

/// How a `resourceVersion` is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    NotOlderThan,
    Exact,
}

/// What to list or watch.
#[derive(Debug, Clone)]
pub(crate) struct ListOptions {
    pub(crate) watch: bool,
    pub(crate) selector: Selector,
    pub(crate) limit: Option<usize>,
    pub(crate) proceed: Option<String>,
    /// None where no version, or an empty one, is named.
    pub(crate) version: Option<u64>,
    pub(crate) version_match: Option<Match>,
    pub(crate) bookmarks: bool,
    pub(crate) initial_events: Option<bool>,
    pub(crate) timeout: Option<Duration>,
}

impl ListOptions {
    /// Reads the options of a list or watch.
    pub(crate) fn parse(query: &Query, resource: &Resource) -> Outcome<ListOptions> {
        let labels = query.value("labelSelector").unwrap_or_default();
        let fields = query.value("fieldSelector").unwrap_or_default();
        let watch = query.flag("watch").unwrap_or_default();
        let options = ListOptions {
            watch,
            selector: Selector::parse(resource, labels, fields)?,
            limit: number(query, "limit")?
                .and_then(|limit| usize::try_from(limit).ok())
                .filter(|limit| *limit > 0),
            proceed: query.value("continue").map(str::to_owned),
            version: version(query)?,
            version_match: version_match(query)?,
            bookmarks: query.flag("allowWatchBookmarks").unwrap_or_default(),
            initial_events: query.flag("sendInitialEvents"),
            timeout: number(query, "timeoutSeconds")?
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map(Duration::from_secs),
        };
        options.contradiction().map_or(Ok(options), Err)
    }

    fn contradiction(&self) -> Option<Rejection> {
        let forbidden = |field: &str, why: &str| {
            Some(Rejection::invalid_options("ListOptions", Cause::new(Fault::Forbidden, field, why)))
        };
        let field = "resourceVersionMatch";
        if self.initial_events.is_some() {
            if !self.watch {
                return forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list");
            }
            if self.version_match != Some(Match::NotOlderThan) {
                return forbidden(
                    field,
                    "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                );
            }
        }
        match self.version_match {
            None => {}
            Some(_) if self.proceed.is_some() => {
                return forbidden(field, "resourceVersionMatch is forbidden when continue is provided");
            }
            Some(_) if self.watch && self.initial_events.is_none() => {
                let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
                return forbidden(field, why);
            }
            Some(_) if !self.watch && self.version.is_none() => {
                return forbidden(
                    field,
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                );
            }
            Some(Match::Exact) if self.version == Some(0) => {
                let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
                return forbidden(field, why);
            }
            Some(_) => {}
        }
        None
    }
}

fn version(query: &Query) -> Outcome<Option<u64>> {
    let Some(text) = query.value("resourceVersion") else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        let why = format!("strconv.ParseUint: parsing \"{text}\": invalid syntax");
        Rejection::bad_request(format!(
            "invalid resource version: resourceVersion: Invalid value: \"{text}\": {why}"
        ))
    })
}

fn version_match(query: &Query) -> Outcome<Option<Match>> {
    match query.value("resourceVersionMatch") {
        None => Ok(None),
        Some("Exact") => Ok(Some(Match::Exact)),
        Some("NotOlderThan") => Ok(Some(Match::NotOlderThan)),
        Some(other) => {
            let supported = [json!("Exact"), json!("NotOlderThan"), json!("")];
            let cause = Cause::unsupported("resourceVersionMatch", &json!(other), &supported);
            Err(Rejection::invalid_options("ListOptions", cause))
        }
    }
}

fn number(query: &Query, key: &str) -> Outcome<Option<i64>> {
    let Some(text) = query.value(key) else { return Ok(None) };
    text.parse()
        .map(Some)
        .map_err(|_| Rejection::bad_request(format!("strconv.ParseInt: parsing \"{text}\": invalid syntax")))
}

/// What to do about fields that aren't known, or stand twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    Ignore,
    Warn,
    Refuse,
}

/// How to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WriteOptions {
    pub(crate) dry_run: bool,
    /// Who owns the fields written.
    pub(crate) manager: String,
    pub(crate) unknown: Unknown,
    pub(crate) force: bool,
}

/// Which verb the options are of, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Update,
    Patch,
    Apply,
}

impl Verb {
    fn options(self) -> &'static str {
        match self {
            Verb::Create => "CreateOptions",
            Verb::Update => "UpdateOptions",
            Verb::Patch | Verb::Apply => "PatchOptions",
        }
    }
}

impl WriteOptions {
    /// Reads the options of a write; the manager is named by the program where it isn't given.
    pub(crate) fn parse(query: &Query, verb: Verb, user_agent: &str) -> Outcome<WriteOptions> {
        let refuse = |cause| Err(Rejection::invalid_options(verb.options(), cause));
        let force = query.flag("force");
        let manager = query.value("fieldManager");
        if verb == Verb::Apply && manager.is_none() {
            return refuse(Cause::required("fieldManager", "is required for apply patch"));
        }
        if verb == Verb::Patch && force.is_some() {
            let why = "may not be specified for non-apply patch";
            return refuse(Cause::new(Fault::Forbidden, "force", why));
        }
        if manager.is_some_and(|manager| manager.chars().count() > LONGEST_MANAGER) {
            let why = format!("may not be more than {LONGEST_MANAGER} bytes");
            return refuse(Cause::new(Fault::TooLong, "fieldManager", why));
        }
        let unknown = match query.value("fieldValidation") {
            None | Some("Warn") => Unknown::Warn,
            Some("Ignore") => Unknown::Ignore,
            Some("Strict") => Unknown::Refuse,
            Some(other) => {
                let supported = [json!(""), json!("Ignore"), json!("Strict"), json!("Warn")];
                return refuse(Cause::unsupported("fieldValidation", &json!(other), &supported));
            }
        };
        let dry_run = dry_run(query.values("dryRun"))
            .map_err(|cause| Rejection::invalid_options(verb.options(), cause))?;
        let manager = manager.map_or_else(|| program(user_agent), str::to_owned);
        Ok(WriteOptions { dry_run, manager, unknown, force: force.unwrap_or_default() })
    }
}

fn dry_run<'a>(values: impl Iterator<Item = &'a str>) -> Result<bool, Cause> {
    let all: Vec<&str> = values.filter(|value| !value.is_empty()).collect();
    match all.iter().all(|value| *value == "All") {
        true => Ok(!all.is_empty()),
        false => Err(Cause::unsupported("dryRun", &json!(all), &[json!("All")])),
    }
}

/// The program's name at the head of a user agent.
fn program(user_agent: &str) -> String {
    let name = user_agent.split('/').next().unwrap_or_default();
    name.chars().filter(|letter| !letter.is_control()).take(LONGEST_MANAGER).collect()
}

/// What becomes of the dependents of a deleted object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    Background,
    Foreground,
    Orphan,
}

/// How to delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DeleteOptions {
    pub(crate) dry_run: bool,
    pub(crate) uid: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) propagation: Option<Propagation>,
}

impl DeleteOptions {
    /// Reads the options from the body, or from the query where there is none.
    pub(crate) fn parse(query: &Query, body: Option<&Value>) -> Outcome<DeleteOptions> {
        let refuse = |cause| Rejection::invalid_options("DeleteOptions", cause);
        let text = |pointer: &str| body.and_then(|body| body.pointer(pointer)).and_then(Value::as_str);
        let policy = text("/propagationPolicy").or_else(|| query.value("propagationPolicy"));
        let orphan = body.and_then(|body| body.get("orphanDependents")).and_then(Value::as_bool);
        let orphan = orphan.or_else(|| query.flag("orphanDependents"));
        if let (Some(policy), Some(_)) = (policy, orphan) {
            let why = "orphanDependents and deletionPropagation cannot be both set";
            return Err(refuse(Cause::invalid("propagationPolicy", &json!(policy), why)));
        }
        let propagation = match (policy, orphan) {
            (Some("Background"), _) | (None, Some(false)) => Some(Propagation::Background),
            (Some("Foreground"), _) => Some(Propagation::Foreground),
            (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
            (None, None) => None,
            (Some(other), _) => {
                let supported = [json!("Foreground"), json!("Background"), json!("Orphan"), json!("nil")];
                return Err(refuse(Cause::unsupported("propagationPolicy", &json!(other), &supported)));
            }
        };
        let in_body = body.and_then(|body| body.get("dryRun")).and_then(Value::as_array);
        let in_body = in_body.into_iter().flatten().filter_map(Value::as_str);
        Ok(DeleteOptions {
            dry_run: dry_run(in_body.chain(query.values("dryRun"))).map_err(refuse)?,
            uid: text("/preconditions/uid").map(str::to_owned),
            version: text("/preconditions/resourceVersion").map(str::to_owned),
            propagation,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::kinds::{Registry, Role};

    fn list(query: &str) -> Result<ListOptions, String> {
        let registry = Registry::with(&[]).unwrap();
        ListOptions::parse(&Query::parse(query), registry.role(Role::Secret).unwrap()).map_err(|r| r.message)
    }

    #[test]
    fn contradicting_list_options_are_refused_in_kubernetes_words() {
        let table = [
            (
                "resourceVersionMatch=Exact",
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ),
            (
                "resourceVersion=0&resourceVersionMatch=Exact",
                "\"exact\" is forbidden for resourceVersion \"0\"",
            ),
            ("watch=1&sendInitialEvents=true", "sendInitialEvents requires setting resourceVersionMatch"),
            (
                "resourceVersion=1&resourceVersionMatch=Exact&continue=x",
                "forbidden when continue is provided",
            ),
            (
                "sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
                "sendInitialEvents is forbidden for list",
            ),
            ("resourceVersion=abc", "strconv.ParseUint: parsing \"abc\": invalid syntax"),
            ("limit=x", "strconv.ParseInt: parsing \"x\": invalid syntax"),
        ];
        for (query, wanted) in table {
            let message = list(query).unwrap_err();
            assert!(message.contains(wanted), "{query}: {message}");
        }
        assert_eq!(list("limit=0").unwrap().limit, None);
        assert_eq!(list("limit=-5").unwrap().limit, None);
        assert_eq!(list("resourceVersion=0").unwrap().version, Some(0));
    }

    #[test]
    fn the_manager_is_the_program_where_none_is_named() {
        let options = WriteOptions::parse(&Query::default(), Verb::Create, "kubectl/v1.36 (linux)").unwrap();
        assert_eq!(options.manager, "kubectl");
        let query = Query::parse("fieldManager=me&dryRun=All&fieldValidation=Strict");
        let options = WriteOptions::parse(&query, Verb::Update, "x").unwrap();
        assert_eq!(
            (options.manager.as_str(), options.dry_run, options.unknown),
            ("me", true, Unknown::Refuse)
        );
        assert!(WriteOptions::parse(&Query::default(), Verb::Apply, "x").is_err());
        assert!(WriteOptions::parse(&Query::parse("force=true"), Verb::Patch, "x").is_err());
        assert!(WriteOptions::parse(&Query::parse("dryRun=Some"), Verb::Create, "x").is_err());
    }

    #[test]
    fn delete_options_come_from_the_body_or_the_query() {
        let body =
            json!({"preconditions": {"uid": "u"}, "propagationPolicy": "Foreground", "dryRun": ["All"]});
        let options = DeleteOptions::parse(&Query::default(), Some(&body)).unwrap();
        assert_eq!(options.uid.as_deref(), Some("u"));
        assert_eq!((options.propagation, options.dry_run), (Some(Propagation::Foreground), true));
        let options = DeleteOptions::parse(&Query::parse("propagationPolicy=Orphan"), None).unwrap();
        assert_eq!(options.propagation, Some(Propagation::Orphan));
        assert!(DeleteOptions::parse(&Query::parse("propagationPolicy=Foo"), None).is_err());
        let both = json!({"propagationPolicy": "Orphan", "orphanDependents": true});
        assert!(DeleteOptions::parse(&Query::default(), Some(&both)).is_err());
    }
}
