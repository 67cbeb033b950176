//! The first change of every document: the same bytes for a (table, facet, catalogue version) everywhere.
//!
//! It creates every container, so two tablets that open the same facet independently share them and their
//! texts, sets and maps merge. Built once per process.

use super::DocumentError;
use crate::catalogue::{CATALOGUE_VERSION, FacetId, Field, Kind, TABLES, Table, TableId};
use crate::edit::DocumentId;
use automerge::legacy::OpId;
use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, AutoCommit, ObjType, ROOT};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Root key that names what the document is. Its value is never edited.
pub(super) const ABOUT: &str = "_";
/// The actor of every root change.
pub(super) const ACTOR: [u8; 4] = [0; 4];

/// The root of one facet.
pub(super) struct Root {
    pub facet: FacetId,
    /// A document that only has this change.
    pub doc: AutoCommit,
    /// Its bytes.
    pub chunk: Vec<u8>,
    pub hash: [u8; 32],
    /// Counter of its last operation.
    pub max_op: u64,
    /// Containers: counter of the operation that made one, index of its field.
    pub containers: Vec<(u64, usize)>,
}

static ROOTS: OnceLock<BTreeMap<(TableId, FacetId), Root>> = OnceLock::new();

/// The root of a document.
pub(super) fn of(id: &DocumentId) -> Result<&'static Root, DocumentError> {
    ROOTS.get_or_init(build_all).get(&(id.table, id.facet)).ok_or(DocumentError::UnknownFacet)
}

/// The containers of a facet's text, set and object fields, by the operation that made them.
pub(super) fn containers(id: &DocumentId) -> Option<BTreeMap<OpId, &'static Field>> {
    let table = id.table()?;
    let actor = ActorId::from(ACTOR.to_vec());
    let named =
        |(counter, index): &(u64, usize)| Some((OpId(*counter, actor.clone()), table.columns().nth(*index)?));
    of(id).ok()?.containers.iter().map(named).collect()
}

fn build_all() -> BTreeMap<(TableId, FacetId), Root> {
    let facets = TABLES.iter().flat_map(|table| table.facet_ids().map(move |facet| (*table, facet)));
    facets.filter_map(|(table, facet)| Some(((table.id, facet), build(table, facet)?))).collect()
}

fn build(table: &'static Table, facet: FacetId) -> Option<Root> {
    let mut doc = AutoCommit::new().with_actor(ActorId::from(ACTOR.to_vec()));
    let name = table.facet(facet).map_or("", |facet| facet.name);
    doc.put(ROOT, ABOUT, format!("{}/{name}/{CATALOGUE_VERSION}", table.name)).ok()?;
    let mut max_op = 1u64;
    let mut containers = Vec::new();
    for (index, field) in table.facet_fields(facet) {
        let kind = match field.kind {
            Kind::Text => ObjType::Text,
            Kind::Set | Kind::Json => ObjType::Map,
            Kind::Register | Kind::Derived => continue,
        };
        doc.put_object(ROOT, field.name, kind).ok()?;
        max_op = max_op.saturating_add(1);
        containers.push((max_op, index));
    }
    let hash = doc.commit_with(CommitOptions::default().with_time(0))?;
    let chunk = doc.get_change_by_hash(&hash)?.raw_bytes().to_vec();
    Some(Root { facet, doc, chunk, hash: hash.0, max_op, containers })
}
