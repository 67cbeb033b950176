//! The tables of records: reading and writing rows with their stamps.

use super::schema;
use super::value::{Sql, read};
use crate::error::ReplicaError;
use neonpro_contract::catalogue::{Table, table};
use neonpro_contract::ids::{AuthorId, RecordId};
use neonpro_contract::row::{Row, RowStamp};
use neonpro_contract::time::{DeviceInstant, ServerInstant};
use rusqlite::types::{ToSql, Value as SqlValue};
use rusqlite::{CachedStatement, Connection, OptionalExtension};
use uuid::Uuid;

/// What is kept beside a row's own values. Without `merged_at` for a record only this tablet has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Author of the last merged change, or of the creation here.
    pub author: Option<AuthorId>,
    /// Its capture time.
    pub captured_at: Option<DeviceInstant>,
    /// When the server merged it.
    pub merged_at: Option<ServerInstant>,
    /// Its feed number.
    pub feed_seq: Option<i64>,
}

impl From<RowStamp> for Stamp {
    fn from(stamp: RowStamp) -> Self {
        Self {
            author: stamp.author,
            captured_at: stamp.captured_at,
            merged_at: Some(stamp.merged_at),
            feed_seq: Some(stamp.feed_seq),
        }
    }
}

impl Stamp {
    /// Takes a stamp of the same or a later feed number.
    pub(crate) fn advance(&mut self, to: Self) {
        if to.feed_seq >= self.feed_seq {
            *self = to;
        }
    }
}

/// A record as this tablet has it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRow {
    /// Its id.
    pub id: RecordId,
    /// Its values.
    pub row: Row,
    /// Its bookkeeping.
    pub stamp: Stamp,
}

/// The table of a name.
pub(crate) fn table_named(name: &str) -> Result<&'static Table, ReplicaError> {
    table(name).ok_or(ReplicaError::UnknownTable)
}

fn sql_of(table: &'static Table) -> Result<&'static schema::Statements, ReplicaError> {
    schema::statements(table).ok_or(ReplicaError::UnknownTable)
}

/// Reads a row of `SELECT id, columns, stamp`.
pub(crate) fn read_row(table: &'static Table, from: &rusqlite::Row<'_>) -> Result<StoredRow, ReplicaError> {
    let unreadable = || ReplicaError::Bookkeeping("row");
    let mut row = Row::empty(table);
    for (at, field) in table.columns().enumerate() {
        row.set_at(at, read(from.get_ref(at.saturating_add(1))?, field.column).ok_or_else(unreadable)?);
    }
    let at = table.width();
    let bytes = |at: usize| from.get::<_, Option<[u8; 16]>>(at).map(|bytes| bytes.map(Uuid::from_bytes));
    let stamp = Stamp {
        author: bytes(at.saturating_add(1))?.map(AuthorId),
        captured_at: from.get::<_, Option<i64>>(at.saturating_add(2))?.map(DeviceInstant),
        merged_at: from.get::<_, Option<i64>>(at.saturating_add(3))?.map(ServerInstant),
        feed_seq: from.get(at.saturating_add(4))?,
    };
    Ok(StoredRow { id: RecordId(Uuid::from_bytes(from.get(0)?)), row, stamp })
}

pub(crate) fn find(
    conn: &Connection,
    table: &'static Table,
    id: RecordId,
) -> Result<Option<StoredRow>, ReplicaError> {
    let mut statement = conn.prepare_cached(&sql_of(table)?.select)?;
    statement.query_row([id.0.as_bytes()], |row| Ok(read_row(table, row))).optional()?.transpose()
}

pub(crate) fn exists(conn: &Connection, table: &'static Table, id: RecordId) -> Result<bool, ReplicaError> {
    let sql = format!("SELECT 1 FROM {} WHERE id = ?1", table.name);
    Ok(conn.prepare_cached(&sql)?.exists([id.0.as_bytes()])?)
}

/// Rows that meet a condition, which is this crate's own text; its parameters come from outside.
pub(crate) fn list(
    conn: &Connection,
    table: &'static Table,
    condition: &str,
    params: &[SqlValue],
    limit: usize,
) -> Result<Vec<StoredRow>, ReplicaError> {
    let sql = format!("{} WHERE {condition} LIMIT {limit}", sql_of(table)?.select_all);
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(params))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read_row(table, row)?);
    }
    Ok(found)
}

fn bind(statement: &mut CachedStatement<'_>, id: RecordId, row: &Row, stamp: &Stamp) -> rusqlite::Result<()> {
    let mut at = 1usize;
    let mut put = |value: &dyn ToSql| {
        let bound = statement.raw_bind_parameter(at, value);
        at = at.saturating_add(1);
        bound
    };
    put(&id.0.as_bytes())?;
    for (_, value) in row.iter() {
        put(&Sql(value))?;
    }
    bind_stamp(&mut put, stamp)
}

/// Writes only the columns that differ: an index whose columns stay is not touched.
pub(crate) fn update_changed(
    conn: &Connection,
    id: RecordId,
    before: (&Row, &Stamp),
    after: (&Row, &Stamp),
) -> Result<(), ReplicaError> {
    let table = after.0.table();
    let mut sql = format!("UPDATE {} SET ", table.name);
    let mut changed = Vec::new();
    for (index, field) in table.columns().enumerate() {
        if before.0.at(index) != after.0.at(index) {
            sql.push_str(field.name);
            sql.push_str(" = ?, ");
            changed.push(index);
        }
    }
    sql.push_str("author_id = ?, captured_at = ?, merged_at = ?, feed_seq = ? WHERE id = ?");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut at = 1usize;
    let mut put = |value: &dyn ToSql| {
        let bound = statement.raw_bind_parameter(at, value);
        at = at.saturating_add(1);
        bound
    };
    for index in changed {
        put(&Sql(after.0.at(index)))?;
    }
    bind_stamp(&mut put, after.1)?;
    put(&id.0.as_bytes())?;
    statement.raw_execute()?;
    Ok(())
}

fn bind_stamp(
    put: &mut dyn FnMut(&dyn ToSql) -> rusqlite::Result<()>,
    stamp: &Stamp,
) -> rusqlite::Result<()> {
    put(&stamp.author.as_ref().map(|author| author.0.as_bytes()))?;
    put(&stamp.captured_at.map(|at| at.0))?;
    put(&stamp.merged_at.map(|at| at.0))?;
    put(&stamp.feed_seq)
}

/// Inserts a row unless there is one already; says whether it did.
pub(crate) fn insert_new(
    conn: &Connection,
    id: RecordId,
    row: &Row,
    stamp: &Stamp,
) -> Result<bool, ReplicaError> {
    let mut statement = conn.prepare_cached(&sql_of(row.table())?.insert_new)?;
    bind(&mut statement, id, row, stamp)?;
    Ok(statement.raw_execute()? > 0)
}

pub(crate) fn purge(conn: &Connection, table: &'static Table, id: RecordId) -> Result<(), ReplicaError> {
    conn.prepare_cached(&sql_of(table)?.delete)?.execute([id.0.as_bytes()])?;
    Ok(())
}
