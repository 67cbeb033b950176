//! Whose data a change holds, also of one that was not merged: by the documents that are known, and else by what it says
//! itself. What says nothing is the clinic's.

use super::intake::Candidate;
use super::workspace::{Stage, Workspace};
use crate::keys::Subject;
use neonpro_contract::catalogue::{Facet, PatientLink, Purpose, PurposeRule};
use neonpro_contract::document::ParsedChange;
use neonpro_contract::edit::{DocumentId, DocumentIntent, Envelope, FieldOp};
use neonpro_contract::ids::PatientId;
use neonpro_contract::row::Row;
use serde_json::Value as Json;
use std::collections::HashMap;
use uuid::Uuid;

/// The record whose patient is this part's, if it names one.
pub(crate) fn linked(part: &DocumentIntent) -> Option<Uuid> {
    match part.document.table()?.patient {
        PatientLink::Field(field) | PatientLink::Parent(field) => {
            put(&part.ops, field)?.as_str()?.parse().ok()
        }
        PatientLink::None | PatientLink::Own => None,
    }
}

/// The subject of a part of an intent.
pub(crate) fn subject(
    part: &DocumentIntent,
    known: &HashMap<DocumentId, Subject>,
    patient_of: impl Fn(Uuid) -> Option<PatientId>,
) -> Subject {
    if let Some(known) = known.get(&part.document) {
        return *known;
    }
    let table = part.document.table();
    let patient = match table.map(|table| table.patient) {
        Some(PatientLink::Own) => Some(PatientId(part.document.record.0)),
        Some(PatientLink::Field(_)) => linked(part).map(PatientId),
        Some(PatientLink::Parent(_)) => linked(part).and_then(patient_of),
        _ => None,
    };
    let facet = table.and_then(|table| table.facet(part.document.facet));
    Subject::of(patient, facet.map_or(Purpose::Operation, |facet| purpose(facet, &part.ops)))
}

/// Whether an edit was captured before its patient had the purpose erased: then it comes too late, from whatever tablet
/// or restored server.
pub(super) fn was_erased(workspace: &Workspace, subject: Subject, envelope: &Envelope) -> bool {
    workspace.erased.get(&subject).is_some_and(|at| envelope.captured_at.0 <= *at)
}

/// The subject of each document an edit touches.
pub(super) fn subjects(workspace: &Workspace, candidate: &Candidate) -> Vec<(DocumentId, Subject)> {
    let changes = candidate.envelope.changes.iter().map(|change| change.document).zip(&candidate.changes);
    let changes: HashMap<DocumentId, &ParsedChange> = changes.collect();
    let of = |id: DocumentId| match (workspace.documents.get(&id), changes.get(&id)) {
        (Some(open), _) => open.state.subject(),
        (None, Some(change)) => unmerged(workspace, id, change),
        (None, None) => Subject::of(None, Purpose::Operation),
    };
    candidate.documents().map(|id| (id, of(id))).collect()
}

/// The patient an edit concerns, also when it was not merged: a consent that comes later finds it by this.
pub(super) fn patient(workspace: &Workspace, candidate: &Candidate) -> Option<PatientId> {
    candidate.envelope.changes.iter().zip(&candidate.changes).find_map(|(change, parsed)| {
        match workspace.documents.get(&change.document) {
            Some(open) => open.state.patient,
            None => patient_by_change(workspace, change.document, parsed),
        }
    })
}

fn unmerged(workspace: &Workspace, id: DocumentId, change: &ParsedChange) -> Subject {
    let facet = id.table().and_then(|table| table.facet(id.facet));
    let by_value = facet.is_some_and(|facet| matches!(facet.purpose, PurposeRule::ByValue { .. }));
    let ops = id.table().filter(|_| by_value).and_then(|table| change.operations(&id, &Row::empty(table)));
    let purpose =
        facet.map_or(Purpose::Operation, |facet| purpose(facet, ops.as_deref().unwrap_or_default()));
    Subject::of(patient_by_change(workspace, id, change), purpose)
}

fn patient_by_change(workspace: &Workspace, id: DocumentId, change: &ParsedChange) -> Option<PatientId> {
    let table = id.table()?;
    let target = |link: &str| change.root_ids().into_iter().find(|(name, _)| name == link).map(|(_, id)| id);
    match table.patient {
        PatientLink::None => None,
        PatientLink::Own => Some(PatientId(id.record.0)),
        PatientLink::Field(field) => target(field).map(PatientId),
        PatientLink::Parent(field) => {
            let parent = table.field(field).and_then(|(_, field)| field.references)?;
            let parent = neonpro_contract::catalogue::table(parent)?;
            workspace.patient_of(&Stage::default(), &(parent.id, target(field)?))
        }
    }
}

fn purpose(facet: &Facet, ops: &[FieldOp]) -> Purpose {
    match facet.purpose {
        PurposeRule::Fixed(purpose) => purpose,
        PurposeRule::ByValue { field, values, default } => put(ops, field)
            .and_then(Json::as_str)
            .and_then(|text| values.iter().find(|(value, _)| *value == text))
            .map_or(default, |(_, purpose)| *purpose),
    }
}

fn put<'a>(ops: &'a [FieldOp], name: &str) -> Option<&'a Json> {
    ops.iter().find_map(|op| match op {
        FieldOp::Put { field, value } if field == name => Some(value),
        _ => None,
    })
}
