//! What happened with a patient, all kinds of records in one line of time.

use super::{Record, list, number, text};
use crate::text as words;
use crate::zone::Zone;
use neonpro_client_core::{Replica, ReplicaError};
use neonpro_contract::words::choice_label;
use rust_decimal::Decimal;

/// Entries a card shows.
const ENTRIES_MAX: usize = 25;

/// One entry.
pub struct EntryView {
    /// When.
    pub when: String,
    /// What.
    pub title: String,
    /// What about it; empty where the title says all.
    pub detail: String,
    /// Where it leads.
    pub href: String,
    /// Its kind, for the dot's colour.
    pub tone: &'static str,
}

/// Appointments, sessions, consents, payments, documents and referrals of a patient, latest first.
const ENTRIES: &str = "SELECT 'appointments' AS kind, uuid_text(a.id) AS id, a.start_time AS at, s.name AS what, a.status AS more
        FROM appointments a LEFT JOIN service_types s ON s.id = a.service_type_id
        WHERE a.patient_id = uuid(?1) AND a.retired_at IS NULL
    UNION ALL SELECT 'treatment_sessions', uuid_text(t.id), t.session_date, s.name, CAST(t.session_number AS TEXT)
        FROM treatment_sessions t JOIN treatment_plans l ON l.id = t.treatment_plan_id
        LEFT JOIN service_types s ON s.id = t.procedure_id
        WHERE l.patient_id = uuid(?1) AND t.retired_at IS NULL
    UNION ALL SELECT 'data_consent_records', uuid_text(c.id), c.created_at, c.consent_type, CAST(c.consent_given AS TEXT)
        FROM data_consent_records c WHERE c.patient_id = uuid(?1)
    UNION ALL SELECT 'payments', uuid_text(p.id), p.created_at, p.amount, p.payment_method
        FROM payments p WHERE p.patient_id = uuid(?1)
    UNION ALL SELECT 'patient_documents', uuid_text(d.id), d.uploaded_at, d.title, d.document_type
        FROM patient_documents d WHERE d.patient_id = uuid(?1) AND d.retired_at IS NULL
    UNION ALL SELECT 'professional_referrals', uuid_text(r.id), r.created_at, w.name, r.status
        FROM professional_referrals r LEFT JOIN professionals w ON w.id = r.referred_professional_id
        WHERE r.patient_id = uuid(?1) AND r.retired_at IS NULL
    ORDER BY at DESC, id";

/// The latest entries of a patient.
///
/// # Errors
/// What the replica reports.
pub fn list_entries(
    replica: &Replica,
    patient: &str,
    (zone, now_us): (Zone, i64),
) -> Result<Vec<EntryView>, ReplicaError> {
    let rows = list(replica, ENTRIES, &[patient.into()], ENTRIES_MAX)?;
    Ok(rows.iter().map(|row| entry(row, patient, (zone, now_us))).collect())
}

fn entry(row: &Record, patient: &str, (zone, now_us): (Zone, i64)) -> EntryView {
    let (kind, id, what, more) = (text(row, "kind"), text(row, "id"), text(row, "what"), text(row, "more"));
    let named = |field| choice_label(kind, field, more).unwrap_or_default().to_owned();
    let (title, detail, href, tone) = match kind {
        "appointments" => (
            words::table(kind).to_owned(),
            join(what, &named("status")),
            format!("/agendamentos/{id}"),
            "grey",
        ),
        "treatment_sessions" => {
            (format!("{} {more}", words::table(kind)), what.to_owned(), format!("/sessoes/{id}"), "accent")
        }
        "data_consent_records" => {
            let given =
                if more == "1" { words::patient::CONSENT_SINCE_SHORT } else { words::patient::CONSENT_ENDED };
            let purpose = words::patient::purpose(what).to_owned();
            (
                purpose,
                given.to_owned(),
                format!("/pacientes/{patient}#consentimentos"),
                if more == "1" { "ok" } else { "amber" },
            )
        }
        "payments" => {
            let amount = what.parse::<Decimal>().map(super::money::reais).unwrap_or_default();
            (join(words::table(kind), &amount), named("payment_method"), format!("/pagamentos/{id}"), "grey")
        }
        "patient_documents" => {
            (what.to_owned(), String::new(), format!("/pacientes/{patient}/fotos"), "grey")
        }
        _ => (
            words::table(kind).to_owned(),
            join(what, &named("status")),
            format!("/registros/{kind}/{id}"),
            "grey",
        ),
    };
    EntryView {
        when: number(row, "at").map(|at| zone.moment(at, now_us)).unwrap_or_default(),
        title,
        detail,
        href,
        tone,
    }
}

fn join(one: &str, other: &str) -> String {
    [one, other].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}
