//! `sync_checkpoint`: the newest checkpoints of the server's audit this tablet was told and found signed.

use crate::error::ReplicaError;
use neonpro_contract::audit::Checkpoint;
use rusqlite::{Connection, params};

/// Checkpoints kept. One a day for two months of a busy clinic, since only those of sessions arrive.
const KEPT: i64 = 64;

/// Keeps one; the oldest beyond the limit go.
pub(crate) fn append(conn: &Connection, checkpoint: &Checkpoint) -> Result<(), ReplicaError> {
    let bytes = minicbor::to_vec(checkpoint).unwrap_or_default();
    conn.prepare_cached("INSERT OR IGNORE INTO sync_checkpoint (size, hash, bytes) VALUES (?1, ?2, ?3)")?
        .execute(params![checkpoint.size, *checkpoint.hash, bytes])?;
    conn.prepare_cached(
        "DELETE FROM sync_checkpoint WHERE rowid NOT IN
            (SELECT rowid FROM sync_checkpoint ORDER BY rowid DESC LIMIT ?1)",
    )?
    .execute([KEPT])?;
    Ok(())
}

/// All of them, the last one told first.
pub(crate) fn list(conn: &Connection) -> Result<Vec<Checkpoint>, ReplicaError> {
    let mut select = conn.prepare_cached("SELECT bytes FROM sync_checkpoint ORDER BY rowid DESC")?;
    let rows = select.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|bytes| minicbor::decode(&bytes?).map_err(|_| ReplicaError::Bookkeeping("checkpoint"))).collect()
}

/// The last one told.
pub(crate) fn find_last(conn: &Connection) -> Result<Option<Checkpoint>, ReplicaError> {
    Ok(list(conn)?.into_iter().next())
}
