//! Where a patient stands on each purpose, as far as this tablet knows.

use super::Replica;
use crate::edit::consents::list_events;
use crate::error::ReplicaError;
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::consent::{Cover, Standing, cover, standing};
use neonpro_contract::ids::PatientId;

/// A patient's standing on one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentStanding {
    /// The purpose.
    pub purpose: Purpose,
    /// The fold of the ledger.
    pub standing: Standing,
    /// Whether something captured now is covered.
    pub covered_now: bool,
}

impl Replica {
    /// The patient's standing on every purpose that needs consent. The server's ledger decides; this is its preview.
    ///
    /// # Errors
    /// A storage failure.
    pub fn consent(&self, patient: PatientId) -> Result<Vec<ConsentStanding>, ReplicaError> {
        self.readable()?;
        let meta = self.inner.store.meta()?;
        let capture = meta.capture(self.inner.clock.now_us());
        let events = self.inner.store.read(|conn| list_events(conn, patient))?;
        let purposes = Purpose::ALL.into_iter().filter(|purpose| *purpose != Purpose::Operation);
        Ok(purposes
            .map(|purpose| {
                let standing = standing(&events, purpose, capture.latest_us());
                let covered_now =
                    cover(standing, &events, purpose, capture, meta.seen_seq()) == Cover::Covered;
                ConsentStanding { purpose, standing, covered_now }
            })
            .collect())
    }
}
