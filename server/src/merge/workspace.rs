//! The workspace: documents and rows of one transaction in memory, and what became dirty.
//!
//! An edit is judged on copies ([`Stage`]) that replace the originals only when the whole edit is accepted.

use crate::keys::Subject;
use crate::store::documents::DocumentState;
use neonpro_contract::catalogue::{FacetId, Field, Table, TableId};
use neonpro_contract::consent::ConsentEvent;
use neonpro_contract::document::{Dispute, Document, DocumentError};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::PatientId;
use neonpro_contract::row::{Row, RowStamp};
use neonpro_contract::scope_of_practice::Facts;
use neonpro_contract::validate;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// Key of a record.
pub(crate) type RecordKey = (TableId, Uuid);

/// A document being worked on.
#[derive(Debug, Clone)]
pub(crate) struct OpenDocument {
    pub state: DocumentState,
    /// Built when first touched.
    pub document: Option<Document>,
    /// Its term in the digest before this transaction; `None` for a new or withdrawn document.
    pub fingerprint_before: Option<u128>,
    pub dirty: bool,
    pub disputes: Vec<Dispute>,
    /// Fields that merging made larger than one edit may.
    pub overgrown: Vec<&'static Field>,
    /// Fields that were so before this transaction and are no longer.
    pub shrunk: Vec<&'static Field>,
    /// Whether several values of a guarded field may have stood before: only there can a dispute have been open.
    pub was_disputed: bool,
}

/// A record being worked on.
#[derive(Debug, Clone)]
pub(crate) struct OpenRecord {
    pub table: &'static Table,
    pub row: Row,
    pub stamp: RowStamp,
    pub existed: bool,
    /// Columns to write back; empty when untouched.
    pub dirty: BTreeSet<usize>,
    /// Derived columns changed: devices get them as a `row` entry.
    pub derived_dirty: bool,
}

/// Everything of one transaction.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub documents: HashMap<DocumentId, OpenDocument>,
    pub records: HashMap<RecordKey, OpenRecord>,
    pub consents: HashMap<PatientId, Vec<ConsentEvent>>,
    /// What verdicts on the scope of practice are drawn from.
    pub scope: Facts,
    /// Records that exist, by what was read or accepted here.
    pub existing: HashSet<RecordKey>,
    /// Records another clinic shares with this one: nobody here may write them.
    pub foreign: HashSet<Uuid>,
    /// What was erased, and from when nothing captured earlier is taken.
    pub erased: HashMap<Subject, i64>,
    /// Codes of registries, by registry; read when a record that names one is touched.
    pub registered: HashSet<(&'static str, String)>,
    /// Documents some edit of which is set aside.
    pub set_aside: HashSet<DocumentId>,
    /// Patients whose consents changed here.
    pub consents_changed: BTreeSet<PatientId>,
    /// Order in which records became dirty.
    pub order: Vec<RecordKey>,
}

/// Copies an edit is judged on, in the order of their ids: what is numbered by it is numbered alike every time.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    pub documents: BTreeMap<DocumentId, OpenDocument>,
    pub records: BTreeMap<RecordKey, OpenRecord>,
}

impl OpenDocument {
    pub fn existing(state: DocumentState) -> Self {
        let fingerprint_before = state.term();
        Self { fingerprint_before, dirty: false, ..Self::new(state) }
    }

    pub fn new(state: DocumentState) -> Self {
        Self {
            state,
            document: None,
            fingerprint_before: None,
            dirty: true,
            disputes: Vec::new(),
            overgrown: Vec::new(),
            shrunk: Vec::new(),
            was_disputed: false,
        }
    }

    /// Notes which fields of the facet outgrew their limits, and which did so no more.
    pub fn note_growth(&mut self, before: Option<&Row>, after: &Row) {
        let facet = self.state.id.facet;
        let of =
            |row: &Row| validate::overgrown(row).filter(|field| field.facet == facet).collect::<Vec<_>>();
        let was = before.map(of).unwrap_or_default();
        self.overgrown = of(after);
        self.shrunk.extend(was);
        let overgrown = &self.overgrown;
        self.shrunk.retain(|field| overgrown.iter().all(|other| other.name != field.name));
    }

    /// The document itself: loaded from its live history, or built from its row.
    pub fn open(&mut self, row: &Row) -> Result<&mut Document, DocumentError> {
        if self.document.is_none() {
            let document = match &self.state.snapshot {
                Some(saved) => Document::load(self.state.id, saved)?,
                None => Document::genesis(self.state.id, self.state.epoch, row)?,
            };
            self.was_disputed = document.may_be_disputed();
            self.document = Some(document);
        }
        self.document.as_mut().ok_or(DocumentError::Unreadable)
    }
}

impl Workspace {
    pub fn record<'a>(&'a self, stage: &'a Stage, key: &RecordKey) -> Option<&'a OpenRecord> {
        stage.records.get(key).or_else(|| self.records.get(key))
    }

    pub fn document<'a>(&'a self, stage: &'a Stage, id: &DocumentId) -> Option<&'a OpenDocument> {
        stage.documents.get(id).or_else(|| self.documents.get(id))
    }

    /// Records of a table that will be written, in the order they were touched.
    pub fn written(&self, table: &'static Table) -> impl Iterator<Item = (Uuid, &OpenRecord)> {
        self.order
            .iter()
            .filter(move |key| key.0 == table.id)
            .filter_map(|key| self.records.get(key).map(|record| (key.1, record)))
    }

    pub fn exists(&self, stage: &Stage, key: &RecordKey) -> bool {
        self.existing.contains(key) || stage.records.contains_key(key)
    }

    /// Takes over an accepted edit's copies.
    pub fn commit(&mut self, stage: Stage) {
        for (id, document) in stage.documents {
            self.documents.insert(id, document);
        }
        for (key, record) in stage.records {
            self.existing.insert(key);
            let was_dirty = self.records.get(&key).is_some_and(|record| !record.dirty.is_empty());
            if !was_dirty {
                self.order.push(key);
            }
            self.records.insert(key, record);
        }
    }

    /// The primary document's patient, for children of a record.
    pub fn patient_of(&self, stage: &Stage, key: &RecordKey) -> Option<PatientId> {
        let id =
            DocumentId { table: key.0, record: neonpro_contract::ids::RecordId(key.1), facet: FacetId(0) };
        self.document(stage, &id).and_then(|document| document.state.patient)
    }
}
