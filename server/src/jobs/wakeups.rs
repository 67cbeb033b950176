//! Wake-ups from other nodes: LISTEN says which clinic moved; a lost connection wakes everyone once it is back.

use crate::state::AppState;
use neonpro_contract::ids::ClinicId;
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
            () = tokio::time::sleep(RETRY) => {}
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
                if let Ok(clinic) = notification.payload().parse() {
                    state.merger.wake(ClinicId(clinic));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the wake-up connection broke");
                return;
            }
        }
    }
}
