//! What a change of consent changes beside the ledger, in its own transaction: the booleans of the patient, and which
//! documents devices may hold.
//!
//! Never judges an edit. Invariant: a document of a purpose that rests on consent is withdrawn exactly while the
//! patient's consent is withdrawn or expired; where nobody was ever asked it stays as it is.

use super::persist::{self, Merged};
use super::workspace::{OpenDocument, OpenRecord, Workspace};
use crate::actor::Actor;
use crate::reconcile;
use crate::store::feed::{FeedKind, FeedRecord};
use crate::store::receipts::PurgeOrder;
use crate::store::{Scoped, Store, StoreResult};
use neonpro_contract::catalogue::{Purpose, TableId, table, table_by_id};
use neonpro_contract::consent::{Standing, flags, may_be_held, rests_on_consent, standing};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::{ClinicId, PatientId};
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::Value;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Settles patients of a clinic whose consents have expired since somebody last looked. Returns how many there were.
///
/// # Errors
/// A database failure; nothing was written then.
pub async fn settle_expired(store: &Store, clinic: ClinicId, now: ServerInstant) -> StoreResult<usize> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let head = scoped.lock_head().await?;
    let patients = scoped.list_expired_since_last_look(now).await?;
    scoped.mark_expiries_seen(now).await?;
    if patients.is_empty() {
        scoped.commit().await?;
        return Ok(0);
    }
    let mut workspace =
        Workspace { consents: scoped.list_consents(&patients).await?, ..Workspace::default() };
    if let Some(people) = table("patients") {
        for stored in scoped.list_records(people, &patients).await? {
            let record = OpenRecord {
                table: people,
                row: stored.row,
                stamp: stored.stamp,
                existed: true,
                dirty: BTreeSet::new(),
                derived_dirty: false,
            };
            workspace.records.insert((people.id, stored.id.0), record);
        }
    }
    workspace.consents_changed = patients.iter().copied().map(PatientId).collect();
    let mut merged = Merged::new(head, now);
    settle(&mut scoped, &mut workspace, &mut merged).await?;
    persist::write(&mut scoped, &mut workspace, &mut merged).await?;
    scoped.commit().await?;
    Ok(patients.len())
}

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
        note_treatment(scoped, workspace, merged, *patient).await?;
    }
    for (id, held) in turned(workspace, merged.now) {
        turn(workspace, merged, id, held);
    }
    Ok(())
}

/// A consent to treatment that ended takes nothing off devices; a person must know of it.
async fn note_treatment(
    scoped: &mut Scoped,
    workspace: &Workspace,
    merged: &mut Merged,
    patient: PatientId,
) -> StoreResult<()> {
    let events = workspace.consents.get(&patient).map_or(&[][..], Vec::as_slice);
    let standing = standing(events, Purpose::Treatment, merged.now.0);
    match standing {
        Standing::Never => {}
        Standing::Granted { .. } => merged.settled.push(reconcile::consent::processing_matter(patient)),
        Standing::Expired { .. } | Standing::Withdrawn { .. } => {
            merged.items.push(reconcile::consent::processing_ended(patient, standing));
        }
    }
    if let Standing::Withdrawn { at_us, .. } = standing {
        let early = captured_after(scoped, workspace, patient, at_us).await?;
        if !early.is_empty() {
            merged.items.push(reconcile::consent::too_early(patient, at_us, &early));
        }
    }
    Ok(())
}

/// Records of care merged before that were captured after a withdrawal which arrives only now. Safety data needs no
/// consent.
async fn captured_after(
    scoped: &mut Scoped,
    workspace: &Workspace,
    patient: PatientId,
    at_us: i64,
) -> StoreResult<Vec<String>> {
    let mut by_table: BTreeMap<TableId, BTreeSet<Uuid>> = BTreeMap::new();
    for state in scoped.list_documents_of_patients(&[patient.0], &[Purpose::Treatment]).await? {
        let facet = state.id.table().and_then(|table| table.facet(state.id.facet));
        if facet.is_some_and(|facet| !facet.safety) {
            by_table.entry(state.id.table).or_default().insert(state.id.record.0);
        }
    }
    let mut found = Vec::new();
    for (id, records) in by_table {
        let Some(table) = table_by_id(id) else { continue };
        // What is merged with the withdrawal was judged by it.
        let records: Vec<Uuid> =
            records.into_iter().filter(|record| !workspace.records.contains_key(&(id, *record))).collect();
        for stored in scoped.list_records(table, &records).await? {
            if stored.stamp.captured_at.is_some_and(|captured| captured.0 > at_us) {
                found.push(format!("{}/{}", table.name, stored.id));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
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
    let values: Vec<_> = flags(events, now.0).map(|(name, granted)| (name, Value::Bool(granted))).collect();
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
