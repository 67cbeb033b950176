//! The first change after the root: a pure function of record, epoch and values, written by Automerge.
//!
//! [`super::map`] writes the same bytes faster where a facet holds no long text; a property holds the two together.

use super::map::Held;
use super::root;
use super::write::{container, scalar_value};
use super::{DocumentError, json_leaves};
use crate::catalogue::{Field, Kind};
use crate::edit::DocumentId;
use crate::row::Row;
use crate::value::Value;
use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, AutoCommit, AutomergeError, ROOT};

/// The document of a row: root, then genesis if the facet has any value.
pub(super) fn build(id: &DocumentId, epoch: u32, row: &Row) -> Result<AutoCommit, DocumentError> {
    let mut doc = root::of(id)?.doc.clone();
    let mut actor = id.record.0.as_bytes().to_vec();
    actor.extend_from_slice(&epoch.to_be_bytes());
    doc.set_actor(ActorId::from(actor));
    for (index, field) in row.table().facet_fields(id.facet) {
        let value = row.at(index);
        if !value.is_empty() {
            put(&mut doc, field, value).map_err(|_| DocumentError::WrongType(field.name))?;
        }
    }
    doc.commit_with(CommitOptions::default().with_time(0));
    Ok(doc)
}

fn put(doc: &mut AutoCommit, field: &'static Field, value: &Value) -> Result<(), AutomergeError> {
    let object = || container(doc, field).map_err(|_| AutomergeError::Fail);
    match (field.kind, value) {
        (Kind::Text, Value::Text(text)) => {
            let object = object()?;
            doc.splice_text(&object, 0, 0, text)
        }
        (Kind::Set, Value::Texts(members)) => {
            let object = object()?;
            members.iter().try_for_each(|key| doc.put(&object, key, 0_i64))
        }
        (Kind::Set, Value::Uuids(members)) => {
            let object = object()?;
            members.iter().try_for_each(|key| doc.put(&object, key.to_string(), 0_i64))
        }
        (Kind::Json, Value::Json(json)) => {
            let object = object()?;
            let leaves = json_leaves::flatten(json).ok_or(AutomergeError::Fail)?;
            leaves.into_iter().try_for_each(|(key, leaf)| doc.put(&object, key, leaf))
        }
        (_, value) => doc.put(ROOT, field.name, scalar_value(Held::of(value).ok_or(AutomergeError::Fail)?)),
    }
}
