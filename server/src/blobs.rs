//! Files of patients outside of PostgreSQL: the one door to where their sealed chunks lie.
//!
//! Owns the names of objects. Never sees a plain byte, never decides who may have a file. Invariant: an object that is not
//! named by a row of `sync.blobs` is garbage.

pub mod custody;

use bytes::Bytes;
use neonpro_contract::ids::ClinicId;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Name;
use object_store::{ObjectStore, ObjectStoreExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// Why a chunk could not be written, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The folder.
    #[error("the folder of files {0} could not be made")]
    Folder(PathBuf, #[source] std::io::Error),
    /// What the store said.
    #[error("the store of files failed")]
    Store(#[from] object_store::Error),
}

/// Where chunks lie. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobs(Arc<dyn ObjectStore>);

impl Blobs {
    /// In a folder of this machine, or of one several servers share. What is written survives a power loss.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn in_folder(folder: &Path) -> Result<Self, BlobError> {
        std::fs::create_dir_all(folder).map_err(|error| BlobError::Folder(folder.to_owned(), error))?;
        Ok(Self(Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true))))
    }

    fn name(clinic: ClinicId, file: Uuid, chunk: u32) -> Name {
        Name::from(format!("{}/{}/{chunk}", clinic.0.simple(), file.simple()))
    }

    /// Writes a sealed chunk, over one that may be there.
    ///
    /// # Errors
    /// The store failed.
    pub async fn put(
        &self,
        clinic: ClinicId,
        file: Uuid,
        chunk: u32,
        sealed: Vec<u8>,
    ) -> Result<(), BlobError> {
        self.0.put(&Self::name(clinic, file, chunk), Bytes::from(sealed).into()).await?;
        Ok(())
    }

    /// Reads a sealed chunk.
    ///
    /// # Errors
    /// The store failed, or it is not there.
    pub async fn get(&self, clinic: ClinicId, file: Uuid, chunk: u32) -> Result<Bytes, BlobError> {
        Ok(self.0.get(&Self::name(clinic, file, chunk)).await?.bytes().await?)
    }

    /// Removes the first so many chunks of a file; those that are not there are no error.
    ///
    /// # Errors
    /// The store failed.
    pub async fn remove(&self, clinic: ClinicId, file: Uuid, chunks: u32) -> Result<(), BlobError> {
        for chunk in 0..chunks {
            match self.0.delete(&Self::name(clinic, file, chunk)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
