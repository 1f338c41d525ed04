//! Descriptions and map types of the parts that are Kubernetes' own (affinity, tolerations, ...).
//! Their types come from `k8s-openapi` with its long texts; the definitions say it shorter, in our words.
//! Nothing outside of those parts is touched.

use serde_json::{Value, json};

/// Fields whose schema comes from Kubernetes.
const FOREIGN: [&str; 5] = ["affinity", "tolerations", "seLinuxOptions", "seccompProfile", "sysctls"];
/// Objects in them that are replaced as a whole when several writers apply them.
const ATOMIC: [&str; 3] = ["preference", "labelSelector", "namespaceSelector"];
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// Field of ours, field in it, what it is.
const WORDS: &[(&str, &str, &str)] = &[
    ("affinity", "nodeAffinity", "Nodes that the pod is drawn to."),
    ("affinity", "podAffinity", "Other pods that the pod is drawn to."),
    ("affinity", "podAntiAffinity", "Other pods that the pod is kept away from."),
    ("affinity", PREFERRED, "Wishes with weights. A node that meets more of them is taken first."),
    ("affinity", REQUIRED, "Conditions that a node must meet when the pod is put there."),
    ("affinity", "preference", "The nodes that are wished for."),
    ("affinity", "podAffinityTerm", "The pods that are meant, and what counts as near to them."),
    ("affinity", "weight", "Weight of the wish, 1 to 100."),
    ("affinity", "nodeSelectorTerms", "Kinds of nodes. One of them must match."),
    ("affinity", "matchExpressions", "Conditions on labels. All of them must match."),
    ("affinity", "matchFields", "Conditions on fields. All of them must match."),
    ("affinity", "key", "Name of the label or field."),
    (
        "affinity",
        "operator",
        "How it is compared: In, NotIn, Exists or DoesNotExist; for nodes also Gt and Lt.",
    ),
    (
        "affinity",
        "values",
        "What it is compared with. Empty for Exists and DoesNotExist, one number for Gt and Lt.",
    ),
    ("affinity", "labelSelector", "Labels of the pods that are meant. Without it none are."),
    ("affinity", "matchLabels", "Labels with their values. All of them must match."),
    ("affinity", "matchLabelKeys", "Labels that the pods that are meant must share with this pod."),
    ("affinity", "mismatchLabelKeys", "Labels that the pods that are meant must not share with this pod."),
    (
        "affinity",
        "namespaceSelector",
        "Labels of the namespaces whose pods are meant. An empty selector means all.",
    ),
    (
        "affinity",
        "namespaces",
        "Names of the namespaces whose pods are meant; the pod's own where nothing is given.",
    ),
    ("affinity", "topologyKey", "Label of nodes. Nodes with the same value count as one place."),
    (
        "tolerations",
        "effect",
        "Effect of the taint: NoSchedule, PreferNoSchedule or NoExecute; all where nothing is given.",
    ),
    ("tolerations", "key", "Key of the taint; all where nothing is given."),
    ("tolerations", "operator", "How the value is compared: Equal or Exists; Equal where nothing is given."),
    (
        "tolerations",
        "tolerationSeconds",
        "How long a NoExecute taint is put up with; for ever where nothing is given.",
    ),
    ("tolerations", "value", "Value of the taint."),
    ("seLinuxOptions", "level", "SELinux level."),
    ("seLinuxOptions", "role", "SELinux role."),
    ("seLinuxOptions", "type", "SELinux type."),
    ("seLinuxOptions", "user", "SELinux user."),
    ("seccompProfile", "localhostProfile", "File on the node with the profile. For the type Localhost only."),
    ("seccompProfile", "type", "Kind of profile: RuntimeDefault, Unconfined or Localhost."),
    ("sysctls", "name", "Name of the kernel setting."),
    ("sysctls", "value", "Its value."),
];

/// Puts our words into the foreign parts of a schema, wherever they are.
pub(super) fn put_into(schema: &mut Value) {
    for (name, property) in properties(schema) {
        match FOREIGN.iter().find(|foreign| *foreign == name) {
            Some(part) => reword(property, part),
            None => put_into(property),
        }
    }
    if let Some(items) = schema.get_mut("items") {
        put_into(items);
    }
}

fn reword(schema: &mut Value, part: &str) {
    for (name, property) in properties(schema) {
        let words = WORDS.iter().find(|(of, field, _)| *of == part && field == name);
        set(property, "description", words.map(|(_, _, words)| json!(words)));
        let is_node_selector = name == REQUIRED && property.get("type") == Some(&json!("object"));
        if is_node_selector || ATOMIC.contains(&name.as_str()) {
            set(property, "x-kubernetes-map-type", Some(json!("atomic")));
        }
        reword(property, part);
        if name == "nodeSelectorTerms"
            && let Some(term) = property.get_mut("items")
        {
            set(term, "x-kubernetes-map-type", Some(json!("atomic")));
        }
    }
    if let Some(items) = schema.get_mut("items") {
        set(items, "description", None);
        reword(items, part);
    }
}

fn properties(schema: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten()
}

fn set(schema: &mut Value, key: &str, value: Option<Value>) {
    let Some(object) = schema.as_object_mut() else { return };
    match value {
        Some(value) => object.insert(key.to_owned(), value),
        None => object.remove(key),
    };
}
