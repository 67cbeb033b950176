//! Typed reads of records, each noted as a read of whoever uses the tablet.

use super::Replica;
use crate::error::ReplicaError;
use crate::store::records::{self, StoredRow, table_named};
use crate::store::{conflicts, conflicts::ConflictRow, search};
use neonpro_contract::ids::RecordId;
use neonpro_contract::row::Row;
use neonpro_contract::value::Value;
use rusqlite::types::Value as SqlValue;

impl Replica {
    /// The values of a record; `None` if it is not on this tablet.
    ///
    /// # Errors
    /// No such table, a lease that is over, or a storage failure.
    pub fn row(&self, table: &str, id: RecordId) -> Result<Option<Row>, ReplicaError> {
        Ok(self.stored_row(table, id)?.map(|stored| stored.row))
    }

    /// A record with its bookkeeping.
    ///
    /// # Errors
    /// No such table, a lease that is over, or a storage failure.
    pub fn stored_row(&self, table: &str, id: RecordId) -> Result<Option<StoredRow>, ReplicaError> {
        self.readable()?;
        let table = table_named(table)?;
        let found = self.inner.store.read(|conn| records::find(conn, table, id))?;
        self.note(table, found.as_ref().map(|found| found.id));
        Ok(found)
    }

    /// Records whose columns equal these values, oldest first; all of the table for no column. At most `limit`.
    ///
    /// # Errors
    /// No such table or column, a lease that is over, or a storage failure.
    pub fn rows(
        &self,
        table: &str,
        equal: &[(&str, Value)],
        limit: usize,
    ) -> Result<Vec<StoredRow>, ReplicaError> {
        self.readable()?;
        let table = table_named(table)?;
        let mut condition = String::from("1");
        let mut params = Vec::new();
        for (name, value) in equal {
            let (_, field) = table.field(name).ok_or(ReplicaError::UnknownTable)?;
            // `IS` also finds nulls.
            condition.push_str(&format!(" AND {} IS ?{}", field.name, params.len().saturating_add(1)));
            params.push(owned(value));
        }
        condition.push_str(" ORDER BY id");
        let found = self.inner.store.read(|conn| records::list(conn, table, &condition, &params, limit))?;
        self.note(table, found.iter().map(|found| found.id));
        Ok(found)
    }

    /// Patients that match everything typed: words of the name with or without accents, cpf, telephone, e-mail.
    ///
    /// # Errors
    /// A storage failure.
    pub fn search_patients(&self, typed: &str, limit: usize) -> Result<Vec<StoredRow>, ReplicaError> {
        self.readable()?;
        let table = table_named(search::TABLE)?;
        let found = self.inner.store.read(|conn| search::list(conn, table, typed, limit))?;
        self.note(table, found.iter().map(|found| found.id));
        Ok(found)
    }

    /// Guarded fields that two people changed without seeing each other.
    ///
    /// # Errors
    /// A storage failure.
    pub fn conflicts(&self) -> Result<Vec<ConflictRow>, ReplicaError> {
        self.readable()?;
        self.inner.store.read(|conn| conflicts::list(conn))
    }
}

fn owned(value: &Value) -> SqlValue {
    use rusqlite::types::ToSql;
    let text = |text: &[u8]| SqlValue::Text(String::from_utf8_lossy(text).into_owned());
    match crate::store::value::Sql(value).to_sql() {
        Ok(rusqlite::types::ToSqlOutput::Owned(value)) => value,
        Ok(rusqlite::types::ToSqlOutput::Borrowed(rusqlite::types::ValueRef::Text(bytes))) => text(bytes),
        Ok(rusqlite::types::ToSqlOutput::Borrowed(rusqlite::types::ValueRef::Blob(bytes))) => {
            SqlValue::Blob(bytes.to_vec())
        }
        _ => SqlValue::Null,
    }
}
