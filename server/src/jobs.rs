//! Work nobody waits for: partitions ahead of time, compaction of quiet documents, wake-ups from other nodes,
//! revocations.

mod compaction;
mod revocations;
mod wakeups;

pub use compaction::{compact, compact_above, flatten};

use crate::state::AppState;
use std::time::Duration;

/// Pause between rounds of upkeep.
const UPKEEP: Duration = Duration::from_secs(300);

/// Runs upkeep until the server stops.
pub async fn run(state: AppState) {
    let listening = tokio::spawn(wakeups::run(state.clone()));
    let revoking = tokio::spawn(revocations::run(state.clone()));
    loop {
        if let Err(error) = upkeep(&state).await {
            tracing::warn!(%error, "upkeep failed; the next round tries again");
        }
        tokio::select! {
            () = tokio::time::sleep(UPKEEP) => {}
            () = state.stopping() => break,
        }
    }
    // Both end by themselves when the server stops.
    let _ = listening.await;
    let _ = revoking.await;
}

async fn upkeep(state: &AppState) -> crate::store::StoreResult<()> {
    state.store.ensure_partitions().await?;
    for clinic in state.store.list_clinics_with_devices().await? {
        let flattened = compact(&state.store, clinic, crate::clock::now()).await?;
        if flattened > 0 {
            tracing::info!(%clinic, flattened, "flattened quiet documents");
            state.merger.wake(clinic);
        }
    }
    Ok(())
}
