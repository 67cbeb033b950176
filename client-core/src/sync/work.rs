//! The database half of what the machine asks for: one action, one short piece of work, one event.
//!
//! Blocks on the local file; knows no socket and no timer.

use super::machine::{Action, Event};
use crate::error::ReplicaError;
use crate::replica::Replica;
use crate::store::outbox;

/// Does the work and says what came of it. `round_trip_us` is the time between hello and welcome.
pub(crate) fn perform(replica: &Replica, action: Action, round_trip_us: i64) -> Result<Event, ReplicaError> {
    match action {
        Action::Open(welcome) => replica.open_session(&welcome, round_trip_us).map(Event::Opened),
        Action::Take { edits_max, bytes_max } => replica.take_outbox(edits_max, bytes_max).map(Event::Taken),
        Action::Apply(frame) => replica.receive(&frame).map(Event::Applied),
        Action::Settle { sent, fates } => replica.receive_fates(&sent, &fates).map(Event::Applied),
        Action::Sum => replica.sum_buckets().map(Event::Summed),
        Action::TakeReads => replica.take_reads().map(Event::ReadsTaken),
        Action::NoteAudit(audited) => {
            replica.receive_audited(&audited).map(|more| Event::AuditNoted { more })
        }
        Action::TakeReceipts => replica.take_receipts().map(Event::Purged),
        Action::ForgetReceipts(received) => replica.forget_receipts(&received).map(Event::Forgotten),
        Action::Confirm => replica.confirm().map(|()| Event::Noted),
        Action::Reseed => replica.reseed().map(|()| Event::Noted),
        Action::MarkStopped(reason) => replica.mark_stopped(Some(&reason)).map(|()| Event::Noted),
        Action::Connect | Action::Disconnect | Action::Send(_) | Action::Ping | Action::Greet { .. } => {
            Err(ReplicaError::Protocol("action"))
        }
    }
}

impl Replica {
    /// Marks the next edits as sent and hands them out.
    ///
    /// The mark need not survive a power loss, only the end of the app: an edit that comes back as not sent is sent
    /// again and answered `duplicate`. So a live edit waits for the storage once, when it is made.
    pub(crate) fn take_outbox(
        &self,
        edits_max: usize,
        bytes_max: usize,
    ) -> Result<outbox::Taken, ReplicaError> {
        let taken = self.inner.store.write_refetchable(|tx| {
            let mut taken = outbox::Taken::from(outbox::mark_next_sent(&tx.sql, edits_max, bytes_max)?);
            if taken.edits.is_empty() {
                taken.edits = outbox::mark_next_asked(&tx.sql, edits_max, bytes_max)?;
                taken.decided = outbox::mark_next_told(&tx.sql, bytes_max)?;
            }
            crate::crash::point("outbox.before_commit");
            Ok::<_, ReplicaError>(taken)
        })?;
        crate::crash::point("outbox.after_commit");
        Ok(taken)
    }
}
