//! Edits that need a person: what was set aside, why, and what can be done. Nothing is ever deleted.

use super::Replica;
use crate::draft::{Draft, DraftDocument};
use crate::edit::{self, Edited, Given};
use crate::error::{EditRejected, ReplicaError};
use crate::store::intents::{self, State, StoredIntent};
use crate::watch::{ATTENTION, STATUS};
use neonpro_contract::catalogue::table_by_id;
use neonpro_contract::edit::DocumentIntent;
use neonpro_contract::fate::Code;
use neonpro_contract::ids::{AuthorId, EditId};
use neonpro_contract::limits::HANDOVER_BYTES_MAX;

/// Where the edit is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The server keeps it sealed: it may still be released.
    Quarantined,
    /// Only this tablet has it.
    Refused,
    /// The server keeps it until a dependency arrives; nothing needs to be done yet.
    Held,
}

/// An edit that needs a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    /// The edit.
    pub edit: EditId,
    /// Who did it.
    pub author: AuthorId,
    /// Why it was set aside; `None` while it is only held.
    pub code: Option<Code>,
    /// What can be done.
    pub remedy: &'static str,
    /// What was done: documents and operations, with the person's own words.
    pub documents: Vec<DocumentIntent>,
    /// When it was captured (µs, device).
    pub captured_us: i64,
    /// Since when it waits (µs).
    pub since_us: i64,
    /// Where it is now.
    pub place: Place,
    /// Who decided about it on the server, if a person did.
    pub decided_by: Option<AuthorId>,
    /// Why, in that person's words.
    pub reason: Option<String>,
}

impl Replica {
    /// Everything that needs a person, oldest first; held edits last.
    ///
    /// # Errors
    /// A storage failure.
    pub fn attention(&self) -> Result<Vec<Attention>, ReplicaError> {
        self.readable()?;
        self.inner.store.read(|conn| {
            let mut found = Vec::new();
            for state in [State::Rejected, State::SetAside, State::Held] {
                found.extend(
                    intents::list_in_state(conn, state)?.into_iter().map(|stored| attention(state, stored)),
                );
            }
            Ok(found)
        })
    }

    /// Does it again on what the record is now: the same edit, with its original author and capture time. The id stays, so
    /// it is merged once, even if the server releases the one it keeps.
    ///
    /// # Errors
    /// No such edit, or one that still does not fit.
    pub fn resend(&self, edit: EditId) -> Result<Edited, EditRejected> {
        let edited = self.inner.store.write(|tx| {
            let stored = set_aside(intents::find(&tx.sql, edit)?)?;
            let draft = draft(&stored)?;
            let mut fresh = || self.new_record_id();
            let given = self.given(&mut fresh, Some(stored.intent.capture()));
            let given = Given { edit, again: Some(stored.n), ..given };
            let edited = edit::perform(tx, &draft, given)?;
            tx.touch(ATTENTION);
            Ok::<_, EditRejected>(edited)
        })?;
        self.inner.outbox.notify_one();
        Ok(edited)
    }

    /// Leaves it to the administrator: the server gets its words, also those of an edit it had refused to keep. It stays on
    /// this tablet, out of the list.
    ///
    /// # Errors
    /// No such edit, or one too large for a frame.
    pub fn hand_over(&self, edit: EditId, by: AuthorId) -> Result<(), EditRejected> {
        self.close_attention(edit, "handed_over", by)
    }

    /// Takes it off the list, noting who and when. It stays on this tablet; the server will not release it by itself.
    ///
    /// # Errors
    /// No such edit.
    pub fn dismiss(&self, edit: EditId, by: AuthorId) -> Result<(), EditRejected> {
        self.close_attention(edit, "dismissed", by)
    }

    fn close_attention(&self, edit: EditId, how: &str, by: AuthorId) -> Result<(), EditRejected> {
        let now_us = self.inner.clock.now_us();
        self.inner.store.write(|tx| {
            let stored = set_aside(intents::find(&tx.sql, edit)?)?;
            let words = serde_json::to_string(&stored.intent).map_or(usize::MAX, |text| text.len());
            if how == "handed_over" && words > HANDOVER_BYTES_MAX {
                return Err(EditRejected::TooLarge);
            }
            intents::mark_closed(&tx.sql, stored.n, how, Some(by.0.as_bytes()), now_us)?;
            tx.touch(ATTENTION);
            tx.touch(STATUS);
            Ok(())
        })?;
        self.inner.outbox.notify_one();
        Ok(())
    }
}

fn set_aside(stored: Option<StoredIntent>) -> Result<StoredIntent, EditRejected> {
    stored.filter(|stored| stored.state == State::SetAside).ok_or(EditRejected::NoSuchEdit)
}

fn attention(state: State, stored: StoredIntent) -> Attention {
    let place = match (state, stored.set_aside_as.as_deref()) {
        (State::Held, _) => Place::Held,
        (_, Some("quarantined")) => Place::Quarantined,
        _ => Place::Refused,
    };
    Attention {
        edit: stored.intent.edit,
        author: stored.intent.author,
        code: stored.code.filter(|_| place != Place::Held),
        remedy: stored.code.map_or("nothing to do: it resolves by itself", Code::remedy),
        captured_us: stored.intent.captured_at.0,
        since_us: stored.settled_at.unwrap_or(stored.intent.captured_at.0),
        documents: stored.intent.documents,
        place,
        decided_by: stored.decided_by,
        reason: stored.reason,
    }
}

fn draft(stored: &StoredIntent) -> Result<Draft, EditRejected> {
    let documents = stored.intent.documents.iter().map(|part| {
        let table = table_by_id(part.document.table).ok_or(EditRejected::UnknownTable)?;
        Ok(DraftDocument {
            table: table.name.to_owned(),
            record: Some(part.document.record),
            create: part.create,
            ops: part.ops.clone(),
            retire: None,
        })
    });
    Ok(Draft { author: stored.intent.author, documents: documents.collect::<Result<_, EditRejected>>()? })
}
