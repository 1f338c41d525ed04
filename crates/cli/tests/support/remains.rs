//! What is told when a Certificate hangs: itself, its requests, its Secrets and what the controller said of them. Private keys are told by
//! their public halves only. It judges nothing.

use serde_json::Value;

use super::openssl;
use super::space::{Space, data, decoded, text};

/// Lines of the controller's log that are shown of each Certificate.
const LOG_LINES: usize = 40;

/// Everything about these Certificates, and what the controller said of them.
pub(crate) async fn remains(space: &Space, names: &[String], log: &str) -> String {
    let mut told = Vec::new();
    for name in names {
        told.push(format!("== {name}"));
        for kind in ["Certificate", "CertificateRequest", "Secret"] {
            let all = space.list(kind).await;
            told.extend(all.into_iter().filter(|object| belongs(object, name)).map(shown));
        }
        let of_it: Vec<&str> = log.lines().filter(|line| line.contains(name.as_str())).collect();
        told.extend(of_it[of_it.len().saturating_sub(LOG_LINES)..].iter().map(|&line| line.to_owned()));
    }
    told.join("\n")
}

/// By its name, or by the name of a Certificate that owns it.
fn belongs(object: &Value, certificate: &str) -> bool {
    let name = text(object, "/metadata/name");
    let owners = object["metadata"]["ownerReferences"].as_array();
    name == certificate
        || name == format!("{certificate}-tls")
        || owners.is_some_and(|owners| owners.iter().any(|owner| owner["name"] == certificate))
}

fn shown(mut object: Value) -> String {
    let public = |half: Result<String, String>| match half {
        Ok(key) => key.lines().skip(1).collect::<String>(),
        Err(why) => why,
    };
    if object["kind"] == "Secret" {
        let key = openssl::Key::read(&data(&object, "tls.key")).map(|key| key.public_key);
        let leaf = openssl::Leaf::read(&data(&object, "tls.crt")).map(|leaf| leaf.public_key);
        object["data"] = format!("key {}, certificate for {}", public(key), public(leaf)).into();
    } else if object["kind"] == "CertificateRequest" {
        object["spec"]["request"] = public(openssl::request(&decoded(&object["spec"]["request"]))).into();
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    object.to_string()
}
