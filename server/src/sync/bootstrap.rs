//! A first sync: rows, today's and tomorrow's agenda with its patients first, then everything in table order.
//!
//! Resumable at any page; `done` never exceeds the announced total, because the agenda that is sent ahead is counted
//! only when its table's turn comes.

mod shared;

use super::page::live;
use crate::store::canonical::Stored;
use crate::store::documents::DocumentState;
use crate::store::{Scoped, StoreError, StoreResult};
use neonpro_contract::catalogue::{FacetId, Scope, TABLES, Table, table};
use neonpro_contract::ids::RecordId;
use neonpro_contract::limits::{BOOTSTRAP_PAGE_RECORDS, FRAME_BYTES_MAX};
use neonpro_contract::permissions::{Audience, purpose};
use neonpro_contract::time::ServerInstant;
use neonpro_contract::wire::{BootstrapRecord, Position, RecordFacet, RowsPage};
use std::collections::HashMap;
use uuid::Uuid;

/// Bytes of a packed page above which it is cut in half.
const PACKED_BYTES_MAX: usize = FRAME_BYTES_MAX / 2;

/// Sections of a first sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// Today's and tomorrow's appointments.
    Agenda,
    /// Their patients.
    AgendaPatients,
    /// A table, by its place in the catalogue.
    Table(usize),
    /// What other clinics share of a table, by its place in the catalogue.
    Shared(usize),
}

impl Section {
    /// Where a first sync begins.
    pub const START: Position = Position { section: 0, after: None };
    /// Where newer reference data begins; its sections are the tables themselves.
    pub const REFERENCE: Position = Position { section: 0, after: None };

    fn of(number: u16) -> Option<Self> {
        match number {
            0 => Some(Self::Agenda),
            1 => Some(Self::AgendaPatients),
            number => {
                let index = usize::from(number).checked_sub(2)?;
                match index.checked_sub(TABLES.len()) {
                    None => Some(Self::Table(index)),
                    Some(index) => (index < TABLES.len()).then_some(Self::Shared(index)),
                }
            }
        }
    }
}

/// How many records a first sync counts.
pub(super) async fn total(scoped: &mut Scoped) -> StoreResult<u64> {
    let mut total = 0u64;
    for table in TABLES {
        total = total.saturating_add(scoped.count_records(table).await?);
    }
    Ok(total.saturating_add(scoped.count_shared_records().await?))
}

/// How many of them lie before a position: where a first sync that was interrupted goes on counting.
pub(super) async fn count_before(scoped: &mut Scoped, position: Position) -> StoreResult<u64> {
    let Some(Section::Table(current)) = Section::of(position.section) else {
        let all = usize::from(position.section) > 1;
        return if all { total(scoped).await } else { Ok(0) };
    };
    let mut before = 0u64;
    for table in TABLES.iter().take(current) {
        before = before.saturating_add(scoped.count_records(table).await?);
    }
    if let (Some(after), Some(table)) = (position.after, TABLES.get(current)) {
        before = before.saturating_add(scoped.count_records_until(table, after).await?);
    }
    Ok(before)
}

/// The next page of a first sync. Empty tables are passed over without a frame; the last page has no `next`.
pub(super) async fn next_page(
    scoped: &mut Scoped,
    position: Position,
    done: u64,
    now: ServerInstant,
) -> StoreResult<RowsPage> {
    let mut at = position;
    loop {
        let section = Section::of(at.section);
        let (table, stored, counted) = match section {
            Some(Section::Agenda) => agenda(scoped, now).await?,
            Some(Section::AgendaPatients) => agenda_patients(scoped, now).await?,
            Some(Section::Table(index)) => {
                let table = TABLES.get(index).copied().ok_or(StoreError::Missing("table"))?;
                let stored = scoped.list_records_after(table, at.after, 0, BOOTSTRAP_PAGE_RECORDS).await?;
                (table, stored, true)
            }
            Some(Section::Shared(index)) => {
                let table = TABLES.get(index).copied().ok_or(StoreError::Missing("table"))?;
                let following = Position { section: at.section.saturating_add(1), after: None };
                let Some((page, last)) = shared::page(scoped, table, at.after).await? else {
                    at = following;
                    continue;
                };
                let (read, done) = (page.done, done.saturating_add(page.done));
                let full = read >= u64::try_from(BOOTSTRAP_PAGE_RECORDS).unwrap_or(u64::MAX);
                let next = if full { Position { section: at.section, after: last } } else { following };
                return Ok(RowsPage { next: Some(next), done, ..page });
            }
            None => {
                let table = TABLES.first().copied().ok_or(StoreError::Missing("table"))?;
                let reference_seq = scoped.find_reference_seq().await?;
                return Ok(RowsPage { reference_seq: Some(reference_seq), ..empty(table, done) });
            }
        };
        let following = Position { section: at.section.saturating_add(1), after: None };
        if stored.is_empty() {
            at = following;
            continue;
        }
        let full = counted && stored.len() == BOOTSTRAP_PAGE_RECORDS;
        let built = build(scoped, table, stored).await?;
        // What was cut from the agenda comes when its table's turn does.
        let next = match built.last {
            Some(after) if counted && (full || built.cut) => {
                Position { section: at.section, after: Some(after) }
            }
            _ => following,
        };
        let counted = if counted { built.read } else { 0 };
        return Ok(RowsPage { next: Some(next), done: done.saturating_add(counted), ..built.page });
    }
}

/// The next page of reference rows numbered after `since`, and where to go on. The last page alone says how far the
/// tablet's reference data now reaches: one that is cut off before it starts again.
pub(super) async fn next_reference(
    scoped: &mut Scoped,
    (since, head): (i64, i64),
    position: Position,
) -> StoreResult<Option<(RowsPage, Option<Position>)>> {
    if head <= since {
        return Ok(None);
    }
    let mut at = position;
    while let Some(table) = TABLES.get(usize::from(at.section)).copied() {
        let following = Position { section: at.section.saturating_add(1), after: None };
        if table.scope != Scope::Reference {
            at = following;
            continue;
        }
        let stored = scoped.list_records_after(table, at.after, since, BOOTSTRAP_PAGE_RECORDS).await?;
        let full = stored.len() == BOOTSTRAP_PAGE_RECORDS;
        if stored.is_empty() {
            at = following;
            continue;
        }
        let built = build(scoped, table, stored).await?;
        let more = full || built.cut;
        let next = if more { Position { section: at.section, after: built.last } } else { following };
        return Ok(Some((built.page, Some(next))));
    }
    let table = TABLES.first().copied().ok_or(StoreError::Missing("table"))?;
    Ok(Some((RowsPage { reference_seq: Some(head), ..empty(table, 0) }, None)))
}

fn empty(table: &'static Table, done: u64) -> RowsPage {
    RowsPage {
        table: table.id,
        next: None,
        done,
        reference_seq: None,
        facets: 0,
        body: RowsPage::pack_records(table, &[], &Vec::new()),
    }
}

async fn agenda(scoped: &mut Scoped, now: ServerInstant) -> StoreResult<(&'static Table, Vec<Stored>, bool)> {
    let table = table("appointments").ok_or(StoreError::Missing("table"))?;
    let ids = scoped.list_agenda_ahead(BOOTSTRAP_PAGE_RECORDS, now).await?;
    let ids: Vec<Uuid> = ids.into_iter().map(|(appointment, _)| appointment).collect();
    Ok((table, scoped.list_records(table, &ids).await?, false))
}

async fn agenda_patients(
    scoped: &mut Scoped,
    now: ServerInstant,
) -> StoreResult<(&'static Table, Vec<Stored>, bool)> {
    let table = table("patients").ok_or(StoreError::Missing("table"))?;
    let ids = scoped.list_agenda_ahead(BOOTSTRAP_PAGE_RECORDS, now).await?;
    let mut ids: Vec<Uuid> = ids.into_iter().map(|(_, patient)| patient).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok((table, scoped.list_records(table, &ids).await?, false))
}

struct Built {
    page: RowsPage,
    /// Last record of the page.
    last: Option<RecordId>,
    /// Records it covers, hidden ones included.
    read: u64,
    /// Whether records were left for the next page.
    cut: bool,
}

async fn build(scoped: &mut Scoped, table: &'static Table, mut stored: Vec<Stored>) -> StoreResult<Built> {
    stored.sort_unstable_by_key(|stored| stored.id);
    let audience = scoped.actor().audience();
    let ids: Vec<Uuid> = stored.iter().map(|stored| stored.id.0).collect();
    let changed = if table.facets.is_empty() {
        Vec::new()
    } else {
        scoped.list_changed_documents(table.id, &ids).await?
    };
    let mut states: HashMap<RecordId, Vec<DocumentState>> = HashMap::new();
    for state in changed {
        states.entry(state.id.record).or_default().push(state);
    }
    states.values_mut().for_each(|facets| facets.sort_unstable_by_key(|state| state.id));
    let mut cut = false;
    loop {
        let (records, facets) = visible(table, &stored, &states, audience)?;
        let body = RowsPage::pack_records(table, &records, &facets);
        if body.len() <= PACKED_BYTES_MAX || stored.len() == 1 {
            let page = RowsPage {
                table: table.id,
                next: None,
                done: 0,
                reference_seq: None,
                facets: facet_mask(table, audience),
                body,
            };
            let read = u64::try_from(stored.len()).unwrap_or(u64::MAX);
            return Ok(Built { page, last: stored.last().map(|stored| stored.id), read, cut });
        }
        stored.truncate(stored.len() / 2);
        cut = true;
    }
}

/// Bit i: facet i reaches this audience. A facet whose purpose depends on the record counts as reaching it.
pub(super) fn facet_mask(table: &'static Table, audience: Audience) -> u8 {
    use neonpro_contract::catalogue::PurposeRule;
    table
        .facets
        .iter()
        .enumerate()
        .filter(|(_, facet)| match facet.purpose {
            PurposeRule::Fixed(purpose) => audience.sees(purpose),
            PurposeRule::ByValue { .. } => true,
        })
        .fold(0, |mask, (index, _)| mask | 1u8.checked_shl(u32::try_from(index).unwrap_or(8)).unwrap_or(0))
}

fn visible(
    table: &'static Table,
    stored: &[Stored],
    states: &HashMap<RecordId, Vec<DocumentState>>,
    audience: Audience,
) -> StoreResult<(Vec<BootstrapRecord>, Vec<RecordFacet>)> {
    let (mut records, mut facets) = (Vec::with_capacity(stored.len()), Vec::new());
    for one in stored {
        let none = Vec::new();
        let known = states.get(&one.id).unwrap_or(&none);
        let withdrawn = |facet| known.iter().any(|state| state.id.facet == facet && state.withdrawn);
        let sees = |facet: FacetId| {
            let in_audience = |facet| audience.sees(purpose(facet, &one.row));
            table.facet(facet).is_none_or(in_audience) && !withdrawn(facet)
        };
        if !sees(FacetId(0)) {
            continue;
        }
        let index = u16::try_from(records.len()).unwrap_or(u16::MAX);
        let mut row = one.row.clone();
        for facet in table.facet_ids().filter(|facet| !sees(*facet)) {
            row.clear_facet(facet);
        }
        for state in known.iter().filter(|state| state.withdrawn || sees(state.id.facet)) {
            let live = if state.withdrawn { None } else { live(state)? };
            let withdrawn = state.withdrawn.then_some(true);
            facets.push(RecordFacet { index, facet: state.id.facet, epoch: state.epoch, live, withdrawn });
        }
        records.push(BootstrapRecord { id: one.id, row, stamp: one.stamp });
    }
    Ok((records, facets))
}
