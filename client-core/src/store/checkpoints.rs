//! `sync_checkpoint`: the newest checkpoints of the server's audit this tablet was told and found signed.

use crate::error::ReplicaError;
use neonpro_contract::audit::Checkpoint;
use rusqlite::{Connection, OptionalExtension, params};

/// The server's epoch.
type Epoch = Option<[u8; 16]>;

/// Checkpoints kept. One a day for two months of a busy clinic, since only those of sessions arrive.
const KEPT: i64 = 64;

/// Keeps one; the oldest beyond the limit go.
pub(crate) fn append(conn: &Connection, checkpoint: &Checkpoint, epoch: Epoch) -> Result<(), ReplicaError> {
    let bytes = minicbor::to_vec(checkpoint).unwrap_or_default();
    conn.prepare_cached(
        "INSERT OR IGNORE INTO sync_checkpoint (size, hash, bytes, epoch) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![checkpoint.size, *checkpoint.hash, bytes, epoch])?;
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
    rows.map(|bytes| read(&bytes?)).collect()
}

/// The last one told in this epoch of the server.
pub(crate) fn find_last(conn: &Connection, epoch: Epoch) -> Result<Option<Checkpoint>, ReplicaError> {
    let sql = "SELECT bytes FROM sync_checkpoint WHERE epoch IS ?1 ORDER BY rowid DESC LIMIT 1";
    let found: Option<Vec<u8>> =
        conn.prepare_cached(sql)?.query_row(params![epoch], |row| row.get(0)).optional()?;
    found.map(|bytes| read(&bytes)).transpose()
}

fn read(bytes: &[u8]) -> Result<Checkpoint, ReplicaError> {
    minicbor::decode(bytes).map_err(|_| ReplicaError::Bookkeeping("checkpoint"))
}
