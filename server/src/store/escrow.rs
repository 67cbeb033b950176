//! `sync.escrow_keys`: a clinic's key pairs for unsent work, and what is known of edits out of escrow.

use super::{Scoped, StoreError, StoreResult};
use crate::keys::{Place, Subject, key_of};
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::ids::EditId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use sqlx_core::row::Row as _;
use std::collections::HashSet;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A key pair as it is kept.
#[derive(Clone)]
pub struct EscrowKeyRow {
    /// X25519.
    pub public_key: [u8; 32],
    /// In the clear; sealed in the database.
    pub private_key: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for EscrowKeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EscrowKeyRow(…)")
    }
}

impl Scoped {
    /// The public key tablets seal to now.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_escrow_public_key(&mut self) -> StoreResult<Option<[u8; 32]>> {
        let clinic = self.actor().clinic().0;
        let key: Option<Vec<u8>> = sqlx_core::query_scalar::query_scalar(
            "select public_key from sync.escrow_keys where clinic_id = $1 and retired_at is null",
        )
        .bind(clinic)
        .fetch_optional(self.connection())
        .await
        .map_err(StoreError::during("reading an escrow key"))?;
        key.map(|key| key.try_into().map_err(|_| StoreError::Unreadable("sync.escrow_keys"))).transpose()
    }

    /// Every key pair of the clinic, retired ones included.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_escrow_keys(&mut self) -> StoreResult<Vec<EscrowKeyRow>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select public_key, private_key from sync.escrow_keys where clinic_id = $1 order by created_at",
        )
        .bind(clinic)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading escrow keys"))?;
        let unreadable = || StoreError::Unreadable("sync.escrow_keys");
        let mut keys = Vec::with_capacity(rows.len());
        for row in &rows {
            let (public, sealed): (Vec<u8>, Vec<u8>) =
                (row.try_get(0).map_err(|_| unreadable())?, row.try_get(1).map_err(|_| unreadable())?);
            let opener = self.opener(key_of(&sealed)).await?;
            let private = opener.open(Place::EscrowKey(&public), &sealed)?.ok_or_else(unreadable)?;
            keys.push(EscrowKeyRow {
                public_key: public.try_into().map_err(|_| unreadable())?,
                private_key: private,
            });
        }
        Ok(keys)
    }

    /// Keeps a new key pair, unless another one came first.
    ///
    /// # Errors
    /// A database failure.
    pub async fn append_escrow_key(&mut self, key: &EscrowKeyRow, now: ServerInstant) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        let nobody = Subject::of(None, Purpose::Operation);
        let sealer = self.sealer([nobody].into()).await?;
        let sealed = sealer.seal(nobody, Place::EscrowKey(&key.public_key), &key.private_key)?;
        sqlx_core::query::query(
            "insert into sync.escrow_keys (clinic_id, public_key, private_key, created_at) \
             values ($1, $2, $3, $4::timestamptz) on conflict do nothing",
        )
        .bind(clinic)
        .bind(key.public_key.as_slice())
        .bind(sealed)
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("keeping an escrow key"))?;
        Ok(())
    }

    /// Which of these edits the server has an answer for, and which of them were handed over.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_answered_edits(
        &mut self,
        edits: &[EditId],
    ) -> StoreResult<(HashSet<EditId>, HashSet<EditId>)> {
        let clinic = self.actor().clinic().0;
        let ids: Vec<Uuid> = edits.iter().map(|edit| edit.0).collect();
        let rows = sqlx_core::query::query(
            "select id, exists (select from sync.handovers h where h.clinic_id = e.clinic_id and h.edit_id = e.id) \
             from sync.edits e where clinic_id = $1 and id = any($2)",
        )
        .bind(clinic)
        .bind(ids)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("looking for edits"))?;
        let unreadable = |_| StoreError::Unreadable("sync.edits");
        let (mut known, mut handed) = (HashSet::new(), HashSet::new());
        for row in &rows {
            let edit = EditId(row.try_get(0).map_err(unreadable)?);
            known.insert(edit);
            if row.try_get(1).map_err(unreadable)? {
                handed.insert(edit);
            }
        }
        Ok((known, handed))
    }
}
