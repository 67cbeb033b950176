//! The master key: in a file, or behind a program that wraps and unwraps.

use super::aead::Key;
use super::{KeyError, KeyResult, command, file};
use neonpro_contract::ids::ClinicId;
use std::path::{Path, PathBuf};

/// Where the master key is.
#[derive(Debug, Clone)]
pub enum MasterSource {
    /// A file; made where there is none and nothing was wrapped yet.
    File(PathBuf),
    /// A program.
    Command(PathBuf),
}

/// The master key.
#[derive(Debug, Clone)]
pub struct Master {
    id: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Key(Key),
    Command(PathBuf),
}

impl MasterSource {
    /// Where the file is in a data directory.
    #[must_use]
    pub fn in_directory(dir: &Path) -> Self {
        Self::File(dir.join("master-key"))
    }

    /// Loads it. `may_make` allows a new file: only while nothing was wrapped under another one.
    ///
    /// # Errors
    /// No key, with what to do.
    pub fn load(&self, may_make: bool) -> KeyResult<Master> {
        match self {
            Self::Command(program) => {
                let id = command::id(program)?;
                Ok(Master { id, kind: Kind::Command(program.clone()) })
            }
            Self::File(path) => {
                if let Some(key) = file::read(path)? {
                    return Ok(Master::of(key));
                }
                if !may_make {
                    return Err(KeyError::Missing { path: path.clone() });
                }
                file::make(path)?;
                file::read(path)?.map(Master::of).ok_or_else(|| KeyError::Missing { path: path.clone() })
            }
        }
    }
}

impl Master {
    /// A master key of these bytes.
    #[must_use]
    pub fn of(key: Key) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, key.bytes());
        let id = digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { id, kind: Kind::Key(key) }
    }

    /// What tells it from others: 16 hexadecimal digits of its SHA-256, or what the program says.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Wraps a clinic's key.
    pub(super) fn wrap(&self, clinic: ClinicId, version: i32, key: &Key) -> KeyResult<Vec<u8>> {
        let context = context(clinic, version);
        match &self.kind {
            Kind::Key(master) => master.seal(context.as_bytes(), key.bytes()),
            Kind::Command(program) => {
                command::turn(program, "wrap", &context, key.bytes()).map(|wrapped| wrapped.to_vec())
            }
        }
    }

    /// Unwraps it.
    pub(super) fn unwrap(&self, clinic: ClinicId, version: i32, by: &str, wrapped: &[u8]) -> KeyResult<Key> {
        if by != self.id {
            let (wanted, given) = (by.to_owned(), self.id.clone());
            return Err(KeyError::WrongMaster { clinic, version, wanted, given });
        }
        let context = context(clinic, version);
        let bytes = match &self.kind {
            Kind::Key(master) => master.open(context.as_bytes(), wrapped),
            Kind::Command(program) => Some(command::turn(program, "unwrap", &context, wrapped)?),
        };
        bytes.and_then(|bytes| Key::from_bytes(&bytes)).ok_or(KeyError::Damaged { clinic, version })
    }
}

fn context(clinic: ClinicId, version: i32) -> String {
    format!("neonpro clinic key v1 {clinic} {version}")
}
