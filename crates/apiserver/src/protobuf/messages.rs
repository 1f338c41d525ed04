//! The messages of built-in kinds: which number is which field, and what it holds.
//! The numbers are those of the Kubernetes API definitions (1.36); they never change.
//! What the server fills in itself (status of reviews and the like) isn't read.

/// A message.
pub(super) struct Message(pub(super) &'static [Field]);

/// A field of a message.
pub(super) struct Field {
    pub(super) number: u64,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// What a field holds.
pub(super) enum Kind {
    Bool,
    Int,
    Text,
    Bytes,
    /// JSON in bytes, inside a message.
    Json,
    Seconds,
    Microseconds,
    Message(&'static Message),
    Texts,
    Messages(&'static Message),
    TextMap,
    ByteMap,
}

use Kind::{Bool, ByteMap, Bytes, Int, Json, Messages, Microseconds, Seconds, Text, TextMap, Texts};

const fn f(number: u64, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind }
}

/// The message of a kind.
pub(super) fn of(api_version: &str, kind: &str) -> Option<&'static Message> {
    Some(match (api_version, kind) {
        ("v1", "Secret") => &SECRET,
        ("v1", "ConfigMap") => &CONFIG_MAP,
        ("v1", "Namespace") => &NAMESPACE,
        ("v1", "ServiceAccount") => &SERVICE_ACCOUNT,
        ("v1", "Event") => &EVENT,
        ("events.k8s.io/v1", "Event") => &NEW_EVENT,
        ("coordination.k8s.io/v1", "Lease") => &LEASE,
        ("authorization.k8s.io/v1", "SelfSubjectAccessReview") => &SELF_ACCESS,
        ("authorization.k8s.io/v1", "SubjectAccessReview" | "LocalSubjectAccessReview") => &ACCESS,
        ("authorization.k8s.io/v1", "SelfSubjectRulesReview") => &SELF_RULES,
        ("authentication.k8s.io/v1", "SelfSubjectReview") => &SELF_SUBJECT,
        ("authentication.k8s.io/v1", "TokenReview") => &TOKEN,
        (_, "DeleteOptions") => &DELETE_OPTIONS,
        _ => return None,
    })
}

/// The envelope around every object.
pub(super) static UNKNOWN: Message =
    Message(&[f(1, "typeMeta", Kind::Message(&TYPE_META)), f(2, "raw", Bytes)]);
static TYPE_META: Message = Message(&[f(1, "apiVersion", Text), f(2, "kind", Text)]);

static META: Message = Message(&[
    f(1, "name", Text),
    f(2, "generateName", Text),
    f(3, "namespace", Text),
    f(5, "uid", Text),
    f(6, "resourceVersion", Text),
    f(8, "creationTimestamp", Seconds),
    f(9, "deletionTimestamp", Seconds),
    f(10, "deletionGracePeriodSeconds", Int),
    f(11, "labels", TextMap),
    f(12, "annotations", TextMap),
    f(13, "ownerReferences", Messages(&OWNER)),
    f(14, "finalizers", Texts),
    f(17, "managedFields", Messages(&MANAGED)),
]);
static OWNER: Message = Message(&[
    f(1, "kind", Text),
    f(3, "name", Text),
    f(4, "uid", Text),
    f(5, "apiVersion", Text),
    f(6, "controller", Bool),
    f(7, "blockOwnerDeletion", Bool),
]);
static MANAGED: Message = Message(&[
    f(1, "manager", Text),
    f(2, "operation", Text),
    f(3, "apiVersion", Text),
    f(4, "time", Seconds),
    f(6, "fieldsType", Text),
    f(7, "fieldsV1", Json),
    f(8, "subresource", Text),
]);
static REFERENCE: Message = Message(&[
    f(1, "kind", Text),
    f(2, "namespace", Text),
    f(3, "name", Text),
    f(4, "uid", Text),
    f(5, "apiVersion", Text),
    f(6, "resourceVersion", Text),
    f(7, "fieldPath", Text),
]);

static SECRET: Message = Message(&[
    f(1, "metadata", Kind::Message(&META)),
    f(2, "data", ByteMap),
    f(3, "type", Text),
    f(4, "stringData", TextMap),
    f(5, "immutable", Bool),
]);
static CONFIG_MAP: Message = Message(&[
    f(1, "metadata", Kind::Message(&META)),
    f(2, "data", TextMap),
    f(3, "binaryData", ByteMap),
    f(4, "immutable", Bool),
]);
static NAMESPACE: Message =
    Message(&[f(1, "metadata", Kind::Message(&META)), f(2, "spec", Kind::Message(&NAMESPACE_SPEC))]);
static NAMESPACE_SPEC: Message = Message(&[f(1, "finalizers", Texts)]);
static SERVICE_ACCOUNT: Message = Message(&[
    f(1, "metadata", Kind::Message(&META)),
    f(2, "secrets", Messages(&REFERENCE)),
    f(3, "imagePullSecrets", Messages(&LOCAL_REFERENCE)),
    f(4, "automountServiceAccountToken", Bool),
]);
static LOCAL_REFERENCE: Message = Message(&[f(1, "name", Text)]);

static EVENT: Message = Message(&[
    f(1, "metadata", Kind::Message(&META)),
    f(2, "involvedObject", Kind::Message(&REFERENCE)),
    f(3, "reason", Text),
    f(4, "message", Text),
    f(5, "source", Kind::Message(&SOURCE)),
    f(6, "firstTimestamp", Seconds),
    f(7, "lastTimestamp", Seconds),
    f(8, "count", Int),
    f(9, "type", Text),
    f(10, "eventTime", Microseconds),
    f(11, "series", Kind::Message(&SERIES)),
    f(12, "action", Text),
    f(13, "related", Kind::Message(&REFERENCE)),
    f(14, "reportingComponent", Text),
    f(15, "reportingInstance", Text),
]);
static NEW_EVENT: Message = Message(&[
    f(1, "metadata", Kind::Message(&META)),
    f(2, "eventTime", Microseconds),
    f(3, "series", Kind::Message(&SERIES)),
    f(4, "reportingController", Text),
    f(5, "reportingInstance", Text),
    f(6, "action", Text),
    f(7, "reason", Text),
    f(8, "regarding", Kind::Message(&REFERENCE)),
    f(9, "related", Kind::Message(&REFERENCE)),
    f(10, "note", Text),
    f(11, "type", Text),
    f(12, "deprecatedSource", Kind::Message(&SOURCE)),
    f(13, "deprecatedFirstTimestamp", Seconds),
    f(14, "deprecatedLastTimestamp", Seconds),
    f(15, "deprecatedCount", Int),
]);
static SOURCE: Message = Message(&[f(1, "component", Text), f(2, "host", Text)]);
static SERIES: Message = Message(&[f(1, "count", Int), f(2, "lastObservedTime", Microseconds)]);

static LEASE: Message =
    Message(&[f(1, "metadata", Kind::Message(&META)), f(2, "spec", Kind::Message(&LEASE_SPEC))]);
static LEASE_SPEC: Message = Message(&[
    f(1, "holderIdentity", Text),
    f(2, "leaseDurationSeconds", Int),
    f(3, "acquireTime", Microseconds),
    f(4, "renewTime", Microseconds),
    f(5, "leaseTransitions", Int),
    f(6, "strategy", Text),
    f(7, "preferredHolder", Text),
]);

static SELF_ACCESS: Message =
    Message(&[f(1, "metadata", Kind::Message(&META)), f(2, "spec", Kind::Message(&SELF_ACCESS_SPEC))]);
static SELF_ACCESS_SPEC: Message = Message(&[
    f(1, "resourceAttributes", Kind::Message(&RESOURCE)),
    f(2, "nonResourceAttributes", Kind::Message(&NON_RESOURCE)),
]);
static ACCESS: Message =
    Message(&[f(1, "metadata", Kind::Message(&META)), f(2, "spec", Kind::Message(&ACCESS_SPEC))]);
static ACCESS_SPEC: Message = Message(&[
    f(1, "resourceAttributes", Kind::Message(&RESOURCE)),
    f(2, "nonResourceAttributes", Kind::Message(&NON_RESOURCE)),
    f(3, "user", Text),
    f(4, "groups", Texts),
    f(6, "uid", Text),
]);
static RESOURCE: Message = Message(&[
    f(1, "namespace", Text),
    f(2, "verb", Text),
    f(3, "group", Text),
    f(4, "version", Text),
    f(5, "resource", Text),
    f(6, "subresource", Text),
    f(7, "name", Text),
]);
static NON_RESOURCE: Message = Message(&[f(1, "path", Text), f(2, "verb", Text)]);
static SELF_RULES: Message =
    Message(&[f(1, "metadata", Kind::Message(&META)), f(2, "spec", Kind::Message(&SELF_RULES_SPEC))]);
static SELF_RULES_SPEC: Message = Message(&[f(1, "namespace", Text)]);
static SELF_SUBJECT: Message = Message(&[f(1, "metadata", Kind::Message(&META))]);
static TOKEN: Message =
    Message(&[f(1, "metadata", Kind::Message(&META)), f(2, "spec", Kind::Message(&TOKEN_SPEC))]);
static TOKEN_SPEC: Message = Message(&[f(1, "token", Text), f(2, "audiences", Texts)]);

static DELETE_OPTIONS: Message = Message(&[
    f(1, "gracePeriodSeconds", Int),
    f(2, "preconditions", Kind::Message(&PRECONDITIONS)),
    f(3, "orphanDependents", Bool),
    f(4, "propagationPolicy", Text),
    f(5, "dryRun", Texts),
]);
static PRECONDITIONS: Message = Message(&[f(1, "uid", Text), f(2, "resourceVersion", Text)]);
