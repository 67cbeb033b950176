//! In whose name a request reads, and what it gets once the tablet's lease is over.
//!
//! Owns the locked page. Never decides when a lease is over: the replica does. Invariant: while it is over no content of
//! the replica leaves in an answer, and a form that was open is still taken.

use crate::app::App;
use crate::failure::Failure;
use crate::screens::frame::connection_words;
use crate::text;
use crate::visit;
use askama::Template;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use neonpro_client_core::{Connection, Replica};
use neonpro_contract::ids::AuthorId;

/// Addresses that show nothing of a patient, or are the way out of the lock.
const OPEN: [&str; 5] = ["/conexao", "/autor", "/eventos", "/estado.json", "/recursos/"];

/// How a request may read.
#[derive(Debug, Clone, Copy)]
struct Access {
    reader: Option<AuthorId>,
    capturing: bool,
}

tokio::task_local! {
    static ACCESS: Access;
}

#[derive(Template)]
#[template(path = "locked.html")]
struct LockedPage {
    waiting: String,
    attention: u64,
    tone: &'static str,
    connection: &'static str,
    switched_off: bool,
    refused: bool,
}

/// Lets a request in, in the name of whoever uses the tablet; once the lease is over, shows the locked page instead.
pub async fn stand_lease(State(app): State<App>, request: Request, next: Next) -> Response {
    let reader = visit::author_of(&app, request.headers());
    let path = request.uri().path();
    let locked = app.replica().lease_over_us().is_some() && !OPEN.iter().any(|open| path.starts_with(open));
    if !locked {
        return ACCESS.scope(Access { reader, capturing: false }, next.run(request)).await;
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return show(&app, false).await;
    }
    // A form that was open when the lease ended: taken if it is good, and nothing of it is drawn.
    let answer = ACCESS.scope(Access { reader, capturing: true }, next.run(request)).await;
    if answer.status().is_redirection() { answer } else { show(&app, true).await }
}

/// The replica as this request may read it.
pub(crate) fn replica(shared: &Replica) -> Replica {
    match ACCESS.try_with(|access| *access) {
        Ok(Access { reader, capturing: true }) => shared.read_by(reader).capturing(),
        Ok(Access { reader, .. }) => shared.read_by(reader),
        Err(_) => shared.clone(),
    }
}

async fn show(app: &App, refused: bool) -> Response {
    let drawn = app.work(move |replica| {
        let status = replica.status()?;
        let (tone, connection) = connection_words(&status.connection);
        let page = LockedPage {
            waiting: text::records(status.waiting.records),
            attention: status.needs_attention,
            tone,
            connection,
            switched_off: status.connection == Connection::Offline,
            refused,
        };
        Ok(page.render()?)
    });
    match drawn.await {
        Ok(page) => (StatusCode::LOCKED, Html(page)).into_response(),
        Err(failure) => Failure::into_response(failure),
    }
}
