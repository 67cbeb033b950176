//! Devices that are to destroy what they hold, and those that said they did.

use super::{Scoped, Store, StoreError, StoreResult};
use neonpro_contract::ids::DeviceId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use uuid::Uuid;

impl Store {
    /// Which of these devices are to wipe, without a clinic's context.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_wiping_devices(&self, devices: &[DeviceId]) -> StoreResult<Vec<DeviceId>> {
        let mut connection = self.unscoped().await?;
        let wiping: Vec<Uuid> = sqlx_core::query_scalar::query_scalar(
            "select device_id from sync.device_clinics where device_id = any($1) and wipes",
        )
        .bind(devices.iter().map(|device| device.0).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await
        .map_err(StoreError::during("looking for wipes"))?;
        Ok(wiping.into_iter().map(DeviceId).collect())
    }
}

impl Scoped {
    /// Whether a device is to wipe.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_wipe(&mut self, device: DeviceId) -> StoreResult<bool> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query_scalar::query_scalar(
            "select exists (select from sync.devices where clinic_id = $1 and id = $2 and wipe_asked_at is not null)",
        )
        .bind(clinic)
        .bind(device.0)
        .fetch_one(self.connection())
        .await
        .map_err(StoreError::during("reading a wipe"))
    }

    /// Asks a revoked device to wipe. `false` when no device of this clinic has the id, or it was asked before.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_wipe_asked(&mut self, device: DeviceId, now: ServerInstant) -> StoreResult<bool> {
        let clinic = self.actor().clinic().0;
        let done = sqlx_core::query::query(
            "with asked as (update sync.devices set wipe_asked_at = $3::timestamptz \
             where clinic_id = $1 and id = $2 and state = 'revoked' and wipe_asked_at is null returning id) \
             update sync.device_clinics set wipes = true where device_id in (select id from asked)",
        )
        .bind(clinic)
        .bind(device.0)
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("asking for a wipe"))?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes that a device has wiped. `false` when it was not asked, or said so before.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_wiped(&mut self, device: DeviceId, now: ServerInstant) -> StoreResult<bool> {
        let clinic = self.actor().clinic().0;
        let done = sqlx_core::query::query(
            "update sync.devices set wiped_at = $3::timestamptz \
             where clinic_id = $1 and id = $2 and wipe_asked_at is not null and wiped_at is null",
        )
        .bind(clinic)
        .bind(device.0)
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("noting a wipe"))?;
        Ok(done.rows_affected() == 1)
    }
}
