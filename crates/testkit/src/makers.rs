//! Makers of the objects that tests hand to an API: valid as they come, and changed field by field.
//! They return plain JSON, so that a test can also make what the types forbid.
//! No maker reads a clock or rolls dice.

use serde_json::{Value, json};

/// An object in the making.
#[derive(Debug, Clone)]
pub struct Maker(Value);

/// A Certificate `name` for `<name>.example`, Secret `<name>-tls`, P-256, from the Issuer `issuer`.
pub fn certificate(name: &str) -> Maker {
    Maker(json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": name},
        "spec": {
            "secretName": format!("{name}-tls"),
            "dnsNames": [format!("{name}.example")],
            "privateKey": {"algorithm": "ECDSA"},
            "issuerRef": {"name": "issuer"},
        },
    }))
}

/// An Issuer that signs with each certificate's own key.
pub fn self_signed_issuer(name: &str) -> Maker {
    issuer(name, &json!({"selfSigned": {}}))
}

/// An Issuer that signs with the CA in a Secret.
pub fn ca_issuer(name: &str, secret: &str) -> Maker {
    issuer(name, &json!({"ca": {"secretName": secret}}))
}

/// An Issuer at a Vault, with an AppRole whose secret id stands in the Secret `<name>-approle`.
pub fn vault_issuer(name: &str, server: &str, sign_path: &str, role_id: &str) -> Maker {
    let secret = json!({"name": format!("{name}-approle"), "key": "secretId"});
    let approle = json!({"path": "approle", "roleId": role_id, "secretRef": secret});
    issuer(name, &json!({"vault": {"server": server, "path": sign_path, "auth": {"appRole": approle}}}))
}

/// The Secret that [`vault_issuer`] names.
pub fn approle_secret(issuer: &str, secret_id: &str) -> Maker {
    secret(&format!("{issuer}-approle"), &[("secretId", secret_id)])
}

/// An Opaque Secret with text values.
pub fn secret(name: &str, data: &[(&str, &str)]) -> Maker {
    let data: serde_json::Map<_, _> =
        data.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    Maker(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "Opaque", "stringData": data,
    }))
}

fn issuer(name: &str, spec: &Value) -> Maker {
    Maker(json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": {"name": name}, "spec": spec,
    }))
}

impl Maker {
    /// Takes over an object as it is.
    pub fn of(object: Value) -> Self {
        Self(object)
    }

    /// Puts it into a namespace.
    pub fn in_namespace(self, namespace: &str) -> Self {
        self.with("/metadata/namespace", json!(namespace))
    }

    /// Makes a ClusterIssuer of an Issuer.
    pub fn cluster_wide(self) -> Self {
        self.with("/kind", json!("ClusterIssuer"))
    }

    /// Lets a Certificate come from another Issuer.
    pub fn from_issuer(self, name: &str) -> Self {
        self.with("/spec/issuerRef", json!({"name": name}))
    }

    /// Lets a Certificate come from a ClusterIssuer.
    pub fn from_cluster_issuer(self, name: &str) -> Self {
        self.with("/spec/issuerRef", json!({"name": name, "kind": "ClusterIssuer"}))
    }

    /// Sets how long a Certificate lives and how long before its end it is renewed, as Go durations.
    pub fn living(self, duration: &str, renew_before: &str) -> Self {
        self.with("/spec/duration", json!(duration)).with("/spec/renewBefore", json!(renew_before))
    }

    /// Sets the value at a JSON pointer, making the objects on the way.
    pub fn with(mut self, pointer: &str, value: Value) -> Self {
        let mut place = &mut self.0;
        for part in pointer.split('/').skip(1) {
            if !place.is_object() {
                *place = json!({});
            }
            let Some(object) = place.as_object_mut() else { return self };
            place = object.entry(part.to_owned()).or_insert(Value::Null);
        }
        *place = value;
        self
    }

    /// The object.
    pub fn json(self) -> Value {
        self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_pointer_reaches_into_objects_that_are_not_there_yet() {
        let made = certificate("web").with("/spec/secretTemplate/labels/team", json!("a")).json();
        assert_eq!(made.pointer("/spec/secretTemplate/labels/team").unwrap(), "a");
        assert_eq!(made.pointer("/spec/secretName").unwrap(), "web-tls");
    }
}
