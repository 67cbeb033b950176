//! A clinic on a tablet: one encrypted file that works without a network and syncs when there is one.
//!
//! Owns the local database, the change log and the sync engine. Never decides what the contract decides, never
//! blocks a screen on the network. Invariant: an edit that was acknowledged is durable and in the outbox, and nothing
//! a person wrote is ever deleted because a server refused it.

mod blobs;
mod clock;
mod crash;
mod device;
mod draft;
mod edit;
mod error;
mod lease;
mod project;
mod rebase;
mod replica;
mod store;
mod sync;
mod watch;
mod wipe;
mod working;

pub use blobs::BlobState;
pub use clock::{Clock, ManualClock};
pub use crash::{BLOB_POINTS, POINTS as CRASH_POINTS, REKEY_POINTS};
pub use device::{Identity, ReplicaKey, SigningKey};
pub use draft::{Draft, DraftDocument};
pub use edit::scope::ScopePreview;
pub use edit::{Changed, Edited};
pub use error::{EditRejected, ReplicaError};
pub use replica::Replica;
pub use replica::attention::{Attention, Place};
pub use replica::consent::ConsentStanding;
pub use replica::people::User;
pub use replica::query::QueryResult;
pub use replica::salvage::Salvage;
pub use replica::status::{Note, Progress, RecordState, Status, Waiting};
pub use store::conflicts::{ConflictChoice, ConflictRow};
pub use store::records::{Stamp, StoredRow};
pub use sync::apply::Applied;
pub use sync::enrol::{EnrolError, Ticket, enrol};
pub use sync::state::{Connection, SyncReport, SyncState};
#[cfg(feature = "simulation")]
pub use sync::stepped::{Happening, Stepped, Wish};
pub use sync::{SyncHandle, SyncOptions, sync_once};
pub use watch::{ATTENTION, CONFLICTS, STATUS, Watch};
pub use wipe::{TakenAway, WipeReceipt, take_away, tell_wiped};

#[cfg(test)]
mod testing;
