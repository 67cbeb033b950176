//! A row: the values of one record, in the order of its table's columns.
//!
//! Owns the canonical encoding of a row. Never holds the server's bookkeeping columns: those are
//! [`RowStamp`]. Invariant: a row has exactly as many values as its table has columns.

use crate::catalogue::{Default, FacetId, Field, Kind, Table};
use crate::ids::AuthorId;
use crate::time::{DeviceInstant, ServerInstant};
use crate::value::{Column, Value};
use minicbor::{Decode, Decoder, Encode, Encoder};
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json};

/// The values of one record. Does not print its content.
#[derive(Clone, PartialEq)]
pub struct Row {
    table: &'static Table,
    values: Vec<Value>,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Row({}, …)", self.table.name)
    }
}

impl Row {
    /// A row without any value.
    #[must_use]
    pub fn empty(table: &'static Table) -> Self {
        Self { table, values: vec![Value::Null; table.width()] }
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// The value at an index of [`Table::columns`].
    #[must_use]
    pub fn at(&self, index: usize) -> &Value {
        self.values.get(index).unwrap_or(&Value::Null)
    }

    /// The value of a column.
    #[must_use]
    pub fn get(&self, name: &str) -> &Value {
        self.table.field(name).map_or(&Value::Null, |(index, _)| self.at(index))
    }

    /// Sets the value at an index; an index outside the row changes nothing.
    pub fn set_at(&mut self, index: usize, value: Value) {
        if let Some(slot) = self.values.get_mut(index) {
            *slot = value;
        }
    }

    /// Sets the value of a column; an unknown name changes nothing.
    pub fn set(&mut self, name: &str, value: Value) {
        if let Some((index, _)) = self.table.field(name) {
            self.set_at(index, value);
        }
    }

    /// Columns and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Field, &Value)> {
        self.table.columns().zip(&self.values)
    }

    /// Forgets the values of one facet.
    pub fn clear_facet(&mut self, facet: FacetId) {
        for (index, _) in self.table.facet_fields(facet) {
            self.set_at(index, Value::Null);
        }
    }

    /// What the server's own fields hold right after a record was created, before any trigger or job speaks: the
    /// same on every replica, so none of it has to travel.
    pub fn set_derived_defaults(&mut self) {
        for (index, field) in self.table.columns().enumerate() {
            if field.kind == Kind::Derived && self.at(index).is_null() {
                self.set_at(index, default_value(field));
            }
        }
    }

    /// Follows a merged or local change: `updated_at` is the capture time of the last one.
    pub fn touch(&mut self, captured_at: DeviceInstant) {
        self.set("updated_at", Value::Instant(captured_at.0));
    }

    /// The row as a JSON object, without nulls.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Json> {
        self.iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(field, value)| (field.name.to_owned(), value.to_json()))
            .collect()
    }

    /// Writes the values as one CBOR array.
    ///
    /// # Errors
    /// What the writer reports.
    pub fn encode_to<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(self.values.len() as u64)?;
        self.values.iter().try_for_each(|value| value.encode_to(e))
    }

    /// Reads a row of this table. A shorter array (an older catalogue) leaves the rest null.
    ///
    /// # Errors
    /// More values than columns, or a value that does not fit its column.
    pub fn decode_from(d: &mut Decoder<'_>, table: &'static Table) -> Result<Self, minicbor::decode::Error> {
        let length = d.array()?.ok_or_else(|| minicbor::decode::Error::message("a row names its length"))?;
        let width = table.width();
        if usize::try_from(length).map_or(true, |length| length > width) {
            return Err(minicbor::decode::Error::message("a row has more values than columns"));
        }
        let mut values = Vec::with_capacity(width);
        for field in table.columns().take(usize::try_from(length).unwrap_or(0)) {
            values.push(Value::decode_from(d, field.column)?);
        }
        values.resize(width, Value::Null);
        Ok(Self { table, values })
    }
}

/// The catalogue's default of a field; [`Default::CapturedAt`] is filled by the edit that creates the record.
#[must_use]
pub fn default_value(field: &Field) -> Value {
    match (field.default, field.column) {
        (Default::Text(text), _) => Value::Text(text.to_owned()),
        (Default::Bool(flag), _) => Value::Bool(flag),
        (Default::Int(number), Column::Numeric(_, scale)) => {
            let mut decimal = Decimal::from(number);
            decimal.rescale(u32::from(scale));
            Value::Decimal(decimal)
        }
        (Default::Int(number), _) => Value::Int(number),
        (Default::Null | Default::CapturedAt | Default::Empty, _) => Value::Null,
    }
}

/// What the merge writes beside a row's own values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RowStamp {
    /// Author of the last merged change.
    #[n(0)]
    pub author: Option<AuthorId>,
    /// Capture time of the last merged change.
    #[n(1)]
    pub captured_at: Option<DeviceInstant>,
    /// When the server merged it.
    #[n(2)]
    pub merged_at: ServerInstant,
    /// Its feed number.
    #[n(3)]
    pub feed_seq: i64,
}
