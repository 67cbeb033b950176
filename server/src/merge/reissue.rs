//! Reissue: an edit that waited is expressed on the base of today, when the changes that were signed do not fit any more.
//!
//! What the tablet handed over says what was meant; otherwise it is read back from the changes. What can only be read
//! with a base that is gone is left alone: its tablet is asked. Author, capture time and signature stay the original
//! ones; the new changes are of an actor of the edit's own, so no device's history is continued in its name. Nothing is
//! applied here: what comes out is admitted and judged like any edit.

use super::intake::Candidate;
use super::workspace::{OpenDocument, Stage, Workspace};
use crate::store::documents::DocumentState;
use crate::store::edits::WaitingEdit;
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::document::{Actor, Document, EditError, Header, ParsedChange};
use neonpro_contract::edit::{DocumentChange, DocumentId, Envelope, FieldOp, decode_envelope};
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::row::Row;
use std::collections::HashMap;
use uuid::Uuid;

/// Whether the answer to an edit that waited means that its bytes do not fit today's documents.
pub(super) fn is_due(fate: &Fate, candidate: &Candidate, released: bool, ahead: &Ahead) -> bool {
    let Some(waited) = &candidate.waited else { return false };
    match fate {
        Fate::Rebase { .. } => true,
        Fate::Quarantined { code: Code::ActorForked } => released,
        Fate::Held { .. } | Fate::Quarantined { code: Code::DependsOnSetAside } => {
            released || waited.code == Some(Code::DependsOnSetAside) && !ahead.hold(candidate)
        }
        _ => false,
    }
}

/// Changes of other edits that still wait: one that builds on them has its time to come.
#[derive(Debug, Default)]
pub(super) struct Ahead(HashMap<[u8; 32], Uuid>);

impl Ahead {
    pub fn of(waiting: &[WaitingEdit]) -> Self {
        let mut hashes = HashMap::new();
        for edit in waiting.iter().filter(|edit| matches!(edit.fate.as_str(), "held" | "quarantined")) {
            let Some(envelope) = decode_envelope(&edit.envelope) else { continue };
            for change in envelope.changes {
                if let Ok(parsed) = ParsedChange::parse(&change.change) {
                    hashes.insert(parsed.hash(), edit.id);
                }
            }
        }
        Self(hashes)
    }

    /// One that is merged (as it was or anew) is waited for no more.
    pub fn forget_merged(&mut self, edit: Uuid, fate: &Fate) {
        if matches!(fate, Fate::Accepted { .. }) {
            self.0.retain(|_, of| *of != edit);
        }
    }

    fn hold(&self, candidate: &Candidate) -> bool {
        let own = candidate.envelope.edit.0;
        let deps = candidate.changes.iter().flat_map(ParsedChange::deps);
        deps.into_iter().any(|dep| self.0.get(&dep.0).is_some_and(|of| *of != own))
    }
}

/// The edit on today's documents; `None` when only its tablet can express it.
pub(super) fn reissue(candidate: &Candidate, fate: &Fate, workspace: &Workspace) -> Option<Candidate> {
    let forked = matches!(fate, Fate::Quarantined { code: Code::ActorForked });
    let envelope = &candidate.envelope;
    let header = Header {
        edit: envelope.edit,
        author: envelope.author,
        capture: envelope.capture(),
        seen_seq: envelope.seen_seq,
    };
    let (mut changes, mut parsed_changes) = (Vec::new(), Vec::new());
    for (change, parsed) in envelope.changes.iter().zip(&candidate.changes) {
        let (mut document, row, epoch, create) = open(workspace, &change.document)?;
        let joined =
            document.contains(&parsed.hash()) || parsed.deps().iter().all(|dep| document.contains(&dep.0));
        if change.epoch == epoch && joined && !forked {
            changes.push(change.clone());
            parsed_changes.push(parsed.clone());
            continue;
        }
        let ops = meant(candidate, &change.document).or_else(|| parsed.operations(&change.document, &row))?;
        match document.edit(Actor::of_release(envelope.edit), &header, create, &ops) {
            Ok((bytes, _)) => {
                parsed_changes.push(ParsedChange::parse(&bytes).ok()?);
                changes.push(DocumentChange { document: change.document, epoch, change: bytes.into() });
            }
            // It holds already what was meant.
            Err(EditError::NothingToDo) => {}
            Err(_) => return None,
        }
    }
    let anew = changes != envelope.changes;
    let envelope = Envelope { changes, ..envelope.clone() };
    let reissued = if anew { Some(minicbor::to_vec(&envelope).ok()?) } else { None };
    Some(Candidate { envelope, changes: parsed_changes, reissued, ..candidate.clone() })
}

/// A copy of the document as it is, its row and epoch, and whether it has yet to be made.
fn open(workspace: &Workspace, id: &DocumentId) -> Option<(Document, Row, u32, bool)> {
    let stage = Stage::default();
    let key = (id.table, id.record.0);
    let row =
        workspace.record(&stage, &key).map_or_else(|| id.table().map(Row::empty), |r| Some(r.row.clone()))?;
    let mut opened = match workspace.document(&stage, id) {
        Some(open) => open.clone(),
        None => OpenDocument::new(DocumentState::new(*id, Purpose::Operation, None)),
    };
    let create = id.is_primary() && !workspace.exists(&stage, &key);
    let document = opened.open(&row).ok()?.clone();
    Some((document, row, opened.state.epoch, create))
}

/// What the person meant for a document, if a tablet handed it over.
fn meant(candidate: &Candidate, id: &DocumentId) -> Option<Vec<FieldOp>> {
    let intent = candidate.waited.as_ref()?.intent.as_ref()?;
    let part = intent.documents.iter().find(|part| part.document == *id)?;
    Some(part.ops.clone())
}
