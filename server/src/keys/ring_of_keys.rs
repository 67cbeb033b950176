//! The keys a server process holds in memory: the master key, clinics' keys, data keys in use.
//!
//! Never the source of truth: a data key is used for writing only after the clinic's head was locked and its count of
//! destroyed keys was seen to be the cached one.

use super::aead::{Key, Unsealer};
use super::master::Master;
use super::{KeyError, KeyResult, Subject};
use neonpro_contract::ids::ClinicId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Data keys kept per clinic: about 80 bytes each. More than a clinic of 30,000 patients uses in a day.
const DATA_KEYS_MAX: usize = 65_536;

/// The keys. Cheap to clone.
#[derive(Clone, Default)]
pub struct Keyring(Arc<Inner>);

#[derive(Default)]
struct Inner {
    master: Option<Master>,
    clinics: Mutex<HashMap<ClinicId, Clinic>>,
}

#[derive(Default)]
struct Clinic {
    /// By version.
    keys: HashMap<i32, Key>,
    data: HashMap<i64, Key>,
    /// The key in use of each subject.
    numbers: HashMap<Subject, i64>,
    /// Makes blind indexes.
    index: Option<Key>,
    /// How many data keys the clinic had destroyed when the rest was read.
    destroyed: i64,
    /// Newest feed number seen under the head's lock.
    seq: i64,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring")
    }
}

impl Keyring {
    /// A ring over a master key.
    #[must_use]
    pub fn new(master: Master) -> Self {
        Self(Arc::new(Inner { master: Some(master), clinics: Mutex::default() }))
    }

    /// The master key.
    ///
    /// # Errors
    /// None was given.
    pub fn master(&self) -> KeyResult<&Master> {
        self.0.master.as_ref().ok_or(KeyError::None)
    }

    /// Forgets what is cached of a clinic that destroyed keys since, or whose database went back to an older state: then
    /// keys made since are not in it.
    pub(crate) fn meet(&self, clinic: ClinicId, destroyed: i64, seq: i64) {
        let mut clinics = self.clinics();
        let known = clinics.entry(clinic).or_default();
        if known.destroyed != destroyed || seq < known.seq {
            *known = Clinic { destroyed, ..Clinic::default() };
        }
        known.seq = seq;
    }

    /// Wraps a clinic's key.
    pub(crate) fn wrap(&self, clinic: ClinicId, version: i32, key: &Key) -> KeyResult<Vec<u8>> {
        self.master()?.wrap(clinic, version, key)
    }

    /// A clinic's key: from memory, or unwrapped.
    pub(crate) fn clinic_key(&self, clinic: ClinicId, version: i32) -> Option<Key> {
        self.clinics().get(&clinic)?.keys.get(&version).cloned()
    }

    pub(crate) fn keep_clinic_key(&self, clinic: ClinicId, version: i32, key: &Key) {
        self.clinics().entry(clinic).or_default().keys.insert(version, key.clone());
    }

    /// Unwraps a clinic's key and keeps it.
    pub(crate) fn unwrap(&self, clinic: ClinicId, version: i32, by: &str, wrapped: &[u8]) -> KeyResult<Key> {
        let key = self.master()?.unwrap(clinic, version, by, wrapped)?;
        self.keep_clinic_key(clinic, version, &key);
        Ok(key)
    }

    /// Makes the data keys of these numbers ready to open, and returns the numbers it does not know.
    pub(crate) fn unsealers(
        &self,
        clinic: ClinicId,
        numbers: Vec<i64>,
        ready: &mut HashMap<i64, Unsealer>,
    ) -> Vec<i64> {
        let clinics = self.clinics();
        let Some(known) = clinics.get(&clinic) else { return numbers };
        let mut missing = Vec::new();
        for number in numbers {
            match known.data.get(&number).and_then(Key::unsealer) {
                Some(key) => drop(ready.insert(number, key)),
                None => missing.push(number),
            }
        }
        missing
    }

    /// The key in use of a subject, with its number.
    pub(crate) fn key_in_use(&self, clinic: ClinicId, subject: Subject) -> Option<(i64, Key)> {
        let clinics = self.clinics();
        let known = clinics.get(&clinic)?;
        let number = known.numbers.get(&subject)?;
        Some((*number, known.data.get(number)?.clone()))
    }

    /// Keeps a data key to open with.
    pub(crate) fn keep(&self, clinic: ClinicId, number: i64, key: &Key) {
        let mut clinics = self.clinics();
        let known = clinics.entry(clinic).or_default();
        if known.data.len() >= DATA_KEYS_MAX {
            known.data.clear();
            known.numbers.clear();
        }
        known.data.insert(number, key.clone());
    }

    /// Notes that a key kept is the one in use of a subject, as was seen under the head's lock; nothing without it, or if
    /// keys were destroyed since.
    pub(crate) fn use_for(&self, clinic: ClinicId, subject: Subject, number: i64, destroyed: Option<i64>) {
        let mut clinics = self.clinics();
        let known = clinics.entry(clinic).or_default();
        if Some(known.destroyed) == destroyed {
            known.numbers.insert(subject, number);
        }
    }

    pub(crate) fn index_key(&self, clinic: ClinicId) -> Option<Key> {
        self.clinics().get(&clinic)?.index.clone()
    }

    pub(crate) fn keep_index_key(&self, clinic: ClinicId, key: &Key) {
        self.clinics().entry(clinic).or_default().index = Some(key.clone());
    }

    fn clinics(&self) -> MutexGuard<'_, HashMap<ClinicId, Clinic>> {
        // Nothing here panics while it is held, and half of a change is still a valid cache.
        self.0.clinics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
