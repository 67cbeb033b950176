//! A clinic's head: its feed number, horizon and digests.

use super::audit::{Place, place};
use super::{Scoped, StoreError, StoreResult};
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::digest::Digest;
use neonpro_contract::ids::DeviceId;
use neonpro_contract::permissions::Audience;
use sqlx_core::row::Row as _;

/// Where a clinic stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Last feed number.
    pub seq: i64,
    /// Entries up to here may be gone.
    pub horizon: i64,
    digests: [Digest; 6],
}

impl Head {
    /// The head of a clinic without history.
    #[must_use]
    pub fn start() -> Self {
        Self { seq: 0, horizon: 0, digests: [Digest::default(); 6] }
    }

    /// The digest an audience compares: the sum over the purposes it sees.
    #[must_use]
    pub fn digest(&self, audience: Audience) -> Digest {
        let mut sum = Digest::default();
        for (purpose, digest) in Purpose::ALL.into_iter().zip(self.digests) {
            if audience.sees(purpose) {
                sum.add(digest.0);
            }
        }
        sum
    }

    /// The sum of one purpose, to change it.
    pub fn of_purpose(&mut self, purpose: Purpose) -> Option<&mut Digest> {
        let index = Purpose::ALL.iter().position(|other| *other == purpose)?;
        self.digests.get_mut(index)
    }

    pub(super) fn digest_bytes(&self) -> Vec<u8> {
        self.digests.iter().flat_map(|digest| digest.to_bytes()).collect()
    }

    fn read(seq: i64, horizon: i64, bytes: &[u8]) -> StoreResult<Self> {
        let mut head = Self { seq, horizon, digests: [Digest::default(); 6] };
        let (chunks, rest) = bytes.as_chunks::<16>();
        if chunks.len() != head.digests.len() || !rest.is_empty() {
            return Err(StoreError::Unreadable("sync.heads"));
        }
        for (digest, chunk) in head.digests.iter_mut().zip(chunks) {
            *digest = Digest::from_bytes(*chunk);
        }
        Ok(head)
    }
}

/// What decides whether a device is sent anything, as of one transaction.
#[derive(Debug)]
pub struct PullStanding {
    /// The device is known and not revoked.
    pub active: bool,
    /// Newest reference row.
    pub reference_seq: i64,
    /// Where the clinic stands.
    pub head: Head,
}

impl Scoped {
    /// Where a device, the reference data and the clinic stand, in one statement: every page begins with it.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_pull_standing(&mut self, device: DeviceId) -> StoreResult<PullStanding> {
        let row = sqlx_core::query::query(
            "select s.reference_seq, coalesce(d.state = 'active', false), h.seq, h.horizon, h.digests, \
             h.keys_destroyed from sync.server s left join sync.devices d on d.clinic_id = $1 and d.id = $2 \
             left join sync.heads h on h.clinic_id = $1",
        )
        .bind(self.actor.clinic().0)
        .bind(device.0)
        .fetch_one(self.connection())
        .await
        .map_err(StoreError::during("reading where a clinic stands"))?;
        let unreadable = |_| StoreError::Unreadable("sync.heads");
        let head = match row.try_get::<Option<i64>, _>(2).map_err(unreadable)? {
            Some(seq) => {
                let digests: Vec<u8> = row.try_get(4).map_err(unreadable)?;
                Head::read(seq, row.try_get(3).map_err(unreadable)?, &digests)?
            }
            None => Head::start(),
        };
        self.keys_seen = row.try_get(5).map_err(unreadable)?;
        Ok(PullStanding {
            active: row.try_get(1).map_err(unreadable)?,
            reference_seq: row.try_get(0).map_err(unreadable)?,
            head,
        })
    }

    /// The clinic's head, locked until the transaction ends: one merge at a time per clinic, and one writer of its audit.
    ///
    /// # Errors
    /// A database failure.
    pub async fn lock_head(&mut self) -> StoreResult<Head> {
        let clinic = self.actor.clinic().0;
        let select = "select seq, horizon, digests, audit_seq, audit_hash, keys_destroyed from sync.heads where clinic_id = $1 for update";
        if let Some(found) = self.select_head(select).await? {
            return Ok(self.locked(found));
        }
        sqlx_core::query::query(
            "insert into sync.heads (clinic_id, digests) values ($1, $2) on conflict do nothing",
        )
        .bind(clinic)
        .bind(Head::start().digest_bytes())
        .execute(self.connection())
        .await
        .map_err(StoreError::during("starting a clinic's feed"))?;
        let found = self.select_head(select).await?.ok_or(StoreError::Missing("head"))?;
        Ok(self.locked(found))
    }

    /// Takes note of what only whoever holds the lock may rely on.
    fn locked(&mut self, (head, place, keys_destroyed): (Head, Place, i64)) -> Head {
        self.audit_place = Some(place);
        self.keys_destroyed = Some(keys_destroyed);
        self.keys.meet(self.actor.clinic(), keys_destroyed, head.seq);
        head
    }

    /// The clinic's head as last committed.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_head(&mut self) -> StoreResult<Head> {
        let select = "select seq, horizon, digests, audit_seq, audit_hash, keys_destroyed from sync.heads where clinic_id = $1";
        let Some((head, _, keys_destroyed)) = self.select_head(select).await? else {
            return Ok(Head::start());
        };
        self.keys_seen = Some(keys_destroyed);
        Ok(head)
    }

    async fn select_head(&mut self, select: &'static str) -> StoreResult<Option<(Head, Place, i64)>> {
        let clinic = self.actor.clinic();
        let row = sqlx_core::query::query(select)
            .bind(clinic.0)
            .fetch_optional(self.connection())
            .await
            .map_err(StoreError::during("reading the head"))?;
        let unreadable = |_| StoreError::Unreadable("sync.heads");
        row.map(|row| {
            let (seq, horizon) = (row.try_get(0).map_err(unreadable)?, row.try_get(1).map_err(unreadable)?);
            let bytes: Vec<u8> = row.try_get(2).map_err(unreadable)?;
            let hash: Option<Vec<u8>> = row.try_get(4).map_err(unreadable)?;
            let place = place(clinic, row.try_get(3).map_err(unreadable)?, hash.as_deref())?;
            let keys_destroyed = row.try_get(5).map_err(unreadable)?;
            Ok((Head::read(seq, horizon, &bytes)?, place, keys_destroyed))
        })
        .transpose()
    }

    /// Writes the head and wakes every server node. The payload is the clinic and the number, nothing else.
    ///
    /// # Errors
    /// A database failure.
    pub async fn upsert_head(&mut self, head: &Head) -> StoreResult<()> {
        let clinic = self.actor.clinic().0;
        sqlx_core::query::query(
            "with moved as (update sync.heads set seq = $2, horizon = $3, digests = $4 where clinic_id = $1) \
             select pg_notify('neonpro_feed', $1::text || ' ' || $2)",
        )
        .bind(clinic)
        .bind(head.seq)
        .bind(head.horizon)
        .bind(head.digest_bytes())
        .execute(self.connection())
        .await
        .map_err(StoreError::during("moving the head"))?;
        Ok(())
    }
}
