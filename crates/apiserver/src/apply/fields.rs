//! A set of paths in an object, in the form of `fieldsV1`: `f:name`, `k:{"key":"value"}`, `v:"value"`.
//! A path is in the set or not, apart from the paths below it.
//! Two sets with the same paths are equal and print the same.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A tree of paths. Branches without a path in them are never kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    /// Whether the path that leads here is in the set.
    pub(crate) here: bool,
    pub(crate) below: BTreeMap<Box<str>, Fields>,
}

/// The step to a field.
pub(crate) fn field(name: &str) -> Box<str> {
    format!("f:{name}").into()
}

impl Fields {
    /// The set of one path that leads here.
    pub(crate) fn leaf() -> Fields {
        Fields { here: true, below: BTreeMap::new() }
    }

    /// Whether no path is in it.
    pub(crate) fn is_empty(&self) -> bool {
        !self.here && self.below.is_empty()
    }

    /// Puts a tree below a step, unless it is empty.
    pub(crate) fn put(&mut self, step: Box<str>, tree: Fields) {
        if !tree.is_empty() {
            self.below.insert(step, tree);
        }
    }

    /// The tree below a step.
    pub(crate) fn get(&self, step: &str) -> Option<&Fields> {
        self.below.get(step)
    }

    /// Adds all paths of another set.
    pub(crate) fn add(&mut self, other: &Fields) {
        self.here |= other.here;
        for (step, tree) in &other.below {
            match self.below.get_mut(step) {
                Some(mine) => mine.add(tree),
                None => drop(self.below.insert(step.clone(), tree.clone())),
            }
        }
    }

    /// Takes out all paths of another set.
    pub(crate) fn take(&mut self, other: &Fields) {
        self.here &= !other.here;
        for (step, tree) in &other.below {
            if let Some(mine) = self.below.get_mut(step) {
                mine.take(tree);
                if mine.is_empty() {
                    self.below.remove(step);
                }
            }
        }
    }

    /// The paths that are in both.
    pub(crate) fn common(&self, other: &Fields) -> Fields {
        let mut both = Fields { here: self.here && other.here, below: BTreeMap::new() };
        for (step, tree) in &self.below {
            if let Some(others) = other.below.get(step) {
                both.put(step.clone(), tree.common(others));
            }
        }
        both
    }

    /// Takes out a step at the root with everything below it.
    pub(crate) fn cut(&mut self, step: &str) {
        self.below.remove(step);
    }

    /// Takes out a path of steps, with what is below it.
    pub(crate) fn cut_path(&mut self, path: &[&str]) {
        match path {
            [] => {}
            [last] => self.cut(last),
            [first, rest @ ..] => {
                if let Some(tree) = self.below.get_mut(*first) {
                    tree.cut_path(rest);
                    if tree.is_empty() {
                        self.below.remove(*first);
                    }
                }
            }
        }
    }

    /// All paths as people read them: `.spec.parts[id="a"].count`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.collect("", &mut all);
        all
    }

    fn collect(&self, path: &str, all: &mut Vec<String>) {
        if self.here {
            all.push(path.to_owned());
        }
        for (step, tree) in &self.below {
            tree.collect(&format!("{path}{}", in_words(step)), all);
        }
    }

    /// As `fieldsV1`.
    pub(crate) fn to_json(&self) -> Value {
        let mut map = Map::new();
        for (step, tree) in &self.below {
            let mut inner = tree.to_json();
            if let (true, false, Some(map)) = (tree.here, tree.below.is_empty(), inner.as_object_mut()) {
                map.insert(".".to_owned(), Value::Object(Map::new()));
            }
            map.insert(step.to_string(), inner);
        }
        Value::Object(map)
    }

    /// Reads `fieldsV1`; none where it isn't of that form.
    pub(crate) fn from_json(json: &Value) -> Option<Fields> {
        let mut root = read(json)?;
        root.here = false;
        Some(root)
    }
}

fn read(json: &Value) -> Option<Fields> {
    let map = json.as_object()?;
    let mut tree = Fields { here: map.is_empty() || map.contains_key("."), below: BTreeMap::new() };
    for (step, inner) in map.iter().filter(|(step, _)| *step != ".") {
        let known = ["f:", "k:", "v:", "i:"].iter().any(|kind| step.starts_with(kind));
        if !known {
            return None;
        }
        tree.put(step.as_str().into(), read(inner)?);
    }
    Some(tree)
}

fn in_words(step: &str) -> String {
    let (kind, rest) = step.split_at_checked(2).unwrap_or(("", step));
    match kind {
        "f:" => format!(".{rest}"),
        "v:" => format!("[={rest}]"),
        "i:" => format!("[{rest}]"),
        _ => match serde_json::from_str::<Map<String, Value>>(rest) {
            Ok(keys) => {
                let all: Vec<String> = keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("[{}]", all.join(","))
            }
            Err(_) => format!("[{rest}]"),
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::needless_pass_by_value)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn set(json: Value) -> Fields {
        Fields::from_json(&json).unwrap()
    }

    #[test]
    fn a_set_reads_and_prints_as_fields_v1() {
        let json = json!({
            "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
            "f:spec": {"f:parts": {"k:{\"id\":\"a\"}": {".": {}, "f:count": {}}}, "f:set": {"v:\"x\"": {}}},
        });
        assert_eq!(set(json.clone()).to_json(), json);
        assert_eq!(
            set(json).paths(),
            [
                ".metadata.labels",
                ".metadata.labels.app",
                ".spec.parts[id=\"a\"]",
                ".spec.parts[id=\"a\"].count",
                ".spec.set[=\"x\"]"
            ]
        );
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for json in [json!([]), json!({"x": {}}), json!({"f:a": 1})] {
            assert_eq!(Fields::from_json(&json), None, "{json}");
        }
    }

    #[test]
    fn a_parent_is_apart_from_its_children() {
        let mut labels = set(json!({"f:labels": {".": {}, "f:a": {}, "f:b": {}}}));
        labels.take(&set(json!({"f:labels": {".": {}, "f:a": {}}})));
        assert_eq!(labels.to_json(), json!({"f:labels": {"f:b": {}}}));
        labels.take(&set(json!({"f:labels": {}})));
        assert_eq!(labels.to_json(), json!({"f:labels": {"f:b": {}}}));
    }

    fn trees() -> impl Strategy<Value = Fields> {
        let leaf = any::<bool>().prop_map(|here| Fields { here, below: BTreeMap::new() });
        leaf.prop_recursive(4, 24, 3, |inner| {
            (any::<bool>(), prop::collection::btree_map("[a-c]", inner, 0..3)).prop_map(|(here, below)| {
                let mut tree = Fields { here, below: BTreeMap::new() };
                below.into_iter().for_each(|(name, below)| tree.put(field(&name), below));
                tree
            })
        })
        .prop_map(|mut tree| {
            tree.here = false;
            tree
        })
    }

    proptest! {
        #[test]
        fn sets_keep_the_laws_of_sets(a in trees(), b in trees()) {
            let mut both = a.clone();
            both.add(&b);
            let mut other_way = b.clone();
            other_way.add(&a);
            prop_assert_eq!(&both, &other_way);
            prop_assert_eq!(a.common(&b), b.common(&a));
            // What is only in a, together with what is in both, is a.
            let mut only_a = a.clone();
            only_a.take(&b);
            prop_assert!(only_a.common(&b).is_empty());
            only_a.add(&a.common(&b));
            prop_assert_eq!(&only_a, &a);
            // Taking b from the union leaves nothing of b.
            both.take(&b);
            prop_assert!(both.common(&b).is_empty());
        }

        #[test]
        fn printing_and_reading_keeps_a_set(a in trees()) {
            prop_assert_eq!(Fields::from_json(&a.to_json()), Some(a));
        }
    }
}
