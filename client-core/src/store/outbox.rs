//! What waits to be sent, in the order it was done.

use super::intents::State;
use crate::error::ReplicaError;
use minicbor::bytes::ByteVec;
use neonpro_contract::edit::SignedEdit;
use neonpro_contract::fate::Code;
use neonpro_contract::ids::{AuthorId, EditId};
use neonpro_contract::limits::{HANDOVER_BYTES_MAX, HANDOVER_EDITS_MAX};
use neonpro_contract::time::DeviceInstant;
use neonpro_contract::wire::{Decided, Decision};
use rusqlite::{Connection, params};
use uuid::Uuid;

/// An edit re-expressed after it was sent is told from one whose new bytes were sent too (`intents::Reexpressed`).
const MARK_SENT: &str =
    "UPDATE sync_intent SET state = ?2, reexpressed = CASE reexpressed WHEN 0 THEN 0 ELSE 2 END WHERE n = ?1";

/// One edit on its way.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub edit: EditId,
    pub signed: SignedEdit,
}

impl Outgoing {
    /// Bytes it takes in a push.
    pub fn bytes(&self) -> usize {
        self.signed.envelope.len().saturating_add(self.signed.signature.len()).saturating_add(16)
    }
}

/// What goes out next.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub edits: Vec<Outgoing>,
    /// Decisions about set-aside edits.
    pub decided: Vec<Decided>,
}

impl From<Vec<Outgoing>> for Taken {
    fn from(edits: Vec<Outgoing>) -> Self {
        Self { edits, decided: Vec::new() }
    }
}

/// Takes the next set-aside edits whose fate is to be asked for again: the bytes that were sent before. Their state
/// stays.
pub(crate) fn mark_next_asked(
    conn: &Connection,
    edits_max: usize,
    bytes_max: usize,
) -> Result<Vec<Outgoing>, ReplicaError> {
    let sql = format!(
        "SELECT n, edit, envelope, signature FROM sync_intent WHERE ask = 1 ORDER BY n LIMIT {edits_max}"
    );
    let batch = list(conn, &sql, bytes_max)?;
    let mut mark = conn.prepare_cached("UPDATE sync_intent SET ask = 2 WHERE n = ?1")?;
    for (n, _) in &batch {
        mark.execute([n])?;
    }
    Ok(batch.into_iter().map(|(_, outgoing)| outgoing).collect())
}

/// Takes the next decisions to be told, within the bytes a push may have; at least one if there is any.
pub(crate) fn mark_next_told(conn: &Connection, bytes_max: usize) -> Result<Vec<Decided>, ReplicaError> {
    let sql = format!(
        "SELECT n, edit, closed_by, closed_at, closed_how, code, intent, envelope, signature FROM sync_intent
         WHERE told = 1 ORDER BY n LIMIT {HANDOVER_EDITS_MAX}"
    );
    let (mut decided, mut places, mut bytes) = (Vec::new(), Vec::new(), 0usize);
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let handed = row.get::<_, String>(4)? == "handed_over";
        let (intent, envelope): (String, Vec<u8>) = (row.get(6)?, row.get(7)?);
        let whole = intent.len().saturating_add(envelope.len()) <= HANDOVER_BYTES_MAX;
        let kept = |bytes: Vec<u8>, wanted: bool| ByteVec::from(if wanted { bytes } else { Vec::new() });
        let code: Option<String> = row.get(5)?;
        let one = Decided {
            edit: EditId(Uuid::from_bytes(row.get(1)?)),
            by: AuthorId(Uuid::from_bytes(row.get::<_, Option<[u8; 16]>>(2)?.unwrap_or_default())),
            at: DeviceInstant(row.get(3)?),
            decision: if handed { Decision::HandedOver } else { Decision::Dismissed },
            code: code.as_deref().and_then(Code::from_name).unwrap_or(Code::DependsOnSetAside),
            intent: kept(intent.into_bytes(), handed),
            envelope: kept(envelope, handed && whole),
            signature: kept(row.get(8)?, handed && whole),
        };
        bytes = bytes.saturating_add(one.intent.len()).saturating_add(one.envelope.len());
        if bytes > bytes_max && !decided.is_empty() {
            break;
        }
        places.push(row.get::<_, i64>(0)?);
        decided.push(one);
    }
    drop(rows);
    let mut mark = conn.prepare_cached("UPDATE sync_intent SET told = 2 WHERE n = ?1")?;
    for n in places {
        mark.execute([n])?;
    }
    Ok(decided)
}

/// Takes the next edits within the limits and marks them sent. At least one if there is any. While a set-aside edit
/// waits to be rolled back, only edits whose fate is unknown go out.
pub(crate) fn mark_next_sent(
    conn: &Connection,
    edits_max: usize,
    bytes_max: usize,
) -> Result<Vec<Outgoing>, ReplicaError> {
    let rolling_back = super::intents::any_in_state(conn, &[State::Rejected])?;
    let states = if rolling_back { "state = 2" } else { "state IN (0, 2)" };
    let sql = format!(
        "SELECT n, edit, envelope, signature FROM sync_intent WHERE {states} ORDER BY n LIMIT {edits_max}"
    );
    let batch = list(conn, &sql, bytes_max)?;
    let mut mark = conn.prepare_cached(MARK_SENT)?;
    for (n, _) in &batch {
        mark.execute(params![n, State::Sent as i64])?;
    }
    Ok(batch.into_iter().map(|(_, outgoing)| outgoing).collect())
}

/// Edits with their place, as many as the bytes allow and at least one.
fn list(conn: &Connection, sql: &str, bytes_max: usize) -> Result<Vec<(i64, Outgoing)>, ReplicaError> {
    let (mut batch, mut bytes) = (Vec::new(), 0usize);
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let outgoing = Outgoing {
            edit: EditId(Uuid::from_bytes(row.get(1)?)),
            signed: SignedEdit {
                envelope: ByteVec::from(row.get::<_, Vec<u8>>(2)?),
                signature: ByteVec::from(row.get::<_, Vec<u8>>(3)?),
            },
        };
        bytes = bytes.saturating_add(outgoing.bytes());
        if bytes > bytes_max && !batch.is_empty() {
            break;
        }
        batch.push((row.get(0)?, outgoing));
    }
    Ok(batch)
}

/// A new session: what was sent in an earlier one and not answered is sent again.
pub(crate) fn mark_unanswered_unknown(conn: &Connection) -> Result<(), ReplicaError> {
    conn.prepare_cached("UPDATE sync_intent SET state = 2 WHERE state IN (1, 3)")?.execute([])?;
    conn.execute("UPDATE sync_intent SET ask = 1 WHERE ask = 2", [])?;
    conn.execute("UPDATE sync_intent SET told = 1 WHERE told = 2", [])?;
    Ok(())
}

/// Edits whose fate is not settled.
pub(crate) fn count_waiting(conn: &Connection) -> Result<u64, ReplicaError> {
    count(conn, "SELECT count(*) FROM sync_intent WHERE state < 5")
}

/// Of these, edits the server keeps until a dependency arrives.
pub(crate) fn count_held(conn: &Connection) -> Result<u64, ReplicaError> {
    count(conn, "SELECT count(*) FROM sync_intent WHERE state = 3")
}

/// Records with changes whose fate is not settled.
pub(crate) fn count_waiting_records(conn: &Connection) -> Result<u64, ReplicaError> {
    count(
        conn,
        "SELECT count(DISTINCT c.record) FROM sync_change c JOIN sync_intent i ON i.n = c.n WHERE i.state < 5",
    )
}

/// Questions and decisions the server has not answered.
pub(crate) fn count_unanswered(conn: &Connection) -> Result<u64, ReplicaError> {
    let asked = count(conn, "SELECT count(*) FROM sync_intent WHERE ask > 0")?;
    Ok(asked.saturating_add(count(conn, "SELECT count(*) FROM sync_intent WHERE told IN (1, 2)")?))
}

/// Edits that need a person.
pub(crate) fn count_attention(conn: &Connection) -> Result<u64, ReplicaError> {
    count(conn, "SELECT count(*) FROM sync_intent WHERE state IN (4, 5)")
}

fn count(conn: &Connection, sql: &str) -> Result<u64, ReplicaError> {
    let found: i64 = conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(found).unwrap_or(0))
}
