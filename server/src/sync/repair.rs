//! Repair: the documents of the buckets whose sums differ, as they stand now.

use super::page::{shared, snapshot, weight};
use crate::store::canonical::Stored;
use crate::store::documents::DocumentState;
use crate::store::shares::SharedDocument;
use crate::store::{Scoped, StoreResult};
use neonpro_contract::catalogue::{TableId, table_by_id};
use neonpro_contract::digest::Digest;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::limits::PAGE_BYTES_TARGET;
use neonpro_contract::wire::{BUCKETS, Buckets, Entry, Repair, bucket};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// Compares sums and answers with the differing buckets, a frame per few buckets.
pub(super) async fn answer(scoped: &mut Scoped, theirs: &Buckets) -> StoreResult<Vec<Repair>> {
    let head = scoped.find_head().await?;
    let mut states = scoped.list_documents_seen().await?;
    states.extend(scoped.list_shared_seen().await?);
    states.sort_unstable_by_key(|state| state.id);
    let mut by_bucket: BTreeMap<u8, Vec<DocumentState>> = BTreeMap::new();
    for state in states {
        by_bucket.entry(bucket(&state.id)).or_default().push(state);
    }
    let mut frames = Vec::new();
    let (mut entries, mut buckets, mut bytes) = (Vec::new(), Vec::new(), 0usize);
    for (index, their_sum) in theirs.sums.iter().take(BUCKETS).enumerate() {
        let Ok(number) = u8::try_from(index) else { break };
        let mine = by_bucket.remove(&number).unwrap_or_default();
        let mut sum = Digest::default();
        for state in &mine {
            sum.add(state.fingerprint());
        }
        if sum == *their_sum {
            continue;
        }
        let snapshots = snapshots(scoped, &mine).await?;
        let more: usize = snapshots.iter().map(weight).sum();
        if bytes.saturating_add(more) > PAGE_BYTES_TARGET && !buckets.is_empty() {
            frames.push(Repair::new(head.seq, std::mem::take(&mut buckets), &std::mem::take(&mut entries)));
            bytes = 0;
        }
        bytes = bytes.saturating_add(more);
        entries.extend(snapshots);
        buckets.push(number);
    }
    // A tablet that asked waits for an answer, also where nothing differs any more.
    if !buckets.is_empty() || frames.is_empty() {
        frames.push(Repair::new(head.seq, buckets, &entries));
    }
    Ok(frames)
}

async fn snapshots(scoped: &mut Scoped, states: &[DocumentState]) -> StoreResult<Vec<Entry>> {
    let mut by_table: BTreeMap<TableId, BTreeSet<Uuid>> = BTreeMap::new();
    for state in states {
        by_table.entry(state.id.table).or_default().insert(state.id.record.0);
    }
    let mut rows: HashMap<(TableId, Uuid), Stored> = HashMap::new();
    for (id, records) in by_table {
        let Some(table) = table_by_id(id) else { continue };
        let records: Vec<Uuid> = records.into_iter().collect();
        rows.extend(
            scoped.list_records(table, &records).await?.into_iter().map(|stored| ((id, stored.id.0), stored)),
        );
    }
    let foreign: Vec<Uuid> = states
        .iter()
        .filter(|state| !rows.contains_key(&(state.id.table, state.id.record.0)))
        .map(|state| state.id.record.0)
        .collect();
    let copies: HashMap<DocumentId, SharedDocument> = if foreign.is_empty() {
        HashMap::new()
    } else {
        scoped.list_shared_of(&foreign).await?.into_iter().map(|copy| (copy.state.id, copy)).collect()
    };
    states
        .iter()
        .filter_map(|state| {
            if let Some(copy) = copies.get(&state.id) {
                return Some(Ok(shared(copy.stamp.feed_seq, copy)));
            }
            let stored = rows.get(&(state.id.table, state.id.record.0))?;
            Some(snapshot(stored.stamp.feed_seq, state, stored))
        })
        .collect()
}
