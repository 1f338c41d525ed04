//! What the watches have shown: lean records of every object we care for, the look-ups between them, and what we wrote ourselves.
//! Plain data behind one lock that is never held across an await. It reads nothing, writes nothing and decides nothing.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::ids::{IssuerId, Key};
use crate::records::{CertificateRecord, IssuerRecord, RequestRecord, SecretBody, SecretRecord};

/// How long we wait for a watch to show our own write before we stop believing in it.
pub(crate) const EXPECT_FOR: Duration = Duration::from_secs(60);

/// Something that must be looked at because of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// A Certificate.
    Certificate(Key),
    /// A CertificateRequest.
    Request(Key),
    /// An issuer whose spec or status changed, that appeared or went.
    Issuer(IssuerId),
    /// Issuers that refer to this Secret.
    IssuersWithSecret(Key),
}

/// Everything the watches have shown.
#[derive(Default)]
pub struct World {
    state: Mutex<State>,
}

/// The records and their indexes.
#[derive(Default)]
pub struct State {
    certificates: BTreeMap<Key, Arc<CertificateRecord>>,
    requests: BTreeMap<Key, Arc<RequestRecord>>,
    secrets: BTreeMap<Key, Arc<SecretRecord>>,
    issuers: BTreeMap<IssuerId, Arc<IssuerRecord>>,
    claims: Index<Key, Key>,
    certificates_by_issuer: Index<IssuerId, Key>,
    certificates_by_password: Index<Key, Key>,
    requests_by_owner: Index<String, Key>,
    requests_by_issuer: Index<IssuerId, Key>,
    requests_by_key_secret: Index<Key, Key>,
    keys_by_owner: Index<String, Key>,
    expected: HashMap<(Kind, Key), (Expected, Instant)>,
}

/// Kinds whose writes we remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Certificate
    Certificate,
    /// CertificateRequest
    Request,
    /// Secret
    Secret,
}

/// What a watch has yet to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// At least this version.
    Version(u64),
    /// That it is gone.
    Gone,
}

/// Values to a key: mostly one, sometimes many.
struct Index<K, V>(HashMap<K, Values<V>>);

/// A set of one has no node of its own: with thousands of owners of one request each, those would be most of the memory.
enum Values<V> {
    One(V),
    Many(BTreeSet<V>),
}

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        Index(HashMap::new())
    }
}

impl<K: Eq + Hash, V: Ord + Clone> Index<K, V> {
    fn insert(&mut self, key: K, value: V) {
        match self.0.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(Values::One(value));
            }
            Entry::Occupied(mut entry) => match entry.get_mut() {
                Values::One(known) if *known == value => {}
                Values::One(known) => {
                    let both = BTreeSet::from([known.clone(), value]);
                    entry.insert(Values::Many(both));
                }
                Values::Many(known) => {
                    known.insert(value);
                }
            },
        }
    }

    fn remove(&mut self, key: &K, value: &V) {
        let is_empty = match self.0.get_mut(key) {
            None => false,
            Some(Values::One(known)) => known == value,
            Some(Values::Many(known)) => {
                known.remove(value);
                known.is_empty()
            }
        };
        if is_empty {
            self.0.remove(key);
        }
    }

    fn of(&self, key: &K) -> impl Iterator<Item = &V> {
        let (one, many) = match self.0.get(key) {
            None => (None, None),
            Some(Values::One(value)) => (Some(value), None),
            Some(Values::Many(values)) => (None, Some(values)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

impl World {
    /// Looks at the records. Don't hold the guard across an await.
    pub fn look(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// We have made an object; until the watch shows it, whoever depends on it waits.
    pub fn made(&self, kind: Kind, key: &Key, resource_version: Option<&str>) {
        if let Some(version) = resource_version.and_then(|version| version.parse().ok()) {
            self.look().expect(kind, key, Expected::Version(version));
        }
    }

    /// We have changed an object. One that is gone, or that we have deleted meanwhile, is never shown in this version: nobody may wait for it.
    pub fn changed(&self, kind: Kind, key: &Key, resource_version: Option<&str>) {
        let Some(version) = resource_version.and_then(|version| version.parse().ok()) else { return };
        let mut state = self.look();
        let is_going = matches!(state.expected.get(&(kind, key.clone())), Some((Expected::Gone, _)));
        if state.version(kind, key).is_some() && !is_going {
            state.expect(kind, key, Expected::Version(version));
        }
    }

    /// We have deleted an object.
    pub fn deleted(&self, kind: Kind, key: &Key) {
        self.look().expect(kind, key, Expected::Gone);
    }

    /// The newest version known of an object: that of our own last write if the watch has yet to show it.
    pub fn newest_version(&self, kind: Kind, key: &Key, shown: &str) -> String {
        match self.look().expected.get(&(kind, key.clone())) {
            Some((Expected::Version(version), _))
                if shown.parse::<u64>().is_ok_and(|shown| shown < *version) =>
            {
                version.to_string()
            }
            _ => shown.to_owned(),
        }
    }
}

impl State {
    /// A Certificate.
    pub fn certificate(&self, key: &Key) -> Option<&Arc<CertificateRecord>> {
        self.certificates.get(key)
    }

    /// All Certificates.
    pub fn certificates(&self) -> impl Iterator<Item = (&Key, &Arc<CertificateRecord>)> {
        self.certificates.iter()
    }

    /// A CertificateRequest.
    pub fn request(&self, key: &Key) -> Option<&Arc<RequestRecord>> {
        self.requests.get(key)
    }

    /// All CertificateRequests.
    pub fn requests(&self) -> impl Iterator<Item = (&Key, &Arc<RequestRecord>)> {
        self.requests.iter()
    }

    /// A Secret.
    pub fn secret(&self, key: &Key) -> Option<&Arc<SecretRecord>> {
        self.secrets.get(key)
    }

    /// An issuer.
    pub fn issuer(&self, id: &IssuerId) -> Option<&Arc<IssuerRecord>> {
        self.issuers.get(id)
    }

    /// All issuers.
    pub fn issuers(&self) -> impl Iterator<Item = (&IssuerId, &Arc<IssuerRecord>)> {
        self.issuers.iter()
    }

    /// Certificates that name this Secret.
    pub fn claims(&self, secret: &Key) -> impl Iterator<Item = &Key> {
        self.claims.of(secret)
    }

    /// Requests that this owner controls.
    pub fn requests_of(&self, owner_uid: &str) -> Vec<&Arc<RequestRecord>> {
        self.requests_by_owner.of(&owner_uid.to_owned()).filter_map(|key| self.requests.get(key)).collect()
    }

    /// Secrets with next keys that this owner controls.
    pub fn keys_of(&self, owner_uid: &str) -> Vec<(&Key, &Arc<SecretRecord>)> {
        let owner = owner_uid.to_owned();
        let keys = self.keys_by_owner.of(&owner);
        keys.filter_map(|key| Some((key, self.secrets.get(key)?))).collect()
    }

    /// Requests to this issuer.
    pub fn requests_to(&self, issuer: &IssuerId) -> impl Iterator<Item = &Key> {
        self.requests_by_issuer.of(issuer)
    }

    /// Certificates of this issuer.
    pub fn certificates_of(&self, issuer: &IssuerId) -> impl Iterator<Item = &Key> {
        self.certificates_by_issuer.of(issuer)
    }

    /// True if our own last write of this object has not been shown yet.
    pub fn is_behind(&self, kind: Kind, key: &Key) -> bool {
        match self.expected.get(&(kind, key.clone())) {
            Some((expected, since)) => since.elapsed() < EXPECT_FOR && !self.meets(kind, key, *expected),
            None => false,
        }
    }

    fn expect(&mut self, kind: Kind, key: &Key, expected: Expected) {
        if !self.meets(kind, key, expected) {
            self.expected.insert((kind, key.clone()), (expected, Instant::now()));
        }
    }

    fn version(&self, kind: Kind, key: &Key) -> Option<&String> {
        match kind {
            Kind::Certificate => self.certificates.get(key).map(|record| &record.resource_version),
            Kind::Request => self.requests.get(key).map(|record| &record.resource_version),
            Kind::Secret => {
                let there = self.secrets.get(key).filter(|record| !matches!(record.body, SecretBody::Lost));
                there.map(|record| &record.resource_version)
            }
        }
    }

    fn meets(&self, kind: Kind, key: &Key, expected: Expected) -> bool {
        match (expected, self.version(kind, key)) {
            (Expected::Gone, version) => version.is_none(),
            (Expected::Version(_), None) => false,
            (Expected::Version(least), Some(version)) => version.parse::<u64>().is_ok_and(|is| is >= least),
        }
    }

    fn settle(&mut self, kind: Kind, key: &Key) {
        let met = match self.expected.get(&(kind, key.clone())) {
            // A new object under the name of one we deleted settles it too.
            Some((Expected::Gone, _)) => true,
            Some((expected, _)) => self.meets(kind, key, *expected),
            None => return,
        };
        if met {
            self.expected.remove(&(kind, key.clone()));
        }
    }

    /// Takes over a Certificate, or its end.
    pub fn put_certificate(&mut self, key: &Key, new: Option<Arc<CertificateRecord>>) -> Vec<Wake> {
        let mut wakes = vec![Wake::Certificate(key.clone())];
        let old = match new.clone() {
            Some(record) => self.certificates.insert(key.clone(), record),
            None => self.certificates.remove(key),
        };
        for (record, is_new) in [(old, false), (new, true)] {
            let Some(record) = record else { continue };
            let Some(secret) = record.secret_key() else { continue };
            let issuer = record.issuer_id();
            for password in record.password_secrets() {
                if is_new {
                    self.certificates_by_password.insert(password, key.clone());
                } else {
                    self.certificates_by_password.remove(&password, key);
                }
            }
            if is_new {
                self.claims.insert(secret.clone(), key.clone());
                issuer.into_iter().for_each(|id| self.certificates_by_issuer.insert(id, key.clone()));
            } else {
                self.claims.remove(&secret, key);
                issuer.into_iter().for_each(|id| self.certificates_by_issuer.remove(&id, key));
            }
            let others = self.claims.of(&secret).filter(|other| *other != key);
            wakes.extend(others.cloned().map(Wake::Certificate));
        }
        self.settle(Kind::Certificate, key);
        wakes
    }

    /// Takes over a CertificateRequest, or its end.
    pub fn put_request(&mut self, key: &Key, new: Option<Arc<RequestRecord>>) -> Vec<Wake> {
        let mut wakes = vec![Wake::Request(key.clone())];
        let old = match new.clone() {
            Some(record) => self.requests.insert(key.clone(), record),
            None => self.requests.remove(key),
        };
        for (record, is_new) in [(old, false), (new, true)] {
            let Some(record) = record else { continue };
            let issuer = IssuerId::of(&record.issuer, &key.namespace);
            let key_secret = record.key_secret.as_ref().map(|name| Key::new(&key.namespace, name));
            if is_new {
                record
                    .owner_uid
                    .iter()
                    .for_each(|uid| self.requests_by_owner.insert(uid.clone(), key.clone()));
                issuer.into_iter().for_each(|id| self.requests_by_issuer.insert(id, key.clone()));
                key_secret
                    .into_iter()
                    .for_each(|secret| self.requests_by_key_secret.insert(secret, key.clone()));
            } else {
                record.owner_uid.iter().for_each(|uid| self.requests_by_owner.remove(uid, key));
                issuer.into_iter().for_each(|id| self.requests_by_issuer.remove(&id, key));
                key_secret.into_iter().for_each(|secret| self.requests_by_key_secret.remove(&secret, key));
            }
            wakes.extend(
                record.owner_name.iter().map(|name| Wake::Certificate(Key::new(&key.namespace, name))),
            );
        }
        self.settle(Kind::Request, key);
        wakes
    }

    /// Takes over a Secret, or its end. One watch may be behind the other: what it shows of a Secret that the other has shown in a later
    /// version is old.
    pub fn put_secret(&mut self, key: &Key, new: Option<Arc<SecretRecord>>) -> Vec<Wake> {
        let is_old = |new: &Arc<SecretRecord>| self.secrets.get(key).is_some_and(|old| old.outdates(new));
        if new.as_ref().is_some_and(is_old) {
            return Vec::new();
        }
        let old = match new.clone() {
            Some(record) => self.secrets.insert(key.clone(), record),
            None => self.secrets.remove(key),
        };
        if old
            .as_ref()
            .zip(new.as_ref())
            .is_some_and(|(old, new)| old.resource_version == new.resource_version)
        {
            return Vec::new();
        }
        let mut wakes = vec![Wake::IssuersWithSecret(key.clone())];
        for (record, is_new) in [(old, false), (new, true)] {
            let Some(owner) = record.and_then(|record| record.next_key_owner()) else { continue };
            if is_new {
                self.keys_by_owner.insert(owner.uid, key.clone());
            } else {
                self.keys_by_owner.remove(&owner.uid, key);
            }
            wakes.push(Wake::Certificate(Key::new(&key.namespace, owner.name)));
        }
        wakes.extend(self.claims.of(key).cloned().map(Wake::Certificate));
        wakes.extend(self.certificates_by_password.of(key).cloned().map(Wake::Certificate));
        wakes.extend(self.requests_by_key_secret.of(key).cloned().map(Wake::Request));
        self.settle(Kind::Secret, key);
        wakes
    }

    /// A watch shows a Secret no longer. One that a Certificate names may only have lost or got our label, and the other watch shows it later:
    /// it has to be read before it counts as gone, or a certificate would be issued for nothing.
    pub fn lose_secret(&mut self, key: &Key) -> Vec<Wake> {
        let by_us = matches!(self.expected.get(&(Kind::Secret, key.clone())), Some((Expected::Gone, _)));
        let is_claimed = self.claims.of(key).next().is_some();
        self.put_secret(key, (is_claimed && !by_us).then(|| Arc::new(SecretRecord::lost())))
    }

    /// A lost Secret was looked for, and is gone.
    pub fn forget_lost_secret(&mut self, key: &Key) {
        if self.secrets.get(key).is_some_and(|record| matches!(record.body, SecretBody::Lost)) {
            self.secrets.remove(key);
        }
    }

    /// Takes over an issuer, or its end.
    pub fn put_issuer(&mut self, id: &IssuerId, new: Option<Arc<IssuerRecord>>) -> Vec<Wake> {
        let old = match new.clone() {
            Some(record) => self.issuers.insert(id.clone(), record),
            None => self.issuers.remove(id),
        };
        let mut wakes = vec![Wake::Issuer(id.clone())];
        let same_spec =
            old.zip(new).is_some_and(|(old, new)| old.uid == new.uid && old.generation == new.generation);
        if !same_spec {
            wakes.extend(self.requests_by_issuer.of(id).cloned().map(Wake::Request));
            wakes.extend(self.certificates_by_issuer.of(id).cloned().map(Wake::Certificate));
        }
        wakes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn request(version: &str) -> Option<Arc<RequestRecord>> {
        let object = serde_json::json!({
            "metadata": {"name": "web-1", "namespace": "ns", "uid": "u", "resourceVersion": version},
            "spec": {"request": "", "issuerRef": {"name": "ca"}},
        });
        Some(Arc::new(RequestRecord::new(serde_json::from_value(object).unwrap())))
    }

    fn is_behind(world: &World, key: &Key) -> bool {
        world.look().is_behind(Kind::Request, key)
    }

    fn certificate() -> Option<Arc<CertificateRecord>> {
        let object = serde_json::json!({
            "metadata": {"name": "web", "namespace": "ns", "uid": "c", "resourceVersion": "1"},
            "spec": {"secretName": "web-tls", "issuerRef": {"name": "ca"}, "dnsNames": ["a.example"]},
        });
        Some(Arc::new(CertificateRecord::new(serde_json::from_value(object).unwrap())))
    }

    #[test]
    fn a_secret_that_a_certificate_names_is_not_believed_gone_because_one_watch_lost_it() {
        let (mut state, key) = (State::default(), Key::new("ns", "web-tls"));
        let labelled = || {
            let mut secret = k8s_openapi::api::core::v1::Secret::default();
            secret.metadata.resource_version = Some("4".to_owned());
            Some(Arc::new(SecretRecord::in_full(&secret)))
        };
        state.put_secret(&key, labelled());
        assert!(state.lose_secret(&key).iter().all(|wake| !matches!(wake, Wake::Certificate(_))));
        assert!(state.secret(&key).is_none(), "nobody asks for it");
        state.put_certificate(&Key::new("ns", "web"), certificate());
        state.put_secret(&key, labelled());
        assert!(state.lose_secret(&key).contains(&Wake::Certificate(Key::new("ns", "web"))));
        assert!(matches!(state.secret(&key).unwrap().body, SecretBody::Lost));
        state.forget_lost_secret(&key);
        assert!(state.secret(&key).is_none(), "it was looked for");
        state.put_secret(&key, labelled());
        state.forget_lost_secret(&key);
        assert!(state.secret(&key).is_some(), "the other watch has shown it meanwhile");
    }

    #[test]
    fn an_index_holds_each_value_once_and_forgets_keys_without_values() {
        let mut index = Index::<&str, u8>::default();
        let of = |index: &Index<&str, u8>| index.of(&"a").copied().collect::<Vec<_>>();
        for value in [3, 3, 1, 2, 1] {
            index.insert("a", value);
        }
        assert_eq!(of(&index), [1, 2, 3]);
        index.remove(&"a", &9);
        index.remove(&"b", &1);
        for value in [2, 3, 1] {
            index.remove(&"a", &value);
        }
        assert!(of(&index).is_empty() && index.0.is_empty());
        index.insert("a", 7);
        index.remove(&"a", &8);
        assert_eq!(of(&index), [7]);
        index.remove(&"a", &7);
        assert!(index.0.is_empty());
    }

    #[test]
    fn what_we_made_or_changed_is_waited_for_until_it_is_shown() {
        let (world, key) = (World::default(), Key::new("ns", "web-1"));
        world.made(Kind::Request, &key, Some("5"));
        assert!(is_behind(&world, &key));
        world.look().put_request(&key, request("5"));
        assert!(!is_behind(&world, &key));
        world.changed(Kind::Request, &key, Some("7"));
        assert!(is_behind(&world, &key));
        world.look().put_request(&key, request("8"));
        assert!(!is_behind(&world, &key));
    }

    /// The lane publishes an answer while the Certificate's pass deletes the request: the record of the write comes last.
    #[test]
    fn a_change_of_what_is_gone_meanwhile_is_not_waited_for() {
        let (world, key) = (World::default(), Key::new("ns", "web-1"));
        world.look().put_request(&key, request("5"));
        world.deleted(Kind::Request, &key);
        world.changed(Kind::Request, &key, Some("6"));
        world.look().put_request(&key, request("6"));
        world.look().put_request(&key, None);
        world.changed(Kind::Request, &key, Some("6"));
        assert!(!is_behind(&world, &key));
    }
}
