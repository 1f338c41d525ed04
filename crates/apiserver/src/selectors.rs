//! Label and field selectors: text of a query -> requirements -> which objects match.
//! The grammar and the words of its errors are those of Kubernetes.
//! A field that can't be selected by is an error, never "no match".

use std::fmt;

use serde_json::Value;

use crate::kinds::Resource;
use crate::status::{Outcome, Rejection};
use crate::store::Stored;

/// Which objects are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<FieldRequirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FieldRequirement {
    field: Field,
    equal: bool,
    value: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Name,
    Namespace,
    Path(Vec<String>),
}

impl Selector {
    /// Reads both selectors of a query.
    pub(crate) fn parse(resource: &Resource, labels: &str, fields: &str) -> Outcome<Selector> {
        let unreadable = |error: Unreadable| Rejection::bad_request(error.to_string());
        Ok(Selector {
            labels: parse_labels(labels).map_err(unreadable)?,
            fields: parse_fields(resource, fields)?,
        })
    }

    /// Whether everything matches.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether an object matches.
    pub(crate) fn matches(&self, stored: &Stored) -> bool {
        self.labels.iter().all(|requirement| requirement.holds(stored)) && self.fields_match(stored)
    }

    fn fields_match(&self, stored: &Stored) -> bool {
        // The body is read only for fields that aren't in the key.
        let mut body: Option<Value> = None;
        self.fields.iter().all(|requirement| {
            let (namespace, name) = stored.place();
            let found = match &requirement.field {
                Field::Name => name == requirement.value,
                Field::Namespace => namespace.unwrap_or_default() == requirement.value,
                Field::Path(path) => {
                    let body = body.get_or_insert_with(|| stored.value());
                    text_at(body, path) == requirement.value
                }
            };
            found == requirement.equal
        })
    }
}

/// A selectable field as text; empty where it isn't.
fn text_at(object: &Value, path: &[String]) -> String {
    match path.iter().try_fold(object, |at, name| at.get(name)) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

impl Requirement {
    fn holds(&self, stored: &Stored) -> bool {
        let value = stored.labels.iter().find(|(key, _)| **key == *self.key).map(|(_, value)| &**value);
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.test {
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::In(values) => value.is_some_and(|value| values.iter().any(|v| v == value)),
            Test::NotIn(values) => value.is_none_or(|value| values.iter().all(|v| v != value)),
            Test::Above(limit) => number().is_some_and(|number| number > *limit),
            Test::Below(limit) => number().is_some_and(|number| number < *limit),
        }
    }
}

/// A label selector that can't be read.
#[derive(Debug, PartialEq, Eq)]
struct Unreadable {
    found: String,
    expected: &'static str,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unable to parse requirement: found '{}', expected: {}", self.found, self.expected)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(&'static str),
    End,
}

struct Tokens<'a> {
    rest: &'a str,
}

/// Longer signs first.
const SIGNS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"];

impl Tokens<'_> {
    fn next(&mut self) -> Token {
        self.rest = self.rest.trim_start();
        for sign in SIGNS {
            if let Some(rest) = self.rest.strip_prefix(sign) {
                self.rest = rest;
                return Token::Sign(sign);
            }
        }
        let stops = |letter: char| letter.is_whitespace() || "=!(),><".contains(letter);
        let end = self.rest.find(stops).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        if word.is_empty() { Token::End } else { Token::Word(word.to_owned()) }
    }

    fn peek(&self) -> Token {
        Tokens { rest: self.rest }.next()
    }
}

fn unexpected(token: &Token, expected: &'static str) -> Unreadable {
    let found = match token {
        Token::Word(word) => word.clone(),
        Token::Sign(sign) => (*sign).to_owned(),
        Token::End => String::new(),
    };
    Unreadable { found, expected }
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, Unreadable> {
    let mut tokens = Tokens { rest: text };
    let mut requirements = Vec::new();
    if tokens.peek() == Token::End {
        return Ok(requirements);
    }
    loop {
        requirements.push(parse_requirement(&mut tokens)?);
        match tokens.next() {
            Token::End => return Ok(requirements),
            Token::Sign(",") => {}
            other => return Err(unexpected(&other, "',' or 'end of string'")),
        }
    }
}

fn parse_requirement(tokens: &mut Tokens<'_>) -> Result<Requirement, Unreadable> {
    let negated = tokens.peek() == Token::Sign("!");
    if negated {
        tokens.next();
    }
    let key = match tokens.next() {
        Token::Word(word) => word,
        other => return Err(unexpected(&other, "identifier")),
    };
    if negated {
        return Ok(Requirement { key, test: Test::Absent });
    }
    let test = match tokens.peek() {
        Token::End | Token::Sign(",") => Test::Exists,
        Token::Sign("=" | "==") => {
            tokens.next();
            Test::In(vec![parse_value(tokens)?])
        }
        Token::Sign("!=") => {
            tokens.next();
            Test::NotIn(vec![parse_value(tokens)?])
        }
        Token::Sign(sign @ (">" | "<")) => {
            tokens.next();
            let value = parse_value(tokens)?;
            let number = value.parse().map_err(|_| Unreadable { found: value, expected: "integer" })?;
            if sign == ">" { Test::Above(number) } else { Test::Below(number) }
        }
        Token::Word(word) if word == "in" || word == "notin" => {
            tokens.next();
            let values = parse_values(tokens)?;
            if word == "in" { Test::In(values) } else { Test::NotIn(values) }
        }
        other => return Err(unexpected(&other, "in, notin, =, ==, !=, gt, lt")),
    };
    Ok(Requirement { key, test })
}

fn parse_value(tokens: &mut Tokens<'_>) -> Result<String, Unreadable> {
    match tokens.peek() {
        Token::End | Token::Sign(",") => Ok(String::new()),
        Token::Word(word) => {
            tokens.next();
            Ok(word)
        }
        other => Err(unexpected(&other, "identifier")),
    }
}

fn parse_values(tokens: &mut Tokens<'_>) -> Result<Vec<String>, Unreadable> {
    match tokens.next() {
        Token::Sign("(") => {}
        other => return Err(unexpected(&other, "'('")),
    }
    let mut values = Vec::new();
    loop {
        match tokens.next() {
            Token::Word(word) => values.push(word),
            Token::Sign(",") => continue,
            Token::Sign(")") => return Ok(values),
            other => return Err(unexpected(&other, "',', ')' or identifier")),
        }
    }
}

fn parse_fields(resource: &Resource, text: &str) -> Outcome<Vec<FieldRequirement>> {
    let mut requirements = Vec::new();
    for term in split_terms(text) {
        if term.is_empty() {
            continue;
        }
        let (key, equal, value) = split_term(&term).ok_or_else(|| {
            Rejection::bad_request(format!("invalid selector: '{text}'; can't understand '{term}'"))
        })?;
        let field = match key {
            "metadata.name" => Field::Name,
            "metadata.namespace" => Field::Namespace,
            label => match resource.selectable.iter().find(|selectable| selectable.label == label) {
                Some(selectable) => Field::Path(selectable.path.clone()),
                None => return Err(Rejection::bad_request(format!("field label not supported: {label}"))),
            },
        };
        requirements.push(FieldRequirement { field, equal, value: unescaped(value) });
    }
    Ok(requirements)
}

/// Splits at commas that aren't escaped.
fn split_terms(text: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut escaped = false;
    for letter in text.chars() {
        match (escaped, letter) {
            (false, ',') => terms.push(String::new()),
            _ => {
                if let Some(term) = terms.last_mut() {
                    term.push(letter);
                }
            }
        }
        escaped = !escaped && letter == '\\';
    }
    terms
}

fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    let at = term.find('=')?;
    let (left, right) = (term.get(..at)?, term.get(at + 1..)?);
    match left.strip_suffix('!') {
        Some(key) => Some((key, false, right)),
        None => Some((left, true, right.strip_prefix('=').unwrap_or(right))),
    }
}

fn unescaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => out.extend(letters.next()),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::kinds::{Registry, Role};
    use serde_json::json;

    fn stored() -> Stored {
        let mut object =
            json!({"type": "Opaque", "metadata": {"labels": {"app": "web", "tier": "2", "empty": ""}}});
        Stored::encode("ns/a".into(), 1, &mut object)
    }

    fn parse(labels: &str, fields: &str) -> Outcome<Selector> {
        let registry = Registry::with(&[]).unwrap();
        Selector::parse(registry.role(Role::Secret).unwrap(), labels, fields)
    }

    #[test]
    fn label_selectors_match_as_in_kubernetes() {
        let table = [
            ("", true),
            ("app", true),
            ("!app", false),
            ("none", false),
            ("!none", true),
            ("app=web", true),
            ("app==web", true),
            ("app = web , tier=2", true),
            ("app!=web", false),
            ("none!=web", true),
            ("app in (web, api)", true),
            ("app notin (web)", false),
            ("none notin (web)", true),
            ("tier>1", true),
            ("tier<2", false),
            ("empty=", true),
            ("empty=,app=web", true),
            ("app=", false),
        ];
        for (selector, wanted) in table {
            assert_eq!(parse(selector, "").unwrap().matches(&stored()), wanted, "{selector}");
        }
    }

    #[test]
    fn field_selectors_match_name_namespace_and_selectable_fields() {
        let table = [
            ("metadata.name=a", true),
            ("metadata.name!=a", false),
            ("metadata.namespace==ns,type=Opaque", true),
            ("type=x", false),
            ("type!=x", true),
            ("metadata.name=a\\,b", false),
            ("", true),
        ];
        for (selector, wanted) in table {
            assert_eq!(parse("", selector).unwrap().matches(&stored()), wanted, "{selector}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let table = [
            ("a===b", "", "unable to parse requirement: found '=', expected: identifier"),
            ("a in b", "", "unable to parse requirement: found 'b', expected: '('"),
            ("a in (b", "", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
            (",", "", "unable to parse requirement: found ',', expected: identifier"),
            ("a>x", "", "unable to parse requirement: found 'x', expected: integer"),
            ("", "foo=b", "field label not supported: foo"),
            ("", "foo", "invalid selector: 'foo'; can't understand 'foo'"),
        ];
        for (labels, fields, wanted) in table {
            assert_eq!(parse(labels, fields).unwrap_err().message, wanted);
        }
    }
}
