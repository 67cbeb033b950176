//! Values as Postgres text literals, bound as arrays of text and cast by the statement.
//!
//! One statement shape then writes any table: `unnest($1::text[], …)` with a cast per column. Nothing here is ever
//! spliced into SQL.

use neonpro_contract::value::{Column, Value, instant_text};

/// The literal of a value; `None` is NULL.
#[must_use]
pub fn of(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Uuid(id) => id.to_string(),
        Value::Date(date) => date.to_string(),
        Value::Instant(at) => instant_text(*at),
        Value::Texts(members) => array(members.iter().map(String::as_str)),
        Value::Uuids(members) => array(members.iter().map(ToString::to_string)),
        Value::Json(json) => json.to_string(),
    })
}

/// The literal of a value for a column that has no NULL: an empty set or object stands for nothing.
#[must_use]
pub fn of_column(value: &Value, column: Column) -> Option<String> {
    match (value, column) {
        (Value::Null, Column::TextArray | Column::UuidArray | Column::Json) => Some("{}".to_owned()),
        (value, _) => of(value),
    }
}

/// The literal of bytes.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\\x{hex}")
}

/// An array literal: every element quoted, so no element can be read as NULL or as two.
fn array<T: AsRef<str>>(members: impl Iterator<Item = T>) -> String {
    let mut text = String::from("{");
    for (index, member) in members.enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push('"');
        for character in member.as_ref().chars() {
            if matches!(character, '"' | '\\') {
                text.push('\\');
            }
            text.push(character);
        }
        text.push('"');
    }
    text.push('}');
    text
}

/// The cast of a column.
#[must_use]
pub const fn cast(column: Column) -> &'static str {
    match column {
        Column::Text => "text",
        Column::TextArray => "text[]",
        Column::Uuid => "uuid",
        Column::UuidArray => "uuid[]",
        Column::Bool => "boolean",
        Column::Int => "integer",
        Column::BigInt => "bigint",
        Column::Numeric(..) => "numeric",
        Column::Date => "date",
        Column::Instant => "timestamptz",
        Column::Json => "jsonb",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_elements_are_quoted_whatever_they_hold() {
        let value = Value::Texts(vec!["a,b".into(), "NULL".into(), "q\"\\".into()]);
        assert_eq!(of(&value).unwrap(), r#"{"a,b","NULL","q\"\\"}"#);
    }
}
