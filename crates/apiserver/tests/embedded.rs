//! The table of behaviours against the embedded API, in process and in virtual time.

mod behaviours;

use std::sync::Arc;

use behaviours::{Kind, Lab, run, widget_definition};
use everleaf_apiserver::Server;
use jiff::Timestamp;

/// The time of day moves with tokio's clock.
#[allow(clippy::unwrap_used)]
fn virtual_clock() -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
    let (start, origin) = (Timestamp::from_second(1_790_000_000).unwrap(), tokio::time::Instant::now());
    Arc::new(move || start.checked_add(origin.elapsed()).unwrap_or(start))
}

#[tokio::test(start_paused = true)]
#[allow(clippy::unwrap_used)]
async fn the_embedded_api_behaves_like_kubernetes() {
    let server = Server::builder().crd(widget_definition()).clock(virtual_clock()).seed(1).build().unwrap();
    let client = kube::Client::new(server, "default");
    run(&Lab::new(Kind::Embedded, client, "e")).await;
}
