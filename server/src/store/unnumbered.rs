//! Rows the database wrote by itself: triggers and jobs leave `feed_seq` null, the merge numbers them.

use super::made::MADE;
use super::{Scoped, StoreError, StoreResult};
use neonpro_contract::catalogue::Table;
use sqlx_core::row::Row as _;
use sqlx_core::sql_str::AssertSqlSafe;
use uuid::Uuid;

impl Scoped {
    /// Referrals whose deadline passed become overdue.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_overdue(&mut self) -> StoreResult<()> {
        self.call("select mark_overdue_referrals($1)", "looking for overdue referrals").await
    }

    /// Alerts for what expires, assessments that are due.
    ///
    /// # Errors
    /// A database failure.
    pub async fn run_daily_checks(&mut self) -> StoreResult<()> {
        self.call("select raise_expiry_alerts($1)", "looking for expiring stock").await?;
        self.call("select run_compliance_checks($1)", "checking compliance").await
    }

    async fn call(&mut self, sql: &'static str, operation: &'static str) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query::query(sql)
            .bind(clinic)
            .execute(self.connection())
            .await
            .map_err(StoreError::during(operation))?;
        Ok(())
    }

    /// Rows without a feed number, with the name of their table, in the order in which they were written. One statement:
    /// each part reads an index that is nearly always empty.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_unnumbered(&mut self) -> StoreResult<Vec<(String, Uuid)>> {
        let clinic = self.actor().clinic().0;
        let parts = MADE.map(|table| {
            format!(
                "select '{table}' as name, id, merged_at from {table} where clinic_id = $1 and feed_seq is null"
            )
        });
        let sql = format!("select name, id from ({}) as u order by merged_at, id", parts.join(" union all "));
        let rows = sqlx_core::query::query(AssertSqlSafe(sql))
            .bind(clinic)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("looking for rows without a number"))?;
        let unreadable = |_| StoreError::Unreadable("unnumbered rows");
        rows.iter()
            .map(|row| Ok((row.try_get(0).map_err(unreadable)?, row.try_get(1).map_err(unreadable)?)))
            .collect()
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
}
