//! Closing a session for good, and adding to a closed one.

use super::{TABLE, existing, redraw};
use crate::app::App;
use crate::failure::Failure;
use crate::forms::{Posted, Wanted};
use crate::read::records::{json_text, reference_name};
use crate::read::session::list_unfit;
use crate::read::{Record, text as text_of};
use crate::screens::patient::consents::care_warning;
use crate::screens::session::uses::Chosen;
use crate::text;
use crate::visit::{Visit, done};
use crate::write::{Outcome, update};
use crate::zone::Zone;
use axum::extract::{Path, State};
use axum::response::Response;
use neonpro_client_core::Replica;
use neonpro_contract::edit::FieldOp;
use neonpro_contract::ids::RecordId;
use neonpro_contract::value::{Column, Value, instant_text};
use serde_json::{Map, Value as Json, json};

/// An addendum as the page shows it.
pub(super) struct AddendumView {
    pub by: String,
    pub when: String,
    pub text: String,
}

/// What is missing before a session may be closed with a good conscience.
pub(super) fn missing(
    replica: &Replica,
    record: &Record,
    patient: &str,
) -> Result<Vec<&'static str>, Failure> {
    let mut missing = Vec::new();
    for (name, why) in [("procedure_id", text::session::NO_PROCEDURE), ("notes", text::session::NO_NOTES)] {
        if text_of(record, name).trim().is_empty() {
            missing.push(why);
        }
    }
    missing.extend(list_unfit(record));
    missing.extend(care_warning(replica, patient)?);
    Ok(missing)
}

/// Closes the session, unless something is missing and nobody said that it may be.
pub async fn close(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let subject = existing(replica, id)?;
        let again = |why| redraw(replica, &visit, now_us, id, (why, &Chosen::default()));
        let anyway = posted.get("acao") == "mesmo_assim";
        if !anyway && !missing(replica, &subject.record, &subject.patient)?.is_empty() {
            return again(text::session::MISSING);
        }
        let mut wanted = Wanted::default();
        wanted.set(TABLE, [("locked_at", json!(instant_text(now_us))), ("locked_by", json!(visit.author))]);
        match update(replica, &visit, TABLE, id, wanted, None)? {
            Outcome::Saved(_) => Ok(done(&format!("/sessoes/{id}"), "sessao_encerrada")),
            Outcome::Unchanged => Ok(done(&format!("/sessoes/{id}"), "sem_mudanca")),
            Outcome::Refused(refusal) => again(refusal.problem.unwrap_or(text::errors::TEXT)),
        }
    })
    .await
}

/// Adds to a closed session; nothing of it changes.
pub async fn add(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        existing(replica, id)?;
        let again = |why| redraw(replica, &visit, now_us, id, (why, &Chosen::default()));
        let words = posted.trimmed("adendo");
        if words.is_empty() {
            return again(text::session::ADDENDUM_EMPTY);
        }
        let addendum = json!({ "text": words, "by": visit.author, "at": instant_text(now_us) });
        let patch = Json::Object(Map::from_iter([(replica.new_record_id().to_string(), addendum)]));
        let op = FieldOp::Merge { field: "addenda".to_owned(), patch };
        let wanted = Wanted { ops: vec![op], ..Wanted::default() };
        match update(replica, &visit, TABLE, id, wanted, None)? {
            Outcome::Saved(_) | Outcome::Unchanged => Ok(done(&format!("/sessoes/{id}"), "adendo")),
            Outcome::Refused(refusal) => again(refusal.problem.unwrap_or(text::errors::TEXT)),
        }
    })
    .await
}

/// Addenda in the order they were written; older ones may be words alone.
pub(super) fn list_addenda(
    replica: &Replica,
    record: &Record,
    (zone, now_us): (Zone, i64),
) -> Result<Vec<AddendumView>, Failure> {
    let Some(Json::Object(map)) = record.get("addenda") else { return Ok(Vec::new()) };
    map.values()
        .map(|value| {
            let of = |name: &str| value.get(name).map(json_text).unwrap_or_default();
            let at = value.get("at").and_then(|at| Value::from_json(at, Column::Instant).ok()?.as_instant());
            Ok(AddendumView {
                by: reference_name(replica, "professionals", &of("by"))?,
                when: at.map(|at| zone.moment(at, now_us)).unwrap_or_default(),
                text: if value.is_object() { of("text") } else { json_text(value) },
            })
        })
        .collect()
}
