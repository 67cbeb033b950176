//! The sealed columns of canonical rows.

use crate::keys::{Place, Sealer, Subject, key_of, sealed_text, text_of};
use crate::store::canonical::{Record, Stored};
use crate::store::{Scoped, StoreError, StoreResult};
use neonpro_contract::catalogue::{Field, Table};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::RecordId;
use neonpro_contract::permissions::purpose;
use neonpro_contract::value::Value;
use std::collections::BTreeSet;

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

/// The sealed bytes a column holds.
fn sealed_bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Text(text) => sealed_text(text),
        Value::Texts(members) => members.first().and_then(|text| sealed_text(text)),
        Value::Json(json) => json.as_str().and_then(sealed_text),
        _ => None,
    }
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
            if !value.is_null() && sealed_bytes(value).is_none() {
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
        let mut found = Vec::new();
        let mut numbers = BTreeSet::new();
        for (at, stored) in records.iter().enumerate() {
            for (index, field) in &fields {
                if let Some(bytes) = sealed_bytes(stored.row.at(*index)) {
                    numbers.extend(key_of(&bytes));
                    found.push((at, *index, *field, bytes));
                }
            }
        }
        open_plain(table, &fields, records)?;
        if found.is_empty() {
            return Ok(());
        }
        let opener = self.opener(numbers).await?;
        for (at, index, field, bytes) in found {
            let Some(stored) = records.get_mut(at) else { continue };
            let opened = opener.open(place(table, stored.id, field), &bytes)?;
            let plain = opened.ok_or(StoreError::Missing("key of a record"))?;
            let value = Value::decode_from(&mut minicbor::Decoder::new(&plain), field.column)
                .map_err(|_| StoreError::Unreadable(table.name))?;
            stored.row.set_at(index, value);
        }
        Ok(())
    }
}
