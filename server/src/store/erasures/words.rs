//! The statements that take the words of a patient out of rows, log and items.

use super::super::edits::document_key;
use super::super::sealing::envelopes::KeptEnvelope;
use super::super::{Scoped, StoreError, StoreResult};
use crate::erasure::Request;
use crate::keys::key_of;
use neonpro_contract::catalogue::{FacetId, Field, Kind, Table};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::PatientId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::{Column, instant_text};
use sqlx_core::row::Row as _;
use sqlx_core::sql_str::AssertSqlSafe;
use std::collections::BTreeSet;
use uuid::Uuid;

impl Scoped {
    /// Removes records whole, through the one door for it.
    ///
    /// # Errors
    /// A database failure.
    pub async fn erase_records(
        &mut self,
        table: &Table,
        records: &[Uuid],
        erasure: Uuid,
    ) -> StoreResult<i64> {
        sqlx_core::query_scalar::query_scalar("select erase_records($1, $2, $3)")
            .bind(table.name)
            .bind(records)
            .bind(erasure)
            .fetch_one(self.connection())
            .await
            .map_err(StoreError::during("removing records"))
    }

    /// Empties every sealed field of a facet, and its blind indexes.
    ///
    /// # Errors
    /// A database failure.
    pub async fn erase_fields(
        &mut self,
        table: &'static Table,
        facet: FacetId,
        records: &[Uuid],
    ) -> StoreResult<()> {
        let fields = table.columns().filter(|field| table.seals(field) && field.facet == facet);
        let emptied: Vec<String> = fields.map(|field| emptied(table, field)).collect();
        if records.is_empty() || emptied.is_empty() {
            return Ok(());
        }
        let sql =
            format!("update {} set {} where clinic_id = $1 and id = any($2)", table.name, emptied.join(", "));
        let clinic = self.actor().clinic().0;
        sqlx_core::query::query(AssertSqlSafe(sql))
            .bind(clinic)
            .bind(records)
            .execute(self.connection())
            .await
            .map_err(StoreError::during("emptying records"))?;
        Ok(())
    }

    /// Takes the changes of these documents, and what else these keys sealed of the patient's edits, out of the signed log;
    /// what was signed of the rest still verifies. An edit that waited and lost a part is discarded. Returns how many
    /// changes.
    ///
    /// # Errors
    /// A database failure.
    pub async fn erase_changes(
        &mut self,
        request: &Request,
        documents: &[DocumentId],
        numbers: &BTreeSet<i64>,
        now: ServerInstant,
    ) -> StoreResult<u64> {
        let clinic = self.actor().clinic().0;
        let keys: Vec<String> = documents.iter().map(document_key).collect();
        let rows = sqlx_core::query::query(
            "select id, envelope, reissued from sync.edits where clinic_id = $1 \
             and (documents && $2 or (patient_id = $3 and fate in ('held', 'quarantined', 'discarded'))) for update",
        )
        .bind(clinic)
        .bind(&keys)
        .bind(request.patient.0)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading the log"))?;
        let unreadable = |_| StoreError::Unreadable("sync.edits");
        let mut count = 0u64;
        for row in &rows {
            let (id, envelope): (Uuid, Option<Vec<u8>>) =
                (row.try_get(0).map_err(unreadable)?, row.try_get(1).map_err(unreadable)?);
            let reissued: Option<Vec<u8>> = row.try_get(2).map_err(unreadable)?;
            let erase =
                |kept: Option<Vec<u8>>| kept.map(|kept| without(&kept, documents, numbers)).transpose();
            let (envelope, reissued) = (erase(envelope)?, erase(reissued)?);
            let lost = envelope.as_ref().map_or(0, |(_, lost)| *lost);
            if lost == 0 {
                continue;
            }
            count = count.saturating_add(lost);
            sqlx_core::query::query(
                "update sync.edits set envelope = $3, reissued = $4, \
                 fate = case when fate = 'accepted' then fate else 'discarded' end, \
                 decision = case when fate = 'accepted' then decision else 'discarded' end, \
                 decided_by = case when fate = 'accepted' then decided_by else $5 end, \
                 decided_at = case when fate = 'accepted' then decided_at else $6::timestamptz end \
                 where clinic_id = $1 and id = $2",
            )
            .bind(clinic)
            .bind(id)
            .bind(envelope.map(|(bytes, _)| bytes))
            .bind(reissued.map(|(bytes, _)| bytes))
            .bind(request.by.0)
            .bind(instant_text(now.0))
            .execute(self.connection())
            .await
            .map_err(StoreError::during("erasing changes"))?;
        }
        Ok(count)
    }

    /// Empties what items and handed-over edits say about these documents. Returns how many.
    ///
    /// # Errors
    /// A database failure.
    pub async fn erase_items(&mut self, patient: PatientId, documents: &[DocumentId]) -> StoreResult<u64> {
        let clinic = self.actor().clinic().0;
        let records: Vec<Uuid> = documents.iter().map(|id| id.record.0).collect();
        let items = sqlx_core::query::query(
            "update sync.items set sides = '{\"erased\": true}', state = 'resolved', \
             resolved_at = coalesce(resolved_at, opened_at) where clinic_id = $1 and patient_id = $2 \
             and record_id = any($3) and jsonb_typeof(sides) = 'string'",
        )
        .bind(clinic)
        .bind(patient.0)
        .bind(&records)
        .execute(self.connection())
        .await
        .map_err(StoreError::during("emptying items"))?;
        let keys: Vec<String> = documents.iter().map(document_key).collect();
        let words = sqlx_core::query::query(
            "update sync.handovers h set intent = '' where h.clinic_id = $1 and h.intent <> '' and exists (\
             select from sync.edits e where e.clinic_id = h.clinic_id and e.id = h.edit_id and e.documents && $2)",
        )
        .bind(clinic)
        .bind(&keys)
        .execute(self.connection())
        .await
        .map_err(StoreError::during("emptying what was handed over"))?;
        Ok(items.rows_affected().saturating_add(words.rows_affected()))
    }
}

/// What empties a field.
fn emptied(table: &Table, field: &Field) -> String {
    let nothing = match (table.stored_column(field), field.kind) {
        (Column::Json | Column::TextArray, _) | (_, Kind::Set | Kind::Json) => "'{}'",
        _ if field.required => "''",
        _ => "null",
    };
    let index = if field.indexed { format!(", {}_index = null", field.name) } else { String::new() };
    format!("{} = {nothing}{index}", field.name)
}

/// An envelope without the changes of these documents and of these keys, and how many that were.
fn without(kept: &[u8], documents: &[DocumentId], numbers: &BTreeSet<i64>) -> StoreResult<(Vec<u8>, u64)> {
    let mut envelope = KeptEnvelope::read(kept)?;
    let of: Vec<DocumentId> =
        envelope.outline.envelope().changes.iter().map(|change| change.document).collect();
    let mut lost = 0u64;
    for (part, document) in envelope.parts.iter_mut().zip(of) {
        let sealed = key_of(part).is_some_and(|number| numbers.contains(&number));
        if (sealed || documents.contains(&document)) && !part.is_empty() {
            part.clear();
            lost = lost.saturating_add(1);
        }
    }
    Ok((minicbor::to_vec(envelope).map_err(|_| StoreError::Unreadable("sync.edits"))?, lost))
}
