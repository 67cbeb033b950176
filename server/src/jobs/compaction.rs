//! Compaction: a document with a long live history is flattened into its row, and its next epoch begins.
//!
//! The signed edits stay: they are the history. A pending edit based on the older epoch is answered `Rebase`, and the
//! tablet expresses it again. Documents with an open dispute are left alone: both values must stay, unless the history grew
//! too large to travel.

use crate::actor::Actor;
use crate::store::documents::DocumentState;
use crate::store::feed::{FeedKind, FeedRecord};
use crate::store::heads::Head;
use crate::store::{Scoped, Store, StoreError, StoreResult};
use neonpro_contract::document::Document;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::ClinicId;
use neonpro_contract::limits::{DOCUMENT_LIVE_BYTES_MAX, DOCUMENT_LIVE_CHANGES_MAX};
use neonpro_contract::row::Row;
use neonpro_contract::time::ServerInstant;

/// Documents flattened in one transaction: a merge waits at most this long for the head.
const BATCH: i64 = 64;

/// Flattens what is due in a clinic. Returns how many documents.
///
/// # Errors
/// A database failure.
pub async fn compact(store: &Store, clinic: ClinicId, now: ServerInstant) -> StoreResult<usize> {
    compact_above(store, clinic, DOCUMENT_LIVE_CHANGES_MAX, now).await
}

/// Flattens documents with at least this many live changes.
///
/// # Errors
/// A database failure.
pub async fn compact_above(
    store: &Store,
    clinic: ClinicId,
    live_changes_min: u32,
    now: ServerInstant,
) -> StoreResult<usize> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let head = scoped.lock_head().await?;
    let due = scoped.list_compactable(live_changes_min, BATCH).await?;
    flatten_all(scoped, head, due, now).await
}

/// Flattens one document that is too large to travel.
///
/// # Errors
/// A database failure.
pub async fn flatten(
    store: &Store,
    clinic: ClinicId,
    id: DocumentId,
    now: ServerInstant,
) -> StoreResult<usize> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    let head = scoped.lock_head().await?;
    let mut found = scoped.list_documents_of(&[id.record.0]).await?;
    found.retain(|state| state.id == id && is_too_large(state));
    flatten_all(scoped, head, found, now).await
}

async fn flatten_all(
    mut scoped: Scoped,
    mut head: Head,
    due: Vec<DocumentState>,
    now: ServerInstant,
) -> StoreResult<usize> {
    let (mut flattened, mut feed) = (Vec::new(), Vec::new());
    for state in due {
        match is_disputed(&state) {
            // What nobody could be sent any more is flattened all the same: the item keeps both values.
            Ok(disputed) if disputed && !is_too_large(&state) => continue,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(document = %state.id, %error, "a document cannot be flattened");
                continue;
            }
        }
        let before = state.fingerprint();
        head.seq = head.seq.saturating_add(1);
        let next = DocumentState {
            epoch: state.epoch.saturating_add(1),
            live_changes: 0,
            heads: Vec::new(),
            snapshot: None,
            clamps: neonpro_contract::document::Clamps::new(),
            last_seq: head.seq,
            ..state
        };
        if let Some(digest) = head.of_purpose(next.purpose) {
            digest.remove(before);
            digest.add(next.fingerprint());
        }
        feed.push(FeedRecord {
            seq: head.seq,
            kind: FeedKind::Snapshot,
            document: next.id,
            purpose: next.purpose,
            epoch: next.epoch,
            edit: None,
            device: None,
        });
        flattened.push(next);
    }
    if flattened.is_empty() {
        scoped.rollback().await?;
        return Ok(0);
    }
    scoped.upsert_documents(&flattened.iter().collect::<Vec<_>>()).await?;
    scoped.append_feed(&feed, now).await?;
    scoped.upsert_head(&head).await?;
    scoped.commit().await?;
    Ok(flattened.len())
}

fn is_too_large(state: &DocumentState) -> bool {
    state.snapshot.as_ref().is_some_and(|saved| saved.len() > DOCUMENT_LIVE_BYTES_MAX)
}

fn is_disputed(state: &DocumentState) -> StoreResult<bool> {
    let unreadable = |_| StoreError::Unreadable("sync.documents");
    let Some(saved) = &state.snapshot else { return Ok(false) };
    let document = Document::load(state.id, saved).map_err(unreadable)?;
    let mut row = Row::empty(document.table());
    let disputes = document.project(&state.clamps, &mut row).map_err(unreadable)?;
    Ok(!disputes.is_empty())
}
