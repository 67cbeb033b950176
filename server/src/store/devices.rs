//! Enrolled tablets: routing, identity, what they last said.

use super::authority::{Grant, People};
use super::{Scoped, Store, StoreError, StoreResult};
use neonpro_contract::ids::{ClinicId, DeviceId};
use neonpro_contract::permissions::Audience;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use sqlx_core::row::Row as _;
use uuid::Uuid;

/// An enrolled device.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Ed25519 public key, 32 bytes.
    pub public_key: Vec<u8>,
    /// What it may see.
    pub audience: Audience,
    /// Whether it may still write and read.
    pub active: bool,
    /// Who may write on it.
    pub people: People,
}

/// What a device says about itself when it connects.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    /// Its generation.
    pub generation: u32,
    /// Its app version.
    pub app: &'a str,
    /// Its cursor.
    pub cursor: i64,
    /// Edits it has not pushed.
    pub waiting: u32,
}

impl Store {
    /// The clinic a device belongs to.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_clinic_of_device(&self, device: DeviceId) -> StoreResult<Option<ClinicId>> {
        let mut connection = self.unscoped().await?;
        let clinic: Option<Uuid> = sqlx_core::query_scalar::query_scalar(
            "select clinic_id from sync.device_clinics where device_id = $1",
        )
        .bind(device.0)
        .fetch_optional(&mut *connection)
        .await
        .map_err(StoreError::during("routing a device"))?;
        Ok(clinic.map(ClinicId))
    }
}

impl Scoped {
    /// A device of this clinic.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_device(&mut self, device: DeviceId) -> StoreResult<Option<Device>> {
        let clinic = self.actor().clinic().0;
        let row = sqlx_core::query::query(
            "select d.public_key, d.audience, d.state = 'active', case d.people when 'named' then \
             array(select u.person_id from sync.device_users u where u.clinic_id = d.clinic_id \
             and u.device_id = d.id and u.ended_at is null order by 1) end \
             from sync.devices d where d.clinic_id = $1 and d.id = $2",
        )
        .bind(clinic)
        .bind(device.0)
        .fetch_optional(self.connection())
        .await
        .map_err(StoreError::during("reading a device"))?;
        let unreadable = |_| StoreError::Unreadable("sync.devices");
        row.map(|row| {
            let audience: String = row.try_get(1).map_err(unreadable)?;
            Ok(Device {
                id: device,
                public_key: row.try_get(0).map_err(unreadable)?,
                audience: Audience::from_name(&audience).ok_or(StoreError::Unreadable("sync.devices"))?,
                active: row.try_get(2).map_err(unreadable)?,
                people: People::from_named(row.try_get(3).map_err(unreadable)?),
            })
        })
        .transpose()
    }

    /// The least number every active device has committed, of those that spoke since an instant; `None` when none of
    /// them follows the feed.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_least_cursor(&mut self, since: ServerInstant) -> StoreResult<Option<i64>> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query_scalar::query_scalar(
            "select min(cursor) from sync.devices where clinic_id = $1 and state = 'active' and cursor >= 0 \
             and last_seen_at >= $2::timestamptz",
        )
        .bind(clinic)
        .bind(instant_text(since.0))
        .fetch_one(self.connection())
        .await
        .map_err(StoreError::during("reading cursors"))
    }

    /// Adds a device.
    ///
    /// # Errors
    /// A database failure; `is_refusal` when its actor tag is taken or someone named is not registered here.
    pub async fn append_device(
        &mut self,
        device: DeviceId,
        name: &str,
        public_key: &[u8],
        grant: &Grant,
        now: ServerInstant,
    ) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        let tag: Vec<u8> = device.0.as_bytes().iter().skip(8).copied().collect();
        sqlx_core::query::query(
            "insert into sync.device_clinics (device_id, clinic_id, actor_tag) values ($1, $2, $3)",
        )
        .bind(device.0)
        .bind(clinic)
        .bind(tag)
        .execute(self.connection())
        .await
        .map_err(StoreError::during("routing a device"))?;
        sqlx_core::query::query(
            "insert into sync.devices (clinic_id, id, name, public_key, audience, people, enrolled_at) \
             values ($1, $2, $3, $4, $5, $6, $7::timestamptz)",
        )
        .bind(clinic)
        .bind(device.0)
        .bind(name)
        .bind(public_key)
        .bind(grant.audience.name())
        .bind(grant.people.kind())
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("adding a device"))?;
        self.write_device_users(device, &grant.people.ids(), now).await
    }

    /// Notes what a device said when it connected. Returns the cursor it was known to have before.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_device_seen(
        &mut self,
        device: DeviceId,
        seen: &Seen<'_>,
        now: ServerInstant,
    ) -> StoreResult<i64> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query_scalar::query_scalar(
            "with before as (select cursor from sync.devices where clinic_id = $1 and id = $2) \
             update sync.devices set generation = $3, app = $4, cursor = $5, waiting = $6, \
             last_seen_at = $7::timestamptz where clinic_id = $1 and id = $2 \
             returning (select cursor from before)",
        )
        .bind(clinic)
        .bind(device.0)
        .bind(i32::try_from(seen.generation).unwrap_or(i32::MAX))
        .bind(seen.app)
        .bind(seen.cursor)
        .bind(i32::try_from(seen.waiting).unwrap_or(i32::MAX))
        .bind(instant_text(now.0))
        .fetch_one(self.connection())
        .await
        .map_err(StoreError::during("noting a device"))
    }

    /// Notes how far a device has committed.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_device_cursor(
        &mut self,
        device: DeviceId,
        cursor: i64,
        now: ServerInstant,
    ) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query::query(
            "update sync.devices set cursor = $3, last_seen_at = $4::timestamptz where clinic_id = $1 and id = $2",
        )
        .bind(clinic)
        .bind(device.0)
        .bind(cursor)
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("noting a cursor"))?;
        Ok(())
    }
}
