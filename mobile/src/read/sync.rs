//! What is disputed, what waits, what there is to do: as the sync screen and the side column show it.

use super::attention::list_attention;
use super::badge::Badge;
use super::kept::value_text;
use super::name::name;
use super::{LIST_ROWS_MAX, list, number, text};
use crate::forms::patient::Disputes;
use crate::text as words;
use crate::zone::Zone;
use neonpro_client_core::{ConflictRow, Replica, ReplicaError};
use neonpro_contract::catalogue::{FacetId, TableId};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::RecordId;

/// Entries of one kind in the to-do column.
const TODO_MAX: usize = 5;

/// A field with several values.
pub struct ConflictView {
    /// Which record.
    pub what: String,
    /// Its screen.
    pub href: Option<String>,
    /// Which field.
    pub field: String,
    /// The value shown meanwhile, with who wrote it.
    pub shown: String,
    /// The other values, each with who wrote it.
    pub others: Vec<String>,
}

/// A record that waits to be confirmed.
pub struct WaitingView {
    /// Kind of record.
    pub kind: &'static str,
    /// Which record.
    pub what: String,
    /// Its screen.
    pub href: Option<String>,
    /// Where it stands.
    pub state: Badge,
}

/// Something to do in the side column.
pub struct TodoView {
    /// Where it is done.
    pub href: String,
    /// What it is about.
    pub title: String,
    /// Why.
    pub detail: String,
    /// Kind in words.
    pub kind: &'static str,
    /// Tone.
    pub tone: &'static str,
}

/// Every disputed field.
///
/// # Errors
/// What the replica reports.
pub fn list_conflicts(replica: &Replica, zone: Zone) -> Result<Vec<ConflictView>, ReplicaError> {
    let users = replica.users()?;
    let view = |row: ConflictRow| {
        let named = name(replica, &row.document)?;
        let mut sides = row.choices.iter().map(|choice| {
            let by = choice.author.and_then(|id| users.iter().find(|user| user.author == id));
            let when = choice.captured_at.map(|at| zone.date(at.0));
            let who = by.map(|user| user.name.clone()).into_iter().chain(when).collect::<Vec<_>>().join(", ");
            let value = value_text(zone, &row.field, &choice.value);
            if who.is_empty() { value } else { format!("{value} — {who}") }
        });
        Ok(ConflictView {
            what: format!("{}: {}", named.kind, named.what),
            href: named.href,
            field: words::field(&row.field).to_owned(),
            shown: sides.next().unwrap_or_default(),
            others: sides.collect(),
        })
    };
    replica.conflicts()?.into_iter().take(LIST_ROWS_MAX).map(view).collect()
}

/// Other values of the disputed fields of one record, by field.
///
/// # Errors
/// What the replica reports.
pub fn list_disputes(replica: &Replica, table: &str, id: &str, zone: Zone) -> Result<Disputes, ReplicaError> {
    let mut disputes = Disputes::new();
    for row in replica.conflicts()? {
        let same =
            row.document.record.to_string() == id && row.document.table().is_some_and(|of| of.name == table);
        if same {
            let others = row.choices.iter().skip(1);
            let values = others.map(|choice| value_text(zone, &row.field, &choice.value)).collect();
            disputes.insert(row.field, values);
        }
    }
    Ok(disputes)
}

/// Records with edits whose fate is not settled, oldest first.
///
/// # Errors
/// What the replica reports.
pub fn list_waiting(replica: &Replica) -> Result<Vec<WaitingView>, ReplicaError> {
    let sql = "SELECT c.table_id, uuid_text(c.record) AS record, min(c.n) AS n FROM sync_change c
        JOIN sync_intent i ON i.n = c.n WHERE i.state < 5 GROUP BY c.table_id, c.record ORDER BY n";
    let view = |row: &super::Record| {
        let table = number(row, "table_id").and_then(|id| u16::try_from(id).ok()).map_or(TableId(0), TableId);
        let id = text(row, "record");
        let record: RecordId = id.parse().map_err(|_| ReplicaError::Bookkeeping("record id"))?;
        let document = DocumentId { table, record, facet: FacetId(0) };
        let named = name(replica, &document)?;
        let state = Badge::of(replica, document.table().map_or("", |table| table.name), id)?;
        Ok(WaitingView { kind: named.kind, what: named.what, href: named.href, state })
    };
    list(replica, sql, &[], LIST_ROWS_MAX)?.iter().map(view).collect()
}

/// What the side column of the agenda shows.
///
/// # Errors
/// What the replica reports.
pub fn list_todo(replica: &Replica, zone: Zone, now_us: i64) -> Result<Vec<TodoView>, ReplicaError> {
    let attention = list_attention(replica, zone, now_us)?.into_iter().filter(|entry| !entry.held);
    let attention = attention.take(TODO_MAX).map(|entry| TodoView {
        href: "/sincronizacao#atencao".to_owned(),
        title: entry.what,
        detail: entry.reason.to_owned(),
        kind: entry.kind,
        tone: "red",
    });
    let conflicts = list_conflicts(replica, zone)?.into_iter().take(TODO_MAX).map(|conflict| TodoView {
        href: conflict.href.unwrap_or_else(|| "/sincronizacao#disputas".to_owned()),
        title: conflict.what,
        detail: format!("{} · {}", conflict.field, conflict.others.join(" · ")),
        kind: words::status::DISPUTED,
        tone: "amber",
    });
    Ok(attention.chain(conflicts).collect())
}
