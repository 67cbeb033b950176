//! The way every request takes: past the door, then to the open tablet, or to the locked page.
//!
//! Never answers anything of a patient itself. Invariants: while the tablet is locked no screen is reached; a form that
//! was open when it locked comes back on the locked page and is sent once somebody entered.

use super::gone::stand_in;
use super::pages::{self, Held};
use super::{Opened, Tablet};
use crate::failure::Failure;
use crate::guard::{Guard, cookie, stand_guard};
use crate::screens::FORM_BYTES_MAX;
use crate::visit::author_cookie_of;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{COOKIE, HeaderMap, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Json, Redirect, Response};
use axum::routing::{get, post};
use futures_util::stream;
use neonpro_contract::ids::AuthorId;
use std::convert::Infallible;
use tower::ServiceExt;

/// Addresses a page asks by itself: no sign of a person.
const BY_ITSELF: [&str; 3] = ["/eventos", "/estado.json", "/recursos/"];

/// The tablet's page: the screens of an open tablet behind the PINs.
pub fn router(tablet: Tablet) -> Router {
    let guard = tablet.guard().clone();
    Router::new()
        .route("/entrar", get(pages::show_entrance).post(pages::enter))
        .route("/bloquear", post(pages::lock))
        .route("/pin", get(pages::show_pin).post(pages::choose_pin))
        .route("/presenca", post(presence))
        .route("/recursos/{name}", get(crate::assets::show))
        .fallback(pass)
        .layer(from_fn_with_state(tablet.clone(), stand_in))
        .layer(from_fn_with_state(guard, stand_guard))
        .with_state(tablet)
}

/// Somebody types or taps on a page that asks for nothing.
async fn presence(State(tablet): State<Tablet>) -> StatusCode {
    if tablet.is_locked().await {
        return StatusCode::LOCKED;
    }
    tablet.touch();
    StatusCode::NO_CONTENT
}

async fn pass(State(tablet): State<Tablet>, request: Request) -> Response {
    let state = tablet.0.state.read().await;
    match state.as_ref() {
        Some(opened) => {
            if !BY_ITSELF.iter().any(|path| request.uri().path().starts_with(path)) {
                tablet.touch();
            }
            hand_on(&tablet, opened, request).await
        }
        None => {
            drop(state);
            stay_out(&tablet, request).await
        }
    }
}

/// To the screens, in the name of whoever entered.
async fn hand_on(tablet: &Tablet, opened: &Opened, mut request: Request) -> Response {
    let protected = match tablet.holders() {
        Ok(holders) => !holders.is_empty(),
        Err(error) => return pages::failed(&error),
    };
    if protected {
        if *request.method() == Method::POST && request.uri().path() == "/autor" {
            return pages::hand_over(request).await;
        }
        name_person(tablet.guard(), request.headers_mut(), opened.signed_in);
    }
    match opened.router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// What was sent while the tablet locked, done now that somebody entered.
pub(super) async fn resume(tablet: &Tablet, held: &Held, headers: &HeaderMap) -> Option<Response> {
    let mut request = Request::builder().method(Method::POST).uri(held.path.as_str());
    for name in ["host", "origin", "cookie"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(held.body.clone()))
        .ok()?;
    let state = tablet.0.state.read().await;
    Some(hand_on(tablet, state.as_ref()?, request).await)
}

/// The cookie that says who uses the tablet is replaced by who really entered.
fn name_person(guard: &Guard, headers: &mut HeaderMap, person: Option<AuthorId>) {
    let secret = cookie(headers, guard.cookie()).unwrap_or_default();
    let mut line = format!("{}={secret}", guard.cookie());
    if let Some(person) = person {
        line.push_str(&format!("; {}={person}", author_cookie_of(guard)));
    }
    if let Ok(value) = HeaderValue::from_str(&line) {
        headers.insert(COOKIE, value);
    }
}

/// While the tablet is locked.
async fn stay_out(tablet: &Tablet, request: Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    match request.uri().path() {
        "/eventos" => return until_opened(tablet.clone()).into_response(),
        "/estado.json" => {
            return (StatusCode::LOCKED, Json(serde_json::json!({ "locked": true }))).into_response();
        }
        _ => {}
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Redirect::to(&format!("/entrar?de={}", pages::encoded(&path))).into_response();
    }
    let body: Bytes = match to_bytes(request.into_body(), FORM_BYTES_MAX).await {
        Ok(body) => body,
        Err(_) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
    };
    pages::hold(tablet, Held { path, body }).unwrap_or_else(Failure::into_response)
}

/// `event: locked`; the stream ends once the tablet is open, and the page asks again.
fn until_opened(tablet: Tablet) -> Sse<impl stream::Stream<Item = Result<Event, Infallible>>> {
    let events = stream::unfold((tablet, false), async |(tablet, told)| {
        if told {
            tablet.turned().await;
            return None;
        }
        // Browsers drop an event without data.
        Some((Ok(Event::default().event("locked").data("now")), (tablet, true)))
    });
    Sse::new(events)
}
