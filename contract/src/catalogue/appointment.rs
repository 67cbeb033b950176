//! The agenda and its history.

use super::{Default, Facet, Field, Lifecycle, PatientLink, Purpose, Roles, Scope, Table, TableId};
use crate::value::Column;

const GROUP: &str = "Appointment Management";

/// What happened beats what was planned: a desk that cancels or marks a no-show does not undo the room where the
/// patient is being seen. Among plans, the one that frees the slot wins, so nobody waits for a patient who left.
const STATUSES: &[&str] =
    &["scheduled", "confirmed", "rescheduled", "cancelled", "no_show", "in_progress", "completed"];

/// Appointments. Two that overlap for one professional are both kept and become an agenda item.
pub static APPOINTMENTS: Table = Table {
    id: TableId(11),
    name: "appointments",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::Field("patient_id"),
    facets: &[Facet::new("booking", Purpose::Operation, Roles::AMPS)],
    fields: &[
        Field::reference("patient_id", "patients").required().fixed().about("Who is attended."),
        Field::reference("professional_id", "professionals").about("Who attends."),
        Field::reference("service_type_id", "service_types").about("Procedure."),
        Field::status("status", STATUSES).required().default(Default::Text("scheduled")).about("State."),
        Field::register("start_time", Column::Instant).required().about("Start."),
        Field::register("end_time", Column::Instant).required().about("End."),
        Field::register("duration_minutes", Column::Int).required().about("Length, minutes."),
        Field::register("price", Column::Numeric(10, 2)).about("Agreed price, BRL."),
        Field::long_text("notes").sealed().about("Notes."),
        Field::derived("ai_predicted_no_show_prob", Column::Numeric(3, 2))
            .default(Default::Int(0))
            .about("Predicted probability of a no-show, 0 to 1."),
        Field::derived("ai_risk_score", Column::Numeric(3, 2))
            .default(Default::Int(0))
            .about("Risk, 0 to 1."),
        Field::derived("ai_intervention_sent", Column::Bool)
            .default(Default::Bool(false))
            .about("Reminder sent."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When booked."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "The agenda.",
};

/// One row per change of an appointment, written by a trigger.
pub static APPOINTMENT_HISTORY: Table = Table {
    id: TableId(12),
    name: "appointment_history",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Server,
    patient: PatientLink::Parent("appointment_id"),
    facets: &[],
    fields: &[
        Field::reference("appointment_id", "appointments").server().required().about("Which appointment."),
        Field::reference("changed_by", "professionals").server().about("Who changed it."),
        Field::derived("change_type", Column::Text).required().about("status, reschedule or update."),
        Field::derived("old_values", Column::Json).about("Changed columns before."),
        Field::derived("new_values", Column::Json).about("Changed columns after."),
        Field::derived("change_reason", Column::Text).about("Why."),
        Field::derived("changed_at", Column::Instant).about("When."),
    ],
    about: "Every change of every appointment.",
};
