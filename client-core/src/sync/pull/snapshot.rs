//! A document as the server has it replaces the confirmed one here.

use crate::error::ReplicaError;
use crate::project::{Batch, table_of};
use crate::store::Tx;
use neonpro_contract::catalogue::{Kind, Table};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::row::{Row, RowStamp};
use neonpro_contract::wire::LiveDocument;

/// Reads the row of an entry.
pub(crate) fn decode_row(table: &'static Table, bytes: &[u8]) -> Result<Row, ReplicaError> {
    let mut decoder = minicbor::Decoder::new(bytes);
    Row::decode_from(&mut decoder, table).map_err(|_| ReplicaError::Protocol("row"))
}

/// Copies the fields the server owns.
pub(crate) fn copy_derived(from: &Row, to: &mut Row) {
    for (index, field) in from.table().columns().enumerate() {
        if field.kind == Kind::Derived {
            to.set_at(index, from.at(index).clone());
        }
    }
}

/// Takes a document over. Pending changes stay; the caller settles them on the new base.
pub(crate) fn replace(
    tx: &Tx<'_>,
    batch: &mut Batch,
    id: DocumentId,
    epoch: u32,
    stamp: RowStamp,
    row: &Row,
    live: Option<&LiveDocument>,
) -> Result<(), ReplicaError> {
    batch.document(&tx.sql, id)?.replace(epoch, row, live)?;
    let record = batch.record(&tx.sql, table_of(&id)?, id.record)?;
    if id.is_primary() {
        copy_derived(row, &mut record.row);
        record.stamp.advance(stamp.into());
    } else {
        record.follow(stamp.into());
    }
    Ok(())
}
