//! Edits that were set aside: reason, the person's own words, where the cause can be removed.
//!
//! Never decides: it shows what the replica says. Invariant: an edit that was set aside is either in this list or was
//! dealt with by somebody.

use super::kept::kept_lines;
use super::name::{Named, name};
use super::{LIST_ROWS_MAX, care, text};
use crate::forms::Posted;
use crate::text as words;
use crate::zone::Zone;
use neonpro_client_core::{Attention, Place, Replica, ReplicaError};
use neonpro_contract::catalogue::{FacetId, TableId, table};
use neonpro_contract::edit::{DocumentId, DocumentIntent};
use neonpro_contract::fate::Code;
use neonpro_contract::ids::{AuthorId, RecordId};

/// An edit that needs a person.
pub struct AttentionView {
    /// Edit id.
    pub edit: String,
    /// Kind of record.
    pub kind: &'static str,
    /// Which record.
    pub what: String,
    /// When it was made.
    pub when: String,
    /// Why it was set aside.
    pub reason: &'static str,
    /// What can be done.
    pub remedy: &'static str,
    /// Stable code.
    pub code: &'static str,
    /// Who made it.
    pub author: Option<String>,
    /// The person's own words, line by line.
    pub kept: Vec<String>,
    /// Where it can be corrected.
    pub fix: Option<Fix>,
    /// Who decided about it on the server, and why.
    pub decided: Option<String>,
    /// Whether it only waits for another edit: nothing is to be done.
    pub held: bool,
}

/// Where the cause can be removed.
pub struct Fix {
    /// The page.
    pub href: String,
    /// What is done there.
    pub label: &'static str,
}

/// Everything that needs a person.
///
/// # Errors
/// What the replica reports.
pub fn list_attention(
    replica: &Replica,
    zone: Zone,
    now_us: i64,
) -> Result<Vec<AttentionView>, ReplicaError> {
    let users = replica.users()?;
    let author = |id: AuthorId| users.iter().find(|user| user.author == id).map(|user| user.name.clone());
    let view = |entry: Attention| {
        let named = name_of(replica, &entry)?;
        let held = entry.place == Place::Held;
        Ok(AttentionView {
            fix: fix(replica, &entry, &named)?,
            kind: named.kind,
            what: named.what,
            when: zone.moment(entry.captured_us, now_us),
            reason: entry.code.map_or(words::status::HELD, words::errors::reason),
            remedy: entry.code.map_or(words::status::HELD_REMEDY, words::errors::remedy),
            code: entry.code.map_or("held", Code::as_str),
            author: author(entry.author),
            kept: kept_lines(replica, zone, &entry.documents)?,
            edit: entry.edit.to_string(),
            decided: entry
                .reason
                .as_ref()
                .map(|reason| words::status::decided(entry.decided_by.and_then(author), reason)),
            held,
        })
    };
    replica.attention()?.into_iter().take(LIST_ROWS_MAX).map(view).collect()
}

/// The name of what an edit was about: its record, or the patient it names where the record is gone.
fn name_of(replica: &Replica, entry: &Attention) -> Result<Named, ReplicaError> {
    let Some(part) = entry.documents.first() else {
        return Ok(Named { kind: words::table(""), what: words::table("").to_owned(), href: None });
    };
    let named = name(replica, &part.document)?;
    if named.href.is_some() {
        return Ok(named);
    }
    let typed = Posted::of_ops(&part.ops);
    let patients = table("patients").map_or(TableId(0), |table| table.id);
    let of = |record| DocumentId { table: patients, record, facet: FacetId(0) };
    let patient = patient_of(replica, part)?.and_then(|id| id.parse().ok()).map(of);
    if let Some(patient) = patient.map(|patient| name(replica, &patient)).transpose()?
        && patient.href.is_some()
    {
        return Ok(Named { kind: named.kind, ..patient });
    }
    let written = ["name", "title"].map(|field| typed.get(field)).into_iter().find(|text| !text.is_empty());
    Ok(Named { what: written.unwrap_or(&named.what).to_owned(), ..named.clone() })
}

/// Where the cause can be removed: the patient's consents, or the form the edit came from, filled with its text.
fn fix(replica: &Replica, entry: &Attention, named: &Named) -> Result<Option<Fix>, ReplicaError> {
    let Some(part) = entry.documents.first().filter(|_| entry.place != Place::Held) else { return Ok(None) };
    let (table, edit) = (part.document.table().map_or("", |table| table.name), entry.edit);
    let patient = patient_of(replica, part)?.map(|patient| format!("/pacientes/{patient}"));
    if matches!(entry.code, Some(Code::ConsentMissing | Code::ConsentWithdrawn)) {
        let label = words::patient::CONSENT_GRANT;
        return Ok(patient.map(|href| Fix { href: format!("{href}#consentimentos"), label }));
    }
    let href = match (table, part.create) {
        ("patients", true) => Some(format!("/pacientes/novo?corrigir={edit}")),
        ("appointments", true) => Some(format!("/agendamentos/novo?corrigir={edit}")),
        ("treatment_sessions", true) => patient.map(|href| format!("{href}/sessoes/nova?corrigir={edit}")),
        ("patients" | "appointments" | "treatment_sessions", false) => {
            named.href.as_ref().map(|href| format!("{href}?corrigir={edit}"))
        }
        _ => named.href.clone().or(patient),
    };
    Ok(href.map(|href| Fix { href, label: words::status::FIX }))
}

/// The patient an edit concerns, from its record or from what it had written.
fn patient_of(replica: &Replica, part: &DocumentIntent) -> Result<Option<String>, ReplicaError> {
    let typed = Posted::of_ops(&part.ops);
    let table = part.document.table().map_or("", |table| table.name);
    let record = replica.row(table, part.document.record)?.map(|row| row.to_json()).unwrap_or_default();
    let of = |field: &str| match text(&record, field) {
        "" => typed.get(field).to_owned(),
        found => found.to_owned(),
    };
    if table == "patients" {
        return Ok(Some(part.document.record.to_string()).filter(|_| !part.create));
    }
    match (of("patient_id"), of("treatment_plan_id")) {
        (patient, _) if !patient.is_empty() => Ok(Some(patient)),
        (_, plan) => Ok(care::find_plan(replica, &plan)?.map(|(patient, _)| patient)),
    }
}

/// What a set-aside edit had written into one record, as a form to be corrected.
///
/// # Errors
/// What the replica reports.
pub fn find_kept(
    replica: &Replica,
    edit: &str,
    table: &str,
    record: RecordId,
) -> Result<Option<Posted>, ReplicaError> {
    find(replica, edit, |part| part.document.record == record && is_of(part, table))
}

/// What a set-aside edit had written into a record it created.
///
/// # Errors
/// What the replica reports.
pub fn find_kept_creation(
    replica: &Replica,
    edit: &str,
    table: &str,
) -> Result<Option<Posted>, ReplicaError> {
    find(replica, edit, |part| part.create && is_of(part, table))
}

fn is_of(part: &DocumentIntent, table: &str) -> bool {
    part.document.table().is_some_and(|of| of.name == table)
}

fn find(
    replica: &Replica,
    edit: &str,
    wanted: impl Fn(&DocumentIntent) -> bool,
) -> Result<Option<Posted>, ReplicaError> {
    let entry = replica.attention()?.into_iter().find(|entry| entry.edit.to_string() == edit);
    let part = entry.as_ref().and_then(|entry| entry.documents.iter().find(|part| wanted(part)));
    Ok(part.map(|part| Posted::of_ops(&part.ops).correcting(edit)))
}
