//! Hand-over mode: while a patient holds the tablet, it opens one page and nothing else.
//!
//! Owns what that page is and the gate before every other one. Invariant: with a PIN the only way back is the PIN; what was handed
//! over is forgotten when the tablet locks.

use crate::app::App;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use neonpro_contract::ids::{AuthorId, RecordId};

/// The page a patient sees.
pub const PAGE: &str = "/termo";
/// What stays open beside it.
const OPEN: [&str; 5] = ["/termo", "/devolver", "/recursos/", "/eventos", "/estado.json"];

/// What a patient was handed the tablet for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// Whose consent.
    pub patient: RecordId,
    /// For which purpose, by its stable name.
    pub purpose: &'static str,
    /// Who handed it over, and is named as the witness.
    pub witness: AuthorId,
    /// Whether the patient is done, and whether they signed.
    pub done: Option<bool>,
}

/// Leads every request to the patient's page while the tablet is handed over.
pub async fn stand_handed(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let open = OPEN.iter().any(|open| {
        path == open.trim_end_matches('/') || path.starts_with(&format!("{}/", open.trim_end_matches('/')))
    });
    if app.handed().is_none() || open {
        return next.run(request).await;
    }
    Redirect::to(PAGE).into_response()
}
