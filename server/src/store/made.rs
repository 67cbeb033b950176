//! Rows that triggers and jobs wrote by themselves: quantities, alerts, deadlines, assessments.
//!
//! One function numbers them, whoever caused them: a merge, a load or a job. Invariant: when it returns no row of the
//! clinic is without a feed number or without its documents.

use super::documents::DocumentState;
use super::feed::{FeedKind, FeedRecord};
use super::heads::Head;
use super::{Scoped, StoreResult};
use neonpro_contract::catalogue::{FacetId, Lifecycle, Purpose, PurposeRule, Table, table};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::RecordId;
use std::collections::HashSet;
use uuid::Uuid;

/// Tables whose rows triggers and jobs write (migrations 0003, 0004 and 0006).
pub(super) const MADE: [&str; 5] = [
    "appointment_history",
    "inventory_alerts",
    "inventory_products",
    "professional_referrals",
    "compliance_assessments",
];

/// Where numbers come from and where entries go.
#[derive(Debug)]
pub struct Numbering<'a> {
    /// The clinic's head, locked by the caller.
    pub head: &'a mut Head,
    /// The feed; `None` while no tablet follows it: everything shares the head's number then.
    pub feed: Option<&'a mut Vec<FeedRecord>>,
    /// Documents that came into being.
    pub documents: u64,
}

impl Numbering<'_> {
    /// Takes the next feed number, or the one that is shared.
    pub fn announce(&mut self, kind: FeedKind, document: DocumentId, purpose: Purpose) -> i64 {
        if let Some(feed) = &mut self.feed {
            self.head.seq = self.head.seq.saturating_add(1);
            let epoch = if kind == FeedKind::Row { 0 } else { 1 };
            feed.push(FeedRecord {
                seq: self.head.seq,
                kind,
                document,
                purpose,
                epoch,
                edit: None,
                device: None,
            });
        }
        self.head.seq
    }

    /// Adds a new document to the clinic's digest.
    pub fn count(&mut self, document: &DocumentState) {
        if let Some(sum) = self.head.of_purpose(document.purpose) {
            sum.add(document.fingerprint());
        }
        self.documents = self.documents.saturating_add(1);
    }

    fn row(&mut self, table: &'static Table, id: Uuid) -> i64 {
        let document = DocumentId { table: table.id, record: RecordId(id), facet: FacetId(0) };
        self.announce(FeedKind::Row, document, Purpose::Operation)
    }

    /// A record that a trigger created: none of these tables has a patient or a purpose that depends on the row.
    fn made(&mut self, table: &'static Table, id: Uuid, documents: &mut Vec<DocumentState>) -> i64 {
        let mut last = self.head.seq;
        for facet in table.facet_ids() {
            let Some(PurposeRule::Fixed(purpose)) = table.facet(facet).map(|facet| facet.purpose) else {
                continue;
            };
            let id = DocumentId { table: table.id, record: RecordId(id), facet };
            let mut document = DocumentState::new(id, purpose, None);
            last = self.announce(FeedKind::Snapshot, id, purpose);
            document.last_seq = last;
            self.count(&document);
            documents.push(document);
        }
        last
    }
}

impl Scoped {
    /// Numbers what is unnumbered, and makes the documents of records that came into being; those of `brought` records
    /// are the caller's to write.
    ///
    /// # Errors
    /// A database failure.
    pub async fn number_made_rows(
        &mut self,
        numbering: &mut Numbering<'_>,
        brought: &HashSet<Uuid>,
    ) -> StoreResult<()> {
        let unnumbered = self.list_unnumbered().await?;
        for table in MADE.into_iter().filter_map(table) {
            let ids: Vec<Uuid> =
                unnumbered.iter().filter(|(of, _)| *of == table.name).map(|(_, id)| *id).collect();
            if ids.is_empty() {
                continue;
            }
            let known = self.list_documents_of(&ids).await?;
            let known: HashSet<Uuid> = known.iter().map(|document| document.id.record.0).collect();
            let mut documents = Vec::new();
            let mut numbers = Vec::with_capacity(ids.len());
            for id in ids {
                let here = known.contains(&id) || brought.contains(&id);
                let new = table.lifecycle != Lifecycle::Server && !here;
                let seq =
                    if new { numbering.made(table, id, &mut documents) } else { numbering.row(table, id) };
                numbers.push((id, seq));
            }
            self.mark_numbered(table, &numbers).await?;
            self.upsert_documents(&documents.iter().collect::<Vec<_>>()).await?;
        }
        Ok(())
    }
}
