//! Who may do what here, as the rows of this transaction say: devices, the people granted on them, memberships.

use super::{Scoped, Store, StoreError, StoreResult};
use neonpro_contract::catalogue::{Role, Table};
use neonpro_contract::ids::{AuthorId, DeviceId};
use neonpro_contract::permissions::Audience;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use sqlx_core::row::Row as _;
use sqlx_core::sql_str::AssertSqlSafe;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// Who may be the author of an edit on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum People {
    /// Every active member of the clinic.
    Members,
    /// These, as long as they are members.
    Named(BTreeSet<AuthorId>),
}

/// What a device is enrolled for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What it may hold.
    pub audience: Audience,
    /// Who may write on it.
    pub people: People,
}

/// A membership and its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// Its record.
    pub id: Uuid,
    /// Its role.
    pub role: Role,
}

impl People {
    /// Whether someone is among them.
    #[must_use]
    pub fn include(&self, person: AuthorId) -> bool {
        match self {
            Self::Members => true,
            Self::Named(people) => people.contains(&person),
        }
    }

    /// Their ids, to be told; `None` for every member.
    #[must_use]
    pub fn named(&self) -> Option<Vec<AuthorId>> {
        match self {
            Self::Members => None,
            Self::Named(people) => Some(people.iter().copied().collect()),
        }
    }

    /// Reads what [`People::named`] told.
    #[must_use]
    pub fn from_named(named: Option<Vec<Uuid>>) -> Self {
        named.map_or(Self::Members, |ids| Self::Named(ids.into_iter().map(AuthorId).collect()))
    }

    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::Named(_) => "named",
        }
    }

    pub(super) fn ids(&self) -> Vec<Uuid> {
        self.named().unwrap_or_default().into_iter().map(|person| person.0).collect()
    }
}

impl Grant {
    /// A device every member of the clinic may write on.
    #[must_use]
    pub const fn to_members(audience: Audience) -> Self {
        Self { audience, people: People::Members }
    }
}

impl Store {
    /// Which of these devices were revoked, without a clinic's context.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_revoked_devices(&self, devices: &[DeviceId]) -> StoreResult<Vec<DeviceId>> {
        let mut connection = self.unscoped().await?;
        let revoked: Vec<Uuid> = sqlx_core::query_scalar::query_scalar(
            "select device_id from sync.device_clinics where device_id = any($1) and revoked_at is not null",
        )
        .bind(devices.iter().map(|device| device.0).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await
        .map_err(StoreError::during("looking for revocations"))?;
        Ok(revoked.into_iter().map(DeviceId).collect())
    }
}

impl Scoped {
    /// Those of these devices that are active, and who may write on them.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_active_devices(&mut self, devices: &[Uuid]) -> StoreResult<HashMap<Uuid, People>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select d.id, case d.people when 'named' then array(select u.person_id from sync.device_users u \
             where u.clinic_id = d.clinic_id and u.device_id = d.id and u.ended_at is null) end \
             from sync.devices d where d.clinic_id = $1 and d.id = any($2) and d.state = 'active'",
        )
        .bind(clinic)
        .bind(devices)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading devices"))?;
        let unreadable = |_| StoreError::Unreadable("sync.devices");
        rows.iter()
            .map(|row| {
                let named: Option<Vec<Uuid>> = row.try_get(1).map_err(unreadable)?;
                Ok((row.try_get(0).map_err(unreadable)?, People::from_named(named)))
            })
            .collect()
    }

    /// Memberships in force of these people, now: all of them, where someone has several. Someone without one, or who
    /// no longer works here, is absent.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_memberships(&mut self, people: &[Uuid]) -> StoreResult<HashMap<Uuid, Vec<Membership>>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select m.professional_id, m.id, m.role from clinic_professionals m \
             join professionals p on p.clinic_id = m.clinic_id and p.id = m.professional_id \
             where m.clinic_id = $1 and m.professional_id = any($2) and coalesce(m.is_active, true) \
             and coalesce(p.is_active, true) and m.retired_at is null and p.retired_at is null",
        )
        .bind(clinic)
        .bind(people)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading memberships"))?;
        let unreadable = |_| StoreError::Unreadable("clinic_professionals");
        let mut memberships: HashMap<Uuid, Vec<Membership>> = HashMap::new();
        for row in &rows {
            let role: String = row.try_get(2).map_err(unreadable)?;
            let role = Role::from_name(&role).ok_or(StoreError::Unreadable("clinic_professionals"))?;
            let membership = Membership { id: row.try_get(1).map_err(unreadable)?, role };
            memberships.entry(row.try_get(0).map_err(unreadable)?).or_default().push(membership);
        }
        Ok(memberships)
    }

    /// Revokes a device and tells every node. `false` when no active device of this clinic has the id.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_device_revoked(&mut self, device: DeviceId, now: ServerInstant) -> StoreResult<bool> {
        let clinic = self.actor().clinic().0;
        let done = sqlx_core::query::query(
            "with revoked as (update sync.devices set state = 'revoked', revoked_at = $3::timestamptz \
             where clinic_id = $1 and id = $2 and state = 'active' returning id) \
             update sync.device_clinics set revoked_at = $3::timestamptz where device_id in (select id from revoked)",
        )
        .bind(clinic)
        .bind(device.0)
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("revoking a device"))?;
        self.notify_authority(device).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Sets who may write on a device and tells every node. `false` when no active device of this clinic has the id.
    ///
    /// # Errors
    /// A database failure; `is_refusal` for someone who is not registered in this clinic.
    pub async fn mark_device_people(
        &mut self,
        device: DeviceId,
        people: &People,
        now: ServerInstant,
    ) -> StoreResult<bool> {
        let clinic = self.actor().clinic().0;
        let done = sqlx_core::query::query(
            "update sync.devices set people = $3 where clinic_id = $1 and id = $2 and state = 'active'",
        )
        .bind(clinic)
        .bind(device.0)
        .bind(people.kind())
        .execute(self.connection())
        .await
        .map_err(StoreError::during("granting people a device"))?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        self.write_device_users(device, &people.ids(), now).await?;
        self.notify_authority(device).await?;
        Ok(true)
    }

    /// Makes exactly these the people of a device.
    pub(super) async fn write_device_users(
        &mut self,
        device: DeviceId,
        people: &[Uuid],
        now: ServerInstant,
    ) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        for sql in [
            "update sync.device_users set ended_at = $4::timestamptz \
             where clinic_id = $1 and device_id = $2 and ended_at is null and person_id <> all($3)",
            "insert into sync.device_users as u (clinic_id, device_id, person_id, granted_at) \
             select $1, $2, person, $4::timestamptz from unnest($3::uuid[]) as person \
             on conflict (clinic_id, device_id, person_id) \
             do update set granted_at = excluded.granted_at, ended_at = null where u.ended_at is not null",
        ] {
            sqlx_core::query::query(sql)
                .bind(clinic)
                .bind(device.0)
                .bind(people)
                .bind(instant_text(now.0))
                .execute(self.connection())
                .await
                .map_err(StoreError::during("granting people a device"))?;
        }
        Ok(())
    }

    /// Sets role and validity of someone's memberships; which ones changed.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_memberships(
        &mut self,
        table: &'static Table,
        person: AuthorId,
        standing: Option<Role>,
        seq: i64,
        now: ServerInstant,
    ) -> StoreResult<Vec<Uuid>> {
        let clinic = self.actor().clinic().0;
        // Several memberships of one person get consecutive feed numbers.
        let sql = format!(
            "with due as (select id, $5 + row_number() over (order by id) as number from {table} \
             where clinic_id = $1 and professional_id = $2 and retired_at is null) \
             update {table} m set role = coalesce($3, m.role), is_active = $3 is not null, feed_seq = due.number, \
             merged_at = $4::timestamptz, updated_at = $4::timestamptz \
             from due where m.clinic_id = $1 and m.id = due.id returning m.id, due.number",
            table = table.name
        );
        let rows = sqlx_core::query::query(AssertSqlSafe(sql))
            .bind(clinic)
            .bind(person.0)
            .bind(standing.map(Role::name))
            .bind(instant_text(now.0))
            .bind(seq)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("changing a membership"))?;
        let unreadable = |_| StoreError::Unreadable("clinic_professionals");
        let mut changed: Vec<(i64, Uuid)> = rows
            .iter()
            .map(|row| Ok((row.try_get(1).map_err(unreadable)?, row.try_get(0).map_err(unreadable)?)))
            .collect::<StoreResult<_>>()?;
        changed.sort_unstable();
        Ok(changed.into_iter().map(|(_, id)| id).collect())
    }

    /// Tells every node to look at a device again. The payload is its id, nothing else.
    async fn notify_authority(&mut self, device: DeviceId) -> StoreResult<()> {
        sqlx_core::query::query("select pg_notify('neonpro_authority', $1)")
            .bind(device.to_string())
            .execute(self.connection())
            .await
            .map_err(StoreError::during("telling the nodes"))?;
        Ok(())
    }
}
