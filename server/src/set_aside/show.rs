//! Set-aside edits as an administrator sees them: the list without content, one edit with the words of its author.

use crate::actor::Actor;
use crate::store::set_aside::SetAside;
use crate::store::{Store, StoreResult};
use neonpro_contract::document::ParsedChange;
use neonpro_contract::edit::{DocumentChange, decode_envelope};
use neonpro_contract::ids::{ClinicId, EditId};
use neonpro_contract::row::Row;
use serde_json::{Value as Json, json};

/// What waits, oldest first, without content.
///
/// # Errors
/// A database failure.
pub async fn list(store: &Store, clinic: ClinicId, all: bool, limit: i64) -> StoreResult<Vec<SetAside>> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let mut found = scoped.list_set_aside(all, limit).await?;
    scoped.rollback().await?;
    found.iter_mut().for_each(|edit| edit.intent = None);
    Ok(found)
}

/// One edit with its content: what its tablet handed over, or what can be read from its changes.
///
/// # Errors
/// A database failure.
pub async fn show(store: &Store, clinic: ClinicId, edit: EditId) -> StoreResult<Option<Json>> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let listed = scoped.find_set_aside(edit).await?;
    let waiting = scoped.find_waiting_edit(edit).await?;
    scoped.rollback().await?;
    let Some(listed) = listed else { return Ok(None) };
    let envelope = waiting.and_then(|waiting| decode_envelope(&waiting.envelope));
    let changes: Vec<Json> = envelope.iter().flat_map(|envelope| &envelope.changes).map(change).collect();
    Ok(Some(json!({ "edit": listed, "changes": changes })))
}

fn change(change: &DocumentChange) -> Json {
    let row = change.document.table().map(Row::empty);
    let parsed = ParsedChange::parse(&change.change).ok();
    let ops = parsed.zip(row).and_then(|(parsed, row)| parsed.operations(&change.document, &row));
    match ops {
        Some(ops) => json!({ "document": change.document.to_string(), "epoch": change.epoch, "ops": ops }),
        // Edits in the middle of a text show on its base alone.
        None => {
            json!({ "document": change.document.to_string(), "epoch": change.epoch, "bytes": change.change.len() })
        }
    }
}
