//! The tablet's part in the audit: it tells what was read here, and watches that the server's log only grows.
//!
//! The first key it is shown is the one it believes; the line it came over is pinned. Invariant: a checkpoint is kept only
//! if it is signed and does not contradict the one before it.

use crate::error::ReplicaError;
use crate::replica::Replica;
use crate::store::{Tx, checkpoints, reads};
use crate::watch::STATUS;
use neonpro_contract::audit::Checkpoint;
use neonpro_contract::limits::READS_MAX;
use neonpro_contract::wire::{Audited, Read};

/// The checkpoint is not signed by the key this tablet believes.
const UNSIGNED: &str = "unsigned";
/// The log is shorter than it was.
const SHRANK: &str = "shrank";
/// The log holds something else where it was known.
const FORKED: &str = "forked";

/// The stable name of a kept doubt.
pub(crate) fn doubt(kept: &str) -> &'static str {
    [UNSIGNED, SHRANK].into_iter().find(|name| *name == kept).unwrap_or(FORKED)
}

impl Replica {
    /// The next reads to tell.
    pub(crate) fn take_reads(&self) -> Result<Vec<Read>, ReplicaError> {
        self.inner.store.flush_reads();
        self.inner.store.read(|conn| reads::list(conn, READS_MAX))
    }

    /// What the server has in its audit now. Whether there is more to tell.
    pub(crate) fn receive_audited(&self, audited: &Audited) -> Result<bool, ReplicaError> {
        self.inner.store.write_refetchable(|tx| {
            reads::purge(&tx.sql, audited.reads.iter().map(|id| **id))?;
            if let Some(checkpoint) = &audited.checkpoint {
                believe(tx, checkpoint)?;
            }
            reads::any(&tx.sql)
        })
    }

    /// The checkpoints of the server's audit this tablet holds, the newest first: evidence for an auditor.
    ///
    /// # Errors
    /// A storage failure.
    pub fn checkpoints(&self) -> Result<Vec<Checkpoint>, ReplicaError> {
        self.inner.store.read(|conn| checkpoints::list(conn))
    }
}

/// Looks at what a welcome says about the audit. `restored` when the server says that it was restored from a backup: its
/// log begins another line then, and what this tablet held is evidence, not a contradiction.
pub(super) fn welcome(
    tx: &mut Tx<'_>,
    told: Option<&Checkpoint>,
    agrees: Option<bool>,
    restored: bool,
) -> Result<(), ReplicaError> {
    // A server that says nothing does not clear a doubt.
    if agrees.is_some() || restored {
        tx.meta.audit_doubt = None;
    }
    if agrees == Some(false) && !restored {
        // What the other branch says is no successor of what is held here.
        tx.meta.audit_doubt = Some(FORKED.to_owned());
        return Ok(());
    }
    told.map_or(Ok(()), |checkpoint| believe(tx, checkpoint))
}

/// Keeps a checkpoint, or notes why it is not believed.
fn believe(tx: &mut Tx<'_>, checkpoint: &Checkpoint) -> Result<(), ReplicaError> {
    let last = checkpoints::find_last(&tx.sql, tx.meta.server_epoch)?;
    let doubt = match &last {
        _ if !signed(tx, checkpoint) => Some(UNSIGNED),
        Some(last) if checkpoint.size < last.size => Some(SHRANK),
        Some(last) if checkpoint.size == last.size && checkpoint.hash != last.hash => Some(FORKED),
        _ => None,
    };
    match doubt {
        Some(doubt) => {
            tx.meta.audit_doubt.get_or_insert_with(|| doubt.to_owned());
            tx.touch(STATUS);
        }
        None => checkpoints::append(&tx.sql, checkpoint, tx.meta.server_epoch)?,
    }
    Ok(())
}

fn signed(tx: &mut Tx<'_>, checkpoint: &Checkpoint) -> bool {
    let key = tx.meta.audit_key.unwrap_or(*checkpoint.key);
    let signed = checkpoint.clinic == tx.identity.clinic && checkpoint.is_signed_by(&key);
    if signed {
        tx.meta.audit_key = Some(key);
    }
    signed
}
