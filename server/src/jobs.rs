//! Work nobody waits for: partitions ahead of time, compaction of quiet documents, deadlines, pruning of the feed,
//! wake-ups from other nodes, revocations, checkpoints of the audits.

mod blobs;
mod checkpoints;
mod compaction;
mod consents;
mod deadlines;
mod duties;
mod horizon;
mod revocations;
mod shares;
mod wakeups;

pub use blobs::sweep_blobs;
pub use compaction::{compact, compact_above, flatten};
pub use consents::watch_purges;
pub use deadlines::watch_deadlines;
pub use duties::{Due, duties};
pub use horizon::prune;
pub use revocations::changed as authority_changed;
pub use shares::settle_shares;

use crate::set_aside;
use crate::state::AppState;
use crate::store::{StoreError, StoreResult};
use std::time::Duration;

/// Pause between rounds of upkeep.
const UPKEEP: Duration = Duration::from_secs(300);

/// Runs upkeep until the server stops.
pub async fn run(state: AppState) {
    let listening = tokio::spawn(wakeups::run(state.clone()));
    let sharing = tokio::spawn(shares::run(state.clone()));
    let revoking = tokio::spawn(revocations::run(state.clone()));
    let attesting = tokio::spawn(checkpoints::run(state.clone()));
    let mut due = Due::default();
    loop {
        if let Err(error) = upkeep(&state, &mut due).await {
            tracing::warn!(%error, "upkeep failed; the next round tries again");
        }
        state.metrics.upkeep_rounds.inc();
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

/// One round of upkeep over every clinic.
///
/// # Errors
/// A database failure that concerns no single clinic; what was done stays done.
pub async fn upkeep(state: &AppState, due: &mut Due) -> StoreResult<()> {
    state.store.ensure_partitions(state.clock.now()).await?;
    let (mut overdue, mut unanswered) = (0usize, 0usize);
    for clinic in state.store.list_clinics_with_devices().await? {
        let now = state.clock.now();
        let done = async {
            let flattened = compact(&state.store, clinic, now).await?;
            let expired = set_aside::expire(&state.store, clinic, now).await?;
            let written = duties(&state.store, clinic, due, now).await?;
            let pruned = prune(&state.store, clinic, now).await?;
            Ok::<_, StoreError>((flattened, expired, written, pruned))
        };
        let mut moved = false;
        match done.await {
            Ok((0, 0, 0, 0)) => {}
            Ok((flattened, expired, written, pruned)) => {
                tracing::info!(%clinic, flattened, expired, written, pruned, "upkeep");
                moved = true;
            }
            // One clinic's trouble is not another's.
            Err(error) => tracing::warn!(%clinic, %error, "upkeep failed; the next round tries again"),
        }
        let expired = crate::merge::settle_expired(&state.store, clinic, state.clock.now()).await?;
        if expired > 0 {
            tracing::info!(%clinic, expired, "settled expired consents");
            moved = true;
        }
        let removed = sweep_blobs(&state.store, &state.blobs, clinic, state.clock.now()).await?;
        if removed > 0 {
            tracing::info!(%clinic, removed, "files that are not to be had any more were removed");
        }
        // Covers a lost notification, and consents that expired.
        state.moved.note(clinic);
        overdue = overdue.saturating_add(watch_purges(&state.store, clinic, state.clock.now()).await?);
        unanswered =
            unanswered.saturating_add(watch_deadlines(&state.store, clinic, state.clock.now()).await?);
        // Once, when everything is written: one page tells it all.
        if moved {
            state.merger.wake(clinic);
        }
    }
    state.metrics.purges_overdue.set(i64::try_from(overdue).unwrap_or(i64::MAX));
    state.metrics.duties_overdue.set(i64::try_from(unanswered).unwrap_or(i64::MAX));
    Ok(())
}
