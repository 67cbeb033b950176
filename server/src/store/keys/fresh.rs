//! Keys a transaction made: known to it alone until it commits.

use crate::keys::aead::{Key, Unsealer};
use crate::keys::{Keyring, Subject};
use neonpro_contract::ids::ClinicId;
use std::collections::HashMap;

/// The keys of one transaction. Few.
#[derive(Debug, Default)]
pub(in crate::store) struct Fresh {
    clinic: Vec<(ClinicId, i32, Key)>,
    data: Vec<(ClinicId, Subject, i64, Key)>,
    index: Vec<(ClinicId, Key)>,
}

impl Fresh {
    pub fn keep_clinic_key(&mut self, clinic: ClinicId, version: i32, key: &Key) {
        self.clinic.push((clinic, version, key.clone()));
    }

    pub fn clinic_key(&self, clinic: ClinicId, version: i32) -> Option<Key> {
        self.clinic.iter().find(|(of, at, _)| (*of, *at) == (clinic, version)).map(|(.., key)| key.clone())
    }

    pub fn keep(&mut self, clinic: ClinicId, subject: Subject, number: i64, key: &Key) {
        self.data.push((clinic, subject, number, key.clone()));
    }

    pub fn key_in_use(&self, clinic: ClinicId, subject: Subject) -> Option<(i64, Key)> {
        let found = self.data.iter().find(|(of, whose, ..)| (*of, *whose) == (clinic, subject))?;
        Some((found.2, found.3.clone()))
    }

    /// Makes its data keys of these numbers ready to open, and returns the other numbers.
    pub fn unsealers(
        &self,
        clinic: ClinicId,
        mut numbers: Vec<i64>,
        ready: &mut HashMap<i64, Unsealer>,
    ) -> Vec<i64> {
        for (.., number, key) in self.data.iter().filter(|(of, ..)| *of == clinic) {
            if let Ok(at) = numbers.binary_search(number) {
                numbers.remove(at);
                ready.extend(key.unsealer().map(|key| (*number, key)));
            }
        }
        numbers
    }

    pub fn keep_index_key(&mut self, clinic: ClinicId, key: &Key) {
        self.index.push((clinic, key.clone()));
    }

    pub fn index_key(&self, clinic: ClinicId) -> Option<Key> {
        self.index.iter().find(|(of, _)| *of == clinic).map(|(_, key)| key.clone())
    }

    /// They are committed: everybody may use them. Data keys seal for others only after they were read under the head's
    /// lock, unless they were made under it.
    pub fn release(self, ring: &Keyring, keys_destroyed: Option<i64>) {
        for (clinic, version, key) in &self.clinic {
            ring.keep_clinic_key(*clinic, *version, key);
        }
        for (clinic, subject, number, key) in &self.data {
            ring.keep(*clinic, *number, key);
            ring.use_for(*clinic, *subject, *number, keys_destroyed);
        }
        for (clinic, key) in &self.index {
            ring.keep_index_key(*clinic, key);
        }
    }
}
