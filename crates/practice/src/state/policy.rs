//! Policies: paths with capabilities and parameter rules, and the verdict on one request (vault-server 2.2).
//! A missing policy is skipped in silence, as in Vault: a token may name policies that don't exist.
//! The root policy is not a policy here but a question of the token.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::http::ask::Verb;

/// The name of the policy that may do everything.
pub(crate) const ROOT: &str = "root";
/// The name of the policy that every token has unless it was asked not to.
pub(crate) const DEFAULT: &str = "default";

/// One thing that a path allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Capability {
    /// POST to something new.
    Create,
    /// DELETE.
    Delete,
    /// Nothing at all; beats every other.
    Deny,
    /// LIST.
    List,
    /// PATCH.
    Patch,
    /// GET.
    Read,
    /// Root-protected paths.
    Sudo,
    /// POST and PUT.
    Update,
}

impl Capability {
    /// The word in policies and answers.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Capability::Create => "create",
            Capability::Delete => "delete",
            Capability::Deny => "deny",
            Capability::List => "list",
            Capability::Patch => "patch",
            Capability::Read => "read",
            Capability::Sudo => "sudo",
            Capability::Update => "update",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Capability> {
        [
            Capability::Create,
            Capability::Delete,
            Capability::Deny,
            Capability::List,
            Capability::Patch,
            Capability::Read,
            Capability::Sudo,
            Capability::Update,
        ]
        .into_iter()
        .find(|capability| capability.as_str() == word)
    }
}

/// What one path of a policy says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rule {
    pub(crate) capabilities: BTreeSet<Capability>,
    /// Parameter name to allowed values; no values means any. Empty: no restriction.
    pub(crate) allowed_parameters: BTreeMap<String, Vec<Value>>,
    pub(crate) denied_parameters: BTreeMap<String, Vec<Value>>,
    pub(crate) required_parameters: BTreeSet<String>,
}

/// A named policy.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Policy {
    /// The text it was written with.
    pub(crate) text: String,
    pub(crate) rules: BTreeMap<String, Rule>,
}

impl Policy {
    /// The policy that every token has unless it was asked not to (vault-answers: `resultant-acl`).
    pub(crate) fn default_policy() -> Policy {
        let mut rules = BTreeMap::new();
        for (path, capability) in [
            ("auth/token/lookup-self", Capability::Read),
            ("auth/token/renew-self", Capability::Update),
            ("auth/token/revoke-self", Capability::Update),
            ("sys/capabilities-self", Capability::Update),
            ("sys/internal/ui/resultant-acl", Capability::Read),
            ("sys/leases/lookup", Capability::Update),
            ("sys/leases/renew", Capability::Update),
            ("sys/renew", Capability::Update),
            ("sys/tools/hash", Capability::Update),
            ("sys/wrapping/lookup", Capability::Update),
            ("sys/wrapping/unwrap", Capability::Update),
            ("sys/wrapping/wrap", Capability::Update),
        ] {
            let rule = Rule { capabilities: [capability].into(), ..Rule::default() };
            rules.insert(path.to_owned(), rule);
        }
        Policy { text: String::new(), rules }
    }
}

/// What all policies of a token say together about one path.
pub(crate) fn rule_for<'a>(policies: impl Iterator<Item = &'a Policy>, path: &str) -> Option<Rule> {
    let mut best: Option<(&str, Rule)> = None;
    for (pattern, rule) in policies.flat_map(|policy| &policy.rules) {
        if !matches(pattern, path) {
            continue;
        }
        match &mut best {
            Some((kept, merged)) => match priority(pattern, kept) {
                Ordering::Greater => best = Some((pattern, rule.clone())),
                Ordering::Equal => merge(merged, rule),
                Ordering::Less => {}
            },
            None => best = Some((pattern, rule.clone())),
        }
    }
    best.map(|(_, rule)| rule)
}

fn merge(into: &mut Rule, rule: &Rule) {
    into.capabilities.extend(&rule.capabilities);
    into.allowed_parameters.extend(rule.allowed_parameters.clone());
    into.denied_parameters.extend(rule.denied_parameters.clone());
    into.required_parameters.extend(rule.required_parameters.iter().cloned());
}

/// Whether a pattern with `*` at its end and `+` for a segment covers the path.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, open) = match pattern.strip_suffix('*') {
        Some(prefix) => (prefix, true),
        None => (pattern, false),
    };
    if !pattern.contains('+') {
        return if open { path.starts_with(pattern) } else { path == pattern };
    }
    let (mut wanted, mut given) = (pattern.split('/').peekable(), path.split('/'));
    while let Some(segment) = wanted.next() {
        let last = wanted.peek().is_none();
        match given.next() {
            None => return false,
            Some(_) if segment == "+" => {}
            Some(text) if last && open => return text.starts_with(segment),
            Some(text) if text == segment => {}
            Some(_) => return false,
        }
    }
    open || given.next().is_none()
}

/// Which of two patterns that cover the same path counts: the documented order of Vault's policies.
fn priority(one: &str, other: &str) -> Ordering {
    let key = |pattern: &str| {
        let first_wildcard = pattern.find(['+', '*']).unwrap_or(usize::MAX);
        let plus = pattern.split('/').filter(|segment| *segment == "+").count();
        (first_wildcard, !pattern.ends_with('*'), std::cmp::Reverse(plus), pattern.len())
    };
    key(one).cmp(&key(other)).then_with(|| one.cmp(other))
}

/// Whether a rule lets this verb with these fields pass.
pub(crate) fn permits(rule: Option<&Rule>, verb: Verb, fields: &Map<String, Value>) -> bool {
    let Some(rule) = rule else { return false };
    if rule.capabilities.contains(&Capability::Deny) {
        return false;
    }
    let needed: &[Capability] = match verb {
        Verb::Read => &[Capability::Read],
        // Whether a write creates or updates is asked of the engine; the engines here don't tell the two apart.
        Verb::Write => &[Capability::Update, Capability::Create],
        Verb::Delete => &[Capability::Delete],
        Verb::List => &[Capability::List],
        Verb::Patch => &[Capability::Patch],
        Verb::Options | Verb::Unknown => &[],
    };
    let granted = needed.iter().any(|capability| rule.capabilities.contains(capability));
    granted && (verb != Verb::Write || parameters_permit(rule, fields))
}

fn parameters_permit(rule: &Rule, fields: &Map<String, Value>) -> bool {
    let required = rule.required_parameters.iter().all(|name| fields.contains_key(name));
    let denied = fields.iter().any(|(name, value)| {
        let rules = [rule.denied_parameters.get("*"), rule.denied_parameters.get(name)];
        rules.into_iter().flatten().any(|values| covers(values, value))
    });
    let allowed = rule.allowed_parameters.is_empty()
        || fields.iter().all(|(name, value)| {
            let named = rule.allowed_parameters.get(name);
            named.or_else(|| rule.allowed_parameters.get("*")).is_some_and(|values| covers(values, value))
        });
    required && !denied && allowed
}

fn covers(values: &[Value], value: &Value) -> bool {
    values.is_empty()
        || values.iter().any(|allowed| match (allowed.as_str(), value.as_str()) {
            (Some(pattern), Some(text)) if pattern.ends_with('*') => {
                text.starts_with(pattern.trim_end_matches('*'))
            }
            _ => allowed == value,
        })
}

/// The words of `capabilities-self` for a path.
pub(crate) fn capability_words(rule: Option<&Rule>) -> Vec<&'static str> {
    match rule {
        Some(rule) if !rule.capabilities.is_empty() && !rule.capabilities.contains(&Capability::Deny) => {
            rule.capabilities.iter().map(|capability| capability.as_str()).collect()
        }
        _ => vec![Capability::Deny.as_str()],
    }
}

/// Whether any rule of these policies grants anything below a mount (vault-measured 4: `ui/mounts`).
pub(crate) fn grants_below<'a>(mut policies: impl Iterator<Item = &'a Policy>, mount: &str) -> bool {
    let grants =
        |rule: &Rule| !rule.capabilities.is_empty() && !rule.capabilities.contains(&Capability::Deny);
    policies.any(|policy| {
        policy.rules.iter().any(|(pattern, rule)| {
            let fixed = pattern.split(['*', '+']).next().unwrap_or_default();
            let open = fixed.len() < pattern.len();
            grants(rule) && (fixed.starts_with(mount) || open && mount.starts_with(fixed))
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn policy(rules: &[(&str, &[Capability])]) -> Policy {
        let rules = rules
            .iter()
            .map(|(path, capabilities)| {
                let capabilities = capabilities.iter().copied().collect();
                ((*path).to_owned(), Rule { capabilities, ..Rule::default() })
            })
            .collect();
        Policy { text: String::new(), rules }
    }

    #[test]
    fn patterns_cover_what_vault_says_they_cover() {
        let rows = [
            ("pki/sign/web", "pki/sign/web", true),
            ("pki/sign/web", "pki/sign/web2", false),
            ("pki/*", "pki/sign/web", true),
            ("pki/sign/w*", "pki/sign/web", true),
            ("+/sign/web", "pki/sign/web", true),
            ("+/sign/web", "a/b/sign/web", false),
            ("pki/+/w*", "pki/sign/web", true),
            ("pki/+", "pki/sign/web", false),
        ];
        for (pattern, path, expected) in rows {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn the_most_special_pattern_decides_and_deny_beats_all() {
        use Capability::{Deny, Read, Update};
        let open = policy(&[("pki/*", &[Read, Update])]);
        let special = policy(&[("pki/sign/web", &[Read])]);
        let deny = policy(&[("pki/sign/web", &[Deny])]);
        let verdict = |policies: &[&Policy]| {
            let rule = rule_for(policies.iter().copied(), "pki/sign/web");
            (permits(rule.as_ref(), Verb::Write, &Map::new()), capability_words(rule.as_ref()))
        };
        assert_eq!(verdict(&[&open]), (true, vec!["read", "update"]));
        assert_eq!(verdict(&[&open, &special]), (false, vec!["read"]));
        assert_eq!(verdict(&[&special, &deny]), (false, vec!["deny"]));
        assert_eq!(verdict(&[]), (false, vec!["deny"]));
    }

    #[test]
    fn parameter_rules_are_seen_by_requests_only() {
        let mut only_csr = policy(&[("pki/sign/web", &[Capability::Update])]);
        only_csr.rules.get_mut("pki/sign/web").unwrap().allowed_parameters =
            [("csr".to_owned(), Vec::new())].into();
        let rule = rule_for([&only_csr].into_iter(), "pki/sign/web");
        let with_ttl = json!({"csr": "x", "ttl": "1h"});
        let bare = json!({"csr": "x"});
        assert!(!permits(rule.as_ref(), Verb::Write, with_ttl.as_object().unwrap()));
        assert!(permits(rule.as_ref(), Verb::Write, bare.as_object().unwrap()));
        assert_eq!(capability_words(rule.as_ref()), ["update"]);
    }

    #[test]
    fn a_sibling_grant_opens_the_mount_but_a_denial_does_not() {
        let sibling =
            policy(&[("pki/sign/other", &[Capability::Update]), ("pki/sign/web", &[Capability::Deny])]);
        let denied = policy(&[("pki/sign/web", &[Capability::Deny])]);
        assert!(grants_below([&sibling].into_iter(), "pki/"));
        assert!(!grants_below([&denied].into_iter(), "pki/"));
        assert!(grants_below([&policy(&[("pk*", &[Capability::Read])])].into_iter(), "pki/"));
        assert!(!grants_below([&Policy::default_policy()].into_iter(), "pki/"));
    }
}
