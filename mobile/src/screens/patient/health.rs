//! Health of a patient: allergies, medications, notes. Safety data, in edits of its own.

use super::{TABLE, Typed, redraw};
use crate::app::App;
use crate::failure::Failure;
use crate::forms::input::{FormBody, Input};
use crate::forms::patient::{Disputes, disputes_of, notes_input, read_member, read_notes};
use crate::forms::{Posted, Problems, Wanted};
use crate::read::{Record, find_record, texts};
use crate::text;
use crate::visit::{Visit, done};
use crate::write::{Outcome, update};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use neonpro_contract::ids::RecordId;

/// Which part of a member form was refused.
pub(super) enum Member {
    /// A new member.
    New(&'static str),
    /// The removal of one.
    Removal(&'static str),
}

/// Allergies or medications.
#[derive(Template)]
#[template(path = "members.html")]
pub(super) struct Members {
    heading: &'static str,
    none: &'static str,
    field: &'static str,
    action: String,
    pub members: Vec<String>,
    removing: String,
    remove_error: Option<&'static str>,
    disputes: Vec<String>,
    new: Input,
}

/// The health part of the card.
pub(super) struct HealthView {
    /// Allergies.
    pub allergies: Members,
    /// Medications.
    pub medications: Members,
    /// Notes.
    pub notes: FormBody,
}

/// What the card shows of a patient's health.
pub(super) fn view(record: &Record, disputes: &Disputes, id: &str, typed: &Typed) -> HealthView {
    let none = Problems::new();
    let notes = typed.notes.as_ref();
    let (posted, problems) =
        notes.map_or((None, &none), |(posted, refusal)| (Some(posted), &refusal.problems));
    HealthView {
        allergies: members(record, disputes, id, typed, "allergies"),
        medications: members(record, disputes, id, typed, "medications"),
        notes: FormBody {
            action: format!("/pacientes/{id}/notas"),
            problem: notes.and_then(|(_, refusal)| refusal.problem),
            inputs: vec![notes_input(record, posted, problems)],
            corrects: None,
            extra: String::new(),
            submit: text::SAVE,
            cancel: None,
        },
    }
}

fn members(record: &Record, disputes: &Disputes, id: &str, typed: &Typed, field: &'static str) -> Members {
    let (heading, none, label) = match field {
        "allergies" => (text::patient::ALLERGIES, text::patient::ALLERGIES_NONE, text::patient::ALLERGY_NEW),
        _ => (text::patient::MEDICATIONS, text::patient::MEDICATIONS_NONE, text::patient::MEDICATION_NEW),
    };
    let mut new = Input::line("item", label, "");
    new.id = format!("{field}-novo");
    new.base = None;
    let mut members = Members {
        heading,
        none,
        field,
        action: format!("/pacientes/{id}/itens"),
        members: texts(record, field),
        removing: String::new(),
        remove_error: None,
        disputes: disputes_of(disputes, field),
        new,
    };
    if let Some((posted, member)) = typed.member.as_ref().filter(|(posted, _)| posted.get("campo") == field) {
        match member {
            Member::New(error) => {
                members.new.value = posted.get("item").to_owned();
                members.new.error = Some(error);
            }
            Member::Removal(error) => {
                members.removing = posted.get("item").to_owned();
                members.remove_error = Some(error);
            }
        }
    }
    members
}

/// Adds or removes an allergy or a medication.
pub async fn save_member(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let outcome = match read_member(&posted).ok_or(Failure::NotFound)? {
            Err(error) => Err(error),
            Ok(op) => {
                let wanted = Wanted { ops: vec![op], problems: Problems::new() };
                match update(replica, &visit, TABLE, id, wanted, None)? {
                    Outcome::Saved(_) => Ok("salvo"),
                    Outcome::Unchanged => Ok("sem_mudanca"),
                    Outcome::Refused(refusal) => Err(refusal.problem.unwrap_or(text::errors::TEXT)),
                }
            }
        };
        match outcome {
            Ok(notice) => Ok(done(&format!("/pacientes/{id}"), notice)),
            Err(error) => {
                let removal = posted.get("acao") == "remover";
                let member = if removal { Member::Removal(error) } else { Member::New(error) };
                let typed =
                    Typed { member: Some((posted, member)), problem: Some(error), ..Typed::default() };
                redraw(replica, &visit, now_us, id, &typed)
            }
        }
    })
    .await
}

/// Saves the notes; what others wrote meanwhile stays.
pub async fn save_notes(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let record = find_record(replica, TABLE, id)?.ok_or(Failure::NotFound)?;
        match update(replica, &visit, TABLE, id, read_notes(&posted, &record), None)? {
            Outcome::Saved(_) => Ok(done(&format!("/pacientes/{id}"), "salvo")),
            Outcome::Unchanged => Ok(done(&format!("/pacientes/{id}"), "sem_mudanca")),
            Outcome::Refused(refusal) => {
                let typed = Typed { notes: Some((posted, refusal)), ..Typed::default() };
                redraw(replica, &visit, now_us, id, &typed)
            }
        }
    })
    .await
}
