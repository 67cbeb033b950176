//! Canonical rows: generic reading and writing of any table of the catalogue.
//!
//! SQL is composed from the catalogue's own names, never from input; values are always bound.

use super::{Scoped, StoreError, StoreResult};
use super::{literal, sealing};
use chrono::{DateTime, NaiveDate, Utc};
use neonpro_contract::catalogue::{Field, SERVER_COLUMNS, Scope, Table};
use neonpro_contract::ids::{AuthorId, PatientId, RecordId};
use neonpro_contract::row::{Row, RowStamp};
use neonpro_contract::time::{DeviceInstant, ServerInstant};
use neonpro_contract::value::{Column, Value};
use rust_decimal::Decimal;
use sqlx_core::row::Row as _;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgArguments, PgRow};
use std::fmt::Write as _;
use uuid::Uuid;

/// One stored record.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its id.
    pub id: RecordId,
    /// Its values.
    pub row: Row,
    /// Its bookkeeping.
    pub stamp: RowStamp,
}

/// One record to write.
#[derive(Debug)]
pub struct Record<'a> {
    /// Its id.
    pub id: RecordId,
    /// Whose data it is.
    pub patient: Option<PatientId>,
    /// Its values.
    pub row: &'a Row,
    /// Its bookkeeping.
    pub stamp: RowStamp,
}

/// The column list that [`decode`] reads: id, the table's columns, the server's.
#[must_use]
pub fn column_list(table: &Table) -> String {
    let mut list = String::from("t.id");
    for field in table.columns() {
        let _ = write!(list, ", t.{}", field.name);
    }
    // Nobody authors reference data on a device.
    let stamps = match table.scope {
        Scope::Clinic => ", t.author_id, t.captured_at, t.merged_at, t.feed_seq",
        Scope::Reference => ", null::uuid, null::timestamptz, t.merged_at, t.feed_seq",
    };
    list.push_str(stamps);
    list
}

/// Reads a row selected with [`column_list`]. Sealed columns still hold their sealed form.
///
/// # Errors
/// A value that does not fit the catalogue.
pub fn decode(table: &'static Table, pg: &PgRow) -> StoreResult<Stored> {
    let unreadable = |_| StoreError::Unreadable(table.name);
    let id: Uuid = pg.try_get(0).map_err(unreadable)?;
    let mut row = Row::empty(table);
    for (index, field) in table.columns().enumerate() {
        let column = table.stored_column(field);
        let value = read(pg, index.saturating_add(1), column).map_err(unreadable)?;
        row.set_at(index, value);
    }
    let base = table.width().saturating_add(1);
    let at = |offset: usize| base.saturating_add(offset);
    let author: Option<Uuid> = pg.try_get(at(0)).map_err(unreadable)?;
    let captured: Option<DateTime<Utc>> = pg.try_get(at(1)).map_err(unreadable)?;
    let merged: DateTime<Utc> = pg.try_get(at(2)).map_err(unreadable)?;
    let feed_seq: Option<i64> = pg.try_get(at(3)).map_err(unreadable)?;
    let stamp = RowStamp {
        author: author.map(AuthorId),
        captured_at: captured.map(|at| DeviceInstant(at.timestamp_micros())),
        merged_at: ServerInstant(merged.timestamp_micros()),
        feed_seq: feed_seq.unwrap_or(0),
    };
    Ok(Stored { id: RecordId(id), row, stamp })
}

fn read(pg: &PgRow, index: usize, column: Column) -> Result<Value, sqlx_core::Error> {
    fn some<T>(value: Option<T>, make: impl FnOnce(T) -> Value) -> Value {
        value.map_or(Value::Null, make)
    }
    Ok(match column {
        Column::Text => some(pg.try_get(index)?, Value::Text),
        Column::Uuid => some(pg.try_get(index)?, Value::Uuid),
        Column::Bool => some(pg.try_get(index)?, Value::Bool),
        Column::Int => some(pg.try_get::<Option<i32>, _>(index)?, |number| Value::Int(i64::from(number))),
        Column::BigInt => some(pg.try_get(index)?, Value::Int),
        Column::Numeric(_, scale) => some(pg.try_get::<Option<Decimal>, _>(index)?, |mut number| {
            number.rescale(u32::from(scale));
            Value::Decimal(number)
        }),
        Column::Date => some(pg.try_get::<Option<NaiveDate>, _>(index)?, Value::Date),
        Column::Instant => {
            some(pg.try_get::<Option<DateTime<Utc>>, _>(index)?, |at| Value::Instant(at.timestamp_micros()))
        }
        Column::TextArray => emptied(some(pg.try_get(index)?, Value::Texts)),
        Column::UuidArray => emptied(some(pg.try_get(index)?, Value::Uuids)),
        Column::Json => emptied(some(pg.try_get(index)?, Value::Json)),
    })
}

/// Columns without NULL hold `{}` for nothing; rows hold null.
fn emptied(value: Value) -> Value {
    if value.is_empty() { Value::Null } else { value }
}

impl Scoped {
    /// Rows of these ids, in no particular order.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_records(&mut self, table: &'static Table, ids: &[Uuid]) -> StoreResult<Vec<Stored>> {
        let clinic = self.actor.clinic().0;
        let sql = format!(
            "select {} from {} t where t.clinic_id = $1 and t.id = any($2)",
            column_list(table),
            table.name
        );
        let rows = sqlx_core::query::query(AssertSqlSafe(sql))
            .bind(clinic)
            .bind(ids)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading records"))?;
        let mut records = rows.iter().map(|row| decode(table, row)).collect::<StoreResult<Vec<_>>>()?;
        self.open_records(table, &mut records).await?;
        Ok(records)
    }

    /// Which of these ids exist in a table.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_existing(&mut self, table: &'static Table, ids: &[Uuid]) -> StoreResult<Vec<Uuid>> {
        let sql = format!("select id from {} where id = any($1)", table.name);
        sqlx_core::query_scalar::query_scalar(AssertSqlSafe(sql))
            .bind(ids)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("looking for records"))
    }

    /// Inserts new records: every column of the table.
    ///
    /// # Errors
    /// A database failure; `is_refusal` when a constraint refused a record.
    pub async fn append_records(&mut self, table: &'static Table, records: &[Record<'_>]) -> StoreResult<()> {
        let columns: Vec<usize> = (0..table.width()).collect();
        let plan = Plan::new(table, &columns);
        let sql = format!(
            "insert into {} (clinic_id, {}) select $1, {} from unnest({}) as u({})",
            table.name, plan.names, plan.casts, plan.parameters, plan.names
        );
        self.write(sql, table, &plan, records).await
    }

    /// Updates these columns of existing records, and their bookkeeping.
    ///
    /// # Errors
    /// A database failure; `is_refusal` when a constraint refused a record.
    pub async fn update_records(
        &mut self,
        table: &'static Table,
        columns: &[usize],
        records: &[Record<'_>],
    ) -> StoreResult<()> {
        let plan = Plan::new(table, columns);
        let sql = format!(
            "update {} t set {} from unnest({}) as u({}) where t.clinic_id = $1 and t.id = u.id::uuid",
            table.name, plan.assignments, plan.parameters, plan.names
        );
        self.write(sql, table, &plan, records).await
    }

    async fn write(
        &mut self,
        sql: String,
        table: &'static Table,
        plan: &Plan,
        records: &[Record<'_>],
    ) -> StoreResult<()> {
        let columns: Vec<usize> = plan.columns.iter().map(|(index, _)| *index).collect();
        let sealer = self.sealer(sealing::records::subjects(table, &columns, records)).await?;
        let blind = if plan.indexed.is_empty() { None } else { Some(self.blind_index().await?) };
        let mut query = sqlx_core::query::query::<sqlx_postgres::Postgres>(AssertSqlSafe(sql))
            .bind(self.actor.clinic().0);
        query = query.bind(records.iter().map(|record| record.id.to_string()).collect::<Vec<_>>());
        for (index, field) in &plan.columns {
            let column = table.stored_column(field);
            let literal = |record: &Record<'_>| {
                let value = record.row.at(*index);
                if !table.seals(field) {
                    return Ok(literal::of_column(value, column));
                }
                let sealed = sealing::records::seal(&sealer, table, record, field, value)?;
                Ok(literal::of_column(&sealed, column))
            };
            query = query.bind(records.iter().map(literal).collect::<StoreResult<Vec<_>>>()?);
        }
        for (index, field) in &plan.indexed {
            let index_of = |record: &Record<'_>| {
                let value = record.row.at(*index).as_text()?;
                blind.as_ref().map(|blind| literal::of_bytes(&blind.of(field.name, value)))
            };
            query = query.bind(records.iter().map(index_of).collect::<Vec<_>>());
        }
        bind_stamps(query, records)
            .execute(self.connection())
            .await
            .map_err(StoreError::during("writing records"))?;
        Ok(())
    }
}

type Query<'q> = sqlx_core::query::Query<'q, sqlx_postgres::Postgres, PgArguments>;

fn bind_stamps<'q>(query: Query<'q>, records: &[Record<'_>]) -> Query<'q> {
    let instant = |at: i64| neonpro_contract::value::instant_text(at);
    let stamps = || records.iter().map(|record| record.stamp);
    query
        .bind(stamps().map(|stamp| stamp.author.map(|id| id.to_string())).collect::<Vec<_>>())
        .bind(stamps().map(|stamp| stamp.captured_at.map(|at| instant(at.0))).collect::<Vec<_>>())
        .bind(stamps().map(|stamp| Some(instant(stamp.merged_at.0))).collect::<Vec<_>>())
        .bind(stamps().map(|stamp| Some(stamp.feed_seq.to_string())).collect::<Vec<_>>())
}

/// The pieces of a bulk statement over some columns of a table.
struct Plan {
    columns: Vec<(usize, &'static Field)>,
    /// Those that have a blind index beside them.
    indexed: Vec<(usize, &'static Field)>,
    names: String,
    casts: String,
    assignments: String,
    parameters: String,
}

impl Plan {
    fn new(table: &'static Table, columns: &[usize]) -> Self {
        let own: Vec<(usize, &'static Field)> =
            table.columns().enumerate().filter(|(index, _)| columns.contains(index)).collect();
        let indexed: Vec<(usize, &'static Field)> =
            own.iter().copied().filter(|(_, field)| field.indexed).collect();
        let id = std::iter::once(("id".to_owned(), literal::cast(Column::Uuid)));
        let all: Vec<(String, &str)> = id
            .chain(own.iter().map(|(_, f)| (f.name.to_owned(), literal::cast(table.stored_column(f)))))
            .chain(indexed.iter().map(|(_, field)| (index_column(field), "bytea")))
            .chain(SERVER_COLUMNS.map(|(name, column)| (name.to_owned(), literal::cast(column))))
            .collect();
        let join = |parts: Vec<String>| parts.join(", ");
        Self {
            columns: own,
            indexed,
            names: join(all.iter().map(|(name, _)| name.clone()).collect()),
            casts: join(all.iter().map(|(name, cast)| format!("u.{name}::{cast}")).collect()),
            assignments: join(
                all.iter().skip(1).map(|(name, cast)| format!("{name} = u.{name}::{cast}")).collect(),
            ),
            // $1 is the clinic.
            parameters: join((2..all.len().saturating_add(2)).map(|n| format!("${n}::text[]")).collect()),
        }
    }
}

/// The column of a field's blind index.
#[must_use]
pub fn index_column(field: &Field) -> String {
    format!("{}_index", field.name)
}
