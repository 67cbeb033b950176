//! What the server said about edits that were pushed.
//!
//! Merged ones become part of the confirmed documents; set-aside ones are kept for a person and what built on them is
//! expressed anew. Invariant: a fate is applied once, however often it is told.

use super::apply::Applied;
use crate::crash;
use crate::error::ReplicaError;
use crate::project::{Batch, table_of};
use crate::rebase;
use crate::store::documents::Standing;
use crate::store::intents::{self, Reexpressed, State, StoredIntent};
use crate::store::records::Stamp;
use crate::store::{Tx, changes};
use crate::watch::{ATTENTION, STATUS};
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::EditId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::wire::Fates;

/// Applies the answer to one push.
pub(crate) fn apply(
    tx: &mut Tx<'_>,
    sent: &[EditId],
    frame: &Fates,
    now_us: i64,
) -> Result<Applied, ReplicaError> {
    crash::point("fates.after_begin");
    if sent.len() != frame.fates.len() {
        return Err(ReplicaError::Protocol("fates"));
    }
    let (mut accepted, mut set_aside, mut requeued) = (0u64, 0u64, false);
    let mut batch = Batch::default();
    for (edit, answer) in sent.iter().zip(&frame.fates) {
        if answer.edit.is_some_and(|told| told != *edit) {
            return Err(ReplicaError::Protocol("fates"));
        }
        let Some(stored) = intents::find(&tx.sql, *edit)? else { continue };
        // One whose own header came by the feed before this answer is counted already.
        let news = u64::from(stored.state.is_pending());
        match &answer.fate {
            Fate::Accepted { seq, merged_at } => {
                accepted = accepted.saturating_add(news);
                let told = Told { seq: *seq, merged_at: ServerInstant(*merged_at), first_time: true };
                merge(tx, &mut batch, &stored, told, now_us)?;
            }
            Fate::Duplicate { seq, merged_at } => {
                accepted = accepted.saturating_add(news);
                let told = Told { seq: *seq, merged_at: ServerInstant(*merged_at), first_time: false };
                merge(tx, &mut batch, &stored, told, now_us)?;
            }
            Fate::Held { .. } => {
                requeued |= wait(tx, &stored)?;
                // What is missing may be a base that differs here: the documents are fetched to make sure.
                tx.meta.repair = true;
            }
            Fate::Rebase { document, epoch } => {
                let known = batch.document(&tx.sql, *document)?.epoch >= *epoch;
                if known && stored.state.is_pending() {
                    rebase::settle(tx, &mut batch, *document, now_us)?;
                    intents::mark_state(&tx.sql, stored.n, State::Queued)?;
                    requeued = true;
                } else {
                    // The newer document is on its way; its arrival puts the edit back into the outbox.
                    requeued |= wait(tx, &stored)?;
                }
            }
            Fate::Quarantined { code } | Fate::Refused { code } => {
                set_aside = set_aside.saturating_add(u64::from(refuse(
                    tx,
                    &stored,
                    *code,
                    answer.fate.as_str(),
                    now_us,
                )?));
            }
        }
    }
    batch.flush(tx, now_us)?;
    crash::point("fates.after_accepted");
    requeued |= rebase::roll_back(tx, now_us)?;
    crash::point("fates.after_rollback");
    tx.touch(STATUS);
    if set_aside > 0 {
        tx.touch(ATTENTION);
    }
    crash::point("fates.before_commit");
    Ok(Applied { accepted, set_aside, requeued, ..Applied::at(tx)? })
}

/// What was told about a merged edit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    pub seq: i64,
    pub merged_at: ServerInstant,
    /// Merged just now (`Accepted`), so the bytes merged are the ones sent last.
    pub first_time: bool,
}

/// An edit of this device is merged: its changes become part of the confirmed documents.
pub(crate) fn merge(
    tx: &mut Tx<'_>,
    batch: &mut Batch,
    stored: &StoredIntent,
    told: Told,
    now_us: i64,
) -> Result<(), ReplicaError> {
    tx.meta.head = tx.meta.head.max(told.seq);
    match stored.state {
        State::Accepted => return Ok(()),
        // Released on the server: its changes arrive (or already arrived) by the feed.
        State::SetAside | State::Closed => {
            tx.meta.repair = true;
            tx.touch(ATTENTION);
            return intents::mark_closed(&tx.sql, stored.n, "released", None, now_us);
        }
        State::Queued | State::Sent | State::Unknown | State::Held | State::Rejected => {}
    }
    // Bytes made anew after they were sent: the server may have merged the old ones.
    let same_bytes = match stored.reexpressed {
        Reexpressed::Never => true,
        Reexpressed::Unsent => false,
        Reexpressed::Resent => told.first_time,
    };
    let stamp = Stamp {
        author: Some(stored.intent.author),
        captured_at: Some(stored.intent.captured_at),
        merged_at: Some(told.merged_at),
        feed_seq: Some(told.seq),
    };
    for part in changes::list(&tx.sql, stored.n)? {
        let table = table_of(&part.document)?;
        let working = batch.document(&tx.sql, part.document)?;
        let joined = if same_bytes { working.accept(stored.n, told.merged_at).is_ok() } else { false };
        if joined {
            working.standing = Standing::Server;
        } else {
            working.drop_pending(stored.n);
            tx.meta.repair = true;
        }
        batch.record(&tx.sql, table, part.document.record)?.follow(stamp);
    }
    intents::mark_accepted(&tx.sql, stored.n, Some((told.seq, told.merged_at)), now_us)
}

/// Keeps an edit waiting; one whose bytes were made anew meanwhile is sent again.
fn wait(tx: &Tx<'_>, stored: &StoredIntent) -> Result<bool, ReplicaError> {
    if !stored.state.is_pending() {
        return Ok(false);
    }
    let again = stored.reexpressed == Reexpressed::Unsent;
    intents::mark_state(&tx.sql, stored.n, if again { State::Queued } else { State::Held })?;
    Ok(again)
}

/// Notes that the server set an edit aside.
fn refuse(
    tx: &Tx<'_>,
    stored: &StoredIntent,
    code: Code,
    how: &str,
    now_us: i64,
) -> Result<bool, ReplicaError> {
    if !stored.state.is_pending() || stored.state == State::Rejected {
        return Ok(false);
    }
    intents::mark_set_aside(&tx.sql, stored.n, State::Rejected, code, how, now_us)?;
    Ok(true)
}
