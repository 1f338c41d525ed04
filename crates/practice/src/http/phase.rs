//! Which kind of call a request is: faults, counters and schedules speak of phases, not of paths.
//! Read off the path alone, so that it is known before any state is looked at.
//! It must never decide what a node answers.

use std::fmt;

/// A kind of call. `Any` is only used to choose: no request is of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Every call.
    Any,
    /// A login of any method.
    Login,
    /// Signing or issuing.
    Sign,
    /// `sys/health`.
    Health,
    /// `auth/token/lookup-self`.
    Lookup,
    /// `auth/token/renew-self`.
    Renew,
    /// `sys/capabilities-self` and `sys/internal/ui/mounts`.
    Capabilities,
    /// `sys/seal-status` and `sys/leader`.
    Status,
    /// Everything else.
    Other,
}

impl Phase {
    /// The phase of a request for this path (without `/v1/`).
    pub fn of_path(path: &str) -> Phase {
        match path {
            "sys/health" => Phase::Health,
            "sys/seal-status" | "sys/leader" => Phase::Status,
            "auth/token/lookup-self" => Phase::Lookup,
            "auth/token/renew-self" => Phase::Renew,
            "sys/capabilities-self" => Phase::Capabilities,
            _ if path.starts_with("sys/internal/ui/mounts") => Phase::Capabilities,
            _ if path.starts_with("auth/") && path.ends_with("/login") => Phase::Login,
            _ if path.starts_with("auth/") || path.starts_with("sys/") => Phase::Other,
            _ if is_signing(path) => Phase::Sign,
            _ => Phase::Other,
        }
    }

    /// Whether a choice of this phase covers a request of that one.
    pub fn covers(self, actual: Phase) -> bool {
        self == Phase::Any || self == actual
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Any => "any",
            Phase::Login => "login",
            Phase::Sign => "sign",
            Phase::Health => "health",
            Phase::Lookup => "lookup",
            Phase::Renew => "renew",
            Phase::Capabilities => "capabilities",
            Phase::Status => "status",
            Phase::Other => "other",
        })
    }
}

fn is_signing(path: &str) -> bool {
    path.split('/').skip(1).any(|segment| matches!(segment, "sign" | "issue" | "sign-verbatim"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_its_phase() {
        let rows = [
            ("sys/health", Phase::Health),
            ("sys/leader", Phase::Status),
            ("auth/token/lookup-self", Phase::Lookup),
            ("auth/token/renew-self", Phase::Renew),
            ("auth/approle/login", Phase::Login),
            ("auth/team/k8s/login", Phase::Login),
            ("auth/approle/role/login-bot", Phase::Other),
            ("pki/sign/web", Phase::Sign),
            ("a/b/issuer/default/sign/web", Phase::Sign),
            ("pki/ca/pem", Phase::Other),
            ("sys/internal/ui/mounts/pki", Phase::Capabilities),
        ];
        for (path, phase) in rows {
            assert_eq!(Phase::of_path(path), phase, "{path}");
        }
    }
}
