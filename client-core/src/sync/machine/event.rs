//! What the machine is told, and what it asks for.

use crate::store::outbox::Taken;
use crate::sync::apply::Applied;
use crate::sync::session::Opened;
use neonpro_contract::ids::EditId;
use neonpro_contract::wire::{Audited, Buckets, Fates, Frame, Read, Receipt, Received, Welcome};

/// Whether to try again after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    Forever,
    Never,
}

/// Something happened.
#[derive(Debug)]
pub(crate) enum Event {
    GoOnline,
    GoOffline,
    Stop,
    Tick,
    /// Connecting failed, with a code.
    ConnectFailed(String),
    Disconnected,
    /// Bytes that are not a frame.
    Garbled,
    /// A frame and its length on the wire.
    Frame {
        frame: Frame,
        bytes: u64,
    },
    /// Something else came from the server.
    Heard,
    /// There may be something new in the outbox.
    Edited,
    /// The hello was built and sent.
    Greeted,
    Opened(Opened),
    /// Edits marked as sent.
    Taken(Taken),
    Applied(Applied),
    Summed(Buckets),
    /// Something was read here.
    ReadLogged,
    /// Reads to tell.
    ReadsTaken(Vec<Read>),
    /// The server's word about its audit was taken in; whether there is more to tell.
    AuditNoted {
        more: bool,
    },
    /// Purge receipts to send.
    Purged(Vec<Receipt>),
    /// Confirmed receipts were forgotten; whether more are left.
    Forgotten(bool),
    /// A note was written (confirmation, reseed, stop).
    Noted,
    /// Work on the database failed, with a code.
    Failed(String),
}

/// Something to do.
#[derive(Debug)]
pub(crate) enum Action {
    Connect,
    Disconnect,
    Send(Frame),
    Ping,
    /// Build and send the hello.
    Greet {
        nonce: [u8; 32],
    },
    Open(Welcome),
    /// Mark the next edits as sent and report them.
    Take {
        edits_max: usize,
        bytes_max: usize,
    },
    /// Apply a page, rows or a repair.
    Apply(Frame),
    /// Apply the answer to a push of these edits.
    Settle {
        sent: Vec<EditId>,
        fates: Fates,
    },
    /// Sum the digest per bucket.
    Sum,
    /// Finish purges and report the receipts.
    TakeReceipts,
    /// Forget receipts the server keeps.
    ForgetReceipts(Received),
    /// Note that everything is confirmed, if it is.
    Confirm,
    /// Take the next reads to tell.
    TakeReads,
    /// Let go of reads the server has, look at its checkpoint.
    NoteAudit(Audited),
    MarkStopped(String),
    /// Fetch everything again.
    Reseed,
}

impl Event {
    /// Whether it reports work on the database.
    pub fn ends_job(&self) -> bool {
        matches!(
            self,
            Self::Greeted
                | Self::Opened(_)
                | Self::Taken(_)
                | Self::Applied(_)
                | Self::Summed(_)
                | Self::Purged(_)
                | Self::Forgotten(_)
                | Self::Noted
                | Self::ReadsTaken(_)
                | Self::AuditNoted { .. }
                | Self::Failed(_)
        )
    }

    /// Whether it proves that the server is there.
    pub fn is_heard(&self) -> bool {
        matches!(self, Self::Frame { .. } | Self::Heard | Self::Opened(_))
    }
}

impl Action {
    /// Whether it is work on the database, to be reported back.
    pub fn is_job(&self) -> bool {
        !matches!(self, Self::Connect | Self::Disconnect | Self::Send(_) | Self::Ping)
    }
}
