//! Questions a merge asks about what it just wrote: overlaps, shared identifiers, stock below zero.

use super::{Scoped, StoreError, StoreResult, literal};
use neonpro_contract::catalogue::Table;
use serde_json::Value as Json;
use sqlx_core::row::Row as _;
use sqlx_core::sql_str::AssertSqlSafe;
use uuid::Uuid;

/// Two appointments of one professional that overlap.
#[derive(Debug, Clone)]
pub struct Overlap {
    /// The lesser id.
    pub first: Uuid,
    /// The greater id.
    pub second: Uuid,
    /// The professional.
    pub professional: Uuid,
    /// Both sides as JSON.
    pub sides: Json,
}

/// A product or lot whose ledger sums below zero.
#[derive(Debug, Clone)]
pub struct Shortage {
    /// The product.
    pub product: Uuid,
    /// The lot, if the ledger names one.
    pub lot: Option<Uuid>,
    /// The sum, as text.
    pub balance: String,
}

impl Scoped {
    /// Overlaps that involve any of these appointments. Cancelled, missed, moved and retired ones occupy nobody.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_overlaps(&mut self, appointments: &[Uuid]) -> StoreResult<Vec<Overlap>> {
        let clinic = self.actor().clinic().0;
        // An appointment lasts at most a day: the bound on start_time prunes partitions.
        let rows = sqlx_core::query::query(
            "select distinct least(a.id, b.id), greatest(a.id, b.id), a.professional_id, jsonb_build_object( \
                'a', jsonb_build_object('id', a.id, 'start', a.start_time, 'end', a.end_time, 'author', a.author_id), \
                'b', jsonb_build_object('id', b.id, 'start', b.start_time, 'end', b.end_time, 'author', b.author_id)) \
             from appointments a join appointments b on b.clinic_id = a.clinic_id \
                and b.professional_id = a.professional_id and b.id <> a.id \
                and b.start_time > a.start_time - interval '1 day' \
                and b.start_time < a.end_time and b.end_time > a.start_time \
             where a.clinic_id = $1 and a.id = any($2) \
                and a.status not in ('cancelled', 'no_show', 'rescheduled') and a.retired_at is null \
                and b.status not in ('cancelled', 'no_show', 'rescheduled') and b.retired_at is null",
        )
        .bind(clinic)
        .bind(appointments)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("looking for double bookings"))?;
        let unreadable = |_| StoreError::Unreadable("appointments");
        rows.iter()
            .map(|row| {
                Ok(Overlap {
                    first: row.try_get(0).map_err(unreadable)?,
                    second: row.try_get(1).map_err(unreadable)?,
                    professional: row.try_get(2).map_err(unreadable)?,
                    sides: row.try_get(3).map_err(unreadable)?,
                })
            })
            .collect()
    }

    /// Open agenda matters that involve any of these appointments.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_agenda_matters(&mut self, appointments: &[Uuid]) -> StoreResult<Vec<String>> {
        let clinic = self.actor().clinic().0;
        let texts: Vec<String> = appointments.iter().map(ToString::to_string).collect();
        sqlx_core::query_scalar::query_scalar(
            "select matter from sync.items where clinic_id = $1 and kind = 'agenda' and state = 'open' \
             and (split_part(matter, '/', 2) = any($2) or split_part(matter, '/', 3) = any($2))",
        )
        .bind(clinic)
        .bind(texts)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading agenda items"))
    }

    /// Records of a table, other than these, that live under one of these values of a column; the oldest id last.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_sharing(
        &mut self,
        table: &'static Table,
        column: &'static str,
        values: &[String],
        other_than: &[Uuid],
    ) -> StoreResult<Vec<(String, Uuid)>> {
        let clinic = self.actor().clinic().0;
        let indexed = table.field(column).is_some_and(|(_, field)| field.indexed);
        let asked: Vec<(String, String)> = if indexed {
            let blind = self.blind_index().await?;
            values.iter().map(|value| (literal::of_bytes(&blind.of(column, value)), value.clone())).collect()
        } else {
            values.iter().map(|value| (value.clone(), value.clone())).collect()
        };
        let compared = if indexed { format!("{column}_index::text") } else { column.to_owned() };
        let condition = if indexed {
            format!("{column}_index = any($2::text[]::bytea[])")
        } else {
            format!("{column} = any($2)")
        };
        let sql = format!(
            "select {compared}, id from {} where clinic_id = $1 and {condition} and id <> all($3) \
             and retired_at is null and duplicate_of is null order by id desc",
            table.name
        );
        let keys: Vec<&String> = asked.iter().map(|(key, _)| key).collect();
        let rows = sqlx_core::query::query(AssertSqlSafe(sql))
            .bind(clinic)
            .bind(keys)
            .bind(other_than)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("looking for duplicates"))?;
        let unreadable = |_| StoreError::Unreadable("duplicates");
        let mut sharing = Vec::with_capacity(rows.len());
        for row in &rows {
            let key: String = row.try_get(0).map_err(unreadable)?;
            if let Some((_, value)) = asked.iter().find(|(asked, _)| *asked == key) {
                sharing.push((value.clone(), row.try_get(1).map_err(unreadable)?));
            }
        }
        Ok(sharing)
    }

    /// Products and lots of these movements whose ledger sums below zero.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_shortages(&mut self, products: &[Uuid]) -> StoreResult<Vec<Shortage>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select product_id, lot_id, sum(signed_quantity(transaction_type, quantity))::text \
             from inventory_transactions where clinic_id = $1 and product_id = any($2) \
             group by grouping sets ((product_id, lot_id), (product_id)) \
             having sum(signed_quantity(transaction_type, quantity)) < 0",
        )
        .bind(clinic)
        .bind(products)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("summing stock"))?;
        let unreadable = |_| StoreError::Unreadable("inventory_transactions");
        rows.iter()
            .map(|row| {
                Ok(Shortage {
                    product: row.try_get(0).map_err(unreadable)?,
                    lot: row.try_get(1).map_err(unreadable)?,
                    balance: row.try_get(2).map_err(unreadable)?,
                })
            })
            .collect()
    }
}
