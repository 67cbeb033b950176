//! Writes rows down: draws their ids, keeps them in the order in which they may be loaded.
//!
//! Invariant: every row names only columns of its table, and leaves in a batch that accepted it.

use super::random::Random;
use crate::import::local_time;
use crate::store::load::{LoadBatch, LoadRecord};
use chrono::{NaiveDate, Timelike};
use neonpro_contract::catalogue::{TABLES, Table, table};
use neonpro_contract::ids::{AuthorId, RecordId};
use neonpro_contract::row::Row;
use neonpro_contract::time::{DeviceInstant, ServerInstant};
use neonpro_contract::validate::Invalid;
use neonpro_contract::value::Value;
use rust_decimal::Decimal;
use serde_json::Value as Json;
use uuid::Uuid;

/// Columns and their values.
pub(super) type Fields = Vec<(&'static str, Value)>;

/// A row that may still be completed before it is loaded.
#[derive(Debug)]
pub(super) struct Scribe {
    /// What chance decides.
    pub(super) random: Random,
    /// The moment the demo is made for.
    pub(super) now: ServerInstant,
    records: Vec<LoadRecord>,
}

impl Scribe {
    /// A scribe without rows.
    pub(super) fn new(random: Random, now: ServerInstant) -> Self {
        Self { random, now, records: Vec::new() }
    }

    /// The clinic's day.
    pub(super) fn today(&self) -> NaiveDate {
        local_time::civil(self.now.0).date()
    }

    /// Minutes since midnight in the clinic.
    pub(super) fn minute_now(&self) -> u32 {
        local_time::civil(self.now.0).num_seconds_from_midnight() / 60
    }

    /// The instant, in µs, of a minute on a day this many days from today.
    pub(super) fn moment(&self, days: i64, minute: u32) -> i64 {
        local_time::minute_us(self.day(days), minute)
    }

    /// The day this many days from today.
    pub(super) fn day(&self, days: i64) -> NaiveDate {
        local_time::shifted(self.today(), days)
    }

    /// Writes a row captured at this instant (µs) by this person; its new id.
    ///
    /// # Errors
    /// A table or column the catalogue does not have.
    pub(super) fn add(
        &mut self,
        name: &'static str,
        at_us: i64,
        author: Option<Uuid>,
        fields: Fields,
    ) -> Result<Uuid, Invalid> {
        let id = self.random.id(at_us);
        self.add_as(name, id, at_us, author, fields)
    }

    /// Writes a row whose id is known.
    ///
    /// # Errors
    /// A table or column the catalogue does not have.
    pub(super) fn add_as(
        &mut self,
        name: &'static str,
        id: Uuid,
        at_us: i64,
        author: Option<Uuid>,
        fields: Fields,
    ) -> Result<Uuid, Invalid> {
        let table = table(name).ok_or(Invalid::new(name, "a table of the catalogue"))?;
        let mut row = row(table, fields)?;
        if row.get("created_at").is_null() {
            row.set("created_at", Value::Instant(at_us));
        }
        let captured_at = DeviceInstant(at_us);
        self.records.push(LoadRecord {
            table,
            id: RecordId(id),
            row,
            captured_at,
            author: author.map(AuthorId),
        });
        Ok(id)
    }

    /// The batch: rows in the catalogue's order, which is that of their dependencies.
    ///
    /// # Errors
    /// A row that no tablet could have written.
    pub(super) fn finish(mut self) -> Result<LoadBatch, Invalid> {
        let place = |table: &Table| TABLES.iter().position(|known| *known == table);
        self.records.sort_by_key(|record| place(record.table));
        let mut batch = LoadBatch::new();
        for record in self.records {
            batch.push(record)?;
        }
        batch.fold_consents(self.now);
        Ok(batch)
    }
}

/// A row of a table.
///
/// # Errors
/// A column the table does not have.
pub(super) fn row(table: &'static Table, fields: Fields) -> Result<Row, Invalid> {
    let mut row = Row::empty(table);
    for (name, value) in fields {
        let (index, _) = table.field(name).ok_or(Invalid::new(name, "a column of the table"))?;
        row.set_at(index, value);
    }
    Ok(row)
}

/// A text.
pub(super) fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

/// A set of texts.
pub(super) fn texts(members: &[&str]) -> Value {
    Value::Texts(members.iter().map(|member| (*member).to_owned()).collect())
}

/// An amount of money, from centavos.
pub(super) fn money(centavos: i64) -> Value {
    Value::Decimal(Decimal::new(centavos, 2))
}

/// A quantity, from thousandths.
pub(super) fn quantity(thousandths: i64) -> Value {
    Value::Decimal(Decimal::new(thousandths, 3))
}

/// A mark from 0.0 to 9.9, from tenths.
pub(super) fn mark(tenths: i64) -> Value {
    Value::Decimal(Decimal::new(tenths, 1))
}

/// An object.
pub(super) fn object<const N: usize>(members: [(&str, Json); N]) -> Value {
    Value::Json(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// The id of another record, if there is one.
pub(super) fn link(id: Option<Uuid>) -> Value {
    id.map_or(Value::Null, Value::Uuid)
}
