//! Reads policy text: JSON, or as much of HCL as policies use (`path "x" { capabilities = [...] ... }`).
//! What it can't read is an error with a place, never a guess.
//! It must stay small: no expressions, no here-documents.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

use serde_json::{Map, Value};

use super::policy::{Capability, Policy, Rule};

/// Reads a policy.
pub(crate) fn policy(text: &str) -> Result<Policy, String> {
    let document = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(document)) => document,
        _ => Reader { chars: text.chars().peekable(), depth: 0 }.document()?,
    };
    let mut rules = BTreeMap::new();
    if let Some(Value::Object(paths)) = document.get("path") {
        for (path, body) in paths {
            rules.insert(path.trim_start_matches('/').to_owned(), rule(body)?);
        }
    }
    Ok(Policy { text: text.to_owned(), rules })
}

fn rule(body: &Value) -> Result<Rule, String> {
    let mut rule = Rule::default();
    let words = body.get("capabilities").and_then(Value::as_array).cloned().unwrap_or_default();
    for word in words {
        let word = word.as_str().unwrap_or_default().to_owned();
        let capability = Capability::parse(&word).ok_or_else(|| format!("invalid capability {word:?}"))?;
        rule.capabilities.insert(capability);
    }
    if let Some(short) = body.get("policy").and_then(Value::as_str) {
        rule.capabilities.extend(short_form(short));
    }
    rule.allowed_parameters = parameters(body.get("allowed_parameters"));
    rule.denied_parameters = parameters(body.get("denied_parameters"));
    if let Some(Value::Array(names)) = body.get("required_parameters") {
        rule.required_parameters = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    Ok(rule)
}

/// The old one-word form: `policy = "write"`.
fn short_form(word: &str) -> Vec<Capability> {
    use Capability::{Create, Delete, Deny, List, Read, Sudo, Update};
    match word {
        "read" => vec![Read, List],
        "write" => vec![Create, Read, Update, Delete, List],
        "sudo" => vec![Create, Read, Update, Delete, List, Sudo],
        _ => vec![Deny],
    }
}

fn parameters(value: Option<&Value>) -> BTreeMap<String, Vec<Value>> {
    let Some(Value::Object(members)) = value else { return BTreeMap::new() };
    members
        .iter()
        .map(|(name, values)| (name.clone(), values.as_array().cloned().unwrap_or_default()))
        .collect()
}

/// The deepest nesting of blocks and lists; policies need three.
const DEEPEST: usize = 16;

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    depth: usize,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Map<String, Value>, String> {
        let mut document = Map::new();
        loop {
            self.skip_blanks();
            match self.chars.peek() {
                None | Some('}') => return Ok(document),
                Some(_) => self.member(&mut document)?,
            }
        }
    }

    /// `key = value`, `key { ... }` or `key "label" { ... }`.
    fn member(&mut self, into: &mut Map<String, Value>) -> Result<(), String> {
        let key = if self.chars.peek() == Some(&'"') { self.quoted()? } else { self.word()? };
        self.skip_blanks();
        match self.chars.peek() {
            Some('=' | ':') => {
                self.chars.next();
                let value = self.value()?;
                into.insert(key, value);
            }
            Some('"') => {
                let label = self.quoted()?;
                let block = self.deeper(Reader::block)?;
                let blocks = into.entry(key).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(blocks) = blocks {
                    blocks.insert(label, Value::Object(block));
                }
            }
            Some('{') => {
                let block = self.deeper(Reader::block)?;
                into.insert(key, Value::Object(block));
            }
            _ => return Err(format!("policy: after {key:?} one of = \" {{ is expected")),
        }
        self.skip_blanks();
        if self.chars.peek() == Some(&',') {
            self.chars.next();
        }
        Ok(())
    }

    fn block(&mut self) -> Result<Map<String, Value>, String> {
        self.skip_blanks();
        self.expect('{')?;
        let block = self.document()?;
        self.expect('}')?;
        Ok(block)
    }

    fn value(&mut self) -> Result<Value, String> {
        self.skip_blanks();
        match self.chars.peek() {
            Some('"') => self.quoted().map(Value::from),
            Some('[') => self.deeper(Reader::list),
            Some('{') => self.deeper(Reader::block).map(Value::Object),
            _ => {
                let word = self.word()?;
                Ok(serde_json::from_str(&word).unwrap_or(Value::from(word)))
            }
        }
    }

    /// Reads something that may hold others of its kind, down to a bound.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        if self.depth >= DEEPEST {
            return Err(format!("policy: nested deeper than {DEEPEST}"));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Result<Value, String> {
        self.expect('[')?;
        let mut items = Vec::new();
        loop {
            self.skip_blanks();
            match self.chars.peek() {
                Some(']') => {
                    self.chars.next();
                    return Ok(Value::Array(items));
                }
                Some(',') => {
                    self.chars.next();
                }
                None => return Err("policy: a list isn't closed".to_owned()),
                Some(_) => items.push(self.value()?),
            }
        }
    }

    fn quoted(&mut self) -> Result<String, String> {
        self.expect('"')?;
        let mut text = String::new();
        loop {
            match self.chars.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.extend(self.chars.next()),
                Some(c) => text.push(c),
                None => return Err("policy: a text isn't closed".to_owned()),
            }
        }
    }

    fn word(&mut self) -> Result<String, String> {
        let mut word = String::new();
        while let Some(&c) = self.chars.peek() {
            if !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) {
                break;
            }
            word.push(c);
            self.chars.next();
        }
        if word.is_empty() {
            let found = self.chars.peek().map_or("the end".to_owned(), |c| format!("{c:?}"));
            return Err(format!("policy: a name is expected, found {found}"));
        }
        Ok(word)
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        match self.chars.next() {
            Some(c) if c == wanted => Ok(()),
            found => Err(format!("policy: {wanted:?} is expected, found {found:?}")),
        }
    }

    fn skip_blanks(&mut self) {
        while let Some(&c) = self.chars.peek() {
            match c {
                '#' => while self.chars.next().is_some_and(|c| c != '\n') {},
                '/' => while self.chars.next().is_some_and(|c| c != '\n') {},
                c if c.is_whitespace() => {
                    self.chars.next();
                }
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hcl_and_json_say_the_same() {
        let hcl = r#"
            # what the controller needs
            path "pki/sign/web" {
              capabilities = ["create", "update"]
              allowed_parameters = { "csr" = [], "ttl" = ["1h", "2h"] }
              required_parameters = ["csr"]
            }
            path "/secret/*" { policy = "read" }
        "#;
        let json = r#"{"path": {"pki/sign/web": {"capabilities": ["create", "update"],
            "allowed_parameters": {"csr": [], "ttl": ["1h", "2h"]}, "required_parameters": ["csr"]},
            "secret/*": {"policy": "read"}}}"#;
        assert_eq!(policy(hcl).unwrap().rules, policy(json).unwrap().rules);
        assert_eq!(policy(hcl).unwrap().rules.len(), 2);
    }

    #[test]
    fn what_it_cannot_read_is_an_error() {
        for text in [
            "path \"a\" { capabilities = [\"fly\"] }",
            "path \"a\" { capabilities = [",
            "path \"a",
            "= 3",
            &"a = [".repeat(1_000_000),
            &"a {".repeat(1_000_000),
        ] {
            assert!(policy(text).is_err(), "{text}");
        }
    }
}
