//! What a record is called, and where its screen is: for lists that mix tables.

use super::{Record, list, text};
use crate::screens::record::WRITTEN_HERE;
use crate::text as words;
use neonpro_client_core::{Replica, ReplicaError};
use neonpro_contract::edit::DocumentId;

/// A record as a person knows it.
#[derive(Clone)]
pub struct Named {
    /// Kind of record.
    pub kind: &'static str,
    /// Its name: mostly the patient's.
    pub what: String,
    /// Its screen, if it has one.
    pub href: Option<String>,
}

/// Names a record. One that is not (or not any more) on this tablet has the name of its kind alone.
///
/// # Errors
/// What the replica reports.
pub fn name(replica: &Replica, document: &DocumentId) -> Result<Named, ReplicaError> {
    let table = document.table().map_or("", |table| table.name);
    let kind = words::table(table);
    let sql = match table {
        "patients" => "SELECT name AS what, uuid_text(id) AS patient FROM patients WHERE id = uuid(?1)",
        "appointments" => BY_PATIENT_OF_APPOINTMENT,
        "treatment_plans" => BY_PATIENT_OF_PLAN,
        "data_consent_records" => BY_PATIENT_OF_CONSENT,
        "treatment_sessions" => BY_PATIENT_OF_SESSION,
        _ => return other(replica, document, kind),
    };
    let id = document.record.to_string();
    let rows = list(replica, sql, &[id.as_str().into()], 1)?;
    let Some(row) = rows.first() else { return Ok(Named { kind, what: kind.to_owned(), href: None }) };
    let what = match text(row, "what") {
        "" => words::agenda::PATIENT_UNKNOWN.to_owned(),
        found => found.to_owned(),
    };
    Ok(Named { kind, what, href: href(table, &id, row) })
}

/// A record that is one form, or belongs to a page of its own.
fn other(replica: &Replica, document: &DocumentId, kind: &'static str) -> Result<Named, ReplicaError> {
    let alone = Named { kind, what: kind.to_owned(), href: None };
    let Some(table) = document.table() else { return Ok(alone) };
    let Some(record) = super::find_record(replica, table.name, document.record)? else { return Ok(alone) };
    let id = document.record;
    let href = match table.name {
        "payments" => Some(format!("/pagamentos/{id}")),
        "coordination_threads" => Some(format!("/conversas/{id}")),
        "coordination_messages" => Some(format!("/conversas/{}", text(&record, "thread_id"))),
        "inventory_transactions" | "inventory_alerts" => {
            Some(format!("/estoque/{}", text(&record, "product_id")))
        }
        name => {
            WRITTEN_HERE.iter().any(|(here, ..)| *here == name).then(|| format!("/registros/{name}/{id}"))
        }
    };
    Ok(Named { kind, what: super::records::title(replica, table, &record)?, href })
}

fn href(table: &str, id: &str, row: &Record) -> Option<String> {
    match table {
        "appointments" => Some(format!("/agendamentos/{id}")),
        "treatment_sessions" => Some(format!("/sessoes/{id}")),
        _ => Some(text(row, "patient"))
            .filter(|patient| !patient.is_empty())
            .map(|id| format!("/pacientes/{id}")),
    }
}

const BY_PATIENT_OF_APPOINTMENT: &str = "SELECT p.name AS what, uuid_text(t.patient_id) AS patient
    FROM appointments t LEFT JOIN patients p ON p.id = t.patient_id WHERE t.id = uuid(?1)";
const BY_PATIENT_OF_PLAN: &str = "SELECT p.name AS what, uuid_text(t.patient_id) AS patient
    FROM treatment_plans t LEFT JOIN patients p ON p.id = t.patient_id WHERE t.id = uuid(?1)";
const BY_PATIENT_OF_CONSENT: &str = "SELECT p.name AS what, uuid_text(t.patient_id) AS patient
    FROM data_consent_records t LEFT JOIN patients p ON p.id = t.patient_id WHERE t.id = uuid(?1)";
const BY_PATIENT_OF_SESSION: &str = "SELECT p.name AS what, uuid_text(l.patient_id) AS patient
    FROM treatment_sessions t LEFT JOIN treatment_plans l ON l.id = t.treatment_plan_id
    LEFT JOIN patients p ON p.id = l.patient_id WHERE t.id = uuid(?1)";
