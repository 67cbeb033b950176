//! Requests of patients (LGPD art. 18 and 19) and statements of what is held of them.

use super::LIST_MAX;
use super::caller::{Caller, Subjects};
use super::problem::Problem;
use crate::actor::Actor;
use crate::state::AppState;
use crate::store::subjects::SubjectRequest;
use crate::subjects::{self, Extent, RequestKind};
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use neonpro_contract::ids::{AuthorId, PatientId};
use serde::Deserialize;
use serde_json::{Value as Json_, json};
use uuid::Uuid;

/// Fewest characters of what a person must have written: a word is none.
const WORDS_CHARS_MIN: usize = 10;

/// What a list holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Answered or closed ones, too.
    #[serde(default)]
    pub all: bool,
}

/// A new request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRequest {
    kind: RequestKind,
    patient: PatientId,
    /// How it was made sure who asks.
    identity_check: String,
    /// Who sees to it; whoever the token speaks for, where nobody is named.
    owner: Option<AuthorId>,
}

/// An answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    answer: String,
}

/// What a statement tells, and as what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatementForm {
    #[serde(default)]
    full: bool,
    /// As a paper for the patient instead of JSON.
    #[serde(default)]
    pdf: bool,
}

/// Words somebody must have written.
pub(super) fn words(name: &str, text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let enough = text.chars().count() >= WORDS_CHARS_MIN;
    let needed = || Problem::Invalid(format!("{name}: at least {WORDS_CHARS_MIN} characters"));
    enough.then(|| text.to_owned()).ok_or_else(needed)
}

/// A paper as an answer.
pub(super) fn pdf(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/pdf")], bytes).into_response()
}

/// `GET /api/v1/subject-requests`: those due first.
pub(super) async fn list(
    State(state): State<AppState>,
    caller: Caller<Subjects>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Vec<SubjectRequest>>, Problem> {
    let mut scoped = state.store.begin(&Actor::system(caller.clinic)).await?;
    let found = scoped.list_subject_requests(query?.all, LIST_MAX).await?;
    scoped.rollback().await?;
    Ok(Json(found))
}

/// `POST /api/v1/subject-requests`
pub(super) async fn register(
    State(state): State<AppState>,
    caller: Caller<Subjects>,
    form: Result<Json<NewRequest>, JsonRejection>,
) -> Result<(StatusCode, Json<SubjectRequest>), Problem> {
    let Json(form) = form?;
    let check = words("identity_check", &form.identity_check)?;
    let owner = form.owner.unwrap_or(caller.by);
    let what = (form.kind, form.patient);
    let made =
        subjects::register(&state.store, caller.clinic, what, &check, owner, state.clock.now()).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// `POST /api/v1/subject-requests/{id}/answer`
pub(super) async fn answer(
    State(state): State<AppState>,
    caller: Caller<Subjects>,
    id: Result<Path<Uuid>, PathRejection>,
    form: Result<Json<Answer>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Path(id) = id?;
    let answer = words("answer", &form?.0.answer)?;
    let now = state.clock.now();
    let noted = subjects::answer(&state.store, caller.clinic, id, caller.by, &answer, now).await?;
    if noted { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::NotFound) }
}

/// `POST /api/v1/patients/{id}/statement`: a POST because making one is noted in the audit.
pub(super) async fn statement(
    State(state): State<AppState>,
    caller: Caller<Subjects>,
    id: Result<Path<PatientId>, PathRejection>,
    form: Result<Json<StatementForm>, JsonRejection>,
) -> Result<Response, Problem> {
    let (Path(id), Json(form)) = (id?, form?);
    let extent = if form.full { Extent::Full } else { Extent::Simplified };
    let now = state.clock.now();
    let told: Json_ = subjects::statement(&state.store, caller.clinic, id, extent, caller.by, now).await?;
    if !form.pdf {
        return Ok(Json(json!(told)).into_response());
    }
    let name = state.store.load_clinic_name(caller.clinic).await?;
    Ok(pdf(subjects::paper(&told, &name, now).pdf()?))
}
