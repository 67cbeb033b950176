//! Appointments as lists show them, and what can be chosen for one.

use super::badge::Badge;
use super::{LIST_ROWS_MAX, Record, list, number, text};
use crate::forms::appointment::Choices;
use crate::forms::input::Choice;
use crate::text as words;
use crate::zone::Zone;
use neonpro_client_core::{Replica, ReplicaError};
use serde_json::Value as Json;

const SELECT: &str = "SELECT uuid_text(a.id) AS id, a.start_time, a.end_time, a.status, uuid_text(a.professional_id) AS professional_id, p.name AS patient,
        s.name AS service, w.name AS professional
    FROM appointments a
    LEFT JOIN patients p ON p.id = a.patient_id
    LEFT JOIN service_types s ON s.id = a.service_type_id
    LEFT JOIN professionals w ON w.id = a.professional_id
    WHERE a.retired_at IS NULL";

/// One appointment in a list.
pub struct AppointmentView {
    /// Record id.
    pub id: String,
    /// Start, µs.
    pub start_us: i64,
    /// End, µs.
    pub end_us: i64,
    /// Whom it is with, as an id; empty without one.
    pub professional_id: String,
    /// Day, as people write it.
    pub day: String,
    /// Start, `14:30`.
    pub start: String,
    /// End.
    pub end: String,
    /// Whom it is for.
    pub patient: String,
    /// What for.
    pub service: String,
    /// With whom.
    pub professional: String,
    /// Status in words.
    pub status: &'static str,
    /// Tone of the status.
    pub status_tone: &'static str,
    /// Whether it will not take place.
    pub over: bool,
    /// Where the record stands.
    pub state: Badge,
}

/// The appointments of a day, in order.
///
/// # Errors
/// What the replica reports.
pub fn list_day(
    replica: &Replica,
    zone: Zone,
    span: (i64, i64),
) -> Result<Vec<AppointmentView>, ReplicaError> {
    let sql = format!("{SELECT} AND a.start_time >= ?1 AND a.start_time < ?2 ORDER BY a.start_time, a.id");
    let rows = list(replica, &sql, &[span.0.into(), span.1.into()], LIST_ROWS_MAX)?;
    rows.iter().map(|row| view(replica, zone, row)).collect()
}

/// A patient's appointments, latest first.
///
/// # Errors
/// What the replica reports.
pub fn list_of_patient(
    replica: &Replica,
    zone: Zone,
    patient: &str,
) -> Result<Vec<AppointmentView>, ReplicaError> {
    let sql = format!("{SELECT} AND a.patient_id = uuid(?1) ORDER BY a.start_time DESC, a.id");
    let rows = list(replica, &sql, &[patient.into()], 20)?;
    rows.iter().map(|row| view(replica, zone, row)).collect()
}

/// Whether a professional has another appointment in this span on this tablet.
///
/// # Errors
/// What the replica reports.
pub fn overlaps(
    replica: &Replica,
    professional: &str,
    span: (i64, i64),
    except: Option<&str>,
) -> Result<bool, ReplicaError> {
    let sql = "SELECT 1 FROM appointments WHERE professional_id = uuid(?1) AND start_time < ?3 AND end_time > ?2
        AND status NOT IN ('cancelled', 'no_show', 'rescheduled') AND retired_at IS NULL AND id IS NOT uuid(?4)";
    let except = except.map_or(Json::Null, Json::from);
    let params = [professional.into(), span.0.into(), span.1.into(), except];
    Ok(!list(replica, sql, &params, 1)?.is_empty())
}

/// What can be chosen for an appointment.
///
/// # Errors
/// What the replica reports.
pub fn list_choices(replica: &Replica) -> Result<Choices, ReplicaError> {
    Ok(Choices { professionals: professionals(replica)?, services: list_services(replica)? })
}

fn professionals(replica: &Replica) -> Result<Vec<Choice>, ReplicaError> {
    let sql = "SELECT uuid_text(id) AS id, name FROM professionals
        WHERE is_active IS NOT 0 AND retired_at IS NULL ORDER BY name";
    choices(list(replica, sql, &[], LIST_ROWS_MAX)?)
}

/// Procedures the clinic offers.
///
/// # Errors
/// What the replica reports.
pub fn list_services(replica: &Replica) -> Result<Vec<Choice>, ReplicaError> {
    let sql = "SELECT uuid_text(id) AS id, name FROM service_types WHERE is_active IS NOT 0 ORDER BY name";
    choices(list(replica, sql, &[], LIST_ROWS_MAX)?)
}

fn choices(rows: Vec<Record>) -> Result<Vec<Choice>, ReplicaError> {
    let none = Choice::new("", words::UNCHOSEN);
    Ok(std::iter::once(none)
        .chain(rows.iter().map(|row| Choice::new(text(row, "id"), text(row, "name"))))
        .collect())
}

/// The usual length of a procedure, minutes.
///
/// # Errors
/// What the replica reports.
pub fn find_usual_minutes(replica: &Replica, service: &str) -> Result<Option<i64>, ReplicaError> {
    let sql = "SELECT duration_minutes FROM service_types WHERE id = uuid(?1)";
    let rows = list(replica, sql, &[service.into()], 1)?;
    Ok(rows.first().and_then(|row| number(row, "duration_minutes")).filter(|minutes| *minutes > 0))
}

fn view(replica: &Replica, zone: Zone, row: &Record) -> Result<AppointmentView, ReplicaError> {
    let at = |name| number(row, name).unwrap_or_default();
    let or = |name, otherwise: &str| match text(row, name) {
        "" => otherwise.to_owned(),
        found => found.to_owned(),
    };
    let status = text(row, "status");
    Ok(AppointmentView {
        id: text(row, "id").to_owned(),
        start_us: at("start_time"),
        end_us: at("end_time"),
        professional_id: text(row, "professional_id").to_owned(),
        day: zone.date(at("start_time")),
        start: zone.time(at("start_time")),
        end: zone.time(at("end_time")),
        patient: or("patient", words::agenda::PATIENT_UNKNOWN),
        service: or("service", words::agenda::NO_SERVICE),
        professional: or("professional", words::agenda::NO_PROFESSIONAL),
        status: words::agenda::status(status),
        status_tone: words::agenda::status_tone(status),
        over: matches!(status, "cancelled" | "no_show" | "rescheduled"),
        state: Badge::of(replica, "appointments", text(row, "id"))?,
    })
}
