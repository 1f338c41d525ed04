//! Secrets in and out: facts of a Secret as it is, and the Secret to write for a checked certificate.
//! Facts hold no private key. It never talks to the API.

use std::collections::{BTreeMap, BTreeSet};

use everleaf_core::annotations::{self, FAO_LABEL};
use everleaf_core::checked::Checked;
use everleaf_core::observed::{Entry, KeyFacts, ManagedSet, SecretSeen};
use everleaf_core::wanted::{OutputFormat, Wanted};
use everleaf_core::x509::{Certificate, PrivateKey};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, OwnerReference};
use kube::api::ObjectMeta;

/// The field manager under which target Secrets are applied: the peer's, so that a swap in either direction needs no migration.
pub const FIELD_MANAGER: &str = "cert-manager-certificates-issuing";
/// Label of Secrets that hold the key of a running issuance.
pub const NEXT_KEY_LABEL: &str = "cert-manager.io/next-private-key";

const TLS_KEY: &str = "tls.key";
const TLS_CRT: &str = "tls.crt";
const CA_CRT: &str = "ca.crt";
const KEY_DER: &str = "key.der";
const COMBINED: &str = "tls-combined.pem";

/// Facts of a Secret as it stands.
pub fn facts(secret: &Secret) -> SecretSeen {
    let empty = BTreeMap::new();
    let data = secret.data.as_ref().unwrap_or(&empty);
    let entry = |name: &str| data.get(name).map(|bytes| bytes.0.as_slice()).filter(|bytes| !bytes.is_empty());
    let (key_pem, crt_pem) = (entry(TLS_KEY), entry(TLS_CRT));
    let private = key_pem.map(PrivateKey::from_pem);
    let key = match &private {
        None => Entry::Missing,
        Some(Ok(key)) => Entry::Read(KeyFacts { public: key.public().clone(), kind: key.kind() }),
        Some(Err(error)) => Entry::Unreadable(error.to_string()),
    };
    let certificate = match crt_pem.map(Certificate::from_pem) {
        None => Entry::Missing,
        Some(Ok(leaf)) => Entry::Read(leaf),
        Some(Err(error)) => Entry::Unreadable(error.to_string()),
    };
    SecretSeen {
        resource_version: secret.metadata.resource_version.clone().unwrap_or_default(),
        kind: secret.type_.clone().unwrap_or_default(),
        key,
        certificate,
        data_keys: data.iter().filter(|(_, value)| !value.0.is_empty()).map(|(key, _)| key.clone()).collect(),
        unsound_formats: unsound_formats(key_pem, crt_pem, entry(KEY_DER), entry(COMBINED)),
        has_ca: entry(CA_CRT).is_some_and(|pem| Certificate::from_pem(pem).is_ok()),
        labels: secret.metadata.labels.clone().unwrap_or_default(),
        annotations: secret.metadata.annotations.clone().unwrap_or_default(),
        owners: owners(secret.metadata.owner_references.as_deref().unwrap_or_default()),
        managed: managed(secret.metadata.managed_fields.as_deref().unwrap_or_default()),
    }
}

/// Owner references as we write them; one that was changed by hand doesn't count.
fn owners(references: &[OwnerReference]) -> Vec<String> {
    let as_ours = references.iter().filter(|owner| {
        owner.kind == "Certificate"
            && owner.controller == Some(true)
            && owner.block_owner_deletion == Some(true)
    });
    as_ours.map(|owner| owner.uid.clone()).collect()
}

/// The extra formats that are there and don't hold what they should.
fn unsound_formats(
    key: Option<&[u8]>,
    crt: Option<&[u8]>,
    der: Option<&[u8]>,
    combined: Option<&[u8]>,
) -> BTreeSet<OutputFormat> {
    let (Some(key), Some(crt)) = (key, crt) else { return BTreeSet::new() };
    let der_sound = der.is_none_or(|der| pem_body(key).is_some_and(|body| body == der));
    let combined_sound = combined.is_none_or(|combined| combined == combine(key, crt));
    let pairs = [(OutputFormat::Der, der_sound), (OutputFormat::CombinedPem, combined_sound)];
    pairs.into_iter().filter_map(|(format, sound)| (!sound).then_some(format)).collect()
}

fn combine(key: &[u8], crt: &[u8]) -> Vec<u8> {
    [key, b"\n", crt].concat()
}

/// The DER inside the first PEM block.
fn pem_body(pem: &[u8]) -> Option<Vec<u8>> {
    everleaf_core::x509::pem::first_block(pem).ok().map(|block| block.der.to_vec())
}

/// What our own field manager owns of this Secret.
fn managed(entries: &[ManagedFieldsEntry]) -> Result<Option<ManagedSet>, String> {
    let ours = entries.iter().filter(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
    let mut owned: Option<ManagedSet> = None;
    for entry in ours {
        let set = owned.get_or_insert_default();
        let Some(fields) = &entry.fields_v1 else { continue };
        let fields = &fields.0;
        if !fields.is_object() {
            return Err("fieldsV1 is not an object".to_owned());
        }
        let keys = |path: &[&str]| -> BTreeSet<String> {
            let mut at = fields;
            for step in path {
                match at.get(step) {
                    Some(below) => at = below,
                    None => return BTreeSet::new(),
                }
            }
            let keys = at.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
            keys.filter_map(|key| key.strip_prefix("f:").or_else(|| key.strip_prefix("k:")))
                .map(str::to_owned)
                .collect()
        };
        set.labels.extend(keys(&["f:metadata", "f:labels"]));
        set.annotations.extend(keys(&["f:metadata", "f:annotations"]));
        set.data.extend(keys(&["f:data"]));
        set.owners.extend(keys(&["f:metadata", "f:ownerReferences"]).iter().filter_map(|key| owner_uid(key)));
    }
    Ok(owned)
}

fn owner_uid(key: &str) -> Option<String> {
    let key: serde_json::Value = serde_json::from_str(key).ok()?;
    Some(key.get("uid")?.as_str()?.to_owned())
}

/// What a target Secret is written from.
pub struct Contents<'a> {
    /// The wish.
    pub wanted: &'a Wanted,
    /// Name of the Certificate.
    pub certificate_name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The private key, as PEM in the encoding wanted.
    pub key_pem: &'a [u8],
    /// `tls.crt`
    pub certificate_pem: &'a [u8],
    /// `ca.crt`
    pub ca_pem: Option<&'a [u8]>,
    /// The leaf in `tls.crt`.
    pub leaf: &'a Certificate,
    /// Keystores, by their keys.
    pub keystores: Vec<(&'static str, Vec<u8>)>,
    /// The type of the Secret as it stands; Kubernetes doesn't let it change.
    pub kind: Option<&'a str>,
    /// The Certificate as owner, if Secrets are to go with it.
    pub owner: Option<OwnerReference>,
}

impl<'a> Contents<'a> {
    /// The PEM texts of a checked certificate: chain and CA.
    pub fn texts(checked: &Checked) -> (String, Option<String>) {
        (checked.chain().to_pem(), checked.chain().ca_pem())
    }
}

/// The Secret as it is applied.
pub fn target(contents: &Contents<'_>) -> Secret {
    let wanted = contents.wanted;
    let mut labels = wanted.secret_template.labels.clone();
    labels.insert(FAO_LABEL.to_owned(), "true".to_owned());
    let mut marks = wanted.secret_template.annotations.clone();
    marks.extend(annotations::details(contents.leaf));
    marks.insert(annotations::CERTIFICATE_NAME.to_owned(), contents.certificate_name.to_owned());
    marks.insert(annotations::ISSUER_NAME.to_owned(), wanted.issuer.name.clone());
    marks.insert(annotations::ISSUER_KIND.to_owned(), wanted.issuer.written_kind.clone());
    marks.insert(annotations::ISSUER_GROUP.to_owned(), wanted.issuer.written_group.clone());
    Secret {
        metadata: ObjectMeta {
            name: Some(wanted.secret_name.clone()),
            namespace: Some(contents.namespace.to_owned()),
            labels: Some(labels),
            annotations: Some(marks),
            owner_references: contents.owner.clone().map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        type_: Some(contents.kind.filter(|kind| !kind.is_empty()).unwrap_or("kubernetes.io/tls").to_owned()),
        data: Some(data(contents)),
        ..Secret::default()
    }
}

fn data(contents: &Contents<'_>) -> BTreeMap<String, ByteString> {
    let mut data = BTreeMap::new();
    let mut put = |key: &str, bytes: Vec<u8>| drop(data.insert(key.to_owned(), ByteString(bytes)));
    put(TLS_KEY, contents.key_pem.to_vec());
    put(TLS_CRT, contents.certificate_pem.to_vec());
    if let Some(ca) = contents.ca_pem.filter(|ca| !ca.is_empty()) {
        put(CA_CRT, ca.to_vec());
    }
    for format in &contents.wanted.output_formats {
        match format {
            OutputFormat::Der => {
                put(KEY_DER, pem_body(contents.key_pem).unwrap_or_default());
            }
            OutputFormat::CombinedPem => {
                put(COMBINED, combine(contents.key_pem, contents.certificate_pem));
            }
        }
    }
    contents.keystores.iter().for_each(|(key, bytes)| put(key, bytes.clone()));
    data
}

/// A temporary certificate comes from no issuer.
pub fn leave_out_issuer(secret: &mut Secret) {
    let marks = secret.metadata.annotations.get_or_insert_default();
    marks.retain(|key, _| {
        key == annotations::CERTIFICATE_NAME || !annotations::CARRIED.contains(&key.as_str())
    });
}

/// A refresh doesn't change who issued: what the Secret says of its issuer and Certificate stays.
pub fn carry_issuer(secret: &mut Secret, is: Option<&BTreeMap<String, String>>) {
    let marks = secret.metadata.annotations.get_or_insert_default();
    for key in annotations::CARRIED {
        match is.and_then(|is| is.get(key)) {
            Some(value) => marks.insert(key.to_owned(), value.clone()),
            None => marks.remove(key),
        };
    }
}
