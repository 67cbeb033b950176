//! The audit: who did what, decided how. Append-only for the server's role, chained under the clinic's lock.

use super::{Scoped, StoreError, StoreResult};
use neonpro_contract::audit::{ChainHash, Checkpoint, Entry, genesis};
use neonpro_contract::ids::ClinicId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use serde_json::Value as Json;
use sqlx_core::row::Row as _;
use uuid::Uuid;

/// Where a clinic's log ends: entries in it, hash of the last.
pub type Place = (i64, ChainHash);

/// One entry to write.
#[derive(Debug, Clone)]
pub struct AuditRecord {
    /// What happened: `edit_accepted`, `edit_quarantined`, `device_enrolled`…
    pub action: &'static str,
    /// The device, if one.
    pub device: Option<Uuid>,
    /// The person, if one.
    pub author: Option<Uuid>,
    /// The edit, if one.
    pub edit: Option<Uuid>,
    /// Reason code, if one.
    pub code: Option<&'static str>,
    /// Evidence: rule, version, document names. Never patient data.
    pub detail: Json,
}

/// One entry as it is stored.
#[derive(Debug, Clone)]
pub struct AuditRow {
    /// Its number.
    pub seq: i64,
    /// When.
    pub at: ServerInstant,
    /// What happened.
    pub action: String,
    /// The device.
    pub device: Option<Uuid>,
    /// The person.
    pub author: Option<Uuid>,
    /// The edit.
    pub edit: Option<Uuid>,
    /// The tablet's id of a read.
    pub read: Option<Uuid>,
    /// Reason code.
    pub code: Option<String>,
    /// Evidence.
    pub detail: Json,
    /// Hash over the entry before and this one.
    pub hash: ChainHash,
}

impl AuditRow {
    /// The entry as it is hashed.
    #[must_use]
    pub fn entry(&self, clinic: ClinicId) -> Entry<'_> {
        Entry {
            clinic,
            seq: self.seq,
            at: self.at,
            action: &self.action,
            device: self.device,
            author: self.author,
            edit: self.edit,
            read: self.read,
            code: self.code.as_deref(),
            detail: &self.detail,
        }
    }
}

impl Scoped {
    /// Appends entries, under the clinic's lock: taken here if it is not held yet.
    ///
    /// # Errors
    /// A database failure.
    pub async fn append_audit(&mut self, entries: &[AuditRecord], now: ServerInstant) -> StoreResult<()> {
        let entries: Vec<_> = entries.iter().map(|entry| (entry, None)).collect();
        self.append_chained(&entries, now).await
    }

    /// Appends reads that tablets tell of, each once, under the clinic's lock. Entry and the tablet's id of the read.
    ///
    /// # Errors
    /// A database failure.
    pub async fn append_reads(
        &mut self,
        mut reads: Vec<(AuditRecord, Uuid)>,
        now: ServerInstant,
    ) -> StoreResult<()> {
        self.lock_head().await?;
        let clinic = self.actor().clinic().0;
        let mut known: Vec<Uuid> = sqlx_core::query_scalar::query_scalar(
            "select read_id from sync.audit where clinic_id = $1 and read_id = any($2) and read_id is not null",
        )
        .bind(clinic)
        .bind(reads.iter().map(|(_, id)| *id).collect::<Vec<_>>())
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("looking for known reads"))?;
        reads.retain(|(_, id)| {
            let fresh = !known.contains(id);
            known.push(*id);
            fresh
        });
        let entries: Vec<_> = reads.iter().map(|(entry, id)| (entry, Some(*id))).collect();
        self.append_chained(&entries, now).await
    }

    async fn append_chained(
        &mut self,
        entries: &[(&AuditRecord, Option<Uuid>)],
        now: ServerInstant,
    ) -> StoreResult<()> {
        if entries.is_empty() {
            return Ok(());
        }
        if self.audit_place.is_none() {
            self.lock_head().await?;
        }
        let clinic = self.actor().clinic();
        let (mut size, mut last) = self.audit_place.ok_or(StoreError::Missing("head"))?;
        let (mut numbers, mut hashes) =
            (Vec::with_capacity(entries.len()), Vec::with_capacity(entries.len()));
        for (record, read) in entries {
            size = size.saturating_add(1);
            let entry = Entry {
                clinic,
                seq: size,
                at: now,
                action: record.action,
                device: record.device,
                author: record.author,
                edit: record.edit,
                read: *read,
                code: record.code,
                detail: &record.detail,
            };
            last = entry.hash(&last);
            numbers.push(size);
            hashes.push(last.to_vec());
        }
        sqlx_core::query::query(
            "with moved as (update sync.heads set audit_seq = $12, audit_hash = $13 where clinic_id = $1) \
             insert into sync.audit (clinic_id, at, action, device_id, author_id, edit_id, code, detail, read_id, \
             seq, hash) select $1, $2::timestamptz, u.* from unnest($3::text[], $4::uuid[], $5::uuid[], $6::uuid[], \
             $7::text[], $8::jsonb[], $9::uuid[], $10::bigint[], $11::bytea[]) as u",
        )
        .bind(clinic.0)
        .bind(instant_text(now.0))
        .bind(entries.iter().map(|(e, _)| e.action).collect::<Vec<_>>())
        .bind(entries.iter().map(|(e, _)| e.device).collect::<Vec<_>>())
        .bind(entries.iter().map(|(e, _)| e.author).collect::<Vec<_>>())
        .bind(entries.iter().map(|(e, _)| e.edit).collect::<Vec<_>>())
        .bind(entries.iter().map(|(e, _)| e.code).collect::<Vec<_>>())
        .bind(entries.iter().map(|(e, _)| e.detail.clone()).collect::<Vec<_>>())
        .bind(entries.iter().map(|(_, read)| *read).collect::<Vec<_>>())
        .bind(numbers)
        .bind(hashes)
        .bind(size)
        .bind(last.to_vec())
        .execute(self.connection())
        .await
        .map_err(StoreError::during("writing the audit"))?;
        self.audit_place = Some((size, last));
        Ok(())
    }

    /// Where the clinic's log ends, as its head row says.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_audit_place(&mut self) -> StoreResult<Place> {
        let clinic = self.actor().clinic();
        let row =
            sqlx_core::query::query("select audit_seq, audit_hash from sync.heads where clinic_id = $1")
                .bind(clinic.0)
                .fetch_optional(self.connection())
                .await
                .map_err(StoreError::during("reading the place of the audit"))?;
        let unreadable = |_| StoreError::Unreadable("sync.heads");
        match row {
            None => Ok((0, genesis(clinic))),
            Some(row) => place(
                clinic,
                row.try_get(0).map_err(unreadable)?,
                row.try_get::<Option<Vec<u8>>, _>(1).map_err(unreadable)?.as_deref(),
            ),
        }
    }

    /// Entries after a number, in order.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_audit(&mut self, after: i64, limit: usize) -> StoreResult<Vec<AuditRow>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select seq, (extract(epoch from at) * 1000000)::bigint, action, device_id, author_id, edit_id, read_id, \
             code, detail, hash from sync.audit where clinic_id = $1 and seq > $2 order by seq limit $3",
        )
        .bind(clinic)
        .bind(after)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading the audit"))?;
        rows.iter().map(read).collect()
    }

    /// The hash of one entry; `None` when the log has no such entry.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_audit_hash(&mut self, seq: i64) -> StoreResult<Option<ChainHash>> {
        let clinic = self.actor().clinic().0;
        let hash: Option<Vec<u8>> = sqlx_core::query_scalar::query_scalar(
            "select hash from sync.audit where clinic_id = $1 and seq = $2",
        )
        .bind(clinic)
        .bind(seq)
        .fetch_optional(self.connection())
        .await
        .map_err(StoreError::during("reading the audit"))?;
        hash.map(|hash| hash.try_into().map_err(|_| StoreError::Unreadable("sync.audit"))).transpose()
    }

    /// Keeps a checkpoint. One of the same size is kept already then.
    ///
    /// # Errors
    /// A database failure.
    pub async fn append_checkpoint(&mut self, checkpoint: &Checkpoint) -> StoreResult<()> {
        sqlx_core::query::query(
            "insert into sync.audit_checkpoints (clinic_id, size, hash, at, key, signature) \
             values ($1, $2, $3, $4::timestamptz, $5, $6) on conflict do nothing",
        )
        .bind(checkpoint.clinic.0)
        .bind(checkpoint.size)
        .bind(checkpoint.hash.to_vec())
        .bind(instant_text(checkpoint.at.0))
        .bind(checkpoint.key.to_vec())
        .bind(checkpoint.signature.to_vec())
        .execute(self.connection())
        .await
        .map_err(StoreError::during("keeping a checkpoint"))?;
        Ok(())
    }

    /// The newest checkpoints, newest first.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_checkpoints(&mut self, limit: i64) -> StoreResult<Vec<Checkpoint>> {
        let clinic = self.actor().clinic();
        let rows = sqlx_core::query::query(
            "select size, hash, (extract(epoch from at) * 1000000)::bigint, key, signature \
             from sync.audit_checkpoints where clinic_id = $1 order by size desc limit $2",
        )
        .bind(clinic.0)
        .bind(limit)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading checkpoints"))?;
        let broken = || StoreError::Unreadable("sync.audit_checkpoints");
        let unreadable = |_| broken();
        let bytes = |row: &sqlx_postgres::PgRow, at: usize| -> StoreResult<[u8; 32]> {
            row.try_get::<Vec<u8>, _>(at).map_err(unreadable)?.try_into().map_err(|_| broken())
        };
        rows.iter()
            .map(|row| {
                Ok(Checkpoint {
                    clinic,
                    size: row.try_get(0).map_err(unreadable)?,
                    hash: bytes(row, 1)?.into(),
                    at: ServerInstant(row.try_get(2).map_err(unreadable)?),
                    key: bytes(row, 3)?.into(),
                    signature: row.try_get::<Vec<u8>, _>(4).map_err(unreadable)?.into(),
                })
            })
            .collect()
    }
}

/// A place as the head row keeps it: no hash means no entry yet.
pub(super) fn place(clinic: ClinicId, size: i64, hash: Option<&[u8]>) -> StoreResult<Place> {
    match hash {
        None => Ok((size, genesis(clinic))),
        Some(hash) => Ok((size, hash.try_into().map_err(|_| StoreError::Unreadable("sync.heads"))?)),
    }
}

fn read(row: &sqlx_postgres::PgRow) -> StoreResult<AuditRow> {
    let unreadable = |_| StoreError::Unreadable("sync.audit");
    let hash: Vec<u8> = row.try_get(9).map_err(unreadable)?;
    Ok(AuditRow {
        seq: row.try_get(0).map_err(unreadable)?,
        at: ServerInstant(row.try_get(1).map_err(unreadable)?),
        action: row.try_get(2).map_err(unreadable)?,
        device: row.try_get(3).map_err(unreadable)?,
        author: row.try_get(4).map_err(unreadable)?,
        edit: row.try_get(5).map_err(unreadable)?,
        read: row.try_get(6).map_err(unreadable)?,
        code: row.try_get(7).map_err(unreadable)?,
        detail: row.try_get(8).map_err(unreadable)?,
        hash: hash.try_into().map_err(|_| StoreError::Unreadable("sync.audit"))?,
    })
}
