//! A stretch of the feed, applied whole: entries, cursor and digest in one transaction.
//!
//! Never fails on what an entry holds: a change that does not fit is counted and the document is repaired. Invariant:
//! applying a page again changes nothing.

use super::{changes, purge, snapshot};
use crate::crash;
use crate::error::ReplicaError;
use crate::project::{Batch, table_of};
use crate::rebase;
use crate::store::Tx;
use crate::store::intents::{self, State};
use crate::store::records::Stamp;
use crate::sync::apply::Applied;
use crate::sync::fates::{self, Consequence, Told, ToldLater};
use crate::watch::STATUS;
use neonpro_contract::catalogue::{Lifecycle, table_by_id};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::{EditId, RecordId};
use neonpro_contract::time::{ServerInstant, US_PER_DAY};
use neonpro_contract::wire::{Entry, Page};
use std::collections::BTreeSet;

/// What entries leave to do at the end of the page.
#[derive(Default)]
struct After {
    /// Documents with a new base under pending changes.
    rebased: BTreeSet<DocumentId>,
    /// Documents that were withdrawn.
    purged: BTreeSet<DocumentId>,
    accepted: u64,
    set_aside: u64,
    /// Set-aside edits the server released.
    taken_up: Vec<EditId>,
    /// Edits to be sent again.
    resend: bool,
    /// Records whose documents came.
    arrived: BTreeSet<RecordId>,
}

pub(crate) fn apply(
    tx: &mut Tx<'_>,
    page: &Page,
    entries: &[Entry],
    now_us: i64,
) -> Result<Applied, ReplicaError> {
    crash::point("page.after_begin");
    if tx.meta.cursor < 0 || page.from > tx.meta.cursor || page.to < page.from {
        return Err(ReplicaError::Protocol("page out of turn"));
    }
    if page.to < tx.meta.cursor {
        return Applied::at(tx);
    }
    let mut batch = Batch::default();
    let mut after = After::default();
    let any_set_aside = intents::any_in_state(&tx.sql, &[State::SetAside])?;
    for entry in entries {
        if let Entry::Change { seq, document, epoch, merged_at, change } = entry {
            after.arrived.insert(document.record);
            let incoming = changes::Incoming { epoch: *epoch, merged_at: *merged_at, bytes: change };
            match changes::apply(tx, &mut batch, *seq, *document, incoming)? {
                // Only where edits were set aside can one of them come back.
                changes::Joined::Yes(header) if any_set_aside => changes::release(tx, header.edit, now_us)?,
                changes::Joined::Misfit => tx.meta.repair = true,
                changes::Joined::Yes(_) | changes::Joined::Older => {}
            }
        } else {
            apply_entry(tx, &mut batch, &mut after, entry, now_us)?;
        }
    }
    crash::point("page.after_entries");
    for id in &after.rebased {
        rebase::settle(tx, &mut batch, *id, now_us)?;
    }
    batch.flush(tx, now_us)?;
    purge::forget_edits(tx, &after.purged)?;
    let mut requeued = rebase::roll_back(tx, now_us)? || !after.rebased.is_empty() || after.resend;
    requeued |= fates::take_up(tx, &after.taken_up, now_us)?;
    requeued |= rebase::send_again(tx, &after.arrived)?;
    tx.meta.cursor = page.to;
    // An own edit merged after this page is in this tablet's sum already: then the two cannot be compared yet.
    let comparable = page.to >= tx.meta.head;
    tx.meta.head = tx.meta.head.max(page.to);
    if comparable && page.digest.is_some_and(|digest| digest != tx.meta.digest) {
        tx.meta.repair = true;
    }
    crash::point("page.before_commit");
    Ok(Applied {
        entries: entries.len() as u64,
        accepted: after.accepted,
        set_aside: after.set_aside,
        purged: !after.purged.is_empty(),
        requeued,
        ..Applied::at(tx)?
    })
}

fn apply_entry(
    tx: &mut Tx<'_>,
    batch: &mut Batch,
    after: &mut After,
    entry: &Entry,
    now_us: i64,
) -> Result<(), ReplicaError> {
    match entry {
        // The caller's, which may have to release an edit for it.
        Entry::Change { .. } => {}
        Entry::Own { seq, edit, document, merged_at } => {
            after.accepted = after
                .accepted
                .saturating_add(u64::from(apply_own(tx, batch, *seq, *edit, *document, *merged_at, now_us)?));
        }
        Entry::Snapshot { document, epoch, stamp, row, live, .. } => {
            let Some(table) = document.table() else { return Ok(()) };
            let working = batch.document(&tx.sql, *document)?;
            if working.is_counted() && working.epoch > *epoch {
                return Ok(());
            }
            if working.is_pending() {
                after.rebased.insert(*document);
            }
            after.arrived.insert(document.record);
            let row = snapshot::decode_row(table, row)?;
            snapshot::replace(tx, batch, *document, *epoch, *stamp, &row, live.as_ref())?;
        }
        Entry::Row { table, record, stamp, row, .. } => {
            let Some(table) = table_by_id(*table) else { return Ok(()) };
            let row = snapshot::decode_row(table, row)?;
            let known = batch.record(&tx.sql, table, *record)?;
            if table.lifecycle == Lifecycle::Server {
                known.row = row;
            } else if known.existed || known.stamp.feed_seq.is_some() {
                snapshot::copy_derived(&row, &mut known.row);
            } else {
                return Ok(());
            }
            known.stamp.advance((*stamp).into());
        }
        Entry::Withdraw { seq, document } => {
            let set_aside = purge::withdraw(tx, batch, *seq, *document, now_us)?;
            after.set_aside = after.set_aside.saturating_add(set_aside);
            after.purged.insert(*document);
        }
        Entry::Fate { edit, fate, by, reason, .. } => {
            let told = ToldLater { edit: *edit, fate, by: *by, reason: reason.as_deref() };
            match fates::hear(tx, batch, told, now_us)? {
                Consequence::Nothing => {}
                Consequence::Merged => after.accepted = after.accepted.saturating_add(1),
                Consequence::SetAside => after.set_aside = after.set_aside.saturating_add(1),
                Consequence::TakeUp => after.taken_up.push(*edit),
                Consequence::Resend => after.resend = true,
            }
        }
    }
    Ok(())
}

/// This device's own edit came back as a header. Says whether it was still waiting for its fate.
fn apply_own(
    tx: &mut Tx<'_>,
    batch: &mut Batch,
    seq: i64,
    edit: EditId,
    document: DocumentId,
    merged_at: ServerInstant,
    now_us: i64,
) -> Result<bool, ReplicaError> {
    let Some(stored) = intents::find(&tx.sql, edit)? else {
        // Made by a copy of this replica, or before it was restored: its change must be fetched.
        tx.meta.repair = true;
        notice_twin(tx, now_us);
        return Ok(false);
    };
    if stored.state != State::Accepted {
        fates::merge(tx, batch, &stored, Told { seq, merged_at, first_time: true }, now_us)?;
        return Ok(stored.state.is_pending());
    }
    if let Ok(table) = table_of(&document) {
        let record = batch.record(&tx.sql, table, document.record)?;
        if !record.existed && record.stamp.feed_seq.is_none() {
            // Merged while everything was fetched again, after its table had passed: swept away, and to be fetched.
            tx.meta.repair = true;
            return Ok(false);
        }
        // The fate told the number of the edit's last entry; this is the document's own.
        if record.stamp.feed_seq <= Some(seq) || record.stamp.feed_seq == stored.seq {
            record.stamp.feed_seq = Some(seq);
            record.follow(Stamp {
                author: Some(stored.intent.author),
                captured_at: Some(stored.intent.captured_at),
                merged_at: Some(merged_at),
                feed_seq: Some(seq),
            });
        }
    }
    Ok(false)
}

/// Something was written under this tablet's name that is not in its file: it was copied, or an older copy was restored.
/// What is written from now on is another actor's, so that the two never continue one history.
fn notice_twin(tx: &mut Tx<'_>, now_us: i64) {
    let known = tx.meta.copied_at.is_some_and(|at| now_us.saturating_sub(at) < US_PER_DAY);
    if !known {
        tx.meta.generation = tx.meta.generation.saturating_add(1);
        tx.meta.copied_at = Some(now_us);
        tx.touch(STATUS);
    }
}
