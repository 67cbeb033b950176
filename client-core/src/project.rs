//! From documents to rows: every write gathers what it touches here and lands it once.
//!
//! Owns the order in which documents, rows, digest, conflicts and search are brought up to date. Invariant: after
//! [`Batch::flush`] the rows are the projection of the documents, and the digest is the sum over the counted ones.

use crate::error::ReplicaError;
use crate::store::documents::Standing;
use crate::store::records::{self, Stamp};
use crate::store::{Tx, changes, conflicts, documents, search};
use crate::watch::{CONFLICTS, STATUS};
use crate::working::{Finished, Working};
use neonpro_contract::catalogue::{FacetId, Lifecycle, PurposeRule, Table, TableId};
use neonpro_contract::digest::fingerprint;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::RecordId;
use neonpro_contract::permissions::Audience;
use neonpro_contract::row::Row;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};

/// A record in memory.
pub(crate) struct Record {
    pub row: Row,
    pub stamp: Stamp,
    before: Row,
    stamp_before: Stamp,
    /// It had a row before.
    pub existed: bool,
}

impl Record {
    /// The row before this transaction, if there was one.
    pub fn before(&self) -> Option<&Row> {
        self.existed.then_some(&self.before)
    }

    /// Follows a merged change, if it is the latest: the bookkeeping, and `updated_at` as the server writes it.
    pub fn follow(&mut self, stamp: Stamp) {
        if stamp.feed_seq >= self.stamp.feed_seq {
            self.stamp = stamp;
            if let Some(captured_at) = stamp.captured_at {
                self.row.touch(captured_at);
            }
        }
    }
}

/// Everything one transaction touches, loaded once and written once.
#[derive(Default)]
pub(crate) struct Batch {
    records: BTreeMap<(TableId, RecordId), Record>,
    documents: BTreeMap<DocumentId, Working>,
    /// Whether any edit waits here, once it was asked: only then can a document have pending changes stored.
    any_pending: Option<bool>,
}

/// Whether the tablet counts documents of this facet. A facet whose purpose depends on a value is only ever received
/// when it may be seen.
pub(crate) fn holds(table: &Table, facet: FacetId, audience: Audience) -> bool {
    table.lifecycle != Lifecycle::Server
        && table.facet(facet).is_some_and(|facet| match facet.purpose {
            PurposeRule::Fixed(purpose) => audience.sees(purpose),
            PurposeRule::ByValue { .. } => true,
        })
}

/// The table of a document.
pub(crate) fn table_of(id: &DocumentId) -> Result<&'static Table, ReplicaError> {
    id.table().ok_or(ReplicaError::UnknownTable)
}

impl Batch {
    /// The record, loaded if need be; an empty one if there is none.
    pub fn record(
        &mut self,
        conn: &Connection,
        table: &'static Table,
        id: RecordId,
    ) -> Result<&mut Record, ReplicaError> {
        use std::collections::btree_map::Entry;
        match self.records.entry((table.id, id)) {
            Entry::Occupied(found) => Ok(found.into_mut()),
            Entry::Vacant(slot) => {
                let stored = records::find(conn, table, id)?;
                let existed = stored.is_some();
                let (row, stamp) =
                    stored.map_or_else(|| (Row::empty(table), Stamp::default()), |s| (s.row, s.stamp));
                Ok(slot.insert(Record { before: row.clone(), stamp_before: stamp, row, stamp, existed }))
            }
        }
    }

    /// The document, loaded if need be; one without values if there is none.
    pub fn document(&mut self, conn: &Connection, id: DocumentId) -> Result<&mut Working, ReplicaError> {
        if !self.documents.contains_key(&id) {
            let working = self.load(conn, id)?;
            self.documents.insert(id, working);
        }
        self.documents.get_mut(&id).ok_or(ReplicaError::Bookkeeping("document"))
    }

    fn load(&mut self, conn: &Connection, id: DocumentId) -> Result<Working, ReplicaError> {
        let table = table_of(&id)?;
        let stored = documents::find(conn, &id)?;
        let any_pending = match self.any_pending {
            Some(known) => known,
            None => *self.any_pending.insert(changes::any(conn)?),
        };
        let pending =
            if any_pending && stored.is_some() { changes::list_pending(conn, &id)? } else { Vec::new() };
        let record = self.record(conn, table, id.record)?;
        let born = record.existed && (id.is_primary() || stored.is_some() || primary_is_counted(conn, &id)?);
        Working::new(id, &record.before, born, stored, pending)
    }

    /// Writes a document's values into its row in memory.
    pub fn project(&mut self, conn: &Connection, id: DocumentId) -> Result<(), ReplicaError> {
        self.document(conn, id)?;
        let (Some(working), Some(record)) =
            (self.documents.get_mut(&id), self.records.get_mut(&(id.table, id.record)))
        else {
            return Ok(());
        };
        working.project(&mut record.row)?;
        Ok(())
    }

    /// Writes everything.
    pub fn flush(mut self, tx: &mut Tx<'_>, now_us: i64) -> Result<(), ReplicaError> {
        self.mark_hidden_primaries(tx)?;
        self.follow_primaries(tx)?;
        self.look_beside_left(tx)?;
        let gone = self.gone();
        let documents: Vec<(DocumentId, Working)> = std::mem::take(&mut self.documents).into_iter().collect();
        let any_conflict = conflicts::any(&tx.sql)?;
        for (id, mut working) in documents {
            let is_gone = gone.contains(&(id.table, id.record));
            let mut finished = working.finish(!is_gone)?;
            if is_gone {
                finished.disputes.clear();
            }
            if (any_conflict || !finished.disputes.is_empty())
                && conflicts::replace(&tx.sql, &id, &finished.disputes, now_us)?
            {
                tx.touch(CONFLICTS);
            }
            self.write_document(tx, &working, finished)?;
        }
        let mut purged = false;
        for ((_, id), record) in self.records {
            purged |= write_record(tx, id, record, &gone)?;
        }
        if purged {
            search::forget_purged(&tx.sql)?;
        }
        tx.touch(STATUS);
        Ok(())
    }

    fn write_document(
        &mut self,
        tx: &mut Tx<'_>,
        working: &Working,
        finished: Finished,
    ) -> Result<(), ReplicaError> {
        let id = &working.id;
        let record = self.record(&tx.sql, working.table, id.record)?;
        for (index, _) in working.table.facet_fields(id.facet) {
            record.row.set_at(index, finished.row.at(index).clone());
        }
        if let Some(term) = working.fingerprint_before {
            tx.meta.digest.remove(term);
        }
        if let Some(term) = finished.fingerprint {
            tx.meta.digest.add(term);
        }
        match finished.store {
            Some(stored) => documents::upsert(&tx.sql, id, &stored)?,
            None if working.was_stored() => documents::purge(&tx.sql, id)?,
            None => {}
        }
        Ok(())
    }

    /// A facet that arrives without the record's first one: the first is not this tablet's to hold.
    fn mark_hidden_primaries(&mut self, tx: &Tx<'_>) -> Result<(), ReplicaError> {
        let arrived: Vec<DocumentId> = self
            .documents
            .iter()
            .filter(|(id, working)| !id.is_primary() && working.is_counted())
            .map(|(id, _)| *id)
            .collect();
        for id in arrived {
            if !self.record(&tx.sql, table_of(&id)?, id.record)?.existed {
                let primary = self.document(&tx.sql, DocumentId { facet: FacetId(0), ..id })?;
                if !primary.is_counted() && !primary.is_pending() {
                    primary.withdraw()?;
                }
            }
        }
        Ok(())
    }

    /// When the server gets or loses a record, facets nobody has edited start or cease to count with it.
    fn follow_primaries(&mut self, tx: &mut Tx<'_>) -> Result<(), ReplicaError> {
        let turned: Vec<(DocumentId, bool)> = self
            .documents
            .iter()
            .filter(|(id, working)| {
                id.is_primary() && working.is_counted() != working.fingerprint_before.is_some()
            })
            .map(|(id, working)| (*id, working.is_counted()))
            .collect();
        for (primary, counted) in turned {
            let table = table_of(&primary)?;
            for facet in table.facet_ids().skip(1).filter(|facet| holds(table, *facet, tx.identity.audience))
            {
                let id = DocumentId { facet, ..primary };
                let untouched = !self.documents.contains_key(&id);
                if untouched && documents::find(&tx.sql, &id)?.is_none() {
                    let term = fingerprint(&id, 1, &[]);
                    if counted {
                        tx.meta.digest.add(term)
                    } else {
                        tx.meta.digest.remove(term)
                    }
                    continue;
                }
                let working = self.document(&tx.sql, id)?;
                if counted {
                    working.standing = Standing::Server;
                } else if working.is_counted() {
                    working.withdraw()?;
                }
            }
        }
        Ok(())
    }

    /// A record that was withdrawn while an edit waited on it goes with the edit, unless another facet of it is here.
    fn look_beside_left(&mut self, tx: &Tx<'_>) -> Result<(), ReplicaError> {
        let left = |(id, working): (&DocumentId, &Working)| {
            (id.is_primary() && working.standing == Standing::Withdrawn && working.is_left()).then_some(*id)
        };
        let left: Vec<DocumentId> = self.documents.iter().filter_map(left).collect();
        for primary in left {
            let table = table_of(&primary)?;
            for facet in table.facet_ids().skip(1).filter(|facet| holds(table, *facet, tx.identity.audience))
            {
                self.document(&tx.sql, DocumentId { facet, ..primary })?;
            }
        }
        Ok(())
    }

    /// Records that are on the server no more (or never were) and that no pending edit creates.
    fn gone(&self) -> BTreeSet<(TableId, RecordId)> {
        self.documents
            .iter()
            .filter(|(id, working)| id.is_primary() && !working.is_counted() && !working.is_pending())
            // One that was withdrawn before may share its record with facets that are here.
            .filter(|(_, working)| {
                let turned = working.fingerprint_before.is_some() || working.is_left();
                working.standing == Standing::Here || turned
            })
            .filter(|(primary, _)| {
                let mut others =
                    self.documents.range(**primary..).take_while(|(id, _)| id.record == primary.record);
                !others.any(|(id, working)| id.table == primary.table && working.is_counted())
            })
            .map(|(id, _)| (id.table, id.record))
            .collect()
    }
}

/// Writes a record; says whether it took one out of the search.
fn write_record(
    tx: &mut Tx<'_>,
    id: RecordId,
    record: Record,
    gone: &BTreeSet<(TableId, RecordId)>,
) -> Result<bool, ReplicaError> {
    let table = record.row.table();
    let searched = table.name == search::TABLE;
    if gone.contains(&(table.id, id)) {
        if !record.existed {
            return Ok(false);
        }
        if searched {
            search::purge(&tx.sql, table, id)?;
        }
        records::purge(&tx.sql, table, id)?;
        tx.touch(table.name);
        return Ok(searched);
    }
    let same_row = record.row == record.before;
    if same_row && (!record.existed || record.stamp == record.stamp_before) {
        return Ok(false);
    }
    if record.existed {
        let (before, after) = ((&record.before, &record.stamp_before), (&record.row, &record.stamp));
        records::update_changed(&tx.sql, id, before, after)?;
    } else {
        records::insert_new(&tx.sql, id, &record.row, &record.stamp)?;
    }
    if searched && (!record.existed || search::differs(&record.before, &record.row)) {
        search::upsert(&tx.sql, id, &record.row, !record.existed)?;
    }
    tx.touch(table.name);
    Ok(false)
}

/// Whether the server has the record a facet belongs to.
fn primary_is_counted(conn: &Connection, id: &DocumentId) -> Result<bool, ReplicaError> {
    let primary = DocumentId { facet: FacetId(0), ..*id };
    Ok(documents::find(conn, &primary)?.is_none_or(|stored| stored.standing == Standing::Server))
}
