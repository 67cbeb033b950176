//! What other clinics share, as pages of a first sync: rows like any other, with the facets a share does not carry marked
//! as none of the tablet's.

use super::facet_mask;
use crate::store::shares::SharedDocument;
use crate::store::{Scoped, StoreResult};
use neonpro_contract::catalogue::{FacetId, Table};
use neonpro_contract::ids::RecordId;
use neonpro_contract::limits::BOOTSTRAP_PAGE_RECORDS;
use neonpro_contract::permissions::Audience;
use neonpro_contract::row::Row;
use neonpro_contract::wire::{BootstrapRecord, RecordFacet, RowsPage};
use std::collections::BTreeMap;

/// The page after a record, and its last record; `None` when nothing of the table is shared beyond it. `done` counts the
/// records it covers.
pub(super) async fn page(
    scoped: &mut Scoped,
    table: &'static Table,
    after: Option<RecordId>,
) -> StoreResult<Option<(RowsPage, Option<RecordId>)>> {
    let audience = scoped.actor().audience();
    let mut by_record: BTreeMap<RecordId, Vec<SharedDocument>> = BTreeMap::new();
    for copy in scoped.list_shared_in(table.id).await? {
        by_record.entry(copy.state.id.record).or_default().push(copy);
    }
    let left: Vec<(RecordId, Vec<SharedDocument>)> = by_record
        .into_iter()
        .filter(|(record, _)| after.is_none_or(|after| *record > after))
        .take(BOOTSTRAP_PAGE_RECORDS)
        .collect();
    let Some(last) = left.last().map(|(record, _)| *record) else { return Ok(None) };
    let done = u64::try_from(left.len()).unwrap_or(u64::MAX);
    let (mut records, mut facets) = (Vec::new(), Vec::new());
    for (id, copies) in left {
        let index = u16::try_from(records.len()).unwrap_or(u16::MAX);
        if let Some(record) = record(table, id, &copies, audience)? {
            facets.extend(table.facet_ids().map(|facet| state(index, facet, &copies, audience)));
            records.push(record);
        }
    }
    let page = RowsPage {
        table: table.id,
        next: None,
        done,
        reference_seq: None,
        facets: facet_mask(table, audience),
        body: RowsPage::pack_records(table, &records, &facets),
    };
    Ok(Some((page, Some(last))))
}

fn seen(copies: &[SharedDocument], audience: Audience) -> impl Iterator<Item = &SharedDocument> {
    copies.iter().filter(move |copy| audience.sees(copy.state.purpose))
}

fn record(
    table: &'static Table,
    id: RecordId,
    copies: &[SharedDocument],
    audience: Audience,
) -> StoreResult<Option<BootstrapRecord>> {
    let Some(primary) = seen(copies, audience).find(|copy| copy.state.id.is_primary()) else {
        return Ok(None);
    };
    let mut row = Row::empty(table);
    for copy in seen(copies, audience) {
        let part = copy.row()?;
        for (index, _) in table.columns().enumerate().filter(|(index, _)| !part.at(*index).is_null()) {
            row.set_at(index, part.at(index).clone());
        }
    }
    Ok(Some(BootstrapRecord { id, row, stamp: primary.stamp }))
}

fn state(index: u16, facet: FacetId, copies: &[SharedDocument], audience: Audience) -> RecordFacet {
    let copy = seen(copies, audience).find(|copy| copy.state.id.facet == facet);
    let withdrawn = copy.is_none().then_some(true);
    RecordFacet { index, facet, epoch: copy.map_or(1, |copy| copy.state.epoch), live: None, withdrawn }
}
