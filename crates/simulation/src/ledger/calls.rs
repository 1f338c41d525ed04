//! Calls of replicas, as they ended: to the API, and to Vaults. They are traced and counted; nothing is decided here.

use everleaf_practice::Phase;

use super::Ledger;
use crate::cluster::Writer;

/// A call to a Vault that has ended.
#[derive(Debug, Clone, Copy)]
pub struct VaultCall<'a> {
    /// Whose Vault; nothing where nobody has that address.
    pub issuer: Option<usize>,
    /// Name and port that were called.
    pub authority: &'a str,
    /// The path behind `/v1/`.
    pub path: &'a str,
    /// What kind of call.
    pub phase: Phase,
    /// Whom a certificate was asked for.
    pub about: Option<&'a str>,
    /// How it was answered; nothing where there was no answer.
    pub status: Option<u16>,
}

impl Ledger {
    /// A call to the API ended.
    pub(crate) fn called(&mut self, writer: Writer, what: &str, answer: &str) {
        self.counts.api_calls += 1;
        self.trace.note(self.wall.elapsed(), &format!("{writer} {what} -> {answer}"));
    }

    /// A call to a Vault ended.
    pub(crate) fn called_vault(&mut self, writer: Writer, call: &VaultCall<'_>) {
        let VaultCall { authority, path, about, status, .. } = call;
        let (about, status) = (about.unwrap_or_default(), status.unwrap_or_default());
        self.trace.note(self.wall.elapsed(), &format!("{writer} {authority} {path} {about} -> {status}"));
        self.counts.called_vault(call);
        let Some(issuer) = call.issuer else { return };
        self.limit_calls(writer, issuer);
        if call.phase == Phase::Login {
            self.limit_logins(writer, issuer, call.status == Some(400) && path.starts_with("auth/approle"));
            if call.status == Some(200) {
                self.limit_calm_logins(writer, issuer);
            }
        }
        if call.phase == Phase::Sign {
            if status == 200 {
                self.served(issuer, about);
            }
            self.signs.push(Signing { at: self.wall.elapsed(), issuer, about: about.to_owned(), status });
        }
    }
}

/// A sign call that has ended, for tests that look at their order and pace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signing {
    /// When its answer came.
    pub at: std::time::Duration,
    /// Whose Vault.
    pub issuer: usize,
    /// Whom it was for.
    pub about: String,
    /// The status; 0 without an answer.
    pub status: u16,
}
