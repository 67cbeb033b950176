//! What becomes of edits that were set aside: deadlines, decisions of administrators, what tablets hand over.
//!
//! Never loses an edit: each decision is added beside its bytes, told to its author's tablet by the feed and written to
//! the audit in the same transaction. The merge alone merges.

mod show;

pub use show::{list, show};

use crate::actor::Actor;
use crate::merge::{MergeError, Merger};
use crate::store::audit::AuditRecord;
use crate::store::edits::{document_key, parse_key};
use crate::store::feed::FeedRecord;
use crate::store::items::{ItemKind, NewItem, Severity};
use crate::store::set_aside::{DecisionKind, HandedOver, NewDecision, Settled};
use crate::store::{Scoped, Store, StoreError, StoreResult};
use neonpro_contract::catalogue::Role;
use neonpro_contract::edit::{DocumentId, Intent, decode_envelope, signing_bytes};
use neonpro_contract::fate::Fate;
use neonpro_contract::ids::{AuthorId, ClinicId, DeviceId, EditId};
use neonpro_contract::limits::{HANDOVER_BYTES_MAX, HELD_DAYS_MAX};
use neonpro_contract::signature::verifies;
use neonpro_contract::time::{ServerInstant, US_PER_DAY};
use neonpro_contract::wire::{Decided, Decision};
use serde_json::json;

/// Held edits whose wait ends in one transaction.
const EXPIRED_MAX: i64 = 256;

/// What a decision led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Merged, or why not. `Rebase`: its tablet was asked to express it again.
    Judged(Fate),
    /// It will not be merged.
    Discarded,
    /// There is no such edit, or it is merged already, or nothing of it is kept that could be merged.
    NoSuchEdit,
    /// Only an administrator of the clinic may decide.
    NotAnAdministrator,
}

/// Why an edit was not released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The decision could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is written; the merge failed. Releasing again tries again.
    #[error(transparent)]
    Merge(#[from] MergeError),
}

/// Ends the wait of held edits whose dependency never came: each becomes quarantined, with an item. Returns how many.
///
/// # Errors
/// A database failure; nothing was written then.
pub async fn expire(store: &Store, clinic: ClinicId, now: ServerInstant) -> StoreResult<usize> {
    let before = ServerInstant(now.0.saturating_sub(HELD_DAYS_MAX.saturating_mul(US_PER_DAY)));
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let mut notes = Notes::over(&mut scoped).await?;
    let expired = notes.scoped.mark_held_expired(before, EXPIRED_MAX).await?;
    if expired.is_empty() {
        scoped.rollback().await?;
        return Ok(0);
    }
    for edit in &expired {
        notes.tell(edit);
        notes.item(edit, "dependency_expired");
        notes.note("edit_expired", edit, None);
    }
    notes.write(now).await?;
    scoped.commit().await?;
    Ok(expired.len())
}

/// An administrator releases an edit: it is merged under the gate again, minus the question of consent or deadline it was
/// set aside by.
///
/// # Errors
/// The decision or the merge failed.
pub async fn release(
    merger: &Merger,
    clinic: ClinicId,
    edit: EditId,
    by: AuthorId,
    reason: &str,
    now: ServerInstant,
) -> Result<Outcome, ReleaseError> {
    match decide(merger.store(), clinic, DecisionKind::Released, edit, by, reason, now).await? {
        Outcome::Discarded => {}
        other => return Ok(other),
    }
    let judged = merger.look_again(clinic, edit).await?;
    Ok(judged.map_or(Outcome::NoSuchEdit, |judged| Outcome::Judged(judged.fate)))
}

/// An administrator decides that an edit will not be merged. Its bytes and the reason are kept, its author is told.
///
/// # Errors
/// A database failure.
pub async fn discard(
    store: &Store,
    clinic: ClinicId,
    edit: EditId,
    by: AuthorId,
    reason: &str,
    now: ServerInstant,
) -> StoreResult<Outcome> {
    decide(store, clinic, DecisionKind::Discarded, edit, by, reason, now).await
}

async fn decide(
    store: &Store,
    clinic: ClinicId,
    kind: DecisionKind,
    edit: EditId,
    by: AuthorId,
    reason: &str,
    now: ServerInstant,
) -> StoreResult<Outcome> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let memberships = scoped.list_memberships(&[by.0]).await?;
    if !memberships.get(&by.0).is_some_and(|list| list.iter().any(|member| member.role == Role::Admin)) {
        scoped.rollback().await?;
        return Ok(Outcome::NotAnAdministrator);
    }
    let mut notes = Notes::over(&mut scoped).await?;
    let decision = NewDecision { edit: edit.0, kind, by: by.0, reason: Some(reason) };
    let Some(settled) = notes.scoped.mark_decided(&decision, now).await? else {
        scoped.rollback().await?;
        return Ok(Outcome::NoSuchEdit);
    };
    if kind == DecisionKind::Discarded {
        notes.tell(&settled);
        notes.settled.push(matter(&settled));
    }
    let action = if kind == DecisionKind::Discarded { "edit_discarded" } else { "edit_release_decided" };
    notes.note(action, &settled, Some(by));
    notes.write(now).await?;
    scoped.commit().await?;
    Ok(Outcome::Discarded)
}

/// Takes what people decided on a tablet about its set-aside edits. One that is not this device's is passed over.
///
/// # Errors
/// A database failure; nothing was written then.
pub async fn take(
    store: &Store,
    clinic: ClinicId,
    device: DeviceId,
    public_key: &[u8],
    decided: &[Decided],
    now: ServerInstant,
) -> StoreResult<()> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let mut notes = Notes::over(&mut scoped).await?;
    for one in decided {
        let known = notes.scoped.find_edit_device(one.edit).await?;
        if known.is_some_and(|(of, _)| of != device.0) {
            continue;
        }
        let merged = known.is_some_and(|(_, merged)| merged);
        let document = match one.decision {
            Decision::HandedOver if !merged => {
                let Some(handed) = Handed::read(clinic, device, public_key, one) else { continue };
                notes.scoped.upsert_handover(&handed.record(device, one), now).await?;
                handed.intent.documents.first().map(|part| part.document)
            }
            _ => None,
        };
        let kind = match one.decision {
            Decision::HandedOver => DecisionKind::HandedOver,
            Decision::Dismissed => DecisionKind::Dismissed,
        };
        let decision = NewDecision { edit: one.edit.0, kind, by: one.by.0, reason: None };
        match notes.scoped.mark_decided(&decision, now).await? {
            Some(settled) => {
                notes.tell(&settled);
                match one.decision {
                    Decision::HandedOver => notes.item(&settled, "handed_over"),
                    Decision::Dismissed => notes.settled.push(matter(&settled)),
                }
                let dismissed = one.decision == Decision::Dismissed;
                notes.note(
                    if dismissed { "edit_dismissed" } else { "edit_handed_over" },
                    &settled,
                    Some(one.by),
                );
            }
            // Merged in the meantime, or never kept here: the tablet is told all the same, so that it need not ask again.
            None => notes.tell_about(one.edit, device, document),
        }
    }
    notes.write(now).await?;
    scoped.commit().await
}

/// A handed-over edit, checked.
struct Handed<'a> {
    intent: Intent,
    text: &'a str,
    signed: Option<(&'a [u8], &'a [u8])>,
    digest: Vec<u8>,
}

impl<'a> Handed<'a> {
    fn read(clinic: ClinicId, device: DeviceId, public_key: &[u8], one: &'a Decided) -> Option<Self> {
        let text = std::str::from_utf8(&one.intent).ok().filter(|text| text.len() <= HANDOVER_BYTES_MAX)?;
        let intent: Intent = serde_json::from_str(text).ok()?;
        let is_theirs = intent.edit == one.edit && !intent.documents.is_empty();
        let envelope = decode_envelope(&one.envelope).filter(|envelope| {
            verifies(public_key, &signing_bytes(clinic, envelope), &one.signature)
                && envelope.edit == one.edit
                && envelope.device == device
        });
        let signed = envelope.map(|_| (one.envelope.as_slice(), one.signature.as_slice()));
        let bytes = signed.map_or(text.as_bytes(), |(envelope, _)| envelope);
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().to_vec();
        is_theirs.then_some(Self { intent, text, signed, digest })
    }

    fn record(&self, device: DeviceId, one: &Decided) -> HandedOver<'_> {
        HandedOver {
            edit: one.edit.0,
            device: device.0,
            author: self.intent.author.0,
            by: one.by.0,
            code: one.code,
            captured_at: self.intent.captured_at.0,
            handed_at: one.at.0,
            documents: self.intent.documents.iter().map(|part| document_key(&part.document)).collect(),
            signed: self.signed,
            digest: &self.digest,
            meant: &self.intent,
            intent: self.text,
        }
    }
}

fn matter(edit: &Settled) -> String {
    format!("edit/{}", edit.id)
}

/// What is written beside a change of fates: feed, items, audit.
struct Notes<'a> {
    scoped: &'a mut Scoped,
    head: crate::store::heads::Head,
    feed: Vec<FeedRecord>,
    items: Vec<NewItem>,
    settled: Vec<String>,
    audit: Vec<AuditRecord>,
}

impl<'a> Notes<'a> {
    async fn over(scoped: &'a mut Scoped) -> StoreResult<Self> {
        let head = scoped.lock_head().await?;
        Ok(Self { scoped, head, feed: Vec::new(), items: Vec::new(), settled: Vec::new(), audit: Vec::new() })
    }

    fn document(edit: &Settled) -> Option<DocumentId> {
        edit.documents.first().and_then(|key| parse_key(key))
    }

    fn tell(&mut self, edit: &Settled) {
        self.tell_about(EditId(edit.id), DeviceId(edit.device), Self::document(edit));
    }

    fn tell_about(&mut self, edit: EditId, device: DeviceId, document: Option<DocumentId>) {
        // The entry is about the edit; the document only fills its place.
        let nothing = DocumentId {
            table: neonpro_contract::catalogue::TableId(0),
            record: neonpro_contract::ids::RecordId(edit.0),
            facet: neonpro_contract::catalogue::FacetId(0),
        };
        self.head.seq = self.head.seq.saturating_add(1);
        let document = document.unwrap_or(nothing);
        self.feed.push(FeedRecord::fate(self.head.seq, edit.0, device.0, document));
    }

    fn item(&mut self, edit: &Settled, code: &'static str) {
        let Some(document) = Self::document(edit) else { return };
        self.items.push(NewItem {
            kind: ItemKind::Devices,
            severity: Severity::Warning,
            code,
            matter: matter(edit),
            table: document.table,
            record: document.record.0,
            patient: None,
            sealed_for: None,
            sides: json!({ "edit": edit.id, "device": edit.device, "author": edit.author }),
        });
    }

    fn note(&mut self, action: &'static str, edit: &Settled, by: Option<AuthorId>) {
        let documents: Vec<String> =
            edit.documents.iter().filter_map(|key| parse_key(key)).map(|id| id.to_string()).collect();
        self.audit.push(AuditRecord {
            action,
            device: Some(edit.device),
            author: Some(by.map_or(edit.author, |by| by.0)),
            edit: Some(edit.id),
            code: None,
            detail: json!({ "documents": documents }),
        });
    }

    async fn write(self, now: ServerInstant) -> StoreResult<()> {
        let Self { scoped, head, feed, items, settled, audit } = self;
        scoped.append_feed(&feed, now).await?;
        scoped.append_audit(&audit, now).await?;
        scoped.upsert_items(&items, now).await?;
        scoped.mark_items_settled(&settled, now).await?;
        scoped.upsert_head(&head).await
    }
}
