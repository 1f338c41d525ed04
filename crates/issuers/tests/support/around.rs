//! Secrets in memory, and ServiceAccount tokens that are numbered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use everleaf_issuers::{BoxFuture, ReadFailure, SecretData, Surroundings};
use zeroize::Zeroizing;

/// Secrets in memory.
#[derive(Clone, Default)]
pub(crate) struct Around(Arc<Mutex<Kept>>);

#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) secrets: BTreeMap<String, Result<BTreeMap<String, Vec<u8>>, ReadFailure>>,
    pub(crate) reads: usize,
    pub(crate) asked: Vec<(String, Vec<String>, Duration)>,
    pub(crate) refuses: Option<ReadFailure>,
}

impl Around {
    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap()
    }

    pub(crate) fn with(name: &str, key: &str, value: &str) -> Around {
        let around = Around::default();
        around.set(name, key, value);
        around
    }

    pub(crate) fn set(&self, name: &str, key: &str, value: &str) {
        let mut kept = self.kept();
        let secret = kept.secrets.entry(name.to_owned()).or_insert_with(|| Ok(BTreeMap::new()));
        if secret.is_err() {
            *secret = Ok(BTreeMap::new());
        }
        secret.as_mut().unwrap().insert(key.to_owned(), value.as_bytes().to_vec());
    }

    pub(crate) fn fail(&self, name: &str, why: ReadFailure) {
        self.kept().secrets.insert(name.to_owned(), Err(why));
    }
}

impl Surroundings for Around {
    fn secret<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<SecretData, ReadFailure>> {
        let mut kept = self.kept();
        kept.reads += 1;
        let found = kept.secrets.get(name).cloned().unwrap_or(Err(ReadFailure::Missing));
        let data = found.map(|data| SecretData {
            resource_version: "1".into(),
            data: data.into_iter().map(|(key, value)| (key, Zeroizing::new(value))).collect(),
        });
        Box::pin(async move {
            tokio::task::yield_now().await;
            data
        })
    }

    fn service_account_token<'a>(
        &'a self,
        name: &'a str,
        audiences: &'a [String],
        life: Duration,
    ) -> BoxFuture<'a, Result<Zeroizing<String>, ReadFailure>> {
        let mut kept = self.kept();
        kept.asked.push((name.to_owned(), audiences.to_vec(), life));
        let number = kept.asked.len();
        let refuses = kept.refuses.clone();
        Box::pin(async move {
            match refuses {
                Some(why) => Err(why),
                None => Ok(Zeroizing::new(format!("eyJhbGciOiJub25lIn0.service-account-jwt-{number}.sig"))),
            }
        })
    }
}
