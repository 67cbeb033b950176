//! Loading of reference data and networks: what every clinic shares and no device writes.
//!
//! Invariant: a row that did not change keeps its number, so an import that is repeated sends nothing to anyone.

use super::batch::settle;
use super::{Loaded, STATEMENT_RECORDS_MAX};
use crate::store::{Store, StoreError, StoreResult, literal};
use neonpro_contract::catalogue::{Scope, Table};
use neonpro_contract::ids::{NetworkId, RecordId};
use neonpro_contract::row::Row;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::{Column, Value, instant_text};
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_core::transaction::Transaction;
use sqlx_postgres::Postgres;

/// Rows of one reference table, by id.
pub type ReferenceRows = Vec<(RecordId, Row)>;

impl Store {
    /// Inserts or updates rows of a reference table by their id, in one transaction. `present` counts those that
    /// were there with the same values. A row's `created_at` is set once and never compared.
    ///
    /// # Errors
    /// A database failure, or a table that is not reference data.
    pub async fn load_reference(
        &self,
        table: &'static Table,
        rows: &[(RecordId, Row)],
        now: ServerInstant,
    ) -> StoreResult<Loaded> {
        if table.scope != Scope::Reference {
            return Err(StoreError::Missing("reference table of this name"));
        }
        let mut transaction = self.begin_reference().await?;
        let mut seq: i64 =
            sqlx_core::query_scalar::query_scalar("select reference_seq from sync.server for update")
                .fetch_one(&mut *transaction)
                .await
                .map_err(StoreError::during("reading the reference number"))?;
        become_role(&mut transaction, "neonpro_reference").await?;
        let mut loaded = Loaded::default();
        for chunk in rows.chunks(STATEMENT_RECORDS_MAX) {
            let written = upsert(&mut transaction, table, chunk, seq, now).await?;
            let all = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            loaded.records = loaded.records.saturating_add(written);
            loaded.present = loaded.present.saturating_add(all.saturating_sub(written));
            seq = seq.saturating_add(i64::try_from(chunk.len()).unwrap_or(i64::MAX));
        }
        if loaded.records > 0 {
            become_role(&mut transaction, "neonpro_server").await?;
            sqlx_core::query::query("update sync.server set reference_seq = $1")
                .bind(seq)
                .execute(&mut *transaction)
                .await
                .map_err(StoreError::during("moving the reference number"))?;
        }
        transaction.commit().await.map_err(StoreError::during("committing"))?;
        Ok(loaded)
    }

    /// Makes a network of clinics, if it is not there yet.
    ///
    /// # Errors
    /// A database failure.
    pub async fn upsert_network(&self, id: NetworkId, name: &str, now: ServerInstant) -> StoreResult<()> {
        let mut transaction = self.begin_reference().await?;
        become_role(&mut transaction, "neonpro_reference").await?;
        sqlx_core::query::query(
            "insert into clinic_networks (id, name, created_at) values ($1, $2, $3::timestamptz) \
             on conflict (id) do update set name = excluded.name",
        )
        .bind(id.0)
        .bind(name)
        .bind(instant_text(now.0))
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::during("making a network"))?;
        transaction.commit().await.map_err(StoreError::during("committing"))
    }

    /// A transaction without any clinic.
    async fn begin_reference(&self) -> StoreResult<Transaction<'static, Postgres>> {
        self.pool.begin().await.map_err(StoreError::during("opening a transaction"))
    }
}

/// Reference data is written as a role of its own, which what comes from devices never takes.
async fn become_role(
    transaction: &mut Transaction<'static, Postgres>,
    role: &'static str,
) -> StoreResult<()> {
    sqlx_core::query::query(AssertSqlSafe(format!("set local role {role}")))
        .execute(&mut **transaction)
        .await
        .map_err(StoreError::during("taking a role"))?;
    Ok(())
}

/// Writes rows whose values are new or differ, numbered after `seq`; how many those were.
async fn upsert(
    transaction: &mut Transaction<'static, Postgres>,
    table: &'static Table,
    rows: &[(RecordId, Row)],
    seq: i64,
    now: ServerInstant,
) -> StoreResult<u64> {
    let rows: Vec<(RecordId, Row)> = rows.iter().map(|(id, row)| (*id, finished(row, now))).collect();
    let numbers = (seq.saturating_add(1)..).take(rows.len()).map(|seq| Some(seq.to_string()));
    let merged = std::iter::repeat_n(Some(instant_text(now.0)), rows.len());
    let mut query = sqlx_core::query::query::<Postgres>(AssertSqlSafe(statement(table)))
        .bind(rows.iter().map(|(id, _)| Some(id.to_string())).collect::<Vec<_>>())
        .bind(merged.collect::<Vec<_>>())
        .bind(numbers.collect::<Vec<_>>());
    for (index, field) in table.columns().enumerate() {
        let values: Vec<_> =
            rows.iter().map(|(_, row)| literal::of_column(row.at(index), field.column)).collect();
        query = query.bind(values);
    }
    let done =
        query.execute(&mut **transaction).await.map_err(StoreError::during("writing reference data"))?;
    Ok(done.rows_affected())
}

fn finished(row: &Row, now: ServerInstant) -> Row {
    let mut row = row.clone();
    settle(&mut row);
    if row.get("created_at").is_null() {
        row.set("created_at", Value::Instant(now.0));
    }
    row.set("updated_at", Value::Instant(now.0));
    row
}

fn statement(table: &'static Table) -> String {
    let bookkeeping = [("id", Column::Uuid), ("merged_at", Column::Instant), ("feed_seq", Column::BigInt)];
    let all: Vec<(&str, Column)> =
        bookkeeping.into_iter().chain(table.columns().map(|field| (field.name, field.column))).collect();
    let said = |name: &str| !matches!(name, "id" | "merged_at" | "feed_seq" | "created_at" | "updated_at");
    let join = |parts: Vec<String>| parts.join(", ");
    let names = join(all.iter().map(|(name, _)| (*name).to_owned()).collect());
    let casts =
        join(all.iter().map(|(name, column)| format!("u.{name}::{}", literal::cast(*column))).collect());
    let parameters = join((1..=all.len()).map(|n| format!("${n}::text[]")).collect());
    let kept = ["id", "created_at"];
    let assignments = join(
        all.iter()
            .filter(|(name, _)| !kept.contains(name))
            .map(|(name, _)| format!("{name} = excluded.{name}"))
            .collect(),
    );
    let compared = |side: &str| {
        join(all.iter().filter(|(name, _)| said(name)).map(|(name, _)| format!("{side}.{name}")).collect())
    };
    format!(
        "insert into {0} as t ({names}) select {casts} from unnest({parameters}) as u({names}) \
         on conflict (id) do update set {assignments} where ({1}) is distinct from ({2})",
        table.name,
        compared("t"),
        compared("excluded")
    )
}
