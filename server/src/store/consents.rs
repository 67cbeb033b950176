//! Consent events of patients, as the fold reads them.

use super::{Scoped, StoreError, StoreResult};
use neonpro_contract::consent::ConsentEvent;
use neonpro_contract::ids::PatientId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use std::collections::HashMap;
use uuid::Uuid;

impl Scoped {
    /// Patients with a grant that expired between the last look and now.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_expired_since_last_look(&mut self, now: ServerInstant) -> StoreResult<Vec<Uuid>> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query_scalar::query_scalar(
            "select distinct c.patient_id from data_consent_records c where c.clinic_id = $1 \
             and c.expiry_date < $2::timestamptz and c.expiry_date >= coalesce((select l.expiries_seen_until \
             from sync.consent_looks l where l.clinic_id = $1), '-infinity') order by 1",
        )
        .bind(clinic)
        .bind(instant_text(now.0))
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("looking for expired consents"))
    }

    /// Expiries before this instant have been looked at.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_expiries_seen(&mut self, now: ServerInstant) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query::query(
            "insert into sync.consent_looks (clinic_id, expiries_seen_until) values ($1, $2::timestamptz) \
             on conflict (clinic_id) do update set expiries_seen_until = excluded.expiries_seen_until",
        )
        .bind(clinic)
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("noting a look at consents"))?;
        Ok(())
    }

    /// Every consent event of these patients.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_consents(
        &mut self,
        patients: &[Uuid],
    ) -> StoreResult<HashMap<PatientId, Vec<ConsentEvent>>> {
        let mut events: HashMap<PatientId, Vec<ConsentEvent>> = HashMap::new();
        let Some(table) = neonpro_contract::catalogue::table("data_consent_records") else {
            return Ok(events);
        };
        let clinic = self.actor().clinic().0;
        let sql = format!(
            "select {} from data_consent_records t where t.clinic_id = $1 and t.patient_id = any($2)",
            super::canonical::column_list(table)
        );
        let rows = sqlx_core::query::query(sqlx_core::sql_str::AssertSqlSafe(sql))
            .bind(clinic)
            .bind(patients)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading consents"))?;
        for pg in &rows {
            let stored = super::canonical::decode(table, pg)?;
            let captured = stored.stamp.captured_at.map_or(stored.stamp.merged_at.0, |at| at.0);
            let patient = stored.row.get("patient_id").as_uuid().map(PatientId);
            let (merged, seq) = (stored.stamp.merged_at, stored.stamp.feed_seq);
            let event = ConsentEvent::of_row(stored.id, &stored.row, captured, Some(merged), Some(seq));
            if let (Some(patient), Some(event)) = (patient, event) {
                events.entry(patient).or_default().push(event);
            }
        }
        Ok(events)
    }
}
