//! Photographs of a patient: those on their own, and those before and after sessions.

use super::{LIST_ROWS_MAX, Record, list, number, text};
use crate::forms::input::Choice;
use crate::text as words;
use crate::zone::Zone;
use neonpro_client_core::{Replica, ReplicaError};
use neonpro_contract::blob::Address;
use serde_json::Value as Json;

/// A photograph in a list.
pub struct PhotoView {
    /// Its address, 64 digits.
    pub hex: String,
    /// What it is of.
    pub caption: String,
    /// Day.
    pub day: String,
    /// It can be shown.
    pub here: bool,
    /// Where it is.
    pub state: &'static str,
    /// Tone of that.
    pub tone: &'static str,
    at: i64,
}

/// A patient's photographs, latest first. Names that are no address are left out.
///
/// # Errors
/// What the replica reports.
pub fn list_photos(replica: &Replica, zone: Zone, patient: &str) -> Result<Vec<PhotoView>, ReplicaError> {
    let mut photos = Vec::new();
    let sql = "SELECT title, file_url, uploaded_at FROM patient_documents
        WHERE patient_id = uuid(?1) AND document_type = 'photo' AND retired_at IS NULL ORDER BY uploaded_at DESC, id DESC";
    for row in list(replica, sql, &[patient.into()], LIST_ROWS_MAX)? {
        let at = number(&row, "uploaded_at").unwrap_or_default();
        photos.extend(view(replica, zone, text(&row, "file_url"), text(&row, "title").to_owned(), at)?);
    }
    for row in list_sessions(replica, patient)? {
        let at = number(&row, "session_date").unwrap_or_default();
        for (column, when) in
            [("photos_before", words::photos::BEFORE), ("photos_after", words::photos::AFTER)]
        {
            let number = number(&row, "session_number").unwrap_or_default();
            for name in members(&row, column) {
                let caption = words::photos::session(when, number, &zone.date(at));
                photos.extend(view(replica, zone, &name, caption, at)?);
            }
        }
    }
    photos.sort_by_key(|photo| std::cmp::Reverse(photo.at));
    Ok(photos)
}

fn list_sessions(replica: &Replica, patient: &str) -> Result<Vec<Record>, ReplicaError> {
    let sql = "SELECT uuid_text(s.id) AS id, s.session_number, s.session_date, s.photos_before, s.photos_after, s.locked_at
        FROM treatment_sessions s JOIN treatment_plans p ON p.id = s.treatment_plan_id
        WHERE p.patient_id = uuid(?1) AND s.retired_at IS NULL ORDER BY s.session_date DESC, s.id DESC";
    list(replica, sql, &[patient.into()], LIST_ROWS_MAX)
}

/// Members of a set as a query gives them: a list, or its text.
fn members(row: &Record, column: &str) -> Vec<String> {
    let of = |list: &[Json]| list.iter().filter_map(Json::as_str).map(str::to_owned).collect();
    match row.get(column) {
        Some(Json::Array(list)) => of(list),
        Some(Json::String(text)) => {
            serde_json::from_str::<Vec<Json>>(text).map(|list| of(&list)).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn view(
    replica: &Replica,
    zone: Zone,
    name: &str,
    caption: String,
    at: i64,
) -> Result<Option<PhotoView>, ReplicaError> {
    let Some(address) = Address::parse(name) else { return Ok(None) };
    let known = replica.blob_state(&address)?;
    let (state, tone) = match known {
        Some(blob) if blob.here && blob.custody => (words::photos::SAFE, "ok"),
        Some(blob) if blob.here => (words::photos::HERE, "amber"),
        _ => (words::photos::COMING, ""),
    };
    let here = known.is_some_and(|blob| blob.here);
    let day = format!("{} {}", zone.date(at), zone.time(at));
    Ok(Some(PhotoView { hex: address.hex(), caption, day, here, state, tone, at }))
}

/// Where a new photograph may go: on its own, or before or after a session that is not closed.
///
/// # Errors
/// What the replica reports.
pub fn list_places(replica: &Replica, zone: Zone, patient: &str) -> Result<Vec<Choice>, ReplicaError> {
    let mut places = vec![Choice::new("avulsa", words::photos::APART)];
    for row in
        list_sessions(replica, patient)?.iter().filter(|row| row.get("locked_at").is_none_or(Json::is_null))
    {
        let number = number(row, "session_number").unwrap_or_default();
        let day = super::number(row, "session_date").map(|at| zone.date(at)).unwrap_or_default();
        for (when, name) in [("antes", words::photos::BEFORE), ("depois", words::photos::AFTER)] {
            let place = format!("{when}:{}", text(row, "id"));
            places.push(Choice::new(place, words::photos::session(name, number, &day)));
        }
    }
    Ok(places)
}
