//! Reads the audit logs of kube-apiserver and Vault: the honest counters of requests, logins and signatures,
//! because the server writes them, not the program under test.
//! It only reads, and only whole lines: a line that is still being written belongs to the next look.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

/// A place in a log; what comes after it is what happened since. The default is the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark(u64);

/// The audit log of a kube-apiserver.
#[derive(Debug, Clone)]
pub struct ApiLog {
    path: PathBuf,
}

/// The log of Vault's file audit device.
#[derive(Debug, Clone)]
pub struct VaultLog {
    path: PathBuf,
}

/// One request that kube-apiserver answered (for a watch: began to answer).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRequest {
    /// Who asked.
    pub user: String,
    /// `create`, `update`, `patch`, `delete`, `get`, `list`, `watch`, ...
    pub verb: String,
    /// The API group, empty for core.
    pub group: String,
    /// The plural, empty for paths that are no resource.
    pub resource: String,
    /// `status`, `approval`, ... or empty.
    pub subresource: String,
    /// The namespace or empty.
    pub namespace: String,
    /// The object's name or empty.
    pub name: String,
    /// The HTTP status of the answer.
    pub status: u16,
}

/// One request that Vault answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultRequest {
    /// Without `/v1/`: `pki/sign/web`.
    pub path: String,
    /// `update`, `read`, `list`, `delete`, `create`, ...
    pub operation: String,
    /// Vault's error, when it refused or failed.
    pub error: Option<String>,
}

impl ApiRequest {
    /// `update certificates/status`: what a tally counts.
    pub fn what(&self) -> String {
        match self.subresource.as_str() {
            "" => format!("{} {}", self.verb, self.resource),
            sub => format!("{} {}/{sub}", self.verb, self.resource),
        }
    }

    /// Whether it changes something that is stored. Access and token reviews are created, but only to be answered.
    pub fn writes(&self) -> bool {
        let is_question = self.resource.ends_with("reviews");
        !is_question
            && matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }

    /// How often each kind of request occurs.
    pub fn tally<'a>(requests: impl IntoIterator<Item = &'a Self>) -> BTreeMap<String, usize> {
        let mut tally = BTreeMap::new();
        for request in requests {
            *tally.entry(request.what()).or_default() += 1;
        }
        tally
    }
}

impl VaultRequest {
    /// Whether it asked for a token with credentials.
    pub fn is_login(&self) -> bool {
        self.path.starts_with("auth/") && self.path.split('/').skip(2).any(|part| part == "login")
    }

    /// Whether it asked for a signature over a CSR.
    pub fn is_sign(&self) -> bool {
        self.operation == "update"
            && self.path.split('/').any(|part| matches!(part, "sign" | "sign-verbatim"))
    }
}

impl ApiLog {
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Now.
    pub fn here(&self) -> Result<Mark> {
        end_of(&self.path)
    }

    /// The requests that were answered since `mark`, oldest first.
    pub fn since(&self, mark: Mark) -> Result<Vec<ApiRequest>> {
        Ok(entries(&self.path, mark)?.iter().filter_map(api_request).collect())
    }
}

impl VaultLog {
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Now.
    pub fn here(&self) -> Result<Mark> {
        end_of(&self.path)
    }

    /// The requests that were answered since `mark`, oldest first.
    pub fn since(&self, mark: Mark) -> Result<Vec<VaultRequest>> {
        Ok(entries(&self.path, mark)?.iter().filter_map(vault_request).collect())
    }
}

fn end_of(path: &Path) -> Result<Mark> {
    let length = std::fs::metadata(path).with_context(|| format!("look at {}", path.display()))?.len();
    Ok(Mark(length))
}

fn entries(path: &Path, mark: Mark) -> Result<Vec<Value>> {
    let mut file = std::fs::File::open(path).with_context(|| format!("open {}", path.display()))?;
    file.seek(SeekFrom::Start(mark.0))?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
    whole
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("no audit entry: {line}")))
        .collect()
}

/// A watch is logged when it begins and again when it ends: the beginning counts. Everything else counts at its end.
fn api_request(entry: &Value) -> Option<ApiRequest> {
    let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let verb = text("/verb");
    let counts = if verb == "watch" { "ResponseStarted" } else { "ResponseComplete" };
    let status = entry.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default();
    (text("/stage") == counts).then(|| ApiRequest {
        user: text("/user/username"),
        verb,
        group: text("/objectRef/apiGroup"),
        resource: text("/objectRef/resource"),
        subresource: text("/objectRef/subresource"),
        namespace: text("/objectRef/namespace"),
        name: text("/objectRef/name"),
        status: u16::try_from(status).unwrap_or_default(),
    })
}

fn vault_request(entry: &Value) -> Option<VaultRequest> {
    let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    (text("/type") == "response").then(|| VaultRequest {
        path: text("/request/path"),
        operation: text("/request/operation"),
        error: entry.get("error").and_then(Value::as_str).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const API_LOG: &str = concat!(
        r#"{"stage":"ResponseStarted","verb":"watch","user":{"username":"a"},"objectRef":{"resource":"secrets"},"responseStatus":{"code":200}}"#,
        "\n",
        r#"{"stage":"ResponseComplete","verb":"watch","user":{"username":"a"},"objectRef":{"resource":"secrets"},"responseStatus":{"code":200}}"#,
        "\n",
        r#"{"stage":"ResponseComplete","verb":"update","user":{"username":"b"},"objectRef":{"resource":"certificates","subresource":"status","namespace":"n","name":"web","apiGroup":"cert-manager.io"},"responseStatus":{"code":409}}"#,
        "\n",
        r#"{"stage":"ResponseComplete","verb":"cre"#,
    );

    #[test]
    fn a_watch_counts_once_and_a_half_written_line_not_at_all() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), API_LOG).unwrap();
        let seen = ApiLog::at(file.path()).since(Mark(0)).unwrap();
        let what: Vec<_> =
            seen.iter().map(|request| (request.user.as_str(), request.what(), request.status)).collect();
        assert_eq!(
            what,
            [("a", "watch secrets".to_owned(), 200), ("b", "update certificates/status".to_owned(), 409)]
        );
    }

    #[test]
    fn a_mark_hides_what_came_before_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "").unwrap();
        let log = ApiLog::at(file.path());
        let before = log.here().unwrap();
        std::fs::write(file.path(), API_LOG.rsplit_once('\n').unwrap().0.to_owned() + "\n").unwrap();
        let after = log.here().unwrap();
        assert_eq!(log.since(before).unwrap().len(), 2);
        assert_eq!(log.since(after).unwrap().len(), 0);
    }

    #[test]
    fn logins_and_signatures_are_told_from_everything_else() {
        let request = |path: &str, operation: &str| VaultRequest {
            path: path.to_owned(),
            operation: operation.to_owned(),
            error: None,
        };
        let rows = [
            ("auth/approle/login", "update", true, false),
            ("auth/kubernetes/team-a/login", "update", true, false),
            ("auth/userpass/login/anna", "update", true, false),
            ("auth/token/lookup-self", "read", false, false),
            ("pki/sign/web", "update", false, true),
            ("pki/sign-verbatim/web", "update", false, true),
            ("pki/issuer/default/sign/web", "update", false, true),
            ("pki/roles/sign", "read", false, false),
        ];
        for (path, operation, login, sign) in rows {
            let request = request(path, operation);
            assert_eq!((request.is_login(), request.is_sign()), (login, sign), "{path}");
        }
    }
}
