//! `sync_conflict`: guarded fields with several values.

use crate::error::ReplicaError;
use neonpro_contract::catalogue::{FacetId, TableId};
use neonpro_contract::document::Dispute;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::{AuthorId, EditId, RecordId};
use neonpro_contract::time::DeviceInstant;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

/// One of the values of a disputed field.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ConflictChoice {
    /// The value.
    pub value: Json,
    /// Who wrote it; `None` for a value older than the document's changes.
    pub author: Option<AuthorId>,
    /// In which edit.
    pub edit: Option<EditId>,
    /// When, by that device's clock.
    pub captured_at: Option<DeviceInstant>,
}

/// Patient data does not print itself.
impl std::fmt::Debug for ConflictChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConflictChoice(by {:?}, …)", self.author)
    }
}

/// A guarded field that two people changed without seeing each other. The first choice is the one shown meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct ConflictRow {
    /// The document.
    pub document: DocumentId,
    /// The field.
    pub field: String,
    /// Its values, the one shown first.
    pub choices: Vec<ConflictChoice>,
    /// Since when this tablet knows (µs).
    pub since_us: i64,
}

/// Whether any conflict is stored.
pub(crate) fn any(conn: &Connection) -> Result<bool, ReplicaError> {
    Ok(conn.prepare_cached("SELECT 1 FROM sync_conflict LIMIT 1")?.exists([])?)
}

/// Makes the stored conflicts of a document equal to its disputes; says whether anything changed.
pub(crate) fn replace(
    conn: &Connection,
    id: &DocumentId,
    disputes: &[Dispute],
    now_us: i64,
) -> Result<bool, ReplicaError> {
    let stored: Vec<(String, String)> = conn
        .prepare_cached(
            "SELECT field, choices FROM sync_conflict WHERE record = ?1 AND table_id = ?2 AND facet = ?3",
        )?
        .query_map(params![id.record.0.as_bytes(), id.table.0, id.facet.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut changed = false;
    for (field, _) in
        stored.iter().filter(|(field, _)| disputes.iter().all(|dispute| dispute.field.name != *field))
    {
        conn.prepare_cached(
            "DELETE FROM sync_conflict WHERE record = ?1 AND table_id = ?2 AND facet = ?3 AND field = ?4",
        )?
        .execute(params![id.record.0.as_bytes(), id.table.0, id.facet.0, field])?;
        changed = true;
    }
    for dispute in disputes {
        let choices =
            serde_json::to_string(&choices(dispute)).map_err(|_| ReplicaError::Bookkeeping("conflict"))?;
        if stored.iter().any(|(field, text)| field == dispute.field.name && *text == choices) {
            continue;
        }
        conn.prepare_cached(
            "INSERT INTO sync_conflict (table_id, record, facet, field, choices, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (record, table_id, facet, field) DO UPDATE SET choices = excluded.choices",
        )?
        .execute(params![
            id.table.0,
            id.record.0.as_bytes(),
            id.facet.0,
            dispute.field.name,
            choices,
            now_us
        ])?;
        changed = true;
    }
    Ok(changed)
}

fn choices(dispute: &Dispute) -> Vec<ConflictChoice> {
    dispute
        .values
        .iter()
        .map(|disputed| ConflictChoice {
            value: disputed.value.to_json(),
            author: disputed.author,
            edit: disputed.edit,
            captured_at: disputed.captured_at,
        })
        .collect()
}

pub(crate) fn list(conn: &Connection) -> Result<Vec<ConflictRow>, ReplicaError> {
    let sql = "SELECT table_id, record, facet, field, choices, since FROM sync_conflict ORDER BY since, record, field";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let choices: String = row.get(4)?;
        found.push(ConflictRow {
            document: DocumentId {
                table: TableId(row.get(0)?),
                record: RecordId(Uuid::from_bytes(row.get(1)?)),
                facet: FacetId(row.get(2)?),
            },
            field: row.get(3)?,
            choices: serde_json::from_str(&choices).map_err(|_| ReplicaError::Bookkeeping("conflict"))?,
            since_us: row.get(5)?,
        });
    }
    Ok(found)
}
