//! The audit: who did what, decided how. Append-only for the server's role.

use super::{Scoped, StoreError, StoreResult};
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use serde_json::Value as Json;
use uuid::Uuid;

/// One entry.
#[derive(Debug, Clone)]
pub struct AuditRecord {
    /// What happened: `edit_accepted`, `edit_quarantined`, `device_enrolled`…
    pub action: &'static str,
    /// The device, if one.
    pub device: Option<Uuid>,
    /// The person, if one.
    pub author: Option<Uuid>,
    /// The edit, if one.
    pub edit: Option<Uuid>,
    /// Reason code, if one.
    pub code: Option<&'static str>,
    /// Evidence: rule, version, document names. Never patient data.
    pub detail: Json,
}

impl Scoped {
    /// Appends entries.
    ///
    /// # Errors
    /// A database failure.
    pub async fn append_audit(&mut self, entries: &[AuditRecord], now: ServerInstant) -> StoreResult<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let clinic = self.actor().clinic().0;
        sqlx_core::query::query(
            "insert into sync.audit (clinic_id, at, action, device_id, author_id, edit_id, code, detail) \
             select $1, $2::timestamptz, u.* from unnest($3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], \
             $8::jsonb[]) as u",
        )
        .bind(clinic)
        .bind(instant_text(now.0))
        .bind(entries.iter().map(|e| e.action).collect::<Vec<_>>())
        .bind(entries.iter().map(|e| e.device).collect::<Vec<_>>())
        .bind(entries.iter().map(|e| e.author).collect::<Vec<_>>())
        .bind(entries.iter().map(|e| e.edit).collect::<Vec<_>>())
        .bind(entries.iter().map(|e| e.code).collect::<Vec<_>>())
        .bind(entries.iter().map(|e| e.detail.clone()).collect::<Vec<_>>())
        .execute(self.connection())
        .await
        .map_err(StoreError::during("writing the audit"))?;
        Ok(())
    }
}
