//! Records of any table of the catalogue: their names, lists of them, and what a reference may be chosen from.
//!
//! Owns how a record without a screen of its own is called. Never writes.

use super::badge::Badge;
use super::{LIST_ROWS_MAX, Record, find_record, list, text, texts};
use crate::forms::input::Choice;
use crate::text as words;
use crate::zone::{Zone, date_br};
use neonpro_client_core::{Replica, ReplicaError};
use neonpro_contract::catalogue::{Field, Format, Lifecycle, Table, table};
use neonpro_contract::value::Column;
use neonpro_contract::words::{choice_label, field_label};
use serde_json::Value as Json;

/// Fields that name a record, the best first.
const NAMES: [&str; 4] = ["name", "title", "subject", "lot_number"];
/// References that name a record without a name of its own, the best first.
const NAMED_BY: [&str; 5] =
    ["requirement_id", "product_id", "professional_id", "referred_professional_id", "patient_id"];
/// Facts beside a name in a list.
const FACTS_MAX: usize = 3;

/// One record in a list.
pub struct RecordView {
    /// Record id.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// What tells it apart.
    pub detail: String,
    /// Where the record stands.
    pub state: Badge,
}

/// The column a table's records are named by.
fn name_column(table: &Table) -> Option<&'static str> {
    NAMES.into_iter().find(|name| table.field(name).is_some())
}

/// Records of a table, by name; without names the latest first. Retired ones are left out.
///
/// # Errors
/// What the replica reports.
pub fn list_records(
    replica: &Replica,
    table: &'static Table,
    zone: Zone,
) -> Result<Vec<RecordView>, ReplicaError> {
    let here = if table.lifecycle == Lifecycle::Editable { "WHERE retired_at IS NULL" } else { "" };
    let order = name_column(table).map_or("id DESC".to_owned(), |name| format!("{name} COLLATE NOCASE, id"));
    let sql = format!("SELECT uuid_text(id) AS id FROM {} {here} ORDER BY {order}", table.name);
    let mut found = Vec::new();
    for row in list(replica, &sql, &[], LIST_ROWS_MAX)? {
        let id = text(&row, "id").to_owned();
        let Ok(record_id) = id.parse() else { continue };
        let Some(record) = find_record(replica, table.name, record_id)? else { continue };
        found.push(RecordView {
            title: title(replica, table, &record)?,
            detail: detail(replica, table, &record, zone)?,
            state: Badge::of(replica, table.name, &id)?,
            id,
        });
    }
    Ok(found)
}

/// What a record is called.
///
/// # Errors
/// What the replica reports.
pub fn title(replica: &Replica, table: &Table, record: &Record) -> Result<String, ReplicaError> {
    if let Some(name) = name_column(table).map(|name| text(record, name)).filter(|name| !name.is_empty()) {
        return Ok(name.to_owned());
    }
    for field in NAMED_BY {
        let Some((_, field)) = table.field(field) else { continue };
        let Some(target) = field.references else { continue };
        let name = reference_name(replica, target, text(record, field.name))?;
        if !name.is_empty() {
            return Ok(name);
        }
    }
    Ok(words::table(table.name).to_owned())
}

/// The chosen values, references and days that tell records of one name apart.
fn detail(replica: &Replica, of: &Table, record: &Record, zone: Zone) -> Result<String, ReplicaError> {
    let mut facts = Vec::new();
    for field in of.fields {
        let shown = matches!(field.format, Format::OneOf(_))
            || field.references.is_some()
            || matches!(field.column, Column::Date)
            || matches!(field.name, "sku" | "council_number" | "score");
        if !shown || facts.len() >= FACTS_MAX || !record.contains_key(field.name) {
            continue;
        }
        let value = shown_value(replica, of, field, record, zone)?;
        if !value.is_empty() {
            facts.push(value);
        }
    }
    Ok(facts.join(" · "))
}

/// A value as people read it; empty where there is none.
///
/// # Errors
/// What the replica reports.
pub fn shown_value(
    replica: &Replica,
    of: &Table,
    field: &Field,
    record: &Record,
    zone: Zone,
) -> Result<String, ReplicaError> {
    let value = record.get(field.name).unwrap_or(&Json::Null);
    if let (Some(target), Json::String(id)) = (field.references, value) {
        return reference_name(replica, target, id);
    }
    Ok(match (value, field.column) {
        (Json::Null, _) => String::new(),
        (Json::Bool(value), _) => if *value { words::YES } else { words::NO }.to_owned(),
        (Json::String(text), Column::Date) => date_br(text),
        (_, Column::Instant) => {
            super::instant(record, field.name).map_or_else(String::new, |at| zone.date(at))
        }
        (Json::String(text), _) => {
            choice_label(of.name, field.name, text).map_or_else(|| text.clone(), str::to_owned)
        }
        (Json::Array(_), _) => texts(record, field.name).join(" · "),
        (Json::Object(map), _) => {
            let line = |(key, value): (&String, &Json)| format!("{key}: {}", json_text(value));
            map.iter().map(line).collect::<Vec<_>>().join(" · ")
        }
        (other, _) => decimal_br(&other.to_string()),
    })
}

/// A JSON value without quotes.
#[must_use]
pub fn json_text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A decimal number as Brazilians write it.
#[must_use]
pub fn decimal_br(text: &str) -> String {
    text.replace('.', ",")
}

/// What a referenced record is called; empty where it is not on this tablet.
///
/// # Errors
/// What the replica reports.
pub fn reference_name(replica: &Replica, target: &str, id: &str) -> Result<String, ReplicaError> {
    let Some(of) = table(target) else { return Ok(String::new()) };
    let Ok(record_id) = id.parse() else { return Ok(String::new()) };
    if let Some(name) = name_column(of) {
        let sql = format!("SELECT {name} AS name FROM {target} WHERE id = uuid(?1)");
        let rows = list(replica, &sql, &[id.into()], 1)?;
        return Ok(rows.first().map_or(String::new(), |row| text(row, "name").to_owned()));
    }
    let record = find_record(replica, target, record_id)?;
    record.map_or(Ok(String::new()), |record| title(replica, of, &record))
}

/// What a reference may be chosen from, by name, the empty choice first.
///
/// # Errors
/// What the replica reports.
pub fn list_choices(replica: &Replica, target: &str) -> Result<Vec<Choice>, ReplicaError> {
    let none = Choice::new("", words::UNCHOSEN);
    let Some(of) = table(target) else { return Ok(vec![none]) };
    let mut conditions = Vec::new();
    if of.field("is_active").is_some() {
        conditions.push("is_active IS NOT 0");
    }
    if of.lifecycle == Lifecycle::Editable {
        conditions.push("retired_at IS NULL");
    }
    let filter =
        if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    let Some(name) = name_column(of) else { return Ok(vec![none]) };
    let sql = format!(
        "SELECT uuid_text(id) AS id, {name} AS name FROM {target} {filter} ORDER BY {name} COLLATE NOCASE"
    );
    let rows = list(replica, &sql, &[], LIST_ROWS_MAX)?;
    let chosen = rows.iter().map(|row| Choice::new(text(row, "id"), text(row, "name")));
    Ok(std::iter::once(none).chain(chosen).collect())
}

/// The label of a field.
#[must_use]
pub fn label(of: &Table, field: &Field) -> &'static str {
    field_label(of.name, field.name).unwrap_or(field.name)
}
