//! A batch: finished rows of one clinic, in the order in which they may be written.
//!
//! Invariant: every row in a batch is one a tablet would have accepted, in canonical form.

use super::facets_of;
use neonpro_contract::catalogue::{FacetId, Purpose, Scope, Table};
use neonpro_contract::consent::{ConsentEvent, flags};
use neonpro_contract::ids::{AuthorId, RecordId};
use neonpro_contract::permissions::purpose;
use neonpro_contract::row::Row;
use neonpro_contract::time::{DeviceInstant, ServerInstant};
use neonpro_contract::validate::{self, Invalid};
use neonpro_contract::value::Value;
use std::collections::HashMap;

/// One finished row.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadRecord {
    /// Its table.
    pub table: &'static Table,
    /// Its id.
    pub id: RecordId,
    /// Its values.
    pub row: Row,
    /// When it was captured where it comes from.
    pub captured_at: DeviceInstant,
    /// Who captured it, if that is known.
    pub author: Option<AuthorId>,
}

impl LoadRecord {
    /// The facets of the record and the purpose of each; none for rows the server owns.
    pub(super) fn facets(&self) -> impl Iterator<Item = (FacetId, Purpose)> + '_ {
        facets_of(self.table)
            .filter_map(|id| self.table.facet(id).map(|facet| (id, purpose(facet, &self.row))))
    }
}

/// Finished rows of one clinic. A row comes after those it references.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadBatch {
    records: Vec<LoadRecord>,
}

impl LoadBatch {
    /// A batch without rows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row. Sets are sorted, and what the server owns and was not given takes its default.
    ///
    /// # Errors
    /// A row that no tablet could have written, or a table that is not a clinic's.
    pub fn push(&mut self, mut record: LoadRecord) -> Result<(), Invalid> {
        if record.table.scope != Scope::Clinic || record.row.table() != record.table {
            return Err(Invalid::new(record.table.name, "a row of a clinic's own table"));
        }
        settle(&mut record.row);
        if record.row.get("updated_at").is_null() {
            record.row.touch(record.captured_at);
        }
        validate::record(&record.row)?;
        self.records.push(record);
        Ok(())
    }

    /// The rows, in order.
    #[must_use]
    pub fn records(&self) -> &[LoadRecord] {
        &self.records
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Runs of rows of one table, each of at most `records_max`.
    pub(super) fn groups(&self, records_max: usize) -> impl Iterator<Item = &[LoadRecord]> {
        self.records
            .chunk_by(|left, right| left.table == right.table)
            .flat_map(move |run| run.chunks(records_max.max(1)))
    }

    /// Sets the consent booleans of the batch's patients from the batch's consents, as the merge folds them.
    pub fn fold_consents(&mut self, now: ServerInstant) {
        let mut events: HashMap<uuid::Uuid, Vec<ConsentEvent>> = HashMap::new();
        for record in self.records.iter().filter(|record| record.table.name == "data_consent_records") {
            let event = ConsentEvent::of_row(record.id, &record.row, record.captured_at.0, None, None);
            if let (Some(patient), Some(event)) = (record.row.get("patient_id").as_uuid(), event) {
                events.entry(patient).or_default().push(event);
            }
        }
        for record in self.records.iter_mut().filter(|record| record.table.name == "patients") {
            let Some(events) = events.get(&record.id.0) else { continue };
            for (column, granted) in flags(events, now.0) {
                record.row.set(column, Value::Bool(granted));
            }
        }
    }
}

/// Brings a row into the form it has when it is read back.
pub(super) fn settle(row: &mut Row) {
    for index in 0..row.table().width() {
        let settled = match row.at(index) {
            Value::Texts(members) => Value::Texts(sorted(members)),
            Value::Uuids(members) => Value::Uuids(sorted(members)),
            other if other.is_empty() => Value::Null,
            _ => continue,
        };
        row.set_at(index, if settled.is_empty() { Value::Null } else { settled });
    }
    row.set_derived_defaults();
}

fn sorted<T: Ord + Clone>(members: &[T]) -> Vec<T> {
    let mut members = members.to_vec();
    members.sort();
    members.dedup();
    members
}
