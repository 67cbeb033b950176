//! `sync_intent`: what people did here, until its fate is settled and for 30 days after.

use super::changes;
use crate::edit::seal::Sealed;
use crate::error::ReplicaError;
use neonpro_contract::edit::{DocumentChange, Intent, decode_envelope};
use neonpro_contract::fate::Code;
use neonpro_contract::ids::EditId;
use neonpro_contract::time::ServerInstant;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Where an edit stands. Below [`State::SetAside`] its changes are part of what the screens show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// Waits to be sent.
    Queued = 0,
    /// Sent in this session, no answer yet.
    Sent = 1,
    /// Sent in an earlier session whose answer never came.
    Unknown = 2,
    /// The server keeps it until a dependency arrives.
    Held = 3,
    /// The server set it aside; what builds on it has not been re-expressed yet.
    Rejected = 4,
    /// Set aside: a person must look at it.
    SetAside = 5,
    /// Set aside and dealt with: resent, handed over, dismissed or released.
    Closed = 6,
    /// Merged by the server.
    Accepted = 7,
}

impl State {
    const ALL: [Self; 8] = [
        Self::Queued,
        Self::Sent,
        Self::Unknown,
        Self::Held,
        Self::Rejected,
        Self::SetAside,
        Self::Closed,
        Self::Accepted,
    ];

    fn read(number: i64) -> Result<Self, ReplicaError> {
        Self::ALL
            .into_iter()
            .find(|state| *state as i64 == number)
            .ok_or(ReplicaError::Bookkeeping("state of an edit"))
    }

    /// Whether its changes are part of what the screens show, beyond what the server has.
    pub fn is_pending(self) -> bool {
        self < Self::SetAside
    }
}

/// Whether the bytes of an edit changed after the server may have seen them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reexpressed {
    /// No.
    Never = 0,
    /// Yes, and the new bytes were not sent yet.
    Unsent = 1,
    /// Yes, and the new bytes were sent.
    Resent = 2,
}

/// One edit made here.
#[derive(Debug, Clone)]
pub(crate) struct StoredIntent {
    pub n: i64,
    pub state: State,
    pub intent: Intent,
    pub reexpressed: Reexpressed,
    pub code: Option<Code>,
    pub set_aside_as: Option<String>,
    pub seq: Option<i64>,
    pub settled_at: Option<i64>,
}

const COLUMNS: &str = "n, state, intent, reexpressed, code, set_aside_as, seq, settled_at";

fn read(row: &Row<'_>) -> rusqlite::Result<Result<StoredIntent, ReplicaError>> {
    let (state, intent, code) =
        (row.get::<_, i64>(1)?, row.get::<_, String>(2)?, row.get::<_, Option<String>>(4)?);
    let n = row.get(0)?;
    let reexpressed = match row.get::<_, i64>(3)? {
        0 => Reexpressed::Never,
        1 => Reexpressed::Unsent,
        _ => Reexpressed::Resent,
    };
    let (set_aside_as, seq, settled_at) = (row.get(5)?, row.get(6)?, row.get(7)?);
    let intent = serde_json::from_str(&intent).map_err(|_| ReplicaError::Bookkeeping("intent"));
    let code = code.as_deref().and_then(Code::from_name);
    Ok(intent.and_then(|intent| {
        let state = State::read(state)?;
        Ok(StoredIntent { n, state, intent, reexpressed, code, set_aside_as, seq, settled_at })
    }))
}

/// Stores an edit and its changes; returns its place in the order of edits.
pub(crate) fn append(
    conn: &Connection,
    intent: &Intent,
    changes: &[DocumentChange],
    envelope: &[u8],
    signature: &[u8],
) -> Result<i64, ReplicaError> {
    let text = serde_json::to_string(intent).map_err(|_| ReplicaError::Bookkeeping("intent"))?;
    conn.prepare_cached(
        "INSERT INTO sync_intent (edit, state, captured_at, intent, envelope, signature) VALUES (?1, 0, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![intent.edit.0.as_bytes(), intent.captured_at.0, text, envelope, signature])?;
    let n = conn.last_insert_rowid();
    changes::append(conn, n, changes)?;
    Ok(n)
}

pub(crate) fn find(conn: &Connection, edit: EditId) -> Result<Option<StoredIntent>, ReplicaError> {
    let sql = format!("SELECT {COLUMNS} FROM sync_intent WHERE edit = ?1");
    conn.prepare_cached(&sql)?.query_row([edit.0.as_bytes()], read).optional()?.transpose()
}

pub(crate) fn load(conn: &Connection, n: i64) -> Result<StoredIntent, ReplicaError> {
    let sql = format!("SELECT {COLUMNS} FROM sync_intent WHERE n = ?1");
    conn.prepare_cached(&sql)?.query_row([n], read)?
}

/// Edits in a state, oldest first.
pub(crate) fn list_in_state(conn: &Connection, state: State) -> Result<Vec<StoredIntent>, ReplicaError> {
    let sql = format!("SELECT {COLUMNS} FROM sync_intent WHERE state = ?1 ORDER BY n");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([state as i64])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)??);
    }
    Ok(found)
}

pub(crate) fn any_in_state(conn: &Connection, states: &[State]) -> Result<bool, ReplicaError> {
    let mut statement = conn.prepare_cached("SELECT 1 FROM sync_intent WHERE state = ?1 LIMIT 1")?;
    for state in states {
        if statement.exists([*state as i64])? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) fn mark_state(conn: &Connection, n: i64, state: State) -> Result<(), ReplicaError> {
    conn.prepare_cached("UPDATE sync_intent SET state = ?2 WHERE n = ?1")?
        .execute(params![n, state as i64])?;
    Ok(())
}

/// The bytes an edit travels as were made anew.
pub(crate) fn mark_resealed(
    conn: &Connection,
    n: i64,
    sealed: &Sealed,
    reexpressed: Reexpressed,
) -> Result<(), ReplicaError> {
    conn.prepare_cached(
        "UPDATE sync_intent SET envelope = ?2, signature = ?3, reexpressed = ?4 WHERE n = ?1",
    )?
    .execute(params![n, sealed.envelope, sealed.signature, reexpressed as i64])?;
    Ok(())
}

/// Edits merged after an instant of the server's, back in the outbox: it was restored and may lack them.
pub(crate) fn requeue_accepted(conn: &Connection, after_us: i64) -> Result<usize, ReplicaError> {
    let settled: Vec<(i64, Vec<u8>)> = conn
        .prepare_cached(
            "SELECT n, envelope FROM sync_intent WHERE state = 7 AND merged_at >= ?1 AND seq IS NOT NULL",
        )?
        .query_map([after_us], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (n, envelope) in &settled {
        let Some(envelope) = decode_envelope(envelope) else { continue };
        changes::append(conn, *n, &envelope.changes)?;
        mark_state(conn, *n, State::Queued)?;
    }
    Ok(settled.len())
}

/// The server merged it. `seq` is `None` for one that turned out to change nothing.
pub(crate) fn mark_accepted(
    conn: &Connection,
    n: i64,
    merged: Option<(i64, ServerInstant)>,
    now_us: i64,
) -> Result<(), ReplicaError> {
    let (seq, merged_at) = (merged.map(|(seq, _)| seq), merged.map(|(_, at)| at.0));
    conn.prepare_cached(
        "UPDATE sync_intent SET state = ?2, seq = ?3, merged_at = ?4, settled_at = ?5 WHERE n = ?1",
    )?
    .execute(params![n, State::Accepted as i64, seq, merged_at, now_us])?;
    changes::purge_all(conn, n)
}

/// The server (or a re-expression here) set it aside.
pub(crate) fn mark_set_aside(
    conn: &Connection,
    n: i64,
    state: State,
    code: Code,
    how: &str,
    now_us: i64,
) -> Result<(), ReplicaError> {
    conn.prepare_cached(
        "UPDATE sync_intent SET state = ?2, code = ?3, set_aside_as = ?4, settled_at = ?5 WHERE n = ?1",
    )?
    .execute(params![n, state as i64, code.as_str(), how, now_us])?;
    Ok(())
}

/// A person (or the server, by releasing it) dealt with one that was set aside. Nothing of it is deleted.
pub(crate) fn mark_closed(
    conn: &Connection,
    n: i64,
    how: &str,
    by: Option<&[u8; 16]>,
    now_us: i64,
) -> Result<(), ReplicaError> {
    conn.prepare_cached(
        "UPDATE sync_intent SET state = ?2, closed_how = ?3, closed_by = ?4, closed_at = ?5 WHERE n = ?1",
    )?
    .execute(params![n, State::Closed as i64, how, by, now_us])?;
    changes::purge_all(conn, n)
}

/// Drops an accepted edit whose document was purged.
pub(crate) fn purge(conn: &Connection, n: i64) -> Result<(), ReplicaError> {
    conn.prepare_cached("DELETE FROM sync_intent WHERE n = ?1 AND state = 7")?.execute([n])?;
    changes::purge_all(conn, n)
}

/// Drops edits merged before an instant of the server's (settled before it, if they came to nothing). Nothing else is
/// ever dropped, and no clock of a tablet decides it.
pub(crate) fn purge_accepted_before(conn: &Connection, before_us: i64) -> Result<usize, ReplicaError> {
    Ok(conn
        .prepare_cached("DELETE FROM sync_intent WHERE state = 7 AND coalesce(merged_at, settled_at) < ?1")?
        .execute([before_us])?)
}
