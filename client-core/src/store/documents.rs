//! `sync_document`: documents that are more than their row.

use crate::error::ReplicaError;
use crate::project::holds;
use minicbor::bytes::ByteArray;
use neonpro_contract::catalogue::{FacetId, TABLES, TableId};
use neonpro_contract::digest::{Digest, fingerprint};
use neonpro_contract::document::Clamps;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::RecordId;
use neonpro_contract::permissions::Audience;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::wire::{BUCKETS, bucket};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Whose a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Only this tablet has it yet.
    Here = 0,
    /// The server has it: it counts in the digest.
    Server = 1,
    /// The server has it and this tablet may not.
    Withdrawn = 2,
}

/// One stored document.
#[derive(Debug, Clone)]
pub(crate) struct StoredDocument {
    pub epoch: u32,
    pub standing: Standing,
    /// Saved bytes as the server has it.
    pub confirmed: Option<Vec<u8>>,
    /// Its live heads.
    pub heads: Vec<[u8; 32]>,
    pub clamps: Clamps,
}

impl StoredDocument {
    /// One this tablet may not hold.
    pub fn withdrawn(epoch: u32) -> Self {
        Self {
            epoch,
            standing: Standing::Withdrawn,
            confirmed: None,
            heads: Vec::new(),
            clamps: Clamps::new(),
        }
    }
}

const COLUMNS: &str = "epoch, standing, confirmed, heads, clamps, table_id, record, facet";

fn key(id: &DocumentId) -> (u16, &[u8; 16], u8) {
    (id.table.0, id.record.0.as_bytes(), id.facet.0)
}

fn read(row: &Row<'_>) -> rusqlite::Result<(DocumentId, StoredDocument)> {
    let heads: Vec<u8> = row.get(3)?;
    let clamps: Option<Vec<u8>> = row.get(4)?;
    let id = DocumentId {
        table: TableId(row.get(5)?),
        record: RecordId(Uuid::from_bytes(row.get(6)?)),
        facet: FacetId(row.get(7)?),
    };
    let document = StoredDocument {
        epoch: row.get(0)?,
        standing: match row.get::<_, i64>(1)? {
            0 => Standing::Here,
            1 => Standing::Server,
            _ => Standing::Withdrawn,
        },
        confirmed: row.get(2)?,
        heads: heads.as_chunks::<32>().0.to_vec(),
        clamps: clamps.map(|bytes| decode_clamps(&bytes)).unwrap_or_default(),
    };
    Ok((id, document))
}

pub(crate) fn find(conn: &Connection, id: &DocumentId) -> Result<Option<StoredDocument>, ReplicaError> {
    let sql =
        format!("SELECT {COLUMNS} FROM sync_document WHERE table_id = ?1 AND record = ?2 AND facet = ?3");
    Ok(conn.prepare_cached(&sql)?.query_row(key(id), read).optional()?.map(|(_, document)| document))
}

/// Every stored document, in the order of their ids.
pub(crate) fn list_all(conn: &Connection) -> Result<Vec<(DocumentId, StoredDocument)>, ReplicaError> {
    let sql = "SELECT epoch, standing, NULL, heads, NULL, table_id, record, facet FROM sync_document
               ORDER BY table_id, record, facet";
    Ok(conn.prepare_cached(sql)?.query_map([], read)?.collect::<Result<_, _>>()?)
}

pub(crate) fn upsert(
    conn: &Connection,
    id: &DocumentId,
    document: &StoredDocument,
) -> Result<(), ReplicaError> {
    let sql = "INSERT INTO sync_document (table_id, record, facet, epoch, standing, confirmed, heads, clamps)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (table_id, record, facet) DO UPDATE SET
        epoch = excluded.epoch, standing = excluded.standing, confirmed = excluded.confirmed, heads = excluded.heads,
        clamps = excluded.clamps";
    let clamps = (!document.clamps.is_empty()).then(|| encode_clamps(&document.clamps));
    let (table, record, facet) = key(id);
    conn.prepare_cached(sql)?.execute(params![
        table,
        record,
        facet,
        document.epoch,
        document.standing as i64,
        document.confirmed,
        document.heads.as_flattened(),
        clamps,
    ])?;
    Ok(())
}

pub(crate) fn purge(conn: &Connection, id: &DocumentId) -> Result<(), ReplicaError> {
    let sql = "DELETE FROM sync_document WHERE table_id = ?1 AND record = ?2 AND facet = ?3";
    conn.prepare_cached(sql)?.execute(key(id))?;
    Ok(())
}

type ClampList = Vec<(ByteArray<32>, i64)>;

fn encode_clamps(clamps: &Clamps) -> Vec<u8> {
    let list: ClampList = clamps.iter().map(|(hash, at)| ((*hash).into(), at.0)).collect();
    minicbor::to_vec(&list).unwrap_or_default()
}

fn decode_clamps(bytes: &[u8]) -> Clamps {
    let list: ClampList = minicbor::decode(bytes).unwrap_or_default();
    list.into_iter().map(|(hash, at)| (hash.into(), ServerInstant(at))).collect()
}

/// Terms of the digest, summed per bucket, from everything stored.
pub(crate) fn sums(conn: &Connection, audience: Audience) -> Result<Vec<Digest>, ReplicaError> {
    let mut sums = vec![Digest::default(); BUCKETS];
    each_counted(conn, audience, |id, epoch, heads| {
        if let Some(sum) = sums.get_mut(usize::from(bucket(&id))) {
            sum.add(fingerprint(&id, epoch, heads));
        }
    })?;
    Ok(sums)
}

/// Counted documents of some buckets.
pub(crate) fn list_counted_in(
    conn: &Connection,
    audience: Audience,
    buckets: &BTreeSet<u8>,
) -> Result<BTreeSet<DocumentId>, ReplicaError> {
    let mut found = BTreeSet::new();
    each_counted(conn, audience, |id, _, _| {
        if buckets.contains(&bucket(&id)) {
            found.insert(id);
        }
    })?;
    Ok(found)
}

/// Visits every document the server has, as far as this tablet knows: stored ones, and facets that are only rows.
fn each_counted(
    conn: &Connection,
    audience: Audience,
    mut visit: impl FnMut(DocumentId, u32, &[[u8; 32]]),
) -> Result<(), ReplicaError> {
    let stored: BTreeMap<DocumentId, StoredDocument> = list_all(conn)?.into_iter().collect();
    for (id, document) in stored.iter().filter(|(_, document)| document.standing == Standing::Server) {
        visit(*id, document.epoch, &document.heads);
    }
    for table in TABLES.iter().filter(|table| !table.facets.is_empty()) {
        let facets: Vec<FacetId> = table.facet_ids().filter(|facet| holds(table, *facet, audience)).collect();
        let mut statement = conn.prepare(&format!("SELECT id FROM {}", table.name))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let record = RecordId(Uuid::from_bytes(row.get(0)?));
            let id = |facet| DocumentId { table: table.id, record, facet };
            let born = stored.get(&id(FacetId(0))).is_none_or(|primary| primary.standing == Standing::Server);
            for facet in facets.iter().filter(|_| born).filter(|facet| !stored.contains_key(&id(**facet))) {
                visit(id(*facet), 1, &[]);
            }
        }
    }
    Ok(())
}

/// Whether nothing but its row is stored about a record.
pub(crate) fn is_plain(conn: &Connection, table: TableId, record: RecordId) -> Result<bool, ReplicaError> {
    let sql = "SELECT 1 FROM sync_document WHERE table_id = ?1 AND record = ?2 LIMIT 1";
    Ok(!conn.prepare_cached(sql)?.exists(params![table.0, record.0.as_bytes()])?)
}
