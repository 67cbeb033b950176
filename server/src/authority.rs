//! Giving and taking authority: who may write on a device, whether it may at all, who is a member.
//!
//! Each is one transaction under the clinic's lock, so a merge comes wholly before or wholly after it, with one entry in
//! the audit. Never touches a socket: the notification of the commit reaches every node.

use crate::actor::Actor;
use crate::store::audit::AuditRecord;
use crate::store::authority::People;
use crate::store::feed::{FeedKind, FeedRecord};
use crate::store::{Store, StoreError, StoreResult};
use neonpro_contract::catalogue::{FacetId, Purpose, Role, table};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::{AuthorId, ClinicId, DeviceId, RecordId};
use neonpro_contract::time::ServerInstant;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Revokes a device. Its open sessions end, on every node; no edit of it is merged from here on. `false` when no active
/// device of this clinic has the id.
///
/// # Errors
/// A database failure.
pub async fn revoke(
    store: &Store,
    clinic: ClinicId,
    device: DeviceId,
    now: ServerInstant,
) -> StoreResult<bool> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    scoped.lock_head().await?;
    let revoked = scoped.mark_device_revoked(device, now).await?;
    if revoked {
        scoped.append_audit(&[entry("device_revoked", Some(device.0), None, json!({}))], now).await?;
    }
    scoped.commit().await?;
    Ok(revoked)
}

/// Revokes a device and has it destroy what it holds: it is told at once where it has a session, otherwise when it connects.
/// `false` when no device of this clinic has the id, or it was asked before.
///
/// # Errors
/// A database failure.
pub async fn wipe(
    store: &Store,
    clinic: ClinicId,
    device: DeviceId,
    now: ServerInstant,
) -> StoreResult<bool> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    scoped.lock_head().await?;
    let mut entries = Vec::new();
    if scoped.mark_device_revoked(device, now).await? {
        entries.push(entry("device_revoked", Some(device.0), None, json!({})));
    }
    let asked = scoped.mark_wipe_asked(device, now).await?;
    if asked {
        entries.push(entry("device_wipe_asked", Some(device.0), None, json!({})));
    }
    scoped.append_audit(&entries, now).await?;
    scoped.commit().await?;
    Ok(asked)
}

/// Sets who may write on a device. Its open sessions end, so that it connects again and hears of it. `false` when no
/// active device of this clinic has the id.
///
/// # Errors
/// A database failure; `is_refusal` for someone who is not registered in this clinic.
pub async fn set_people(
    store: &Store,
    clinic: ClinicId,
    device: DeviceId,
    people: &People,
    now: ServerInstant,
) -> StoreResult<bool> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    scoped.lock_head().await?;
    let known = scoped.mark_device_people(device, people, now).await?;
    if known {
        let detail = json!({ "people": people.named() });
        scoped.append_audit(&[entry("device_people_set", Some(device.0), None, detail)], now).await?;
    }
    scoped.commit().await?;
    Ok(known)
}

/// Gives a member another role, or ends the membership (`None`). Tablets hear of it by the feed. `false` when nobody
/// of the id has a membership in this clinic.
///
/// # Errors
/// A database failure.
pub async fn set_membership(
    store: &Store,
    clinic: ClinicId,
    person: AuthorId,
    role: Option<Role>,
    now: ServerInstant,
) -> StoreResult<bool> {
    let members = table("clinic_professionals").ok_or(StoreError::Missing("table"))?;
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let mut head = scoped.lock_head().await?;
    let changed = scoped.mark_memberships(members, person, role, head.seq, now).await?;
    if changed.is_empty() {
        scoped.rollback().await?;
        return Ok(false);
    }
    let mut feed = Vec::with_capacity(changed.len());
    for id in changed {
        head.seq = head.seq.saturating_add(1);
        feed.push(FeedRecord {
            seq: head.seq,
            kind: FeedKind::Row,
            document: DocumentId { table: members.id, record: RecordId(id), facet: FacetId(0) },
            purpose: Purpose::Operation,
            epoch: 1,
            edit: None,
            device: None,
        });
    }
    scoped.append_feed(&feed, now).await?;
    let action = if role.is_some() { "membership_set" } else { "membership_ended" };
    let detail = json!({ "role": role.map(Role::name) });
    scoped.append_audit(&[entry(action, None, Some(person.0), detail)], now).await?;
    scoped.upsert_head(&head).await?;
    scoped.commit().await?;
    Ok(true)
}

fn entry(action: &'static str, device: Option<Uuid>, author: Option<Uuid>, detail: Json) -> AuditRecord {
    AuditRecord { action, device, author, edit: None, code: None, detail }
}
