//! `/api/v1`: what other software and the console may ask, one file per matter.
//!
//! Every request carries a service token ([`crate::tokens`]); its clinic, and in whose name it acts, come from the token alone.
//! Refusals are RFC 9457 problems. Invariant: what is another clinic's and what does not exist are answered alike.

mod caller;
mod erasures;
mod incidents;
mod problem;
mod subjects;

use crate::state::AppState;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post, put};

/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Most entries of a list.
const LIST_MAX: i64 = 1_000;

/// Every route of the API. A story asks each one as every wrong caller: `tests/tests/stories/api.rs`.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/subject-requests", get(subjects::list).post(subjects::register))
        .route("/subject-requests/{id}/answer", post(subjects::answer))
        .route("/patients/{id}/statement", post(subjects::statement))
        .route("/patients/{id}/erasure-plan", post(erasures::plan))
        .route("/patients/{id}/restricted", post(erasures::read_restricted))
        .route("/erasures", get(erasures::list))
        .route("/erasures/{id}", put(erasures::erase))
        .route("/erasures/{id}/certificate", get(erasures::certificate))
        .route("/incidents", get(incidents::list))
        .route("/incidents/lost-device", post(incidents::lost_device))
        .route("/incidents/{id}/close", post(incidents::close))
        .fallback(async || problem::Problem::NotFound)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}
