//! The signed log, read back: what each device signed, and what of it is still there.

use super::super::sealing::envelopes::{KeptEnvelope, Which};
use super::super::{Scoped, StoreError, StoreResult};
use neonpro_contract::edit::{DocumentId, Outline};
use sqlx_core::row::Row as _;
use std::collections::BTreeSet;
use uuid::Uuid;

/// A merged edit of the log.
#[derive(Debug, Clone)]
pub struct LoggedEdit {
    /// Who signed it.
    pub device: Uuid,
    /// Who did it.
    pub author: Uuid,
    /// Number of its last entry.
    pub seq: i64,
    /// When it came, µs.
    pub received_at: i64,
    /// When it was merged, µs.
    pub merged_at: i64,
    /// What was signed.
    pub outline: Outline,
    /// Ed25519 over [`Outline::signing_bytes`].
    pub signature: Vec<u8>,
    /// Its changes, as merged; `None` for one that was erased.
    pub changes: Vec<LoggedChange>,
}

/// One change of it.
#[derive(Debug, Clone)]
pub struct LoggedChange {
    /// The document.
    pub document: DocumentId,
    /// The epoch it builds on.
    pub epoch: u32,
    /// The change, unless it was erased.
    pub bytes: Option<Vec<u8>>,
}

impl Scoped {
    /// Merged edits after a number, in the order of their numbers.
    ///
    /// # Errors
    /// A database failure, or a key that is not to be had.
    pub async fn list_logged_edits(&mut self, after: i64, limit: i64) -> StoreResult<Vec<LoggedEdit>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select device_id, author_id, seq, (extract(epoch from received_at) * 1000000)::bigint, \
             (extract(epoch from merged_at) * 1000000)::bigint, envelope, signature, reissued from sync.edits \
             where clinic_id = $1 and fate = 'accepted' and seq > $2 order by seq limit $3",
        )
        .bind(clinic)
        .bind(after)
        .bind(limit)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading the log"))?;
        let unreadable = |_| StoreError::Unreadable("sync.edits");
        let mut read = Vec::with_capacity(rows.len());
        let mut numbers = BTreeSet::new();
        for row in &rows {
            let signed = KeptEnvelope::read(row.try_get(5).map_err(unreadable)?)?;
            let reissued: Option<&[u8]> = row.try_get(7).map_err(unreadable)?;
            let reissued = reissued.map(KeptEnvelope::read).transpose()?;
            numbers.extend(signed.numbers().chain(reissued.iter().flat_map(KeptEnvelope::numbers)));
            read.push((row, signed, reissued));
        }
        let opener = self.opener(numbers).await?;
        let mut edits = Vec::with_capacity(read.len());
        for (row, signed, reissued) in read {
            let (kept, which) = match &reissued {
                Some(reissued) => (reissued, Which::Reissued),
                None => (&signed, Which::Signed),
            };
            let mut changes = Vec::new();
            for (position, change) in kept.outline.envelope().changes.iter().enumerate() {
                let bytes = kept.change(&opener, which, position)?;
                changes.push(LoggedChange { document: change.document, epoch: change.epoch, bytes });
            }
            edits.push(LoggedEdit {
                device: row.try_get(0).map_err(unreadable)?,
                author: row.try_get(1).map_err(unreadable)?,
                seq: row.try_get(2).map_err(unreadable)?,
                received_at: row.try_get(3).map_err(unreadable)?,
                merged_at: row.try_get(4).map_err(unreadable)?,
                outline: signed.outline,
                signature: row.try_get(6).map_err(unreadable)?,
                changes,
            });
        }
        Ok(edits)
    }
}
