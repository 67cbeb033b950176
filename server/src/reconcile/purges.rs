//! Devices that have not confirmed a purge in time: a person must find them.
//!
//! Never asks a device anything. Invariant: a device has an open item exactly while it is active and a withdrawal older
//! than the limit is unanswered, as of the last look. A revoked device answers no more: its receipts stay open, its item
//! does not.

use crate::store::items::{ItemKind, NO_TABLE, NewItem, Severity};
use crate::store::receipts::OpenPurges;
use crate::store::{Scoped, StoreResult};
use neonpro_contract::limits::PURGE_OVERDUE_HOURS;
use neonpro_contract::time::{ServerInstant, US_PER_SECOND};
use neonpro_contract::value::instant_text;
use serde_json::json;

/// The system setting that says otherwise, as `{"hours": n}`.
const SETTING: &str = "withdrawal_alarm_hours";
const US_PER_HOUR: i64 = 3_600 * US_PER_SECOND;

/// Opens an item per overdue device and closes those that are settled. Returns how many devices are overdue.
///
/// # Errors
/// A database failure.
pub(crate) async fn watch(scoped: &mut Scoped, now: ServerInstant) -> StoreResult<usize> {
    let overdue = overdue(scoped, now).await?;
    scoped.upsert_items(&overdue.iter().map(item).collect::<Vec<_>>(), now).await?;
    close(scoped, &overdue, now).await?;
    Ok(overdue.len())
}

/// Closes the items of devices that are overdue no more.
///
/// # Errors
/// A database failure.
pub(crate) async fn settle(scoped: &mut Scoped, now: ServerInstant) -> StoreResult<()> {
    let overdue = overdue(scoped, now).await?;
    close(scoped, &overdue, now).await
}

async fn overdue(scoped: &mut Scoped, now: ServerInstant) -> StoreResult<Vec<OpenPurges>> {
    let hours = scoped.find_setting_number(SETTING, "hours").await?.unwrap_or(PURGE_OVERDUE_HOURS);
    let limit = ServerInstant(now.0.saturating_sub(hours.saturating_mul(US_PER_HOUR)));
    Ok(scoped.list_open_purges(limit).await?.into_iter().filter(|open| open.active).collect())
}

async fn close(scoped: &mut Scoped, overdue: &[OpenPurges], now: ServerInstant) -> StoreResult<()> {
    let mut settled = scoped.list_open_matters(ItemKind::Devices, "purge/").await?;
    settled.retain(|open| overdue.iter().all(|device| matter(device) != *open));
    scoped.mark_items_settled(&settled, now).await
}

fn matter(open: &OpenPurges) -> String {
    format!("purge/{}", open.device)
}

fn item(open: &OpenPurges) -> NewItem {
    NewItem {
        kind: ItemKind::Devices,
        severity: Severity::Urgent,
        code: "purge_overdue",
        matter: matter(open),
        table: NO_TABLE,
        record: open.device,
        patient: None,
        sealed_for: None,
        sides: json!({
            "device": open.device,
            "name": open.name,
            "documents": open.documents,
            "since": instant_text(open.since.0),
        }),
    }
}
