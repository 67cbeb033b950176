//! Saving what people wrote from a damaged file that was set aside.

use super::Replica;
use crate::device::ReplicaKey;
use crate::error::ReplicaError;
use neonpro_contract::edit::Intent;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// What could still be read from a damaged file.
#[derive(Debug, Clone, Default)]
pub struct Salvage {
    /// Edits without a settled fate, or set aside, oldest first.
    pub edits: Vec<Intent>,
    /// Reading stopped at a damaged place; there may have been more.
    pub incomplete: bool,
}

impl Replica {
    /// Reads unsent work from a damaged file, without changing it.
    ///
    /// # Errors
    /// A key that does not fit, or a file whose first page is lost.
    pub fn salvage(path: impl AsRef<Path>, key: &ReplicaKey) -> Result<Salvage, ReplicaError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)?;
        conn.execute_batch(&key.pragma())?;
        let mut salvage = Salvage::default();
        let mut statement = conn.prepare("SELECT intent FROM sync_intent WHERE state < 6 ORDER BY n")?;
        let mut rows = statement.query([])?;
        loop {
            match rows.next() {
                Ok(Some(row)) => {
                    match row.get::<_, String>(0).ok().and_then(|text| serde_json::from_str(&text).ok()) {
                        Some(intent) => salvage.edits.push(intent),
                        None => salvage.incomplete = true,
                    }
                }
                Ok(None) => return Ok(salvage),
                Err(_) => {
                    salvage.incomplete = true;
                    return Ok(salvage);
                }
            }
        }
    }
}
