//! One-time enrolment codes. Only their hash is kept.

use super::authority::{Grant, People};
use super::{Store, StoreError, StoreResult};
use neonpro_contract::ids::{ClinicId, DeviceId};
use neonpro_contract::permissions::Audience;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use sqlx_core::row::Row as _;
use uuid::Uuid;

impl Store {
    /// Keeps the hash of a new code.
    ///
    /// # Errors
    /// A database failure.
    pub async fn append_enrolment(
        &self,
        code_hash: &[u8],
        clinic: ClinicId,
        grant: &Grant,
        now: ServerInstant,
        expires: ServerInstant,
    ) -> StoreResult<()> {
        let mut connection = self.unscoped().await?;
        sqlx_core::query::query(
            "insert into sync.enrolments (code_hash, clinic_id, audience, created_at, expires_at, people) \
             values ($1, $2, $3, $4::timestamptz, $5::timestamptz, $6)",
        )
        .bind(code_hash)
        .bind(clinic.0)
        .bind(grant.audience.name())
        .bind(instant_text(now.0))
        .bind(instant_text(expires.0))
        .bind(matches!(grant.people, People::Named(_)).then(|| grant.people.ids()))
        .execute(&mut *connection)
        .await
        .map_err(StoreError::during("keeping an enrolment code"))?;
        Ok(())
    }

    /// Uses a code up, if it is unused and in time: exactly one caller gets the clinic.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_enrolment_used(
        &self,
        code_hash: &[u8],
        device: DeviceId,
        now: ServerInstant,
    ) -> StoreResult<Option<(ClinicId, Grant)>> {
        let mut connection = self.unscoped().await?;
        let row = sqlx_core::query::query(
            "update sync.enrolments set used_at = $3::timestamptz, device_id = $2 \
             where code_hash = $1 and used_at is null and expires_at > $3::timestamptz \
             returning clinic_id, audience, people",
        )
        .bind(code_hash)
        .bind(device.0)
        .bind(instant_text(now.0))
        .fetch_optional(&mut *connection)
        .await
        .map_err(StoreError::during("using an enrolment code"))?;
        let unreadable = |_| StoreError::Unreadable("sync.enrolments");
        row.map(|row| {
            let clinic: Uuid = row.try_get(0).map_err(unreadable)?;
            let audience: String = row.try_get(1).map_err(unreadable)?;
            let audience = Audience::from_name(&audience).ok_or(StoreError::Unreadable("sync.enrolments"))?;
            let people = People::from_named(row.try_get(2).map_err(unreadable)?);
            Ok((ClinicId(clinic), Grant { audience, people }))
        })
        .transpose()
    }
}
