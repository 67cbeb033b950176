//! Incidents (LGPD art. 48; ANPD Res. 15/2024): whose data a lost tablet held, and what was reported.

use super::LIST_MAX;
use super::caller::{Caller, Incidents};
use super::problem::Problem;
use super::subjects::{ListQuery, words};
use crate::actor::Actor;
use crate::state::AppState;
use crate::store::subjects::Incident;
use crate::subjects;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use neonpro_contract::ids::DeviceId;
use serde::Deserialize;
use uuid::Uuid;

/// A tablet that was lost.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LostForm {
    device: DeviceId,
    /// What happened; no patient data.
    what: String,
}

/// What was reported to whom.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CloseForm {
    report: String,
}

/// `GET /api/v1/incidents`: those due first.
pub(super) async fn list(
    State(state): State<AppState>,
    caller: Caller<Incidents>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Vec<Incident>>, Problem> {
    let mut scoped = state.store.begin(&Actor::system(caller.clinic)).await?;
    let found = scoped.list_incidents(query?.all, LIST_MAX).await?;
    scoped.rollback().await?;
    Ok(Json(found))
}

/// `POST /api/v1/incidents/lost-device`: lists whose data it may hold and starts the clock. Revoke the tablet first.
pub(super) async fn lost_device(
    State(state): State<AppState>,
    caller: Caller<Incidents>,
    form: Result<Json<LostForm>, JsonRejection>,
) -> Result<(StatusCode, Json<Incident>), Problem> {
    let Json(form) = form?;
    let what = words("what", &form.what)?;
    let (by, now) = ((caller.by, what.as_str()), state.clock.now());
    let opened = subjects::open_lost_device(&state.store, caller.clinic, form.device, by, now).await?;
    Ok((StatusCode::CREATED, Json(opened)))
}

/// `POST /api/v1/incidents/{id}/close`
pub(super) async fn close(
    State(state): State<AppState>,
    caller: Caller<Incidents>,
    id: Result<Path<Uuid>, PathRejection>,
    form: Result<Json<CloseForm>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let (Path(id), report) = (id?, words("report", &form?.0.report)?);
    let (by, now) = ((caller.by, report.as_str()), state.clock.now());
    let closed = subjects::close_incident(&state.store, caller.clinic, id, by, now).await?;
    if closed { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::NotFound) }
}
