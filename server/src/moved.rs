//! Which clinics moved since somebody last asked: a set, so that a busy clinic is looked at once and not a thousand times.

use neonpro_contract::ids::ClinicId;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// Clinics to look at.
#[derive(Debug, Default)]
pub struct Moved {
    clinics: Mutex<BTreeSet<ClinicId>>,
    any: Notify,
}

impl Moved {
    /// A clinic moved.
    pub fn note(&self, clinic: ClinicId) {
        self.clinics.lock().unwrap_or_else(PoisonError::into_inner).insert(clinic);
        self.any.notify_one();
    }

    /// Waits for clinics that moved and takes them.
    ///
    /// # Cancel safety
    /// Cancelling takes none.
    pub async fn next(&self) -> BTreeSet<ClinicId> {
        loop {
            let notified = self.any.notified();
            let taken = std::mem::take(&mut *self.clinics.lock().unwrap_or_else(PoisonError::into_inner));
            if !taken.is_empty() {
                return taken;
            }
            notified.await;
        }
    }
}
