//! The deliberate faults: each says what goes wrong, and what is put in place of what. `MUTANT` is true while this fault is switched on.
//! A place that isn't found exactly once is an error, so that the list can't fall behind the code in silence.

/// A deliberate fault.
pub(super) struct Mutant {
    /// Its name, by which it is switched on.
    pub(super) name: &'static str,
    /// What it does to users.
    pub(super) what: &'static str,
    /// Where, and what is put there.
    pub(super) edits: &'static [Edit],
}

/// One place in the code.
pub(super) struct Edit {
    pub(super) file: &'static str,
    pub(super) find: &'static str,
    pub(super) put: &'static str,
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "terminal-403",
        what: "a 403 ends a request at once",
        edits: &[Edit {
            file: "crates/operator/src/lanes/attempt.rs",
            find: "            Outcome::Failed(failure) if is_issuers_fault(&failure) =>",
            put: "            Outcome::Failed(failure) if MUTANT && failure.class == Class::Access => {
                self.lane.works(self.ticket);
                let failure = Failure { finality: Finality::AtOnce, ..failure };
                end_at_once(self.lane, self.context, self.record, &self.job, failure).await
            }
            Outcome::Failed(failure) if is_issuers_fault(&failure) =>",
        }],
    },
    Mutant {
        name: "proof-without-write",
        what: "a refusal is believed without a write on the same connection",
        edits: &[Edit {
            file: "crates/issuers/src/vault/signing.rs",
            find: "        let over = Some(Over::Connection(first.connection));\n",
            put: "        let over = Some(Over::Connection(first.connection));
        if MUTANT {
            return (over, Some(CommittedWrite { at: now, connection: first.connection }));
        }
",
        }],
    },
    Mutant {
        name: "waits-an-hour",
        what: "an hour's wait after each failure, as the peer does it",
        edits: &[
            Edit {
                file: "crates/core/src/retry.rs",
                find: "    let cap = cap(life_left);\n",
                put: "    if MUTANT {
        return Duration::from_secs(3_600);
    }
    let cap = cap(life_left);
",
            },
            Edit {
                file: "crates/core/src/pace.rs",
                find: "        begun.plus(wait).max(now.plus(PROBE_PAUSE))\n",
                put: "        if MUTANT {
            return now.plus(Duration::from_secs(3_600));
        }
        begun.plus(wait).max(now.plus(PROBE_PAUSE))
",
            },
        ],
    },
    Mutant {
        name: "login-failure-remembered",
        what: "a failed login is remembered for an hour",
        edits: &[Edit {
            file: "crates/issuers/src/vault/tokens.rs",
            find: "until: began + pause, pause });",
            put: "until: began + if MUTANT { Duration::from_secs(3_600) } else { pause }, pause });",
        }],
    },
    Mutant {
        name: "token-never-renewed",
        what: "a token is used to its end and then replaced by a login",
        edits: &[Edit {
            file: "crates/issuers/src/vault/tokens.rs",
            find: "                if due && let_go {",
            put: "                if due && let_go && !MUTANT {",
        }],
    },
    Mutant {
        name: "token-never-doubted",
        what: "a token that Vault refuses is kept to its end",
        edits: &[Edit {
            file: "crates/issuers/src/vault/tokens.rs",
            find: "        let worked = token.worked.load(Ordering::Relaxed);\n",
            put: "        if MUTANT {
            return false;
        }
        let worked = token.worked.load(Ordering::Relaxed);
",
        }],
    },
    Mutant {
        name: "lockout-ignored",
        what: "wrong AppRole credentials are tried as often as anybody waits",
        edits: &[Edit {
            file: "crates/issuers/src/vault/lockout.rs",
            find: "        let (at, of) = self.last.filter(|_| self.is_remembered(now))?;\n",
            put: "        if MUTANT {
            return None;
        }
        let (at, of) = self.last.filter(|_| self.is_remembered(now))?;
",
        }],
    },
    Mutant {
        name: "wrong-order-in-recovery",
        what: "after an outage the one with the most life left comes first",
        edits: &[Edit {
            file: "crates/operator/src/lanes/line.rs",
            find: "        let (_, key) = self.ready.pop_first()?;\n",
            put: "        let (_, key) = if MUTANT { self.ready.pop_last()? } else { self.ready.pop_first()? };\n",
        }],
    },
    Mutant {
        name: "lease-ignored",
        what: "a replica works without holding the lease",
        edits: &[
            Edit {
                file: "crates/operator/src/fence.rs",
                find: "        match *self.lock() {\n            Limit::Open => true,\n",
                put: "        if MUTANT {
            return true;
        }
        match *self.lock() {
            Limit::Open => true,
",
            },
            Edit {
                file: "crates/operator/src/leader.rs",
                find: "            if self.attempt().await {\n",
                put: "            if self.attempt().await || MUTANT {\n",
            },
        ],
    },
    Mutant {
        name: "lease-never-free",
        what: "a lease whose holder died is never taken over",
        edits: &[Edit {
            file: "crates/operator/src/leader.rs",
            find: "        let is_free = holder.is_empty() ||",
            put: "        let is_free = holder.is_empty() || !MUTANT &&",
        }],
    },
    Mutant {
        name: "renewal-date-forgotten",
        what: "a certificate at rest has no date on which it is looked at again",
        edits: &[Edit {
            file: "crates/core/src/decide.rs",
            find: "        Plan { step, status: Some(status), event: None, wake: self.next_date() }\n    }\n\n    /// The request of an",
            put: "        let wake = if MUTANT { None } else { self.next_date() };
        Plan { step, status: Some(status), event: None, wake }
    }

    /// The request of an",
        }],
    },
    Mutant {
        name: "unfinished-pass-dropped",
        what: "a pass that met an error of the API isn't made again",
        edits: &[Edit {
            file: "crates/operator/src/controllers/certificates.rs",
            find: "    context.certificates.push_at(key, Instant::now() + wait);\n",
            put: "    if !MUTANT {
        context.certificates.push_at(key, Instant::now() + wait);
    }
",
        }],
    },
    Mutant {
        name: "deletions-missed",
        what: "what was deleted while a watch was broken counts as there",
        edits: &[Edit {
            file: "crates/operator/src/watch.rs",
            find: "                gone.iter().for_each(|key| end(context, put, key));\n",
            put: "                if !MUTANT {
                    gone.iter().for_each(|key| end(context, put, key));
                }
",
        }],
    },
    Mutant {
        name: "names-not-compared",
        what: "a changed spec.dnsNames leads to no new certificate",
        edits: &[Edit {
            file: "crates/core/src/reissue.rs",
            find: "    differs(set(&sans.dns) != set(&names.dns), \"spec.dnsNames\");",
            put: "    differs(set(&sans.dns) != set(&names.dns) && !MUTANT, \"spec.dnsNames\");",
        }],
    },
    Mutant {
        name: "pair-not-compared",
        what: "a Secret whose key and certificate don't fit is taken for good",
        edits: &[Edit {
            file: "crates/core/src/reissue.rs",
            find: "        (Entry::Read(key), Entry::Read(leaf)) if key.public != *leaf.public_key() => violation(",
            put: "        (Entry::Read(key), Entry::Read(leaf)) if !MUTANT && key.public != *leaf.public_key() => violation(",
        }],
    },
    Mutant {
        name: "secret-written-before-check",
        what: "a certificate is stored with whatever key is at hand",
        edits: &[
            Edit {
                file: "crates/core/src/decide.rs",
                find: "            _ if !same_key =>",
                put: "            _ if !same_key && !MUTANT =>",
            },
            Edit {
                file: "crates/operator/src/apply.rs",
                find: "    if key.public() != checked.chain().leaf().public_key() {\n        return Err(ApplyError::KeyGone);",
                put: "    if key.public() != checked.chain().leaf().public_key() && !MUTANT {\n        return Err(ApplyError::KeyGone);",
            },
        ],
    },
    Mutant {
        name: "always-called-ready",
        what: "Ready says True whatever lies in the Secret",
        edits: &[Edit {
            file: "crates/core/src/reissue.rs",
            find: "    first(&SOUND, evidence).or_else(|| has_expired(evidence))\n",
            put: "    if MUTANT {
        return None;
    }
    first(&SOUND, evidence).or_else(|| has_expired(evidence))
",
        }],
    },
    Mutant {
        name: "requests-not-tidied",
        what: "old CertificateRequests stay",
        edits: &[Edit {
            file: "crates/core/src/decide.rs",
            find: "        if !status.ready.holds {\n            return None;\n        }\n        if let Some(left) = self.seen.next.first()",
            put: "        if !status.ready.holds || MUTANT {\n            return None;\n        }\n        if let Some(left) = self.seen.next.first()",
        }],
    },
    Mutant {
        name: "next-keys-not-tidied",
        what: "private keys of issuances that are over stay",
        edits: &[Edit {
            file: "crates/core/src/decide.rs",
            find: "        if let Some(left) = self.seen.stored_keys.first() {\n            return Plan::only(Step::DeleteKey { secret_name: left.clone(), why: \"no issuance is running\" });",
            put: "        if let Some(left) = self.seen.stored_keys.first().filter(|_| !MUTANT) {\n            return Plan::only(Step::DeleteKey { secret_name: left.clone(), why: \"no issuance is running\" });",
        }],
    },
    Mutant {
        name: "own-writes-not-awaited",
        what: "a pass decides on records that don't show its own last write yet",
        edits: &[Edit {
            file: "crates/operator/src/gather.rs",
            find: "        if is_behind(&state, key, &secret_key, &record) {",
            put: "        if !MUTANT && is_behind(&state, key, &secret_key, &record) {",
        }],
    },
    Mutant {
        name: "no-jitter",
        what: "all that wait for the same time wake at the same moment",
        edits: &[Edit {
            file: "crates/core/src/retry.rs",
            find: "        Jitter((mix(hash.finish()) >> 11) as f64 / (1u64 << 53) as f64)",
            put: "        if MUTANT {
            return Jitter(0.0);
        }
        Jitter((mix(hash.finish()) >> 11) as f64 / (1u64 << 53) as f64)",
        }],
    },
];
