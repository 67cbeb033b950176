//! Reading what is restricted: with a reason, and in the audit.

use super::{ErasureError, ErasureResult};
use crate::actor::Actor;
use crate::store::Store;
use crate::store::audit::AuditRecord;
use neonpro_contract::catalogue::{TableId, table_by_id};
use neonpro_contract::ids::{AuthorId, ClinicId, PatientId};
use neonpro_contract::time::ServerInstant;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Fewest characters of a reason: a word is none.
const REASON_CHARS_MIN: usize = 10;

/// Every record of a patient's restricted purposes. Who read it and why is in the audit before anything is given.
///
/// # Errors
/// No restriction, no reason, or a database failure.
pub async fn read_restricted(
    store: &Store,
    clinic: ClinicId,
    patient: PatientId,
    by: AuthorId,
    reason: &str,
    now: ServerInstant,
) -> ErasureResult<Json> {
    if reason.trim().chars().count() < REASON_CHARS_MIN {
        return Err(ErasureError::NoReason);
    }
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    scoped.lock_head().await?;
    let restricted = scoped.list_restricted(patient).await?;
    if restricted.is_empty() {
        return Err(ErasureError::NotRestricted);
    }
    let mut by_table: BTreeMap<TableId, BTreeSet<Uuid>> = BTreeMap::new();
    for (id, purpose) in scoped.list_document_ids_of_patient(patient).await? {
        if restricted.contains(&purpose) {
            by_table.entry(id.table).or_default().insert(id.record.0);
        }
    }
    let mut records = Vec::new();
    for (id, ids) in by_table {
        let Some(table) = table_by_id(id) else { continue };
        let ids: Vec<Uuid> = ids.into_iter().collect();
        for stored in scoped.list_records(table, &ids).await? {
            records.push(json!({ "table": table.name, "record": stored.id, "values": stored.row.to_json() }));
        }
    }
    let entry = AuditRecord {
        action: "restricted_read",
        device: None,
        author: Some(by.0),
        edit: None,
        code: None,
        detail: json!({ "patient": patient, "reason": reason, "records": records.len() }),
    };
    scoped.append_audit(&[entry], now).await?;
    scoped.commit().await?;
    Ok(json!({ "patient": patient, "purposes": restricted, "records": records }))
}
