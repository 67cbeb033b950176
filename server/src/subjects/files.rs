//! The files of a patient, as they are handed out with the statement.

use crate::actor::Actor;
use crate::blobs::{BlobError, Blobs};
use crate::store::audit::AuditRecord;
use crate::store::{Store, StoreError};
use neonpro_contract::ids::{AuthorId, ClinicId, PatientId};
use neonpro_contract::time::ServerInstant;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Why the files were not, or not all, written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store of files.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The folder they are written to.
    #[error("{0} could not be written")]
    Folder(PathBuf, #[source] std::io::Error),
}

/// Writes every file of a patient into a new folder, named by its address, and notes in the audit who did; how many.
///
/// # Errors
/// What failed; a folder that is there already.
pub async fn write_files(
    store: &Store,
    blobs: &Blobs,
    clinic: ClinicId,
    patient: PatientId,
    (folder, by): (&Path, AuthorId),
    now: ServerInstant,
) -> Result<usize, FilesError> {
    let failed = |error| FilesError::Folder(folder.to_owned(), error);
    std::fs::create_dir(folder).map_err(failed)?;
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    scoped.lock_head().await?;
    let files = scoped.list_blobs_of_patient(patient).await?;
    for (address, row) in &files {
        let mut bytes = Vec::new();
        for chunk in 0..row.chunks {
            let sealed = blobs.get(clinic, row.id, chunk).await?;
            bytes.extend(scoped.chunk_opener(row.id, &sealed).await?.open(chunk, &sealed)?);
        }
        let kind = if bytes.starts_with(b"%PDF-") { "pdf" } else { "jpg" };
        std::fs::write(folder.join(format!("{}.{kind}", address.hex())), bytes).map_err(failed)?;
    }
    let detail = json!({ "patient": patient, "files": files.len() });
    let (action, author) = ("subject_files", Some(by.0));
    let entry = AuditRecord { action, device: None, author, edit: None, code: None, detail };
    scoped.append_audit(&[entry], now).await?;
    scoped.commit().await?;
    Ok(files.len())
}
