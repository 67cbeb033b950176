//! A tablet that was told to destroy what it holds: doing it, saying so, and the page that is left.
//!
//! Invariant: once a wipe has begun nothing of the tablet is reached any more, in this life of the program or the next.

use super::{LockError, Place, Tablet};
use crate::guard::Guard;
use crate::text;
use crate::wipe::{self, Note};
use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use neonpro_client_core::{Clock, Replica, STATUS};
use std::time::Duration;

/// How long to wait before the server is told again.
const TELL_AGAIN: Duration = Duration::from_secs(60);

#[derive(Template)]
#[template(path = "gone.html")]
struct GonePage<'a> {
    clinic: &'a str,
    escrowed: bool,
    done: bool,
}

impl Tablet {
    /// A tablet whose wipe has begun in an earlier life of the program.
    pub(super) fn gone(place: Place, guard: Guard, clock: Clock, note: Note) -> Self {
        let tablet = Self::locked(place, guard, clock);
        if let Ok(mut gone) = tablet.0.gone.try_write() {
            *gone = Some(note);
        }
        tablet
    }

    /// Whether the tablet was told to destroy what it holds.
    pub async fn is_gone(&self) -> bool {
        self.0.gone.read().await.is_some()
    }

    /// Wipes the tablet when its server says so, and tells the server; until the future is dropped.
    pub async fn watch_wipe(&self) {
        loop {
            // Both before the question: what is said between it and the wait must not be missed.
            let mut turns = self.0.turns.subscribe();
            let watch =
                self.0.state.read().await.as_ref().map(|opened| opened.app.replica().watch(&[STATUS]));
            if let Err(error) = self.wipe_if_told().await {
                tracing::error!(%error, source = ?std::error::Error::source(&error), "wiping failed; trying again");
                tokio::time::sleep(TELL_AGAIN).await;
                continue;
            }
            if self.is_gone().await {
                return self.tell_gone().await;
            }
            let told = async {
                match watch {
                    Some(mut watch) => drop(watch.changed().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = told => {}
                _ = turns.changed() => {}
            }
        }
    }

    /// Wipes the tablet if its server has said so, or if it had begun before.
    ///
    /// # Errors
    /// What failed. The next try goes on from there; nothing of the tablet is reached meanwhile.
    ///
    /// # Cancel safety
    /// Not cancel safe: run it to its end.
    pub async fn wipe_if_told(&self) -> Result<(), LockError> {
        let mut gone = self.0.gone.write().await;
        if let Some(note) = gone.clone() {
            let place = self.0.place.clone();
            let finish = move || wipe::finish(note, &place.replica, &place.key_file);
            *gone = Some(tokio::task::spawn_blocking(finish).await??);
            return Ok(());
        }
        let mut state = self.0.state.write().await;
        let Some(opened) = state.as_ref() else { return Ok(()) };
        if !is_told(opened.app.replica().clone()).await? {
            return Ok(());
        }
        let Some(opened) = state.take() else { return Ok(()) };
        opened.app.close();
        opened.app.stop_sync().await;
        let replica = opened.app.replica().clone();
        // The last copy of the key in memory.
        drop(opened);
        let place = self.0.place.clone();
        let wiped = tokio::task::spawn_blocking(move || {
            let wiped = wipe::wipe(&replica, &place.replica, &place.key_file);
            // A wipe that began has a note, whatever failed after it.
            wiped.map_err(|error| Box::new((wipe::find(&place.replica), error)))
        });
        let wiped = wiped.await?;
        drop(state);
        let result = match wiped {
            Ok(note) => {
                *gone = Some(note);
                Ok(())
            }
            Err(failed) => {
                let (note, error) = *failed;
                *gone = note;
                Err(error.into())
            }
        };
        drop(gone);
        self.turn();
        result
    }

    /// Tells the server until it knows.
    async fn tell_gone(&self) {
        loop {
            let Some(mut note) = self.0.gone.read().await.clone() else { return };
            match wipe::tell(&mut note, &self.0.place.replica).await {
                Ok(()) => {
                    *self.0.gone.write().await = Some(note);
                    return;
                }
                Err(error) => {
                    tracing::warn!(
                        code = error.code(),
                        "the server was not told of the wipe; telling it again"
                    );
                }
            }
            tokio::time::sleep(TELL_AGAIN).await;
        }
    }
}

async fn is_told(replica: Replica) -> Result<bool, LockError> {
    let asked = tokio::task::spawn_blocking(move || replica.is_told_to_wipe()).await?;
    // One that was closed meanwhile is asked again when it is opened.
    Ok(asked.unwrap_or(false))
}

/// In place of everything else, once the tablet is gone.
pub(super) async fn stand_in(State(tablet): State<Tablet>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/recursos/") {
        return next.run(request).await;
    }
    // The lock is let go of before the request goes on: a wipe waits for it.
    let note = tablet.0.gone.read().await.clone();
    let Some(note) = note else { return next.run(request).await };
    let page = GonePage { clinic: note.clinic_name(), escrowed: note.escrowed, done: note.done }.render();
    match page {
        Ok(page) => (StatusCode::GONE, Html(page)).into_response(),
        Err(_) => (StatusCode::GONE, text::gone::TITLE).into_response(),
    }
}
