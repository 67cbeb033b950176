//! Work between professionals as screens show it: referrals, conversations, supervision.

use super::badge::Badge;
use super::{LIST_ROWS_MAX, Record, list, number, text, texts};
use crate::text as words;
use crate::zone::Zone;
use neonpro_client_core::{Replica, ReplicaError};
use neonpro_contract::words::choice_label;
use serde_json::Value as Json;

/// A referral in a list.
pub struct ReferralView {
    /// Record id.
    pub id: String,
    /// Whom it is about.
    pub patient: String,
    /// What is asked for, from whom, to whom.
    pub detail: String,
    /// Why.
    pub reason: String,
    /// Status in words.
    pub status: &'static str,
    /// Answer expected by; empty without a deadline.
    pub due: String,
    /// Whether that is over.
    pub overdue: bool,
    /// Whether whoever uses the tablet is asked and has not answered.
    pub asked: bool,
    /// How urgent, in words.
    pub urgency: &'static str,
    /// Tone of that.
    pub tone: &'static str,
    /// Where the record stands.
    pub state: Badge,
}

/// A conversation in a list.
pub struct ThreadView {
    /// Record id.
    pub id: String,
    /// Subject.
    pub subject: String,
    /// About whom, and what kind.
    pub detail: String,
    /// Messages that wait for a confirmation of whoever uses the tablet.
    pub unconfirmed: u64,
    /// When somebody wrote last.
    pub last: String,
    /// Where the record stands.
    pub state: Badge,
}

/// A message.
pub struct MessageView {
    /// Record id.
    pub id: String,
    /// Who wrote it.
    pub author: String,
    /// When.
    pub when: String,
    /// Content.
    pub content: String,
    /// Whether whoever uses the tablet wrote it.
    pub own: bool,
    /// Whether each reader must confirm.
    pub asks: bool,
    /// Who confirmed.
    pub confirmed_by: String,
    /// Whether whoever uses the tablet must confirm yet.
    pub waits: bool,
    /// Where the record stands.
    pub state: Badge,
}

/// A supervision in force.
pub struct SupervisionView {
    /// Who supervises whom.
    pub who: String,
    /// Kind, what it covers, how often.
    pub detail: String,
    /// Autonomy, 1 to 5.
    pub autonomy: i64,
}

/// Referrals that are open, those to this person first.
///
/// # Errors
/// What the replica reports.
pub fn list_referrals(
    replica: &Replica,
    (zone, now_us): (Zone, i64),
    me: &str,
) -> Result<Vec<ReferralView>, ReplicaError> {
    let sql = "SELECT uuid_text(r.id) AS id, p.name AS patient, a.name AS from_name, b.name AS to_name,
            uuid_text(r.referred_professional_id) AS to_id, r.referral_type, r.reason, r.urgency_level, r.status,
            coalesce(r.answer_due_at, r.response_deadline) AS due
        FROM professional_referrals r
        LEFT JOIN patients p ON p.id = r.patient_id
        LEFT JOIN professionals a ON a.id = r.referring_professional_id
        LEFT JOIN professionals b ON b.id = r.referred_professional_id
        WHERE r.retired_at IS NULL AND r.status IN ('pending', 'accepted')
        ORDER BY r.referred_professional_id IS NOT uuid(?1), r.status = 'accepted', due IS NULL, due, r.id";
    let rows = list(replica, sql, &[me.into()], LIST_ROWS_MAX)?;
    rows.iter().map(|row| referral(replica, row, (zone, now_us), me)).collect()
}

fn referral(
    replica: &Replica,
    row: &Record,
    (zone, now_us): (Zone, i64),
    me: &str,
) -> Result<ReferralView, ReplicaError> {
    let named = |field| choice_label("professional_referrals", field, text(row, field)).unwrap_or_default();
    let to = match text(row, "to_name") {
        "" => words::team::ANOTHER_CLINIC,
        name => name,
    };
    let due = number(row, "due");
    let pending = text(row, "status") == "pending";
    Ok(ReferralView {
        id: text(row, "id").to_owned(),
        patient: text(row, "patient").to_owned(),
        detail: format!("{} · {} → {to}", named("referral_type"), text(row, "from_name")),
        reason: text(row, "reason").to_owned(),
        status: named("status"),
        due: due.map(|at| zone.moment(at, now_us)).unwrap_or_default(),
        overdue: pending && due.is_some_and(|at| at < now_us),
        asked: pending && !me.is_empty() && text(row, "to_id") == me,
        urgency: named("urgency_level"),
        tone: match text(row, "urgency_level") {
            "emergency" => "red",
            "high" => "amber",
            _ => "grey",
        },
        state: Badge::of(replica, "professional_referrals", text(row, "id"))?,
    })
}

/// Open conversations, the one somebody wrote in last first.
///
/// # Errors
/// What the replica reports.
pub fn list_threads(
    replica: &Replica,
    (zone, now_us): (Zone, i64),
    me: &str,
) -> Result<Vec<ThreadView>, ReplicaError> {
    let sql = "SELECT uuid_text(t.id) AS id, t.subject, t.context_type, p.name AS patient,
            (SELECT max(m.created_at) FROM coordination_messages m WHERE m.thread_id = t.id) AS last,
            (SELECT count(*) FROM coordination_messages m WHERE m.thread_id = t.id AND m.requires_acknowledgment = 1
                AND m.retired_at IS NULL AND m.professional_id IS NOT uuid(?1)
                AND instr(coalesce(m.acknowledged_by, ''), ?1) = 0) AS waiting
        FROM coordination_threads t LEFT JOIN patients p ON p.id = t.patient_id
        WHERE t.retired_at IS NULL AND t.status IS NOT 'archived'
        ORDER BY last IS NULL, last DESC, t.id DESC";
    let rows = list(replica, sql, &[me.into()], LIST_ROWS_MAX)?;
    rows.iter()
        .map(|row| {
            let kind = choice_label("coordination_threads", "context_type", text(row, "context_type"));
            let parts = [text(row, "patient"), kind.unwrap_or_default()];
            Ok(ThreadView {
                id: text(row, "id").to_owned(),
                subject: text(row, "subject").to_owned(),
                detail: parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · "),
                unconfirmed: match me {
                    "" => 0,
                    _ => number(row, "waiting").unwrap_or_default().unsigned_abs(),
                },
                last: number(row, "last").map(|at| zone.moment(at, now_us)).unwrap_or_default(),
                state: Badge::of(replica, "coordination_threads", text(row, "id"))?,
            })
        })
        .collect()
}

/// The messages of a conversation, oldest first; of a long one the latest.
///
/// # Errors
/// What the replica reports.
pub fn list_messages(
    replica: &Replica,
    thread: &str,
    (zone, now_us): (Zone, i64),
    me: &str,
) -> Result<Vec<MessageView>, ReplicaError> {
    let sql = "SELECT uuid_text(m.id) AS id, uuid_text(m.professional_id) AS author_id, w.name AS author, m.content,
            m.created_at, m.requires_acknowledgment AS asks
        FROM coordination_messages m LEFT JOIN professionals w ON w.id = m.professional_id
        WHERE m.thread_id = uuid(?1) AND m.retired_at IS NULL ORDER BY m.created_at DESC, m.id DESC";
    let mut messages = Vec::new();
    for row in list(replica, sql, &[thread.into()], LIST_ROWS_MAX)? {
        messages.push(message(replica, &row, (zone, now_us), me)?);
    }
    messages.reverse();
    Ok(messages)
}

fn message(
    replica: &Replica,
    row: &Record,
    (zone, now_us): (Zone, i64),
    me: &str,
) -> Result<MessageView, ReplicaError> {
    let id = text(row, "id");
    let record = match id.parse() {
        Ok(record) => super::find_record(replica, "coordination_messages", record)?.unwrap_or_default(),
        Err(_) => Record::new(),
    };
    let confirmed = texts(&record, "acknowledged_by");
    let mut names = Vec::new();
    for person in &confirmed {
        names.push(super::records::reference_name(replica, "professionals", person)?);
    }
    let own = text(row, "author_id") == me;
    let asks = number(row, "asks") == Some(1);
    Ok(MessageView {
        id: id.to_owned(),
        author: text(row, "author").to_owned(),
        when: number(row, "created_at").map(|at| zone.moment(at, now_us)).unwrap_or_default(),
        content: text(row, "content").to_owned(),
        own,
        asks,
        waits: asks && !own && !me.is_empty() && !confirmed.iter().any(|person| person == me),
        confirmed_by: names.join(", "),
        state: Badge::of(replica, "coordination_messages", id)?,
    })
}

/// Supervisions in force.
///
/// # Errors
/// What the replica reports.
pub fn list_supervision(replica: &Replica, now_us: i64) -> Result<Vec<SupervisionView>, ReplicaError> {
    let sql = "SELECT a.name AS supervisor, b.name AS supervisee, s.supervision_type, s.scope, s.frequency,
            s.max_autonomy_level
        FROM professional_supervision s LEFT JOIN professionals a ON a.id = s.supervisor_id
        LEFT JOIN professionals b ON b.id = s.supervisee_id
        WHERE s.is_active IS NOT 0 AND (s.end_date IS NULL OR s.end_date > ?1) ORDER BY a.name, b.name";
    let rows = list(replica, sql, &[Json::from(now_us)], LIST_ROWS_MAX)?;
    let view = |row: &Record| {
        let named =
            |field| choice_label("professional_supervision", field, text(row, field)).unwrap_or_default();
        SupervisionView {
            who: format!("{} → {}", text(row, "supervisor"), text(row, "supervisee")),
            detail: format!(
                "{} · {} · {}",
                named("supervision_type"),
                text(row, "scope"),
                named("frequency")
            ),
            autonomy: number(row, "max_autonomy_level").unwrap_or(1),
        }
    };
    Ok(rows.iter().map(view).collect())
}
