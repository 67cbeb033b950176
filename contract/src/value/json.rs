//! Values as JSON: what the scripted tablet, the API and the console read and write.

use super::{Column, Decimal, Json, NaiveDate, Uuid, Value, instant_text};
use chrono::DateTime;

/// A JSON value that does not fit its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct ValueError {
    /// What would have fitted, in words.
    pub expected: &'static str,
}

impl Value {
    /// The value as JSON. Decimals, dates, instants and ids are strings.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(flag) => Json::Bool(*flag),
            Self::Int(number) => Json::from(*number),
            Self::Decimal(number) => Json::from(number.to_string()),
            Self::Text(text) => Json::from(text.as_str()),
            Self::Uuid(id) => Json::from(id.to_string()),
            Self::Date(date) => Json::from(date.to_string()),
            Self::Instant(at) => Json::from(instant_text(*at)),
            Self::Texts(members) => Json::from(members.clone()),
            Self::Uuids(members) => members.iter().map(Uuid::to_string).collect(),
            Self::Json(json) => json.clone(),
        }
    }

    /// Reads a JSON value meant for this column. Numbers may be given as numbers or strings; an instant
    /// as RFC 3339 text or µs.
    ///
    /// # Errors
    /// A value of another type, or one the type cannot hold exactly.
    pub fn from_json(json: &Json, column: Column) -> Result<Self, ValueError> {
        if json.is_null() {
            return Ok(Self::Null);
        }
        let wrong = |expected| ValueError { expected };
        match column {
            Column::Text => json.as_str().map(|text| Self::Text(text.to_owned())).ok_or(wrong("a text")),
            Column::Uuid => uuid(json).map(Self::Uuid),
            Column::Bool => json.as_bool().map(Self::Bool).ok_or(wrong("true or false")),
            Column::Int => json
                .as_i64()
                .filter(|number| i32::try_from(*number).is_ok())
                .map(Self::Int)
                .ok_or(wrong("a whole number of at most 32 bits")),
            Column::BigInt => json.as_i64().map(Self::Int).ok_or(wrong("a whole number")),
            Column::Numeric(..) => {
                decimal(json).map(Self::Decimal).ok_or(wrong("a decimal such as \"12.50\""))
            }
            Column::Date => json
                .as_str()
                .and_then(|text| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
                .map(Self::Date)
                .ok_or(wrong("a date as YYYY-MM-DD")),
            Column::Instant => instant(json).map(Self::Instant).ok_or(wrong("an instant as RFC 3339 text")),
            Column::TextArray => texts(json).map(Self::Texts).ok_or(wrong("a list of texts")),
            Column::UuidArray => {
                let list = json.as_array().ok_or(wrong("a list of ids"))?;
                list.iter().map(uuid).collect::<Result<_, _>>().map(Self::Uuids)
            }
            Column::Json => Ok(Self::Json(json.clone())),
        }
    }
}

fn uuid(json: &Json) -> Result<Uuid, ValueError> {
    json.as_str().and_then(|text| text.parse().ok()).ok_or(ValueError { expected: "an id (UUID)" })
}

/// Numbers are read from their text, so `0.1` stays exactly `0.1`.
fn decimal(json: &Json) -> Option<Decimal> {
    match json {
        Json::String(text) => Decimal::from_str_exact(text).ok(),
        Json::Number(number) => Decimal::from_str_exact(&number.to_string()).ok(),
        _ => None,
    }
}

fn instant(json: &Json) -> Option<i64> {
    match json {
        Json::String(text) => DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_micros()),
        Json::Number(number) => number.as_i64(),
        _ => None,
    }
}

fn texts(json: &Json) -> Option<Vec<String>> {
    json.as_array()?.iter().map(|member| member.as_str().map(str::to_owned)).collect()
}
