//! Values of Secrets that don't stand in the manifest: they come from files, the environment or systemd credentials, by annotations.
//! They are read when the manifest is applied, and again when the file changes. No fault holds a value.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use everleaf_host::private;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// `key=path`, several parted by commas or line ends. A relative path begins at the manifest's folder.
const FROM_FILE: &str = "everleaf.dev/from-file";
/// `key=VARIABLE`
const FROM_ENVIRONMENT: &str = "everleaf.dev/from-env";
/// `key=name` of a systemd credential.
const FROM_CREDENTIAL: &str = "everleaf.dev/from-credential";
/// Where systemd puts credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// The longest value: what a Secret can hold.
const LONGEST: u64 = 1024 * 1024;

/// Fills in the values that a Secret's annotations name. `files` gets the files that they come from.
pub(crate) fn fill(
    object: &mut Map<String, Value>,
    beside: &Path,
    files: &mut Vec<PathBuf>,
) -> Result<(), String> {
    let mut given = Vec::new();
    for annotation in [FROM_FILE, FROM_ENVIRONMENT, FROM_CREDENTIAL] {
        let Some(written) = annotations(object).and_then(|map| map.get(annotation)) else { continue };
        let Some(written) = written.as_str() else {
            return Err(format!("annotation {annotation} is not text"));
        };
        for (key, source) in pairs(annotation, written)? {
            given.push((annotation, key.to_owned(), source.to_owned()));
        }
    }
    if given.is_empty() {
        return Ok(());
    }
    if object.get("kind").and_then(Value::as_str) != Some("Secret") {
        return Err(format!("only a Secret takes {FROM_FILE}, {FROM_ENVIRONMENT} and {FROM_CREDENTIAL}"));
    }
    for (annotation, key, source) in given {
        let place = || format!("annotation {annotation}, key {key}");
        let is_there = |part: &str| object.get(part).and_then(|part| part.get(&key)).is_some();
        if is_there("data") || is_there("stringData") {
            return Err(format!("{}: the value is given twice", place()));
        }
        let value = value(annotation, &source, beside, files).map_err(|why| format!("{}: {why}", place()))?;
        let data = object.entry("data").or_insert_with(|| Value::Object(Map::new()));
        let Some(data) = data.as_object_mut() else { return Err("data is not an object".to_owned()) };
        data.insert(key, Value::String(STANDARD.encode(&*value)));
    }
    Ok(())
}

fn annotations(object: &Map<String, Value>) -> Option<&Map<String, Value>> {
    object.get("metadata")?.get("annotations")?.as_object()
}

fn pairs<'a>(annotation: &str, written: &'a str) -> Result<Vec<(&'a str, &'a str)>, String> {
    let parts = written.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| match part.split_once('=') {
            Some((key, source)) if !key.trim().is_empty() && !source.trim().is_empty() => {
                Ok((key.trim(), source.trim()))
            }
            _ => Err(format!("annotation {annotation}: {part:?} is not of the form key=source")),
        })
        .collect()
}

fn value(
    annotation: &str,
    source: &str,
    beside: &Path,
    files: &mut Vec<PathBuf>,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut read = |path: PathBuf| {
        files.push(path.clone());
        private::read_within(&path, LONGEST).map_err(|fault| fault.to_string())
    };
    match annotation {
        FROM_FILE => read(beside.join(source)),
        FROM_CREDENTIAL => {
            if source.contains('/') || source.starts_with('.') {
                return Err(format!("{source:?} is not the name of a credential"));
            }
            match std::env::var_os(CREDENTIALS) {
                Some(folder) => read(PathBuf::from(folder).join(source)),
                None => Err("systemd gave no credentials ($CREDENTIALS_DIRECTORY is not set)".to_owned()),
            }
        }
        _ => match std::env::var(source) {
            Ok(value) if !value.is_empty() => Ok(Zeroizing::new(value.into_bytes())),
            Ok(_) => Err(format!("the environment variable {source} is empty")),
            Err(std::env::VarError::NotPresent) => Err(format!("there is no environment variable {source}")),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(format!("the environment variable {source} is no text"))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn filled(mut object: Value, beside: &Path) -> Result<(Value, Vec<PathBuf>), String> {
        let mut files = Vec::new();
        fill(object.as_object_mut().unwrap(), beside, &mut files)?;
        Ok((object, files))
    }

    fn secret(annotations: Value) -> Value {
        json!({ "kind": "Secret", "metadata": { "name": "s", "annotations": annotations } })
    }

    #[test]
    fn values_come_from_files_beside_the_manifest_and_elsewhere() {
        let temporary = tempfile::tempdir().unwrap();
        let top = temporary.path();
        std::fs::write(top.join("id"), "s3cret\n").unwrap();
        std::fs::write(top.join("ca.pem"), "PEM").unwrap();
        let written = format!("secret-id=id,\n ca.crt = {}/ca.pem", top.display());
        let (object, files) = filled(secret(json!({ FROM_FILE: written })), top).unwrap();
        assert_eq!(
            object["data"],
            json!({ "secret-id": STANDARD.encode("s3cret\n"), "ca.crt": STANDARD.encode("PEM") })
        );
        assert_eq!(files, [top.join("id"), top.join("ca.pem")]);
        let path = std::env::var("PATH").unwrap();
        let (object, _) = filled(secret(json!({ FROM_ENVIRONMENT: "p=PATH" })), top).unwrap();
        assert_eq!(object["data"]["p"], STANDARD.encode(path));
    }

    #[test]
    fn a_secret_without_such_annotations_is_left_alone() {
        let object = json!({ "kind": "Secret", "metadata": { "name": "s" }, "stringData": { "a": "b" } });
        assert_eq!(filled(object.clone(), Path::new("/")).unwrap(), (object, vec![]));
    }

    #[test]
    fn what_is_wrong_is_told_with_annotation_and_key() {
        let table = [
            (secret(json!({ FROM_FILE: "id" })), "is not of the form key=source"),
            (secret(json!({ FROM_FILE: "id=" })), "is not of the form key=source"),
            (secret(json!({ FROM_FILE: 7 })), "is not text"),
            (
                secret(json!({ FROM_FILE: "a=/no/such/file" })),
                "key a: can't read /no/such/file: No such file",
            ),
            (secret(json!({ FROM_ENVIRONMENT: "a=NO_SUCH_VARIABLE" })), "there is no environment variable"),
            (secret(json!({ FROM_CREDENTIAL: "a=../x" })), "is not the name of a credential"),
            (secret(json!({ FROM_CREDENTIAL: "a=x" })), "systemd gave no credentials"),
            (secret(json!({ FROM_FILE: "a=/dev/zero" })), "is not a plain file"),
            (secret(json!({ FROM_FILE: "a=/etc/hostname,a=/etc/hostname" })), "given twice"),
            (
                json!({ "kind": "ConfigMap", "metadata": { "annotations": { FROM_FILE: "a=b" } } }),
                "only a Secret",
            ),
        ];
        for (object, wanted) in table {
            let told = filled(object.clone(), Path::new("/")).unwrap_err();
            assert!(told.contains(wanted), "{object}: told {told:?}, wanted {wanted:?}");
        }
    }
}
