//! From files to objects: YAML or JSON, several documents in a file, lists unfolded. What is wrong is told with file, document and place.
//! A file that can't be read as a whole gives no object at all. No fault quotes what stands in a file: that may be a secret.

use std::fmt;
use std::path::{Path, PathBuf};

use everleaf_host::private;
use serde_json::{Map, Value};

/// The longest manifest.
const LONGEST_FILE: u64 = 4 * 1024 * 1024;
/// The most objects of one file.
const MOST_OBJECTS: usize = 10_000;

/// Where an object is described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file.
    pub(crate) file: PathBuf,
    /// Which document of it, from one; empty ones don't count.
    pub(crate) document: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, document {}", self.file.display(), self.document)
    }
}

/// An object as a manifest describes it.
pub(crate) struct Described {
    pub(crate) place: Place,
    pub(crate) id: Id,
    pub(crate) object: Map<String, Value>,
}

/// Which object is meant. The namespace is empty where the manifest names none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(crate) struct Id {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            return write!(f, "{} {}", self.kind, self.name);
        }
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// Reads one file.
pub(crate) fn read(file: &Path, faults: &mut Vec<String>) -> Vec<Described> {
    let documents = match documents(file) {
        Ok(documents) => documents,
        Err(why) => {
            faults.push(why);
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for (at, document) in documents.into_iter().enumerate() {
        let place = Place { file: file.to_owned(), document: at + 1 };
        unfold(&place, document, &mut found, faults);
    }
    found
}

fn documents(file: &Path) -> Result<Vec<Value>, String> {
    let bytes = private::read_within(file, LONGEST_FILE).map_err(|fault| fault.to_string())?;
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(format!("{}: is not UTF-8 text; nothing of it is applied", file.display()));
    };
    // Without the snippet, which would put lines of the file into the log.
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| format!("{}: {error}; nothing of it is applied", file.display()))
}

fn unfold(place: &Place, document: Value, found: &mut Vec<Described>, faults: &mut Vec<String>) {
    let mut object = match document {
        Value::Null => return,
        Value::Object(object) => object,
        _ => return faults.push(format!("{place}: is not an object")),
    };
    if object.get("kind").and_then(Value::as_str) == Some("List") {
        match object.remove("items") {
            Some(Value::Array(items)) => {
                items.into_iter().for_each(|item| unfold(place, item, found, faults));
            }
            _ => faults.push(format!("{place}: a List without items")),
        }
        return;
    }
    if found.len() >= MOST_OBJECTS {
        return faults.push(format!("{place}: more than {MOST_OBJECTS} objects in one file"));
    }
    match id(&object) {
        Ok(id) => found.push(Described { place: place.clone(), id, object }),
        Err(why) => faults.push(format!("{place}: {why}")),
    }
}

fn id(object: &Map<String, Value>) -> Result<Id, String> {
    let metadata = match object.get("metadata") {
        Some(Value::Object(metadata)) => metadata,
        Some(_) => return Err("metadata is not an object".to_owned()),
        None => return Err("metadata is missing".to_owned()),
    };
    let text = |map: &Map<String, Value>, field: &str, path: &str| match map.get(field) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::String(_)) | None => Err(format!("{path} is missing")),
        Some(_) => Err(format!("{path} is not text")),
    };
    let namespace = match metadata.get("namespace") {
        None | Some(Value::Null) => String::new(),
        Some(_) => text(metadata, "namespace", "metadata.namespace")?,
    };
    Ok(Id {
        api_version: text(object, "apiVersion", "apiVersion")?,
        kind: text(object, "kind", "kind")?,
        name: text(metadata, "name", "metadata.name")?,
        namespace,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read_text(text: &str) -> (Vec<String>, Vec<String>) {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("m.yaml");
        std::fs::write(&file, text).unwrap();
        let mut faults = Vec::new();
        let found = read(&file, &mut faults);
        let at = format!("{}", temporary.path().display());
        let shown = found.iter().map(|found| format!("{} {}", found.place.document, found.id)).collect();
        (shown, faults.into_iter().map(|fault| fault.replace(&at, "")).collect())
    }

    #[test]
    fn documents_and_lists_give_objects_in_order() {
        let text = "\
---
apiVersion: v1
kind: Secret
metadata: {name: a, namespace: other}
---
# nothing but words
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}
- {apiVersion: cert-manager.io/v1, kind: Issuer, metadata: {name: c}}
";
        let (found, faults) = read_text(text);
        assert_eq!(faults, Vec::<String>::new());
        assert_eq!(found, ["1 Secret other/a", "2 ConfigMap b", "2 Issuer c"]);
        let (found, _) =
            read_text("{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"metadata\": {\"name\": \"j\"}}");
        assert_eq!(found, ["1 Secret j"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_without_its_contents() {
        let table = [
            ("a: [\nsecret-word", "/m.yaml: "),
            ("- secret-word", "/m.yaml, document 1: is not an object"),
            ("kind: Secret", "metadata is missing"),
            ("apiVersion: v1\nkind: Secret\nmetadata: {}", "metadata.name is missing"),
            ("apiVersion: v1\nkind: Secret\nmetadata: {generateName: a-}", "metadata.name is missing"),
            ("apiVersion: v1\nmetadata: {name: a}", "kind is missing"),
            ("kind: Secret\nmetadata: {name: a}", "apiVersion is missing"),
            ("apiVersion: 1\nkind: Secret\nmetadata: {name: a}", "apiVersion is not text"),
            ("kind: Secret\nmetadata: [secret-word]", "metadata is not an object"),
            ("kind: List\nitems: secret-word", "a List without items"),
            ("a: 1\n---\n- b", "document 2: is not an object"),
            ("a: secret-word\na: secret-word", "nothing of it is applied"),
            ("a: *secret", "nothing of it is applied"),
        ];
        for (text, wanted) in table {
            let (found, faults) = read_text(text);
            let told = faults.join("\n");
            assert!(told.contains(wanted), "{text:?}: told {told:?}, wanted {wanted:?}");
            assert!(!told.contains("secret-word"), "{told}");
            assert!(found.is_empty());
        }
    }

    #[test]
    fn files_that_are_no_text_or_too_long_are_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("m.yaml");
        let mut faults = Vec::new();
        std::fs::write(&file, [0xff, 0xfe]).unwrap();
        assert!(read(&file, &mut faults).is_empty());
        std::fs::write(&file, vec![b' '; usize::try_from(LONGEST_FILE).unwrap() + 1]).unwrap();
        assert!(read(&file, &mut faults).is_empty());
        let told = faults.join("\n");
        assert!(told.contains("not UTF-8") && told.contains("longer than the limit"), "{told}");
    }
}
