//! What consent asks for as time passes: devices that have not confirmed a purge.

use crate::actor::Actor;
use crate::reconcile::purges;
use crate::store::{Store, StoreResult};
use neonpro_contract::ids::ClinicId;
use neonpro_contract::time::ServerInstant;

/// Opens and closes the items of devices that have left a withdrawal unanswered for too long. Returns how many there
/// are.
///
/// # Errors
/// A database failure.
pub async fn watch_purges(store: &Store, clinic: ClinicId, now: ServerInstant) -> StoreResult<usize> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let overdue = purges::watch(&mut scoped, now).await?;
    scoped.commit().await?;
    Ok(overdue)
}
