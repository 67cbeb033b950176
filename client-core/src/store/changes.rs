//! `sync_change`: the changes of edits, until they are part of confirmed documents.

use crate::error::ReplicaError;
use minicbor::bytes::ByteVec;
use neonpro_contract::catalogue::{FacetId, TableId};
use neonpro_contract::edit::{DocumentChange, DocumentId};
use neonpro_contract::ids::RecordId;
use rusqlite::{Connection, params};
use uuid::Uuid;

/// Stores the changes of an edit, in order.
pub(crate) fn append(conn: &Connection, n: i64, changes: &[DocumentChange]) -> Result<(), ReplicaError> {
    let sql = "INSERT INTO sync_change (n, position, table_id, record, facet, epoch, bytes)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut statement = conn.prepare_cached(sql)?;
    for (position, change) in changes.iter().enumerate() {
        let (id, record) = (&change.document, change.document.record.0.as_bytes());
        statement.execute(params![
            n,
            i64::try_from(position).unwrap_or(i64::MAX),
            id.table.0,
            record,
            id.facet.0,
            change.epoch,
            change.change.as_slice()
        ])?;
    }
    Ok(())
}

/// The changes of an edit, in order.
pub(crate) fn list(conn: &Connection, n: i64) -> Result<Vec<DocumentChange>, ReplicaError> {
    let sql = "SELECT table_id, record, facet, epoch, bytes FROM sync_change WHERE n = ?1 ORDER BY position";
    let changes = conn
        .prepare_cached(sql)?
        .query_map([n], |row| {
            let document = DocumentId {
                table: TableId(row.get(0)?),
                record: RecordId(Uuid::from_bytes(row.get(1)?)),
                facet: FacetId(row.get(2)?),
            };
            Ok(DocumentChange {
                document,
                epoch: row.get(3)?,
                change: ByteVec::from(row.get::<_, Vec<u8>>(4)?),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(changes)
}

pub(crate) fn purge_all(conn: &Connection, n: i64) -> Result<(), ReplicaError> {
    conn.prepare_cached("DELETE FROM sync_change WHERE n = ?1")?.execute([n])?;
    Ok(())
}

/// A change that is not part of the confirmed document yet.
#[derive(Debug, Clone)]
pub(crate) struct PendingChange {
    pub n: i64,
    pub epoch: u32,
    pub bytes: Vec<u8>,
}

/// Whether there is any change that is not part of a confirmed document.
pub(crate) fn any(conn: &Connection) -> Result<bool, ReplicaError> {
    Ok(conn.prepare_cached("SELECT 1 FROM sync_change LIMIT 1")?.exists([])?)
}

/// Pending changes of a document, oldest first.
pub(crate) fn list_pending(conn: &Connection, id: &DocumentId) -> Result<Vec<PendingChange>, ReplicaError> {
    let sql = "SELECT c.n, c.epoch, c.bytes FROM sync_change c JOIN sync_intent i ON i.n = c.n
        WHERE c.record = ?1 AND c.table_id = ?2 AND c.facet = ?3 AND i.state < 5 ORDER BY c.n, c.position";
    let pending = conn
        .prepare_cached(sql)?
        .query_map(params![id.record.0.as_bytes(), id.table.0, id.facet.0], |row| {
            Ok(PendingChange { n: row.get(0)?, epoch: row.get(1)?, bytes: row.get(2)? })
        })?
        .collect::<Result<_, _>>()?;
    Ok(pending)
}

/// One change of an edit was made anew.
pub(crate) fn replace(conn: &Connection, n: i64, change: &DocumentChange) -> Result<(), ReplicaError> {
    let id = &change.document;
    conn.prepare_cached(
        "UPDATE sync_change SET epoch = ?5, bytes = ?6 WHERE n = ?1 AND record = ?2 AND table_id = ?3 AND facet = ?4",
    )?
    .execute(params![
        n,
        id.record.0.as_bytes(),
        id.table.0,
        id.facet.0,
        change.epoch,
        change.change.as_slice()
    ])?;
    Ok(())
}

/// One document turned out to need no change by this edit.
pub(crate) fn purge(conn: &Connection, n: i64, id: &DocumentId) -> Result<(), ReplicaError> {
    conn.prepare_cached(
        "DELETE FROM sync_change WHERE n = ?1 AND record = ?2 AND table_id = ?3 AND facet = ?4",
    )?
    .execute(params![n, id.record.0.as_bytes(), id.table.0, id.facet.0])?;
    Ok(())
}
