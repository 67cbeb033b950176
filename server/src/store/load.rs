//! Bulk loading of finished rows as genesis: imports, the demo, migrations from another system.
//!
//! Owns the path on which records enter without a device: a loaded document is its row (2-sync 2.7), so no change and
//! no signature is made up for it. Invariant: what [`Store::load`] commits cannot be told from records whose history
//! was compacted: rows, documents, digest and feed agree, and loading the same batch again changes nothing.
//!
//! `COPY` cannot write a table with row security, so rows take the way every merge takes: one statement per table.

mod batch;
mod links;
mod months;
mod reference;

pub use batch::{LoadBatch, LoadRecord};
pub use reference::ReferenceRows;

use self::links::Patients;
use super::canonical::Record;
use super::documents::DocumentState;
use super::feed::{FeedKind, FeedRecord};
use super::heads::Head;
use super::made::Numbering;
use super::{Scoped, Store, StoreError, StoreResult};
use crate::actor::Actor;
use neonpro_contract::catalogue::{FacetId, Lifecycle, Purpose, Table};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::ClinicId;
use neonpro_contract::row::RowStamp;
use neonpro_contract::time::ServerInstant;
use std::collections::HashSet;

/// Records one statement writes. Bounds the memory of a statement's parameters.
const STATEMENT_RECORDS_MAX: usize = 2_000;

/// What a load did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loaded {
    /// Records written.
    pub records: u64,
    /// Documents that now exist because of them.
    pub documents: u64,
    /// Records that were there already and were left alone.
    pub present: u64,
}

impl std::ops::AddAssign for Loaded {
    fn add_assign(&mut self, other: Self) {
        self.records = self.records.saturating_add(other.records);
        self.documents = self.documents.saturating_add(other.documents);
        self.present = self.present.saturating_add(other.present);
    }
}

/// How loaded records become known to the clinic's tablets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Announcement {
    /// No tablet has called yet: they will be given rows. One number for everything, and the horizon moves past it.
    Bootstrap,
    /// Tablets follow the feed: one entry per document.
    Feed,
}

/// What one load gathers before it is written down.
#[derive(Debug)]
struct Loading {
    head: Head,
    announcement: Announcement,
    patients: Patients,
    entries: Vec<FeedRecord>,
    loaded: Loaded,
    now: ServerInstant,
}

impl Store {
    /// Writes finished records of one clinic in one transaction. Records whose id is there already are skipped, so a
    /// load that was interrupted is repeated as it was.
    ///
    /// Consent booleans and the like are not computed here: see [`LoadBatch::fold_consents`].
    ///
    /// # Errors
    /// A database failure; `is_refusal` when a constraint refused a record. Nothing was written then.
    ///
    /// # Cancel safety
    /// Dropping the future before it is done writes nothing, or everything if the commit was under way.
    pub async fn load(&self, clinic: ClinicId, batch: &LoadBatch, now: ServerInstant) -> StoreResult<Loaded> {
        self.ensure_months_of(batch).await;
        let mut scoped = self.begin(&Actor::system(clinic)).await?;
        let head = scoped.lock_head().await?;
        let announcement = scoped.announcement().await?;
        let mut loading = Loading {
            head,
            announcement,
            patients: Patients::default(),
            entries: Vec::new(),
            loaded: Loaded::default(),
            now,
        };
        if announcement == Announcement::Bootstrap {
            loading.head.seq = loading.head.seq.saturating_add(1);
        }
        for records in batch.groups(STATEMENT_RECORDS_MAX) {
            scoped.load_group(records, &mut loading).await?;
        }
        if loading.loaded.records == 0 {
            scoped.rollback().await?;
            return Ok(loading.loaded);
        }
        let mut numbering = loading.numbering();
        scoped.number_made_rows(&mut numbering, &HashSet::new()).await?;
        let made = numbering.documents;
        loading.loaded.documents = loading.loaded.documents.saturating_add(made);
        if announcement == Announcement::Bootstrap {
            loading.head.horizon = loading.head.seq;
        }
        scoped.append_feed(&loading.entries, now).await?;
        scoped.upsert_head(&loading.head).await?;
        scoped.commit().await?;
        Ok(loading.loaded)
    }
}

impl Scoped {
    async fn announcement(&mut self) -> StoreResult<Announcement> {
        let clinic = self.actor().clinic().0;
        let synced: bool = sqlx_core::query_scalar::query_scalar(
            "select exists (select from sync.devices where clinic_id = $1 and state = 'active' \
             and (cursor >= 0 or last_seen_at is not null))",
        )
        .bind(clinic)
        .fetch_one(self.connection())
        .await
        .map_err(StoreError::during("looking for tablets"))?;
        Ok(if synced { Announcement::Feed } else { Announcement::Bootstrap })
    }

    /// Writes records of one table.
    async fn load_group(&mut self, group: &[LoadRecord], loading: &mut Loading) -> StoreResult<()> {
        let Some(table) = group.first().map(|record| record.table) else { return Ok(()) };
        let ids: Vec<_> = group.iter().map(|record| record.id.0).collect();
        let known: HashSet<_> = self.list_existing(table, &ids).await?.into_iter().collect();
        let fresh: Vec<&LoadRecord> = group.iter().filter(|record| !known.contains(&record.id.0)).collect();
        let present = u64::try_from(known.len()).unwrap_or(u64::MAX);
        loading.loaded.present = loading.loaded.present.saturating_add(present);
        if fresh.is_empty() {
            return Ok(());
        }
        loading.patients.resolve(self, table, &fresh).await?;
        let mut documents = Vec::new();
        let mut records = Vec::with_capacity(fresh.len());
        for record in fresh {
            let feed_seq = loading.number(record, &mut documents);
            let stamp = RowStamp {
                author: record.author,
                captured_at: Some(record.captured_at),
                merged_at: loading.now,
                feed_seq,
            };
            let patient = loading.patients.of(record);
            records.push(Record { id: record.id, patient, row: &record.row, stamp });
        }
        self.append_records(table, &records).await?;
        self.upsert_documents(&documents.iter().collect::<Vec<_>>()).await?;
        let written = u64::try_from(records.len()).unwrap_or(u64::MAX);
        loading.loaded.records = loading.loaded.records.saturating_add(written);
        Ok(())
    }
}

impl Loading {
    /// Makes the documents of a record and their feed entries; the record's own feed number.
    fn number(&mut self, record: &LoadRecord, documents: &mut Vec<DocumentState>) -> i64 {
        if record.table.lifecycle == Lifecycle::Server {
            let document = DocumentId { table: record.table.id, record: record.id, facet: FacetId(0) };
            return self.announce(FeedKind::Row, document, Purpose::Operation);
        }
        let patient = self.patients.of(record);
        let mut last = self.head.seq;
        for (facet, purpose) in record.facets() {
            let id = DocumentId { table: record.table.id, record: record.id, facet };
            let mut document = DocumentState::new(id, purpose, patient);
            last = self.announce(FeedKind::Snapshot, id, purpose);
            document.last_seq = last;
            self.count(&document);
            documents.push(document);
        }
        last
    }

    /// Takes the next feed number, or the load's one number when nobody follows the feed yet.
    fn announce(&mut self, kind: FeedKind, document: DocumentId, purpose: Purpose) -> i64 {
        self.numbering().announce(kind, document, purpose)
    }

    /// Adds a new document to the clinic's digest.
    fn count(&mut self, document: &DocumentState) {
        self.numbering().count(document);
        self.loaded.documents = self.loaded.documents.saturating_add(1);
    }

    fn numbering(&mut self) -> Numbering<'_> {
        let followed = self.announcement == Announcement::Feed;
        Numbering { head: &mut self.head, feed: followed.then_some(&mut self.entries), documents: 0 }
    }
}

/// The documents a record of this table has.
fn facets_of(table: &'static Table) -> impl Iterator<Item = FacetId> {
    let none = if table.lifecycle == Lifecycle::Server { 0 } else { usize::MAX };
    table.facet_ids().take(none)
}
