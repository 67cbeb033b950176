//! `sync_search`: finding patients by name, cpf, telephone or e-mail, whatever was typed.
//!
//! The index holds no text of its own. Invariant: what a person types is never read as FTS5 syntax.

use super::records::{StoredRow, read_row};
use super::schema;
use crate::error::ReplicaError;
use neonpro_contract::catalogue::Table;
use neonpro_contract::ids::RecordId;
use neonpro_contract::row::Row;
use neonpro_contract::value::Value;
use rusqlite::{Connection, OptionalExtension, params};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The table that is searched.
pub(crate) const TABLE: &str = "patients";
const FIELDS: [&str; 4] = ["name", "cpf", "phone", "email"];
/// Words of a search that count. Nobody types more.
const WORDS_MAX: usize = 8;
/// Matches looked at before they are ordered by name: a single letter matches nearly everyone.
const MATCHES_MAX: usize = 1_000;
/// Digits of a telephone without its country, and without its area code, in Brazil.
const PHONE_TAILS: [usize; 2] = [11, 9];

/// Whether the searched fields differ.
pub(crate) fn differs(before: &Row, after: &Row) -> bool {
    FIELDS.iter().any(|field| before.get(field) != after.get(field))
}

/// Puts a patient into the index.
pub(crate) fn upsert(conn: &Connection, id: RecordId, row: &Row, is_new: bool) -> Result<(), ReplicaError> {
    let Some(rowid) = rowid(conn, row.table(), id)? else { return Ok(()) };
    if !is_new {
        conn.prepare_cached("DELETE FROM sync_search WHERE rowid = ?1")?.execute([rowid])?;
    }
    insert(conn, rowid, row)
}

/// Puts the patient into the index that was inserted last.
pub(crate) fn insert_last(conn: &Connection, row: &Row) -> Result<(), ReplicaError> {
    insert(conn, conn.last_insert_rowid(), row)
}

fn insert(conn: &Connection, rowid: i64, row: &Row) -> Result<(), ReplicaError> {
    let text = |field: &str| row.get(field).as_text();
    conn.prepare_cached(
        "INSERT INTO sync_search (rowid, name, cpf, phone, email) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![rowid, text("name"), text("cpf"), phone_terms(row.get("phone")), text("email")])?;
    Ok(())
}

/// Takes a patient out of the index, before the row goes.
pub(crate) fn purge(conn: &Connection, table: &'static Table, id: RecordId) -> Result<(), ReplicaError> {
    if let Some(rowid) = rowid(conn, table, id)? {
        conn.prepare_cached("DELETE FROM sync_search WHERE rowid = ?1")?.execute([rowid])?;
    }
    Ok(())
}

/// Drops the words of purged patients: a deletion only marks them, merging the segments removes them.
pub(crate) fn forget_purged(conn: &Connection) -> Result<(), ReplicaError> {
    conn.execute("INSERT INTO sync_search (sync_search) VALUES ('optimize')", [])?;
    Ok(())
}

fn rowid(conn: &Connection, table: &Table, id: RecordId) -> Result<Option<i64>, ReplicaError> {
    let sql = format!("SELECT rowid FROM {} WHERE id = ?1", table.name);
    Ok(conn.prepare_cached(&sql)?.query_row([id.0.as_bytes()], |row| row.get(0)).optional()?)
}

/// The digits of a telephone, whole and from where people start to type it.
fn phone_terms(phone: &Value) -> Option<String> {
    let digits: String = phone.as_text()?.chars().filter(char::is_ascii_digit).collect();
    let mut terms = digits.clone();
    for tail in PHONE_TAILS {
        if let Some(start) = digits.len().checked_sub(tail).filter(|start| *start > 0) {
            terms.push(' ');
            terms.push_str(digits.get(start..).unwrap_or_default());
        }
    }
    Some(terms)
}

/// What was typed as an FTS5 expression of quoted prefixes; `None` when there is nothing to look for.
fn expression(typed: &str) -> Option<String> {
    let plain: String = typed.nfkd().filter(|c| !is_combining_mark(*c)).collect();
    let words: Vec<String> = if plain.chars().any(char::is_alphabetic) {
        plain
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    } else {
        // A cpf or a telephone, with or without its punctuation.
        let digits: String = plain.chars().filter(char::is_ascii_digit).collect();
        if digits.is_empty() { Vec::new() } else { vec![digits] }
    };
    let terms: Vec<String> = words.iter().take(WORDS_MAX).map(|word| format!("\"{word}\"*")).collect();
    (!terms.is_empty()).then(|| terms.join(" "))
}

/// Patients that match every word typed, by name.
pub(crate) fn list(
    conn: &Connection,
    table: &'static Table,
    typed: &str,
    limit: usize,
) -> Result<Vec<StoredRow>, ReplicaError> {
    let Some(expression) = expression(typed) else { return Ok(Vec::new()) };
    let select = &schema::statements(table).ok_or(ReplicaError::UnknownTable)?.select_all;
    let sql = format!(
        "{select} WHERE rowid IN (SELECT rowid FROM sync_search WHERE sync_search MATCH ?1 LIMIT {MATCHES_MAX})
         ORDER BY retired_at IS NOT NULL, name LIMIT {limit}"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([expression])?;
    let mut found = Vec::new();
    loop {
        match rows.next() {
            Ok(Some(row)) => found.push(read_row(table, row)?),
            Ok(None) => return Ok(found),
            // A word the tokeniser cuts otherwise than this file does is a phrase, which this index does not keep.
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::Unknown) => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_becomes_quoted_prefixes() {
        assert_eq!(expression("São jo").as_deref(), Some("\"Sao\"* \"jo\"*"));
        assert_eq!(expression("529.982.247-25").as_deref(), Some("\"52998224725\"*"));
        assert_eq!(expression("(11) 98765-43").as_deref(), Some("\"119876543\"*"));
        assert_eq!(expression(" \" * ^ - "), None);
        assert_eq!(expression("name: \"x\" OR NEAR(").as_deref(), Some("\"name\"* \"x\"* \"OR\"* \"NEAR\"*"));
    }

    #[test]
    fn a_telephone_is_found_from_where_people_start_to_type_it() {
        let phone = Value::Text("+55 (11) 98765-4321".into());
        assert_eq!(phone_terms(&phone).as_deref(), Some("5511987654321 11987654321 987654321"));
    }
}
