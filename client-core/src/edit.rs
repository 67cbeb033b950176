//! One edit: everything it means, in one write transaction.
//!
//! Change, intent, projection, outbox and conflicts are written together or not at all: there is no state "saved but
//! not queued". Never waits for the network. Invariant: an edit that was acknowledged is in the outbox.

pub(crate) mod check;
pub(crate) mod consents;
pub(crate) mod plan;
pub(crate) mod scope;
pub(crate) mod seal;

use crate::crash;
use crate::draft::Draft;
use crate::error::EditRejected;
use crate::project::Batch;
use crate::store::{Tx, intents};
use crate::watch::STATUS;
use neonpro_contract::document::{Actor, Header};
use neonpro_contract::edit::{DocumentChange, DocumentId, DocumentIntent, Intent};
use neonpro_contract::fate::Code;
use neonpro_contract::ids::{EditId, RecordId};
use neonpro_contract::row::Row;
use neonpro_contract::time::Capture;
use plan::Planned;

/// A record as an edit left it.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// Name of its table.
    pub table: &'static str,
    /// Its id.
    pub id: RecordId,
    /// Its values now.
    pub row: Row,
}

/// An edit that was taken: durable, shown, and on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Edited {
    /// The edit.
    pub edit: EditId,
    /// The documents it touches.
    pub documents: Vec<DocumentId>,
    /// The records it changed, for redrawing.
    pub records: Vec<Changed>,
    /// What the server will most likely say about consent. It decides; the edit is kept either way.
    pub warning: Option<Code>,
    /// What the scope of practice says of the act, where the edit is one. Kept either way, too.
    pub scope: Option<scope::ScopePreview>,
}

impl Edited {
    /// Id of the first record.
    #[must_use]
    pub fn record(&self) -> Option<RecordId> {
        self.records.first().map(|changed| changed.id)
    }
}

/// What an edit is given from outside.
pub(crate) struct Given<'a> {
    pub now_us: i64,
    pub edit: EditId,
    /// Ids for records that are created without one.
    pub fresh: &'a mut dyn FnMut() -> RecordId,
    /// Capture of an earlier act that is done again; `None` for now.
    pub capture: Option<Capture>,
    /// The place of the set-aside edit that is taken up again under its id.
    pub again: Option<i64>,
}

/// Takes a draft.
pub(crate) fn perform(tx: &mut Tx<'_>, draft: &Draft, given: Given<'_>) -> Result<Edited, EditRejected> {
    crash::point("edit.after_begin");
    let capture = given.capture.unwrap_or_else(|| tx.meta.capture(given.now_us));
    if !tx.meta.admits(draft.author) {
        return Err(EditRejected::UnknownAuthor);
    }
    let role = check::find_role(&tx.sql, draft.author)?.ok_or(EditRejected::UnknownAuthor)?;
    let mut planned = plan::documents(draft, capture.at.0, given.fresh)?;
    check::authority(&planned, role, tx.identity.audience)?;
    let mut batch = Batch::default();
    check::existence(&tx.sql, &mut batch, &planned)?;
    consents::fill_seen_withdrawals(&tx.sql, &mut planned)?;

    let intent = Intent {
        edit: given.edit,
        author: draft.author,
        captured_at: capture.at,
        uncertainty_ms: capture.uncertainty_ms,
        seen_seq: tx.meta.seen_seq(),
        documents: planned.iter().map(Planned::to_intent).collect(),
    };
    let actor = Actor::of(tx.identity.device, tx.meta.generation);
    let changes = express(tx, &mut batch, &intent, actor, OnNothing::Refuse)?;
    let purpose = check::result(&tx.sql, &mut batch, &planned, tx.identity.audience)?;
    let when = (capture, tx.meta.server_time(given.now_us));
    let warning = consents::warning(&tx.sql, &mut batch, &planned, purpose, when, tx.meta.seen_seq())?;
    let scope = scope::preview(&tx.sql, &mut batch, &planned, draft.author, capture)?;
    crash::point("edit.after_changes");

    let sealed = seal::seal(&tx.identity, &intent, &changes)?;
    let n = match given.again {
        Some(n) => intents::mark_taken_up(&tx.sql, n, &intent, &changes, &sealed)?,
        None => intents::append(&tx.sql, &intent, &changes, &sealed.envelope, &sealed.signature)?,
    };
    crash::point("edit.after_intent");
    for change in &changes {
        batch.document(&tx.sql, change.document)?.push_pending(n, change);
    }
    let records = changed_records(tx, &mut batch, &planned, capture, draft)?;
    batch.flush(tx, given.now_us)?;
    tx.touch(STATUS);
    crash::point("edit.before_commit");
    Ok(Edited {
        edit: given.edit,
        documents: changes.iter().map(|change| change.document).collect(),
        records,
        warning,
        scope,
    })
}

#[cfg(test)]
mod tests;

/// What to do with a document an edit would not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnNothing {
    /// The whole edit is refused if it changes nothing at all.
    Refuse,
    /// It simply is not part of the edit any more.
    Skip,
}

/// Expresses an intent as changes on top of what the screens show.
pub(crate) fn express(
    tx: &Tx<'_>,
    batch: &mut Batch,
    intent: &Intent,
    actor: Actor,
    on_nothing: OnNothing,
) -> Result<Vec<DocumentChange>, EditRejected> {
    let header = Header {
        edit: intent.edit,
        author: intent.author,
        capture: intent.capture(),
        seen_seq: intent.seen_seq,
    };
    let mut changes = Vec::new();
    for DocumentIntent { document, create, ops } in &intent.documents {
        let working = batch.document(&tx.sql, *document)?;
        match working.edit(actor, &header, *create, ops) {
            Ok(change) => changes.push(change),
            Err(neonpro_contract::document::EditError::NothingToDo) => {}
            Err(error) => {
                for touched in &intent.documents {
                    batch.document(&tx.sql, touched.document)?.discard_uncounted();
                }
                return Err(error.into());
            }
        }
    }
    if changes.is_empty() && on_nothing == OnNothing::Refuse {
        return Err(EditRejected::NothingToDo);
    }
    Ok(changes)
}

/// Finishes the rows of the edit and returns them.
fn changed_records(
    tx: &Tx<'_>,
    batch: &mut Batch,
    planned: &[Planned],
    capture: Capture,
    draft: &Draft,
) -> Result<Vec<Changed>, EditRejected> {
    let mut changed: Vec<Changed> = Vec::new();
    for part in planned {
        let id = part.document.record;
        let record = batch.record(&tx.sql, part.table, id)?;
        if part.create {
            record.row.set_derived_defaults();
            record.row.touch(capture.at);
            record.stamp.author = Some(draft.author);
            record.stamp.captured_at = Some(capture.at);
        }
        let row = record.row.clone();
        match changed.iter_mut().find(|known| known.id == id && known.table == part.table.name) {
            Some(known) => known.row = row,
            None => changed.push(Changed { table: part.table.name, id, row }),
        }
    }
    Ok(changed)
}
