//! What the tests on real servers share: the servers, fresh namespaces, waiting by watching, and the checks of the catalogue
//! (certificate-lifecycle 7). What the product made is judged by the `openssl` command and by the plain JSON of the API, never by the
//! product's own parsers. It never sleeps in place of watching.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod issuers;
pub(crate) mod openssl;
pub(crate) mod peer;
pub(crate) mod remains;
pub(crate) mod space;
pub(crate) mod stage;
pub(crate) mod validate;

use std::fmt::Debug;

/// What is wrong, collected so that one run shows all of it.
pub(crate) struct Faults {
    about: String,
    found: Vec<String>,
}

impl Faults {
    pub(crate) fn about(what: impl Into<String>) -> Faults {
        Faults { about: what.into(), found: Vec::new() }
    }

    pub(crate) fn check(&mut self, id: &str, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.found.push(format!("{}: {id}: {}", self.about, otherwise()));
        }
    }

    pub(crate) fn same<T: PartialEq + Debug>(&mut self, id: &str, is: &T, should: &T) {
        self.check(id, is == should, || format!("is {is:?}, should be {should:?}"));
    }

    pub(crate) fn found(self) -> Vec<String> {
        self.found
    }
}

/// Fails with everything that was found.
pub(crate) fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}
