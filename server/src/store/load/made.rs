//! Rows that triggers wrote while a batch went in: quantities, alerts, deadlines.
//!
//! Invariant: after a load no row of the clinic is without a feed number or without its documents.

use super::{Loading, facets_of};
use crate::store::documents::DocumentState;
use crate::store::feed::FeedKind;
use crate::store::{Scoped, StoreResult};
use neonpro_contract::catalogue::{FacetId, Lifecycle, Purpose, PurposeRule, Table, table};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::RecordId;
use std::collections::HashSet;
use uuid::Uuid;

/// Tables whose rows triggers and jobs write (migrations 0003 and 0004).
const MADE: [&str; 5] = [
    "appointment_history",
    "inventory_alerts",
    "inventory_products",
    "professional_referrals",
    "compliance_assessments",
];

impl Scoped {
    /// Numbers what is unnumbered, and makes the documents of records that triggers created.
    ///
    /// # Errors
    /// A database failure.
    pub(super) async fn number_made_rows(&mut self, loading: &mut Loading) -> StoreResult<()> {
        for table in MADE.into_iter().filter_map(table) {
            let ids = self.list_unnumbered(table).await?;
            if ids.is_empty() {
                continue;
            }
            let mut documents = Vec::new();
            let mut numbers = Vec::with_capacity(ids.len());
            let known = self.list_documents_of(&ids).await?;
            let known: HashSet<Uuid> = known.iter().map(|document| document.id.record.0).collect();
            for id in &ids {
                let new = table.lifecycle != Lifecycle::Server && !known.contains(id);
                let seq =
                    if new { made(table, *id, loading, &mut documents) } else { row(table, *id, loading) };
                numbers.push((*id, seq));
            }
            self.mark_numbered(table, &numbers).await?;
            self.upsert_documents(&documents.iter().collect::<Vec<_>>()).await?;
        }
        Ok(())
    }
}

fn row(table: &'static Table, id: Uuid, loading: &mut Loading) -> i64 {
    let document = DocumentId { table: table.id, record: RecordId(id), facet: FacetId(0) };
    loading.announce(FeedKind::Row, document, Purpose::Operation)
}

/// A record that a trigger created: none of these tables has a patient or a purpose that depends on the row.
fn made(table: &'static Table, id: Uuid, loading: &mut Loading, documents: &mut Vec<DocumentState>) -> i64 {
    let mut last = loading.head.seq;
    for facet in facets_of(table) {
        let Some(PurposeRule::Fixed(purpose)) = table.facet(facet).map(|facet| facet.purpose) else {
            continue;
        };
        let id = DocumentId { table: table.id, record: RecordId(id), facet };
        let mut document = DocumentState::new(id, purpose, None);
        last = loading.announce(FeedKind::Snapshot, id, purpose);
        document.last_seq = last;
        loading.count(&document);
        documents.push(document);
    }
    last
}
