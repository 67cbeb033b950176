//! The sealed columns of canonical rows.

use crate::keys::{Place, Sealer, Subject, key_of_text, read_sealed_text, text_of};
use crate::store::canonical::{Record, Stored};
use crate::store::{Scoped, StoreError, StoreResult};
use neonpro_contract::catalogue::{Field, Table};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::RecordId;
use neonpro_contract::permissions::purpose;
use neonpro_contract::value::Value;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// Places and keys of the columns of a table.
fn sealed_fields(table: &'static Table) -> impl Iterator<Item = (usize, &'static Field)> {
    table.columns().enumerate().filter(move |(_, field)| table.seals(field))
}

fn place<'a>(table: &Table, id: RecordId, field: &'a Field) -> Place<'a> {
    Place::Field(DocumentId { table: table.id, record: id, facet: field.facet }, field.name)
}

fn subject(table: &'static Table, record: &Record<'_>, field: &Field) -> Option<Subject> {
    let facet = table.facet(field.facet)?;
    Some(Subject::of(record.patient, purpose(facet, record.row)))
}

/// Whose keys writing these columns takes.
pub(crate) fn subjects(
    table: &'static Table,
    columns: &[usize],
    records: &[Record<'_>],
) -> BTreeSet<Subject> {
    let fields: Vec<_> = sealed_fields(table).filter(|(index, _)| columns.contains(index)).collect();
    records
        .iter()
        .flat_map(|record| {
            let filled = fields.iter().filter(|(index, _)| !record.row.at(*index).is_empty());
            filled.filter_map(|(_, field)| subject(table, record, field))
        })
        .collect()
}

/// A value as its sealed column holds it: a text, an array of one text, or a JSON text. Nothing stays nothing.
pub(crate) fn seal(
    sealer: &Sealer,
    table: &'static Table,
    record: &Record<'_>,
    field: &Field,
    value: &Value,
) -> StoreResult<Value> {
    if value.is_empty() {
        return Ok(Value::Null);
    }
    let unreadable = || StoreError::Unreadable(table.name);
    let mut plain = Vec::new();
    value.encode_to(&mut minicbor::Encoder::new(&mut plain)).map_err(|_| unreadable())?;
    let subject = subject(table, record, field).ok_or_else(unreadable)?;
    let text = text_of(&sealer.seal(subject, place(table, record.id, field), &plain)?);
    Ok(match table.stored_column(field) {
        neonpro_contract::value::Column::TextArray => Value::Texts(vec![text]),
        neonpro_contract::value::Column::Json => Value::Json(serde_json::Value::String(text)),
        _ => Value::Text(text),
    })
}

/// The text in which a column may hold sealed bytes.
fn sealed_in(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        Value::Texts(members) => members.first().map(String::as_str),
        Value::Json(json) => json.as_str(),
        _ => None,
    }
}

/// The key a column's value was sealed with; `None` for what lies open.
fn key_of_value(value: &Value) -> Option<i64> {
    sealed_in(value).and_then(key_of_text)
}

/// What was written before there were keys lies open until it is written again; a date among it is kept as a text, too.
fn open_plain(
    table: &'static Table,
    fields: &[(usize, &'static Field)],
    records: &mut [Stored],
) -> StoreResult<()> {
    for (index, field) in fields.iter().filter(|(_, field)| table.stored_column(field) != field.column) {
        for stored in records.iter_mut() {
            let value = stored.row.at(*index);
            if !value.is_null() && key_of_value(value).is_none() {
                let read = Value::from_json(&value.to_json(), field.column);
                stored.row.set_at(*index, read.map_err(|_| StoreError::Unreadable(table.name))?);
            }
        }
    }
    Ok(())
}

impl Scoped {
    /// Opens the sealed columns of rows as they were read.
    pub(crate) async fn open_records(
        &mut self,
        table: &'static Table,
        records: &mut [Stored],
    ) -> StoreResult<()> {
        let fields: Vec<_> = sealed_fields(table).collect();
        let mut numbers = Vec::new();
        for stored in records.iter() {
            // Most of a record is about one purpose.
            for number in fields.iter().filter_map(|(index, _)| key_of_value(stored.row.at(*index))) {
                if numbers.last() != Some(&number) {
                    numbers.push(number);
                }
            }
        }
        open_plain(table, &fields, records)?;
        if numbers.is_empty() {
            return Ok(());
        }
        let opener = self.opener(numbers).await?;
        let mut buffer = Zeroizing::new(Vec::new());
        for stored in records {
            for (index, field) in &fields {
                let sealed = sealed_in(stored.row.at(*index));
                if !sealed.is_some_and(|text| read_sealed_text(text, &mut buffer)) {
                    continue;
                }
                let opened = opener.open_in_place(place(table, stored.id, field), &mut buffer)?;
                let plain = opened.ok_or(StoreError::Missing("key of a record"))?;
                let value = Value::decode_from(&mut minicbor::Decoder::new(plain), field.column)
                    .map_err(|_| StoreError::Unreadable(table.name))?;
                stored.row.set_at(*index, value);
            }
        }
        Ok(())
    }
}
