//! What the rules on this tablet say of acts, and whether its bundles count.

use super::Replica;
use crate::edit::scope::{ScopePreview, facts, of_act, open};
use crate::error::ReplicaError;
use crate::store::records::{self, table_named};
use neonpro_contract::ids::{AuthorId, RecordId};
use neonpro_contract::scope_of_practice::{Asked, asked, publisher_keys};
use neonpro_contract::time::{Capture, DeviceInstant};
use rusqlite::Connection;
use std::collections::HashMap;
use uuid::Uuid;

/// Bundles that were verified here, by row and number: verifying one is too dear for every look at the status.
pub(crate) type Verified = HashMap<(RecordId, Option<i64>), bool>;

impl Replica {
    /// The verdict on a session, appointment or plan as it stands here, at the time of its act; nothing for a record
    /// that is no act. The server's verdict decides; this is its preview.
    ///
    /// # Errors
    /// No such table, or a storage failure.
    pub fn scope_of(&self, table: &str, record: RecordId) -> Result<Option<ScopePreview>, ReplicaError> {
        let table = table_named(table)?;
        self.inner.store.read(|conn| {
            let Some(stored) = records::find(conn, table, record)? else { return Ok(None) };
            let author = stored.stamp.author.unwrap_or(AuthorId(Uuid::nil()));
            let at = stored.stamp.captured_at.unwrap_or(DeviceInstant(0));
            match asked(None, &stored.row, author, Capture { at, uncertainty_ms: 0 }) {
                Asked::Act(act) => Ok(of_act(&facts(conn, &act)?, act)),
                Asked::NoAct | Asked::Untouched => Ok(None),
            }
        })
    }
}

/// How many bundles here no pinned publisher signed.
pub(crate) fn count_ignored(conn: &Connection, verified: &mut Verified) -> Result<u64, ReplicaError> {
    let mut statement = conn.prepare_cached("SELECT id, feed_seq FROM scope_bundles")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, [u8; 16]>(0)?, row.get(1)?)))?;
    let mut ignored = 0;
    for row in rows {
        let (id, feed_seq) = row?;
        let id = RecordId(Uuid::from_bytes(id));
        let counts = match verified.get(&(id, feed_seq)) {
            Some(counts) => *counts,
            None => {
                let stored = records::find(conn, table_named("scope_bundles")?, id)?;
                let counts = stored.is_some_and(|stored| open(&stored, &publisher_keys()).is_some());
                verified.insert((id, feed_seq), counts);
                counts
            }
        };
        ignored += u64::from(!counts);
    }
    Ok(ignored)
}
