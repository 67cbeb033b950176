//! Shares between clinics, and the copies a clinic received.
//!
//! Owns the one place where a transaction changes from one clinic to another. Invariant: each half of a `Bridge` is
//! bound by row security like any other work in that clinic; nothing is ever read or written as both.

use super::documents::{DocumentState, purpose_number, purpose_numbers, purpose_of};
use super::heads::Head;
use super::{Scoped, Store, StoreError, StoreResult};
use crate::actor::Actor;
use crate::keys::{Place, key_of};
use neonpro_contract::catalogue::{FacetId, TableId};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::{AuthorId, ClinicId, PatientId, RecordId};
use neonpro_contract::row::{Row, RowStamp};
use neonpro_contract::time::{DeviceInstant, ServerInstant};
use neonpro_contract::value::instant_text;
use sqlx_core::row::Row as _;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::PgRow;
use uuid::Uuid;

/// A transaction in two clinics, one after the other. Both heads are locked, in the order of their ids, so that two
/// bridges never wait for each other in a circle.
#[derive(Debug)]
pub(crate) struct Bridge {
    scoped: Scoped,
    from: ClinicId,
    to: ClinicId,
    /// Head of the clinic that gives.
    pub from_head: Head,
    /// Head of the clinic that receives.
    pub to_head: Head,
}

/// A referral to another clinic.
#[derive(Debug, Clone)]
pub struct Referral {
    /// Its id.
    pub id: Uuid,
    /// The patient.
    pub patient: Uuid,
    /// The clinic it goes to.
    pub to: ClinicId,
    /// Its state.
    pub status: String,
    /// Whether it was retired.
    pub retired: bool,
}

/// A share as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The referral that opened it.
    pub referral: Uuid,
    /// The patient.
    pub patient: Uuid,
    /// The clinic that receives.
    pub to: ClinicId,
    /// Whether it is open.
    pub open: bool,
    /// How far the receiving clinic was told.
    pub told_seq: i64,
}

/// A copy a clinic received.
#[derive(Debug, Clone)]
pub struct SharedDocument {
    /// Document, purpose, epoch, number; never a live history.
    pub state: DocumentState,
    /// Bookkeeping of the record where it comes from, with this clinic's feed number.
    pub stamp: RowStamp,
    /// CBOR of the facet's row; empty once withdrawn.
    pub content: Vec<u8>,
}

impl SharedDocument {
    /// Its values; other facets' are null.
    ///
    /// # Errors
    /// Content that does not fit the catalogue.
    pub fn row(&self) -> StoreResult<Row> {
        let unreadable = || StoreError::Unreadable("sync.shared_documents");
        let table = self.state.id.table().ok_or_else(unreadable)?;
        Row::decode_from(&mut minicbor::Decoder::new(&self.content), table).map_err(|_| unreadable())
    }
}

const SELECT: &str = "select table_id, record_id, facet, purpose, epoch, feed_seq, withdrawn, author_id, \
     (extract(epoch from captured_at) * 1000000)::bigint, (extract(epoch from merged_at) * 1000000)::bigint, content, patient_id \
     from sync.shared_documents where clinic_id = $1";

fn decode(row: &PgRow) -> StoreResult<SharedDocument> {
    let broken = || StoreError::Unreadable("sync.shared_documents");
    let unreadable = |_| broken();
    let (table, facet, purpose): (i16, i16, i16) = (
        row.try_get(0).map_err(unreadable)?,
        row.try_get(2).map_err(unreadable)?,
        row.try_get(3).map_err(unreadable)?,
    );
    let epoch: i32 = row.try_get(4).map_err(unreadable)?;
    let id = DocumentId {
        table: TableId(u16::try_from(table).map_err(|_| broken())?),
        record: RecordId(row.try_get(1).map_err(unreadable)?),
        facet: FacetId(u8::try_from(facet).map_err(|_| broken())?),
    };
    let feed_seq = row.try_get(5).map_err(unreadable)?;
    let patient: Option<Uuid> = row.try_get(11).map_err(unreadable)?;
    let state = DocumentState {
        epoch: u32::try_from(epoch).map_err(|_| broken())?,
        last_seq: feed_seq,
        withdrawn: row.try_get(6).map_err(unreadable)?,
        ..DocumentState::new(id, purpose_of(purpose).ok_or_else(broken)?, patient.map(PatientId))
    };
    let stamp = RowStamp {
        author: row.try_get::<Option<Uuid>, _>(7).map_err(unreadable)?.map(AuthorId),
        captured_at: row.try_get::<Option<i64>, _>(8).map_err(unreadable)?.map(DeviceInstant),
        merged_at: ServerInstant(row.try_get(9).map_err(unreadable)?),
        feed_seq,
    };
    let content: Option<Vec<u8>> = row.try_get(10).map_err(unreadable)?;
    Ok(SharedDocument { state, stamp, content: content.unwrap_or_default() })
}

impl Store {
    /// Opens a transaction between two clinics of one network; `None` if they are not of one.
    ///
    /// # Errors
    /// A database failure.
    pub(crate) async fn bridge(&self, from: ClinicId, to: ClinicId) -> StoreResult<Option<Bridge>> {
        let (first, second) = (from.min(to), from.max(to));
        let mut scoped = self.begin(&Actor::system(first)).await?;
        let (first_head, first_network) = (scoped.lock_head().await?, scoped.find_network().await?);
        scoped.enter(second).await?;
        let (second_head, second_network) = (scoped.lock_head().await?, scoped.find_network().await?);
        if first_network.is_none() || first_network != second_network {
            scoped.rollback().await?;
            return Ok(None);
        }
        let (from_head, to_head) =
            if from == first { (first_head, second_head) } else { (second_head, first_head) };
        Ok(Some(Bridge { scoped, from, to, from_head, to_head }))
    }
}

impl Bridge {
    /// The transaction in the clinic that gives.
    pub async fn source(&mut self) -> StoreResult<&mut Scoped> {
        self.scoped.enter(self.from).await?;
        Ok(&mut self.scoped)
    }

    /// The transaction in the clinic that receives.
    pub async fn target(&mut self) -> StoreResult<&mut Scoped> {
        self.scoped.enter(self.to).await?;
        Ok(&mut self.scoped)
    }

    /// Commits both halves.
    pub async fn commit(self) -> StoreResult<()> {
        self.scoped.commit().await
    }
}

impl Scoped {
    /// Goes on in another clinic. Only a bridge may.
    async fn enter(&mut self, clinic: ClinicId) -> StoreResult<()> {
        sqlx_core::query::query("select set_config('neonpro.clinic_id', $1, true)")
            .bind(clinic.to_string())
            .execute(self.connection())
            .await
            .map_err(StoreError::during("entering another clinic"))?;
        self.actor = Actor::system(clinic);
        // The chain of the audit is a clinic's own: its place is read again under this clinic's lock.
        self.audit_place = None;
        self.keys_destroyed = None;
        Ok(())
    }

    async fn find_network(&mut self) -> StoreResult<Option<Uuid>> {
        Ok(self.find_clinic_name().await?.and_then(|(_, network)| network))
    }

    /// Referrals of the clinic that go to another one.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_referrals_abroad(&mut self) -> StoreResult<Vec<Referral>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select id, patient_id, receiving_clinic_id, status, retired_at is not null from professional_referrals \
             where clinic_id = $1 and receiving_clinic_id is not null and receiving_clinic_id <> $1 order by id",
        )
        .bind(clinic)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading referrals"))?;
        let unreadable = |_| StoreError::Unreadable("professional_referrals");
        rows.iter()
            .map(|row| {
                Ok(Referral {
                    id: row.try_get(0).map_err(unreadable)?,
                    patient: row.try_get(1).map_err(unreadable)?,
                    to: ClinicId(row.try_get(2).map_err(unreadable)?),
                    status: row.try_get(3).map_err(unreadable)?,
                    retired: row.try_get(4).map_err(unreadable)?,
                })
            })
            .collect()
    }

    /// Shares the clinic has given.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_shares_given(&mut self) -> StoreResult<Vec<Share>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select referral_id, patient_id, to_clinic, state = 'open', told_seq from sync.shares \
             where clinic_id = $1 order by referral_id",
        )
        .bind(clinic)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading shares"))?;
        let unreadable = |_| StoreError::Unreadable("sync.shares");
        rows.iter()
            .map(|row| {
                Ok(Share {
                    referral: row.try_get(0).map_err(unreadable)?,
                    patient: row.try_get(1).map_err(unreadable)?,
                    to: ClinicId(row.try_get(2).map_err(unreadable)?),
                    open: row.try_get(3).map_err(unreadable)?,
                    told_seq: row.try_get(4).map_err(unreadable)?,
                })
            })
            .collect()
    }

    /// Opens a share, ends it, or notes how far the other side was told.
    ///
    /// # Errors
    /// A database failure.
    pub async fn upsert_share(
        &mut self,
        share: &Share,
        ended_why: Option<&'static str>,
        now: ServerInstant,
    ) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        let state = if share.open { "open" } else { "ended" };
        sqlx_core::query::query(
            "insert into sync.shares as s (clinic_id, to_clinic, referral_id, patient_id, state, ended_why, opened_at, \
             ended_at, told_seq) values ($1, $2, $3, $4, $5, $6, $7::timestamptz, \
             case when $5 = 'ended' then $7::timestamptz end, $8) on conflict (clinic_id, referral_id) do update set \
             opened_at = case when s.state = 'ended' and excluded.state = 'open' then excluded.opened_at \
             else s.opened_at end, \
             ended_at = case when excluded.state = 'ended' then coalesce(s.ended_at, excluded.ended_at) end, \
             state = excluded.state, ended_why = excluded.ended_why, told_seq = excluded.told_seq",
        )
        .bind(clinic)
        .bind(share.to.0)
        .bind(share.referral)
        .bind(share.patient)
        .bind(state)
        .bind(ended_why)
        .bind(instant_text(now.0))
        .bind(share.told_seq)
        .execute(self.connection())
        .await
        .map_err(StoreError::during("writing a share"))?;
        Ok(())
    }

    /// Newest feed number among the documents of a patient.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_last_seq_of_patient(&mut self, patient: Uuid) -> StoreResult<i64> {
        let clinic = self.actor().clinic().0;
        let last: Option<i64> = sqlx_core::query_scalar::query_scalar(
            "select max(last_seq) from sync.documents where clinic_id = $1 and patient_id = $2",
        )
        .bind(clinic)
        .bind(patient)
        .fetch_one(self.connection())
        .await
        .map_err(StoreError::during("reading documents"))?;
        Ok(last.unwrap_or(0))
    }

    async fn open_copies(&mut self, rows: &[PgRow]) -> StoreResult<Vec<SharedDocument>> {
        let mut copies = rows.iter().map(decode).collect::<StoreResult<Vec<_>>>()?;
        let numbers: Vec<i64> = copies.iter().filter_map(|copy| key_of(&copy.content)).collect();
        let opener = self.opener(numbers).await?;
        for copy in copies.iter_mut().filter(|copy| !copy.content.is_empty()) {
            let opened = opener.open(Place::Copy(copy.state.id), &copy.content)?;
            copy.content = opened.ok_or(StoreError::Missing("key of a copy"))?.to_vec();
        }
        Ok(copies)
    }

    /// Copies this clinic received from another one.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_shared_from(&mut self, from: ClinicId) -> StoreResult<Vec<SharedDocument>> {
        let clinic = self.actor().clinic().0;
        let sql = format!("{SELECT} and from_clinic = $2 order by record_id, facet");
        let rows = sqlx_core::query::query(AssertSqlSafe(sql))
            .bind(clinic)
            .bind(from.0)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading shared documents"))?;
        self.open_copies(&rows).await
    }

    /// Copies of these records.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_shared_of(&mut self, records: &[Uuid]) -> StoreResult<Vec<SharedDocument>> {
        let clinic = self.actor().clinic().0;
        let sql = format!("{SELECT} and record_id = any($2) order by record_id, facet");
        let rows = sqlx_core::query::query(AssertSqlSafe(sql))
            .bind(clinic)
            .bind(records)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading shared documents"))?;
        self.open_copies(&rows).await
    }

    /// Copies of a table's records that devices may hold, by record.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_shared_in(&mut self, table: TableId) -> StoreResult<Vec<SharedDocument>> {
        let clinic = self.actor().clinic().0;
        let sql = format!("{SELECT} and table_id = $2 and not withdrawn order by record_id, facet");
        let rows = sqlx_core::query::query(AssertSqlSafe(sql))
            .bind(clinic)
            .bind(i16::try_from(table.0).unwrap_or(i16::MAX))
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading shared documents"))?;
        self.open_copies(&rows).await
    }

    /// Which of these records are copies, withdrawn ones included.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_shared_ids(&mut self, records: &[Uuid]) -> StoreResult<Vec<Uuid>> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query_scalar::query_scalar(
            "select distinct record_id from sync.shared_documents where clinic_id = $1 and record_id = any($2)",
        )
        .bind(clinic)
        .bind(records)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("looking for shared records"))
    }

    /// States of the copies the actor's audience may see.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_shared_seen(&mut self) -> StoreResult<Vec<DocumentState>> {
        let clinic = self.actor().clinic().0;
        let purposes = purpose_numbers(self.actor().audience());
        // Without the content: only what it takes to compare.
        let sql = format!(
            "{} and purpose = any($2) and not withdrawn",
            SELECT.replace(", content,", ", null::bytea,")
        );
        let rows = sqlx_core::query::query(AssertSqlSafe(sql))
            .bind(clinic)
            .bind(purposes)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading shared documents"))?;
        rows.iter().map(|row| decode(row).map(|shared| shared.state)).collect()
    }

    /// How many shared records devices may hold.
    ///
    /// # Errors
    /// A database failure.
    pub async fn count_shared_records(&mut self) -> StoreResult<u64> {
        let clinic = self.actor().clinic().0;
        let count: i64 = sqlx_core::query_scalar::query_scalar(
            "select count(distinct (table_id, record_id)) from sync.shared_documents where clinic_id = $1 \
             and not withdrawn",
        )
        .bind(clinic)
        .fetch_one(self.connection())
        .await
        .map_err(StoreError::during("counting shared records"))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Writes a copy.
    ///
    /// # Errors
    /// A database failure.
    pub async fn upsert_shared(&mut self, from: ClinicId, shared: &SharedDocument) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        let (id, stamp) = (&shared.state.id, &shared.stamp);
        let subject = shared.state.subject();
        let content = if shared.state.withdrawn {
            None
        } else {
            let sealer = self.sealer([subject].into()).await?;
            Some(sealer.seal(subject, Place::Copy(*id), &shared.content)?)
        };
        sqlx_core::query::query(
            "insert into sync.shared_documents (clinic_id, record_id, table_id, facet, purpose, from_clinic, epoch, \
             content, author_id, captured_at, merged_at, feed_seq, withdrawn, patient_id) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, \
             $10::timestamptz, $11::timestamptz, $12, $13, $14) on conflict (clinic_id, record_id, table_id, facet) do update \
             set purpose = excluded.purpose, epoch = excluded.epoch, content = excluded.content, \
             author_id = excluded.author_id, captured_at = excluded.captured_at, merged_at = excluded.merged_at, \
             feed_seq = excluded.feed_seq, withdrawn = excluded.withdrawn, patient_id = excluded.patient_id",
        )
        .bind(clinic)
        .bind(id.record.0)
        .bind(i16::try_from(id.table.0).unwrap_or(i16::MAX))
        .bind(i16::from(id.facet.0))
        .bind(purpose_number(shared.state.purpose))
        .bind(from.0)
        .bind(i32::try_from(shared.state.epoch).unwrap_or(i32::MAX))
        .bind(content)
        .bind(stamp.author.map(|author| author.0))
        .bind(stamp.captured_at.map(|at| instant_text(at.0)))
        .bind(instant_text(stamp.merged_at.0))
        .bind(shared.state.last_seq)
        .bind(shared.state.withdrawn)
        .bind(shared.state.patient.map(|patient| patient.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("writing a shared document"))?;
        Ok(())
    }
}
