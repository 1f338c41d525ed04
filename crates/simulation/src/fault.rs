//! What can go wrong in a simulation, as plain data: it can be drawn, printed, repeated, and left out one by one.
//! Nothing here acts; `inject/` does.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;

/// A fault and when it happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Planned {
    /// From the beginning of the simulation.
    pub at: Duration,
    /// Until it heals. What happens at once and stays done has a length too: how long it is allowed to be felt.
    pub lasts: Duration,
    /// What it is.
    pub fault: Fault,
}

/// What goes wrong, and where. Issuers, certificates and replicas are named by their index in the scenario.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// A row of the fault table of Vault (vault-server 7).
    Vault {
        /// Whose Vault.
        issuer: usize,
        /// The row.
        row: u8,
    },
    /// A leader of a Vault cluster is frozen while a role is mended: thawed, it refuses falsely for as long as it lives
    /// (vault-measured 5.4).
    FalseRefusals {
        /// Whose Vault.
        issuer: usize,
    },
    /// The API.
    Api(ApiTrouble),
    /// One replica of the operator.
    Replica {
        /// Which.
        replica: usize,
        /// What happens to it.
        trouble: ReplicaTrouble,
    },
    /// The Lease.
    Lease(LeaseDeed),
    /// Something that a person does.
    User(UserDeed),
}

/// What the API does while it is in trouble.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ApiTrouble {
    /// Each call takes up to this much longer.
    Slow(Duration),
    /// This share of the writes meets a conflict.
    Conflicts(f64),
    /// This share of the calls is told to come back later.
    RateLimited(f64),
    /// This share of the calls is answered with 500.
    Errors(f64),
    /// Nobody listens.
    Refuses,
    /// Nothing is answered.
    Silent,
    /// This share of the writes is done, and the answer is lost.
    AnswersLost(f64),
    /// Watches break as soon as they begin.
    WatchesBreak,
    /// Each new watch is told that its version is gone (410), so that everything is listed again.
    WatchesExpire,
    /// Watches stay open and tell nothing.
    WatchesStall,
    /// What watches tell comes this much later.
    WatchesLag(Duration),
}

/// What happens to one replica.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ReplicaTrouble {
    /// It is killed, whatever it is doing, and started again at the end.
    Killed,
    /// It is killed at one of its next writes, just before or just after the API has carried it out.
    KilledAtWrite {
        /// The how-manieth write from now, counted from 1.
        nth: u32,
        /// After the write was carried out, before its answer is seen.
        after: bool,
    },
    /// It is told to stop, as in a rolling update, and started again at the end.
    Restarted,
    /// It can't reach the API.
    CutFromApi,
    /// It can't reach the Vault of an issuer.
    CutFromVault {
        /// Whose Vault.
        issuer: usize,
    },
    /// Its writes linger this long on their way, so that some arrive when another leads.
    SlowWrites(Duration),
    /// Its clock is off by this much.
    ClockJumps(SignedDuration),
    /// Its clock gains so many seconds a second.
    ClockDrifts(f64),
}

/// What happens to the Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseDeed {
    /// Somebody else writes himself into it.
    Stolen,
    /// It is deleted.
    Deleted,
}

/// How a Secret is spoilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoil {
    /// The certificate is no PEM any more.
    Certificate,
    /// The key is no PEM any more.
    Key,
    /// The key is another one.
    OtherKey,
    /// All data is gone.
    Emptied,
    /// Labels and annotations of ours are gone.
    Undressed,
}

/// Something that a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum UserDeed {
    /// The Secret of a Certificate is deleted.
    SecretDeleted { certificate: usize },
    /// The Secret of a Certificate is edited.
    SecretSpoilt { certificate: usize, how: Spoil },
    /// The data of two Secrets is exchanged.
    SecretsSwapped { one: usize, other: usize },
    /// All CertificateRequests of a Certificate are deleted.
    RequestsDeleted { certificate: usize },
    /// A Certificate is deleted and made anew; its Secret stays.
    CertificateRecreated { certificate: usize },
    /// A Certificate asks for one more name.
    NamesChanged { certificate: usize },
    /// All Certificates ask for one more name at once.
    AllNamesChanged,
    /// A Certificate is to be renewed now (`Issuing=True`, as cmctl sets it).
    RenewedByHand { certificate: usize },
    /// A Certificate is pointed at another issuer.
    MovedToIssuer { certificate: usize, issuer: usize },
    /// The issuer is pointed at another role of its Vault, and stays there.
    IssuerRepointed { issuer: usize },
    /// The issuer is pointed at a role that doesn't exist, and back at the end.
    IssuerMispointed { issuer: usize },
    /// The issuer is deleted, and made anew at the end.
    IssuerDeleted { issuer: usize },
    /// The secret_id is replaced: the new one is there before the old one dies.
    CredentialsRotated { issuer: usize },
    /// The old secret_id dies; the new one is stored only at the end.
    CredentialsDie { issuer: usize },
    /// The Secret with the credentials is gone, and back at the end.
    CredentialsDeleted { issuer: usize },
    /// The CA is replaced by a fresh one, for good.
    CaRotated { issuer: usize },
}

/// What a fault disturbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every certificate.
    World,
    /// The certificates of one issuer.
    Issuer(usize),
    /// One certificate, besides what the watch of the store shows by itself.
    Certificate(usize),
}

impl Fault {
    /// A word for its kind, to count kinds by.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Vault { row: 1..=8 | 34..=37 | 42 | 47, .. } => "vault-node",
            Fault::Vault { row: 9..=19 | 22..=27 | 41 | 43, .. } => "vault-access",
            Fault::Vault { row: 20 | 21, .. } => "vault-limit",
            Fault::Vault { row: 28..=33, .. } => "vault-engine",
            Fault::Vault { .. } => "vault-network",
            Fault::FalseRefusals { .. } => "vault-false-refusals",
            Fault::Api(trouble) => match trouble {
                ApiTrouble::Slow(_) => "api-slow",
                ApiTrouble::Conflicts(_) => "api-conflicts",
                ApiTrouble::RateLimited(_) | ApiTrouble::Errors(_) => "api-errors",
                ApiTrouble::Refuses | ApiTrouble::Silent => "api-away",
                ApiTrouble::AnswersLost(_) => "api-answers-lost",
                _ => "api-watches",
            },
            Fault::Replica { trouble, .. } => match trouble {
                ReplicaTrouble::Killed | ReplicaTrouble::KilledAtWrite { .. } => "kill",
                ReplicaTrouble::Restarted => "restart",
                ReplicaTrouble::CutFromApi | ReplicaTrouble::CutFromVault { .. } => "cut",
                ReplicaTrouble::SlowWrites(_) => "late-writes",
                ReplicaTrouble::ClockJumps(_) | ReplicaTrouble::ClockDrifts(_) => "clock",
            },
            Fault::Lease(_) => "lease",
            Fault::User(deed) => match deed {
                UserDeed::SecretDeleted { .. }
                | UserDeed::SecretSpoilt { .. }
                | UserDeed::SecretsSwapped { .. } => "user-secret",
                UserDeed::IssuerRepointed { .. }
                | UserDeed::IssuerMispointed { .. }
                | UserDeed::IssuerDeleted { .. } => "user-issuer",
                UserDeed::CredentialsRotated { .. }
                | UserDeed::CredentialsDie { .. }
                | UserDeed::CredentialsDeleted { .. }
                | UserDeed::CaRotated { .. } => "user-credentials",
                _ => "user-certificate",
            },
        }
    }

    /// True if it ends a process in the middle of its work.
    pub fn is_crash(&self) -> bool {
        self.kind() == "kill"
    }

    /// True if a request may rightly be refused for good while it lasts: the role really forbids it.
    pub fn refuses_truly(&self) -> bool {
        matches!(self, Fault::Vault { row: 31 | 32, .. } | Fault::FalseRefusals { .. })
    }

    /// How long it lasts at least, to be what it is.
    pub fn shortest(&self) -> Duration {
        match self {
            // The freeze, the mending, the thaw, and then time for false refusals to be believed.
            Fault::FalseRefusals { .. } => Duration::from_secs(1_800),
            _ => Duration::ZERO,
        }
    }

    /// What it disturbs.
    pub fn scope(&self) -> Scope {
        match *self {
            Fault::Vault { issuer, .. } | Fault::FalseRefusals { issuer } => Scope::Issuer(issuer),
            Fault::Replica { trouble: ReplicaTrouble::CutFromVault { issuer }, .. } => Scope::Issuer(issuer),
            Fault::Api(_) | Fault::Replica { .. } | Fault::Lease(_) => Scope::World,
            Fault::User(deed) => deed.scope(),
        }
    }

    /// How long after its end it may still be felt, beyond what every fault is granted.
    pub fn settles_in(&self, lease: Duration) -> Duration {
        const MINUTE: Duration = Duration::from_secs(60);
        match self {
            // The lock of a role lasts 15 minutes, and our own spacing of wrong tries is made for that.
            Fault::Vault { row: 12 | 22, .. }
            | Fault::User(UserDeed::CredentialsDie { .. } | UserDeed::CredentialsRotated { .. }) => {
                16 * MINUTE
            }
            // After a proved refusal the next try is bound by the life left, 8 h where there is none.
            Fault::Vault { row: 31 | 32, .. } | Fault::FalseRefusals { .. } => 9 * 60 * MINUTE,
            // A date computed with a wrong clock is looked at again after 6 h at the latest.
            Fault::Replica {
                trouble: ReplicaTrouble::ClockJumps(_) | ReplicaTrouble::ClockDrifts(_),
                ..
            } => 6 * 60 * MINUTE,
            // A watch that tells nothing is given up after 295 s.
            Fault::Api(ApiTrouble::WatchesStall | ApiTrouble::Silent) => 5 * MINUTE + lease,
            Fault::Replica { trouble: ReplicaTrouble::SlowWrites(by), .. } => *by + lease,
            Fault::Api(_) | Fault::Replica { .. } | Fault::Lease(_) => lease,
            Fault::Vault { .. } | Fault::User(_) => Duration::ZERO,
        }
    }
}

impl UserDeed {
    fn scope(self) -> Scope {
        match self {
            UserDeed::SecretDeleted { certificate }
            | UserDeed::SecretSpoilt { certificate, .. }
            | UserDeed::RequestsDeleted { certificate }
            | UserDeed::CertificateRecreated { certificate }
            | UserDeed::NamesChanged { certificate }
            | UserDeed::RenewedByHand { certificate }
            | UserDeed::MovedToIssuer { certificate, .. } => Scope::Certificate(certificate),
            UserDeed::SecretsSwapped { one, .. } => Scope::Certificate(one),
            UserDeed::AllNamesChanged => Scope::World,
            UserDeed::IssuerRepointed { issuer }
            | UserDeed::IssuerMispointed { issuer }
            | UserDeed::IssuerDeleted { issuer }
            | UserDeed::CredentialsRotated { issuer }
            | UserDeed::CredentialsDie { issuer }
            | UserDeed::CredentialsDeleted { issuer }
            | UserDeed::CaRotated { issuer } => Scope::Issuer(issuer),
        }
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, lasts) = (crate::moments::shown(self.at), self.lasts);
        write!(f, "{at} for {}.{:03} s: {:?}", lasts.as_secs(), lasts.subsec_millis(), self.fault)
    }
}
