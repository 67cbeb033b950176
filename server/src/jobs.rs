//! Work nobody waits for: partitions ahead of time, compaction of quiet documents, wake-ups from other nodes,
//! revocations, checkpoints of the audits.

mod checkpoints;
mod compaction;
mod consents;
mod revocations;
mod shares;
mod wakeups;

pub use compaction::{compact, compact_above, flatten};
pub use consents::watch_purges;
pub use shares::settle_shares;

use crate::state::AppState;
use std::time::Duration;

/// Pause between rounds of upkeep.
const UPKEEP: Duration = Duration::from_secs(300);

/// Runs upkeep until the server stops.
pub async fn run(state: AppState) {
    let listening = tokio::spawn(wakeups::run(state.clone()));
    let sharing = tokio::spawn(shares::run(state.clone()));
    let revoking = tokio::spawn(revocations::run(state.clone()));
    let attesting = tokio::spawn(checkpoints::run(state.clone()));
    loop {
        if let Err(error) = upkeep(&state).await {
            tracing::warn!(%error, "upkeep failed; the next round tries again");
        }
        tokio::select! {
            () = state.clock.sleep(UPKEEP) => {}
            () = state.stopping() => break,
        }
    }
    // They end by themselves when the server stops.
    let _ = listening.await;
    let _ = revoking.await;
    let _ = attesting.await;
    let _ = sharing.await;
}

async fn upkeep(state: &AppState) -> crate::store::StoreResult<()> {
    state.store.ensure_partitions().await?;
    let mut overdue = 0usize;
    for clinic in state.store.list_clinics_with_devices().await? {
        let flattened = compact(&state.store, clinic, state.clock.now()).await?;
        if flattened > 0 {
            tracing::info!(%clinic, flattened, "flattened quiet documents");
            state.merger.wake(clinic);
        }
        let expired = crate::merge::settle_expired(&state.store, clinic, state.clock.now()).await?;
        if expired > 0 {
            tracing::info!(%clinic, expired, "settled expired consents");
            state.merger.wake(clinic);
        }
        // Covers a lost notification, and consents that expired.
        state.moved.note(clinic);
        overdue = overdue.saturating_add(watch_purges(&state.store, clinic, state.clock.now()).await?);
    }
    state.metrics.purges_overdue.set(i64::try_from(overdue).unwrap_or(i64::MAX));
    Ok(())
}
