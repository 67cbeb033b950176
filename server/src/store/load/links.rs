//! Whose consent covers a loaded record.
//!
//! Invariant: a record that follows its parent names the parent's patient, wherever the parent is.

use super::LoadRecord;
use crate::store::{Scoped, StoreResult};
use neonpro_contract::catalogue::{Lifecycle, PatientLink, Table};
use neonpro_contract::ids::{PatientId, RecordId};
use std::collections::HashMap;
use uuid::Uuid;

/// Patients of the records seen so far.
#[derive(Debug, Default)]
pub(super) struct Patients {
    known: HashMap<RecordId, Option<PatientId>>,
}

impl Patients {
    /// Learns the patients of these records; parents outside the batch are read from their documents.
    ///
    /// # Errors
    /// A database failure.
    pub(super) async fn resolve(
        &mut self,
        scoped: &mut Scoped,
        table: &'static Table,
        records: &[&LoadRecord],
    ) -> StoreResult<()> {
        if table.lifecycle == Lifecycle::Server {
            return Ok(());
        }
        if let PatientLink::Parent(field) = table.patient {
            let parents = records.iter().filter_map(|record| record.row.get(field).as_uuid());
            let missing: Vec<Uuid> = parents.filter(|id| !self.known.contains_key(&RecordId(*id))).collect();
            if !missing.is_empty() {
                for document in scoped.list_documents_of(&missing).await? {
                    self.known.insert(document.id.record, document.patient);
                }
            }
        }
        for record in records {
            let patient = self.of(record);
            self.known.insert(record.id, patient);
        }
        Ok(())
    }

    /// The patient of a record whose parent was resolved.
    pub(super) fn of(&self, record: &LoadRecord) -> Option<PatientId> {
        match record.table.patient {
            PatientLink::None => None,
            PatientLink::Own => Some(PatientId(record.id.0)),
            PatientLink::Field(field) => record.row.get(field).as_uuid().map(PatientId),
            PatientLink::Parent(field) => {
                let parent = record.row.get(field).as_uuid().map(RecordId)?;
                self.known.get(&parent).copied().flatten()
            }
        }
    }
}
