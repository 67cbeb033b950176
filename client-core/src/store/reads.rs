//! `sync_read`: reads of patient content, until the server has them in its audit.
//!
//! A read is noted in memory and written by whoever writes next, at once if nobody does: opening a record never waits
//! for the writer. Invariant: within a minute one person's reads of one record are one entry.

use crate::error::ReplicaError;
use neonpro_contract::catalogue::TableId;
use neonpro_contract::ids::{AuthorId, RecordId};
use neonpro_contract::time::DeviceInstant;
use neonpro_contract::wire::Read;
use rusqlite::{Connection, Row, params};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;
use uuid::Uuid;

/// µs in which reads of one thing by one person are one read.
const SAME_READ_US: i64 = 60_000_000;
/// Noted reads that wait to be written. Beyond it a writer is stuck and the oldest are kept.
const WAITING_MAX: usize = 10_000;

/// What makes two reads the same.
type Key = (Option<AuthorId>, Option<TableId>, Option<RecordId>, Option<[u8; 32]>);

#[derive(Debug, Default)]
struct Noted {
    minute: i64,
    seen: HashSet<Key>,
    waiting: Vec<Read>,
}

/// Reads on their way to the file.
#[derive(Debug, Default)]
pub(crate) struct ReadQueue {
    noted: Mutex<Noted>,
    /// Told when reads were written: there is something to tell the server.
    pub written: Notify,
}

impl ReadQueue {
    /// Notes a read; `false` when it is one of this minute's already.
    pub fn note(&self, read: &Read) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = read.at.0.div_euclid(SAME_READ_US);
        if noted.minute != minute {
            noted.minute = minute;
            noted.seen.clear();
        }
        let key = (read.person, read.table, read.record, read.query.as_ref().map(|query| **query));
        let fresh = noted.waiting.len() < WAITING_MAX && noted.seen.insert(key);
        if fresh {
            noted.waiting.push(read.clone());
        }
        fresh
    }

    /// Takes what waits to be written.
    pub fn take(&self) -> Vec<Read> {
        std::mem::take(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner).waiting)
    }

    /// Puts back what could not be written.
    pub fn put_back(&self, mut reads: Vec<Read>) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        reads.append(&mut noted.waiting);
        noted.waiting = reads;
    }
}

/// Writes reads.
pub(crate) fn append(conn: &Connection, reads: &[Read]) -> Result<(), ReplicaError> {
    let mut insert = conn.prepare_cached(
        "INSERT OR IGNORE INTO sync_read (id, at, person, table_id, record, facets, query)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for read in reads {
        insert.execute(params![
            *read.id,
            read.at.0,
            read.person.map(|person| *person.0.as_bytes()),
            read.table.map(|table| table.0),
            read.record.map(|record| *record.0.as_bytes()),
            read.facets,
            read.query.as_ref().map(|query| **query),
        ])?;
    }
    Ok(())
}

/// The oldest reads the server does not have.
pub(crate) fn list(conn: &Connection, limit: usize) -> Result<Vec<Read>, ReplicaError> {
    let sql = "SELECT id, at, person, table_id, record, facets, query FROM sync_read ORDER BY n LIMIT ?1";
    let mut select = conn.prepare_cached(sql)?;
    let rows = select.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Lets go of reads the server has.
pub(crate) fn purge(conn: &Connection, ids: impl Iterator<Item = [u8; 16]>) -> Result<(), ReplicaError> {
    let mut delete = conn.prepare_cached("DELETE FROM sync_read WHERE id = ?1")?;
    for id in ids {
        delete.execute([id])?;
    }
    Ok(())
}

/// Whether any are left.
pub(crate) fn any(conn: &Connection) -> Result<bool, ReplicaError> {
    Ok(conn.prepare_cached("SELECT 1 FROM sync_read LIMIT 1")?.exists([])?)
}

fn read(row: &Row<'_>) -> Result<Read, rusqlite::Error> {
    let uuid = |bytes: Option<[u8; 16]>| bytes.map(Uuid::from_bytes);
    Ok(Read {
        id: row.get::<_, [u8; 16]>(0)?.into(),
        at: DeviceInstant(row.get(1)?),
        person: uuid(row.get(2)?).map(AuthorId),
        table: row.get::<_, Option<u16>>(3)?.map(TableId),
        record: uuid(row.get(4)?).map(RecordId),
        facets: row.get(5)?,
        query: row.get::<_, Option<[u8; 32]>>(6)?.map(Into::into),
    })
}
