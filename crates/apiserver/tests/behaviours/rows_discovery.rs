//! What a server tells about itself.

use serde_json::json;

use super::row::{Row, row};

const V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

pub fn rows() -> Vec<Row> {
    vec![
        row("the server is well").get("/healthz").is(200).get("/livez").is(200).get("/readyz").is(200),
        row("the server has a version").get("/version").is(200).has("/major", "1").has("/minor", "36"),
        row("the core versions are told").get("/api").is(200).has("/kind", "APIVersions").has("/versions/0", "v1"),
        row("the groups are told").get("/apis").is(200).has("/kind", "APIGroupList"),
        row("a group is told")
            .get("/apis/behaviours.everleaf.dev")
            .is(200)
            .has("/kind", "APIGroup")
            .has("/preferredVersion/groupVersion", "behaviours.everleaf.dev/v1"),
        row("the kinds of a version are told")
            .get("/apis/behaviours.everleaf.dev/v1")
            .is(200)
            .has("/kind", "APIResourceList")
            .has("/groupVersion", "behaviours.everleaf.dev/v1")
            .has("/resources/0/name", "widgets")
            .has("/resources/0/singularName", "widget")
            .has("/resources/0/namespaced", true)
            .has("/resources/0/kind", "Widget")
            .has("/resources/0/shortNames", json!(["wi"]))
            .has("/resources/0/categories", json!(["things"]))
            .has("/resources/1/name", "widgets/status")
            .has("/resources/1/verbs", json!(["get", "patch", "update"])),
        row("a group that is not served is not found").get("/apis/none.dev").is(404).get("/apis/none.dev/v1").is(404),
        row("all is told at once when that is wanted")
            .get("/apis")
            .accept(V2)
            .is(200)
            .has("/kind", "APIGroupDiscoveryList")
            .has("/apiVersion", "apidiscovery.k8s.io/v2")
            .get("/api")
            .accept(V2)
            .is(200)
            .has("/items/0/versions/0/version", "v1"),
        row("what a client asks for first and cannot be had is passed over")
            .get("/apis")
            .accept("application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,application/json")
            .has("/kind", "APIGroupList"),
        row("the index of schemas names each version")
            .get("/openapi/v3")
            .is(200)
            .fills("/paths/api~1v1/serverRelativeURL")
            .fills("/paths/apis~1behaviours.everleaf.dev~1v1/serverRelativeURL")
            .soon(),
        row("the schema of a kind tells its fields and what can be done with it")
            .get("/openapi/v3/apis/behaviours.everleaf.dev/v1")
            .is(200)
            .soon()
            .has("/components/schemas/dev.everleaf.behaviours.v1.Widget/properties/spec/properties/color/description", "Its color.")
            .has("/components/schemas/dev.everleaf.behaviours.v1.Widget/x-kubernetes-group-version-kind/0/kind", "Widget")
            .has("/paths/~1apis~1behaviours.everleaf.dev~1v1~1namespaces~1{namespace}~1widgets~1{name}/patch/x-kubernetes-action", "patch")
            .fills("/paths/~1apis~1behaviours.everleaf.dev~1v1~1namespaces~1{namespace}~1widgets/post"),
        row("a document that is not there is not found").get("/openapi/v3/apis/none.dev/v1").is(404),
    ]
}
