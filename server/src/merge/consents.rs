//! What a change of consent changes beside the ledger, in its own transaction: the booleans of the patient, and which
//! documents devices may hold.
//!
//! Never judges an edit. Invariant: a document of a purpose that rests on consent is withdrawn exactly while the
//! patient's consent is withdrawn or expired; where nobody was ever asked it stays as it is.

use super::persist::Merged;
use super::workspace::{OpenDocument, Workspace};
use crate::store::feed::{FeedKind, FeedRecord};
use crate::store::receipts::PurgeOrder;
use crate::store::{Scoped, StoreResult};
use neonpro_contract::catalogue::{Purpose, table};
use neonpro_contract::consent::{Standing, may_be_held, rests_on_consent, standing};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::PatientId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Consent booleans of `patients` and the purpose each tells of. Care is what a clinic processes data for, so
/// `data_processing_consent` is the consent to treatment.
const BOOLEANS: [(&str, Purpose); 3] = [
    ("photo_consent", Purpose::Photography),
    ("data_processing_consent", Purpose::Treatment),
    ("marketing_consent", Purpose::Marketing),
];

/// Brings booleans and documents in line with the consents as they now are.
pub(super) async fn settle(
    scoped: &mut Scoped,
    workspace: &mut Workspace,
    merged: &mut Merged,
) -> StoreResult<()> {
    let changed = std::mem::take(&mut workspace.consents_changed);
    load_documents(scoped, workspace, &changed).await?;
    for patient in &changed {
        derive_booleans(workspace, *patient, merged.now);
    }
    for (id, held) in turned(workspace, merged.now) {
        turn(workspace, merged, id, held);
    }
    Ok(())
}

/// Documents whose fate a change of consent may turn.
async fn load_documents(
    scoped: &mut Scoped,
    workspace: &mut Workspace,
    patients: &BTreeSet<PatientId>,
) -> StoreResult<()> {
    if patients.is_empty() {
        return Ok(());
    }
    let patients: Vec<Uuid> = patients.iter().map(|patient| patient.0).collect();
    let purposes: Vec<Purpose> =
        Purpose::ALL.into_iter().filter(|purpose| rests_on_consent(*purpose)).collect();
    for state in scoped.list_documents_of_patients(&patients, &purposes).await? {
        workspace.documents.entry(state.id).or_insert_with(|| OpenDocument::existing(state));
    }
    Ok(())
}

fn derive_booleans(workspace: &mut Workspace, patient: PatientId, now: ServerInstant) {
    let Some(patients) = table("patients") else { return };
    let events = workspace.consents.get(&patient).map_or(&[][..], Vec::as_slice);
    let values = BOOLEANS.map(|(name, purpose)| {
        (name, Value::Bool(matches!(standing(events, purpose, now.0), Standing::Granted { .. })))
    });
    let key = (patients.id, patient.0);
    let Some(record) = workspace.records.get_mut(&key) else { return };
    let untouched = record.dirty.is_empty();
    for (name, value) in values {
        if let Some((index, _)) = patients.field(name)
            && *record.row.at(index) != value
        {
            record.row.set_at(index, value);
            record.dirty.insert(index);
            record.derived_dirty = true;
        }
    }
    if untouched && !record.dirty.is_empty() {
        workspace.order.push(key);
    }
}

/// Documents that devices may hold and could not, or the other way round, in the order of their ids.
fn turned(workspace: &Workspace, now: ServerInstant) -> BTreeSet<(DocumentId, bool)> {
    let held = |open: &OpenDocument| {
        let purpose = Some(open.state.purpose).filter(|purpose| rests_on_consent(*purpose))?;
        let events = workspace.consents.get(&open.state.patient?)?;
        may_be_held(standing(events, purpose, now.0)).filter(|held| *held == open.state.withdrawn)
    };
    workspace.documents.iter().filter_map(|(id, open)| held(open).map(|held| (*id, held))).collect()
}

fn turn(workspace: &mut Workspace, merged: &mut Merged, id: DocumentId, held: bool) {
    let Some(open) = workspace.documents.get_mut(&id) else { return };
    let seq = merged.next_seq();
    open.state.withdrawn = !held;
    open.state.last_seq = seq;
    open.dirty = true;
    let purpose = open.state.purpose;
    merged.feed.push(FeedRecord {
        seq,
        kind: if held { FeedKind::Snapshot } else { FeedKind::Withdraw },
        document: id,
        purpose,
        epoch: open.state.epoch,
        edit: None,
        device: None,
    });
    // What no device has been given yet, none must purge.
    if !held && open.fingerprint_before.is_some() {
        merged.purges.push(PurgeOrder { seq, document: id, purpose });
    }
}
