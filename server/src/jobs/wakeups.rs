//! Wake-ups from other nodes: LISTEN says which clinic moved and whose authority changed; a lost connection wakes
//! everyone once it is back.

use super::revocations;
use crate::state::AppState;
use crate::store::AUTHORITY_CHANNEL;
use neonpro_contract::ids::{ClinicId, DeviceId};
use std::time::Duration;

/// Pause before listening again.
const RETRY: Duration = Duration::from_secs(1);

/// Listens until the server stops.
pub(super) async fn run(state: AppState) {
    loop {
        tokio::select! {
            () = listen(&state) => {}
            () = state.stopping() => return,
        }
        tokio::select! {
            () = state.clock.sleep(RETRY) => {}
            () = state.stopping() => return,
        }
    }
}

async fn listen(state: &AppState) {
    let mut listener = match state.store.listen().await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(%error, "listening for wake-ups failed; polling covers it");
            return;
        }
    };
    // What came while nobody listened.
    state.merger.wake_all();
    loop {
        match listener.recv().await {
            Ok(notification) => {
                if notification.channel() == AUTHORITY_CHANNEL {
                    let Ok(id) = notification.payload().parse() else { continue };
                    revocations::changed(state, DeviceId(id));
                } else if let Some((clinic, seq)) = moved(notification.payload()) {
                    state.merger.wake_at(clinic, seq);
                    state.moved.note(clinic);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the wake-up connection broke");
                return;
            }
        }
    }
}

/// The clinic that moved, and to which number.
fn moved(payload: &str) -> Option<(ClinicId, i64)> {
    let (clinic, seq) = payload.split_once(' ')?;
    Some((ClinicId(clinic.parse().ok()?), seq.parse().ok()?))
}
