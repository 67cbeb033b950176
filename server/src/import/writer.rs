//! Writes the records of one clinic, a few thousand per transaction.

use super::remark::{Place, Remark};
use super::{ImportError, Run, Source};
use crate::store::load::{LoadBatch, LoadRecord, Loaded};
use neonpro_contract::catalogue::{Table, table};
use neonpro_contract::ids::{ClinicId, RecordId};
use neonpro_contract::row::Row;
use neonpro_contract::time::DeviceInstant;
use neonpro_contract::value::Value;
use uuid::Uuid;

/// Records of one transaction. Keeps it well below a second, so tablets of the clinic barely wait.
pub(super) const TRANSACTION_RECORDS: usize = 2_000;

/// How far a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    /// The source.
    pub(super) source: Source,
    /// Records handled so far.
    pub(super) done: u64,
    /// Records there are.
    pub(super) total: u64,
    /// What the database did with them.
    pub(super) loaded: Loaded,
}

impl Tally {
    /// Nothing handled yet.
    pub(super) fn new(source: Source, total: u64) -> Self {
        Self { source, done: 0, total, loaded: Loaded::default() }
    }
}

/// The records of one clinic on their way.
#[derive(Debug)]
pub(super) struct Writer {
    clinic: ClinicId,
    batch: LoadBatch,
}

impl Writer {
    /// A writer for a clinic.
    pub(super) fn new(clinic: ClinicId) -> Self {
        Self { clinic, batch: LoadBatch::new() }
    }

    /// Adds a record; one that breaks a rule is refused at its place in the source. Whether it was taken.
    ///
    /// # Errors
    /// A database failure, or the caller wants to stop.
    pub(super) async fn add(
        &mut self,
        run: &mut Run<'_>,
        tally: &mut Tally,
        record: LoadRecord,
        at: Place,
    ) -> Result<bool, ImportError> {
        if self.batch.push(record).is_err() {
            tally.total = tally.total.saturating_sub(1);
            run.remarks.refused(at, Remark::Invalid)?;
            return Ok(false);
        }
        if self.batch.len() >= TRANSACTION_RECORDS {
            self.flush(run, tally).await?;
        }
        Ok(true)
    }

    /// Writes what is waiting.
    ///
    /// # Errors
    /// A database failure, or the caller wants to stop.
    pub(super) async fn flush(&mut self, run: &mut Run<'_>, tally: &mut Tally) -> Result<(), ImportError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        tally.loaded += run.store.load(self.clinic, &batch, run.now).await?;
        tally.done = tally.done.saturating_add(u64::try_from(batch.len()).unwrap_or(u64::MAX));
        run.told(tally.source, tally.done, tally.total)
    }
}

/// A table of the catalogue.
///
/// # Errors
/// When it has none of this name.
pub(super) fn table_of(name: &'static str) -> Result<&'static Table, ImportError> {
    table(name).ok_or(ImportError::Catalogue(name))
}

/// A row of a table.
///
/// # Errors
/// A column the table does not have.
pub(super) fn row(table: &'static Table, fields: Vec<(&'static str, Value)>) -> Result<Row, ImportError> {
    let mut row = Row::empty(table);
    for (name, value) in fields {
        let (index, _) = table.field(name).ok_or(ImportError::Catalogue(name))?;
        row.set_at(index, value);
    }
    Ok(row)
}

/// A record nobody signed, captured where it comes from at this instant (µs).
///
/// # Errors
/// A table or column the catalogue does not have.
pub(super) fn record(
    name: &'static str,
    id: Uuid,
    at_us: i64,
    mut fields: Vec<(&'static str, Value)>,
) -> Result<LoadRecord, ImportError> {
    let table = table_of(name)?;
    fields.push(("created_at", Value::Instant(at_us)));
    let row = row(table, fields)?;
    Ok(LoadRecord { table, id: RecordId(id), row, captured_at: DeviceInstant(at_us), author: None })
}
