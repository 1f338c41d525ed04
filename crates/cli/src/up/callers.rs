//! Who calls by a client certificate, as kube-apiserver's `--client-ca-file` has it: the common name is the user, the organizations are
//! the groups. A certificate that this CA didn't sign, or that has ended, gets no connection.
//! It decides nothing about rights: who is known to this API may do everything.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use everleaf_apiserver::{Identity, Peer};
use everleaf_core::x509::Certificate;
use everleaf_host::private;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

/// The longest bundle that is read.
const LONGEST: u64 = 1024 * 1024;

/// What checks client certificates against the CAs of this file. Callers without one may still show a token.
pub(crate) fn verifier(file: &Path) -> anyhow::Result<Arc<dyn ClientCertVerifier>> {
    let of = || format!("--client-ca-file: {}", file.display());
    let pem = private::read_within(file, LONGEST).with_context(of)?;
    let bundle = Certificate::all_from_pem(&pem, pem.len()).with_context(of)?;
    let mut roots = RootCertStore::empty();
    for ca in &bundle {
        ensure!(ca.is_ca(), "{}: {} is not a CA", of(), ca.subject().common_name().unwrap_or_default());
        roots.add(CertificateDer::from(ca.der().to_vec())).with_context(of)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    verifier.allow_unauthenticated().build().with_context(of)
}

/// The user that a verified chain names; none where the certificate has no common name, as with kube-apiserver.
pub(crate) fn peer(chain: Option<&[CertificateDer<'static>]>) -> Option<Peer> {
    let subject = Certificate::from_der(chain?.first()?).ok()?;
    let name = subject.subject().common_name().filter(|name| !name.is_empty())?;
    let groups = subject.subject().to_fields().organizations;
    Some(Peer(Identity { name, uid: String::new(), groups }))
}
