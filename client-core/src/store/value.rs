//! Values in SQLite: ids as 16 bytes, instants as µs, decimals and dates as exact text, sets and objects as JSON.

use neonpro_contract::value::{Column, Value};
use rusqlite::types::{ToSql, ToSqlOutput, Value as Owned, ValueRef};
use serde_json::Value as Json;
use uuid::Uuid;

/// A value on its way into a statement.
pub(crate) struct Sql<'a>(pub &'a Value);

impl ToSql for Sql<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = |text: String| ToSqlOutput::Owned(Owned::Text(text));
        Ok(match self.0 {
            Value::Null => ToSqlOutput::Owned(Owned::Null),
            Value::Bool(flag) => ToSqlOutput::Owned(Owned::Integer(i64::from(*flag))),
            Value::Int(number) | Value::Instant(number) => ToSqlOutput::Owned(Owned::Integer(*number)),
            Value::Decimal(number) => text(number.to_string()),
            Value::Text(value) => ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())),
            Value::Uuid(id) => ToSqlOutput::Borrowed(ValueRef::Blob(id.as_bytes())),
            Value::Date(date) => text(date.to_string()),
            Value::Texts(_) | Value::Uuids(_) => text(self.0.to_json().to_string()),
            Value::Json(json) => text(json.to_string()),
        })
    }
}

/// The type a column has in the replica.
pub(crate) const fn column_type(column: Column) -> &'static str {
    match column {
        Column::Uuid => "BLOB",
        Column::Bool | Column::Int | Column::BigInt | Column::Instant => "INTEGER",
        Column::Text
        | Column::TextArray
        | Column::UuidArray
        | Column::Numeric(..)
        | Column::Date
        | Column::Json => "TEXT",
    }
}

/// Reads a column's value; `None` for one that does not fit.
pub(crate) fn read(value: ValueRef<'_>, column: Column) -> Option<Value> {
    Some(match (value, column) {
        (ValueRef::Null, _) => Value::Null,
        (ValueRef::Integer(number), Column::Bool) => Value::Bool(number != 0),
        (ValueRef::Integer(number), Column::Int | Column::BigInt) => Value::Int(number),
        (ValueRef::Integer(number), Column::Instant) => Value::Instant(number),
        (ValueRef::Blob(bytes), Column::Uuid) => Value::Uuid(Uuid::from_slice(bytes).ok()?),
        (ValueRef::Text(bytes), column) => {
            let text = std::str::from_utf8(bytes).ok()?;
            match column {
                Column::Text => Value::Text(text.to_owned()),
                Column::Numeric(..) => Value::Decimal(rust_decimal::Decimal::from_str_exact(text).ok()?),
                Column::Date => Value::Date(text.parse().ok()?),
                Column::TextArray | Column::UuidArray | Column::Json => {
                    Value::from_json(&serde_json::from_str::<Json>(text).ok()?, column).ok()?
                }
                _ => return None,
            }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_of_value_survives_sqlite() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        let id = Uuid::from_u128(7);
        let cases = [
            (Value::Null, Column::Json),
            (Value::Bool(true), Column::Bool),
            (Value::Int(-3), Column::BigInt),
            (Value::Instant(1_700_000_000_000_001), Column::Instant),
            (Value::Decimal("12.50".parse().unwrap()), Column::Numeric(10, 2)),
            (Value::Text("São João".into()), Column::Text),
            (Value::Uuid(id), Column::Uuid),
            (Value::Date("2026-02-28".parse().unwrap()), Column::Date),
            (Value::Texts(vec!["a".into(), "látex".into()]), Column::TextArray),
            (Value::Uuids(vec![id]), Column::UuidArray),
            (Value::Json(json!({"a": [1, null]})), Column::Json),
        ];
        for (value, column) in cases {
            let back =
                conn.query_row("SELECT ?1", [Sql(&value)], |row| Ok(read(row.get_ref(0)?, column))).unwrap();
            assert!(back == Some(value), "{column:?}");
        }
    }
}
