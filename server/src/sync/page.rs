//! One page of the feed, read as the receiving device.

use crate::store::canonical::Stored;
use crate::store::documents::{DocumentState, clamp_list};
use crate::store::feed::{FeedKind, FeedRow};
use crate::store::heads::Head;
use crate::store::set_aside::ToldFate;
use crate::store::shares::SharedDocument;
use crate::store::{Scoped, StoreError, StoreResult};
use neonpro_contract::catalogue::{FacetId, Kind, Lifecycle, Table, TableId, table_by_id};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::EditId;
use neonpro_contract::limits::{DOCUMENT_LIVE_BYTES_MAX, PAGE_BYTES_TARGET, PAGE_ENTRIES_MAX};
use neonpro_contract::row::Row;
use neonpro_contract::value::Value;
use neonpro_contract::wire::{Entry, LiveDocument, Page};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

type Rows = HashMap<(TableId, Uuid), Stored>;
type States = HashMap<DocumentId, DocumentState>;
type Copies = HashMap<DocumentId, SharedDocument>;

/// What entries of a page show, as it is now and not as it was.
#[derive(Default)]
struct Shown {
    rows: Rows,
    states: States,
    copies: Copies,
    fates: HashMap<Uuid, ToldFate>,
}

/// What follows a cursor.
pub(super) enum Next {
    /// A page.
    Page(Page),
    /// Nothing: it is the head.
    AtHead,
    /// What the feed no longer holds.
    Pruned,
}

/// The page after a cursor, up to the head that was read in this transaction.
pub(super) async fn next(scoped: &mut Scoped, head: &Head, cursor: i64) -> StoreResult<Next> {
    if cursor < head.horizon {
        return Ok(Next::Pruned);
    }
    if head.seq <= cursor {
        return Ok(Next::AtHead);
    }
    let feed = scoped.list_feed(cursor, PAGE_ENTRIES_MAX).await?;
    let full = feed.len() == PAGE_ENTRIES_MAX;
    let shown = read(scoped, &feed).await?;
    let (mut entries, mut bytes, mut cut) = (Vec::with_capacity(feed.len()), 0usize, None);
    for row in &feed {
        let entry = entry(scoped, row, &shown)?;
        bytes = bytes.saturating_add(weight(&entry));
        if bytes > PAGE_BYTES_TARGET && !entries.is_empty() {
            cut = entries.last().map(seq_of);
            break;
        }
        entries.push(entry);
    }
    let last = if full { entries.last().map(seq_of) } else { None };
    let to = cut.or(last).unwrap_or(head.seq);
    let digest = (to == head.seq).then(|| head.digest(scoped.actor().audience()));
    Ok(Next::Page(Page::new(cursor, to, digest, &entries)))
}

async fn read(scoped: &mut Scoped, feed: &[FeedRow]) -> StoreResult<Shown> {
    let mut by_table: BTreeMap<TableId, BTreeSet<Uuid>> = BTreeMap::new();
    let mut documents: BTreeSet<Uuid> = BTreeSet::new();
    for row in feed {
        if matches!(row.kind, FeedKind::Snapshot | FeedKind::Row) {
            by_table.entry(row.document.table).or_default().insert(row.document.record.0);
        }
        if row.kind == FeedKind::Snapshot {
            documents.insert(row.document.record.0);
        }
    }
    let mut rows = Rows::new();
    for (id, records) in by_table {
        let table = table_by_id(id).ok_or(StoreError::Unreadable("sync.feed"))?;
        let records: Vec<Uuid> = records.into_iter().collect();
        for stored in scoped.list_records(table, &records).await? {
            rows.insert((id, stored.id.0), stored);
        }
    }
    let documents: Vec<Uuid> = documents.into_iter().collect();
    let mut states = States::new();
    if !documents.is_empty() {
        states.extend(scoped.list_documents_of(&documents).await?.into_iter().map(|state| (state.id, state)));
    }
    // What is not this clinic's own may have been shared with it.
    let known: BTreeSet<Uuid> = states.keys().map(|id| id.record.0).collect();
    let foreign: Vec<Uuid> = documents.into_iter().filter(|record| !known.contains(record)).collect();
    let mut copies = Copies::new();
    if !foreign.is_empty() {
        let shared = scoped.list_shared_of(&foreign).await?.into_iter();
        copies.extend(shared.filter(|copy| !copy.state.withdrawn).map(|copy| (copy.state.id, copy)));
    }
    let told: Vec<Uuid> =
        feed.iter().filter(|row| row.kind == FeedKind::Fate).filter_map(|row| row.edit).collect();
    let fates = if told.is_empty() {
        HashMap::new()
    } else {
        scoped.list_told_fates(&told).await?.into_iter().collect()
    };
    Ok(Shown { rows, states, copies, fates })
}

fn entry(scoped: &Scoped, row: &FeedRow, shown: &Shown) -> StoreResult<Entry> {
    let Shown { rows, states, copies, fates } = shown;
    let gone = Entry::Withdraw { seq: row.seq, document: row.document };
    match row.kind {
        FeedKind::Change => change(scoped, row, gone),
        FeedKind::Withdraw => Ok(gone),
        FeedKind::Fate => {
            let edit = row.edit.ok_or(StoreError::Unreadable("sync.feed"))?;
            let told = fates.get(&edit);
            // An edit that is not here was given up before anything of it was kept.
            let fate = told.map_or(Fate::Refused { code: Code::Discarded }, |told| told.fate.clone());
            let (by, reason) = (told.and_then(|told| told.by), told.and_then(|told| told.reason.clone()));
            Ok(Entry::Fate { seq: row.seq, edit: EditId(edit), fate, by, reason })
        }
        FeedKind::Snapshot => {
            let stored = rows.get(&(row.document.table, row.document.record.0));
            match (states.get(&row.document), stored) {
                (Some(state), Some(stored)) => snapshot(row.seq, state, stored),
                _ => Ok(copies.get(&row.document).map_or(gone, |copy| shared(row.seq, copy))),
            }
        }
        FeedKind::Row => match rows.get(&(row.document.table, row.document.record.0)) {
            Some(stored) => Ok(Entry::Row {
                seq: row.seq,
                table: row.document.table,
                record: row.document.record,
                stamp: stored.stamp,
                row: encode(&server_fields(&stored.row))?.into(),
            }),
            None => Ok(gone),
        },
    }
}

fn change(scoped: &Scoped, row: &FeedRow, gone: Entry) -> StoreResult<Entry> {
    let edit = row.edit.ok_or(StoreError::Unreadable("sync.edits"))?;
    if row.device.is_some() && row.device == scoped.actor().device_id().map(|id| id.0) {
        return Ok(Entry::Own {
            seq: row.seq,
            edit: EditId(edit),
            document: row.document,
            merged_at: row.merged_at,
        });
    }
    // An erased one is gone from every tablet's document, too.
    let Some(change) = row.change.clone() else { return Ok(gone) };
    Ok(Entry::Change {
        seq: row.seq,
        document: row.document,
        epoch: row.epoch,
        merged_at: row.merged_at,
        change: change.into(),
    })
}

/// A document as it stands.
pub(super) fn snapshot(seq: i64, state: &DocumentState, stored: &Stored) -> StoreResult<Entry> {
    Ok(Entry::Snapshot {
        seq,
        document: state.id,
        epoch: state.epoch,
        stamp: stored.stamp,
        row: facet_row(&stored.row, state.id.facet)?.into(),
        live: live(state)?,
    })
}

/// A document another clinic shares, as it stands: never with a history.
pub(super) fn shared(seq: i64, copy: &SharedDocument) -> Entry {
    Entry::Snapshot {
        seq,
        document: copy.state.id,
        epoch: copy.state.epoch,
        stamp: copy.stamp,
        row: copy.content.clone().into(),
        live: None,
    }
}

/// The values of one facet, as they travel.
///
/// # Errors
/// Values that cannot be encoded.
pub(crate) fn facet_row(row: &Row, facet: FacetId) -> StoreResult<Vec<u8>> {
    encode(&facet_fields(row, facet))
}

/// The live history of a document, if it has one. One too large for a frame is an error that names it.
pub(super) fn live(state: &DocumentState) -> StoreResult<Option<LiveDocument>> {
    let Some(saved) = &state.snapshot else { return Ok(None) };
    if saved.len() > DOCUMENT_LIVE_BYTES_MAX {
        return Err(StoreError::TooLarge(state.id));
    }
    Ok(Some(LiveDocument { saved: saved.clone().into(), clamps: clamp_list(&state.clamps) }))
}

/// Only one facet's fields; with the primary facet, derived ones too.
fn facet_fields(row: &Row, facet: FacetId) -> Row {
    let table = row.table();
    keep(row, |field| if field.kind == Kind::Derived { facet.0 == 0 } else { field.facet == facet }, table)
}

/// What the server owns: the whole row of a server table, derived fields of others.
fn server_fields(row: &Row) -> Row {
    let table = row.table();
    let whole = table.lifecycle == Lifecycle::Server;
    keep(row, |field| whole || field.kind == Kind::Derived, table)
}

fn keep(
    row: &Row,
    wanted: impl Fn(&neonpro_contract::catalogue::Field) -> bool,
    table: &'static Table,
) -> Row {
    let mut kept = Row::empty(table);
    for (index, field) in table.columns().enumerate() {
        let value: &Value = row.at(index);
        if wanted(field) && !value.is_null() {
            kept.set_at(index, value.clone());
        }
    }
    kept
}

fn encode(row: &Row) -> StoreResult<Vec<u8>> {
    let mut bytes = Vec::new();
    row.encode_to(&mut minicbor::Encoder::new(&mut bytes)).map_err(|_| StoreError::Unreadable("row"))?;
    Ok(bytes)
}

/// Roughly what an entry adds to a page.
pub(super) fn weight(entry: &Entry) -> usize {
    let payload = match entry {
        Entry::Change { change, .. } => change.len(),
        Entry::Snapshot { row, live, .. } => {
            row.len().saturating_add(live.as_ref().map_or(0, |live| live.saved.len()))
        }
        Entry::Row { row, .. } => row.len(),
        Entry::Fate { reason, .. } => reason.as_ref().map_or(0, String::len),
        Entry::Own { .. } | Entry::Withdraw { .. } => 0,
    };
    payload.saturating_add(64)
}

fn seq_of(entry: &Entry) -> i64 {
    match entry {
        Entry::Change { seq, .. }
        | Entry::Own { seq, .. }
        | Entry::Snapshot { seq, .. }
        | Entry::Row { seq, .. }
        | Entry::Fate { seq, .. }
        | Entry::Withdraw { seq, .. } => *seq,
    }
}
