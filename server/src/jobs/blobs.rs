//! Files that are not to be had any more: uploads nobody finished, and what was erased, leave the store of files.

use crate::actor::Actor;
use crate::blobs::Blobs;
use crate::store::{Store, StoreResult};
use neonpro_contract::blob::chunk_count;
use neonpro_contract::ids::ClinicId;
use neonpro_contract::limits::BLOB_PARTIAL_DAYS;
use neonpro_contract::time::{ServerInstant, US_PER_DAY};

/// Files of a clinic removed in one round.
const ROUND_MAX: i64 = 500;

/// Removes them; how many. One whose objects cannot be deleted stays for the next round.
///
/// # Errors
/// A database failure.
pub async fn sweep_blobs(
    store: &Store,
    blobs: &Blobs,
    clinic: ClinicId,
    now: ServerInstant,
) -> StoreResult<usize> {
    let actor = Actor::system(clinic);
    let before = ServerInstant(now.0.saturating_sub(BLOB_PARTIAL_DAYS.saturating_mul(US_PER_DAY)));
    let mut scoped = store.begin(&actor).await?;
    scoped.mark_stale_blobs(before, now).await?;
    let gone = scoped.list_gone_blobs(ROUND_MAX).await?;
    scoped.commit().await?;
    let mut removed = 0usize;
    for file in gone {
        let chunks = chunk_count(file.size).unwrap_or_default();
        if let Err(error) = blobs.remove(clinic, file.id, chunks).await {
            tracing::warn!(%clinic, file = %file.id, %error, "a file's objects were not deleted; the next round tries again");
            continue;
        }
        let mut scoped = store.begin(&actor).await?;
        scoped.purge_blob(file.id).await?;
        scoped.commit().await?;
        removed = removed.saturating_add(1);
    }
    Ok(removed)
}
