//! Erasure (LGPD art. 16 and 18 VI): the data keys of a patient's purposes are destroyed, what they sealed is removed,
//! devices purge, and what the law keeps is restricted.
//!
//! Owns the order: the ledger outside of PostgreSQL first, then one transaction, then the ledger again. So an erasure
//! that was interrupted is finished, and one that a restored backup forgot is done again before anybody is served.
//! Never decides by itself when a record of care may go: see [`plan`].

pub mod certificate;
pub mod ledger;
pub mod plan;
mod restricted;

pub use restricted::read_restricted;

use crate::actor::Actor;
use crate::jobs::settle_shares;
use crate::store::audit::AuditRecord;
use crate::store::documents::DocumentState;
use crate::store::erasures::{Counts, Erasure};
use crate::store::feed::{FeedKind, FeedRecord};
use crate::store::heads::Head;
use crate::store::receipts::PurgeOrder;
use crate::store::{Scoped, Store, StoreError};
use ledger::{Entry, Ledger, LedgerError};
use neonpro_contract::catalogue::{Purpose, TABLES, Table, table_by_id};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::{AuthorId, ClinicId, PatientId};
use neonpro_contract::time::ServerInstant;
use plan::{Facts, Keep, Plan};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Why nothing, or not everything, was erased.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Nobody of that id.
    #[error("no such patient in this clinic")]
    NoPatient,
    /// The law or a consent keeps everything that was asked for.
    #[error("nothing of what was asked may be erased: {0}")]
    NothingToErase(String),
    /// Not done.
    #[error("no such erasure in this clinic, or it is not done")]
    NotDone,
    /// Nothing restricted.
    #[error("nothing of this patient is restricted")]
    NotRestricted,
    /// No reason.
    #[error("a reason of at least ten characters is needed")]
    NoReason,
}

type ErasureResult<T> = Result<T, ErasureError>;

/// Who asked for what.
#[derive(Debug, Clone)]
pub struct Request {
    /// Id of the erasure: asked again under it, it is the same one.
    pub id: Uuid,
    /// Whose data.
    pub patient: PatientId,
    /// Which purposes.
    pub purposes: BTreeSet<Purpose>,
    /// Who decided it here.
    pub by: AuthorId,
    /// Why, in their words; no patient data.
    pub reason: String,
}

/// What would be erased and what stays, without doing anything.
///
/// # Errors
/// A database failure, or nobody of that id.
pub async fn preview(
    store: &Store,
    clinic: ClinicId,
    patient: PatientId,
    purposes: &BTreeSet<Purpose>,
    now: ServerInstant,
) -> ErasureResult<Plan> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let facts = facts(&mut scoped, patient, now).await?;
    scoped.rollback().await?;
    Ok(plan::plan(purposes, &facts))
}

/// Erases. Done already under this id, it changes nothing.
///
/// # Errors
/// What failed; what was begun is finished at the next start.
///
/// # Cancel safety
/// Not cancel safe: call it from a task of its own.
pub async fn erase(
    store: &Store,
    ledger: &Ledger,
    clinic: ClinicId,
    request: &Request,
    now: ServerInstant,
) -> ErasureResult<Erasure> {
    if let Some(done) = find(store, clinic, request.id).await?.filter(|known| known.done_at.is_some()) {
        return Ok(done);
    }
    let plan = preview(store, clinic, request.patient, &request.purposes, now).await?;
    if plan.erase.is_empty() && plan.restrict().next().is_none() {
        return Err(ErasureError::NothingToErase(plan.reasons()));
    }
    ledger.append(&Entry::begun(clinic, request, &plan, now))?;
    crate::crash_point!("erasure.after_begun");
    let erasure = carry_out(store, clinic, request, &plan, now).await?;
    ledger.append(&Entry::done(clinic, request, &plan, now))?;
    crate::crash_point!("erasure.after_done");
    Ok(erasure)
}

/// Finishes what was begun, and does again what this database does not know of: after every start, before anybody is
/// served. Returns how many erasures it carried out.
///
/// # Errors
/// A ledger that does not read, or a database failure: nobody may be served then.
pub async fn replay(store: &Store, ledger: &Ledger, now: ServerInstant) -> ErasureResult<usize> {
    let mut carried_out = 0usize;
    for (entry, finished) in ledger.erasures()? {
        let known = find(store, entry.clinic, entry.erasure).await?;
        if known.is_some_and(|known| known.done_at.is_some()) {
            if !finished {
                ledger.append(&entry.finished(now))?;
            }
            continue;
        }
        let request = entry.request();
        let mut scoped = store.begin(&Actor::system(entry.clinic)).await?;
        let there = facts(&mut scoped, request.patient, now).await;
        scoped.rollback().await?;
        let plan = match there {
            Ok(facts) => plan::plan_again(&entry.erased, &request.purposes, &facts),
            // A backup from before the patient was registered holds nothing of them.
            Err(ErasureError::NoPatient) => Plan { erase: entry.erased.clone(), keep: Vec::new() },
            Err(error) => return Err(error),
        };
        tracing::warn!(clinic = %entry.clinic, erasure = %entry.erasure, "an erasure is carried out again");
        carry_out(store, entry.clinic, &request, &plan, now).await?;
        ledger.append(&entry.finished(now))?;
        carried_out = carried_out.saturating_add(1);
    }
    Ok(carried_out)
}

/// An erasure of the clinic, done or not.
pub(crate) async fn find(store: &Store, clinic: ClinicId, id: Uuid) -> ErasureResult<Option<Erasure>> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let found = scoped.find_erasure(id).await?;
    scoped.rollback().await?;
    Ok(found)
}

async fn facts(scoped: &mut Scoped, patient: PatientId, now: ServerInstant) -> ErasureResult<Facts> {
    let Some(people) = neonpro_contract::catalogue::table("patients") else {
        return Err(ErasureError::NoPatient);
    };
    let here = scoped.list_records(people, &[patient.0]).await?;
    let person = here.first().ok_or(ErasureError::NoPatient)?;
    let consents = scoped.list_consents(&[patient.0]).await?.remove(&patient).unwrap_or_default();
    let mut care: BTreeMap<_, BTreeSet<Uuid>> = BTreeMap::new();
    let documents = scoped.list_document_ids_of_patient(patient).await?;
    for (id, _) in
        documents.iter().filter(|(id, purpose)| *purpose == Purpose::Treatment && id.table != people.id)
    {
        care.entry(id.table).or_default().insert(id.record.0);
    }
    let mut last_care = None;
    for (id, records) in care {
        let Some(table) = table_by_id(id) else { continue };
        let records: Vec<Uuid> = records.into_iter().collect();
        let entries = scoped.list_records(table, &records).await?;
        let captured = entries.iter().filter_map(|stored| stored.stamp.captured_at).map(|at| at.0);
        last_care = last_care.max(captured.max()).max(entries.first().map(|stored| stored.stamp.merged_at.0));
    }
    let health = people.columns().enumerate().filter(|(_, field)| field.facet.0 == 1);
    if health.into_iter().any(|(index, _)| !person.row.at(index).is_empty()) {
        last_care = last_care.max(Some(person.stamp.merged_at.0));
    }
    let last_payment = scoped.find_last_payment(patient).await?;
    Ok(Facts { last_care, last_payment, consents, now })
}

/// One transaction: keys, rows, documents, log, items, feed, audit.
async fn carry_out(
    store: &Store,
    clinic: ClinicId,
    request: &Request,
    plan: &Plan,
    now: ServerInstant,
) -> ErasureResult<Erasure> {
    let copies = erase_copies(store, clinic, request, plan, now).await?;
    let mut counts = Counts { copies, ..Counts::default() };
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let mut head = scoped.lock_head().await?;
    scoped.append_erasure(request, plan, now).await?;
    let documents = scoped.list_documents_to_erase(request.patient).await?;
    let (gone, restricted): (Vec<_>, Vec<_>) = documents
        .into_iter()
        .filter(|state| plan.erase.contains(&state.purpose) || plan.is_restricted(state.purpose))
        .partition(|state| plan.erase.contains(&state.purpose));
    let ids: Vec<DocumentId> = gone.iter().map(|state| state.id).collect();
    let before = head.seq;
    withdraw(&mut scoped, &mut head, gone.into_iter().chain(restricted).collect(), plan, now).await?;
    counts.documents = u64::try_from(ids.len()).unwrap_or(u64::MAX);
    counts.records = remove_rows(&mut scoped, request, &ids).await?;
    let numbers = scoped.list_key_numbers(request.patient, &plan.erase).await?;
    counts.changes = scoped.erase_changes(request, &ids, &numbers, now).await?;
    counts.items = scoped.erase_items(request.patient, &ids).await?;
    counts.files = scoped.erase_blobs(request.patient, &plan.erase, now).await?;
    counts.keys = scoped.destroy_data_keys(request.patient, &plan.erase, now).await?;
    scoped.append_restrictions(request, plan, now).await?;
    let detail = json!({
        "erasure": request.id,
        "erased": plan.erase.iter().map(|purpose| purpose.name()).collect::<Vec<_>>(),
        "kept": plan.kept_json(),
        "documents": ids.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    let entry = AuditRecord {
        action: "patient_erased",
        device: None,
        author: Some(request.by.0),
        edit: None,
        code: None,
        detail,
    };
    scoped.append_audit(&[entry], now).await?;
    let done = scoped.mark_erased(request.id, &counts, (before, head.seq), now).await?;
    crate::crash_point!("erasure.before_commit");
    scoped.commit().await?;
    crate::crash_point!("erasure.after_commit");
    Ok(done)
}

/// Tells every device to purge the documents, also those withdrawn before: so every device answers for this erasure.
async fn withdraw(
    scoped: &mut Scoped,
    head: &mut Head,
    documents: Vec<DocumentState>,
    plan: &Plan,
    now: ServerInstant,
) -> ErasureResult<()> {
    let (mut feed, mut purges, mut written) = (Vec::new(), Vec::new(), Vec::new());
    for mut state in documents {
        if let (Some(term), Some(digest)) = (state.term(), head.of_purpose(state.purpose)) {
            digest.remove(term);
        }
        head.seq = head.seq.saturating_add(1);
        let (seq, document, purpose) = (head.seq, state.id, state.purpose);
        purges.push(PurgeOrder { seq, document, purpose });
        let (kind, epoch) = (FeedKind::Withdraw, state.epoch);
        feed.push(FeedRecord { seq, kind, document, purpose, epoch, edit: None, device: None });
        state.last_seq = seq;
        written.push((state, plan.erase.contains(&purpose)));
    }
    scoped.mark_withdrawn(&written).await?;
    scoped.append_purge_orders(&purges, now).await?;
    scoped.append_feed(&feed, now).await?;
    scoped.upsert_head(head).await?;
    Ok(())
}

/// Removes records that are erased whole where nothing points at them; of others every word of the erased parts.
async fn remove_rows(scoped: &mut Scoped, request: &Request, gone: &[DocumentId]) -> ErasureResult<u64> {
    let mut count = 0u64;
    for table in TABLES {
        let of_table: Vec<&DocumentId> = gone.iter().filter(|id| id.table == table.id).collect();
        if of_table.is_empty() {
            continue;
        }
        let records: Vec<Uuid> = of_table.iter().map(|id| id.record.0).collect();
        count = count.saturating_add(u64::try_from(records.len()).unwrap_or(u64::MAX));
        if is_removed_whole(table) {
            scoped.erase_records(table, &records, request.id).await?;
            continue;
        }
        for facet in table.facet_ids() {
            let records: Vec<Uuid> =
                of_table.iter().filter(|id| id.facet == facet).map(|id| id.record.0).collect();
            scoped.erase_fields(table, facet, &records).await?;
        }
    }
    Ok(count)
}

/// Files and messages: nothing points at them. `erase_records` in the migrations knows the same two; a test compares.
#[must_use]
pub fn is_removed_whole(table: &Table) -> bool {
    matches!(table.name, "patient_documents" | "coordination_messages")
}

/// Copies that other clinics hold end with the consent to sharing; their keys there are destroyed.
async fn erase_copies(
    store: &Store,
    clinic: ClinicId,
    request: &Request,
    plan: &Plan,
    now: ServerInstant,
) -> ErasureResult<u64> {
    if !plan.erase.contains(&Purpose::DataSharing) {
        return Ok(0);
    }
    settle_shares(store, clinic, now).await?;
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let shares = scoped.list_shares_given().await?;
    scoped.rollback().await?;
    let of_patient = shares.iter().filter(|share| share.patient == request.patient.0 && !share.open);
    let receivers: BTreeSet<ClinicId> = of_patient.map(|share| share.to).collect();
    let mut count = 0u64;
    for receiver in receivers {
        let mut scoped = store.begin(&Actor::system(receiver)).await?;
        scoped.lock_head().await?;
        let every = Purpose::ALL.into_iter().collect();
        count = count.saturating_add(scoped.destroy_data_keys(request.patient, &every, now).await?);
        scoped.commit().await?;
    }
    Ok(count)
}

/// Whether what stays of a purpose is kept by the law rather than by the patient's own consent.
fn is_restricting(keep: &Keep) -> bool {
    matches!(keep, Keep::Chart { .. } | Keep::Fiscal { .. })
}
