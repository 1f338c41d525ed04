//! Files of the host as the programs on it see them.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use everleaf_core::x509::{Certificate, PemLimits, PrivateKey};

/// A certificate and its key as they lie in a folder.
pub(crate) struct Pair {
    pub(crate) leaf: Certificate,
}

/// Reads `tls.crt` and `tls.key` of a folder and checks that they belong together and are closed as they should be.
///
/// As a careful reader does: it asks once which generation is in place. Reading by two names can come between two generations.
pub(crate) fn pair(folder: &Path) -> Pair {
    let folder = folder.join(std::fs::read_link(folder.join("..data")).unwrap());
    let key = PrivateKey::from_pem(&std::fs::read(folder.join("tls.key")).unwrap()).unwrap();
    let text = std::fs::read(folder.join("tls.crt")).unwrap();
    let chain = Certificate::all_from_pem(&text, PemLimits::DEFAULT.chain).unwrap();
    let leaf = chain.first().unwrap().clone();
    assert_eq!(leaf.public_key(), key.public(), "key and certificate belong together");
    assert_eq!(mode(&folder.join("tls.key")), 0o600);
    assert_eq!(mode(&folder.join("tls.crt")), 0o644);
    Pair { leaf }
}

/// The permission bits of what a path leads to.
pub(crate) fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}
