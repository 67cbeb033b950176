//! What waits to be sent, in the order it was done.

use super::intents::State;
use crate::error::ReplicaError;
use minicbor::bytes::ByteVec;
use neonpro_contract::edit::SignedEdit;
use neonpro_contract::ids::EditId;
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
    let mut batch = Vec::new();
    let mut bytes = 0usize;
    {
        let mut statement = conn.prepare_cached(&sql)?;
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
            batch.push((row.get::<_, i64>(0)?, outgoing));
        }
    }
    let mut mark = conn.prepare_cached(MARK_SENT)?;
    for (n, _) in &batch {
        mark.execute(params![n, State::Sent as i64])?;
    }
    Ok(batch.into_iter().map(|(_, outgoing)| outgoing).collect())
}

/// A new session: what was sent in an earlier one and not answered is sent again.
pub(crate) fn mark_unanswered_unknown(conn: &Connection) -> Result<(), ReplicaError> {
    conn.prepare_cached("UPDATE sync_intent SET state = 2 WHERE state IN (1, 3)")?.execute([])?;
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

/// Edits that need a person.
pub(crate) fn count_attention(conn: &Connection) -> Result<u64, ReplicaError> {
    count(conn, "SELECT count(*) FROM sync_intent WHERE state IN (4, 5)")
}

fn count(conn: &Connection, sql: &str) -> Result<u64, ReplicaError> {
    let found: i64 = conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(found).unwrap_or(0))
}
