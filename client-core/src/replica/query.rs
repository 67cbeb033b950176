//! Free SQL for screens, reports and scripts: it can read everything but the device's key, and write nothing.

use super::Replica;
use crate::device::hex;
use crate::error::ReplicaError;
use rusqlite::Connection;
use rusqlite::types::{Value as SqlValue, ValueRef};
use serde_json::Value as Json;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a free query may run. A screen that needs longer needs an index.
const QUERY_MAX: Duration = Duration::from_secs(5);
/// Virtual-machine steps between two looks at the time.
const STEPS_PER_LOOK: i32 = 2_000;

/// The rows of a free query.
#[derive(Clone, PartialEq)]
pub struct QueryResult {
    /// Column names.
    pub columns: Vec<String>,
    /// Rows of values. Ids are shown as UUID text.
    pub rows: Vec<Vec<Json>>,
    /// There were more rows than the limit.
    pub more: bool,
}

/// Patient data does not print itself.
impl std::fmt::Debug for QueryResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "QueryResult({:?}, {} rows)", self.columns, self.rows.len())
    }
}

impl Replica {
    /// Runs one statement that reads. Texts stay texts: compare an id with `uuid(?1)`; show one with `uuid_text(id)`.
    ///
    /// # Errors
    /// A statement that does not prepare or would write, one that takes too long, or a lease that is over.
    pub fn query(&self, sql: &str, params: &[Json], limit: usize) -> Result<QueryResult, ReplicaError> {
        self.readable()?;
        within(self, QUERY_MAX, |conn| run(conn, sql, params, limit))
    }
}

/// Reads with a limit on the time it takes.
fn within<T>(
    replica: &Replica,
    limit: Duration,
    body: impl FnOnce(&Connection) -> Result<T, ReplicaError>,
) -> Result<T, ReplicaError> {
    replica.inner.store.read(|conn| {
        let started = Instant::now();
        conn.progress_handler(STEPS_PER_LOOK, Some(move || started.elapsed() > limit))?;
        let result = body(conn);
        conn.progress_handler(STEPS_PER_LOOK, None::<fn() -> bool>)?;
        result
    })
}

/// One statement with a limit of its own.
#[cfg(test)]
pub(crate) fn run_within(replica: &Replica, sql: &str, limit: Duration) -> Result<QueryResult, ReplicaError> {
    within(replica, limit, |conn| run(conn, sql, &[], 1))
}

fn run(conn: &Connection, sql: &str, params: &[Json], limit: usize) -> Result<QueryResult, ReplicaError> {
    let mut statement = conn.prepare(sql).map_err(refused)?;
    if !statement.readonly() {
        return Err(ReplicaError::QueryRefused { reason: "the statement writes".to_owned() });
    }
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let params: Vec<SqlValue> = params.iter().map(parameter).collect();
    let mut rows = statement.query(rusqlite::params_from_iter(params)).map_err(refused)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(refused)? {
        if found.len() == limit {
            return Ok(QueryResult { columns, rows: found, more: true });
        }
        let values =
            (0..columns.len()).map(|at| Ok(shown(row.get_ref(at)?))).collect::<Result<_, ReplicaError>>()?;
        found.push(values);
    }
    Ok(QueryResult { columns, rows: found, more: false })
}

/// SQLite's message about a statement names identifiers of that statement, never stored values.
fn refused(error: rusqlite::Error) -> ReplicaError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::OperationInterrupted) => ReplicaError::QueryTooSlow,
        Some(
            rusqlite::ErrorCode::DiskFull
            | rusqlite::ErrorCode::DatabaseCorrupt
            | rusqlite::ErrorCode::NotADatabase,
        ) => error.into(),
        _ => ReplicaError::QueryRefused { reason: error.to_string() },
    }
}

fn parameter(json: &Json) -> SqlValue {
    match json {
        Json::Null => SqlValue::Null,
        Json::Bool(flag) => SqlValue::Integer(i64::from(*flag)),
        Json::Number(number) => number
            .as_i64()
            .map(SqlValue::Integer)
            .or_else(|| number.as_f64().map(SqlValue::Real))
            .unwrap_or(SqlValue::Null),
        Json::String(text) => SqlValue::Text(text.clone()),
        other => SqlValue::Text(other.to_string()),
    }
}

fn shown(value: ValueRef<'_>) -> Json {
    match value {
        ValueRef::Null => Json::Null,
        ValueRef::Integer(number) => Json::from(number),
        ValueRef::Real(number) => Json::from(number),
        ValueRef::Text(bytes) => Json::from(String::from_utf8_lossy(bytes)),
        ValueRef::Blob(bytes) => {
            Uuid::from_slice(bytes).map_or_else(|_| Json::from(hex(bytes)), |id| Json::from(id.to_string()))
        }
    }
}
