//! `sync.blobs`: which files the server has, and how far; and whether a device may have one.

use super::documents::purpose_number;
use super::{Scoped, StoreError, StoreResult};
use crate::keys::{Opener, Place, Sealer, Subject};
use neonpro_contract::blob::{Address, addresses};
use neonpro_contract::catalogue::{Purpose, table_by_id};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::PatientId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use sqlx_core::row::Row as _;
use sqlx_postgres::PgRow;
use std::collections::BTreeSet;
use uuid::Uuid;

/// A file as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobRow {
    /// Its folder among the objects.
    pub id: Uuid,
    /// Bytes of the whole file.
    pub size: u64,
    /// Chunks that are there, from the first.
    pub chunks: u32,
    /// All are there, and are what the address says.
    pub stored: bool,
}

const COLUMNS: &str = "id, size, chunks, stored_at is not null";

fn decode(row: &PgRow) -> StoreResult<BlobRow> {
    let unreadable = |_| StoreError::Unreadable("sync.blobs");
    let (size, chunks): (i64, i32) =
        (row.try_get(1).map_err(unreadable)?, row.try_get(2).map_err(unreadable)?);
    Ok(BlobRow {
        id: row.try_get(0).map_err(unreadable)?,
        size: u64::try_from(size).map_err(|_| StoreError::Unreadable("sync.blobs"))?,
        chunks: u32::try_from(chunks).map_err(|_| StoreError::Unreadable("sync.blobs"))?,
        stored: row.try_get(3).map_err(unreadable)?,
    })
}

impl Scoped {
    fn whose(&self, subject: Subject) -> (Uuid, i16) {
        (subject.patient.map_or(self.actor().clinic().0, |id| id.0), purpose_number(subject.purpose))
    }

    /// Whose file it is, if the actor may have it: a document it may read names it now. Absent, foreign, withdrawn and
    /// hidden documents are all none.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_blob_subject(
        &mut self,
        document: DocumentId,
        address: &Address,
    ) -> StoreResult<Option<Subject>> {
        let Some(table) = table_by_id(document.table) else { return Ok(None) };
        let states = self.list_documents_of(&[document.record.0]).await?;
        let Some(state) = states.iter().find(|state| state.id == document && !state.withdrawn) else {
            return Ok(None);
        };
        if !self.actor().audience().purposes().any(|purpose| purpose == state.purpose) {
            return Ok(None);
        }
        let records = self.list_records(table, &[document.record.0]).await?;
        let named = records
            .first()
            .is_some_and(|stored| addresses(table, document.facet, &stored.row).contains(address));
        Ok(named.then(|| state.subject()))
    }

    /// A file of somebody.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_blob(&mut self, subject: Subject, address: &Address) -> StoreResult<Option<BlobRow>> {
        let (clinic, (patient, purpose)) = (self.actor().clinic().0, self.whose(subject));
        let sql = format!(
            "select {COLUMNS} from sync.blobs where clinic_id = $1 and patient_id = $2 and purpose = $3 \
             and address = $4 and gone_at is null"
        );
        let row = sqlx_core::query::query(sqlx_core::sql_str::AssertSqlSafe(sql))
            .bind(clinic)
            .bind(patient)
            .bind(purpose)
            .bind(address.0.as_slice())
            .fetch_optional(self.connection())
            .await
            .map_err(StoreError::during("looking for a file"))?;
        row.as_ref().map(decode).transpose()
    }

    /// Begins a file; one that is there stays.
    ///
    /// # Errors
    /// A database failure.
    pub async fn append_blob(
        &mut self,
        (id, subject): (Uuid, Subject),
        address: &Address,
        size: u64,
        now: ServerInstant,
    ) -> StoreResult<()> {
        let (clinic, (patient, purpose)) = (self.actor().clinic().0, self.whose(subject));
        sqlx_core::query::query(
            "insert into sync.blobs (clinic_id, id, patient_id, purpose, address, size, begun_at) \
             values ($1, $2, $3, $4, $5, $6, $7::timestamptz) on conflict do nothing",
        )
        .bind(clinic)
        .bind(id)
        .bind(patient)
        .bind(purpose)
        .bind(address.0.as_slice())
        .bind(i64::try_from(size).unwrap_or(i64::MAX))
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("beginning a file"))?;
        Ok(())
    }

    /// One chunk more is there. `false` if the file is gone or went on meanwhile.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_chunk(&mut self, id: Uuid, chunk: u32) -> StoreResult<bool> {
        let (clinic, chunk) = (self.actor().clinic().0, i32::try_from(chunk).unwrap_or(i32::MAX));
        let marked = sqlx_core::query::query(
            "update sync.blobs set chunks = $3 + 1 where clinic_id = $1 and id = $2 and chunks = $3 and gone_at is null",
        )
        .bind(clinic)
        .bind(id)
        .bind(chunk)
        .execute(self.connection())
        .await
        .map_err(StoreError::during("noting a chunk"))?;
        Ok(marked.rows_affected() == 1)
    }

    /// The whole file is there and is what its address says.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_stored(&mut self, id: Uuid, now: ServerInstant) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query::query(
            "update sync.blobs set stored_at = $3::timestamptz where clinic_id = $1 and id = $2 and stored_at is null",
        )
        .bind(clinic)
        .bind(id)
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("taking a file into custody"))?;
        Ok(())
    }

    /// A file is not to be had any more: what came was not what the address says.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_blob_gone(&mut self, id: Uuid, now: ServerInstant) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query::query(
            "update sync.blobs set gone_at = $3::timestamptz where clinic_id = $1 and id = $2",
        )
        .bind(clinic)
        .bind(id)
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("giving a file up"))?;
        Ok(())
    }

    /// Files of a patient's purposes are not to be had any more; how many.
    ///
    /// # Errors
    /// A database failure.
    pub async fn erase_blobs(
        &mut self,
        patient: PatientId,
        purposes: &BTreeSet<Purpose>,
        now: ServerInstant,
    ) -> StoreResult<u64> {
        let clinic = self.actor().clinic().0;
        let gone = sqlx_core::query::query(
            "update sync.blobs set gone_at = $4::timestamptz where clinic_id = $1 and patient_id = $2 \
             and purpose = any($3) and gone_at is null",
        )
        .bind(clinic)
        .bind(patient.0)
        .bind(purposes.iter().map(|purpose| purpose_number(*purpose)).collect::<Vec<_>>())
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("erasing files"))?;
        Ok(gone.rows_affected())
    }

    /// Files of a patient that are here whole, with their addresses.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_blobs_of_patient(
        &mut self,
        patient: PatientId,
    ) -> StoreResult<Vec<(Address, BlobRow)>> {
        let clinic = self.actor().clinic().0;
        let sql = format!(
            "select {COLUMNS}, address from sync.blobs where clinic_id = $1 and patient_id = $2 \
             and stored_at is not null and gone_at is null order by begun_at, id"
        );
        let rows = sqlx_core::query::query(sqlx_core::sql_str::AssertSqlSafe(sql))
            .bind(clinic)
            .bind(patient.0)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("listing a patient's files"))?;
        let unreadable = || StoreError::Unreadable("sync.blobs");
        rows.iter()
            .map(|row| {
                let address: Vec<u8> = row.try_get(4).map_err(|_| unreadable())?;
                Ok((Address(address.try_into().map_err(|_| unreadable())?), decode(row)?))
            })
            .collect()
    }

    /// Gives up uploads that were begun before an instant and never finished; how many.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_stale_blobs(&mut self, before: ServerInstant, now: ServerInstant) -> StoreResult<u64> {
        let clinic = self.actor().clinic().0;
        let stale = sqlx_core::query::query(
            "update sync.blobs set gone_at = $3::timestamptz where clinic_id = $1 and stored_at is null \
             and gone_at is null and begun_at < $2::timestamptz",
        )
        .bind(clinic)
        .bind(instant_text(before.0))
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("giving uploads up"))?;
        Ok(stale.rows_affected())
    }

    /// Files whose objects are to be deleted.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_gone_blobs(&mut self, limit: i64) -> StoreResult<Vec<BlobRow>> {
        let clinic = self.actor().clinic().0;
        let sql =
            format!("select {COLUMNS} from sync.blobs where clinic_id = $1 and gone_at is not null limit $2");
        let rows = sqlx_core::query::query(sqlx_core::sql_str::AssertSqlSafe(sql))
            .bind(clinic)
            .bind(limit)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("listing files that are gone"))?;
        rows.iter().map(decode).collect()
    }

    /// Forgets a file whose objects are deleted.
    ///
    /// # Errors
    /// A database failure.
    pub async fn purge_blob(&mut self, id: Uuid) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query::query(
            "delete from sync.blobs where clinic_id = $1 and id = $2 and gone_at is not null",
        )
        .bind(clinic)
        .bind(id)
        .execute(self.connection())
        .await
        .map_err(StoreError::during("forgetting a file"))?;
        Ok(())
    }

    /// What seals a file's chunks.
    ///
    /// # Errors
    /// A database failure, or a key that is not to be had.
    pub async fn chunk_sealer(&mut self, file: Uuid, subject: Subject) -> StoreResult<ChunkSealer> {
        Ok(ChunkSealer { file, subject, sealer: self.sealer(BTreeSet::from([subject])).await? })
    }

    /// What opens a file's chunks, given the first of them.
    ///
    /// # Errors
    /// A database failure, or a key that is not to be had.
    pub async fn chunk_opener(&mut self, file: Uuid, sealed: &[u8]) -> StoreResult<ChunkOpener> {
        Ok(ChunkOpener { file, opener: self.opener(crate::keys::key_of(sealed)).await? })
    }
}

/// Seals chunks of one file.
#[derive(Debug)]
pub struct ChunkSealer {
    file: Uuid,
    subject: Subject,
    sealer: Sealer,
}

impl ChunkSealer {
    /// Seals a chunk.
    ///
    /// # Errors
    /// No randomness.
    pub fn seal(&self, chunk: u32, plain: &[u8]) -> StoreResult<Vec<u8>> {
        self.sealer.seal(self.subject, Place::Chunk(self.file, chunk), plain)
    }
}

/// Opens chunks of one file.
#[derive(Debug)]
pub struct ChunkOpener {
    file: Uuid,
    opener: Opener,
}

impl ChunkOpener {
    /// Opens a chunk.
    ///
    /// # Errors
    /// Bytes that are not what was sealed there, or a key that was destroyed.
    pub fn open(&self, chunk: u32, sealed: &[u8]) -> StoreResult<Vec<u8>> {
        let opened = self.opener.open(Place::Chunk(self.file, chunk), sealed)?;
        opened.map(|plain| plain.to_vec()).ok_or(StoreError::Missing("key of a file"))
    }
}
