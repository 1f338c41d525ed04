//! Create, get, replace: names, namespaces, versions, conflicts, dry runs, built-in kinds.

use serde_json::json;

use super::objects::*;
use super::row::{JSON, Row, row};

pub fn rows() -> Vec<Row> {
    [create(), replace(), builtin(), refusals()].concat()
}

fn create() -> Vec<Row> {
    vec![
        row("a new object gets what the server fills in")
            .post(WIDGETS, red("a"))
            .is(201)
            .has("/metadata/namespace", "$ns")
            .has("/metadata/generation", 1)
            .fills("/metadata/uid")
            .fills("/metadata/resourceVersion")
            .fills("/metadata/creationTimestamp")
            .lacks("/metadata/selfLink"),
        row("a created object can be read")
            .post(WIDGETS, red("a"))
            .keep("rv", "/metadata/resourceVersion")
            .get(&at(WIDGETS, "a"))
            .is(200)
            .has("/metadata/resourceVersion", "$rv")
            .has("/kind", "Widget")
            .has("/apiVersion", "behaviours.everleaf.dev/v1"),
        row("a second object with the same name is refused")
            .post(WIDGETS, red("a"))
            .is(201)
            .post(WIDGETS, red("a"))
            .is(409)
            .because("AlreadyExists")
            .says("widgets.behaviours.everleaf.dev \"a\" already exists")
            .has("/details/group", "behaviours.everleaf.dev")
            .has("/details/kind", "widgets"),
        row("an object that is not there is not found")
            .get(&at(WIDGETS, "a"))
            .is(404)
            .because("NotFound")
            .says("widgets.behaviours.everleaf.dev \"a\" not found")
            .get(&at(SECRETS, "a"))
            .is(404)
            .says("secrets \"a\" not found"),
        row("an object in a namespace that is not there is not found")
            .post("/apis/behaviours.everleaf.dev/v1/namespaces/$ns-none/widgets", red("a"))
            .is(404)
            .says("namespaces \"$ns-none\" not found"),
        row("a generated name begins with its base")
            .post(
                WIDGETS,
                json!({"apiVersion": "behaviours.everleaf.dev/v1", "kind": "Widget",
                "metadata": {"generateName": "gen-"}, "spec": {"color": "red"}}),
            )
            .is(201)
            .has("/metadata/generateName", "gen-")
            .keep("name", "/metadata/name")
            .get(&at(WIDGETS, "$name"))
            .is(200),
        row("a name given beside a base wins")
            .post(WIDGETS, with(red("a"), json!({"generateName": "gen-"})))
            .is(201)
            .has("/metadata/name", "a"),
        row("an object without a name is refused")
            .post(
                WIDGETS,
                json!({"apiVersion": "behaviours.everleaf.dev/v1", "kind": "Widget", "metadata": {},
                "spec": {"color": "red"}}),
            )
            .is(422)
            .because("Invalid")
            .blames(&["metadata.name"]),
        row("a name that is no subdomain is refused")
            .post(WIDGETS, red("A_b"))
            .is(422)
            .blames(&["metadata.name"])
            .post(SECRETS, secret("a b", json!({})))
            .is(422)
            .blames(&["metadata.name"]),
        row("another namespace in the body is refused")
            .post(WIDGETS, with(red("a"), json!({"namespace": "other"})))
            .is(400)
            .says("the namespace of the provided object does not match the namespace sent on the request"),
        row("a resourceVersion on a new object is refused")
            .post(WIDGETS, with(red("a"), json!({"resourceVersion": "5"})))
            .is(500)
            .says("resourceVersion should not be set on objects to be created"),
        row("uid and creation time of the caller are not taken")
            .post(
                WIDGETS,
                with(
                    red("a"),
                    json!({"uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z", "generation": 7}),
                ),
            )
            .is(201)
            .has_not("/metadata/uid", "mine")
            .has_not("/metadata/creationTimestamp", "2001-01-01T00:00:00Z")
            .has("/metadata/generation", 1),
        row("a status given at creation is dropped where status is apart")
            .post(
                WIDGETS,
                json!({"apiVersion": "behaviours.everleaf.dev/v1", "kind": "Widget",
                "metadata": {"name": "a"}, "spec": {"color": "red"}, "status": {"phase": "x"}}),
            )
            .is(201)
            .lacks("/status"),
        row("a dry run of a creation leaves nothing")
            .post(&at(WIDGETS, "?dryRun=All").replace("/?", "?"), red("a"))
            .is(201)
            .fills("/metadata/uid")
            .lacks("/metadata/resourceVersion")
            .get(&at(WIDGETS, "a"))
            .is(404),
        row("a dry run of a creation is checked")
            .post(&format!("{WIDGETS}?dryRun=All"), widget("a", json!({"color": "pink"})))
            .is(422)
            .post(WIDGETS, red("a"))
            .is(201)
            .post(&format!("{WIDGETS}?dryRun=All"), red("a"))
            .is(409),
        row("labels and annotations must have good keys and values")
            .post(WIDGETS, with(red("a"), json!({"labels": {"a b": "c"}})))
            .is(422)
            .blames(&["metadata.labels"])
            .post(WIDGETS, with(red("a"), json!({"labels": {"a": "b c"}})))
            .is(422)
            .blames(&["metadata.labels"])
            .post(WIDGETS, with(red("a"), json!({"annotations": {"a b": "anything at all"}})))
            .is(422)
            .blames(&["metadata.annotations"]),
        row("empty parts of the metadata are not kept")
            .post(WIDGETS, with(red("a"), json!({"labels": {}, "annotations": {}, "finalizers": []})))
            .is(201)
            .lacks("/metadata/labels")
            .lacks("/metadata/annotations")
            .lacks("/metadata/finalizers"),
        row("an owner must be named whole")
            .post(
                WIDGETS,
                with(
                    red("a"),
                    json!({"ownerReferences": [{"apiVersion": "v1", "kind": "Secret", "name": "x"}]}),
                ),
            )
            .is(422)
            .blames(&["metadata.ownerReferences.uid"]),
        row("two controlling owners are refused")
            .post(
                WIDGETS,
                with(
                    red("a"),
                    json!({"ownerReferences": [
                {"apiVersion": "v1", "kind": "Secret", "name": "x", "uid": "1", "controller": true},
                {"apiVersion": "v1", "kind": "Secret", "name": "y", "uid": "2", "controller": true}]}),
                ),
            )
            .is(422)
            .blames(&["metadata.ownerReferences"]),
    ]
}

fn replace() -> Vec<Row> {
    vec![
        row("a replacement at the version that was read is taken")
            .post(WIDGETS, red("a"))
            .keep("rv", "/metadata/resourceVersion")
            .put(&at(WIDGETS, "a"), with(widget("a", json!({"color": "blue"})), json!({"resourceVersion": "$rv"})))
            .is(200)
            .has("/spec/color", "blue")
            .has("/metadata/generation", 2)
            .has_not("/metadata/resourceVersion", "$rv"),
        row("a replacement at an old version is a conflict")
            .post(WIDGETS, red("a"))
            .keep("rv", "/metadata/resourceVersion")
            .put(&at(WIDGETS, "a"), with(widget("a", json!({"color": "blue"})), json!({"resourceVersion": "$rv"})))
            .is(200)
            .put(&at(WIDGETS, "a"), with(widget("a", json!({"color": "green"})), json!({"resourceVersion": "$rv"})))
            .is(409)
            .because("Conflict")
            .says("Operation cannot be fulfilled on widgets.behaviours.everleaf.dev \"a\": the object has been modified"),
        row("a custom object is not replaced without a version")
            .post(WIDGETS, red("a"))
            .put(&at(WIDGETS, "a"), widget("a", json!({"color": "blue"})))
            .is(422)
            .blames(&["metadata.resourceVersion"])
            .says("must be specified for an update"),
        row("a built-in object is replaced without a version")
            .post(SECRETS, secret("a", json!({"x": "eA=="})))
            .put(&at(SECRETS, "a"), secret("a", json!({"y": "eQ=="})))
            .is(200)
            .has("/data", json!({"y": "eQ=="})),
        row("a service account is replaced without a version")
            .post(ACCOUNTS, json!({"metadata": {"name": "a"}}))
            .is(201)
            .put(&at(ACCOUNTS, "a"), json!({"metadata": {"name": "a", "labels": {"x": "y"}}}))
            .is(200)
            .has("/metadata/labels/x", "y"),
        row("a replacement of what is not there is not found")
            .put(&at(WIDGETS, "a"), with(red("a"), json!({"resourceVersion": "1"})))
            .is(404)
            .put(&at(SECRETS, "a"), secret("a", json!({})))
            .is(404),
        row("a lease is made by a replacement")
            .put(&at(LEASES, "a"), json!({"metadata": {"name": "a"}, "spec": {"holderIdentity": "me"}}))
            .is(201)
            .put(&at(LEASES, "a"), json!({"metadata": {"name": "a"}, "spec": {"holderIdentity": "you"}}))
            .is(422)
            .blames(&["metadata.resourceVersion"]),
        row("a replacement under another name is refused")
            .post(WIDGETS, red("a"))
            .put(&at(WIDGETS, "a"), with(red("b"), json!({"resourceVersion": "1"})))
            .is(400)
            .says("the name of the object (b) does not match the name on the URL (a)"),
        row("a replacement without a name is refused")
            .post(WIDGETS, red("a"))
            .put(&at(WIDGETS, "a"), json!({"apiVersion": "behaviours.everleaf.dev/v1", "kind": "Widget",
                "metadata": {}, "spec": {"color": "red"}}))
            .is(400)
            .says("name must be provided"),
        row("a replacement of another object by that name is a conflict")
            .post(SECRETS, secret("a", json!({})))
            .put(&at(SECRETS, "a"), with(secret("a", json!({})), json!({"uid": "other"})))
            .is(409)
            .says("Precondition failed: UID in precondition: other"),
        row("a replacement that changes nothing keeps the version")
            .post(WIDGETS, red("a"))
            .keep("rv", "/metadata/resourceVersion")
            .put(&at(WIDGETS, "a"), with(red("a"), json!({"resourceVersion": "$rv"})))
            .is(200)
            .has("/metadata/resourceVersion", "$rv")
            .has("/metadata/generation", 1),
        row("a change of labels alone keeps the generation")
            .post(WIDGETS, red("a"))
            .keep("rv", "/metadata/resourceVersion")
            .put(&at(WIDGETS, "a"), with(red("a"), json!({"resourceVersion": "$rv", "labels": {"x": "y"}})))
            .is(200)
            .has("/metadata/generation", 1)
            .has("/metadata/labels/x", "y"),
        row("a replacement drops what it does not name, but not the status")
            .post(WIDGETS, with(widget("a", json!({"color": "red", "size": 3})), json!({"labels": {"x": "y"}})))
            .put(&at(WIDGETS, "a/status"), widget_status("a", json!({})))
            .is(422)
            .get(&at(WIDGETS, "a"))
            .keep("rv", "/metadata/resourceVersion")
            .put(&at(WIDGETS, "a/status"), with(widget_status("a", json!({"phase": "done"})), json!({"resourceVersion": "$rv"})))
            .is(200)
            .keep("rv", "/metadata/resourceVersion")
            .put(&at(WIDGETS, "a"), with(red("a"), json!({"resourceVersion": "$rv"})))
            .is(200)
            .lacks("/spec/size")
            .lacks("/metadata/labels")
            .has("/status/phase", "done"),
        row("a status written apart changes neither spec nor labels nor generation")
            .post(WIDGETS, red("a"))
            .keep("rv", "/metadata/resourceVersion")
            .put(&at(WIDGETS, "a/status"), json!({"apiVersion": "behaviours.everleaf.dev/v1", "kind": "Widget",
                "metadata": {"name": "a", "resourceVersion": "$rv", "labels": {"x": "y"}},
                "spec": {"color": "blue"}, "status": {"phase": "done"}}))
            .is(200)
            .has("/spec/color", "red")
            .has("/status/phase", "done")
            .lacks("/metadata/labels")
            .has("/metadata/generation", 1),
        row("a status at an old version is a conflict")
            .post(WIDGETS, red("a"))
            .put(&at(WIDGETS, "a/status"), with(widget_status("a", json!({"phase": "x"})), json!({"resourceVersion": "1"})))
            .is(409)
            .because("Conflict"),
        row("a status can be read apart")
            .post(WIDGETS, red("a"))
            .get(&at(WIDGETS, "a/status"))
            .is(200)
            .has("/spec/color", "red"),
        row("a dry run of a replacement changes nothing")
            .post(SECRETS, secret("a", json!({"x": "eA=="})))
            .keep("rv", "/metadata/resourceVersion")
            .put(&at(SECRETS, "a?dryRun=All"), secret("a", json!({"y": "eQ=="})))
            .is(200)
            .has("/data", json!({"y": "eQ=="}))
            .has("/metadata/resourceVersion", "$rv")
            .get(&at(SECRETS, "a"))
            .has("/data", json!({"x": "eA=="})),
    ]
}

fn builtin() -> Vec<Row> {
    vec![
        row("kind and version may be left out of a built-in object")
            .post(SECRETS, json!({"metadata": {"name": "a"}}))
            .is(201)
            .has("/kind", "Secret")
            .has("/apiVersion", "v1")
            .has("/type", "Opaque")
            .lacks("/metadata/generation"),
        row("plain text of a secret becomes data")
            .post(SECRETS, json!({"metadata": {"name": "a"}, "data": {"x": "eA==", "y": "eA=="}, "stringData": {"x": "new", "z": "more"}}))
            .is(201)
            .has("/data", json!({"x": "bmV3", "y": "eA==", "z": "bW9yZQ=="}))
            .lacks("/stringData"),
        row("a secret's data must be base64")
            .post(SECRETS, secret("a", json!({"x": "!!"})))
            .is(400)
            .says("Secret in version \"v1\" cannot be handled as a Secret"),
        row("a secret's data must be text")
            .post(SECRETS, secret("a", json!({"x": 5})))
            .is(400)
            .says("Secret in version \"v1\" cannot be handled as a Secret"),
        row("a secret's type cannot change")
            .post(SECRETS, secret("a", json!({})))
            .put(&at(SECRETS, "a"), json!({"metadata": {"name": "a"}, "type": "x/y"}))
            .is(422)
            .blames(&["type"])
            .says("field is immutable"),
        row("a tls secret has a certificate and a key")
            .post(SECRETS, json!({"metadata": {"name": "a"}, "type": "kubernetes.io/tls", "data": {"tls.crt": "eA=="}}))
            .is(422)
            .blames(&["data[tls.key]"])
            .post(SECRETS, json!({"metadata": {"name": "a"}, "type": "kubernetes.io/tls", "data": {"tls.crt": "", "tls.key": ""}}))
            .is(201),
        row("keys of a secret are file names")
            .post(SECRETS, secret("a", json!({"a b": "eA=="})))
            .is(422)
            .blames(&["data[a b]"]),
        row("an immutable secret keeps its data but not its labels")
            .post(SECRETS, json!({"metadata": {"name": "a"}, "immutable": true, "data": {"x": "eA=="}}))
            .put(&at(SECRETS, "a"), json!({"metadata": {"name": "a"}, "immutable": true, "data": {"x": "eQ=="}}))
            .is(422)
            .blames(&["data"])
            .put(&at(SECRETS, "a"), json!({"metadata": {"name": "a"}, "data": {"x": "eA=="}}))
            .is(422)
            .blames(&["immutable"])
            .put(&at(SECRETS, "a"), json!({"metadata": {"name": "a", "labels": {"l": "m"}}, "immutable": true, "data": {"x": "eA=="}}))
            .is(200),
        row("a key of a config map is in data or in binary data")
            .post(MAPS, json!({"metadata": {"name": "a"}, "data": {"x": "y"}, "binaryData": {"x": "eA=="}}))
            .is(422)
            .blames(&["data[x]"]),
        row("a namespace carries its name in a label and is active")
            .post("/api/v1/namespaces", json!({"metadata": {"name": "$ns-b"}}))
            .is(201)
            .has("/metadata/labels", json!({"kubernetes.io/metadata.name": "$ns-b"}))
            .has("/spec/finalizers/0", "kubernetes")
            .has("/status/phase", "Active"),
        row("a namespace's name has no dots")
            .post("/api/v1/namespaces", json!({"metadata": {"name": "$ns.b"}}))
            .is(422)
            .blames(&["metadata.name"]),
        row("a lease's duration is positive")
            .post(LEASES, json!({"metadata": {"name": "a"}, "spec": {"leaseDurationSeconds": 0}}))
            .is(422)
            .blames(&["spec.leaseDurationSeconds"]),
        row("a lease keeps microseconds")
            .post(LEASES, json!({"metadata": {"name": "a"}, "spec": {"holderIdentity": "me", "renewTime": "2026-01-01T00:00:00.123456Z"}}))
            .is(201)
            .has("/spec/renewTime", "2026-01-01T00:00:00.123456Z"),
        row("who may do everything is told so")
            .post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json!({
                "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": {"verb": "get", "resource": "secrets", "namespace": "$ns"}}}))
            .is(201)
            .has("/status/allowed", true)
            .has("/spec/resourceAttributes/verb", "get"),
        row("a review needs a question")
            .post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json!({
                "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {}}))
            .is(422),
        row("a review of somebody names somebody")
            .post("/apis/authorization.k8s.io/v1/subjectaccessreviews", json!({
                "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
                "spec": {"resourceAttributes": {"verb": "get", "resource": "secrets"}}}))
            .is(422),
        row("the caller is told who it is")
            .post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json!({
                "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}))
            .is(201)
            .fills("/status/userInfo/username"),
        row("a review is not kept")
            .get("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
            .is(405),
    ]
}

fn refusals() -> Vec<Row> {
    vec![
        row("a body that is no JSON is refused")
            .post_raw(WIDGETS, JSON, "{\"bad")
            .is(400)
            .because("BadRequest")
            .says("the object provided is unrecognized (must be of type Widget)")
            .post_raw(WIDGETS, JSON, "")
            .is(400)
            .post_raw(WIDGETS, JSON, "[]")
            .is(400),
        row("another kind is refused")
            .post(WIDGETS, json!({"apiVersion": "behaviours.everleaf.dev/v1", "kind": "Gidget", "metadata": {"name": "a"}}))
            .is(422)
            .blames(&["kind"])
            .post(SECRETS, json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}))
            .is(400),
        row("another version is refused")
            .post(WIDGETS, json!({"apiVersion": "behaviours.everleaf.dev/v2", "kind": "Widget", "metadata": {"name": "a"}}))
            .is(400)
            .says("the API version in the data (behaviours.everleaf.dev/v2) does not match the expected API version (behaviours.everleaf.dev/v1)")
            .post(SECRETS, json!({"apiVersion": "v2", "kind": "Secret", "metadata": {"name": "a"}}))
            .is(400),
        row("a custom object names its kind")
            .post(WIDGETS, json!({"apiVersion": "behaviours.everleaf.dev/v1", "metadata": {"name": "a"}, "spec": {"color": "red"}}))
            .is(400)
            .says("Object 'Kind' is missing"),
        row("a kind that is not served is not found")
            .get("/api/v1/namespaces/$ns/foos")
            .is(404)
            .get("/apis/none.dev/v1/foos")
            .is(404)
            .get("/apis/behaviours.everleaf.dev/v9/widgets")
            .is(404)
            .get("/nowhere")
            .is(404),
        row("a method without meaning is not allowed")
            .post(&at(SECRETS, "a"), json!({}))
            .is(405)
            .because("MethodNotAllowed")
            .delete("/api/v1/namespaces")
            .is(405),
        row("a status can be neither created nor deleted")
            .post(WIDGETS, red("a"))
            .post(&at(WIDGETS, "a/status"), json!({}))
            .is(405)
            .delete(&at(WIDGETS, "a/status"))
            .is(405),
        row("a kind without status has none")
            .post(SECRETS, secret("a", json!({})))
            .get(&at(SECRETS, "a/status"))
            .is(404),
        row("a media type that cannot be read is refused")
            .post_raw(WIDGETS, "text/plain", "{}")
            .is(415)
            .because("UnsupportedMediaType"),
        row("a form that cannot be made is refused")
            .get(SECRETS)
            .accept("application/xml")
            .is(406)
            .because("NotAcceptable"),
        row("options that are not known values are refused")
            .post(&format!("{SECRETS}?dryRun=Some"), secret("a", json!({})))
            .is(422)
            .blames(&["dryRun"])
            .post(&format!("{SECRETS}?fieldValidation=Some"), secret("a", json!({})))
            .is(422)
            .blames(&["fieldValidation"]),
        row("a body over three megabytes is refused with the limit")
            .post_raw(MAPS, JSON, &"x".repeat(3 * 1024 * 1024 + 1))
            .is(413)
            .because("RequestEntityTooLarge")
            .says("limit is 3145728"),
    ]
}
