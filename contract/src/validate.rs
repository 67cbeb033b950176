//! What a value, a record and a change of a record must satisfy: the same on tablet and server, so an offline
//! edit is never refused for its form.

pub mod br;

use crate::catalogue::{Field, Format, Kind, Lifecycle};
use crate::fate::Code;
use crate::limits::{
    JSON_LEAVES_MAX, LONG_TEXT_BYTES_MAX, MERGED_SET_MEMBERS_MAX, MERGED_TEXT_BYTES_MAX, SET_MEMBERS_MAX,
};
use crate::row::Row;
use crate::value::{Column, Value};
use serde_json::Value as Json;

/// A value that does not fit its field. Never shows the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}")]
pub struct Invalid {
    /// The field.
    pub field: &'static str,
    /// What would fit, in words.
    pub expected: &'static str,
}

impl Invalid {
    /// A field and what it expects.
    #[must_use]
    pub const fn new(field: &'static str, expected: &'static str) -> Self {
        Self { field, expected }
    }
}

/// Reads JSON meant for a field into its canonical value.
///
/// # Errors
/// A value that does not fit.
pub fn from_json(field: &'static Field, json: &Json) -> Result<Value, Invalid> {
    let value =
        Value::from_json(json, field.column).map_err(|error| Invalid::new(field.name, error.expected))?;
    canonical(field, value)
}

/// Checks a value against its field and brings it into canonical form (NFC, digits only, column scale).
///
/// # Errors
/// A value that does not fit.
pub fn canonical(field: &'static Field, value: Value) -> Result<Value, Invalid> {
    let invalid = |expected| Invalid::new(field.name, expected);
    match value {
        Value::Text(text) if text.is_empty() => Ok(Value::Null),
        Value::Text(text) => canonical_text(field, &text).map(Value::Text),
        Value::Decimal(number) => match field.column {
            Column::Numeric(precision, scale) => br::decimal::Numeric::new(precision.into(), scale.into())
                .fit(number)
                .map(Value::Decimal)
                .map_err(|_| invalid("a decimal within the column's precision and scale")),
            _ => Err(invalid("another type")),
        },
        Value::Date(date) => {
            br::date::check(date).map(|()| Value::Date(date)).map_err(|_| invalid("a date from 1900 to 2200"))
        }
        Value::Instant(at) => br::date::check_instant_us(at)
            .map(|()| Value::Instant(at))
            .map_err(|_| invalid("an instant from 1900 to 2200")),
        Value::Json(object) => json(field, &object).map(|()| Value::Json(object)),
        Value::Texts(members) if members.len() > SET_MEMBERS_MAX => Err(invalid("at most 256 members")),
        Value::Uuids(members) if members.len() > SET_MEMBERS_MAX => Err(invalid("at most 256 members")),
        other => Ok(other),
    }
}

fn canonical_text(field: &'static Field, text: &str) -> Result<String, Invalid> {
    let invalid = |expected| Invalid::new(field.name, expected);
    match field.format {
        Format::Plain if field.kind == Kind::Text => long_text(field, text),
        Format::Plain => short_text(field, text),
        Format::OneOf(values) => values
            .iter()
            .find(|value| **value == text)
            .map(|value| (*value).to_owned())
            .ok_or(invalid("a listed value")),
        Format::Cpf => br::cpf::Cpf::parse(text)
            .map(|cpf| cpf.as_str().to_owned())
            .map_err(|_| invalid("a CPF with valid check digits")),
        Format::Cns => br::cns::Cns::parse(text)
            .map(|cns| cns.as_str().to_owned())
            .map_err(|_| invalid("a CNS with valid check digits")),
        Format::Cnpj => br::cnpj::Cnpj::parse(text)
            .map(|cnpj| cnpj.as_str().to_owned())
            .map_err(|_| invalid("a CNPJ with valid check digits")),
    }
}

/// A text of one line.
///
/// # Errors
/// Too long, or with characters no text may hold.
pub fn short_text(field: &'static Field, text: &str) -> Result<String, Invalid> {
    br::text::normalise(text, br::text::TextKind::Line, crate::limits::SHORT_TEXT_BYTES_MAX)
        .map_err(|_| Invalid::new(field.name, "a line of at most 800 bytes without control characters"))
}

/// A text of several lines.
///
/// # Errors
/// Too long, or with characters no text may hold.
pub fn long_text(field: &'static Field, text: &str) -> Result<String, Invalid> {
    br::text::normalise(text, br::text::TextKind::Long, crate::limits::LONG_TEXT_BYTES_MAX)
        .map_err(|_| Invalid::new(field.name, "a text of at most 64 KiB without control characters"))
}

/// A JSON object whose texts Postgres can hold (no U+0000).
///
/// # Errors
/// Too large, or with a character `jsonb` refuses.
pub fn json(field: &'static Field, object: &Json) -> Result<(), Invalid> {
    let text = object.to_string();
    let holds = text.len() <= crate::limits::LONG_TEXT_BYTES_MAX && !text.contains("\\u0000");
    let small = leaves(object) < JSON_LEAVES_MAX;
    let fits = holds && small;
    if fits {
        Ok(())
    } else {
        Err(Invalid::new(field.name, "an object of at most 64 KiB and 1,023 values, without U+0000"))
    }
}

fn leaves(json: &Json) -> usize {
    match json {
        Json::Object(map) if !map.is_empty() => map.values().map(leaves).sum(),
        _ => 1,
    }
}

/// How a record came to be as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// By one edit on top of everything before it.
    Alone,
    /// By joining edits that had not seen each other.
    Concurrently,
}

/// Checks every value of a record and what must hold between them.
///
/// # Errors
/// The first thing that does not hold.
pub fn record(row: &Row) -> Result<(), Invalid> {
    step(None, row, Joined::Alone)
}

/// Checks a record as one edit left it. A text or set that grew over its limit by merging is nobody's mistake: it passes
/// (up to a wider limit) while it is merged and as long as it is left alone.
///
/// # Errors
/// The first thing that does not hold.
pub fn step(before: Option<&Row>, after: &Row, joined: Joined) -> Result<(), Invalid> {
    for (index, (field, value)) in after.iter().enumerate() {
        if field.kind == Kind::Derived {
            continue;
        }
        if field.required && value.is_empty() {
            return Err(Invalid::new(field.name, "a value"));
        }
        if value.is_null() {
            continue;
        }
        let untouched = before.is_some_and(|before| before.at(index) == value);
        if (untouched || joined == Joined::Concurrently) && merged_fits(field, value) {
            continue;
        }
        if let Value::Json(object) = value {
            json(field, object)?;
        } else if canonical(field, value.clone())? != *value {
            return Err(Invalid::new(field.name, "the canonical form of the value"));
        }
    }
    ordered(after, "start_time", "end_time")?;
    ordered(after, "scheduled_start", "scheduled_end")
}

/// Whether a value can be what merging made of values that were each in order.
fn merged_fits(field: &'static Field, value: &Value) -> bool {
    match value {
        Value::Text(text) if field.kind == Kind::Text => {
            br::text::normalise(text, br::text::TextKind::Long, MERGED_TEXT_BYTES_MAX).is_ok()
        }
        Value::Texts(members) => members.len() <= MERGED_SET_MEMBERS_MAX,
        Value::Uuids(members) => members.len() <= MERGED_SET_MEMBERS_MAX,
        Value::Json(object) => {
            let text = object.to_string();
            text.len() <= MERGED_TEXT_BYTES_MAX && !text.contains("\\u0000")
        }
        _ => false,
    }
}

/// Fields that merging made larger than one edit may make them.
pub fn overgrown(row: &Row) -> impl Iterator<Item = &'static Field> + '_ {
    row.iter().filter_map(|(field, value)| {
        let over = match value {
            Value::Text(text) => field.kind == Kind::Text && text.len() > LONG_TEXT_BYTES_MAX,
            Value::Texts(members) => members.len() > SET_MEMBERS_MAX,
            Value::Uuids(members) => members.len() > SET_MEMBERS_MAX,
            _ => false,
        };
        over.then_some(field)
    })
}

fn ordered(row: &Row, start: &'static str, end: &'static str) -> Result<(), Invalid> {
    match (row.get(start).as_instant(), row.get(end).as_instant()) {
        (Some(from), Some(to)) if to <= from => Err(Invalid::new(end, "an instant after the start")),
        _ => Ok(()),
    }
}

/// Whether a record may go from one state to the next, whoever asks.
///
/// # Errors
/// The code of the rule that forbids it.
pub fn transition(before: Option<&Row>, after: &Row, joined: Joined) -> Result<(), Code> {
    step(before, after, joined).map_err(|_| Code::InvalidValue)?;
    let Some(before) = before else { return Ok(()) };
    if after.table().lifecycle == Lifecycle::Ledger {
        return if before == after { Ok(()) } else { Err(Code::LedgerAppendOnly) };
    }
    let locked = !before.get("locked_at").is_null();
    for ((field, was), (_, is)) in before.iter().zip(after.iter()) {
        if was == is {
            continue;
        }
        if field.fixed && !was.is_empty() {
            return Err(Code::FieldFixed);
        }
        if locked && field.facet.0 == 0 && !(field.name == ADDENDA && keeps(was, is)) {
            return Err(Code::RecordLocked);
        }
    }
    Ok(())
}

/// The one field a locked record still takes: what is in it stays as it is.
pub const ADDENDA: &str = "addenda";

/// Whether every addendum that was there is still there, word for word.
fn keeps(was: &Value, is: &Value) -> bool {
    match (was, is) {
        (Value::Json(Json::Object(was)), Value::Json(Json::Object(is))) => {
            was.iter().all(|(key, addendum)| is.get(key) == Some(addendum))
        }
        (was, _) => was.is_empty(),
    }
}

#[cfg(test)]
mod tests;
