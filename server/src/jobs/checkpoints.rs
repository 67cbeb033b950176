//! Signs what was added to the audits: now and then, and once more when the server stops.

use crate::state::AppState;
use std::time::Duration;

/// Pause between rounds; when a checkpoint is due is decided per clinic.
const ROUND: Duration = Duration::from_secs(30);

/// Makes checkpoints until the server stops.
pub(super) async fn run(state: AppState) {
    loop {
        attest(&state, false).await;
        tokio::select! {
            () = state.clock.sleep(ROUND) => {}
            () = state.stopping() => break,
        }
    }
    attest(&state, true).await;
}

async fn attest(state: &AppState, always: bool) {
    let clinics = match state.store.list_clinics_with_devices().await {
        Ok(clinics) => clinics,
        Err(error) => return tracing::warn!(%error, "listing clinics failed; the next round tries again"),
    };
    for clinic in clinics {
        if let Err(error) = state.notary.attest(&state.store, clinic, state.clock.now(), always).await {
            tracing::warn!(%clinic, %error, "making a checkpoint failed; the next round tries again");
        }
    }
}
