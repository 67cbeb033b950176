//! The page that says why a tablet does not open, and tries again.
//!
//! Owns the page and nothing after it. Invariant: nothing it offers deletes anything.

use crate::front::{draw, serve_until};
use crate::serve::ServeError;
use crate::text;
use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::sync::watch;

#[derive(Template)]
#[template(path = "unopened.html")]
struct UnopenedPage {
    why: &'static str,
    code: &'static str,
    again: bool,
}

/// Serves the page on a free loopback port until somebody wants to try again. `ready` is told the address that opens it.
///
/// # Errors
/// What keeps the page from being served.
///
/// # Cancel safety
/// Cancel safe.
pub async fn tell(error: &ServeError, ready: impl FnOnce(&str)) -> Result<(), ServeError> {
    let (why, code) = (text::unopened::why(error), error.code());
    let page = move |again| draw(StatusCode::OK, &UnopenedPage { why, code, again });
    let again = watch::Sender::new(false);
    let done = again.subscribe();
    let take = move || async move {
        again.send_replace(true);
        page(true)
    };
    let pages =
        Router::new().route("/", get(move || async move { page(false) })).route("/de-novo", post(take));
    serve_until(done, pages, ready).await
}
