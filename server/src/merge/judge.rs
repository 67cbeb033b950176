//! The judge: decides one edit against the facts and the workspace, without touching the database.
//!
//! Order of the questions: known already? device, author, role; then per document: does it exist here, was it admitted,
//! does its history fit, is the resulting record valid, do its parents exist here, does consent cover it, does the
//! scope of practice let it start.

use super::admit::Proof;
use super::authority;
use super::facts::Facts;
use super::intake::Candidate;
use super::scope::{self, Judged};
use super::whose;
use super::workspace::{OpenDocument, OpenRecord, RecordKey, Stage, Workspace};
use crate::store::documents::DocumentState;
use neonpro_contract::catalogue::{self, FacetId, Kind, PatientLink, Purpose, Table};
use neonpro_contract::consent::{ConsentEvent, Evidence, Verdict, cover, judge as judge_consent, standing};
use neonpro_contract::document::{Clamps, Document, DocumentError, ParsedChange};
use neonpro_contract::edit::{DocumentChange, DocumentId, Envelope};
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::{PatientId, RecordId};
use neonpro_contract::permissions::{may_write, purpose};
use neonpro_contract::row::{Row, RowStamp};
use neonpro_contract::time::ServerInstant;
use neonpro_contract::validate::{self, Joined};
use std::collections::BTreeSet;

/// What the judge decided.
#[derive(Debug)]
pub(super) enum Decision {
    /// Merge it: the stage replaces the originals. Items to open because of consent.
    Accept(Box<Accepted>),
    /// Not merged. What was asked about consent on the way.
    Aside(Fate, Vec<Evidence>),
    /// Decided earlier: told again, and nothing is written a second time.
    Known(Fate),
    /// Its documents are not as they were when it was tried: to be tried again.
    Unproven,
}

/// Why an edit goes no further.
enum Stop {
    Fate(Fate),
    Unproven,
}

impl From<Fate> for Stop {
    fn from(fate: Fate) -> Self {
        Self::Fate(fate)
    }
}

/// An accepted edit.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    pub stage: Stage,
    /// Documents whose change is new, with their position in the edit.
    pub changes: Vec<(DocumentId, u16)>,
    /// Safety data taken without cover: an item opens.
    pub uncovered: Vec<(DocumentId, Code)>,
    /// Acts, with what the scope of practice says of them.
    pub acts: Vec<Judged>,
    /// What was asked about consent.
    pub evidence: Vec<Evidence>,
    pub patient: Option<PatientId>,
}

/// Decides one edit. `retry` looks again at an edit that was set aside.
pub(super) fn judge(
    candidate: &Candidate,
    facts: &Facts,
    workspace: &Workspace,
    proof: Option<&Proof>,
    now: ServerInstant,
    retry: bool,
) -> Decision {
    if let Some(fate) = answered(candidate, facts, retry) {
        return Decision::Known(fate);
    }
    let known = facts.known.get(&candidate.envelope.edit.0).filter(|_| !retry);
    let repeats = |fate: &Fate| known.is_some_and(|k| k.digest == candidate.digest && k.fate == *fate);
    let mut accepted = Accepted::default();
    match stage_edit(candidate, facts, workspace, proof, now, retry, &mut accepted) {
        Ok(()) => Decision::Accept(Box::new(accepted)),
        Err(Stop::Fate(fate)) if repeats(&fate) => Decision::Known(fate),
        Err(Stop::Fate(fate)) => Decision::Aside(fate, accepted.evidence),
        Err(Stop::Unproven) => Decision::Unproven,
    }
}

/// The answer an edit got before, if it is not to be judged again.
pub(super) fn answered(candidate: &Candidate, facts: &Facts, retry: bool) -> Option<Fate> {
    let known = facts.known.get(&candidate.envelope.edit.0)?;
    let settled = matches!(known.fate, Fate::Duplicate { .. });
    // What is kept of one device's edit is not another's to replace.
    let foreign = known.device != candidate.envelope.device.0 && !matches!(known.fate, Fate::Refused { .. });
    // What was missing may have come since: nothing of such an edit was kept that could wait for it here.
    let missing = known.fate == Fate::Refused { code: Code::NotFound };
    let same = known.digest == candidate.digest && !missing;
    (settled || (!retry && (same || foreign))).then(|| known.fate.clone())
}

fn refused(code: Code) -> Fate {
    Fate::Refused { code }
}

fn quarantined(code: Code) -> Fate {
    Fate::Quarantined { code }
}

fn stage_edit(
    candidate: &Candidate,
    facts: &Facts,
    workspace: &Workspace,
    proof: Option<&Proof>,
    now: ServerInstant,
    retry: bool,
    accepted: &mut Accepted,
) -> Result<(), Stop> {
    let envelope = &candidate.envelope;
    let roles = authority::roles(envelope, facts, workspace, retry).map_err(refused)?;
    let waived = facts.known.get(&envelope.edit.0).and_then(|known| known.waived);
    for (position, (change, parsed)) in envelope.changes.iter().zip(&candidate.changes).enumerate() {
        let table = change.document.table().ok_or_else(|| refused(Code::NotFound))?;
        if table.facet(change.document.facet).is_none() {
            return Err(refused(Code::NotFound).into());
        }
        if !roles.iter().any(|role| may_write(table, change.document.facet, *role)) {
            return Err(refused(Code::RoleNotAllowed).into());
        }
        let work = Work { table, position, change, parsed, envelope, workspace, proof, now, waived };
        if work.stage(accepted)? {
            accepted.changes.push((change.document, u16::try_from(position).unwrap_or(u16::MAX)));
        }
    }
    Ok(())
}

/// Whether the author had seen all of the document.
fn joined(document: &mut Document, change: &ParsedChange) -> Joined {
    if document.is_ahead(change) { Joined::Alone } else { Joined::Concurrently }
}

/// One change of one edit.
struct Work<'a> {
    table: &'static Table,
    position: usize,
    change: &'a DocumentChange,
    parsed: &'a ParsedChange,
    envelope: &'a Envelope,
    workspace: &'a Workspace,
    proof: Option<&'a Proof>,
    now: ServerInstant,
    /// The question an administrator released the edit from.
    waived: Option<Code>,
}

impl Work<'_> {
    fn key(&self) -> RecordKey {
        (self.change.document.table, self.change.document.record.0)
    }

    /// Stages the change. `false` when the document already holds it.
    fn stage(&self, accepted: &mut Accepted) -> Result<bool, Stop> {
        let mut document = self.find_document(&accepted.stage)?;
        let mut record = self.find_record(&accepted.stage);
        let before = record.existed.then(|| record.row.clone());
        let Some(joined) = self.apply(&mut document, &record.row)? else { return Ok(false) };
        let mut after = record.row.clone();
        self.project(&mut document, &mut after)?;
        validate::transition(before.as_ref(), &after, joined).map_err(quarantined)?;
        self.check_addenda(&document, before.as_ref())?;
        self.check_registries(before.as_ref(), &after)?;
        document.note_growth(before.as_ref(), &after);
        self.check_parents(&accepted.stage, before.as_ref(), &after)?;
        // An existing document knows its patient; its parents may not have been read.
        let patient = document.state.patient.or_else(|| self.patient(&accepted.stage, &after));
        if before.is_none() {
            self.create_facets(&mut accepted.stage, &mut document, &after, patient);
            after.set_derived_defaults();
        }
        document.state.patient = patient;
        if whose::was_erased(self.workspace, document.state.subject(), self.envelope) {
            return Err(refused(Code::Discarded).into());
        }
        self.check_consent(accepted, &document, &after)?;
        self.check_scope(accepted, before.as_ref(), &after, patient)?;
        self.advance(&mut document);
        record.dirty.extend(self.changed_columns(&record.row, &after, before.is_none()));
        record.row = after;
        record.row.touch(self.envelope.captured_at);
        record.stamp = self.stamp();
        accepted.patient = accepted.patient.or(patient);
        accepted.stage.documents.insert(self.change.document, document);
        accepted.stage.records.insert(self.key(), record);
        Ok(true)
    }

    fn find_document(&self, stage: &Stage) -> Result<OpenDocument, Fate> {
        let id = self.change.document;
        if let Some(open) = self.workspace.document(stage, &id) {
            if self.change.epoch == open.state.epoch {
                return Ok(open.clone());
            }
            return Err(if self.change.epoch < open.state.epoch {
                Fate::Rebase { document: id, epoch: open.state.epoch }
            } else {
                // A restored server was given the record again and is behind: its tablet fetches the document as it is
                // here, and expresses the edit on it.
                Fate::Held { missing: id }
            });
        }
        // Another clinic's, shared read-only: answered as if it were not here at all.
        if self.workspace.foreign.contains(&id.record.0) {
            return Err(refused(Code::NotFound));
        }
        // A clinic is begun by its operator: no role on any tablet may.
        if self.table.name == "clinics" {
            return Err(refused(Code::RoleNotAllowed));
        }
        let primary = DocumentId { facet: FacetId(0), ..id };
        // A change that begins the record anew may be a set-aside creation sent again; whether it depends on what was
        // set aside, its own dependencies tell.
        if !id.is_primary() && (self.depends_on_set_aside(&id) || self.depends_on_set_aside(&primary)) {
            return Err(quarantined(Code::DependsOnSetAside));
        }
        // Records whose facts only the server states (alerts) cannot begin on a device. A fact with a default can.
        let server_made = self.table.columns().any(|field| {
            field.kind == Kind::Derived && field.required && field.default == catalogue::Default::Null
        });
        if !id.is_primary() || self.change.epoch != 1 || server_made {
            return Err(refused(Code::NotFound));
        }
        Ok(OpenDocument::new(DocumentState::new(id, Purpose::Operation, None)))
    }

    fn find_record(&self, stage: &Stage) -> OpenRecord {
        self.workspace.record(stage, &self.key()).cloned().unwrap_or_else(|| OpenRecord {
            table: self.table,
            row: Row::empty(self.table),
            stamp: self.stamp(),
            existed: false,
            dirty: BTreeSet::new(),
            derived_dirty: false,
        })
    }

    fn depends_on_set_aside(&self, id: &DocumentId) -> bool {
        self.workspace.set_aside.contains(id)
    }

    /// Applies the change to the open document: one that only writes maps by itself, any other if a worker did so
    /// before. `None` when the document already holds it.
    fn apply(&self, open: &mut OpenDocument, row: &Row) -> Result<Option<Joined>, Stop> {
        if self.parsed.is_plain() {
            let document = open.open(row).map_err(|_| quarantined(Code::ProjectionFailed))?;
            if document.contains(&self.parsed.hash()) {
                return Ok(None);
            }
            let joined = joined(document, self.parsed);
            if document.apply_plain(self.parsed) {
                return Ok(Some(joined));
            }
        }
        match self.proof.map(|proof| proof.covers(self.position, &open.state.heads)) {
            Some(Some(true)) => {}
            Some(None) => return Err(quarantined(Code::AdmissionFailed).into()),
            Some(Some(false)) | None => return Err(Stop::Unproven),
        }
        let document = open.open(row).map_err(|_| quarantined(Code::ProjectionFailed))?;
        if document.contains(&self.parsed.hash()) {
            return Ok(None);
        }
        let joined = joined(document, self.parsed);
        match document.apply(self.parsed) {
            Ok(()) => Ok(Some(joined)),
            Err(DocumentError::MissingDependency) => Err(self.missing_dependency(open).into()),
            Err(DocumentError::ActorForked) => Err(quarantined(Code::ActorForked).into()),
            Err(_) => Err(refused(Code::Malformed).into()),
        }
    }

    fn missing_dependency(&self, open: &OpenDocument) -> Fate {
        if self.depends_on_set_aside(&self.change.document) {
            quarantined(Code::DependsOnSetAside)
        } else if open.fingerprint_before.is_none() && open.state.live_changes == 0 && !open.state.withdrawn {
            // A change to a record that is not here: another clinic's, or nobody's.
            refused(Code::NotFound)
        } else {
            Fate::Held { missing: self.change.document }
        }
    }

    fn project(&self, open: &mut OpenDocument, after: &mut Row) -> Result<(), Fate> {
        let captured = self.envelope.captured_at;
        if captured.0 > self.now.0 {
            open.state.clamps.insert(self.parsed.hash(), self.now);
        }
        let clamps: &Clamps = &open.state.clamps;
        let document = open.document.as_mut().ok_or_else(|| quarantined(Code::ProjectionFailed))?;
        document.check_fields().map_err(|_| quarantined(Code::InvalidValue))?;
        open.disputes = document.project(clamps, after).map_err(|_| quarantined(Code::InvalidValue))?;
        Ok(())
    }

    /// Two addenda under one key would hide one of them.
    fn check_addenda(&self, open: &OpenDocument, before: Option<&Row>) -> Result<(), Fate> {
        let locked = before.is_some_and(|before| !before.get("locked_at").is_null());
        let contested = |document: &Document| document.is_contested(validate::ADDENDA);
        if locked && open.document.as_ref().is_some_and(contested) {
            return Err(quarantined(Code::RecordLocked));
        }
        Ok(())
    }

    /// Every code the change newly names must be in its registry.
    fn check_registries(&self, before: Option<&Row>, after: &Row) -> Result<(), Fate> {
        for (index, field) in self.table.facet_fields(self.change.document.facet) {
            let (Some(registry), Some(code)) = (field.registry, after.at(index).as_text()) else { continue };
            let named = before.is_some_and(|before| before.at(index) == after.at(index));
            if !named && !self.workspace.registered.contains(&(registry, code.to_owned())) {
                return Err(quarantined(Code::InvalidValue));
            }
        }
        Ok(())
    }

    /// Every record the change newly points at must exist in this clinic. Another clinic's is answered like one
    /// that does not exist.
    fn check_parents(&self, stage: &Stage, before: Option<&Row>, after: &Row) -> Result<(), Fate> {
        for (index, field) in self.table.facet_fields(self.change.document.facet) {
            let Some(parent) = field.references.and_then(neonpro_contract::catalogue::table) else {
                continue;
            };
            let Some(target) = after.at(index).as_uuid() else { continue };
            if before.is_some_and(|before| before.at(index) == after.at(index)) {
                continue;
            }
            if self.workspace.exists(stage, &(parent.id, target)) {
                continue;
            }
            let primary = DocumentId { table: parent.id, record: RecordId(target), facet: FacetId(0) };
            return Err(if self.depends_on_set_aside(&primary) {
                quarantined(Code::DependsOnSetAside)
            } else {
                refused(Code::NotFound)
            });
        }
        Ok(())
    }

    fn patient(&self, stage: &Stage, after: &Row) -> Option<PatientId> {
        match self.table.patient {
            PatientLink::None => None,
            PatientLink::Own => Some(PatientId(self.change.document.record.0)),
            PatientLink::Field(field) => after.get(field).as_uuid().map(PatientId),
            PatientLink::Parent(field) => {
                let parent = self.table.field(field).and_then(|(_, field)| field.references);
                let parent = parent.and_then(neonpro_contract::catalogue::table)?;
                self.workspace.patient_of(stage, &(parent.id, after.get(field).as_uuid()?))
            }
        }
    }

    /// A new record brings all its facets into being, with the purposes its values fix. Those an earlier edit of this
    /// transaction brought stay as that edit left them.
    fn create_facets(
        &self,
        stage: &mut Stage,
        document: &mut OpenDocument,
        after: &Row,
        patient: Option<PatientId>,
    ) {
        for facet_id in self.table.facet_ids() {
            let Some(facet) = self.table.facet(facet_id) else { continue };
            let purpose = purpose(facet, after);
            if facet_id == self.change.document.facet {
                document.state.purpose = purpose;
                continue;
            }
            let id = DocumentId { facet: facet_id, ..self.change.document };
            if self.workspace.document(stage, &id).is_some() {
                continue;
            }
            stage.documents.insert(id, OpenDocument::new(DocumentState::new(id, purpose, patient)));
        }
    }

    fn check_consent(&self, accepted: &mut Accepted, open: &OpenDocument, after: &Row) -> Result<(), Fate> {
        let Some(facet) = self.table.facet(self.change.document.facet) else { return Ok(()) };
        let purpose = purpose(facet, after);
        if purpose == Purpose::Operation {
            return Ok(());
        }
        // Nobody's data: nobody's consent is asked.
        let Some(patient) = open.state.patient else { return Ok(()) };
        let none = Vec::new();
        let events = self.workspace.consents.get(&patient).unwrap_or(&none);
        let standing = standing(events, purpose, self.now.0);
        let cover = cover(standing, events, purpose, self.envelope.capture(), self.envelope.seen_seq);
        accepted.evidence.push(Evidence::of(self.change.document, purpose, standing, cover, events));
        match judge_consent(facet, purpose, cover) {
            Verdict::Accept => Ok(()),
            Verdict::AcceptWithItem(code) => {
                accepted.uncovered.push((self.change.document, code));
                Ok(())
            }
            Verdict::Quarantine(code)
                if matches!(self.waived, Some(Code::ConsentMissing | Code::ConsentWithdrawn)) =>
            {
                accepted.uncovered.push((self.change.document, code));
                Ok(())
            }
            Verdict::Quarantine(code) => Err(quarantined(code)),
        }
    }

    fn check_scope(
        &self,
        accepted: &mut Accepted,
        before: Option<&Row>,
        after: &Row,
        patient: Option<PatientId>,
    ) -> Result<(), Fate> {
        let known = (self.workspace, &accepted.stage);
        let judged = scope::judge(self.change.document, (before, after), self.envelope, known, patient)?;
        accepted.acts.extend(judged);
        Ok(())
    }

    /// Moves the document's state past the change.
    fn advance(&self, open: &mut OpenDocument) {
        open.dirty = true;
        open.state.live_changes = open.state.live_changes.saturating_add(1);
        if let Some(document) = open.document.as_mut() {
            open.state.heads = document.heads();
        }
    }

    fn changed_columns(&self, before: &Row, after: &Row, created: bool) -> BTreeSet<usize> {
        let touched = after.table().field("updated_at").map(|(index, _)| index);
        let changed = before.iter().zip(after.iter()).enumerate();
        changed
            .filter(|(_, ((_, was), (_, is)))| created || was != is)
            .map(|(index, _)| index)
            .chain(touched)
            .collect()
    }

    fn stamp(&self) -> RowStamp {
        RowStamp {
            author: Some(self.envelope.author),
            captured_at: Some(self.envelope.captured_at),
            merged_at: self.now,
            feed_seq: 0,
        }
    }
}

/// Takes an accepted edit over into the workspace, numbers its changes and lets its consents count.
pub(super) fn take_over(
    workspace: &mut Workspace,
    accepted: Accepted,
    seq: &mut i64,
) -> Vec<(DocumentId, u16, i64)> {
    let Accepted { stage, changes, .. } = accepted;
    workspace.commit(stage);
    let mut numbered = Vec::with_capacity(changes.len());
    for (id, position) in changes {
        *seq = seq.saturating_add(1);
        numbered.push((id, position, *seq));
        if let Some(open) = workspace.documents.get_mut(&id) {
            open.state.last_seq = *seq;
        }
        let Some(record) = workspace.records.get_mut(&(id.table, id.record.0)) else { continue };
        record.stamp.feed_seq = *seq;
        if record.table.name == "data_consent_records" {
            let captured = record.stamp.captured_at.map_or(0, |at| at.0);
            let event = ConsentEvent::of_row(
                id.record,
                &record.row,
                captured,
                Some(record.stamp.merged_at),
                Some(*seq),
            );
            let patient = record.row.get("patient_id").as_uuid().map(PatientId);
            if let (Some(event), Some(patient)) = (event, patient) {
                let events = workspace.consents.entry(patient).or_default();
                if events.iter().all(|other| other.id != event.id) {
                    events.push(event);
                }
                workspace.consents_changed.insert(patient);
            }
        }
    }
    numbered
}
