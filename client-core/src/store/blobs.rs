//! `sync_blob`: files of patients on this tablet, and which records name them.

use crate::error::ReplicaError;
use neonpro_contract::blob::{Address, chunk_count};
use neonpro_contract::catalogue::{Field, TABLES, Table};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::RecordId;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Characters of an address in a text: `sha256:` and 64 digits.
const ADDRESS_CHARS: usize = 71;
const ADDRESS_START: &str = "sha256:";

/// A file as it is kept.
#[derive(Clone)]
pub(crate) struct BlobRow {
    pub address: Address,
    pub key: Zeroizing<[u8; 32]>,
    pub size: u64,
    pub chunks: u32,
    pub custody: bool,
    pub pruned: bool,
    pub named: bool,
    pub added_at: i64,
}

impl BlobRow {
    /// Whether all of it is here.
    pub fn is_whole(&self) -> bool {
        chunk_count(self.size) == Some(self.chunks)
    }
}

const COLUMNS: &str = "address, key, size, chunks, custody, pruned, named, added_at";

fn read(row: &Row<'_>) -> rusqlite::Result<BlobRow> {
    Ok(BlobRow {
        address: Address(row.get(0)?),
        key: Zeroizing::new(row.get(1)?),
        size: row.get::<_, i64>(2)?.unsigned_abs(),
        chunks: row.get(3)?,
        custody: row.get(4)?,
        pruned: row.get(5)?,
        named: row.get(6)?,
        added_at: row.get(7)?,
    })
}

pub(crate) fn find(conn: &Connection, address: &Address) -> Result<Option<BlobRow>, ReplicaError> {
    let sql = format!("SELECT {COLUMNS} FROM sync_blob WHERE address = ?1");
    Ok(conn.prepare_cached(&sql)?.query_row([address.0], read).optional()?)
}

/// Every file, oldest first.
pub(crate) fn list(conn: &Connection) -> Result<Vec<BlobRow>, ReplicaError> {
    let sql = format!("SELECT {COLUMNS} FROM sync_blob ORDER BY added_at, address");
    Ok(conn.prepare_cached(&sql)?.query_map([], read)?.collect::<Result<_, _>>()?)
}

/// Puts a file in, or in the place of what was known of it.
pub(crate) fn upsert(conn: &Connection, row: &BlobRow) -> Result<(), ReplicaError> {
    conn.prepare_cached(
        "INSERT INTO sync_blob (address, key, size, chunks, custody, pruned, named, added_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (address) DO UPDATE SET key = ?2, size = ?3, chunks = ?4, custody = ?5, pruned = ?6, named = ?7",
    )?
    .execute(params![
        row.address.0,
        *row.key,
        i64::try_from(row.size).unwrap_or(i64::MAX),
        row.chunks,
        row.custody,
        row.pruned,
        row.named,
        row.added_at
    ])?;
    Ok(())
}

/// Nothing is known of what the server has any more.
pub(crate) fn forget_custody(conn: &Connection) -> Result<(), ReplicaError> {
    conn.execute("UPDATE sync_blob SET custody = 0 WHERE custody", [])?;
    Ok(())
}

pub(crate) fn put_thumb(conn: &Connection, address: &Address, thumb: &[u8]) -> Result<(), ReplicaError> {
    conn.prepare_cached("UPDATE sync_blob SET thumb = ?2 WHERE address = ?1")?
        .execute(params![address.0, thumb])?;
    Ok(())
}

pub(crate) fn find_thumb(conn: &Connection, address: &Address) -> Result<Option<Vec<u8>>, ReplicaError> {
    let sql = "SELECT thumb FROM sync_blob WHERE address = ?1";
    Ok(conn.prepare_cached(sql)?.query_row([address.0], |row| row.get(0)).optional()?.flatten())
}

pub(crate) fn purge(conn: &Connection, address: &Address) -> Result<(), ReplicaError> {
    conn.prepare_cached("DELETE FROM sync_blob WHERE address = ?1")?.execute([address.0])?;
    Ok(())
}

/// Files the server does not have yet, and their bytes.
pub(crate) fn count_waiting(conn: &Connection) -> Result<(u64, u64), ReplicaError> {
    let sql = "SELECT count(*), coalesce(sum(size), 0) FROM sync_blob WHERE NOT custody";
    Ok(conn.prepare_cached(sql)?.query_row([], |row| {
        Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs()))
    })?)
}

/// Whether an edit that is not over names a file.
pub(crate) fn is_in_an_edit(conn: &Connection, address: &Address) -> Result<bool, ReplicaError> {
    let sql = "SELECT 1 FROM sync_intent WHERE state < 6 AND instr(intent, ?1) > 0 LIMIT 1";
    Ok(conn.prepare_cached(sql)?.exists([address.to_string()])?)
}

/// Every file a record here names, with one document that does.
pub(crate) fn list_named(conn: &Connection) -> Result<BTreeMap<Address, DocumentId>, ReplicaError> {
    let mut named = BTreeMap::new();
    for table in TABLES {
        let fields: Vec<&Field> = table.columns().filter(|field| field.blob).collect();
        if !fields.is_empty() {
            list_named_in(conn, table, &fields, &mut named)?;
        }
    }
    Ok(named)
}

fn list_named_in(
    conn: &Connection,
    table: &'static Table,
    fields: &[&Field],
    named: &mut BTreeMap<Address, DocumentId>,
) -> Result<(), ReplicaError> {
    let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
    let filled: Vec<String> =
        names.iter().map(|name| format!("instr({name}, '{ADDRESS_START}') > 0")).collect();
    let sql = format!("SELECT id, {} FROM {} WHERE {}", names.join(", "), table.name, filled.join(" OR "));
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let record = RecordId(Uuid::from_bytes(row.get(0)?));
        for (at, field) in fields.iter().enumerate() {
            let text: Option<String> = row.get(at.saturating_add(1))?;
            for address in text.as_deref().into_iter().flat_map(addresses_in) {
                named.insert(address, DocumentId { table: table.id, record, facet: field.facet });
            }
        }
    }
    Ok(())
}

/// The addresses in a column, which holds one or a JSON list of some.
fn addresses_in(text: &str) -> impl Iterator<Item = Address> + '_ {
    text.match_indices(ADDRESS_START)
        .filter_map(|(at, _)| text.get(at..at.checked_add(ADDRESS_CHARS)?))
        .filter_map(Address::parse)
}
