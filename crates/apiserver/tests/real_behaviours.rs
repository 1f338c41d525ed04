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
            return run(&lab).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the kind for the rows was never served");
}
