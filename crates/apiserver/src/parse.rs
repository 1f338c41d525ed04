//! Bytes of a request -> a JSON value, noting fields that stand twice (the last one wins, the caller decides what it means).
//! YAML is taken too, since `kubectl apply` may send it.
//! It never trusts size or depth: the body is bounded before, the depth by serde_json.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Floats up to here are exact integers, and Kubernetes prints them as such.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A parsed body.
#[derive(Debug, PartialEq)]
pub(crate) struct Parsed {
    /// The whole value.
    pub(crate) value: Value,
    /// Paths of fields that were given more than once.
    pub(crate) duplicates: Vec<String>,
}

/// Reads JSON.
pub(crate) fn json(bytes: &[u8]) -> Result<Parsed, serde_json::Error> {
    let duplicates = RefCell::new(Vec::new());
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Node { parent: None, duplicates: &duplicates }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(Parsed { value, duplicates: duplicates.into_inner() })
}

/// Reads JSON, or YAML where it isn't JSON.
pub(crate) fn json_or_yaml(bytes: &[u8]) -> Result<Parsed, String> {
    match json(bytes) {
        Ok(parsed) => Ok(parsed),
        Err(not_json) => match std::str::from_utf8(bytes).map(serde_saphyr::from_str::<Value>) {
            Ok(Ok(value)) => Ok(Parsed { value, duplicates: Vec::new() }),
            Ok(Err(not_yaml)) => Err(not_yaml.to_string()),
            Err(_) => Err(not_json.to_string()),
        },
    }
}

/// Where we are in the document: known only to name a duplicate.
struct Step<'a> {
    parent: Option<&'a Step<'a>>,
    at: At<'a>,
}

enum At<'a> {
    Field(&'a str),
    Item(usize),
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}")?;
        }
        match self.at {
            At::Field(name) if self.parent.is_some() => write!(f, ".{name}"),
            At::Field(name) => f.write_str(name),
            At::Item(index) => write!(f, "[{index}]"),
        }
    }
}

struct Node<'a> {
    parent: Option<&'a Step<'a>>,
    duplicates: &'a RefCell<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        if value.fract() == 0.0 && value.abs() <= EXACT {
            return Ok(Value::from(value as i64));
        }
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let step = Step { parent: self.parent, at: At::Item(list.len()) };
            let node = Node { parent: Some(&step), duplicates: self.duplicates };
            match items.next_element_seed(node)? {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let step = Step { parent: self.parent, at: At::Field(&key) };
            let node = Node { parent: Some(&step), duplicates: self.duplicates };
            let value = entries.next_value_seed(node)?;
            if map.contains_key(&key) {
                let mut seen = self.duplicates.try_borrow_mut().map_err(A::Error::custom)?;
                let path = step.to_string();
                if !seen.contains(&path) {
                    seen.push(path);
                }
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_of_two_equal_fields_wins_and_is_told() {
        let parsed = json(br#"{"spec":{"a":1,"a":2,"l":[{"x":1,"x":3,"x":4}]}}"#).unwrap();
        assert_eq!(parsed.value, json!({"spec": {"a": 2, "l": [{"x": 4}]}}));
        assert_eq!(parsed.duplicates, ["spec.a", "spec.l[0].x"]);
    }

    #[test]
    fn whole_floats_become_integers() {
        assert_eq!(json(b"[1.0, 1.5, 1e3]").unwrap().value.to_string(), "[1,1.5,1000]");
    }

    #[test]
    fn floats_read_back_as_they_were_printed() {
        let text = "[-2.7403223014673442e284,0.1,1e-7,123456.789]";
        let once = json(text.as_bytes()).unwrap().value;
        assert_eq!(json(once.to_string().as_bytes()).unwrap().value, once);
    }

    #[test]
    fn yaml_is_read_where_json_is_not() {
        let parsed = json_or_yaml(b"apiVersion: v1\nspec:\n  a: [1, two]\n").unwrap();
        assert_eq!(parsed.value, json!({"apiVersion": "v1", "spec": {"a": [1, "two"]}}));
        assert!(json_or_yaml(b"\xff\xfe").is_err());
        assert!(json_or_yaml(b"a: [").is_err());
    }

    #[test]
    fn a_deep_document_is_refused_without_overflowing() {
        let deep = "[".repeat(100_000);
        assert!(json(deep.as_bytes()).is_err());
        assert!(json_or_yaml(deep.as_bytes()).is_err());
    }
}
