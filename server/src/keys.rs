//! Encryption at rest: master key → clinic key → one data key per patient and purpose (docs/encryption.md).
//!
//! Owns the keys' form and the cache of those in use. The master key never enters PostgreSQL; what is there is wrapped
//! under it. Invariant: whatever destroyed a data key has made everything sealed under it unreadable, wherever it lies.

pub mod aead;
mod command;
mod file;
mod master;
mod ring_of_keys;
mod sealed;

pub use master::{Master, MasterSource};
pub use ring_of_keys::Keyring;
pub use sealed::{
    Opener, Place, Sealer, Subject, key_of, key_of_text, read_sealed_text, sealed_text, text_of,
};

use neonpro_contract::ids::ClinicId;
use std::path::PathBuf;

/// Why a key is not to be had, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The master key's file.
    #[error("reading or writing the master key {path} failed")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Others may read it.
    #[error("{0} may be read by others than its owner: chmod 600 it")]
    Exposed(PathBuf),
    /// It holds no key.
    #[error("{0} holds no master key: 32 bytes as 43 characters of base64url are expected")]
    Unreadable(PathBuf),
    /// The file is not there though clinics have keys wrapped under it.
    #[error(
        "the master key {path} is missing, and the database holds keys that were wrapped under one: bring the file \
         back from where it is kept (NEONPRO_MASTER_KEY names another place). Without it nothing sealed can be read"
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Another master key than the one that wrapped a clinic's key.
    #[error(
        "the key of clinic {clinic}, version {version}, was wrapped by master key {wanted}; this server has {given}. \
         Give it the right one, or run `neonpro-server keys rewrap` with the old one named"
    )]
    WrongMaster {
        /// The clinic.
        clinic: ClinicId,
        /// The version of its key.
        version: i32,
        /// Which master key wrapped it.
        wanted: String,
        /// Which one is here.
        given: String,
    },
    /// The right master key, but the wrapped key was changed.
    #[error(
        "the wrapped key of clinic {clinic}, version {version}, was damaged or changed: restore it from a backup"
    )]
    Damaged {
        /// The clinic.
        clinic: ClinicId,
        /// The version of its key.
        version: i32,
    },
    /// A clinic's data key does not unwrap.
    #[error("data key {key} of clinic {clinic} was damaged or changed: restore it from a backup")]
    DamagedData {
        /// The clinic.
        clinic: ClinicId,
        /// Number of the key.
        key: i64,
    },
    /// The external command.
    #[error("the key command {program} failed at {operation}: {reason}")]
    Command {
        /// The program.
        program: String,
        /// What it was asked.
        operation: &'static str,
        /// What went wrong; never a key.
        reason: String,
    },
    /// The system has no randomness.
    #[error("the system gave no randomness")]
    Random,
    /// Nobody gave this process a master key.
    #[error("this process was opened without a master key")]
    None,
}

/// Result of asking for a key.
pub type KeyResult<T> = Result<T, KeyError>;

/// Asks for keys off the runtime's threads: a key service may take its time.
pub(crate) async fn apart<T: Send + 'static>(
    ask: impl FnOnce() -> KeyResult<T> + Send + 'static,
) -> KeyResult<T> {
    // The closure does not panic, and the task is not cancelled.
    tokio::task::spawn_blocking(ask).await.unwrap_or(Err(KeyError::None))
}

/// A number for a new data key, by chance.
pub(crate) fn number() -> KeyResult<i64> {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; 8];
    ring::rand::SystemRandom::new().fill(&mut bytes).map_err(|_| KeyError::Random)?;
    Ok(i64::from_be_bytes(bytes) & i64::MAX)
}
