//! Records of a first sync and reference data: rows, not documents, so a tablet inserts at SQLite's speed.
//!
//! Bodies are written column by column: neighbouring values look alike and compress to a third of row order.

use super::{LiveDocument, WireError, pack, unpack};
use crate::catalogue::{FacetId, Table, TableId, table_by_id};
use crate::ids::{AuthorId, RecordId};
use crate::limits::BOOTSTRAP_PAGE_RECORDS;
use crate::row::{Row, RowStamp};
use crate::time::{DeviceInstant, ServerInstant};
use crate::value::Value;
use minicbor::decode::Error as DecodeError;
use minicbor::{Decode, Decoder, Encode, Encoder, bytes::ByteVec};
use std::convert::Infallible;

/// Where a first sync stands: sections in order, records by id within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Position {
    /// Index of the section.
    #[n(0)]
    pub section: u16,
    /// Last record received in it.
    #[n(1)]
    pub after: Option<RecordId>,
}

/// State of one facet's document, where it is not epoch 1 without live changes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RecordFacet {
    /// Which record of the page, by index.
    #[n(0)]
    pub index: u16,
    /// Which facet.
    #[n(1)]
    pub facet: FacetId,
    /// Its epoch.
    #[n(2)]
    pub epoch: u32,
    /// Live changes, if any.
    #[n(3)]
    pub live: Option<LiveDocument>,
    /// The facet exists and is not for this device: its consent has ended.
    #[n(4)]
    pub withdrawn: Option<bool>,
}

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub struct BootstrapRecord {
    /// Its id.
    pub id: RecordId,
    /// Its values, without those the device may not see.
    pub row: Row,
    /// Its bookkeeping.
    pub stamp: RowStamp,
}

/// A page of records of one table.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RowsPage {
    /// The table.
    #[n(0)]
    pub table: TableId,
    /// Where the sync stands after this page; `None` when it is complete.
    #[n(1)]
    pub next: Option<Position>,
    /// Records sent so far, including this page. Never above the total announced.
    #[n(2)]
    pub done: u64,
    /// Reference data is complete up to here after this page.
    #[n(3)]
    pub reference_seq: Option<i64>,
    /// Which facets of the table the device sees: bit i is facet i.
    #[n(4)]
    pub facets: u8,
    /// Packed columns.
    #[n(5)]
    pub body: ByteVec,
}

impl RowsPage {
    /// Packs records, column by column.
    #[must_use]
    pub fn pack_records(
        table: &'static Table,
        records: &[BootstrapRecord],
        facets: &Vec<RecordFacet>,
    ) -> ByteVec {
        let mut raw = Vec::with_capacity(records.len().saturating_mul(256));
        // Writing to memory cannot fail.
        let _: Result<(), minicbor::encode::Error<Infallible>> = encode(table, records, facets, &mut raw);
        pack(&raw)
    }

    /// Unpacks the records and the states of their documents.
    ///
    /// # Errors
    /// An unknown table, or a body that does not unpack within the limits.
    pub fn records(&self) -> Result<(Vec<BootstrapRecord>, Vec<RecordFacet>), WireError> {
        let table = table_by_id(self.table).ok_or(WireError::Body)?;
        let raw = unpack(&self.body)?;
        decode(table, &mut Decoder::new(&raw)).map_err(|_| WireError::Body)
    }
}

fn encode(
    table: &'static Table,
    records: &[BootstrapRecord],
    facets: &Vec<RecordFacet>,
    raw: &mut Vec<u8>,
) -> Result<(), minicbor::encode::Error<Infallible>> {
    let mut e = Encoder::new(raw);
    e.u64(records.len() as u64)?;
    for record in records {
        e.encode(record.id)?;
    }
    for (index, _) in table.columns().enumerate() {
        if records.iter().all(|record| record.row.at(index).is_null()) {
            e.bool(false)?;
            continue;
        }
        e.bool(true)?;
        records.iter().try_for_each(|record| record.row.at(index).encode_to(&mut e))?;
    }
    for record in records {
        e.encode(record.stamp.author)?;
    }
    for record in records {
        e.encode(record.stamp.captured_at)?;
    }
    for record in records {
        e.encode(record.stamp.merged_at)?;
    }
    for record in records {
        e.i64(record.stamp.feed_seq)?;
    }
    e.encode(facets)?;
    Ok(())
}

type Records = (Vec<BootstrapRecord>, Vec<RecordFacet>);

fn decode(table: &'static Table, d: &mut Decoder<'_>) -> Result<Records, DecodeError> {
    let count = usize::try_from(d.u64()?).ok().filter(|count| *count <= BOOTSTRAP_PAGE_RECORDS);
    let count = count.ok_or_else(|| DecodeError::message("too many records"))?;
    let ids = (0..count).map(|_| d.decode::<RecordId>()).collect::<Result<Vec<_>, _>>()?;
    let mut rows = vec![Row::empty(table); count];
    for (index, field) in table.columns().enumerate() {
        if !d.bool()? {
            continue;
        }
        for row in &mut rows {
            row.set_at(index, Value::decode_from(d, field.column)?);
        }
    }
    let authors = (0..count).map(|_| d.decode::<Option<AuthorId>>()).collect::<Result<Vec<_>, _>>()?;
    let captured = (0..count).map(|_| d.decode::<Option<DeviceInstant>>()).collect::<Result<Vec<_>, _>>()?;
    let merged = (0..count).map(|_| d.decode::<ServerInstant>()).collect::<Result<Vec<_>, _>>()?;
    let seqs = (0..count).map(|_| d.i64()).collect::<Result<Vec<_>, _>>()?;
    let facets: Vec<RecordFacet> = d.decode()?;
    let stamps = authors.into_iter().zip(captured).zip(merged.into_iter().zip(seqs)).map(
        |((author, captured_at), (merged_at, feed_seq))| RowStamp {
            author,
            captured_at,
            merged_at,
            feed_seq,
        },
    );
    let records = ids
        .into_iter()
        .zip(rows)
        .zip(stamps)
        .map(|((id, row), stamp)| BootstrapRecord { id, row, stamp })
        .collect();
    Ok((records, facets))
}
