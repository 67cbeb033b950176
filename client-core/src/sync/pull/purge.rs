//! Purging: everything this tablet holds of a document that is not its any more.
//!
//! Owns what has to go beside the row: the document, the accepted edits kept to heal a restored server. Never deletes an
//! edit that was not merged: a person wrote it and nobody else has it. Invariant: a receipt is told only after the
//! write-ahead log was emptied behind the deletion.

use crate::error::ReplicaError;
use crate::project::{Batch, table_of};
use crate::replica::Replica;
use crate::store::intents::{self, State};
use crate::store::{Tx, changes as pending, receipts};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::fate::Code;
use neonpro_contract::limits::RECEIPTS_MAX;
use neonpro_contract::time::DeviceInstant;
use neonpro_contract::wire::{Receipt, Received};
use std::collections::BTreeSet;

/// The server withdrew a document. Edits that wait on it are kept for a person; returns how many.
pub(super) fn withdraw(
    tx: &mut Tx<'_>,
    batch: &mut Batch,
    seq: i64,
    document: DocumentId,
    now_us: i64,
) -> Result<u64, ReplicaError> {
    receipts::append(&tx.sql, seq, &document)?;
    if table_of(&document).is_err() {
        return Ok(0);
    }
    batch.document(&tx.sql, document)?.withdraw()?;
    let mut set_aside = 0u64;
    for change in pending::list_pending(&tx.sql, &document)? {
        let stored = intents::load(&tx.sql, change.n)?;
        if stored.state == State::Queued {
            let code = Code::ConsentWithdrawn;
            intents::mark_set_aside(&tx.sql, change.n, State::Rejected, code, "here", now_us)?;
            set_aside = set_aside.saturating_add(1);
        }
    }
    Ok(set_aside)
}

/// Forgets accepted edits of purged documents. They cannot heal a restored server any more, and must not.
pub(super) fn forget_edits(tx: &Tx<'_>, purged: &BTreeSet<DocumentId>) -> Result<(), ReplicaError> {
    if purged.is_empty() {
        return Ok(());
    }
    for stored in intents::list_in_state(&tx.sql, State::Accepted)? {
        if stored.intent.documents.iter().any(|part| purged.contains(&part.document)) {
            intents::purge(&tx.sql, stored.n)?;
        }
    }
    Ok(())
}

impl Replica {
    /// Empties the log behind deletions and notes that the bytes are gone. Says whether they are.
    pub(crate) fn finish_purges(&self) -> Result<bool, ReplicaError> {
        let store = &self.inner.store;
        let last = store.read(|conn| receipts::find_last_unpurged(conn))?;
        // Files of what was withdrawn go before anybody is told that it is gone.
        if last.is_some() {
            self.sweep_blobs()?;
        }
        if !store.checkpoint()? {
            return Ok(false);
        }
        let Some(last) = last else { return Ok(true) };
        let now_us = self.inner.clock.now_us();
        store.write(|tx| {
            let at = DeviceInstant(tx.meta.server_time(now_us));
            receipts::mark_purged(&tx.sql, last, at)
        })?;
        Ok(true)
    }

    /// Receipts to send. A purge that a reader or the end of the app interrupted is finished first.
    pub(crate) fn take_receipts(&self) -> Result<Vec<Receipt>, ReplicaError> {
        let store = &self.inner.store;
        if store.read(|conn| receipts::find_last_unpurged(conn))?.is_some() {
            self.finish_purges()?;
        }
        store.read(|conn| receipts::list_purged(conn, RECEIPTS_MAX))
    }

    /// The server keeps these receipts. Says whether more are left.
    pub(crate) fn forget_receipts(&self, received: &Received) -> Result<bool, ReplicaError> {
        self.inner.store.write(|tx| {
            receipts::purge(&tx.sql, &received.seqs)?;
            receipts::any(&tx.sql)
        })
    }
}
