//! The kubeconfig that leads kubectl and others to the API. It holds the token, so only we may read it.
//! It is written whole on each start, and again when the CA changes.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use everleaf_host::{Fault, private};
use serde_json::json;
use zeroize::Zeroizing;

use super::home::Home;

/// The name of cluster, user and context.
const NAME: &str = "everleaf";

/// Writes it.
pub(crate) fn write(home: &Home, address: SocketAddr, ca_pem: &str, token: &str) -> Result<(), Fault> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": NAME, "cluster": {
            "server": format!("https://{address}"),
            "certificate-authority-data": STANDARD.encode(ca_pem),
        } }],
        "users": [{ "name": NAME, "user": { "token": token } }],
        "contexts": [{ "name": NAME, "context": { "cluster": NAME, "user": NAME, "namespace": "default" } }],
        "current-context": NAME,
    });
    // JSON is YAML, and needs no writer that might quote a token wrongly.
    let text = Zeroizing::new(format!("{config:#}\n"));
    private::write(&home.kubeconfig(), text.as_bytes())
}
