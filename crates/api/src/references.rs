//! References from one object to another: to issuers, to Secrets and their keys, to ServiceAccounts.
//! An empty name means "not set": Go clients write `secretRef: {name: ""}` where nothing was chosen.
//! Nothing here looks the referred objects up.

use everleaf_core::wanted::IssuerRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Refers to an issuer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct IssuerReference {
    /// Name of the issuer.
    pub name: String,
    /// Kind of the issuer. `Issuer` is meant where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// API group of the issuer. `cert-manager.io` is meant where nothing is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// The reference with its defaults filled in for comparison, and what was written kept for annotations.
pub fn issuer_ref(reference: &IssuerReference) -> IssuerRef {
    IssuerRef {
        name: reference.name.clone(),
        written_kind: reference.kind.clone().unwrap_or_default(),
        written_group: reference.group.clone().unwrap_or_default(),
    }
}

/// Refers to another object by its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LocalReference {
    /// Name of the object.
    pub name: String,
}

/// Refers to one entry of a Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretKeySelector {
    /// Name of the Secret. It is looked for in the namespace of an Issuer, and in the cluster resource namespace for a
    /// ClusterIssuer.
    pub name: String,
    /// Key of the entry in the Secret's data. Some fields have a default for it, others need it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl SecretKeySelector {
    /// The key, or `default` where none is written.
    pub fn key_or<'a>(&'a self, default: &'a str) -> &'a str {
        self.key.as_deref().filter(|key| !key.is_empty()).unwrap_or(default)
    }
}

/// The selector, unless it isn't there or its name is empty.
pub fn chosen(selector: &Option<SecretKeySelector>) -> Option<&SecretKeySelector> {
    selector.as_ref().filter(|selector| !selector.name.is_empty())
}

/// Refers to a ServiceAccount whose token is asked for when it is needed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceAccountReference {
    /// Name of the ServiceAccount. The controller needs the right to create tokens for it.
    pub name: String,
    /// More audiences for the token, beside the one that is always in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audiences: Option<Vec<String>>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn absent_and_default_kind_and_group_refer_to_the_same_issuer() {
        let short = IssuerReference { name: "ca".into(), ..Default::default() };
        let long = IssuerReference {
            name: "ca".into(),
            kind: Some("Issuer".into()),
            group: Some("cert-manager.io".into()),
        };
        assert_eq!(issuer_ref(&short), issuer_ref(&long));
        assert_eq!(issuer_ref(&short).written_kind, "");
        assert_eq!(issuer_ref(&long).written_kind, "Issuer");
        let cluster = IssuerReference { kind: Some("ClusterIssuer".into()), ..short.clone() };
        assert_ne!(issuer_ref(&short), issuer_ref(&cluster));
    }

    #[test]
    fn an_empty_name_means_not_set_but_survives() {
        let stored = serde_json::json!({ "name": "" });
        let selector: SecretKeySelector = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!(serde_json::to_value(&selector).unwrap(), stored);
        assert_eq!(chosen(&Some(selector)), None);
        assert_eq!(chosen(&None), None);
    }

    #[test]
    fn an_empty_key_takes_the_default() {
        let selector = |key: Option<&str>| SecretKeySelector { name: "s".into(), key: key.map(Into::into) };
        assert_eq!(selector(None).key_or("ca.crt"), "ca.crt");
        assert_eq!(selector(Some("")).key_or("ca.crt"), "ca.crt");
        assert_eq!(selector(Some("root")).key_or("ca.crt"), "root");
    }
}
