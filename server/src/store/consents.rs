//! Consent events of patients, as the fold reads them.

use super::{Scoped, StoreError, StoreResult};
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::consent::ConsentEvent;
use neonpro_contract::ids::{PatientId, RecordId};
use neonpro_contract::row::Row;
use neonpro_contract::value::Value;
use std::collections::HashMap;
use uuid::Uuid;

/// The event a `data_consent_records` row stands for.
#[must_use]
pub fn event_of(id: RecordId, row: &Row, captured_us: i64, feed_seq: Option<i64>) -> Option<ConsentEvent> {
    let purpose = row.get("consent_type").as_text().and_then(Purpose::from_name)?;
    let withdrawn = row.get("withdrawn_at").as_instant();
    let given = row.get("consent_given").as_bool().unwrap_or(false) && withdrawn.is_none();
    let at = if given { row.get("consent_date").as_instant() } else { withdrawn };
    let seen = match row.get("seen_withdrawals") {
        Value::Uuids(ids) => ids.iter().copied().map(RecordId).collect(),
        _ => Vec::new(),
    };
    Some(ConsentEvent {
        id,
        purpose,
        given,
        at_us: at.unwrap_or(captured_us),
        expires_us: row.get("expiry_date").as_instant(),
        seen_withdrawals: seen,
        feed_seq,
    })
}

impl Scoped {
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
            let event = event_of(stored.id, &stored.row, captured, Some(stored.stamp.feed_seq));
            if let (Some(patient), Some(event)) = (patient, event) {
                events.entry(patient).or_default().push(event);
            }
        }
        Ok(events)
    }
}
