//! A certificate with what stands between it and its root: put in order from a bag, or found upward from a leaf.
//! Links are made by names and signatures. It never judges trust or time, and never invents a missing link.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use super::certificate::{Certificate, CertificateError, MOST_CERTIFICATES};
use super::pem::PemLimits;

/// The most signatures that are checked to put one bag in order, four for each certificate it may hold. An honest bag needs one for each link; one
/// whose certificates all bear the same name would need a million.
const MOST_SIGNATURE_CHECKS: usize = 4 * MOST_CERTIFICATES;

/// The most steps of the search for the best way up; cross-signed CAs of a sound kind need a few dozen.
const MOST_STEPS: usize = 10_000;

/// Why certificates don't make a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// There is none.
    #[error("there is no certificate")]
    Empty,
    /// Too many.
    #[error("{found} certificates are more than the limit of {limit}")]
    TooMany {
        /// How many.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// They don't all belong to one line: a link is missing, or there is a branch or a stranger.
    #[error("the certificate chain is malformed or broken")]
    Broken,
    /// So many certificates with the same name that it would take too long to find out which signed which.
    #[error("too many certificates with the same subject")]
    Ambiguous,
    /// A certificate that can't be read.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// A leaf and the certificates above it.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Leaf first, never empty, without a self-signed root (a lone self-signed certificate stays).
    pub certificates: Vec<Certificate>,
    /// The topmost certificate known; `None` if nothing is known above a lone leaf.
    pub ca: Option<Certificate>,
    leaf: Certificate,
    texts: Option<Arc<Texts>>,
}

/// The texts a chain was read from, to be given back unchanged.
struct Texts {
    certificates: String,
    ca: Option<String>,
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Texts({} bytes)", self.certificates.len())
    }
}

impl Chain {
    /// The leaf.
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// PEM of the certificates, leaf first; the very text for a chain that was read by [`Chain::from_pem`].
    pub fn to_pem(&self) -> String {
        match &self.texts {
            Some(texts) => texts.certificates.clone(),
            None => self.certificates.iter().map(Certificate::to_pem).collect(),
        }
    }

    /// PEM of the CA, if there is one; the very text for a chain that was read by [`Chain::from_pem`].
    pub fn ca_pem(&self) -> Option<String> {
        match &self.texts {
            Some(texts) => texts.ca.clone(),
            None => self.ca.as_ref().map(Certificate::to_pem),
        }
    }

    /// Takes certificates as they are: leaf first, and a CA. For an issuer that knows its own chain.
    pub fn from_parts(certificates: Vec<Certificate>, ca: Option<Certificate>) -> Result<Chain, ChainError> {
        let leaf = certificates.first().cloned().ok_or(ChainError::Empty)?;
        Ok(Chain { certificates, ca, leaf, texts: None })
    }

    /// Reads what a request's status holds (`certificate` and `ca`, the latter empty if there is none). The texts are kept: whatever another issuer wrote
    /// goes into the Secret unchanged, so a CA bundle stays a bundle. A CA text without a readable certificate leaves `ca` empty.
    pub fn from_pem(certificates: &[u8], ca: &[u8], limits: &PemLimits) -> Result<Chain, ChainError> {
        let read = Certificate::all_from_pem(certificates, limits.chain)?;
        let ca_certificate = Certificate::from_pem_within(ca, limits.bundle).ok();
        let texts = Texts {
            certificates: String::from_utf8_lossy(certificates).into_owned(),
            ca: (!ca.is_empty()).then(|| String::from_utf8_lossy(ca).into_owned()),
        };
        Ok(Chain { texts: Some(Arc::new(texts)), ..Chain::from_parts(read, ca_certificate)? })
    }

    /// Puts a bag of certificates into one line, as the peer does (certificate-lifecycle 2.12, vault-issuer 2.5): each is the issuer of the one before it.
    /// Duplicates are dropped. A branch, a stranger or a missing link is an error.
    pub fn order(bag: Vec<Certificate>) -> Result<Chain, ChainError> {
        let bag = without_duplicates(bag)?;
        let mut links = Links::new(&bag);
        let mut parent_of = HashMap::new();
        for at in 0..bag.len() {
            match links.parents(at)?.as_slice() {
                [] => {}
                [parent] => {
                    parent_of.insert(at, *parent);
                }
                _ => return Err(ChainError::Broken),
            }
        }
        let parents: HashSet<usize> = parent_of.values().copied().collect();
        let mut line = Vec::new();
        let mut next = (0..bag.len()).find(|at| !parents.contains(at));
        while let Some(at) = next {
            line.push(at);
            next = parent_of.get(&at).copied().filter(|_| line.len() < bag.len());
        }
        // A branch or a stranger leaves certificates over; so does a ring, which has no beginning.
        if line.len() != bag.len() { Err(ChainError::Broken) } else { finish(&bag, &line) }
    }

    /// Finds the best way up from a leaf among certificates that needn't all belong to it (cross-signed CAs, strangers; vault-issuer 5.F3): the longest
    /// one that ends in a self-signed root, or else the longest one. What isn't on it is left out; a missing link ends it.
    pub fn for_leaf(leaf: Certificate, rest: Vec<Certificate>) -> Result<Chain, ChainError> {
        let bag = without_duplicates([vec![leaf], rest].concat())?;
        let mut search = Search {
            links: Links::new(&bag),
            steps: 0,
            path: vec![0],
            best: Vec::new(),
            best_has_root: false,
        };
        search.climb();
        let best = search.best;
        finish(&bag, &best)
    }
}

/// The leaf comes first in `bag` if it came first in the list.
fn without_duplicates(list: Vec<Certificate>) -> Result<Vec<Certificate>, ChainError> {
    let mut seen = HashSet::new();
    let is_new: Vec<bool> = list.iter().map(|certificate| seen.insert(certificate.der())).collect();
    let bag: Vec<Certificate> =
        list.into_iter().zip(is_new).filter_map(|(certificate, new)| new.then_some(certificate)).collect();
    if bag.is_empty() {
        return Err(ChainError::Empty);
    }
    if bag.len() > MOST_CERTIFICATES {
        return Err(ChainError::TooMany { found: bag.len(), limit: MOST_CERTIFICATES });
    }
    Ok(bag)
}

/// From a line to a chain: the root moves out of it, and the topmost certificate is the CA. A lone certificate stays, and is its own CA only if it
/// signed itself (that it needn't be a CA for: SelfSigned issuers make such leaves).
fn finish(bag: &[Certificate], line: &[usize]) -> Result<Chain, ChainError> {
    let mut certificates: Vec<Certificate> = line.iter().filter_map(|at| bag.get(*at)).cloned().collect();
    let top = certificates.last().cloned().ok_or(ChainError::Empty)?;
    let alone = certificates.len() == 1;
    if !alone && top.is_self_signed() {
        certificates.pop();
    }
    let ca = (!alone || top.signed_itself()).then_some(top);
    Chain::from_parts(certificates, ca)
}

/// Who signed whom, found out when asked and remembered.
struct Links<'a> {
    bag: &'a [Certificate],
    by_subject: HashMap<&'a [u8], Vec<usize>>,
    known: HashMap<usize, Vec<usize>>,
    checks: usize,
}

impl<'a> Links<'a> {
    fn new(bag: &'a [Certificate]) -> Links<'a> {
        let mut by_subject: HashMap<&[u8], Vec<usize>> = HashMap::new();
        for (at, certificate) in bag.iter().enumerate() {
            by_subject.entry(certificate.subject().der()).or_default().push(at);
        }
        Links { bag, by_subject, known: HashMap::new(), checks: 0 }
    }

    /// The certificates, other than itself, that signed the one at `at`.
    fn parents(&mut self, at: usize) -> Result<Vec<usize>, ChainError> {
        if let Some(known) = self.known.get(&at) {
            return Ok(known.clone());
        }
        let Some(child) = self.bag.get(at) else { return Ok(Vec::new()) };
        let candidates = self.by_subject.get(child.issuer().der()).map(Vec::as_slice).unwrap_or_default();
        let mut parents = Vec::new();
        for candidate in candidates.iter().filter(|candidate| **candidate != at) {
            self.checks += 1;
            if self.checks > MOST_SIGNATURE_CHECKS {
                return Err(ChainError::Ambiguous);
            }
            if self.bag.get(*candidate).is_some_and(|parent| child.was_signed_by(parent)) {
                parents.push(*candidate);
            }
        }
        // A root has no way up: what else bears its name and key is the same CA again.
        if !parents.is_empty() && child.is_self_signed() {
            parents.clear();
        }
        self.known.insert(at, parents.clone());
        Ok(parents)
    }
}

/// The search for the best way up. Depth first, without recursion, because a chain may be a thousand long.
struct Search<'a> {
    links: Links<'a>,
    steps: usize,
    path: Vec<usize>,
    best: Vec<usize>,
    best_has_root: bool,
}

impl Search<'_> {
    /// Goes every way up, until all are known or one of the bounds is reached; then the best one so far will do, because a chain with too much
    /// decoration is no reason to refuse the leaf.
    fn climb(&mut self) {
        self.note();
        let Ok(first) = self.ways_up() else { return };
        let mut open = vec![first];
        while let Some(ways) = open.last_mut() {
            let Some(next) = ways.pop() else {
                open.pop();
                self.path.pop();
                continue;
            };
            self.path.push(next);
            self.note();
            self.steps += 1;
            let ways = self.ways_up();
            match ways {
                Ok(ways) if self.steps <= MOST_STEPS => open.push(ways),
                _ => return,
            }
        }
    }

    /// The parents of the last certificate on the path that aren't on it yet, by name and key: the same CA twice makes no sense (RFC 4158 2.4.2).
    fn ways_up(&mut self) -> Result<Vec<usize>, ChainError> {
        let Some(last) = self.path.last().copied() else { return Ok(Vec::new()) };
        let mut ways = self.links.parents(last)?;
        let bag = self.links.bag;
        let same = |a: usize, b: usize| match (bag.get(a), bag.get(b)) {
            (Some(a), Some(b)) => a.subject() == b.subject() && a.public_key() == b.public_key(),
            _ => false,
        };
        ways.retain(|way| !self.path.iter().any(|on_path| same(*way, *on_path)));
        // Taken from the end, so turned round: among equals the first in the list wins.
        ways.reverse();
        Ok(ways)
    }

    fn note(&mut self) {
        let has_root =
            self.path.last().and_then(|at| self.links.bag.get(*at)).is_some_and(Certificate::is_self_signed);
        if (has_root, self.path.len()) > (self.best_has_root, self.best.len()) {
            self.best = self.path.clone();
            self.best_has_root = has_root;
        }
    }
}
