//! `sync_intent`: what people did here, until its fate is settled and for 30 days after.

use super::changes;
use crate::edit::seal::Sealed;
use crate::error::ReplicaError;
use neonpro_contract::edit::{DocumentChange, Intent, decode_envelope};
use neonpro_contract::fate::Code;
use neonpro_contract::ids::{AuthorId, EditId};
use neonpro_contract::time::ServerInstant;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

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
    /// Its fate was asked for again.
    pub asked: bool,
    pub decided_by: Option<AuthorId>,
    pub reason: Option<String>,
}

const COLUMNS: &str =
    "n, state, intent, reexpressed, code, set_aside_as, seq, settled_at, ask, decided_by, reason";

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
    let (asked, reason) = (row.get::<_, i64>(8)? > 0, row.get(10)?);
    let decided_by = row.get::<_, Option<[u8; 16]>>(9)?.map(|bytes| AuthorId(Uuid::from_bytes(bytes)));
    let intent = serde_json::from_str(&intent).map_err(|_| ReplicaError::Bookkeeping("intent"));
    let code = code.as_deref().and_then(Code::from_name);
    Ok(intent.and_then(|intent| {
        let state = State::read(state)?;
        Ok(StoredIntent {
            n,
            state,
            intent,
            reexpressed,
            code,
            set_aside_as,
            seq,
            settled_at,
            asked,
            decided_by,
            reason,
        })
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

/// What a person decided on the server about an edit that is set aside or closed here.
pub(crate) fn mark_decided(
    conn: &Connection,
    n: i64,
    by: Option<AuthorId>,
    reason: Option<&str>,
) -> Result<(), ReplicaError> {
    conn.prepare_cached("UPDATE sync_intent SET decided_by = ?2, reason = ?3 WHERE n = ?1")?
        .execute(params![n, by.map(|by| *by.0.as_bytes()), reason])?;
    Ok(())
}

/// The fate that was asked for again has been told.
pub(crate) fn mark_answered(conn: &Connection, n: i64) -> Result<(), ReplicaError> {
    conn.prepare_cached("UPDATE sync_intent SET ask = 0 WHERE n = ?1")?.execute([n])?;
    Ok(())
}

/// The server knows what was decided here.
pub(crate) fn mark_known_there(conn: &Connection, n: i64) -> Result<(), ReplicaError> {
    conn.prepare_cached("UPDATE sync_intent SET told = 3 WHERE n = ?1 AND told IN (1, 2)")?.execute([n])?;
    Ok(())
}

/// What the server may no longer know, or may have decided without being heard: the fates of edits it keeps are asked
/// for again. A restored one may lack decisions and releases too.
pub(crate) fn mark_to_ask(conn: &Connection, restored: bool) -> Result<(), ReplicaError> {
    conn.execute("UPDATE sync_intent SET ask = 1 WHERE state = 5 AND set_aside_as = 'quarantined'", [])?;
    if restored {
        conn.execute("UPDATE sync_intent SET ask = 1 WHERE state = 6 AND closed_how = 'released'", [])?;
        conn.execute("UPDATE sync_intent SET told = 1 WHERE told IN (2, 3)", [])?;
    }
    Ok(())
}

/// A set-aside edit is taken up again: last in the order, with new bytes under its old id. Returns its new place.
pub(crate) fn mark_taken_up(
    conn: &Connection,
    n: i64,
    intent: &Intent,
    changes: &[DocumentChange],
    sealed: &Sealed,
) -> Result<i64, ReplicaError> {
    let text = serde_json::to_string(intent).map_err(|_| ReplicaError::Bookkeeping("intent"))?;
    changes::purge_all(conn, n)?;
    let place: i64 = conn
        .prepare_cached(
            "UPDATE sync_intent SET n = (SELECT max(n) + 1 FROM sync_intent), state = 0, intent = ?2, envelope = ?3,
             signature = ?4, reexpressed = 1, code = NULL, set_aside_as = NULL, settled_at = NULL, closed_how = NULL,
             closed_by = NULL, closed_at = NULL, ask = 0, told = 0, decided_by = NULL, reason = NULL
             WHERE n = ?1 RETURNING n",
        )?
        .query_row(params![n, text, sealed.envelope, sealed.signature], |row| row.get(0))?;
    changes::append(conn, place, changes)?;
    Ok(place)
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
        "UPDATE sync_intent SET state = ?2, closed_how = ?3, closed_by = ?4, closed_at = ?5, ask = 0,
         told = CASE ?3 WHEN 'released' THEN 0 ELSE 1 END WHERE n = ?1",
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
