//! The table of behaviours against a real kube-apiserver with a kube-controller-manager: it keeps the table honest.

mod behaviours;

use behaviours::{Kind, Lab, run, widget_definition};
use everleaf_testkit::servers::Kube;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs real servers: cargo xtask test"]
#[allow(clippy::unwrap_used, clippy::panic)]
async fn a_real_kube_apiserver_behaves_as_the_table_says() {
    let kube = Kube::with_controller_manager().await.unwrap();
    let lab = Lab::new(Kind::Real, kube.client().unwrap(), "r");
    let body = widget_definition().to_string();
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let made = lab.send("POST", path, Some("application/json"), "application/json", &body).await.unwrap();
    assert_eq!(made.code, 201, "{}", made.text);
    for _ in 0..100 {
        let known =
            lab.send("GET", "/apis/behaviours.everleaf.dev/v1", None, "application/json", "").await.unwrap();
        if known.code == 200 {
            collector_knows(&lab).await;
            return run(&lab).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the kind for the rows was never served");
}

/// The collector looks for new kinds every half minute: rows about owners wait for that once, here.
#[allow(clippy::panic, clippy::unwrap_used)]
async fn collector_knows(lab: &Lab) {
    let orphan = serde_json::json!({
        "apiVersion": "behaviours.everleaf.dev/v1", "kind": "Widget", "spec": {"color": "red"},
        "metadata": {"name": "orphan", "ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "none", "uid": "11111111-2222-3333-4444-555555555555"}]},
    });
    let path = "/apis/behaviours.everleaf.dev/v1/namespaces/default/widgets";
    let json = "application/json";
    let made = lab.send("POST", path, Some(json), json, &orphan.to_string()).await.unwrap();
    assert_eq!(made.code, 201, "{}", made.text);
    for _ in 0..600 {
        if lab.send("GET", &format!("{path}/orphan"), None, json, "").await.unwrap().code == 404 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("the collector never came");
}
