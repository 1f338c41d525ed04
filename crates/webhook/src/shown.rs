//! The serving certificate that connections are shown: none at first, then always the newest.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Cheap to clone; all clones show the same.
#[derive(Debug, Clone, Default)]
pub struct Shown(Arc<Mutex<Option<Arc<CertifiedKey>>>>);

impl Shown {
    /// Whether there is one.
    pub fn is_ready(&self) -> bool {
        self.current().is_some()
    }

    pub(crate) fn put(&self, certified: CertifiedKey) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(certified));
    }

    fn current(&self) -> Option<Arc<CertifiedKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current()
    }
}
