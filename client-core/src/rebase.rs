//! Rebase: expressing edits anew on another base, under the same ids and with the same author and capture time.
//!
//! One operation for set-aside edits, newer document epochs, re-seeding and repair. Invariant: an edit whose bytes may
//! be with the server, unanswered, is never expressed anew under a new actor: its fate is awaited first.

use crate::edit::{OnNothing, express, seal};
use crate::error::{EditRejected, ReplicaError};
use crate::project::Batch;
use crate::store::intents::{self, Reexpressed, State, StoredIntent};
use crate::store::{Tx, changes};
use crate::watch::{ATTENTION, STATUS};
use neonpro_contract::document::{Actor, EditError, Header};
use neonpro_contract::edit::FieldOp;
use neonpro_contract::edit::{DocumentId, Intent};
use neonpro_contract::fate::Code;
use neonpro_contract::ids::RecordId;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// Rolls back edits that were set aside, once nothing is in flight: their documents return to what the server has,
/// the device takes a new actor, and every later edit is expressed anew. Says whether it did.
pub(crate) fn roll_back(tx: &mut Tx<'_>, now_us: i64) -> Result<bool, ReplicaError> {
    let rejected = intents::list_in_state(&tx.sql, State::Rejected)?;
    if rejected.is_empty() || intents::any_in_state(&tx.sql, &[State::Sent, State::Unknown])? {
        return Ok(false);
    }
    let mut again = intents::list_in_state(&tx.sql, State::Queued)?;
    let mut batch = Batch::default();
    for stored in rejected.iter().chain(&again) {
        for part in &stored.intent.documents {
            batch.document(&tx.sql, part.document)?.drop_pending(stored.n);
        }
    }
    let mut lost = BTreeSet::new();
    let forked = rejected.iter().any(|stored| stored.code == Some(Code::ActorForked));
    let mut left = BTreeSet::new();
    for stored in rejected {
        if forked && only_forked(&stored, &left, &lost) {
            intents::mark_state(&tx.sql, stored.n, State::Queued)?;
            again.push(StoredIntent { reexpressed: Reexpressed::Unsent, ..stored });
            continue;
        }
        intents::mark_state(&tx.sql, stored.n, State::SetAside)?;
        left.extend(stored.intent.documents.iter().map(|part| part.document));
        lost.extend(created(&stored.intent));
    }
    if forked {
        // Somebody writes under this tablet's name: a copy of its file.
        tx.meta.copied_at = Some(now_us);
    }
    again.sort_by_key(|stored| stored.n);
    tx.meta.generation = tx.meta.generation.saturating_add(1);
    let actor = Actor::of(tx.identity.device, tx.meta.generation);
    for stored in &again {
        reexpress(tx, &mut batch, stored, actor, &mut lost, now_us)?;
    }
    batch.flush(tx, now_us)?;
    tx.touch(ATTENTION);
    tx.touch(STATUS);
    Ok(true)
}

/// Whether nothing but its actor stood in an edit's way: under the new one it can go, and nobody need decide anything.
fn only_forked(stored: &StoredIntent, left: &BTreeSet<DocumentId>, lost: &BTreeSet<RecordId>) -> bool {
    match stored.code {
        Some(Code::ActorForked) => true,
        Some(Code::DependsOnSetAside) => {
            let free = stored.intent.documents.iter().all(|part| !left.contains(&part.document));
            free && !depends_on(&stored.intent, lost)
        }
        _ => false,
    }
}

/// Takes a set-aside edit up again, because the server released it and its old bytes do not fit any more. One that cannot
/// be expressed stays with its reason. Says whether it goes out.
pub(crate) fn take_up(tx: &mut Tx<'_>, stored: &StoredIntent, now_us: i64) -> Result<bool, ReplicaError> {
    let mut batch = Batch::default();
    let actor = Actor::of(tx.identity.device, tx.meta.generation);
    let changes = match express(tx, &mut batch, &stored.intent, actor, OnNothing::Skip) {
        Ok(changes) => changes,
        Err(EditRejected::Replica(error)) => return Err(error),
        Err(error) => {
            let code = error.as_fate_code();
            intents::mark_set_aside(&tx.sql, stored.n, State::SetAside, code, "quarantined", now_us)?;
            return Ok(false);
        }
    };
    tx.touch(ATTENTION);
    tx.touch(STATUS);
    if changes.is_empty() {
        intents::mark_closed(&tx.sql, stored.n, "released", None, now_us)?;
        return Ok(false);
    }
    let sealed = seal::seal(&tx.identity, &stored.intent, &changes)
        .map_err(|_| ReplicaError::Bookkeeping("envelope"))?;
    let n = intents::mark_taken_up(&tx.sql, stored.n, &stored.intent, &changes, &sealed)?;
    for change in &changes {
        batch.document(&tx.sql, change.document)?.push_pending(n, change);
    }
    for part in stored.intent.documents.iter().filter(|part| part.create) {
        batch.project(&tx.sql, part.document)?;
        let record =
            batch.record(&tx.sql, crate::project::table_of(&part.document)?, part.document.record)?;
        record.row.set_derived_defaults();
        record.row.touch(stored.intent.captured_at);
        record.stamp.author = Some(stored.intent.author);
        record.stamp.captured_at = Some(stored.intent.captured_at);
    }
    batch.flush(tx, now_us)?;
    Ok(true)
}

/// Edits that wait on the server for records which have just arrived are sent again. Only those it had merged once: a
/// restored server may have been without their records.
pub(crate) fn send_again(tx: &Tx<'_>, arrived: &BTreeSet<RecordId>) -> Result<bool, ReplicaError> {
    if arrived.is_empty() {
        return Ok(false);
    }
    let mut any = false;
    for stored in intents::list_in_state(&tx.sql, State::Held)? {
        if stored.seq.is_some() && depends_on(&stored.intent, arrived) {
            intents::mark_state(&tx.sql, stored.n, State::Queued)?;
            any = true;
        }
    }
    Ok(any)
}

/// Expresses one queued edit anew, or sets it aside if it builds on something that is gone.
fn reexpress(
    tx: &mut Tx<'_>,
    batch: &mut Batch,
    stored: &StoredIntent,
    actor: Actor,
    lost: &mut BTreeSet<RecordId>,
    now_us: i64,
) -> Result<(), ReplicaError> {
    let code = if depends_on(&stored.intent, lost) {
        Some(Code::DependsOnSetAside)
    } else {
        match express(tx, batch, &stored.intent, actor, OnNothing::Skip) {
            Ok(changes) if changes.is_empty() => {
                intents::mark_accepted(&tx.sql, stored.n, None, now_us)?;
                None
            }
            Ok(changes) => match seal::seal(&tx.identity, &stored.intent, &changes) {
                Ok(sealed) => {
                    changes::purge_all(&tx.sql, stored.n)?;
                    changes::append(&tx.sql, stored.n, &changes)?;
                    // An old form of a forked edit may be with the server.
                    intents::mark_resealed(&tx.sql, stored.n, &sealed, stored.reexpressed)?;
                    for change in &changes {
                        batch.document(&tx.sql, change.document)?.push_pending(stored.n, change);
                    }
                    None
                }
                Err(error) => Some(error.as_fate_code()),
            },
            Err(error) => Some(error.as_fate_code()),
        }
    };
    if let Some(code) = code {
        lost.extend(created(&stored.intent));
        intents::mark_set_aside(&tx.sql, stored.n, State::SetAside, code, "here", now_us)?;
    }
    Ok(())
}

fn created(intent: &Intent) -> impl Iterator<Item = RecordId> {
    intent.documents.iter().filter(|part| part.create).map(|part| part.document.record)
}

/// Whether an edit touches or names a record whose creation is gone.
fn depends_on(intent: &Intent, lost: &BTreeSet<RecordId>) -> bool {
    let names = |op: &FieldOp| match op {
        FieldOp::Put { value: Json::String(text), .. } => {
            text.parse().is_ok_and(|id: RecordId| lost.contains(&id))
        }
        _ => false,
    };
    intent.documents.iter().any(|part| lost.contains(&part.document.record) || part.ops.iter().any(names))
}

/// After a document got a new base: pending changes that do not fit it are expressed anew on it. The actor stays: the
/// server has none of its changes to this document that are not part of the base.
pub(crate) fn settle(
    tx: &mut Tx<'_>,
    batch: &mut Batch,
    id: DocumentId,
    now_us: i64,
) -> Result<(), ReplicaError> {
    let misfits = batch.document(&tx.sql, id)?.misfits().to_vec();
    let actor = Actor::of(tx.identity.device, tx.meta.generation);
    for n in misfits {
        let stored = intents::load(&tx.sql, n)?;
        let Some(part) = stored.intent.documents.iter().find(|part| part.document == id) else { continue };
        if stored.state == State::Rejected {
            continue;
        }
        let header = Header {
            edit: stored.intent.edit,
            author: stored.intent.author,
            capture: stored.intent.capture(),
            seen_seq: stored.intent.seen_seq,
        };
        let working = batch.document(&tx.sql, id)?;
        working.drop_pending(n);
        match working.edit(actor, &header, part.create, &part.ops) {
            Ok(change) => {
                working.push_pending(n, &change);
                changes::replace(&tx.sql, n, &change)?;
            }
            Err(EditError::NothingToDo) => changes::purge(&tx.sql, n, &id)?,
            Err(_) if stored.state == State::Queued => {
                let code = Code::DependsOnSetAside;
                intents::mark_set_aside(&tx.sql, n, State::Rejected, code, "here", now_us)?;
                continue;
            }
            // With the server already: its fate decides.
            Err(_) => continue,
        }
        reseal(tx, &stored, now_us)?;
    }
    Ok(())
}

/// Signs an edit again after one of its changes was made anew.
fn reseal(tx: &mut Tx<'_>, stored: &StoredIntent, now_us: i64) -> Result<(), ReplicaError> {
    let changes = changes::list(&tx.sql, stored.n)?;
    if changes.is_empty() {
        return intents::mark_accepted(&tx.sql, stored.n, None, now_us);
    }
    let sealed = seal::seal(&tx.identity, &stored.intent, &changes)
        .map_err(|_| ReplicaError::Bookkeeping("envelope"))?;
    let flag = if stored.state == State::Queued { stored.reexpressed } else { Reexpressed::Unsent };
    intents::mark_resealed(&tx.sql, stored.n, &sealed, flag)?;
    if stored.state == State::Held {
        intents::mark_state(&tx.sql, stored.n, State::Queued)?;
    }
    Ok(())
}
