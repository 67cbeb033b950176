//! The person's own words in an edit that was set aside, line by line.
//!
//! Invariant: nothing a person typed is left out; only ids are replaced by names where this tablet knows them.

use super::{list, text};
use crate::forms::patient::cpf_text;
use crate::text as words;
use crate::zone::{Zone, date_br};
use neonpro_client_core::{Replica, ReplicaError};
use neonpro_contract::edit::{DocumentIntent, FieldOp};
use serde_json::Value as Json;

/// Fields the tablet fills by itself: not the person's words.
const MECHANICAL: &[&str] = &["created_at", "patient_id", "is_active", "version", "end_time", "uploaded_at"];

/// Every operation of an edit in words.
///
/// # Errors
/// What the replica reports.
pub fn kept_lines(
    replica: &Replica,
    zone: Zone,
    documents: &[DocumentIntent],
) -> Result<Vec<String>, ReplicaError> {
    let ops = documents.iter().flat_map(|part| &part.ops).filter(|op| !MECHANICAL.contains(&op.field()));
    ops.map(|op| line(replica, zone, op)).collect()
}

fn line(replica: &Replica, zone: Zone, op: &FieldOp) -> Result<String, ReplicaError> {
    let field = words::field(op.field());
    Ok(match op {
        FieldOp::Put { field: name, value } => {
            let named = find_name(replica, name, value)?;
            format!("{field}: {}", named.unwrap_or_else(|| value_text(zone, name, value)))
        }
        FieldOp::Text { value, .. } => format!("{field}: {value}"),
        FieldOp::Add { member, .. } => format!("{field}: + {member}"),
        FieldOp::Remove { member, reason, .. } => format!("{field}: − {member} ({reason})"),
        FieldOp::Merge { patch, .. } => format!("{field}: {patch}"),
    })
}

fn find_name(replica: &Replica, field: &str, value: &Json) -> Result<Option<String>, ReplicaError> {
    let sql = match field {
        "professional_id" => "SELECT name FROM professionals WHERE id = uuid(?1)",
        "service_type_id" | "procedure_id" => "SELECT name FROM service_types WHERE id = uuid(?1)",
        "treatment_plan_id" => "SELECT title AS name FROM treatment_plans WHERE id = uuid(?1)",
        _ => return Ok(None),
    };
    let rows = list(replica, sql, std::slice::from_ref(value), 1)?;
    Ok(rows.first().map(|row| text(row, "name").to_owned()))
}

/// A value as people write it.
#[must_use]
pub fn value_text(zone: Zone, field: &str, value: &Json) -> String {
    let instant = |at_us| format!("{} {}", zone.date(at_us), zone.time(at_us));
    match (field, value) {
        (_, Json::Null) => words::NOTHING.to_owned(),
        ("date_of_birth", Json::String(date)) => date_br(date),
        ("cpf", Json::String(digits)) => cpf_text(digits),
        ("status", Json::String(status)) => words::status_text(status).to_owned(),
        ("consent_type", Json::String(purpose)) => words::patient::purpose(purpose).to_owned(),
        ("start_time" | "session_date" | "consent_date" | "withdrawn_at", Json::String(at)) => {
            let read = chrono::DateTime::parse_from_rfc3339(at).ok();
            read.map_or_else(|| at.clone(), |at| instant(at.timestamp_micros()))
        }
        ("start_time" | "session_date" | "consent_date" | "withdrawn_at", Json::Number(at)) => {
            at.as_i64().map(instant).unwrap_or_default()
        }
        (_, Json::String(text)) => text.clone(),
        (_, Json::Bool(true)) => words::YES.to_owned(),
        (_, Json::Bool(false)) => words::NO.to_owned(),
        (_, other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_written_for_people() {
        let zone = Zone::of("America/Sao_Paulo");
        assert_eq!(value_text(zone, "start_time", &json!("2026-11-23T17:30:00Z")), "23/11/2026 14:30");
        assert_eq!(value_text(zone, "date_of_birth", &json!("1990-11-24")), "24/11/1990");
        assert_eq!(value_text(zone, "cpf", &json!("52998224725")), "529.982.247-25");
        assert_eq!(value_text(zone, "consent_given", &json!(true)), "sim");
        assert_eq!(value_text(zone, "phone", &Json::Null), "—");
    }
}
