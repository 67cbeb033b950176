//! Rows the database wrote by itself: triggers and jobs leave `feed_seq` null, the merge numbers them.

use super::{Scoped, StoreError, StoreResult};
use neonpro_contract::catalogue::Table;
use neonpro_contract::edit::DocumentId;
use sqlx_core::sql_str::AssertSqlSafe;
use uuid::Uuid;

impl Scoped {
    /// Rows of a table without a feed number.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_unnumbered(&mut self, table: &'static Table) -> StoreResult<Vec<Uuid>> {
        let clinic = self.actor().clinic().0;
        let sql = format!(
            "select id from {} where clinic_id = $1 and feed_seq is null order by merged_at, id",
            table.name
        );
        sqlx_core::query_scalar::query_scalar(AssertSqlSafe(sql))
            .bind(clinic)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("looking for rows without a number"))
    }

    /// Gives rows their feed numbers.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_numbered(&mut self, table: &'static Table, numbers: &[(Uuid, i64)]) -> StoreResult<()> {
        if numbers.is_empty() {
            return Ok(());
        }
        let clinic = self.actor().clinic().0;
        let sql = format!(
            "update {} t set feed_seq = u.seq from unnest($2::uuid[], $3::bigint[]) as u(id, seq) \
             where t.clinic_id = $1 and t.id = u.id",
            table.name
        );
        let (ids, seqs): (Vec<Uuid>, Vec<i64>) = numbers.iter().copied().unzip();
        sqlx_core::query::query(AssertSqlSafe(sql))
            .bind(clinic)
            .bind(ids)
            .bind(seqs)
            .execute(self.connection())
            .await
            .map_err(StoreError::during("numbering rows"))?;
        Ok(())
    }

    /// Whether a document exists.
    ///
    /// # Errors
    /// A database failure.
    pub async fn has_document(&mut self, id: &DocumentId) -> StoreResult<bool> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query_scalar::query_scalar(
            "select exists (select from sync.documents where clinic_id = $1 and record_id = $2 and table_id = $3 \
             and facet = $4)",
        )
        .bind(clinic)
        .bind(id.record.0)
        .bind(i16::try_from(id.table.0).unwrap_or(i16::MAX))
        .bind(i16::from(id.facet.0))
        .fetch_one(self.connection())
        .await
        .map_err(StoreError::during("looking for a document"))
    }
}
