//! Erasures: what would go, doing it, the certificate, and reading what the law keeps.

use super::LIST_MAX;
use super::caller::{Caller, Erasure};
use super::problem::Problem;
use super::subjects::{pdf, words};
use crate::actor::Actor;
use crate::erasure::{self, Request, certificate};
use crate::state::AppState;
use crate::store::erasures::Erasure as Row;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::ids::PatientId;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Which purposes; every one where none is named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanForm {
    #[serde(default)]
    purposes: BTreeSet<Purpose>,
}

/// An erasure.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EraseForm {
    patient: PatientId,
    #[serde(default)]
    purposes: BTreeSet<Purpose>,
    /// Why; no patient data.
    reason: String,
}

/// Why something restricted is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReasonForm {
    reason: String,
}

/// As a paper for the patient instead of JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PaperQuery {
    #[serde(default)]
    pdf: bool,
}

fn purposes(asked: BTreeSet<Purpose>) -> BTreeSet<Purpose> {
    if asked.is_empty() { Purpose::ALL.into() } else { asked }
}

/// `POST /api/v1/patients/{id}/erasure-plan`: says, does nothing.
pub(super) async fn plan(
    State(state): State<AppState>,
    caller: Caller<Erasure>,
    id: Result<Path<PatientId>, PathRejection>,
    form: Result<Json<PlanForm>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let (Path(id), Json(form)) = (id?, form?);
    let asked = purposes(form.purposes);
    let plan = erasure::preview(&state.store, caller.clinic, id, &asked, state.clock.now()).await?;
    Ok(Json(json!({ "erased": plan.erase, "kept": plan.kept_json() })))
}

/// `PUT /api/v1/erasures/{id}`: the caller draws the id (UUID version 7), so that asking again is asking once.
pub(super) async fn erase(
    State(state): State<AppState>,
    caller: Caller<Erasure>,
    id: Result<Path<Uuid>, PathRejection>,
    form: Result<Json<EraseForm>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let (Path(id), Json(form)) = (id?, form?);
    let reason = words("reason", &form.reason)?;
    let request =
        Request { id, patient: form.patient, purposes: purposes(form.purposes), by: caller.by, reason };
    let (clinic, now) = (caller.clinic, state.clock.now());
    // A task of its own: a caller who hangs up must not stop an erasure in the middle.
    let work = tokio::spawn(async move {
        let known = erasure::find(&state.store, clinic, id).await?;
        if known.is_some_and(|known| known.patient != request.patient.0) {
            let why = "this id is another erasure's";
            return Err(Problem::Conflict("id_taken", why.to_owned()));
        }
        erasure::erase(&state.store, &state.ledger, clinic, &request, now).await?;
        let issued = certificate::issue(&state.store, &state.notary, clinic, id, now).await?;
        Ok::<_, Problem>(Json(issued.to_json()))
    });
    work.await.unwrap_or(Err(Problem::Failed))
}

/// `GET /api/v1/erasures`: newest first.
pub(super) async fn list(
    State(state): State<AppState>,
    caller: Caller<Erasure>,
) -> Result<Json<Vec<Row>>, Problem> {
    let mut scoped = state.store.begin(&Actor::system(caller.clinic)).await?;
    let found = scoped.list_erasures(LIST_MAX).await?;
    scoped.rollback().await?;
    Ok(Json(found))
}

/// `GET /api/v1/erasures/{id}/certificate`: as of now.
pub(super) async fn certificate(
    State(state): State<AppState>,
    caller: Caller<Erasure>,
    id: Result<Path<Uuid>, PathRejection>,
    query: Result<Query<PaperQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let (Path(id), Query(query)) = (id?, query?);
    let now = state.clock.now();
    let issued = certificate::issue(&state.store, &state.notary, caller.clinic, id, now).await?;
    if !query.pdf {
        return Ok(Json(issued.to_json()).into_response());
    }
    let name = state.store.load_clinic_name(caller.clinic).await?;
    Ok(pdf(certificate::paper(&issued, &name).pdf()?))
}

/// `POST /api/v1/patients/{id}/restricted`: who read it and why is in the audit before anything is given.
pub(super) async fn read_restricted(
    State(state): State<AppState>,
    caller: Caller<Erasure>,
    id: Result<Path<PatientId>, PathRejection>,
    form: Result<Json<ReasonForm>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let (Path(id), Json(form)) = (id?, form?);
    let now = state.clock.now();
    let read =
        erasure::read_restricted(&state.store, caller.clinic, id, caller.by, &form.reason, now).await?;
    Ok(Json(read))
}
