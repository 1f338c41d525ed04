//! What Vault's HTTP layer does with odd paths before anything else looks at them.
//! Redirects to the cleaned path and to the UI are as recorded (vault-answers: "double slash", "path without /v1");
//! Go's redirect has a small page for GET only.

use bytes::Bytes;

use super::answer::{Raw, Refusal};
use crate::options::Product;

/// The answer to a path that isn't a clean one below `/v1/`, if it isn't.
pub(crate) fn odd_path(method: &str, path: &str, product: Product) -> Option<Raw> {
    let clean = cleaned(path);
    if clean != path {
        return Some(redirect(method, clean));
    }
    if path.starts_with("/v1/") {
        return None;
    }
    Some(match product {
        Product::Vault => redirect(method, "/ui/".to_owned()),
        Product::OpenBao => Raw::refusal(&Refusal::empty(404)),
    })
}

fn redirect(method: &str, location: String) -> Raw {
    let page = format!("<a href=\"{location}\">Temporary Redirect</a>.\n\n");
    let raw = Raw::redirect(location);
    if method != "GET" {
        return raw;
    }
    Raw { content_type: Some("text/html; charset=utf-8"), body: Bytes::from(page), ..raw }
}

/// Go's `path.Clean` for absolute paths; a slash at the end stays.
fn cleaned(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let mut clean = format!("/{}", kept.join("/"));
    if path.ends_with('/') && clean != "/" {
        clean.push('/');
    }
    clean
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn odd_paths_are_sent_elsewhere() {
        let rows = [
            ("/v1/pki//sign/web", "/v1/pki/sign/web"),
            ("/v1/pki/x/../sign/web", "/v1/pki/sign/web"),
            ("/pki/sign/web", "/ui/"),
        ];
        for (path, location) in rows {
            let raw = odd_path("POST", path, Product::Vault).unwrap();
            assert_eq!((raw.status, raw.headers), (307, vec![("location", location.to_owned())]));
        }
        assert!(odd_path("POST", "/v1/pki/sign/", Product::Vault).is_none());
        assert_eq!(odd_path("POST", "/pki/sign/web", Product::OpenBao).unwrap().status, 404);
    }
}
