//! Partitions for what a batch brings: an import may reach years back.
//!
//! Never fails a load: a row whose month is not made yet waits in the default partition.

use super::{LoadBatch, LoadRecord};
use crate::store::Store;
use chrono::{DateTime, Datelike, NaiveDate};
use std::collections::BTreeSet;

impl Store {
    /// Makes the months that a batch needs.
    pub(super) async fn ensure_months_of(&self, batch: &LoadBatch) {
        let months: BTreeSet<NaiveDate> = batch.records().iter().filter_map(month).collect();
        for month in months {
            if let Err(error) = self.ensure_month(month).await {
                tracing::warn!(%month, %error, "a month's partition was not made; its rows wait in the default one");
            }
        }
    }

    async fn ensure_month(&self, month: NaiveDate) -> Result<(), sqlx_core::Error> {
        let mut connection = self.pool.acquire().await?;
        sqlx_core::query::query("select ensure_month_partitions($1, $1)")
            .bind(month)
            .execute(&mut *connection)
            .await?;
        Ok(())
    }
}

/// The first day of the month (UTC) by which a record is partitioned.
fn month(record: &LoadRecord) -> Option<NaiveDate> {
    let key = match record.table.name {
        "appointments" => "start_time",
        "inventory_transactions" => "transaction_date",
        _ => return None,
    };
    DateTime::from_timestamp_micros(record.row.get(key).as_instant()?)?.date_naive().with_day(1)
}
