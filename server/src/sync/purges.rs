//! What a device says about purging: receipts, and a first sync that stands for them.
//!
//! Never decides what must be purged. Invariant: a receipt is confirmed after it was committed.

use super::handshake::Caller;
use crate::actor::Actor;
use crate::reconcile::purges;
use crate::store::audit::AuditRecord;
use crate::store::{Scoped, Store, StoreResult};
use neonpro_contract::ids::DeviceId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::wire::{Receipts, Received};
use serde_json::json;

/// Keeps a device's receipts.
pub(super) async fn keep(
    store: &Store,
    caller: &Caller,
    receipts: &Receipts,
    now: ServerInstant,
) -> StoreResult<Received> {
    let device = caller.hello.device;
    let mut scoped = store.begin(&caller.actor).await?;
    scoped.mark_purged(device, &receipts.receipts, now).await?;
    let seqs: Vec<i64> = receipts.receipts.iter().map(|receipt| receipt.seq).collect();
    let documents: Vec<String> =
        receipts.receipts.iter().map(|receipt| receipt.document.to_string()).collect();
    audit(&mut scoped, device, json!({ "withdrawals": seqs, "documents": documents }), now).await?;
    purges::settle(&mut scoped, now).await?;
    scoped.commit().await?;
    Ok(Received { seqs })
}

/// A device has completed a first sync that began at this feed number.
pub(super) async fn note_first_sync(
    store: &Store,
    actor: &Actor,
    device: DeviceId,
    began_at: i64,
    now: ServerInstant,
) -> StoreResult<()> {
    let mut scoped = store.begin(actor).await?;
    first_sync_ended(&mut scoped, device, began_at, now).await?;
    scoped.commit().await
}

/// The same, within a transaction. Nothing behind that number was sent before this was noted, so the first number a device
/// says after −1 is where its first sync began.
pub(super) async fn first_sync_ended(
    scoped: &mut Scoped,
    device: DeviceId,
    began_at: i64,
    now: ServerInstant,
) -> StoreResult<()> {
    scoped.mark_purged_by_first_sync(device, began_at, now).await?;
    purges::settle(scoped, now).await
}

async fn audit(
    scoped: &mut Scoped,
    device: DeviceId,
    detail: serde_json::Value,
    now: ServerInstant,
) -> StoreResult<()> {
    let entry = AuditRecord {
        action: "purge_confirmed",
        device: Some(device.0),
        author: None,
        edit: None,
        code: None,
        detail,
    };
    scoped.append_audit(&[entry], now).await
}
