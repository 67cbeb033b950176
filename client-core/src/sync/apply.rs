//! What became of a frame once it was applied and committed.

use super::{fates, pull};
use crate::crash;
use crate::error::ReplicaError;
use crate::replica::Replica;
use crate::store::{Tx, outbox, receipts};
use neonpro_contract::digest::Digest;
use neonpro_contract::ids::EditId;
use neonpro_contract::wire::{Fates, Frame};

/// What applying a frame did, after its commit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// Last feed number applied; -1 while the first sync runs.
    pub cursor: i64,
    /// Newest feed number heard of.
    pub head: i64,
    /// Digest over confirmed documents.
    pub digest: Digest,
    /// Documents were found to differ from the server's.
    pub differs: bool,
    /// Feed entries it held.
    pub entries: u64,
    /// Records it held.
    pub records: u64,
    /// Edits found merged.
    pub accepted: u64,
    /// Edits set aside.
    pub set_aside: u64,
    /// There may be edits to send that were not there before.
    pub requeued: bool,
    /// A document was purged; its bytes must leave the log.
    pub purged: bool,
    /// Purge receipts wait for the server's word.
    pub receipts: bool,
    /// Edits without a settled fate.
    pub waiting: u64,
    /// Of these, edits the server keeps until a dependency arrives.
    pub held: u64,
    /// Questions and decisions about set-aside edits the server has not answered.
    pub unanswered: u64,
}

impl Replica {
    /// Applies a frame of the server (`Page`, `Rows` or `Repair`) in one transaction, as the sync engine does.
    ///
    /// # Errors
    /// A frame that does not fit where the replica stands, or a storage failure; nothing was written then.
    pub fn receive(&self, frame: &Frame) -> Result<Applied, ReplicaError> {
        let now_us = self.inner.clock.now_us();
        let store = &self.inner.store;
        let applied = match frame {
            Frame::Page(page) => {
                let entries = page.entries().map_err(|_| ReplicaError::Protocol("page"))?;
                let applied = store.write_refetchable(|tx| pull::page::apply(tx, page, &entries, now_us))?;
                crash::point("page.after_commit");
                applied
            }
            Frame::Rows(page) => {
                let records = pull::rows::decode(page)?;
                let applied = store.write_refetchable(|tx| pull::rows::apply(tx, page, records, now_us))?;
                crash::point("rows.after_commit");
                applied
            }
            Frame::Repair(repair) => {
                let entries = repair.entries().map_err(|_| ReplicaError::Protocol("repair"))?;
                store.write_refetchable(|tx| pull::repair::apply(tx, repair, &entries, now_us))?
            }
            _ => return Err(ReplicaError::Protocol("frame")),
        };
        if applied.purged {
            crash::point("purge.before_checkpoint");
            // What was withdrawn must not stay readable in the log. If a reader is in the way, sending receipts tries again.
            self.finish_purges()?;
            crash::point("purge.after_checkpoint");
        }
        Ok(applied)
    }

    /// Applies the server's answer to one push of these edits.
    pub(crate) fn receive_fates(&self, sent: &[EditId], frame: &Fates) -> Result<Applied, ReplicaError> {
        let now_us = self.inner.clock.now_us();
        // After a power loss the server is asked again and answers the same.
        let applied = self.inner.store.write_refetchable(|tx| fates::apply(tx, sent, frame, now_us))?;
        crash::point("fates.after_commit");
        Ok(applied)
    }
}

impl Applied {
    /// Where the replica stands after the transaction.
    pub(crate) fn at(tx: &Tx<'_>) -> Result<Self, ReplicaError> {
        Ok(Self {
            cursor: tx.meta.cursor,
            head: tx.meta.head,
            digest: tx.meta.digest,
            differs: tx.meta.repair,
            waiting: outbox::count_waiting(&tx.sql)?,
            held: outbox::count_held(&tx.sql)?,
            receipts: receipts::any(&tx.sql)?,
            unanswered: outbox::count_unanswered(&tx.sql)?,
            ..Self::default()
        })
    }
}
