//! TLS certificate login: the certificate is shown by the connection, the body names the role or nothing.
//! The certificate itself is read where connections are made, and read again after each refusal.

use everleaf_core::failure::Blame;
use serde::Serialize;

use super::{Login, Method, json};
use crate::vault::config::ApiPath;

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

/// Makes the call.
pub(in crate::vault) fn login(path: &ApiPath, role: Option<&str>, credentials: Blame) -> Login {
    Login {
        method: Method::Certificate,
        path: path.clone(),
        body: json(&Body { name: role }),
        credentials,
        counted: None,
        secrets: Vec::new(),
    }
}
