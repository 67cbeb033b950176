//! `sync_receipt`: withdrawn documents that are gone from here, until the server has the receipt.

use crate::error::ReplicaError;
use neonpro_contract::catalogue::{FacetId, TableId};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::RecordId;
use neonpro_contract::time::DeviceInstant;
use neonpro_contract::wire::Receipt;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

/// Notes a withdrawal whose document was deleted in this transaction. Its bytes may still be in the log.
pub(crate) fn append(conn: &Connection, seq: i64, id: &DocumentId) -> Result<(), ReplicaError> {
    conn.prepare_cached(
        "INSERT OR IGNORE INTO sync_receipt (seq, table_id, record, facet) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![seq, id.table.0, id.record.0.as_bytes(), id.facet.0])?;
    Ok(())
}

/// Whether there are any.
pub(crate) fn any(conn: &Connection) -> Result<bool, ReplicaError> {
    Ok(conn.prepare_cached("SELECT 1 FROM sync_receipt LIMIT 1")?.exists([])?)
}

/// The last withdrawal whose bytes are not known to be gone.
pub(crate) fn find_last_unpurged(conn: &Connection) -> Result<Option<i64>, ReplicaError> {
    let sql = "SELECT max(seq) FROM sync_receipt WHERE purged_at IS NULL";
    Ok(conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// The bytes of everything withdrawn up to this number are gone.
pub(crate) fn mark_purged(conn: &Connection, up_to: i64, at: DeviceInstant) -> Result<(), ReplicaError> {
    conn.prepare_cached("UPDATE sync_receipt SET purged_at = ?2 WHERE purged_at IS NULL AND seq <= ?1")?
        .execute(params![up_to, at.0])?;
    Ok(())
}

/// Receipts to send, oldest first.
pub(crate) fn list_purged(conn: &Connection, limit: usize) -> Result<Vec<Receipt>, ReplicaError> {
    let sql = "SELECT seq, table_id, record, facet, purged_at FROM sync_receipt
               WHERE purged_at IS NOT NULL ORDER BY seq LIMIT ?1";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok(conn.prepare_cached(sql)?.query_map([limit], read)?.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Receipt> {
    Ok(Receipt {
        seq: row.get(0)?,
        document: DocumentId {
            table: TableId(row.get(1)?),
            record: RecordId(Uuid::from_bytes(row.get(2)?)),
            facet: FacetId(row.get(3)?),
        },
        purged_at: DeviceInstant(row.get(4)?),
    })
}

/// Forgets what the server has confirmed.
pub(crate) fn purge(conn: &Connection, seqs: &[i64]) -> Result<(), ReplicaError> {
    let mut statement = conn.prepare_cached("DELETE FROM sync_receipt WHERE seq = ?1")?;
    for seq in seqs {
        statement.execute([seq])?;
    }
    Ok(())
}
