//! Documents: what exists, at which epoch, with which live history.

use super::written::Query;
use super::{Scoped, StoreError, StoreResult, sealing};
use crate::keys::Subject;
use minicbor::bytes::ByteArray;
use neonpro_contract::catalogue::{FacetId, Purpose, TableId};
use neonpro_contract::document::Clamps;
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::{PatientId, RecordId};
use neonpro_contract::limits::DOCUMENT_LIVE_BYTES_MAX;
use neonpro_contract::time::ServerInstant;
use sqlx_core::row::Row as _;
use sqlx_postgres::PgRow;
use std::collections::BTreeSet;
use uuid::Uuid;

/// State of one document.
#[derive(Debug, Clone)]
pub struct DocumentState {
    /// Which document.
    pub id: DocumentId,
    /// Its purpose, fixed at creation.
    pub purpose: Purpose,
    /// Whose consent covers it.
    pub patient: Option<PatientId>,
    /// Its epoch.
    pub epoch: u32,
    /// Changes since the epoch began.
    pub live_changes: u32,
    /// Heads of the live history; empty when the document is its row.
    pub heads: Vec<[u8; 32]>,
    /// Saved document, when there is a live history.
    pub snapshot: Option<Vec<u8>>,
    /// Merge instants of changes captured by clocks that ran ahead.
    pub clamps: Clamps,
    /// Its last feed number.
    pub last_seq: i64,
    /// No device may hold it: the consent it rests on has ended.
    pub withdrawn: bool,
}

impl DocumentState {
    /// A document of a record that was just created.
    #[must_use]
    pub fn new(id: DocumentId, purpose: Purpose, patient: Option<PatientId>) -> Self {
        Self {
            id,
            purpose,
            patient,
            epoch: 1,
            live_changes: 0,
            heads: Vec::new(),
            snapshot: None,
            clamps: Clamps::new(),
            last_seq: 0,
            withdrawn: false,
        }
    }

    /// The document as another clinic holds a copy of it: without a history.
    #[must_use]
    pub fn copied(&self) -> Self {
        Self::new(self.id, self.purpose, self.patient)
    }

    /// Its term in the clinic's digest; none while it is withdrawn.
    #[must_use]
    pub fn term(&self) -> Option<u128> {
        (!self.withdrawn).then(|| self.fingerprint())
    }

    /// What tells it from every other state of it.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        neonpro_contract::digest::fingerprint(&self.id, self.epoch, &self.heads)
    }
}

/// Columns that [`decode`] reads.
pub(super) const COLUMNS: &str = "d.table_id, d.record_id, d.facet, d.purpose, d.patient_id, d.epoch, d.live_changes, d.heads, d.snapshot, \
     d.clamps, d.last_seq, d.withdrawn";

/// The stable number of a purpose in the database.
#[must_use]
pub fn purpose_number(purpose: Purpose) -> i16 {
    Purpose::ALL
        .iter()
        .position(|other| *other == purpose)
        .and_then(|index| i16::try_from(index).ok())
        .unwrap_or(0)
}

/// Numbers of the purposes an audience sees.
#[must_use]
pub fn purpose_numbers(audience: neonpro_contract::permissions::Audience) -> Vec<i16> {
    audience.purposes().map(purpose_number).collect()
}

pub(super) fn purpose_of(number: i16) -> Option<Purpose> {
    usize::try_from(number).ok().and_then(|index| Purpose::ALL.get(index).copied())
}

pub(super) fn decode(row: &PgRow) -> StoreResult<DocumentState> {
    let broken = || StoreError::Unreadable("sync.documents");
    let unreadable = |_| broken();
    let table: i16 = row.try_get(0).map_err(unreadable)?;
    let record: Uuid = row.try_get(1).map_err(unreadable)?;
    let facet: i16 = row.try_get(2).map_err(unreadable)?;
    let purpose: i16 = row.try_get(3).map_err(unreadable)?;
    let patient: Option<Uuid> = row.try_get(4).map_err(unreadable)?;
    let epoch: i32 = row.try_get(5).map_err(unreadable)?;
    let live: i32 = row.try_get(6).map_err(unreadable)?;
    let heads: Option<Vec<u8>> = row.try_get(7).map_err(unreadable)?;
    let clamps: Option<Vec<u8>> = row.try_get(9).map_err(unreadable)?;
    Ok(DocumentState {
        id: DocumentId {
            table: TableId(u16::try_from(table).map_err(|_| broken())?),
            record: RecordId(record),
            facet: FacetId(u8::try_from(facet).map_err(|_| broken())?),
        },
        purpose: purpose_of(purpose).ok_or_else(broken)?,
        patient: patient.map(PatientId),
        epoch: u32::try_from(epoch).map_err(|_| broken())?,
        live_changes: u32::try_from(live).map_err(|_| broken())?,
        heads: heads.unwrap_or_default().as_chunks::<32>().0.to_vec(),
        snapshot: row.try_get(8).map_err(unreadable)?,
        clamps: clamps.map(|bytes| decode_clamps(&bytes)).transpose()?.unwrap_or_default(),
        last_seq: row.try_get(10).map_err(unreadable)?,
        withdrawn: row.try_get(11).map_err(unreadable)?,
    })
}

fn decode_clamps(bytes: &[u8]) -> StoreResult<Clamps> {
    let list: Vec<(ByteArray<32>, ServerInstant)> =
        minicbor::decode(bytes).map_err(|_| StoreError::Unreadable("sync.documents"))?;
    Ok(list.into_iter().map(|(hash, at)| (*hash, at)).collect())
}

/// Clamps as they travel and are stored.
#[must_use]
pub fn clamp_list(clamps: &Clamps) -> Vec<(ByteArray<32>, ServerInstant)> {
    clamps.iter().map(|(hash, at)| ((*hash).into(), *at)).collect()
}

fn encode_clamps(clamps: &Clamps) -> Option<Vec<u8>> {
    if clamps.is_empty() { None } else { minicbor::to_vec(clamp_list(clamps)).ok() }
}

/// The statement that writes documents, its parameters numbered from `first`; `$1` is the clinic.
pub(super) fn upsert_sql(first: usize) -> String {
    let columns = ["smallint", "uuid", "smallint", "smallint", "uuid", "integer", "integer"]
        .into_iter()
        .chain(["bytea", "bytea", "bytea", "bigint", "boolean"]);
    format!(
        "insert into sync.documents (clinic_id, table_id, record_id, facet, purpose, patient_id, epoch, \
         live_changes, heads, snapshot, clamps, last_seq, withdrawn, changed) \
         select $1, u.*, u.epoch > 1 or u.snapshot is not null or u.withdrawn from unnest({}) as u(table_id, record_id, facet, \
         purpose, patient_id, epoch, live_changes, heads, snapshot, clamps, last_seq, withdrawn) \
         on conflict (clinic_id, record_id, table_id, facet) do update set epoch = excluded.epoch, \
         live_changes = excluded.live_changes, heads = excluded.heads, snapshot = excluded.snapshot, \
         clamps = excluded.clamps, last_seq = excluded.last_seq, withdrawn = excluded.withdrawn, \
         changed = excluded.changed",
        super::written::arrays(first, columns)
    )
}

/// Whose keys writing these documents takes.
pub(super) fn subjects(documents: &[&DocumentState]) -> BTreeSet<Subject> {
    documents
        .iter()
        .filter(|document| document.snapshot.is_some())
        .map(|document| document.subject())
        .collect()
}

/// Binds what [`upsert_sql`] writes; the saved histories sealed.
pub(super) fn bind<'q>(
    query: Query<'q>,
    documents: &[&DocumentState],
    snapshots: Vec<Option<Vec<u8>>>,
) -> Query<'q> {
    let small = |number: u16| i16::try_from(number).unwrap_or(i16::MAX);
    let int = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let heads = |d: &DocumentState| (!d.heads.is_empty()).then(|| d.heads.concat());
    query
        .bind(column(documents, |d| small(d.id.table.0)))
        .bind(column(documents, |d| d.id.record.0))
        .bind(column(documents, |d| i16::from(d.id.facet.0)))
        .bind(column(documents, |d| purpose_number(d.purpose)))
        .bind(column(documents, |d| d.patient.map(|id| id.0)))
        .bind(column(documents, |d| int(d.epoch)))
        .bind(column(documents, |d| int(d.live_changes)))
        .bind(column(documents, heads))
        .bind(snapshots)
        .bind(column(documents, |d| encode_clamps(&d.clamps)))
        .bind(column(documents, |d| d.last_seq))
        .bind(column(documents, |d| d.withdrawn))
}

/// One column of many documents, for `unnest`.
fn column<T>(documents: &[&DocumentState], value: impl Fn(&DocumentState) -> T) -> Vec<T> {
    documents.iter().map(|document| value(document)).collect()
}

impl Scoped {
    /// Every document of these records, whatever the table.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_documents_of(&mut self, records: &[Uuid]) -> StoreResult<Vec<DocumentState>> {
        let clinic = self.actor().clinic().0;
        let sql = format!(
            "select {COLUMNS} from sync.documents d where d.clinic_id = $1 and d.record_id = any($2)"
        );
        let rows = sqlx_core::query::query(sqlx_core::sql_str::AssertSqlSafe(sql))
            .bind(clinic)
            .bind(records)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading documents"))?;
        self.opened(&rows).await
    }

    /// Documents of these patients that serve one of these purposes.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_documents_of_patients(
        &mut self,
        patients: &[Uuid],
        purposes: &[Purpose],
    ) -> StoreResult<Vec<DocumentState>> {
        let clinic = self.actor().clinic().0;
        let sql = format!(
            "select {COLUMNS} from sync.documents d where d.clinic_id = $1 and d.patient_id = any($2) \
             and d.purpose = any($3)"
        );
        let rows = sqlx_core::query::query(sqlx_core::sql_str::AssertSqlSafe(sql))
            .bind(clinic)
            .bind(patients)
            .bind(purposes.iter().map(|purpose| purpose_number(*purpose)).collect::<Vec<_>>())
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading documents"))?;
        self.opened(&rows).await
    }

    /// Documents of one table's records that are not simply their row at epoch 1.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_changed_documents(
        &mut self,
        table: TableId,
        records: &[Uuid],
    ) -> StoreResult<Vec<DocumentState>> {
        let clinic = self.actor().clinic().0;
        let sql = format!(
            "select {COLUMNS} from sync.documents d where d.clinic_id = $1 and d.table_id = $2 \
             and d.record_id = any($3) and d.changed"
        );
        let rows = sqlx_core::query::query(sqlx_core::sql_str::AssertSqlSafe(sql))
            .bind(clinic)
            .bind(i16::try_from(table.0).unwrap_or(i16::MAX))
            .bind(records)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading documents"))?;
        self.opened(&rows).await
    }

    /// Every document the actor's audience may see.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_documents_seen(&mut self) -> StoreResult<Vec<DocumentState>> {
        let clinic = self.actor().clinic().0;
        let purposes = purpose_numbers(self.actor().audience());
        let sql = format!(
            "select {COLUMNS} from sync.documents d where d.clinic_id = $1 and d.purpose = any($2) and not d.withdrawn"
        );
        let rows = sqlx_core::query::query(sqlx_core::sql_str::AssertSqlSafe(sql))
            .bind(clinic)
            .bind(purposes)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading documents"))?;
        self.opened(&rows).await
    }

    async fn opened(&mut self, rows: &[PgRow]) -> StoreResult<Vec<DocumentState>> {
        let mut documents = rows.iter().map(decode).collect::<StoreResult<Vec<_>>>()?;
        self.open_snapshots(&mut documents).await?;
        Ok(documents)
    }

    /// Writes documents.
    ///
    /// # Errors
    /// A database failure.
    pub async fn upsert_documents(&mut self, documents: &[&DocumentState]) -> StoreResult<()> {
        if documents.is_empty() {
            return Ok(());
        }
        let clinic = self.actor().clinic().0;
        let sealer = self.sealer(subjects(documents)).await?;
        let snapshots = sealing::snapshots(&sealer, documents)?;
        let query = sqlx_core::query::query(sqlx_core::sql_str::AssertSqlSafe(upsert_sql(2))).bind(clinic);
        bind(query, documents, snapshots)
            .execute(self.connection())
            .await
            .map_err(StoreError::during("writing documents"))?;
        Ok(())
    }

    /// Quiet documents with at least this many live changes, or too large to travel, for compaction.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_compactable(
        &mut self,
        live_changes_min: u32,
        limit: i64,
    ) -> StoreResult<Vec<DocumentState>> {
        let clinic = self.actor().clinic().0;
        let sql = format!(
            "select {COLUMNS} from sync.documents d where d.clinic_id = $1 and d.changed and not d.withdrawn \
             and (d.live_changes >= $2 or octet_length(d.snapshot) > $4) order by d.live_changes desc, d.table_id, \
             d.record_id, d.facet limit $3"
        );
        let rows = sqlx_core::query::query(sqlx_core::sql_str::AssertSqlSafe(sql))
            .bind(clinic)
            .bind(i32::try_from(live_changes_min).unwrap_or(i32::MAX))
            .bind(limit)
            .bind(i32::try_from(DOCUMENT_LIVE_BYTES_MAX).unwrap_or(i32::MAX))
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading documents"))?;
        self.opened(&rows).await
    }
}
