//! Plans and sessions of a patient.

use super::badge::Badge;
use super::{LIST_ROWS_MAX, Record, list, number, text};
use crate::forms::input::Choice;
use crate::text as words;
use crate::zone::Zone;
use neonpro_client_core::{Replica, ReplicaError};
use neonpro_contract::ids::RecordId;

/// A plan with its sessions.
pub struct PlanView {
    /// Record id.
    pub id: String,
    /// Title.
    pub title: String,
    /// Status in words.
    pub status: &'static str,
    /// Where the record stands.
    pub state: Badge,
    /// Sessions, latest first.
    pub sessions: Vec<SessionView>,
}

/// One session in a list.
pub struct SessionView {
    /// Record id.
    pub id: String,
    /// Place in the plan.
    pub number: i64,
    /// Day.
    pub day: String,
    /// Procedure.
    pub procedure: String,
    /// Where the record stands.
    pub state: Badge,
}

/// A patient's plans, latest first.
///
/// # Errors
/// What the replica reports.
pub fn list_plans(replica: &Replica, zone: Zone, patient: &str) -> Result<Vec<PlanView>, ReplicaError> {
    let sql = "SELECT uuid_text(id) AS id, title, status FROM treatment_plans
        WHERE patient_id = uuid(?1) AND retired_at IS NULL ORDER BY created_at DESC, id DESC";
    let rows = list(replica, sql, &[patient.into()], 20)?;
    rows.iter()
        .map(|row| {
            Ok(PlanView {
                id: text(row, "id").to_owned(),
                title: text(row, "title").to_owned(),
                status: words::patient::plan_status(text(row, "status")),
                state: Badge::of(replica, "treatment_plans", text(row, "id"))?,
                sessions: list_sessions(replica, zone, text(row, "id"))?,
            })
        })
        .collect()
}

fn list_sessions(replica: &Replica, zone: Zone, plan: &str) -> Result<Vec<SessionView>, ReplicaError> {
    let sql = "SELECT uuid_text(t.id) AS id, t.session_number, t.session_date, s.name AS procedure
        FROM treatment_sessions t LEFT JOIN service_types s ON s.id = t.procedure_id
        WHERE t.treatment_plan_id = uuid(?1) AND t.retired_at IS NULL ORDER BY t.session_number DESC, t.id DESC";
    list(replica, sql, &[plan.into()], 50)?.iter().map(|row| session(replica, zone, row)).collect()
}

fn session(replica: &Replica, zone: Zone, row: &Record) -> Result<SessionView, ReplicaError> {
    let procedure = match text(row, "procedure") {
        "" => words::agenda::NO_SERVICE,
        found => found,
    };
    Ok(SessionView {
        id: text(row, "id").to_owned(),
        number: number(row, "session_number").unwrap_or_default(),
        day: number(row, "session_date").map(|at| zone.date(at)).unwrap_or_default(),
        procedure: procedure.to_owned(),
        state: Badge::of(replica, "treatment_sessions", text(row, "id"))?,
    })
}

/// A patient's plans as choices.
///
/// # Errors
/// What the replica reports.
pub fn list_plan_choices(replica: &Replica, patient: &str) -> Result<Vec<Choice>, ReplicaError> {
    let sql = "SELECT uuid_text(id) AS id, title FROM treatment_plans
        WHERE patient_id = uuid(?1) AND retired_at IS NULL ORDER BY created_at DESC, id DESC";
    let rows = list(replica, sql, &[patient.into()], LIST_ROWS_MAX)?;
    Ok(rows.iter().map(|row| Choice::new(text(row, "id"), text(row, "title"))).collect())
}

/// The number of a plan's next session.
///
/// # Errors
/// What the replica reports.
pub fn next_session_number(replica: &Replica, plan: &str) -> Result<i64, ReplicaError> {
    let sql = "SELECT max(session_number) AS last FROM treatment_sessions WHERE treatment_plan_id = uuid(?1)";
    let rows = list(replica, sql, &[plan.into()], 1)?;
    Ok(rows.first().and_then(|row| number(row, "last")).unwrap_or(0).saturating_add(1))
}

/// The patient and title of a plan.
///
/// # Errors
/// What the replica reports.
pub fn find_plan(replica: &Replica, plan: &str) -> Result<Option<(String, String)>, ReplicaError> {
    let sql = "SELECT uuid_text(patient_id) AS patient, title FROM treatment_plans WHERE id = uuid(?1)";
    let rows = list(replica, sql, &[plan.into()], 1)?;
    Ok(rows.first().map(|row| (text(row, "patient").to_owned(), text(row, "title").to_owned())))
}

/// Templates of a kind in use: id and name.
///
/// # Errors
/// What the replica reports.
pub fn list_templates(replica: &Replica, kind: &str) -> Result<Vec<(String, String)>, ReplicaError> {
    let sql = "SELECT uuid_text(id) AS id, name FROM documentation_templates
        WHERE template_type = ?1 AND is_active IS NOT 0 AND retired_at IS NULL ORDER BY name COLLATE NOCASE";
    let rows = list(replica, sql, &[kind.into()], 20)?;
    Ok(rows.iter().map(|row| (text(row, "id").to_owned(), text(row, "name").to_owned())).collect())
}

/// A template's content as text a person goes on with: a line per part.
///
/// # Errors
/// What the replica reports.
pub fn find_template_text(replica: &Replica, template: RecordId) -> Result<Option<String>, ReplicaError> {
    let Some(record) = super::find_record(replica, "documentation_templates", template)? else {
        return Ok(None);
    };
    let Some(content) = record.get("template_content").and_then(serde_json::Value::as_object) else {
        return Ok(None);
    };
    let line = |(key, value): (&String, &serde_json::Value)| match super::records::json_text(value) {
        words if key.as_str() == "texto" => words,
        words => format!("{key}: {words}"),
    };
    Ok(Some(content.iter().map(line).collect::<Vec<_>>().join("\n")))
}
