//! The first change of every document: the same bytes for a (table, facet, catalogue version) everywhere.
//!
//! It creates every container, so two tablets that open the same facet independently share them and their
//! texts, sets and maps merge. Built once per process and cloned.

use super::DocumentError;
use crate::catalogue::{CATALOGUE_VERSION, FacetId, Field, Kind, TABLES, Table, TableId};
use crate::edit::DocumentId;
use automerge::legacy::{Key, OpId, OpType};
use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, AutoCommit, ObjType, ROOT};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Root key that names what the document is. Its value is never edited.
pub(super) const ABOUT: &str = "_";

static ROOTS: OnceLock<BTreeMap<(TableId, FacetId), AutoCommit>> = OnceLock::new();

/// A fresh copy of the document that only has its root change.
pub(super) fn document(id: &DocumentId) -> Result<AutoCommit, DocumentError> {
    ROOTS.get_or_init(build_all).get(&(id.table, id.facet)).cloned().ok_or(DocumentError::UnknownFacet)
}

/// The containers of a facet's text, set and object fields, by the operation that made them.
pub(super) fn containers(id: &DocumentId) -> Option<BTreeMap<OpId, &'static Field>> {
    let table = id.table()?;
    let mut doc = document(id).ok()?;
    let change = doc.get_changes(&[]).into_iter().next()?.decode();
    let mut found = BTreeMap::new();
    for (counter, op) in (change.start_op.get()..).zip(&change.operations) {
        if let (OpType::Make(_), Key::Map(name)) = (&op.action, &op.key) {
            let (_, field) = table.field(name)?;
            found.insert(OpId(counter, change.actor_id.clone()), field);
        }
    }
    Some(found)
}

fn build_all() -> BTreeMap<(TableId, FacetId), AutoCommit> {
    let facets = TABLES.iter().flat_map(|table| table.facet_ids().map(move |facet| (*table, facet)));
    facets.filter_map(|(table, facet)| build(table, facet).ok().map(|doc| ((table.id, facet), doc))).collect()
}

fn build(table: &'static Table, facet: FacetId) -> Result<AutoCommit, automerge::AutomergeError> {
    let mut doc = AutoCommit::new().with_actor(ActorId::from(vec![0u8; 4]));
    let name = table.facet(facet).map_or("", |facet| facet.name);
    doc.put(ROOT, ABOUT, format!("{}/{name}/{CATALOGUE_VERSION}", table.name))?;
    for (_, field) in table.facet_fields(facet) {
        match field.kind {
            Kind::Text => drop(doc.put_object(ROOT, field.name, ObjType::Text)?),
            Kind::Set | Kind::Json => drop(doc.put_object(ROOT, field.name, ObjType::Map)?),
            Kind::Register | Kind::Derived => {}
        }
    }
    doc.commit_with(CommitOptions::default().with_time(0));
    Ok(doc)
}
