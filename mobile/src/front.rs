//! The one page an app shows while no tablet is open: to enrol it, or to say why it does not open.
//!
//! Owns the listener of such a page. Invariant: nobody reaches it without the app's own address, as with the tablet's pages.

use crate::guard::{Guard, stand_guard};
use crate::serve::ServeError;
use askama::Template;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Router, serve};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Serves a page on a free loopback port until it is done. `ready` is told the address that opens it.
///
/// # Errors
/// What keeps the page from being served.
pub(crate) async fn serve_until(
    mut done: watch::Receiver<bool>,
    pages: Router,
    ready: impl FnOnce(&str),
) -> Result<(), ServeError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(ServeError::Listen)?;
    let guard =
        Guard::new(listener.local_addr().map_err(ServeError::Listen)?).map_err(|_| ServeError::Random)?;
    ready(&guard.entrance());
    let router = pages
        .route("/recursos/{name}", get(crate::assets::show))
        .layer(from_fn_with_state(guard, stand_guard));
    let end = async move {
        // The sender lives as long as the pages.
        let _ = done.wait_for(|done| *done).await;
    };
    serve(listener, router).with_graceful_shutdown(end).await.map_err(ServeError::Listen)
}

/// Draws it.
pub(crate) fn draw(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => crate::failure::Failure::Page(error).into_response(),
    }
}
