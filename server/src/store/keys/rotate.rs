//! Rotation: clinics' keys are wrapped by another master key, data keys by a newer key of their clinic.
//!
//! What data keys seal is never touched. Every step is one transaction, so a rotation that was interrupted goes on
//! where it stopped.

use super::{WRAPPED, bound, wrapped};
use crate::keys::Keyring;
use crate::store::{Scoped, StoreError, StoreResult};
use serde::Serialize;
use sqlx_core::row::Row as _;

/// Data keys wrapped anew in one transaction.
const BATCH: i64 = 2_000;

/// How a clinic's keys stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyStanding {
    /// Version of the clinic's key.
    pub version: i32,
    /// Which master key wrapped it.
    pub master: String,
    /// Data keys it wraps.
    pub data_keys: i64,
}

impl Scoped {
    /// The versions of the clinic's key, and what each wraps.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_key_standings(&mut self) -> StoreResult<Vec<KeyStanding>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select k.version, k.master_id, (select count(*) from sync.data_keys d where d.clinic_id = k.clinic_id \
             and d.clinic_key = k.version and d.destroyed_at is null) from sync.clinic_keys k \
             where k.clinic_id = $1 order by k.version",
        )
        .bind(clinic)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading how keys stand"))?;
        let unreadable = |_| StoreError::Unreadable("sync.clinic_keys");
        rows.iter()
            .map(|row| {
                Ok(KeyStanding {
                    version: row.try_get(0).map_err(unreadable)?,
                    master: row.try_get(1).map_err(unreadable)?,
                    data_keys: row.try_get(2).map_err(unreadable)?,
                })
            })
            .collect()
    }

    /// Begins a rotation: a new version of the clinic's key, which wraps from now on. One that is under way goes on.
    ///
    /// # Errors
    /// A database failure, or a key that is not to be had.
    pub async fn begin_rotation(&mut self) -> StoreResult<i32> {
        let standings = self.list_key_standings().await?;
        let newest = standings.last().map_or(0, |standing| standing.version);
        if standings.len() > 1 {
            return Ok(newest);
        }
        let next = newest.saturating_add(1);
        self.append_clinic_key(next).await?;
        Ok(next)
    }

    /// Wraps some data keys by the newest version; how many. When none are left, older versions go.
    ///
    /// # Errors
    /// A database failure, or a key that is not to be had.
    pub async fn rotate_some(&mut self, newest: i32) -> StoreResult<usize> {
        let clinic = self.actor().clinic();
        let clinic_key = self.clinic_key(newest).await?;
        let sql = format!(
            "select {WRAPPED} from sync.data_keys where clinic_id = $1 and clinic_key < $2 and destroyed_at is null \
             order by id limit $3 for update"
        );
        let rows = sqlx_core::query::query(sqlx_core::sql_str::AssertSqlSafe(sql))
            .bind(clinic.0)
            .bind(newest)
            .bind(BATCH)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading data keys"))?;
        let (mut ids, mut bytes) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for row in &rows {
            let found = wrapped(row)?;
            let key = self.unwrap_data_key(&found).await?;
            bytes.push(clinic_key.seal(&bound(clinic, found.patient, found.purpose), key.bytes())?);
            ids.push(found.id);
        }
        sqlx_core::query::query(
            "update sync.data_keys d set clinic_key = $2, wrapped = u.wrapped \
             from unnest($3::bigint[], $4::bytea[]) as u(id, wrapped) where d.clinic_id = $1 and d.id = u.id",
        )
        .bind(clinic.0)
        .bind(newest)
        .bind(&ids)
        .bind(bytes)
        .execute(self.connection())
        .await
        .map_err(StoreError::during("wrapping data keys anew"))?;
        if ids.is_empty() {
            sqlx_core::query::query(
                "delete from sync.clinic_keys k where k.clinic_id = $1 and k.version < $2 and not exists (\
                 select from sync.data_keys d where d.clinic_id = k.clinic_id and d.clinic_key = k.version \
                 and d.destroyed_at is null)",
            )
            .bind(clinic.0)
            .bind(newest)
            .execute(self.connection())
            .await
            .map_err(StoreError::during("removing old keys of a clinic"))?;
        }
        Ok(ids.len())
    }

    /// Wraps the clinic's keys that another master key wrapped by this server's; how many.
    ///
    /// # Errors
    /// A database failure, or a key the old master key does not open.
    pub async fn rewrap_clinic_keys(&mut self, old: &Keyring) -> StoreResult<usize> {
        let clinic = self.actor().clinic();
        let master = self.keys.master()?.id().to_owned();
        let rows = sqlx_core::query::query(
            "select version, master_id, wrapped from sync.clinic_keys where clinic_id = $1 and master_id <> $2 for update",
        )
        .bind(clinic.0)
        .bind(&master)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading a clinic's keys"))?;
        let unreadable = |_| StoreError::Unreadable("sync.clinic_keys");
        for row in &rows {
            let version: i32 = row.try_get(0).map_err(unreadable)?;
            let (by, bytes): (String, Vec<u8>) =
                (row.try_get(1).map_err(unreadable)?, row.try_get(2).map_err(unreadable)?);
            let (old, new) = (old.clone(), self.keys.clone());
            let anew = crate::keys::apart(move || {
                let key = old.unwrap(clinic, version, &by, &bytes)?;
                new.wrap(clinic, version, &key)
            });
            sqlx_core::query::query(
                "update sync.clinic_keys set master_id = $3, wrapped = $4 where clinic_id = $1 and version = $2",
            )
            .bind(clinic.0)
            .bind(version)
            .bind(&master)
            .bind(anew.await?)
            .execute(self.connection())
            .await
            .map_err(StoreError::during("wrapping a clinic's key anew"))?;
        }
        Ok(rows.len())
    }
}
