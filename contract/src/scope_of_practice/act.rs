//! Which edits of which records are acts, and whether the act is starting or has been done.
//!
//! Pure, and the same on tablet and server: both ask about the same acts.

use crate::ids::AuthorId;
use crate::row::Row;
use crate::time::Capture;
use chrono::DateTime;
use serde_json::Value as Json;
use uuid::Uuid;

/// Statuses in which an appointment is going to take place.
const AHEAD: &[&str] = &["scheduled", "confirmed", "rescheduled", "in_progress"];
/// A plan's start is a day of the clinic's calendar, a capture is an instant: no zone of Brazil is further from UTC.
const DAY_SLACK_US: i64 = 12 * 3_600 * 1_000_000;

/// Something a professional does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Who.
    pub professional: Uuid,
    /// Which procedure.
    pub procedure: Option<Uuid>,
    /// With which products; sorted and unique.
    pub products: Vec<Uuid>,
    /// When it takes place (µs): the instant whose rules count.
    pub at_us: i64,
    /// Whether it lies ahead of its capture. What has been done is recorded, whatever the rules say.
    pub starting: bool,
}

impl Act {
    /// Whether there is anything the rules could name.
    #[must_use]
    pub fn names_something(&self) -> bool {
        self.procedure.is_some() || !self.products.is_empty()
    }
}

/// What an edit asks the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Nothing of an act changed.
    Untouched,
    /// The record is no act, or none any more.
    NoAct,
    /// This.
    Act(Act),
}

/// Reads the act of a table's record, if it is one.
type Find = fn(&Row, AuthorId, Capture) -> Option<Act>;

/// What an edit by `author`, captured then, asks about the record it leaves.
#[must_use]
pub fn asked(before: Option<&Row>, after: &Row, author: AuthorId, capture: Capture) -> Asked {
    let (columns, find): (&[&str], Find) = match after.table().name {
        "treatment_sessions" => (
            &["procedure_id", "products_used", "session_date", "performed_by", "locked_at", "retired_at"],
            session,
        ),
        "appointments" => {
            (&["professional_id", "service_type_id", "start_time", "status", "retired_at"], booking)
        }
        "treatment_plans" => (&["professional_id", "start_date", "status", "retired_at"], plan),
        _ => return Asked::Untouched,
    };
    let same = |before: &Row| columns.iter().all(|name| before.get(name) == after.get(name));
    if before.is_some_and(same) {
        return Asked::Untouched;
    }
    let live = after.get("retired_at").is_null();
    find(after, author, capture).filter(|_| live).map_or(Asked::NoAct, Asked::Act)
}

/// A session is performed by whom it names, or by whoever writes it down.
fn session(row: &Row, author: AuthorId, capture: Capture) -> Option<Act> {
    let at_us = row.get("session_date").as_instant().unwrap_or(capture.at.0);
    let act = Act {
        professional: row.get("performed_by").as_uuid().unwrap_or(author.0),
        procedure: row.get("procedure_id").as_uuid(),
        products: products(row),
        at_us,
        starting: at_us > capture.latest_us(),
    };
    act.names_something().then_some(act)
}

/// Products used: each use is one key of the object.
fn products(row: &Row) -> Vec<Uuid> {
    let crate::value::Value::Json(Json::Object(uses)) = row.get("products_used") else { return Vec::new() };
    let id = |used: &Json| used.get("product_id").and_then(Json::as_str).and_then(|id| id.parse().ok());
    let mut ids: Vec<Uuid> = uses.values().filter_map(id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// An appointment is an act as long as it lies ahead; what took place in it is told by the session.
fn booking(row: &Row, _: AuthorId, capture: Capture) -> Option<Act> {
    let at_us = row.get("start_time").as_instant()?;
    let ahead = row.get("status").as_text().is_some_and(|status| AHEAD.contains(&status));
    (ahead && at_us > capture.latest_us()).then_some(Act {
        professional: row.get("professional_id").as_uuid()?,
        procedure: Some(row.get("service_type_id").as_uuid()?),
        products: Vec::new(),
        at_us,
        starting: true,
    })
}

/// A plan names no procedure: its start asks only whether its professional may act at all.
fn plan(row: &Row, _: AuthorId, capture: Capture) -> Option<Act> {
    if row.get("status").as_text() != Some("active") {
        return None;
    }
    let began = match row.get("start_date") {
        crate::value::Value::Date(day) => {
            let captured =
                DateTime::from_timestamp_micros(capture.earliest_us().saturating_sub(DAY_SLACK_US));
            captured.is_some_and(|captured| *day < captured.date_naive())
        }
        _ => false,
    };
    Some(Act {
        professional: row.get("professional_id").as_uuid()?,
        procedure: None,
        products: Vec::new(),
        at_us: capture.at.0,
        starting: !began,
    })
}
