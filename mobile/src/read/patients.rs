//! Patients as lists and the card show them.

use super::badge::Badge;
use super::{Record, list, text};
use crate::forms::patient::cpf_text;
use crate::text as words;
use crate::zone::{age_years, date_br};
use chrono::NaiveDate;
use neonpro_client_core::{Replica, ReplicaError};
use serde_json::Value as Json;

/// Patients on one page of the list.
pub const PATIENTS_MAX: usize = 50;

/// Everybody by name. SQLite knows no Portuguese order: an accented first letter is put beside its plain one here.
const BY_NAME: &str = "SELECT uuid_text(id) AS id, name, date_of_birth, cpf, phone FROM patients
    WHERE retired_at IS NULL
    ORDER BY CASE substr(name, 1, 1)
        WHEN 'Á' THEN 'A' WHEN 'À' THEN 'A' WHEN 'Â' THEN 'A' WHEN 'Ã' THEN 'A' WHEN 'Ç' THEN 'C'
        WHEN 'É' THEN 'E' WHEN 'Ê' THEN 'E' WHEN 'Í' THEN 'I' WHEN 'Ó' THEN 'O' WHEN 'Ô' THEN 'O'
        WHEN 'Õ' THEN 'O' WHEN 'Ú' THEN 'U' ELSE substr(name, 1, 1) END COLLATE NOCASE, name COLLATE NOCASE, id";

/// One patient in a list.
pub struct PatientView {
    /// Record id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Age, CPF, telephone: what tells people of one name apart.
    pub detail: String,
    /// Where the record stands.
    pub state: Badge,
}

/// Patients by name, or those a search finds, best first.
///
/// # Errors
/// What the replica reports.
pub fn list_patients(
    replica: &Replica,
    search: &str,
    today: NaiveDate,
) -> Result<Vec<PatientView>, ReplicaError> {
    let limit = PATIENTS_MAX.saturating_add(1);
    let rows = if search.trim().is_empty() {
        list(replica, BY_NAME, &[], limit)?
    } else {
        find_by_search(replica, search, limit)?
    };
    replica.note_reads("patients", rows.iter().filter_map(|row| text(row, "id").parse().ok()));
    rows.iter().map(|row| view(replica, row, today)).collect()
}

fn find_by_search(replica: &Replica, search: &str, limit: usize) -> Result<Vec<Record>, ReplicaError> {
    let sql = "SELECT uuid_text(id) AS id, name, date_of_birth, cpf, phone FROM patients
        WHERE id = uuid(?1) AND retired_at IS NULL";
    let mut rows = Vec::new();
    for hit in replica.search_patients(search, limit)? {
        rows.extend(list(replica, sql, &[Json::from(hit.id.to_string())], 1)?);
    }
    Ok(rows)
}

fn view(replica: &Replica, row: &Record, today: NaiveDate) -> Result<PatientView, ReplicaError> {
    Ok(PatientView {
        id: text(row, "id").to_owned(),
        name: text(row, "name").to_owned(),
        detail: detail(row, today),
        state: Badge::of(replica, "patients", text(row, "id"))?,
    })
}

/// `34 anos (24/11/1990) · CPF 529.982.247-25 · (11) 98888-7777`.
#[must_use]
pub fn detail(row: &Record, today: NaiveDate) -> String {
    let born = text(row, "date_of_birth");
    let age = NaiveDate::parse_from_str(born, "%Y-%m-%d").ok().and_then(|born| age_years(born, today));
    let age = age.map(|years| format!("{} ({})", words::age(years), date_br(born)));
    let cpf = Some(text(row, "cpf")).filter(|cpf| !cpf.is_empty());
    let cpf = cpf.map(|cpf| format!("{} {}", words::patient::CPF, cpf_text(cpf)));
    let phone = Some(text(row, "phone")).filter(|phone| !phone.is_empty()).map(str::to_owned);
    age.into_iter().chain(cpf).chain(phone).collect::<Vec<_>>().join(" · ")
}

/// Somebody already here who seems to be the person being registered: same CPF, or same name and birth.
///
/// # Errors
/// What the replica reports.
pub fn find_same_person(
    replica: &Replica,
    values: &Record,
) -> Result<Option<(String, String)>, ReplicaError> {
    let sql = "SELECT uuid_text(id) AS id, name FROM patients WHERE retired_at IS NULL
        AND (cpf = ?1 OR (name = ?2 COLLATE NOCASE AND date_of_birth = ?3)) ORDER BY cpf = ?1 DESC";
    let digits: String = text(values, "cpf").chars().filter(char::is_ascii_digit).collect();
    let or_null = |value: &str| if value.is_empty() { Json::Null } else { Json::from(value) };
    let params = [or_null(&digits), or_null(text(values, "name")), or_null(text(values, "date_of_birth"))];
    let rows = list(replica, sql, &params, 1)?;
    Ok(rows.first().map(|row| (text(row, "id").to_owned(), text(row, "name").to_owned())))
}
