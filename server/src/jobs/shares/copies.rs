//! Copies of records in another clinic: what it should hold, and telling its devices what changed.

use crate::store::canonical::Stored;
use crate::store::documents::DocumentState;
use crate::store::feed::{FeedKind, FeedRecord};
use crate::store::receipts::PurgeOrder;
use crate::store::shares::{Bridge, Referral, SharedDocument};
use crate::store::{Scoped, StoreResult};
use crate::sync::facet_row;
use neonpro_contract::catalogue::{FacetId, Purpose, TableId, table, table_by_id};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::ClinicId;
use neonpro_contract::share::carries;
use neonpro_contract::time::ServerInstant;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// A document as the clinic that gives has it.
pub(super) struct Original {
    state: DocumentState,
    stored: Stored,
}

/// What the other clinic should hold of these patients.
pub(super) async fn wanted(
    source: &mut Scoped,
    patients: &BTreeSet<Uuid>,
    referrals: &[Referral],
    to: ClinicId,
) -> StoreResult<BTreeMap<DocumentId, Original>> {
    if patients.is_empty() {
        return Ok(BTreeMap::new());
    }
    let list: Vec<Uuid> = patients.iter().copied().collect();
    let own: BTreeSet<Uuid> = referrals
        .iter()
        .filter(|referral| referral.to == to && patients.contains(&referral.patient))
        .map(|referral| referral.id)
        .collect();
    let referral_table = table("professional_referrals").map(|table| table.id);
    let mut states = Vec::new();
    for state in source.list_documents_of_patients(&list, &[Purpose::Operation, Purpose::Treatment]).await? {
        let carried = state.id.table().is_some_and(|table| carries(table, state.id.facet, state.purpose));
        let referral = Some(state.id.table) == referral_table && own.contains(&state.id.record.0);
        if (carried || referral) && !state.withdrawn {
            states.push(state);
        }
    }
    let mut by_table: BTreeMap<TableId, BTreeSet<Uuid>> = BTreeMap::new();
    for state in &states {
        by_table.entry(state.id.table).or_default().insert(state.id.record.0);
    }
    let mut rows: HashMap<(TableId, Uuid), Stored> = HashMap::new();
    for (id, records) in by_table {
        let Some(table) = table_by_id(id) else { continue };
        let records: Vec<Uuid> = records.into_iter().collect();
        rows.extend(
            source.list_records(table, &records).await?.into_iter().map(|stored| ((id, stored.id.0), stored)),
        );
    }
    let original = |state: DocumentState| {
        let stored = rows.get(&(state.id.table, state.id.record.0))?.clone();
        Some((state.id, Original { state, stored }))
    };
    Ok(states.into_iter().filter_map(original).collect())
}

/// Brings the other clinic's copies in line and tells its devices. Says whether anything had to be told.
pub(super) async fn tell(
    bridge: &mut Bridge,
    from: ClinicId,
    wanted: BTreeMap<DocumentId, Original>,
    now: ServerInstant,
) -> StoreResult<bool> {
    let mut head = bridge.to_head.clone();
    let target = bridge.target().await?;
    let known: BTreeMap<DocumentId, SharedDocument> =
        target.list_shared_from(from).await?.into_iter().map(|shared| (shared.state.id, shared)).collect();
    let records: Vec<Uuid> = wanted.keys().map(|id| id.record.0).collect();
    // A record of its own under the same id: it stays what it is.
    let own: BTreeSet<Uuid> =
        target.list_documents_of(&records).await?.into_iter().map(|state| state.id.record.0).collect();
    let mut telling = Telling { seq: head.seq, feed: Vec::new(), purges: Vec::new(), copies: Vec::new() };
    for (id, original) in wanted.iter().filter(|(id, _)| !own.contains(&id.record.0)) {
        telling.give(*id, original, known.get(id), &wanted)?;
    }
    for (id, shared) in
        known.iter().filter(|(id, shared)| !shared.state.withdrawn && !wanted.contains_key(id))
    {
        telling.take_back(*id, shared, now);
    }
    if telling.feed.is_empty() {
        return Ok(false);
    }
    for copy in &telling.copies {
        if let Some(digest) = head.of_purpose(copy.state.purpose) {
            let before = known.get(&copy.state.id).and_then(|before| before.state.term());
            before.into_iter().for_each(|term| digest.remove(term));
            copy.state.term().into_iter().for_each(|term| digest.add(term));
        }
        target.upsert_shared(from, copy).await?;
    }
    head.seq = telling.seq;
    target.append_feed(&telling.feed, now).await?;
    target.append_purge_orders(&telling.purges, now).await?;
    target.upsert_head(&head).await?;
    Ok(true)
}

/// What one run writes in the clinic that receives.
struct Telling {
    seq: i64,
    feed: Vec<FeedRecord>,
    purges: Vec<PurgeOrder>,
    copies: Vec<SharedDocument>,
}

impl Telling {
    fn enter(&mut self, kind: FeedKind, document: DocumentId, purpose: Purpose, epoch: u32) -> i64 {
        self.seq = self.seq.saturating_add(1);
        let seq = self.seq;
        self.feed.push(FeedRecord { seq, kind, document, purpose, epoch, edit: None, device: None });
        seq
    }

    fn give(
        &mut self,
        id: DocumentId,
        original: &Original,
        known: Option<&SharedDocument>,
        wanted: &BTreeMap<DocumentId, Original>,
    ) -> StoreResult<()> {
        let content = facet_row(&original.stored.row, id.facet)?;
        let here = known.filter(|known| !known.state.withdrawn);
        if here.is_some_and(|here| here.content == content) {
            return Ok(());
        }
        let epoch = known.map_or(1, |known| known.state.epoch.saturating_add(1));
        let seq = self.enter(FeedKind::Snapshot, id, original.state.purpose, epoch);
        let state = DocumentState { epoch, last_seq: seq, ..original.state.copied() };
        let stamp = neonpro_contract::row::RowStamp { feed_seq: seq, ..original.stored.stamp };
        self.copies.push(SharedDocument { state, stamp, content });
        if id.is_primary() && here.is_none() {
            self.hide_the_rest(id, wanted);
        }
        Ok(())
    }

    /// A tablet counts every facet of a record it receives: those the share does not carry are told to be none of its.
    fn hide_the_rest(&mut self, primary: DocumentId, wanted: &BTreeMap<DocumentId, Original>) {
        let facets =
            primary.table().into_iter().flat_map(|table| table.facet_ids().map(move |id| (table, id)));
        for (table, facet) in facets {
            let id = DocumentId { facet, ..primary };
            let fixed = table.facet(facet).and_then(|facet| match facet.purpose {
                neonpro_contract::catalogue::PurposeRule::Fixed(purpose) => Some(purpose),
                neonpro_contract::catalogue::PurposeRule::ByValue { .. } => None,
            });
            if let (false, Some(purpose)) = (wanted.contains_key(&id) || facet == FacetId(0), fixed) {
                self.enter(FeedKind::Withdraw, id, purpose, 1);
            }
        }
    }

    fn take_back(&mut self, id: DocumentId, shared: &SharedDocument, now: ServerInstant) {
        let purpose = shared.state.purpose;
        let seq = self.enter(FeedKind::Withdraw, id, purpose, shared.state.epoch);
        self.purges.push(PurgeOrder { seq, document: id, purpose });
        let state = DocumentState { withdrawn: true, last_seq: seq, ..shared.state.clone() };
        let stamp = neonpro_contract::row::RowStamp {
            author: None,
            captured_at: None,
            merged_at: now,
            feed_seq: seq,
        };
        self.copies.push(SharedDocument { state, stamp, content: Vec::new() });
    }
}
