//! Other people's changes: joined to their documents and noted.
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

/// Joins a change to its document and notes it.
pub(super) fn apply(
    tx: &Tx<'_>,
    batch: &mut Batch,
    seq: i64,
    document: DocumentId,
    incoming: Incoming<'_>,
) -> Result<Joined, ReplicaError> {
    // A table this app does not know: a newer one does.
    let Ok(table) = table_of(&document) else { return Ok(Joined::Older) };
    let joined = join(batch.document(&tx.sql, document)?, incoming);
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
