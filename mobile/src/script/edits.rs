//! Requests that write: one edit, or one per consent purpose for the shorthands.

use super::Answer;
use super::commands::members;
use super::request::DocumentRequest;
use crate::report;
use neonpro_client_core::{Draft, DraftDocument, Edited, Replica};
use neonpro_contract::edit::FieldOp;
use neonpro_contract::ids::{AuthorId, RecordId};
use serde_json::{Map, Value as Json, json};

/// One atomic edit over several records.
pub(super) fn edit(replica: &Replica, author: AuthorId, documents: Vec<DocumentRequest>) -> Answer {
    let documents = documents.into_iter().map(|part| DraftDocument {
        create: part.create || part.record.is_none(),
        table: part.table,
        record: part.record,
        ops: part.ops,
        retire: None,
    });
    let draft = Draft { author, documents: documents.collect() };
    Ok(answer(&[replica.edit(draft)?]))
}

/// One new record; fields of several purposes become one edit each.
pub(super) fn create(replica: &Replica, author: AuthorId, table: &str, values: &Map<String, Json>) -> Answer {
    Ok(answer(&replica.create_record(author, table, borrowed(values))?))
}

/// One changed record: by values, or by operations in one edit.
pub(super) fn update(
    replica: &Replica,
    author: AuthorId,
    table: &str,
    record: RecordId,
    values: &Map<String, Json>,
    ops: Vec<FieldOp>,
) -> Answer {
    if ops.is_empty() {
        return Ok(answer(&replica.update_record(author, table, record, borrowed(values))?));
    }
    let puts =
        values.iter().map(|(field, value)| FieldOp::Put { field: field.clone(), value: value.clone() });
    let with = |draft: Draft, op| draft.op(table, record, op);
    Ok(answer(&[replica.edit(puts.chain(ops).fold(Draft::new(author), with))?]))
}

fn borrowed(values: &Map<String, Json>) -> impl Iterator<Item = (&str, Json)> {
    values.iter().map(|(field, value)| (field.as_str(), value.clone()))
}

/// Edit and record ids, the first of each by itself.
pub(super) fn answer(edits: &[Edited]) -> Map<String, Json> {
    let first = edits.first();
    members(json!({
        "edit": first.map(|edited| edited.edit.to_string()),
        "record": first.and_then(Edited::record).map(|id| id.to_string()),
        "edits": edits.iter().map(report::edited).collect::<Vec<_>>(),
    }))
}
