//! Other people's changes: joined to their documents side by side, then noted one by one.
//!
//! Never fails on what a change holds. Invariant: a change that does not fit leaves its document as it was.

use crate::error::ReplicaError;
use crate::project::{Batch, table_of};
use crate::store::Tx;
use crate::store::documents::Standing;
use crate::store::intents::{self, State};
use crate::store::records::Stamp;
use crate::watch::ATTENTION;
use crate::working::Working;
use neonpro_contract::document::{Header, ParsedChange};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::EditId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::wire::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// A change as it arrives.
#[derive(Clone, Copy)]
pub(super) struct Incoming<'a> {
    pub epoch: u32,
    pub merged_at: ServerInstant,
    pub bytes: &'a [u8],
}

/// What became of a change.
#[derive(Debug, Clone, Copy)]
pub(super) enum Joined {
    /// It is part of the document.
    Yes(Header),
    /// The document here is of a later epoch that already holds it.
    Older,
    /// It does not fit: the document must be fetched.
    Misfit,
}

/// Joins the changes of documents that nothing else in the page touches. By index of the entry.
pub(super) fn join_ahead(
    tx: &Tx<'_>,
    batch: &mut Batch,
    entries: &[Entry],
) -> Result<BTreeMap<usize, Joined>, ReplicaError> {
    let mut alone: BTreeMap<DocumentId, Vec<(usize, Incoming<'_>)>> = BTreeMap::new();
    let mut shared = BTreeSet::new();
    for (index, entry) in entries.iter().enumerate() {
        match entry {
            Entry::Change { document, epoch, merged_at, change, .. } if table_of(document).is_ok() => {
                let incoming = Incoming { epoch: *epoch, merged_at: *merged_at, bytes: change };
                alone.entry(*document).or_default().push((index, incoming));
            }
            Entry::Own { document, .. }
            | Entry::Snapshot { document, .. }
            | Entry::Withdraw { document, .. } => {
                shared.insert(document.record);
            }
            Entry::Change { .. } | Entry::Row { .. } | Entry::Fate { .. } => {}
        }
    }
    let wanted = alone.into_iter().filter(|(document, _)| !shared.contains(&document.record)).collect();
    let joined = batch.prepare(&tx.sql, wanted, |working, changes| {
        changes.into_iter().map(|(index, incoming)| (index, join(working, incoming))).collect::<Vec<_>>()
    })?;
    Ok(joined.into_iter().flatten().collect())
}

fn join(working: &mut Working, incoming: Incoming<'_>) -> Joined {
    if working.epoch > incoming.epoch {
        return Joined::Older;
    }
    if working.epoch < incoming.epoch || working.standing == Standing::Withdrawn {
        return Joined::Misfit;
    }
    match ParsedChange::parse(incoming.bytes) {
        Ok(change) if working.apply_remote(&change, incoming.merged_at).is_ok() => {
            Joined::Yes(*change.header())
        }
        _ => Joined::Misfit,
    }
}

/// Notes a change, joining it first if it was not joined ahead.
pub(super) fn apply(
    tx: &Tx<'_>,
    batch: &mut Batch,
    seq: i64,
    document: DocumentId,
    incoming: Incoming<'_>,
    ahead: Option<Joined>,
) -> Result<Joined, ReplicaError> {
    // A table this app does not know: a newer one does.
    let Ok(table) = table_of(&document) else { return Ok(Joined::Older) };
    let joined = match ahead {
        Some(joined) => joined,
        None => join(batch.document(&tx.sql, document)?, incoming),
    };
    let Joined::Yes(header) = joined else { return Ok(joined) };
    let record = batch.record(&tx.sql, table, document.record)?;
    if !record.existed && document.is_primary() && record.stamp.feed_seq.is_none() {
        record.row.set_derived_defaults();
    }
    record.follow(Stamp {
        author: Some(header.author),
        captured_at: Some(header.capture.at),
        merged_at: Some(incoming.merged_at),
        feed_seq: Some(seq),
    });
    Ok(joined)
}

/// An edit that was set aside here and comes back by the feed was released on the server.
pub(super) fn release(tx: &mut Tx<'_>, edit: EditId, now_us: i64) -> Result<(), ReplicaError> {
    if let Some(stored) = intents::find(&tx.sql, edit)?
        && stored.state == State::SetAside
    {
        intents::mark_closed(&tx.sql, stored.n, "released", None, now_us)?;
        tx.touch(ATTENTION);
    }
    Ok(())
}
