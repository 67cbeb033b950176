//! Who is using the tablet, and whether it talks to the server: two switches on every page.

use crate::app::App;
use crate::failure::Failure;
use crate::forms::Posted;
use crate::visit::{local, remember};
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

/// Remembers the person; one who does not belong to the clinic is forgotten again.
pub async fn choose(State(app): State<App>, posted: Posted) -> Result<Response, Failure> {
    let chosen = posted.get("autor").parse().ok();
    let people = app.work(super::frame::list_people).await?;
    let author = chosen.filter(|author| people.iter().any(|person| person.id == *author));
    Ok(remember(&app, author, posted.get("de")))
}

/// Switches sending on or off.
pub async fn connect(State(app): State<App>, posted: Posted) -> Response {
    match posted.get("modo") {
        "desligar" => app.go_online(false),
        "ligar" => app.go_online(true),
        _ => {}
    }
    Redirect::to(local(posted.get("de"))).into_response()
}
