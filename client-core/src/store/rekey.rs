//! Giving the file another key.
//!
//! SQLCipher writes every page anew in one transaction of the write-ahead log, so after a kill the file opens with the
//! old key or with the new one, and never with both. Invariants: nobody else has the file open meanwhile; the sidecar names
//! both keys until the file was opened with the new one; when this fails the file has the key it had.

use super::{Store, Writer, open_writer};
use crate::crash;
use crate::device::ReplicaKey;
use crate::error::ReplicaError;
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

/// How long readers may take to end.
const READERS_END_MAX: Duration = Duration::from_secs(10);

impl Store {
    /// Gives the file a new key. The caller keeps both until this returns, and opens with either after a crash.
    pub fn rekey(&self, old: &ReplicaKey, new: &ReplicaKey) -> Result<(), ReplicaError> {
        let mut guard = self.lock();
        let writer = guard.take().ok_or(ReplicaError::Closed)?;
        if !self.readers.pause(READERS_END_MAX) {
            *guard = Some(writer);
            return Err(ReplicaError::InUse);
        }
        let (writer, done) = change(&self.path, writer, old, new);
        match writer {
            Some(writer) => {
                *guard = Some(writer);
                self.readers.resume(if done.is_ok() { new } else { old });
            }
            // It opens with neither here and now, which is for whoever opens it next to find out.
            None => self.readers.close(),
        }
        done
    }
}

/// Changes the key and opens the file again: with the new one, or with the old one where that failed.
fn change(
    path: &Path,
    writer: Writer,
    old: &ReplicaKey,
    new: &ReplicaKey,
) -> (Option<Writer>, Result<(), ReplicaError>) {
    let Writer { conn, meta, mut files, escrow, .. } = writer;
    crash::point("rekey.before_sidecar");
    let changed = files.write_keys(&[old, new], meta.nonce).and_then(|()| {
        crash::point("rekey.after_sidecar");
        write_anew(&conn, new)
    });
    // The connection may hold half of each key: it is not used again, whatever became of it.
    drop(conn);
    let opened = changed.and_then(|()| open_writer(path, new, false));
    let (conn, key, done) = match opened {
        Ok(conn) => (conn, new, Ok(())),
        Err(error) => match open_writer(path, old, false) {
            Ok(conn) => (conn, old, Err(error)),
            Err(_) => return (None, Err(error)),
        },
    };
    crash::point("rekey.after_opening");
    // A sidecar that still names both is no failure of the key: the next opening puts it right.
    if let Err(error) = files.write_keys(&[key], meta.nonce) {
        tracing::warn!(code = error.code(), "the sidecar still names both keys");
    }
    crash::point("rekey.after_confirmed");
    match Writer::new(conn, meta, escrow, files) {
        Ok(writer) => (Some(writer), done),
        Err(error) => (None, Err(error)),
    }
}

/// Every page under the new key, and none under the old one left in the file or its log.
fn write_anew(conn: &Connection, new: &ReplicaKey) -> Result<(), ReplicaError> {
    empty_log(conn)?;
    conn.execute_batch("PRAGMA synchronous = FULL;")?;
    let answer: String = conn.query_row(&new.rekey_pragma(), [], |row| row.get(0))?;
    if answer != "ok" {
        return Err(ReplicaError::Bookkeeping("key"));
    }
    crash::point("rekey.after_commit");
    empty_log(conn)?;
    crash::point("rekey.after_checkpoint");
    Ok(())
}

fn empty_log(conn: &Connection) -> Result<(), ReplicaError> {
    let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy == 0 { Ok(()) } else { Err(ReplicaError::InUse) }
}

#[cfg(test)]
mod tests;
