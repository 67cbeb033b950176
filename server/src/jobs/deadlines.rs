//! Requests of patients and incidents that are due: their items, looked at in every round.

use crate::actor::Actor;
use crate::reconcile::deadlines;
use crate::store::{Store, StoreResult};
use neonpro_contract::ids::ClinicId;
use neonpro_contract::time::ServerInstant;

/// Opens and closes the items of what is due; how many are past their deadline.
///
/// # Errors
/// A database failure.
pub async fn watch_deadlines(store: &Store, clinic: ClinicId, now: ServerInstant) -> StoreResult<usize> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let over = deadlines::watch(&mut scoped, now).await?;
    scoped.commit().await?;
    Ok(over)
}
