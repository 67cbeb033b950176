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
use neonpro_contract::ids::{AuthorId, EditId};
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
    let mut outcome = Outcome::default();
    let mut batch = Batch::default();
    for (edit, answer) in sent.iter().zip(&frame.fates) {
        if answer.edit.is_some_and(|told| told != *edit) {
            return Err(ReplicaError::Protocol("fates"));
        }
        let Some(stored) = intents::find(&tx.sql, *edit)? else { continue };
        if stored.asked {
            intents::mark_answered(&tx.sql, stored.n)?;
        }
        take(tx, &mut batch, &stored, &answer.fate, &mut outcome, now_us)?;
    }
    let Outcome { accepted, set_aside, mut requeued, taken_up } = outcome;
    batch.flush(tx, now_us)?;
    crash::point("fates.after_accepted");
    requeued |= take_up(tx, &taken_up, now_us)?;
    requeued |= rebase::roll_back(tx, now_us)?;
    crash::point("fates.after_rollback");
    tx.touch(STATUS);
    if set_aside > 0 {
        tx.touch(ATTENTION);
    }
    crash::point("fates.before_commit");
    Ok(Applied { accepted, set_aside, requeued, ..Applied::at(tx)? })
}

/// What the answers to one push come to.
#[derive(Debug, Default)]
struct Outcome {
    accepted: u64,
    set_aside: u64,
    requeued: bool,
    /// Released edits that are to be expressed anew.
    taken_up: Vec<EditId>,
}

/// Takes one answer in.
fn take(
    tx: &mut Tx<'_>,
    batch: &mut Batch,
    stored: &StoredIntent,
    fate: &Fate,
    outcome: &mut Outcome,
    now_us: i64,
) -> Result<(), ReplicaError> {
    match fate {
        Fate::Accepted { seq, merged_at } | Fate::Duplicate { seq, merged_at } => {
            // One whose own header came by the feed before this answer is counted already.
            outcome.accepted = outcome.accepted.saturating_add(u64::from(stored.state.is_pending()));
            let first_time = matches!(fate, Fate::Accepted { .. });
            let told = Told { seq: *seq, merged_at: ServerInstant(*merged_at), first_time };
            merge(tx, batch, stored, told, now_us)?;
        }
        Fate::Held { .. } => {
            outcome.requeued |= wait(tx, stored)?;
            // What is missing may be a base that differs here: the documents are fetched to make sure.
            tx.meta.repair = true;
        }
        Fate::Rebase { .. } if !stored.state.is_pending() => outcome.taken_up.push(stored.intent.edit),
        Fate::Rebase { document, epoch } => {
            if batch.document(&tx.sql, *document)?.epoch >= *epoch {
                rebase::settle(tx, batch, *document, now_us)?;
                intents::mark_state(&tx.sql, stored.n, State::Queued)?;
                outcome.requeued = true;
            } else {
                // The newer document is on its way; its arrival puts the edit back into the outbox.
                outcome.requeued |= wait(tx, stored)?;
            }
        }
        // Merged once, then lost with the server's database: what it builds on may be on its way back.
        Fate::Quarantined { code: Code::DependsOnSetAside } | Fate::Refused { code: Code::NotFound }
            if stored.seq.is_some() && stored.state.is_pending() =>
        {
            outcome.requeued |= wait(tx, stored)?;
        }
        Fate::Quarantined { code } | Fate::Refused { code } => {
            let news = refuse(tx, stored, *code, fate.as_str(), now_us)?;
            outcome.set_aside = outcome.set_aside.saturating_add(u64::from(news));
        }
    }
    Ok(())
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
    match stored.state {
        State::SetAside => {
            intents::mark_set_aside(&tx.sql, stored.n, State::SetAside, code, how, now_us)?;
            Ok(false)
        }
        state if state.is_pending() && state != State::Rejected => {
            intents::mark_set_aside(&tx.sql, stored.n, State::Rejected, code, how, now_us)?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Takes released edits up again; says whether any goes out.
pub(crate) fn take_up(tx: &mut Tx<'_>, edits: &[EditId], now_us: i64) -> Result<bool, ReplicaError> {
    let mut any = false;
    for edit in edits {
        if let Some(stored) = intents::find(&tx.sql, *edit)?
            && !stored.state.is_pending()
            && stored.state != State::Accepted
        {
            any |= rebase::take_up(tx, &stored, now_us)?;
        }
    }
    Ok(any)
}

/// What the feed tells about an edit after its push was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToldLater<'a> {
    pub edit: EditId,
    pub fate: &'a Fate,
    pub by: Option<AuthorId>,
    pub reason: Option<&'a str>,
}

/// What is left to do once the page is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consequence {
    Nothing,
    /// It was merged, and still waited here.
    Merged,
    /// It was set aside, and still waited here.
    SetAside,
    /// It is released: to be expressed anew.
    TakeUp,
    /// It is to be sent again.
    Resend,
}

/// Takes in what became of an edit later: merged, set aside after a wait, discarded, released.
pub(crate) fn hear(
    tx: &mut Tx<'_>,
    batch: &mut Batch,
    told: ToldLater<'_>,
    now_us: i64,
) -> Result<Consequence, ReplicaError> {
    let Some(stored) = intents::find(&tx.sql, told.edit)? else { return Ok(Consequence::Nothing) };
    intents::mark_known_there(&tx.sql, stored.n)?;
    tx.touch(ATTENTION);
    let pending = stored.state.is_pending();
    Ok(match told.fate {
        Fate::Accepted { .. } | Fate::Duplicate { .. } if stored.state == State::Accepted => {
            Consequence::Nothing
        }
        Fate::Accepted { seq, merged_at } | Fate::Duplicate { seq, merged_at } if pending => {
            let told = Told { seq: *seq, merged_at: ServerInstant(*merged_at), first_time: false };
            merge(tx, batch, &stored, told, now_us)?;
            Consequence::Merged
        }
        // Its changes come (or came) by the feed.
        Fate::Accepted { .. } | Fate::Duplicate { .. } => {
            intents::mark_closed(&tx.sql, stored.n, "released", None, now_us)?;
            Consequence::Nothing
        }
        Fate::Quarantined { code } | Fate::Refused { code } => {
            intents::mark_decided(&tx.sql, stored.n, told.by, told.reason)?;
            let how = if *code == Code::Discarded { "discarded" } else { told.fate.as_str() };
            if refuse(tx, &stored, *code, how, now_us)? {
                Consequence::SetAside
            } else {
                Consequence::Nothing
            }
        }
        Fate::Rebase { .. } if stored.state == State::Held => {
            intents::mark_state(&tx.sql, stored.n, State::Queued)?;
            Consequence::Resend
        }
        Fate::Rebase { .. } if !pending && stored.state != State::Accepted => Consequence::TakeUp,
        Fate::Rebase { .. } | Fate::Held { .. } => Consequence::Nothing,
    })
}
