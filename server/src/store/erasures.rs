//! Erasures: what was asked, decided and done, and who has confirmed.

mod words;

use super::documents::{DocumentState, purpose_number, purpose_of};
use super::{Scoped, StoreError, StoreResult};
use crate::erasure::Request;
use crate::erasure::plan::Plan;
use crate::keys::Subject;
use neonpro_contract::catalogue::{Purpose, TableId};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::PatientId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sqlx_core::row::Row as _;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::PgRow;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// How much an erasure took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Data keys destroyed.
    pub keys: u64,
    /// Documents.
    pub documents: u64,
    /// Records that lost their words or were removed.
    pub records: u64,
    /// Changes of the signed log.
    pub changes: u64,
    /// Items and handed-over words.
    pub items: u64,
    /// Copies at other clinics.
    pub copies: u64,
    /// Files, such as photographs.
    #[serde(default)]
    pub files: u64,
}

/// An erasure as it is kept.
#[derive(Debug, Clone, Serialize)]
pub struct Erasure {
    /// Its id.
    pub id: Uuid,
    /// Whose data.
    pub patient: Uuid,
    /// What was asked.
    pub asked: BTreeSet<Purpose>,
    /// What was erased.
    pub erased: BTreeSet<Purpose>,
    /// What stays, and why.
    pub kept: Json,
    /// Who decided it.
    pub by: Uuid,
    /// Why.
    pub reason: String,
    /// When it began, µs.
    pub begun_at: i64,
    /// When it was committed, µs.
    pub done_at: Option<i64>,
    /// How much.
    pub counts: Option<Counts>,
}

/// What a device has answered of what an erasure asked it to purge.
#[derive(Debug, Clone, Serialize)]
pub struct DeviceReceipts {
    /// The device.
    pub device: Uuid,
    /// Its name.
    pub name: String,
    /// Documents it was asked to purge.
    pub asked: i64,
    /// Of these, confirmed.
    pub confirmed: i64,
}

const SELECT: &str = "select id, patient_id, asked, erased, kept, asked_by, reason, \
     (extract(epoch from begun_at) * 1000000)::bigint, (extract(epoch from done_at) * 1000000)::bigint, counts \
     from sync.erasures where clinic_id = $1";

fn erasure(row: &PgRow) -> StoreResult<Erasure> {
    let unreadable = |_| StoreError::Unreadable("sync.erasures");
    let purposes = |numbers: Vec<i16>| numbers.into_iter().filter_map(purpose_of).collect();
    let counts: Option<Json> = row.try_get(9).map_err(unreadable)?;
    Ok(Erasure {
        id: row.try_get(0).map_err(unreadable)?,
        patient: row.try_get(1).map_err(unreadable)?,
        asked: purposes(row.try_get(2).map_err(unreadable)?),
        erased: purposes(row.try_get(3).map_err(unreadable)?),
        kept: row.try_get(4).map_err(unreadable)?,
        by: row.try_get(5).map_err(unreadable)?,
        reason: row.try_get(6).map_err(unreadable)?,
        begun_at: row.try_get(7).map_err(unreadable)?,
        done_at: row.try_get(8).map_err(unreadable)?,
        counts: counts.and_then(|json| serde_json::from_value(json).ok()),
    })
}

fn numbers(purposes: &BTreeSet<Purpose>) -> Vec<i16> {
    purposes.iter().map(|purpose| purpose_number(*purpose)).collect()
}

impl Scoped {
    /// One erasure.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_erasure(&mut self, id: Uuid) -> StoreResult<Option<Erasure>> {
        let clinic = self.actor().clinic().0;
        let row = sqlx_core::query::query(AssertSqlSafe(format!("{SELECT} and id = $2")))
            .bind(clinic)
            .bind(id)
            .fetch_optional(self.connection())
            .await
            .map_err(StoreError::during("looking for an erasure"))?;
        row.as_ref().map(erasure).transpose()
    }

    /// Every erasure of the clinic, newest first.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_erasures(&mut self, limit: i64) -> StoreResult<Vec<Erasure>> {
        let clinic = self.actor().clinic().0;
        let rows =
            sqlx_core::query::query(AssertSqlSafe(format!("{SELECT} order by begun_at desc, id limit $2")))
                .bind(clinic)
                .bind(limit)
                .fetch_all(self.connection())
                .await
                .map_err(StoreError::during("listing erasures"))?;
        rows.iter().map(erasure).collect()
    }

    /// Notes that an erasure begins.
    ///
    /// # Errors
    /// A database failure.
    pub async fn append_erasure(
        &mut self,
        request: &Request,
        plan: &Plan,
        now: ServerInstant,
    ) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query::query(
            "insert into sync.erasures (clinic_id, id, patient_id, asked, erased, kept, asked_by, reason, begun_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9::timestamptz) on conflict do nothing",
        )
        .bind(clinic)
        .bind(request.id)
        .bind(request.patient.0)
        .bind(numbers(&request.purposes))
        .bind(numbers(&plan.erase))
        .bind(plan.kept_json())
        .bind(request.by.0)
        .bind(&request.reason)
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("beginning an erasure"))?;
        Ok(())
    }

    /// Notes that it is done, how much it took, and between which feed numbers it told devices to purge.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_erased(
        &mut self,
        id: Uuid,
        counts: &Counts,
        (before, last): (i64, i64),
        now: ServerInstant,
    ) -> StoreResult<Erasure> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query::query(
            "update sync.erasures set done_at = $3::timestamptz, counts = $4, told_after = $5, \
             told_until = $6 where clinic_id = $1 and id = $2",
        )
        .bind(clinic)
        .bind(id)
        .bind(instant_text(now.0))
        .bind(serde_json::to_value(counts).unwrap_or_default())
        .bind(before)
        .bind(last)
        .execute(self.connection())
        .await
        .map_err(StoreError::during("finishing an erasure"))?;
        self.find_erasure(id).await?.ok_or(StoreError::Missing("erasure"))
    }

    /// Restricts what stays by law.
    ///
    /// # Errors
    /// A database failure.
    pub async fn append_restrictions(
        &mut self,
        request: &Request,
        plan: &Plan,
        now: ServerInstant,
    ) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        for (purpose, keep) in plan.restrict() {
            sqlx_core::query::query(
                "insert into sync.restrictions (clinic_id, patient_id, purpose, since, erasure_id, reason, review_on) \
                 values ($1, $2, $3, $4::timestamptz, $5, $6, $7) on conflict do nothing",
            )
            .bind(clinic)
            .bind(request.patient.0)
            .bind(purpose_number(purpose))
            .bind(instant_text(now.0))
            .bind(request.id)
            .bind(keep.code())
            .bind(keep.review_on())
            .execute(self.connection())
            .await
            .map_err(StoreError::during("restricting what stays"))?;
        }
        Ok(())
    }

    /// Purposes of a patient that are restricted.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_restricted(&mut self, patient: PatientId) -> StoreResult<BTreeSet<Purpose>> {
        let clinic = self.actor().clinic().0;
        let found: Vec<i16> = sqlx_core::query_scalar::query_scalar(
            "select purpose from sync.restrictions where clinic_id = $1 and patient_id = $2",
        )
        .bind(clinic)
        .bind(patient.0)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading restrictions"))?;
        Ok(found.into_iter().filter_map(purpose_of).collect())
    }

    /// Documents of a patient and their purposes.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_document_ids_of_patient(
        &mut self,
        patient: PatientId,
    ) -> StoreResult<Vec<(DocumentId, Purpose)>> {
        let states = self.list_documents_to_erase(patient).await?;
        Ok(states.into_iter().map(|state| (state.id, state.purpose)).collect())
    }

    /// Documents of a patient in the order of their ids, their histories still sealed: one that cannot be opened can be
    /// erased all the same.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_documents_to_erase(&mut self, patient: PatientId) -> StoreResult<Vec<DocumentState>> {
        let clinic = self.actor().clinic().0;
        let sql = format!(
            "select {} from sync.documents d where d.clinic_id = $1 and d.patient_id = $2 \
             order by d.table_id, d.record_id, d.facet",
            super::documents::COLUMNS
        );
        let rows = sqlx_core::query::query(AssertSqlSafe(sql))
            .bind(clinic)
            .bind(patient.0)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading documents"))?;
        rows.iter().map(super::documents::decode).collect()
    }

    /// Marks documents as on no device; of erased ones only their place stays.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_withdrawn(&mut self, documents: &[(DocumentState, bool)]) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        for (state, erased) in documents {
            sqlx_core::query::query(
                "update sync.documents set withdrawn = true, changed = true, last_seq = $5, \
                 epoch = case when $6 then epoch + 1 else epoch end, \
                 live_changes = case when $6 then 0 else live_changes end, \
                 heads = case when $6 then null else heads end, snapshot = case when $6 then null else snapshot end, \
                 clamps = case when $6 then null else clamps end \
                 where clinic_id = $1 and table_id = $2 and record_id = $3 and facet = $4",
            )
            .bind(clinic)
            .bind(small(state.id.table))
            .bind(state.id.record.0)
            .bind(i16::from(state.id.facet.0))
            .bind(state.last_seq)
            .bind(*erased)
            .execute(self.connection())
            .await
            .map_err(StoreError::during("withdrawing documents"))?;
        }
        Ok(())
    }

    /// Last payment of a patient, µs.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_last_payment(&mut self, patient: PatientId) -> StoreResult<Option<i64>> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query_scalar::query_scalar(
            "select (extract(epoch from max(coalesce(captured_at, merged_at))) * 1000000)::bigint from payments \
             where clinic_id = $1 and patient_id = $2",
        )
        .bind(clinic)
        .bind(patient.0)
        .fetch_one(self.connection())
        .await
        .map_err(StoreError::during("reading payments"))
    }

    /// What devices have answered of what an erasure asked of them.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_erasure_receipts(&mut self, erasure: Uuid) -> StoreResult<Vec<DeviceReceipts>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select r.device_id, v.name, count(*), count(r.purged_at) from sync.erasures e \
             join sync.receipts r on r.clinic_id = e.clinic_id and r.seq > e.told_after and r.seq <= e.told_until \
             join sync.devices v on v.clinic_id = r.clinic_id and v.id = r.device_id \
             where e.clinic_id = $1 and e.id = $2 group by r.device_id, v.name order by v.name, r.device_id",
        )
        .bind(clinic)
        .bind(erasure)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading receipts"))?;
        let unreadable = |_| StoreError::Unreadable("sync.receipts");
        rows.iter()
            .map(|row| {
                Ok(DeviceReceipts {
                    device: row.try_get(0).map_err(unreadable)?,
                    name: row.try_get(1).map_err(unreadable)?,
                    asked: row.try_get(2).map_err(unreadable)?,
                    confirmed: row.try_get(3).map_err(unreadable)?,
                })
            })
            .collect()
    }

    /// From when nothing captured earlier of a patient's purpose is taken any more; asked only where keys were ever
    /// destroyed.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_erased_subjects(&mut self) -> StoreResult<HashMap<Subject, i64>> {
        if self.keys_destroyed.unwrap_or(0) == 0 {
            return Ok(HashMap::new());
        }
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select patient_id, unnest(erased), (extract(epoch from begun_at) * 1000000)::bigint \
             from sync.erasures where clinic_id = $1 and done_at is not null",
        )
        .bind(clinic)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading erasures"))?;
        let unreadable = |_| StoreError::Unreadable("sync.erasures");
        let mut erased = HashMap::new();
        for row in &rows {
            let purpose: i16 = row.try_get(1).map_err(unreadable)?;
            let Some(purpose) = purpose_of(purpose) else { continue };
            let subject = Subject::of(Some(PatientId(row.try_get(0).map_err(unreadable)?)), purpose);
            let at: i64 = row.try_get(2).map_err(unreadable)?;
            erased.entry(subject).and_modify(|latest: &mut i64| *latest = at.max(*latest)).or_insert(at);
        }
        Ok(erased)
    }
}

fn small(table: TableId) -> i16 {
    i16::try_from(table.0).unwrap_or(i16::MAX)
}
