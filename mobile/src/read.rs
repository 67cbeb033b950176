//! What screens read: one bounded query per list, one view per thing shown.
//!
//! Owns SQL over the replica's tables and how values are written for people. Never writes. Invariant: every list has
//! a limit, and a view holds text ready to be shown, escaped by the template that shows it.

pub mod agenda;
pub mod attention;
pub mod badge;
pub mod calendar;
pub mod care;
pub mod closing;
pub mod compliance;
pub mod documents;
pub mod kept;
pub mod money;
pub mod name;
pub mod patients;
pub mod photos;
pub mod records;
pub mod scope;
pub mod session;
pub mod stock;
pub mod sync;
pub mod team;
pub mod timeline;

use neonpro_client_core::{Replica, ReplicaError};
use neonpro_contract::ids::RecordId;
use serde_json::{Map, Value as Json};

/// Rows of one list. A day, a search or an outbox that is longer says so.
pub const LIST_ROWS_MAX: usize = 200;

/// One row by column name.
pub type Record = Map<String, Json>;

/// Runs a query and names its columns.
///
/// # Errors
/// What the replica reports.
pub fn list(
    replica: &Replica,
    sql: &str,
    params: &[Json],
    limit: usize,
) -> Result<Vec<Record>, ReplicaError> {
    let result = replica.query(sql, params, limit)?;
    let columns = result.columns;
    Ok(result.rows.into_iter().map(|row| columns.iter().cloned().zip(row).collect()).collect())
}

/// A text of a row; empty where it is null.
#[must_use]
pub fn text<'r>(row: &'r Record, name: &str) -> &'r str {
    row.get(name).and_then(Json::as_str).unwrap_or("")
}

/// A whole number of a row.
#[must_use]
pub fn number(row: &Record, name: &str) -> Option<i64> {
    row.get(name).and_then(Json::as_i64)
}

/// The zone of the clinic this replica belongs to.
///
/// # Errors
/// What the replica reports.
pub fn zone(replica: &Replica) -> Result<crate::zone::Zone, ReplicaError> {
    let sql = "SELECT timezone FROM clinics WHERE id = uuid(?1)";
    let clinic = Json::from(replica.identity().clinic.to_string());
    let rows = list(replica, sql, &[clinic], 1)?;
    Ok(crate::zone::Zone::of(rows.first().map_or("", |row| text(row, "timezone"))))
}

/// One record by id; `None` where it is not on this tablet. The replica notes that it was read.
///
/// # Errors
/// What the replica reports.
pub fn find_record(replica: &Replica, table: &str, id: RecordId) -> Result<Option<Record>, ReplicaError> {
    Ok(replica.row(table, id)?.map(|row| row.to_json()))
}

/// The members of a set.
#[must_use]
pub fn texts(record: &Record, name: &str) -> Vec<String> {
    let members = record.get(name).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    members.iter().filter_map(Json::as_str).map(str::to_owned).collect()
}

/// A short mark of what a form shows; changes whenever one of those values does.
#[must_use]
pub fn revision<'a>(shown: impl IntoIterator<Item = &'a str>) -> String {
    use base64::Engine;
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for value in shown {
        context.update(value.as_bytes());
        context.update(&[0x1f]);
    }
    let digest = context.finish();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest.as_ref().get(..9).unwrap_or_default())
}

/// An instant of a record, µs.
#[must_use]
pub fn instant(record: &Record, name: &str) -> Option<i64> {
    use neonpro_contract::value::{Column, Value};
    Value::from_json(record.get(name)?, Column::Instant).ok()?.as_instant()
}
