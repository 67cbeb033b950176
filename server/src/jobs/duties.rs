//! What time itself brings: stock that expires, referrals nobody answered, assessments that are due.
//!
//! The database decides (migrations 0004 and 0006); what it wrote is numbered here like what triggers write, so that
//! tablets hear of it. Referrals are asked about in every round, the rest once a day and clinic.

use crate::actor::Actor;
use crate::store::made::Numbering;
use crate::store::{Store, StoreResult};
use neonpro_contract::ids::ClinicId;
use neonpro_contract::time::{ServerInstant, US_PER_DAY};
use std::collections::{HashMap, HashSet};

/// When each clinic had its daily round.
#[derive(Debug, Default)]
pub struct Due(HashMap<ClinicId, ServerInstant>);

/// Runs what is due in a clinic. Returns how many entries of the feed it caused.
///
/// # Errors
/// A database failure; nothing was written then.
pub async fn duties(
    store: &Store,
    clinic: ClinicId,
    due: &mut Due,
    now: ServerInstant,
) -> StoreResult<usize> {
    let daily = due.0.get(&clinic).is_none_or(|last| now.0 >= last.0.saturating_add(US_PER_DAY));
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let mut head = scoped.lock_head().await?;
    scoped.mark_overdue().await?;
    if daily {
        scoped.run_daily_checks().await?;
    }
    let mut feed = Vec::new();
    let mut numbering = Numbering { head: &mut head, feed: Some(&mut feed), documents: 0 };
    scoped.number_made_rows(&mut numbering, &HashSet::new()).await?;
    scoped.append_feed(&feed, now).await?;
    if !feed.is_empty() {
        scoped.upsert_head(&head).await?;
    }
    scoped.commit().await?;
    if daily {
        due.0.insert(clinic, now);
    }
    Ok(feed.len())
}
