//! Duties of the clinic and how each stands.

use super::{LIST_ROWS_MAX, Record, list, number, text};
use crate::text as words;
use crate::zone::{Zone, date_br};
use chrono::NaiveDate;
use neonpro_client_core::{Replica, ReplicaError};
use neonpro_contract::words::choice_label;

/// A duty with its latest assessment.
pub struct DutyView {
    /// Requirement id.
    pub id: String,
    /// Name.
    pub name: String,
    /// What it asks for.
    pub detail: String,
    /// The latest assessment, if any: its id.
    pub assessment: Option<String>,
    /// How it stands, in words.
    pub standing: String,
    /// Tone.
    pub tone: &'static str,
}

/// The duties of one body.
pub struct GroupView {
    /// Category.
    pub name: String,
    /// Who sets them.
    pub body: String,
    /// Duties.
    pub duties: Vec<DutyView>,
}

/// Every duty by category, with the assessment that was made or is due last.
///
/// # Errors
/// What the replica reports.
pub fn list_duties(replica: &Replica, zone: Zone, now_us: i64) -> Result<Vec<GroupView>, ReplicaError> {
    let today = zone.day(now_us).unwrap_or_default();
    let sql = "SELECT uuid_text(r.id) AS id, r.name, r.description, r.frequency, r.is_mandatory, c.name AS category,
            c.regulatory_body, uuid_text(a.id) AS assessment, a.status, a.due_date, a.assessed_at, a.score
        FROM compliance_requirements r JOIN compliance_categories c ON c.id = r.category_id
        LEFT JOIN compliance_assessments a ON a.id = (SELECT b.id FROM compliance_assessments b
            WHERE b.requirement_id = r.id AND b.retired_at IS NULL ORDER BY b.created_at DESC, b.id DESC LIMIT 1)
        WHERE c.is_active IS NOT 0 ORDER BY c.name, r.is_mandatory = 0, r.name";
    let mut groups: Vec<GroupView> = Vec::new();
    for row in list(replica, sql, &[], LIST_ROWS_MAX)? {
        let name = text(&row, "category");
        let duty = duty(&row, zone, today);
        match groups.last_mut().filter(|group| group.name == name) {
            Some(group) => group.duties.push(duty),
            None => groups.push(GroupView {
                name: name.to_owned(),
                body: text(&row, "regulatory_body").to_owned(),
                duties: vec![duty],
            }),
        }
    }
    Ok(groups)
}

fn duty(row: &Record, zone: Zone, today: NaiveDate) -> DutyView {
    let status = text(row, "status");
    let due = NaiveDate::parse_from_str(text(row, "due_date"), "%Y-%m-%d").ok();
    let done = number(row, "assessed_at").map(|at| zone.date(at));
    let (standing, tone) = match (status, due) {
        ("", _) => (words::more::NEVER_ASSESSED.to_owned(), "amber"),
        ("completed", _) => {
            (format!("{} {}", words::more::ASSESSED, done.unwrap_or_default()).trim().to_owned(), "ok")
        }
        ("failed" | "requires_action", _) => {
            (choice_label("compliance_assessments", "status", status).unwrap_or_default().to_owned(), "red")
        }
        (_, Some(due)) if due < today => {
            (format!("{} {}", words::more::OVERDUE_SINCE, date_br(&due.to_string())), "red")
        }
        (_, Some(due)) => (format!("{} {}", words::more::DUE, date_br(&due.to_string())), "amber"),
        (_, None) => {
            (choice_label("compliance_assessments", "status", status).unwrap_or_default().to_owned(), "grey")
        }
    };
    let frequency = choice_label("compliance_requirements", "frequency", text(row, "frequency"));
    let parts = [text(row, "description"), frequency.unwrap_or_default()];
    let assessment = text(row, "assessment");
    DutyView {
        id: text(row, "id").to_owned(),
        name: text(row, "name").to_owned(),
        detail: parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · "),
        assessment: (!assessment.is_empty()).then(|| assessment.to_owned()),
        standing,
        tone,
    }
}
