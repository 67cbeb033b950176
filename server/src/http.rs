//! HTTP beside the sync socket: enrolment, health, metrics.

mod api;
mod blobs;
pub mod enrol;
mod health;
mod wiped;

use crate::state::AppState;
use crate::sync::session;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::{get, post};
use neonpro_contract::blob::BLOBS_PATH;
use neonpro_contract::limits::{BLOB_CHUNK_BYTES, FRAME_BYTES_MAX};
use neonpro_contract::wire::SYNC_PATH;

/// Every route of the server.
pub fn router(state: AppState) -> Router {
    Router::new()
        .route(SYNC_PATH, get(sync))
        .route("/enrol", post(enrol::post))
        .route("/wiped", post(wiped::post))
        .route(&format!("{BLOBS_PATH}/{{table}}/{{record}}/{{facet}}/{{address}}"), get(blobs::custody))
        .route(
            &format!("{BLOBS_PATH}/{{table}}/{{record}}/{{facet}}/{{address}}/{{chunk}}"),
            get(blobs::get).put(blobs::put).layer(DefaultBodyLimit::max(BLOB_CHUNK_BYTES)),
        )
        .nest("/api/v1", api::routes())
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(state)
}

/// Upgrades to a sync session. Limits are ours: the library's defaults allow 64 MiB messages and an unlimited
/// write buffer.
async fn sync(State(state): State<AppState>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .write_buffer_size(0)
        .max_write_buffer_size(FRAME_BYTES_MAX.saturating_mul(4))
        .on_upgrade(move |socket| session::run(socket, state))
}
