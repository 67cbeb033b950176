//! Reference data and the server's own row: the same for every clinic, read-only for devices.

use super::canonical::{Stored, column_list, decode};
use super::{Scoped, Store, StoreError, StoreResult};
use neonpro_contract::catalogue::Table;
use neonpro_contract::ids::RecordId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use sqlx_core::row::Row as _;
use sqlx_core::sql_str::AssertSqlSafe;
use uuid::Uuid;

/// The server's epoch and the head of its reference data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerRow {
    /// Changes when a backup was restored.
    pub epoch: Uuid,
    /// Newest reference row.
    pub reference_seq: i64,
}

impl Store {
    /// The server's row.
    ///
    /// # Errors
    /// A database failure.
    pub async fn load_server_row(&self) -> StoreResult<ServerRow> {
        let mut connection = self.unscoped().await?;
        let row = sqlx_core::query::query("select epoch, reference_seq from sync.server")
            .fetch_one(&mut *connection)
            .await
            .map_err(StoreError::during("reading the server's epoch"))?;
        let unreadable = |_| StoreError::Unreadable("sync.server");
        Ok(ServerRow {
            epoch: row.try_get(0).map_err(unreadable)?,
            reference_seq: row.try_get(1).map_err(unreadable)?,
        })
    }
}

impl Scoped {
    /// Records of a table by id, after one of them; of reference tables only those numbered after `since`.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_records_after(
        &mut self,
        table: &'static Table,
        after: Option<RecordId>,
        since: i64,
        limit: usize,
    ) -> StoreResult<Vec<Stored>> {
        use neonpro_contract::catalogue::Scope;
        let clinic = self.actor().clinic().0;
        let scope = match table.scope {
            Scope::Clinic => "t.clinic_id = $1 and $3::bigint is not null",
            Scope::Reference => "$1::uuid is not null and t.feed_seq > $3",
        };
        let sql = format!(
            "select {} from {} t where {scope} and t.id > $2 order by t.id limit $4",
            column_list(table),
            table.name
        );
        let rows = sqlx_core::query::query(sqlx_core::sql_str::AssertSqlSafe(sql))
            .bind(clinic)
            .bind(after.map_or(Uuid::nil(), |id| id.0))
            .bind(since)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading a page of records"))?;
        let mut records = rows.iter().map(|row| decode(table, row)).collect::<StoreResult<Vec<_>>>()?;
        self.open_records(table, &mut records).await?;
        Ok(records)
    }

    /// Newest reference row.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_reference_seq(&mut self) -> StoreResult<i64> {
        sqlx_core::query_scalar::query_scalar("select reference_seq from sync.server")
            .fetch_one(self.connection())
            .await
            .map_err(StoreError::during("reading the reference head"))
    }

    /// The codes of a registry the catalogue names.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_registered(&mut self, registry: &'static str) -> StoreResult<Vec<String>> {
        sqlx_core::query_scalar::query_scalar(AssertSqlSafe(format!("select code from {registry}")))
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading a registry"))
    }

    /// Appointments of today and tomorrow in the clinic's time zone, with their patients.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_agenda_ahead(
        &mut self,
        limit: usize,
        now: ServerInstant,
    ) -> StoreResult<Vec<(Uuid, Uuid)>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select a.id, a.patient_id from appointments a, lateral (select clinic_time_zone($1) as zone) z, \
             lateral (select date_trunc('day', $3::timestamptz at time zone z.zone) at time zone z.zone as today) d \
             where a.clinic_id = $1 and a.start_time >= d.today and a.start_time < d.today + interval '2 days' \
             order by a.start_time, a.id limit $2",
        )
        .bind(clinic)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(instant_text(now.0))
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading the agenda"))?;
        let unreadable = |_| StoreError::Unreadable("appointments");
        rows.iter()
            .map(|row| Ok((row.try_get(0).map_err(unreadable)?, row.try_get(1).map_err(unreadable)?)))
            .collect()
    }

    /// How many records a table holds for this clinic.
    ///
    /// # Errors
    /// A database failure.
    pub async fn count_records(&mut self, table: &'static Table) -> StoreResult<u64> {
        let sql = format!("select count(*) from {}", table.name);
        let count: i64 = sqlx_core::query_scalar::query_scalar(sqlx_core::sql_str::AssertSqlSafe(sql))
            .fetch_one(self.connection())
            .await
            .map_err(StoreError::during("counting records"))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// How many records of a table come up to this one in a first sync.
    ///
    /// # Errors
    /// A database failure.
    pub async fn count_records_until(&mut self, table: &'static Table, last: RecordId) -> StoreResult<u64> {
        let sql = format!("select count(*) from {} where id <= $1", table.name);
        let count: i64 = sqlx_core::query_scalar::query_scalar(sqlx_core::sql_str::AssertSqlSafe(sql))
            .bind(last.0)
            .fetch_one(self.connection())
            .await
            .map_err(StoreError::during("counting records"))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}
