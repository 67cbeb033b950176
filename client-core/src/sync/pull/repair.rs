//! Repair: asking for the documents that differ, and putting the server's in their place.

use super::{purge, snapshot};
use crate::error::ReplicaError;
use crate::project::Batch;
use crate::rebase;
use crate::replica::Replica;
use crate::store::intents::{self, State};
use crate::store::{Tx, documents};
use crate::sync::apply::Applied;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::wire::{Buckets, Entry, Repair, bucket};
use std::collections::BTreeSet;

impl Replica {
    /// The digest per bucket, for the server to compare.
    ///
    /// A document under a held edit is suspect: a base that differs shows in no sum while it has no live changes, only
    /// in the dependency the server misses. Its bucket is asked for whole, by a sum that cannot be right.
    pub(crate) fn sum_buckets(&self) -> Result<Buckets, ReplicaError> {
        let store = &self.inner.store;
        let cursor = store.meta()?.cursor;
        store.read(|conn| {
            let mut sums = documents::sums(conn, store.identity.audience)?;
            for held in intents::list_in_state(conn, State::Held)? {
                for part in &held.intent.documents {
                    if let Some(sum) = sums.get_mut(usize::from(bucket(&part.document))) {
                        sum.add(1);
                    }
                }
            }
            Ok(Buckets { cursor, sums })
        })
    }
}

pub(crate) fn apply(
    tx: &mut Tx<'_>,
    repair: &Repair,
    entries: &[Entry],
    now_us: i64,
) -> Result<Applied, ReplicaError> {
    let buckets: BTreeSet<u8> = repair.buckets.iter().copied().collect();
    let mut unlisted = documents::list_counted_in(&tx.sql, tx.identity.audience, &buckets)?;
    let mut batch = Batch::default();
    let mut rebased: Vec<DocumentId> = Vec::new();
    for entry in entries {
        let Entry::Snapshot { document, epoch, stamp, row, live, .. } = entry else {
            return Err(ReplicaError::Protocol("repair"));
        };
        let Some(table) = document.table() else { continue };
        if !buckets.contains(&bucket(document)) {
            return Err(ReplicaError::Protocol("repair"));
        }
        unlisted.remove(document);
        let row = snapshot::decode_row(table, row)?;
        snapshot::replace(tx, &mut batch, *document, *epoch, *stamp, &row, live.as_ref())?;
        if batch.document(&tx.sql, *document)?.is_pending() {
            rebased.push(*document);
        }
    }
    for id in &unlisted {
        batch.document(&tx.sql, *id)?.withdraw()?;
    }
    for id in &rebased {
        rebase::settle(tx, &mut batch, *id, now_us)?;
    }
    batch.flush(tx, now_us)?;
    purge::forget_edits(tx, &unlisted)?;
    let arrived = entries.iter().filter_map(|entry| match entry {
        Entry::Snapshot { document, .. } => Some(document.record),
        _ => None,
    });
    let mut requeued = rebase::roll_back(tx, now_us)? || !rebased.is_empty();
    requeued |= rebase::send_again(tx, &arrived.collect())?;
    tx.meta.repair = false;
    let purged = !unlisted.is_empty();
    Ok(Applied { entries: entries.len() as u64, purged, requeued, ..Applied::at(tx)? })
}
