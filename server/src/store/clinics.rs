//! Clinics as the server itself needs them.

use super::{Scoped, Store, StoreError, StoreResult};
use crate::actor::Actor;
use neonpro_contract::ids::ClinicId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use sqlx_core::row::Row as _;
use uuid::Uuid;

impl Scoped {
    /// A number in a system setting that is in force; `None` without one.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_setting_number(&mut self, key: &str, unit: &str) -> StoreResult<Option<i64>> {
        sqlx_core::query_scalar::query_scalar(
            "select trunc((setting_value ->> $2)::numeric)::bigint from system_settings where setting_key = $1 \
             and is_active is not false and jsonb_typeof(setting_value -> $2) = 'number'",
        )
        .bind(key)
        .bind(unit)
        .fetch_optional(self.connection())
        .await
        .map_err(StoreError::during("reading a setting"))
    }

    /// Name and network of the actor's clinic.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_clinic_name(&mut self) -> StoreResult<Option<(String, Option<Uuid>)>> {
        let clinic = self.actor().clinic().0;
        let row = sqlx_core::query::query("select name, network_id from clinics where clinic_id = $1")
            .bind(clinic)
            .fetch_optional(self.connection())
            .await
            .map_err(StoreError::during("reading the clinic"))?;
        let unreadable = |_| StoreError::Unreadable("clinics");
        row.map(|row| Ok((row.try_get(0).map_err(unreadable)?, row.try_get(1).map_err(unreadable)?)))
            .transpose()
    }
}

impl Store {
    /// A clinic's name, as papers carry it.
    ///
    /// # Errors
    /// A database failure, or no such clinic.
    pub async fn load_clinic_name(&self, clinic: ClinicId) -> StoreResult<String> {
        let mut scoped = self.begin(&Actor::system(clinic)).await?;
        let found = scoped.find_clinic_name().await?;
        scoped.rollback().await?;
        found.map(|(name, _)| name).ok_or(StoreError::Missing("clinic"))
    }

    /// Clinics that have devices: those whose feeds move.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_clinics_with_devices(&self) -> StoreResult<Vec<ClinicId>> {
        let mut connection = self.unscoped().await?;
        let clinics: Vec<Uuid> = sqlx_core::query_scalar::query_scalar(
            "select distinct clinic_id from sync.device_clinics order by 1",
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(StoreError::during("listing clinics"))?;
        Ok(clinics.into_iter().map(ClinicId).collect())
    }

    /// Makes the months of partitioned tables ahead of time.
    ///
    /// # Errors
    /// A database failure.
    pub async fn ensure_partitions(&self, now: ServerInstant) -> StoreResult<()> {
        let mut connection = self.unscoped().await?;
        sqlx_core::query::query(
            "select ensure_month_partitions(($1::timestamptz - interval '1 month')::date, \
             ($1::timestamptz + interval '12 months')::date)",
        )
        .bind(instant_text(now.0))
        .execute(&mut *connection)
        .await
        .map_err(StoreError::during("making partitions"))?;
        Ok(())
    }
}
