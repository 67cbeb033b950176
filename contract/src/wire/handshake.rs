//! Opening and closing a session: challenge, hello, welcome, bye.

use super::Position;
use crate::audit::Checkpoint;
use crate::digest::Digest;
use crate::ids::{AuthorId, ClinicId, DeviceId};
use crate::permissions::Audience;
use crate::time::ServerInstant;
use minicbor::{Decode, Encode, bytes::ByteArray, bytes::ByteVec};
use uuid::Uuid;

/// The server's first frame.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Challenge {
    /// Random bytes to sign.
    #[n(0)]
    pub nonce: ByteArray<32>,
    /// Oldest protocol version the server speaks.
    #[n(1)]
    pub protocol_min: u16,
    /// Newest protocol version the server speaks.
    #[n(2)]
    pub protocol_max: u16,
}

/// The tablet's answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// Protocol version it speaks.
    #[n(0)]
    pub protocol: u16,
    /// App version, for the fleet view.
    #[n(1)]
    pub app: String,
    /// Catalogue version it was built with.
    #[n(2)]
    pub catalogue: u32,
    /// Which device.
    #[n(3)]
    pub device: DeviceId,
    /// Its generation: raised when a copied or restored replica was noticed.
    #[n(4)]
    pub generation: u32,
    /// Ed25519 over [`hello_bytes`].
    #[n(5)]
    pub signature: ByteVec,
    /// Last feed number applied; -1 before the first sync.
    #[n(6)]
    pub cursor: i64,
    /// Where an unfinished first sync stands.
    #[n(7)]
    pub bootstrap: Option<Position>,
    /// Reference data applied up to this number.
    #[n(8)]
    pub reference_seq: i64,
    /// Digest at the cursor.
    #[n(9)]
    pub digest: Digest,
    /// Server epoch last seen.
    #[n(10)]
    pub epoch: Option<ByteArray<16>>,
    /// Bytes of pages the server may send before the first `Ack`.
    #[n(11)]
    pub credit: u64,
    /// Edits waiting to be pushed, for the fleet view.
    #[n(12)]
    pub waiting: u32,
    /// Newest checkpoint of the clinic's audit it holds.
    #[n(13)]
    pub checkpoint: Option<Box<Checkpoint>>,
}

/// What a device signs to open a session.
#[must_use]
pub fn hello_bytes(nonce: &[u8; 32], device: DeviceId) -> Vec<u8> {
    let mut bytes = b"neonpro hello v1\0".to_vec();
    bytes.extend_from_slice(nonce);
    bytes.extend_from_slice(device.0.as_bytes());
    bytes
}

/// What a device signs when it has destroyed what it held.
#[must_use]
pub fn wiped_bytes(device: DeviceId) -> Vec<u8> {
    [b"neonpro wiped v1\0".as_slice(), device.0.as_bytes()].concat()
}

/// The server's acceptance. With `head` equal to the tablet's cursor and equal digests, a reconnect is over here.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Welcome {
    /// Protocol version of the session.
    #[n(0)]
    pub protocol: u16,
    /// The device's clinic.
    #[n(1)]
    pub clinic: ClinicId,
    /// What the device may hold.
    #[n(2)]
    pub audience: Audience,
    /// Server time at sending; the tablet measures its offset from it.
    #[n(3)]
    pub now: ServerInstant,
    /// The server's epoch: changes when it was restored from a backup.
    #[n(4)]
    pub epoch: ByteArray<16>,
    /// The clinic's head.
    #[n(5)]
    pub head: i64,
    /// Digest at the head, for this audience.
    #[n(6)]
    pub digest: Digest,
    /// Newest reference data.
    #[n(7)]
    pub reference_head: i64,
    /// Records a first sync will bring, 0 when none is due.
    #[n(8)]
    pub bootstrap_records: u64,
    /// Bytes of pushes that may be unanswered.
    #[n(9)]
    pub push_bytes: u32,
    /// How long the device may work offline, seconds.
    #[n(10)]
    pub lease_seconds: u32,
    /// Who may be the author of an edit on this device; every member of the clinic when absent.
    #[n(11)]
    pub people: Option<Vec<AuthorId>>,
    /// Newest checkpoint of the clinic's audit.
    #[n(12)]
    pub checkpoint: Option<Box<Checkpoint>>,
    /// Whether the audit still holds what the tablet's checkpoint says; absent when it named none.
    #[n(13)]
    pub audit_agrees: Option<bool>,
    /// The clinic's public key (X25519) unsent work is sealed to; absent from a server that has none.
    #[n(14)]
    pub escrow_key: Option<ByteArray<32>>,
}

impl Welcome {
    /// The epoch as an id.
    #[must_use]
    pub fn epoch_id(&self) -> Uuid {
        Uuid::from_bytes(*self.epoch)
    }
}

/// Why a session closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ByeCode {
    /// Authentication failed or the device is not known.
    #[n(0)]
    Unauthorised,
    /// The device was revoked.
    #[n(1)]
    Revoked,
    /// No common protocol version.
    #[n(2)]
    Version,
    /// A frame that is not one, or out of turn.
    #[n(3)]
    Protocol,
    /// Overloaded: come back later.
    #[n(4)]
    Busy,
    /// The server is stopping.
    #[n(5)]
    Restarting,
    /// Done.
    #[n(6)]
    Finished,
    /// The cursor lies behind what the feed still holds: sync from the start, keeping unsent work.
    #[n(7)]
    Reseed,
    /// Something failed inside; nothing was lost.
    #[n(8)]
    Internal,
    /// The device was revoked and is to destroy what it holds.
    #[n(9)]
    Wipe,
}

impl ByeCode {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorised => "unauthorised",
            Self::Revoked => "revoked",
            Self::Version => "version",
            Self::Protocol => "protocol",
            Self::Busy => "busy",
            Self::Restarting => "restarting",
            Self::Finished => "finished",
            Self::Reseed => "reseed",
            Self::Internal => "internal",
            Self::Wipe => "wipe",
        }
    }
}

/// Closing a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Bye {
    /// Why.
    #[n(0)]
    pub code: ByeCode,
    /// When to come back, ms; the tablet adds jitter.
    #[n(1)]
    pub retry_after_ms: u32,
}
