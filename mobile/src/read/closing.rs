//! What a tablet has left at the end of a day.

use super::stock::list_watch;
use super::{LIST_ROWS_MAX, Record, list, text};
use crate::text as words;
use crate::zone::Zone;
use neonpro_client_core::{Replica, ReplicaError};

/// Something to look at before the tablet is put away.
pub struct LeftView {
    /// What.
    pub title: String,
    /// Why.
    pub detail: String,
    /// Where it is finished.
    pub href: String,
}

/// Today's appointments nobody said the end of, sessions that are not locked, payments that are pending, open vials.
///
/// # Errors
/// What the replica reports.
pub fn list_left(
    replica: &Replica,
    (zone, now_us): (Zone, i64),
    span: (i64, i64),
) -> Result<Vec<LeftView>, ReplicaError> {
    let mut left = Vec::new();
    let appointments =
        "SELECT uuid_text(a.id) AS id, p.name FROM appointments a LEFT JOIN patients p ON p.id = a.patient_id
        WHERE a.start_time >= ?1 AND a.end_time < ?2 AND a.retired_at IS NULL
            AND a.status IN ('scheduled', 'confirmed', 'in_progress') ORDER BY a.start_time";
    let until = now_us.min(span.1);
    for row in list(replica, appointments, &[span.0.into(), until.into()], LIST_ROWS_MAX)? {
        left.push(view(&row, words::more::UNFINISHED, format!("/agendamentos/{}", text(&row, "id"))));
    }
    let sessions = "SELECT uuid_text(t.id) AS id, p.name FROM treatment_sessions t
        LEFT JOIN treatment_plans l ON l.id = t.treatment_plan_id LEFT JOIN patients p ON p.id = l.patient_id
        WHERE t.session_date >= ?1 AND t.session_date < ?2 AND t.locked_at IS NULL AND t.retired_at IS NULL
        ORDER BY t.session_date";
    for row in list(replica, sessions, &[span.0.into(), span.1.into()], LIST_ROWS_MAX)? {
        left.push(view(&row, words::more::UNLOCKED, format!("/sessoes/{}", text(&row, "id"))));
    }
    let payments =
        "SELECT uuid_text(t.id) AS id, p.name FROM payments t LEFT JOIN patients p ON p.id = t.patient_id
        WHERE t.created_at >= ?1 AND t.created_at < ?2 AND t.status IS NOT 'completed' ORDER BY t.created_at";
    for row in list(replica, payments, &[span.0.into(), span.1.into()], LIST_ROWS_MAX)? {
        left.push(view(&row, words::more::UNPAID, format!("/pagamentos/{}", text(&row, "id"))));
    }
    for vial in list_watch(replica, zone, now_us)?.into_iter().filter(|vial| vial.open) {
        left.push(LeftView { title: vial.title, detail: vial.detail, href: vial.href });
    }
    Ok(left)
}

fn view(row: &Record, detail: &str, href: String) -> LeftView {
    let title = match text(row, "name") {
        "" => words::agenda::PATIENT_UNKNOWN,
        name => name,
    };
    LeftView { title: title.to_owned(), detail: detail.to_owned(), href }
}
