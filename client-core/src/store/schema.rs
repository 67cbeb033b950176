//! The tables of records, derived from the catalogue, and the statements on them.
//!
//! One table per catalogue table: `id`, its columns, then the server's bookkeeping. No constraint but the key: what
//! the server accepted is stored as it is.

use super::value::column_type;
use neonpro_contract::catalogue::{SERVER_COLUMNS, TABLES, Table, TableId};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::OnceLock;

/// Secondary indexes: table, columns. Only what a screen reads by; each costs bytes and time on a first sync.
pub(crate) const INDEXES: &[(&str, &str)] = &[
    ("patients", "name"),
    ("patient_documents", "patient_id"),
    ("appointments", "start_time"),
    ("appointments", "patient_id"),
    ("appointment_history", "appointment_id"),
    ("inventory_lots", "product_id"),
    ("inventory_transactions", "product_id"),
    ("treatment_plans", "patient_id"),
    ("treatment_sessions", "treatment_plan_id"),
    ("treatment_assessments", "treatment_plan_id"),
    ("professional_referrals", "patient_id"),
    ("coordination_messages", "thread_id"),
    ("data_consent_records", "patient_id"),
    ("payments", "patient_id"),
];

/// Prepared texts for one table. Parameters: `?1` the id, then columns, then the stamp.
pub(crate) struct Statements {
    /// Inserts a row, or leaves the one that is there.
    pub insert_new: String,
    /// Reads columns and stamp by id.
    pub select: String,
    /// Columns and stamp, for other conditions.
    pub select_all: String,
    /// Deletes by id.
    pub delete: String,
}

static STATEMENTS: OnceLock<BTreeMap<TableId, Statements>> = OnceLock::new();

/// The statements of a table.
pub(crate) fn statements(table: &'static Table) -> Option<&'static Statements> {
    STATEMENTS.get_or_init(|| TABLES.iter().map(|table| (table.id, build(table))).collect()).get(&table.id)
}

/// Creates the secondary indexes that are missing.
pub(crate) fn create_indexes(conn: &Connection) -> rusqlite::Result<()> {
    INDEXES.iter().try_for_each(|(table, column)| {
        conn.execute_batch(&format!("CREATE INDEX IF NOT EXISTS {table}_by_{column} ON {table} ({column})"))
    })
}

/// Drops the secondary indexes: an empty replica fills faster without, and sorts each of them once at the end.
pub(crate) fn drop_indexes(conn: &Connection) -> rusqlite::Result<()> {
    INDEXES.iter().try_for_each(|(table, column)| {
        conn.execute_batch(&format!("DROP INDEX IF EXISTS {table}_by_{column}"))
    })
}

/// Column names in order: own columns, then the server's.
pub(crate) fn column_names(table: &Table) -> impl Iterator<Item = &'static str> + use<> {
    table.columns().map(|field| field.name).chain(SERVER_COLUMNS.into_iter().map(|(name, _)| name))
}

/// Column names and types in order, without the id.
pub(crate) fn columns(table: &Table) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
    let own = table.columns().map(|field| (field.name, column_type(field.column)));
    own.chain(SERVER_COLUMNS.into_iter().map(|(name, column)| (name, column_type(column))))
}

/// `CREATE TABLE` of a table.
pub(crate) fn create_table(table: &Table) -> String {
    let mut sql = format!("CREATE TABLE IF NOT EXISTS {} (id BLOB PRIMARY KEY NOT NULL", table.name);
    for (name, kind) in columns(table) {
        let _ = write!(sql, ", {name} {kind}");
    }
    sql.push_str(") STRICT");
    sql
}

fn build(table: &Table) -> Statements {
    let names: Vec<&str> = column_names(table).collect();
    let list = names.join(", ");
    let marks: Vec<String> = (2..names.len().saturating_add(2)).map(|n| format!("?{n}")).collect();
    let insert = format!("INSERT INTO {} (id, {list}) VALUES (?1, {})", table.name, marks.join(", "));
    let select_all = format!("SELECT id, {list} FROM {}", table.name);
    Statements {
        insert_new: format!("{insert} ON CONFLICT (id) DO NOTHING"),
        select: format!("{select_all} WHERE id = ?1"),
        select_all,
        delete: format!("DELETE FROM {} WHERE id = ?1", table.name),
    }
}
