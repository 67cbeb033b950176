//! Records of a first sync and reference data: inserted as rows; documents are built when they are first edited.
//!
//! Invariant: a page never overwrites an edit that waits here; the edit is put on top of the new base.

use super::purge;
use super::snapshot::{self, copy_derived};
use crate::crash;
use crate::error::ReplicaError;
use crate::project::Batch;
use crate::rebase;
use crate::store::documents::{self, Standing, StoredDocument};
use crate::store::records::{self, Stamp};
use crate::store::{Tx, schema, search};
use crate::sync::apply::Applied;
use crate::working::foreign_heads;
use neonpro_contract::catalogue::{FacetId, Lifecycle, Scope, TABLES, Table, table_by_id};
use neonpro_contract::digest::fingerprint;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::RecordId;
use neonpro_contract::wire::{BootstrapRecord, RecordFacet, RowsPage};
use rusqlite::params;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What records leave to do at the end of a page.
#[derive(Default)]
struct After {
    /// Documents with a new base under pending changes.
    rebased: Vec<DocumentId>,
    /// Documents that were here and are not this tablet's any more.
    purged: BTreeSet<DocumentId>,
}

/// A decoded page.
pub(crate) struct Decoded {
    /// `None` for a table this app does not know.
    table: Option<&'static Table>,
    records: Vec<BootstrapRecord>,
    facets: BTreeMap<u16, Vec<RecordFacet>>,
}

/// Decodes a page, before the writer is needed.
pub(crate) fn decode(page: &RowsPage) -> Result<Decoded, ReplicaError> {
    let Some(table) = table_by_id(page.table) else {
        return Ok(Decoded { table: None, records: Vec::new(), facets: BTreeMap::new() });
    };
    let (records, states) = page.records().map_err(|_| ReplicaError::Protocol("rows"))?;
    let mut facets: BTreeMap<u16, Vec<RecordFacet>> = BTreeMap::new();
    for state in states {
        facets.entry(state.index).or_default().push(state);
    }
    Ok(Decoded { table: Some(table), records, facets })
}

pub(crate) fn apply(
    tx: &mut Tx<'_>,
    page: &RowsPage,
    decoded: Decoded,
    now_us: i64,
) -> Result<Applied, ReplicaError> {
    crash::point("rows.after_begin");
    let again = tx.meta.bootstrap.as_ref().is_some_and(|state| state.again);
    let count = decoded.records.len() as u64;
    let mut requeued = false;
    let mut purged = BTreeSet::new();
    if let Some(table) = decoded.table {
        let mut batch = Batch::default();
        let mut after = After::default();
        let held: Vec<FacetId> = table.facet_ids().filter(|facet| is_held(page.facets, *facet)).collect();
        let none = Vec::new();
        for (index, record) in decoded.records.iter().enumerate() {
            let states =
                u16::try_from(index).ok().and_then(|index| decoded.facets.get(&index)).unwrap_or(&none);
            if records::insert_new(&tx.sql, record.id, &record.row, &record.stamp.into())? {
                count_new(tx, table, &held, record, states)?;
            } else {
                replace_known(tx, &mut batch, &mut after, &held, record, states)?;
            }
            if again {
                mark_seen(tx, table, record.id)?;
            }
        }
        requeued = !after.rebased.is_empty();
        for id in after.rebased {
            rebase::settle(tx, &mut batch, id, now_us)?;
        }
        batch.flush(tx, now_us)?;
        tx.touch(table.name);
        purged = after.purged;
    }
    purged.append(&mut advance(tx, page, now_us)?);
    purge::forget_edits(tx, &purged)?;
    crash::point("rows.before_commit");
    Ok(Applied { records: count, requeued, purged: !purged.is_empty(), ..Applied::at(tx)? })
}

fn is_held(bits: u8, facet: FacetId) -> bool {
    1u8.checked_shl(u32::from(facet.0)).is_some_and(|bit| bits & bit != 0)
}

/// A record that was not here: its facets start to count.
fn count_new(
    tx: &mut Tx<'_>,
    table: &'static Table,
    held: &[FacetId],
    record: &BootstrapRecord,
    states: &[RecordFacet],
) -> Result<(), ReplicaError> {
    if table.name == search::TABLE {
        search::insert_last(&tx.sql, &record.row)?;
    }
    if table.lifecycle == Lifecycle::Server {
        return Ok(());
    }
    for facet in held {
        let id = DocumentId { table: table.id, record: record.id, facet: *facet };
        let Some(state) = states.iter().find(|state| state.facet == *facet) else {
            tx.meta.digest.add(fingerprint(&id, 1, &[]));
            continue;
        };
        if state.withdrawn == Some(true) {
            documents::upsert(&tx.sql, &id, &StoredDocument::withdrawn(state.epoch))?;
            continue;
        }
        let heads = state.live.as_ref().map(|live| foreign_heads(id, live)).transpose()?.unwrap_or_default();
        tx.meta.digest.add(fingerprint(&id, state.epoch, &heads));
        let clamps =
            state.live.iter().flat_map(|live| &live.clamps).map(|(hash, at)| ((*hash).into(), *at)).collect();
        let confirmed = state.live.as_ref().map(|live| live.saved.to_vec());
        documents::upsert(
            &tx.sql,
            &id,
            &StoredDocument { epoch: state.epoch, standing: Standing::Server, confirmed, heads, clamps },
        )?;
    }
    Ok(())
}

/// A record that is here already: from an earlier sync, or from an edit that waits.
fn replace_known(
    tx: &mut Tx<'_>,
    batch: &mut Batch,
    after: &mut After,
    held: &[FacetId],
    record: &BootstrapRecord,
    states: &[RecordFacet],
) -> Result<(), ReplicaError> {
    let table = record.row.table();
    let plain = states.is_empty() && documents::is_plain(&tx.sql, table.id, record.id)?;
    if plain {
        let known = batch.record(&tx.sql, table, record.id)?;
        for (index, field) in table.columns().enumerate() {
            if table.facets.is_empty() || held.contains(&field.facet) {
                known.row.set_at(index, record.row.at(index).clone());
            }
        }
        copy_derived(&record.row, &mut known.row);
        known.stamp = Stamp::from(record.stamp);
        return Ok(());
    }
    for facet in held {
        let id = DocumentId { table: table.id, record: record.id, facet: *facet };
        let state = states.iter().find(|state| state.facet == *facet);
        if state.is_some_and(|state| state.withdrawn == Some(true)) {
            batch.document(&tx.sql, id)?.withdraw()?;
            after.purged.insert(id);
            continue;
        }
        let (epoch, live) = state.map_or((1, None), |state| (state.epoch, state.live.as_ref()));
        snapshot::replace(tx, batch, id, epoch, record.stamp, &record.row, live)?;
        if batch.document(&tx.sql, id)?.is_pending() {
            after.rebased.push(id);
        }
    }
    Ok(())
}

fn mark_seen(tx: &Tx<'_>, table: &Table, id: RecordId) -> Result<(), ReplicaError> {
    tx.sql
        .prepare_cached("INSERT OR IGNORE INTO sync_seen (table_id, record) VALUES (?1, ?2)")?
        .execute(params![table.id.0, id.0.as_bytes()])?;
    Ok(())
}

/// Moves the bookkeeping of the first sync on, and ends it after the last page. Returns what was swept away then.
fn advance(tx: &mut Tx<'_>, page: &RowsPage, now_us: i64) -> Result<BTreeSet<DocumentId>, ReplicaError> {
    if let Some(seq) = page.reference_seq {
        tx.meta.reference_seq = tx.meta.reference_seq.max(seq);
    }
    let Some(state) = &mut tx.meta.bootstrap else { return Ok(BTreeSet::new()) };
    state.done = state.done.max(page.done);
    if page.next.is_some() {
        state.position = page.next;
        return Ok(BTreeSet::new());
    }
    let (start_head, again) = (state.start_head, state.again);
    let swept = if again { sweep(tx, now_us)? } else { BTreeSet::new() };
    schema::create_indexes(&tx.sql)?;
    tx.meta.bootstrap = None;
    tx.meta.cursor = start_head;
    tx.meta.head = tx.meta.head.max(start_head);
    Ok(swept)
}

/// After everything was fetched again: what was not met is on the server no more. Edits that wait keep their records.
fn sweep(tx: &mut Tx<'_>, now_us: i64) -> Result<BTreeSet<DocumentId>, ReplicaError> {
    let (mut batch, mut swept) = (Batch::default(), BTreeSet::new());
    for table in TABLES.iter().filter(|table| table.scope == Scope::Clinic) {
        let sql = format!(
            "SELECT id FROM {} AS t WHERE NOT EXISTS
             (SELECT 1 FROM sync_seen WHERE table_id = {} AND record = t.id)",
            table.name, table.id.0
        );
        let stale: Vec<[u8; 16]> =
            tx.sql.prepare(&sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for id in stale.into_iter().map(|bytes| RecordId(Uuid::from_bytes(bytes))) {
            if table.lifecycle == Lifecycle::Server {
                records::purge(&tx.sql, table, id)?;
                tx.touch(table.name);
                continue;
            }
            let primary = DocumentId { table: table.id, record: id, facet: FacetId(0) };
            let working = batch.document(&tx.sql, primary)?;
            if working.is_counted() {
                working.lose()?;
                swept.extend(table.facet_ids().map(|facet| DocumentId { facet, ..primary }));
            }
        }
    }
    batch.flush(tx, now_us)?;
    tx.sql.execute("DELETE FROM sync_seen", [])?;
    Ok(swept)
}
