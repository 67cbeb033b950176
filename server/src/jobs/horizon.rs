//! The feed's horizon: what every live device has committed is told no more.
//!
//! A device that said nothing for [`FEED_SILENT_DAYS_MAX`] days holds nothing back; when it comes, it fetches everything
//! again and keeps its unsent work. Entries of the last day stay in any case: a first sync may be under way that will
//! read on from where the feed stood when it began.

use crate::actor::Actor;
use crate::store::{Store, StoreResult};
use neonpro_contract::ids::ClinicId;
use neonpro_contract::limits::FEED_SILENT_DAYS_MAX;
use neonpro_contract::time::{ServerInstant, US_PER_DAY};

/// Entries younger than this stay, µs.
const KEPT_US: i64 = US_PER_DAY;
/// Entries dropped in one transaction: a merge waits at most this long for the head.
const BATCH: i64 = 50_000;

/// Drops what nobody needs any more. Returns how many entries.
///
/// # Errors
/// A database failure; nothing was dropped then.
pub async fn prune(store: &Store, clinic: ClinicId, now: ServerInstant) -> StoreResult<u64> {
    let ago = |us: i64| ServerInstant(now.0.saturating_sub(us));
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let mut head = scoped.lock_head().await?;
    let least = scoped.find_least_cursor(ago(FEED_SILENT_DAYS_MAX.saturating_mul(US_PER_DAY))).await?;
    let old = scoped.find_feed_before(ago(KEPT_US)).await?;
    let horizon = old
        .map(|old| old.min(least.unwrap_or(head.seq)).min(head.horizon.saturating_add(BATCH)))
        .filter(|horizon| *horizon > head.horizon);
    let Some(horizon) = horizon else {
        scoped.rollback().await?;
        return Ok(0);
    };
    let dropped = scoped.purge_feed(horizon).await?;
    head.horizon = horizon;
    scoped.upsert_head(&head).await?;
    scoped.commit().await?;
    Ok(dropped)
}
