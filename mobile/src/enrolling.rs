//! The first page of an app: it takes the ticket an administrator made, and becomes a tablet of that clinic.
//!
//! Owns the page and nothing after it. Invariant: a tablet that is enrolled is never asked again.

use crate::front::{draw, serve_until};
use crate::key_file::load_or_create;
use crate::serve::ServeError;
use crate::text;
use crate::wipe;
use askama::Template;
use axum::Router;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use neonpro_client_core::{Clock, ReplicaKey, enrol};
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

#[derive(Template)]
#[template(path = "enrol.html")]
struct EnrolPage {
    name: String,
    problem: Option<&'static str>,
    done: bool,
}

/// What is typed.
#[derive(Deserialize)]
struct EnrolForm {
    #[serde(default)]
    bilhete: String,
    #[serde(default)]
    nome: String,
}

#[derive(Clone)]
struct Enrolling {
    replica: Arc<PathBuf>,
    key_file: Arc<PathBuf>,
    done: watch::Sender<bool>,
}

/// Serves the page on a free loopback port until the tablet is enrolled. `ready` is told the address that opens it.
///
/// # Errors
/// What keeps the page from being served.
///
/// # Cancel safety
/// Cancelled before an enrolment ended, the ticket may be used up and the replica there.
pub async fn enrol_by_page(
    replica: PathBuf,
    key_file: PathBuf,
    ready: impl FnOnce(&str),
) -> Result<(), ServeError> {
    let done = watch::Sender::new(false);
    let ended = done.subscribe();
    let state = Enrolling { replica: Arc::new(replica), key_file: Arc::new(key_file), done };
    let pages = Router::new().route("/", get(show)).route("/matricula", post(take)).with_state(state);
    serve_until(ended, pages, ready).await
}

async fn show() -> Response {
    draw(StatusCode::OK, &EnrolPage { name: String::new(), problem: None, done: false })
}

async fn take(State(state): State<Enrolling>, Form(form): Form<EnrolForm>) -> Response {
    let name = form.nome.trim().to_owned();
    let refused = |problem| {
        draw(
            StatusCode::UNPROCESSABLE_ENTITY,
            &EnrolPage { name: name.clone(), problem: Some(problem), done: false },
        )
    };
    if name.is_empty() {
        return refused(text::enrol::NAME_EMPTY);
    }
    let Ok(key) = load_or_create(&state.key_file) else { return refused(text::enrol::STORAGE) };
    let made =
        enrol(form.bilhete.trim(), state.replica.as_path(), ReplicaKey::new(key), &name, Clock::system());
    let replica = match made.await {
        Ok(replica) => replica,
        Err(error) => {
            tracing::warn!(code = error.code(), "the tablet was not enrolled");
            return refused(text::enrol::refused(&error));
        }
    };
    let closed = replica.close().is_ok() && wipe::forget(&state.replica).is_ok();
    if !closed {
        return refused(text::enrol::STORAGE);
    }
    state.done.send_replace(true);
    draw(StatusCode::OK, &EnrolPage { name: name.clone(), problem: None, done: true })
}

/// Whether a place holds no tablet yet.
#[must_use]
pub fn is_needed(replica: &std::path::Path) -> bool {
    !replica.exists() && wipe::find(replica).is_none()
}
