//! What the clinic holds of a patient, as the patient is told it.

use crate::actor::Actor;
use crate::store::audit::AuditRecord;
use crate::store::{Store, StoreError, StoreResult};
use neonpro_contract::catalogue::{Purpose, TableId, table, table_by_id};
use neonpro_contract::ids::{AuthorId, ClinicId, PatientId};
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// That data is held, of which kinds, for which purposes, since when (LGPD art. 19 I).
    Simplified,
    /// Everything, with origin, criteria and purposes (art. 19 II), as JSON other software reads (art. 18 V).
    Full,
}

/// Makes the statement, and notes in the audit who made it for whom.
///
/// # Errors
/// A database failure, or nobody of that id.
pub async fn statement(
    store: &Store,
    clinic: ClinicId,
    patient: PatientId,
    extent: Extent,
    by: AuthorId,
    now: ServerInstant,
) -> StoreResult<Json> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    scoped.lock_head().await?;
    let mut by_table: BTreeMap<TableId, BTreeSet<Uuid>> = BTreeMap::new();
    let mut purposes: BTreeSet<Purpose> = BTreeSet::new();
    for (id, purpose) in scoped.list_document_ids_of_patient(patient).await? {
        by_table.entry(id.table).or_default().insert(id.record.0);
        purposes.insert(purpose);
    }
    let people = table("patients").ok_or(StoreError::Missing("table"))?;
    if !by_table.contains_key(&people.id) {
        return Err(StoreError::Missing("patient in this clinic"));
    }
    let (mut tables, mut records, mut since) = (BTreeMap::new(), Vec::new(), None::<i64>);
    for (id, ids) in by_table {
        let Some(table) = table_by_id(id) else { continue };
        let ids: Vec<Uuid> = ids.into_iter().collect();
        tables.insert(table.name, json!({ "records": ids.len(), "about": table.about }));
        for stored in scoped.list_records(table, &ids).await? {
            let at = stored.stamp.captured_at.map_or(stored.stamp.merged_at.0, |at| at.0);
            since = Some(since.map_or(at, |first| first.min(at)));
            records.push(json!({
                "table": table.name,
                "record": stored.id,
                "author": stored.stamp.author,
                "captured_at": stored.stamp.captured_at.map(|at| instant_text(at.0)),
                "values": stored.row.to_json(),
            }));
        }
    }
    let shares = scoped.list_shares_given().await?;
    let shared: Vec<Json> = shares
        .iter()
        .filter(|share| share.patient == patient.0)
        .map(|share| json!({ "clinic": share.to, "referral": share.referral, "open": share.open }))
        .collect();
    let detail = json!({ "patient": patient, "full": extent == Extent::Full, "records": records.len() });
    let entry = AuditRecord {
        action: "subject_statement",
        device: None,
        author: Some(by.0),
        edit: None,
        code: None,
        detail,
    };
    scoped.append_audit(&[entry], now).await?;
    scoped.commit().await?;
    Ok(json!({
        "clinic": clinic,
        "patient": patient,
        "made_at": instant_text(now.0),
        "held_since": since.map(instant_text),
        "purposes": purposes,
        "tables": tables,
        "shared_with": shared,
        "records": if extent == Extent::Full { Json::Array(records) } else { Json::Null },
    }))
}
