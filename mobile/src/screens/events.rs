//! What the page hears without asking: which tables changed; and the status as JSON for whoever watches a tablet.

use crate::app::App;
use crate::failure::Failure;
use crate::report;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Json};
use futures_util::{Stream, stream};
use std::convert::Infallible;
use std::time::Duration;

/// Seconds of silence after which a comment keeps the stream open.
const KEEP_ALIVE_SECONDS: u64 = 20;

/// `event: changed` with `{"tables": [..]}`, until the program closes.
pub async fn stream(State(app): State<App>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let watch = app.replica().watch(&[]);
    let events = stream::unfold((app, watch), async |(app, mut watch)| {
        let tables = tokio::select! {
            () = app.closed() => return None,
            tables = watch.changed() => tables,
        };
        if tables.is_empty() {
            return None;
        }
        let data = serde_json::json!({ "tables": tables }).to_string();
        Some((Ok(Event::default().event("changed").data(data)), (app, watch)))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(KEEP_ALIVE_SECONDS)))
}

/// The three facts, the connection and the identity, as scripts read them.
pub async fn status(State(app): State<App>) -> Result<impl IntoResponse, Failure> {
    app.work(|replica| Ok(Json(report::status(&replica.status()?, &replica.identity())))).await
}
