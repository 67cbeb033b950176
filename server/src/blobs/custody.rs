//! Whether a file that is here in all its chunks is what its address says: custody is said of nothing else.

use super::{BlobError, Blobs};
use crate::actor::Actor;
use crate::store::blobs::BlobRow;
use crate::store::{Store, StoreError};
use neonpro_contract::blob::Address;
use neonpro_contract::time::ServerInstant;
use ring::digest::{Context, SHA256};

/// Why custody could not be said or denied.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store of files.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

/// Reads the whole file again and marks it stored, or gone where it is another; whether it is genuine.
///
/// # Errors
/// The database or the store of files failed.
///
/// # Cancel safety
/// Not cancel safe; doing it again is doing it once.
pub async fn confirm(
    (store, blobs): (&Store, &Blobs),
    actor: &Actor,
    row: BlobRow,
    address: &Address,
    now: ServerInstant,
) -> Result<bool, CustodyError> {
    let clinic = actor.clinic();
    let mut hash = Context::new(&SHA256);
    for chunk in 0..row.chunks {
        let sealed = blobs.get(clinic, row.id, chunk).await?;
        let mut scoped = store.begin(actor).await?;
        let plain = scoped.chunk_opener(row.id, &sealed).await?.open(chunk, &sealed)?;
        scoped.rollback().await?;
        hash.update(&plain);
    }
    let genuine = hash.finish().as_ref() == address.0;
    let mut scoped = store.begin(actor).await?;
    if genuine {
        scoped.mark_stored(row.id, now).await?;
    } else {
        tracing::warn!(%clinic, file = %row.id, "a file is not what its address says; it is thrown away");
        scoped.mark_blob_gone(row.id, now).await?;
    }
    scoped.commit().await?;
    Ok(genuine)
}
