//! One value of one column: how it is kept, compared, written to CBOR and shown as JSON.
//!
//! Owns the closed list of column types. Invariant: a value that passed [`crate::validate`] has one
//! canonical form, so equal values have equal bytes on every replica.

use chrono::{DateTime, NaiveDate, SecondsFormat};
use minicbor::{Decoder, Encoder, data::Type};
use rust_decimal::Decimal;
use serde_json::Value as Json;
use uuid::Uuid;

mod cbor;
mod json;

pub use json::ValueError;

/// The type of a column, as Postgres declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// `text`
    Text,
    /// `text[]`
    TextArray,
    /// `uuid`
    Uuid,
    /// `uuid[]`
    UuidArray,
    /// `boolean`
    Bool,
    /// `integer`
    Int,
    /// `bigint`
    BigInt,
    /// `numeric(precision, scale)`
    Numeric(u8, u8),
    /// `date`
    Date,
    /// `timestamptz`, µs
    Instant,
    /// `jsonb`
    Json,
}

/// A value. `Null` fits every column.
#[derive(Clone, PartialEq, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// `boolean`
    Bool(bool),
    /// `integer` and `bigint`
    Int(i64),
    /// `numeric`, exact
    Decimal(Decimal),
    /// `text`, NFC
    Text(String),
    /// `uuid`
    Uuid(Uuid),
    /// `date`
    Date(NaiveDate),
    /// `timestamptz`, µs since the epoch
    Instant(i64),
    /// `text[]`, sorted and unique
    Texts(Vec<String>),
    /// `uuid[]`, sorted and unique
    Uuids(Vec<Uuid>),
    /// `jsonb`
    Json(Json),
}

/// Values are patient data: they do not print themselves into logs.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Bool(_) => "Bool(…)",
            Self::Int(_) => "Int(…)",
            Self::Decimal(_) => "Decimal(…)",
            Self::Text(_) => "Text(…)",
            Self::Uuid(_) => "Uuid(…)",
            Self::Date(_) => "Date(…)",
            Self::Instant(_) => "Instant(…)",
            Self::Texts(_) => "Texts(…)",
            Self::Uuids(_) => "Uuids(…)",
            Self::Json(_) => "Json(…)",
        })
    }
}

impl Value {
    /// Whether there is no value.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text, if this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The uuid, if this is one.
    #[must_use]
    pub fn as_uuid(&self) -> Option<Uuid> {
        if let Self::Uuid(id) = self { Some(*id) } else { None }
    }

    /// The instant in µs, if this is one.
    #[must_use]
    pub fn as_instant(&self) -> Option<i64> {
        if let Self::Instant(at) = self { Some(*at) } else { None }
    }

    /// The boolean, if this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(flag) = self { Some(*flag) } else { None }
    }

    /// Whether nothing was entered: null, an empty text, set or object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.is_empty(),
            Self::Texts(members) => members.is_empty(),
            Self::Uuids(members) => members.is_empty(),
            Self::Json(Json::Object(map)) => map.is_empty(),
            Self::Json(Json::Null) => true,
            _ => false,
        }
    }
}

/// RFC 3339 text of an instant in UTC, with microseconds only where there are any.
#[must_use]
pub fn instant_text(at_us: i64) -> String {
    DateTime::from_timestamp_micros(at_us)
        .map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        .unwrap_or_default()
}
