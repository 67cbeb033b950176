//! The clinic's feed: numbered entries, read as the receiving device.

use super::documents::{purpose_number, purpose_numbers};
use super::sealing::envelopes::{KeptEnvelope, Which};
use super::written::Query;
use super::{Scoped, StoreError, StoreResult};
use neonpro_contract::catalogue::{FacetId, Purpose, TableId};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::RecordId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use sqlx_core::row::Row as _;
use sqlx_postgres::PgRow;
use uuid::Uuid;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedKind {
    /// A device's change.
    Change,
    /// A document's new beginning.
    Snapshot,
    /// Fields the server owns.
    Row,
    /// Purge.
    Withdraw,
    /// The fate of an edit, for its device alone.
    Fate,
}

impl FeedKind {
    const fn number(self) -> i16 {
        match self {
            Self::Change => 0,
            Self::Snapshot => 1,
            Self::Row => 2,
            Self::Withdraw => 3,
            Self::Fate => 4,
        }
    }

    fn of(number: i16) -> Option<Self> {
        [Self::Change, Self::Snapshot, Self::Row, Self::Withdraw, Self::Fate]
            .into_iter()
            .find(|kind| kind.number() == number)
    }
}

/// An entry to write.
#[derive(Debug, Clone)]
pub struct FeedRecord {
    /// Its number.
    pub seq: i64,
    /// What it is.
    pub kind: FeedKind,
    /// The document (facet 0 for rows).
    pub document: DocumentId,
    /// Its purpose.
    pub purpose: Purpose,
    /// Its epoch.
    pub epoch: u32,
    /// The edit and which of its changes.
    pub edit: Option<(Uuid, u16)>,
    /// The device that wrote it.
    pub device: Option<Uuid>,
}

/// An entry read for a device.
#[derive(Debug, Clone)]
pub struct FeedRow {
    /// Its number.
    pub seq: i64,
    /// What it is.
    pub kind: FeedKind,
    /// The document.
    pub document: DocumentId,
    /// Its epoch.
    pub epoch: u32,
    /// The edit, if a change.
    pub edit: Option<Uuid>,
    /// Which of the edit's changes.
    pub position: u16,
    /// The device that wrote it.
    pub device: Option<Uuid>,
    /// When it was merged.
    pub merged_at: ServerInstant,
    /// The change, of another device; `None` if it was erased.
    pub change: Option<Vec<u8>>,
}

impl FeedRecord {
    /// The entry that tells a device what became of its edit.
    #[must_use]
    pub fn fate(seq: i64, edit: Uuid, device: Uuid, document: DocumentId) -> Self {
        Self {
            seq,
            kind: FeedKind::Fate,
            document,
            purpose: Purpose::Operation,
            epoch: 0,
            edit: Some((edit, 0)),
            device: Some(device),
        }
    }
}

/// The statement that appends entries, its parameters numbered from `first`; `$1` is the clinic, `$2` the instant.
pub(super) fn append_sql(first: usize) -> String {
    let columns = ["bigint", "smallint", "smallint", "uuid", "smallint"]
        .into_iter()
        .chain(["smallint", "integer", "uuid", "smallint", "uuid"]);
    format!(
        "insert into sync.feed (clinic_id, merged_at, seq, kind, table_id, record_id, facet, purpose, epoch, \
         edit_id, position, device_id) select $1, $2::timestamptz, u.* from unnest({}) as u",
        super::written::arrays(first, columns)
    )
}

/// Binds what [`append_sql`] writes.
pub(super) fn bind<'q>(query: Query<'q>, entries: &[FeedRecord]) -> Query<'q> {
    let small = |number: u16| i16::try_from(number).unwrap_or(i16::MAX);
    query
        .bind(entries.iter().map(|e| e.seq).collect::<Vec<_>>())
        .bind(entries.iter().map(|e| e.kind.number()).collect::<Vec<_>>())
        .bind(entries.iter().map(|e| small(e.document.table.0)).collect::<Vec<_>>())
        .bind(entries.iter().map(|e| e.document.record.0).collect::<Vec<_>>())
        .bind(entries.iter().map(|e| i16::from(e.document.facet.0)).collect::<Vec<_>>())
        .bind(entries.iter().map(|e| purpose_number(e.purpose)).collect::<Vec<_>>())
        .bind(entries.iter().map(|e| i32::try_from(e.epoch).unwrap_or(i32::MAX)).collect::<Vec<_>>())
        .bind(entries.iter().map(|e| e.edit.map(|(id, _)| id)).collect::<Vec<_>>())
        .bind(entries.iter().map(|e| e.edit.map(|(_, position)| small(position))).collect::<Vec<_>>())
        .bind(entries.iter().map(|e| e.device).collect::<Vec<_>>())
}

impl Scoped {
    /// Drops entries up to a number.
    ///
    /// # Errors
    /// A database failure.
    pub async fn purge_feed(&mut self, up_to: i64) -> StoreResult<u64> {
        let clinic = self.actor().clinic().0;
        let done = sqlx_core::query::query("delete from sync.feed where clinic_id = $1 and seq <= $2")
            .bind(clinic)
            .bind(up_to)
            .execute(self.connection())
            .await
            .map_err(StoreError::during("pruning the feed"))?;
        Ok(done.rows_affected())
    }

    /// The last number all of whose predecessors were written before an instant.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_feed_before(&mut self, before: ServerInstant) -> StoreResult<Option<i64>> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query_scalar::query_scalar(
            "select max(seq) from sync.feed where clinic_id = $1 and seq < coalesce((select min(seq) from sync.feed \
             where clinic_id = $1 and merged_at >= $2::timestamptz), 9223372036854775807)",
        )
        .bind(clinic)
        .bind(instant_text(before.0))
        .fetch_one(self.connection())
        .await
        .map_err(StoreError::during("reading the feed's age"))
    }

    /// Appends entries.
    ///
    /// # Errors
    /// A database failure.
    pub async fn append_feed(&mut self, entries: &[FeedRecord], now: ServerInstant) -> StoreResult<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let clinic = self.actor().clinic().0;
        let query = sqlx_core::query::query(sqlx_core::sql_str::AssertSqlSafe(append_sql(3)))
            .bind(clinic)
            .bind(instant_text(now.0));
        bind(query, entries)
            .execute(self.connection())
            .await
            .map_err(StoreError::during("writing the feed"))?;
        Ok(())
    }

    /// Entries after a cursor that the actor's audience may see, oldest first. What a document withdrawn since once was
    /// is not among them; that it was withdrawn is.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_feed(&mut self, after: i64, limit: usize) -> StoreResult<Vec<FeedRow>> {
        let clinic = self.actor().clinic().0;
        let device = self.actor().device_id().map(|id| id.0);
        let purposes = purpose_numbers(self.actor().audience());
        let rows = sqlx_core::query::query(
            "select f.seq, f.kind, f.table_id, f.record_id, f.facet, f.epoch, f.edit_id, f.position, f.device_id, \
             (extract(epoch from f.merged_at) * 1000000)::bigint, coalesce(e.reissued, e.envelope), e.reissued is not null \
             from sync.feed f left join sync.edits e on e.clinic_id = f.clinic_id and e.id = f.edit_id \
             and f.device_id is distinct from $4 \
             where f.clinic_id = $1 and f.seq > $2 and f.purpose = any($3) \
             and (f.kind <> 4 or f.device_id = $4) \
             and (f.kind >= 2 or not exists (select from sync.documents d where d.withdrawn \
             and d.clinic_id = f.clinic_id and d.record_id = f.record_id and d.table_id = f.table_id \
             and d.facet = f.facet)) order by f.seq limit $5",
        )
        .bind(clinic)
        .bind(after)
        .bind(purposes)
        .bind(device)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading the feed"))?;
        let mut entries = rows.iter().map(decode).collect::<StoreResult<Vec<_>>>()?;
        self.open_changes(&mut entries, &rows).await?;
        Ok(entries)
    }

    /// Opens the change of each entry that is one, and no other part of its edit.
    async fn open_changes(&mut self, entries: &mut [FeedRow], rows: &[PgRow]) -> StoreResult<()> {
        let unreadable = |_| StoreError::Unreadable("sync.feed");
        let mut found = Vec::new();
        for (entry, row) in entries.iter_mut().zip(rows) {
            let kept: Option<&[u8]> = row.try_get(10).map_err(unreadable)?;
            if let (FeedKind::Change, Some(kept)) = (entry.kind, kept) {
                let reissued = row.try_get(11).map_err(unreadable)?;
                let which = if reissued { Which::Reissued } else { Which::Signed };
                found.push((entry, KeptEnvelope::read(kept)?, which));
            }
        }
        let numbers = found.iter().filter_map(|(entry, kept, _)| kept.number(usize::from(entry.position)));
        let opener = self.opener(numbers).await?;
        for (entry, kept, which) in found {
            entry.change = kept.change(&opener, which, usize::from(entry.position))?;
        }
        Ok(())
    }
}

fn decode(row: &PgRow) -> StoreResult<FeedRow> {
    let broken = || StoreError::Unreadable("sync.feed");
    let unreadable = |_| broken();
    let (kind, table): (i16, i16) =
        (row.try_get(1).map_err(unreadable)?, row.try_get(2).map_err(unreadable)?);
    let (facet, epoch): (i16, i32) =
        (row.try_get(4).map_err(unreadable)?, row.try_get(5).map_err(unreadable)?);
    let position: Option<i16> = row.try_get(7).map_err(unreadable)?;
    Ok(FeedRow {
        seq: row.try_get(0).map_err(unreadable)?,
        kind: FeedKind::of(kind).ok_or_else(broken)?,
        document: DocumentId {
            table: TableId(u16::try_from(table).map_err(|_| broken())?),
            record: RecordId(row.try_get(3).map_err(unreadable)?),
            facet: FacetId(u8::try_from(facet).map_err(|_| broken())?),
        },
        epoch: u32::try_from(epoch).map_err(|_| broken())?,
        edit: row.try_get(6).map_err(unreadable)?,
        position: u16::try_from(position.unwrap_or(0)).map_err(|_| broken())?,
        device: row.try_get(8).map_err(unreadable)?,
        merged_at: ServerInstant(row.try_get(9).map_err(unreadable)?),
        change: None,
    })
}
