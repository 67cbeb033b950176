//! Pushed edits and their fates: the signed log, the quarantine and the answers to replays, in one table.

mod log;

pub use log::{LoggedChange, LoggedEdit};

use super::sealing::envelopes::{Which, seal};
use super::written::Query;
use super::{Scoped, StoreError, StoreResult};
use crate::keys::{Sealer, Subject};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::fate::{Code, Fate};
use sqlx_core::row::Row as _;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::PgRow;
use uuid::Uuid;

/// An edit as it is kept.
#[derive(Debug, Clone)]
pub struct EditRecord {
    /// Its id.
    pub id: Uuid,
    /// Who signed it.
    pub device: Uuid,
    /// Who did it.
    pub author: Uuid,
    /// Its fate.
    pub fate: Fate,
    /// When it was captured, µs.
    pub captured_at: i64,
    /// What was signed; dropped for refused edits.
    pub envelope: Vec<u8>,
    /// The envelope as merged, where the signed one did not fit any more.
    pub reissued: Option<Vec<u8>>,
    /// The signature.
    pub signature: Vec<u8>,
    /// SHA-256 of the envelope.
    pub digest: Vec<u8>,
    /// Documents it touches.
    pub documents: Vec<DocumentId>,
    /// Whose data each change of the envelope holds, by position.
    pub subjects: Vec<(DocumentId, Subject)>,
    /// The patient concerned, if one.
    pub patient: Option<Uuid>,
    /// Documents whose next change may settle it, for an edit that waits for another.
    pub awaits: Vec<DocumentId>,
}

/// What is known of an edit that came before.
#[derive(Debug, Clone)]
pub struct KnownEdit {
    /// Its id.
    pub id: Uuid,
    /// Who signed it.
    pub device: Uuid,
    /// Its fate, as a replay answers it.
    pub fate: Fate,
    /// SHA-256 of the envelope it had.
    pub digest: Vec<u8>,
    /// The question an administrator released it from.
    pub waived: Option<Code>,
}

/// An edit that waits on the server.
#[derive(Debug, Clone)]
pub struct WaitingEdit {
    /// Its id.
    pub id: Uuid,
    /// Its device.
    pub device: Uuid,
    /// `held`, `quarantined`, `refused` or `discarded`.
    pub fate: String,
    /// Why it was set aside.
    pub code: Option<Code>,
    /// Its tablet was asked to express it again.
    pub asked: bool,
    /// What was signed.
    pub envelope: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
    /// Documents it touches, in text form.
    pub documents: Vec<String>,
    /// Documents whose next change may settle it.
    pub awaits: Vec<String>,
    /// JSON of the intent, if a tablet handed it over.
    pub intent: Option<String>,
}

/// Set-aside edits looked at again in one merge. More wait for the next.
const WAITING_MAX: i64 = 256;

/// Text form of a document in the index.
#[must_use]
pub fn document_key(id: &DocumentId) -> String {
    format!("{}/{}/{}", id.table.0, id.record.0.simple(), id.facet.0)
}

impl Scoped {
    /// What is known of these edits.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_known_edits(&mut self, ids: &[Uuid]) -> StoreResult<Vec<KnownEdit>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select id, fate, code, seq, (extract(epoch from merged_at) * 1000000)::bigint, digest, documents[1], \
             device_id, decision is not distinct from 'released' from sync.edits where clinic_id = $1 and id = any($2)",
        )
        .bind(clinic)
        .bind(ids)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading fates"))?;
        rows.iter().map(known).collect()
    }

    /// Set-aside edits that touch any of these documents, those that wait for a change of one of `changed`, and
    /// quarantined ones of these patients beside those named; in the order in which they were made.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_waiting_edits(
        &mut self,
        documents: &[String],
        changed: &[String],
        (patients, beside): (&[Uuid], &[Uuid]),
    ) -> StoreResult<Vec<WaitingEdit>> {
        // A statement for each index: an OR over them reads the whole log.
        let mut rows =
            self.select_waiting("e.fate <> 'accepted' and e.documents && $2", documents, &[]).await?;
        rows.extend(
            self.select_waiting("e.fate in ('held', 'quarantined') and e.awaits && $2", changed, &[]).await?,
        );
        if !patients.is_empty() {
            let of_patients = "e.fate = 'quarantined' and e.patient_id = any($2::text[]::uuid[])";
            let patients: Vec<String> = patients.iter().map(Uuid::to_string).collect();
            rows.extend(self.select_waiting(of_patients, &patients, beside).await?);
        }
        let mut seen = std::collections::HashSet::new();
        let mut edits = rows.iter().map(waiting).collect::<StoreResult<Vec<_>>>()?;
        edits.retain(|edit| seen.insert(edit.id));
        self.open_waiting(&mut edits).await?;
        Ok(edits)
    }

    /// Opens waiting edits as they were read. What cannot be opened any more, because it was erased, is empty.
    pub(super) async fn open_waiting(&mut self, edits: &mut [WaitingEdit]) -> StoreResult<()> {
        let mut kept: Vec<&mut Vec<u8>> = edits.iter_mut().map(|edit| &mut edit.envelope).collect();
        self.open_envelopes(Which::Signed, &mut kept).await?;
        for edit in edits {
            edit.intent = self.open_intent(edit.id, edit.intent.take()).await?;
        }
        Ok(())
    }

    async fn select_waiting(
        &mut self,
        condition: &str,
        values: &[String],
        beside: &[Uuid],
    ) -> StoreResult<Vec<PgRow>> {
        let clinic = self.actor().clinic().0;
        let sql = format!(
            "select {WAITING} where e.clinic_id = $1 and {condition} and e.id <> all($4) \
             order by e.received_at, e.captured_at, e.id limit $3"
        );
        sqlx_core::query::query(AssertSqlSafe(sql))
            .bind(clinic)
            .bind(values)
            .bind(WAITING_MAX)
            .bind(beside)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("reading waiting edits"))
    }
}

/// The statement that writes edits and their fates; an edit that waited and is now settled is overwritten, never one that
/// is kept by another device's. Its parameters are numbered from `first`; `$1` is the clinic, `$2` the merge's instant.
pub(super) fn upsert_sql(first: usize) -> String {
    let columns = ["uuid", "uuid", "uuid", "text", "text", "bigint", "bigint"]
        .into_iter()
        .chain(["bytea", "bytea", "bytea", "text", "uuid", "bytea", "text"]);
    format!(
        "insert into sync.edits (clinic_id, id, device_id, author_id, fate, code, seq, captured_at, received_at, \
         merged_at, envelope, signature, digest, documents, patient_id, reissued, awaits) \
         select $1, u.id, u.device, u.author, u.fate, u.code, u.seq, to_timestamp(u.captured / 1e6), \
         $2::timestamptz, case when u.seq is not null then $2::timestamptz end, u.envelope, u.signature, u.digest, \
         string_to_array(u.documents, ' '), u.patient, u.reissued, string_to_array(u.awaits, ' ') from unnest({}) \
         as u(id, device, author, fate, code, seq, captured, envelope, signature, digest, documents, patient, \
         reissued, awaits) \
         on conflict (clinic_id, id) do update set fate = excluded.fate, code = excluded.code, \
         device_id = excluded.device_id, author_id = excluded.author_id, seq = excluded.seq, merged_at = excluded.merged_at, envelope = excluded.envelope, \
         signature = excluded.signature, digest = excluded.digest, documents = excluded.documents, \
         reissued = excluded.reissued, awaits = excluded.awaits, asked = false \
         where sync.edits.fate <> 'accepted' and (sync.edits.fate = 'refused' \
         or sync.edits.device_id = excluded.device_id)",
        super::written::arrays(first, columns)
    )
}

/// The envelopes of an edit, sealed.
#[derive(Debug)]
pub(super) struct SealedEdit {
    envelope: Option<Vec<u8>>,
    reissued: Option<Vec<u8>>,
}

impl EditRecord {
    /// Whether its bytes are kept: of a refused one only the digest is.
    fn is_kept(&self) -> bool {
        !matches!(self.fate, Fate::Refused { .. })
    }

    /// Whose keys writing it takes.
    pub(super) fn sealing_subjects(&self) -> impl Iterator<Item = Subject> + '_ {
        self.subjects.iter().filter(|_| self.is_kept()).map(|(_, subject)| *subject)
    }

    pub(super) fn sealed(&self, sealer: &Sealer) -> StoreResult<SealedEdit> {
        if !self.is_kept() {
            return Ok(SealedEdit { envelope: None, reissued: None });
        }
        let seal = |which, bytes: &Vec<u8>| {
            seal(sealer, which, bytes, |id| {
                self.subjects.iter().find(|(document, _)| *document == id).map(|(_, subject)| *subject)
            })
        };
        let reissued = self.reissued.as_ref().map(|bytes| seal(Which::Reissued, bytes)).transpose()?;
        Ok(SealedEdit { envelope: Some(seal(Which::Signed, &self.envelope)?), reissued })
    }
}

/// Binds what [`upsert_sql`] writes.
pub(super) fn bind<'q>(query: Query<'q>, edits: &[EditRecord], sealed: Vec<SealedEdit>) -> Query<'q> {
    fn column<T>(edits: &[EditRecord], value: impl Fn(&EditRecord) -> T) -> Vec<T> {
        edits.iter().map(value).collect()
    }
    let code = |edit: &EditRecord| edit.fate.set_aside().map(Code::as_str);
    let seq = |edit: &EditRecord| match edit.fate {
        Fate::Accepted { seq, .. } | Fate::Duplicate { seq, .. } => Some(seq),
        _ => None,
    };
    let signature = |edit: &EditRecord| edit.is_kept().then(|| edit.signature.clone());
    let (envelopes, reissued): (Vec<_>, Vec<_>) =
        sealed.into_iter().map(|edit| (edit.envelope, edit.reissued)).unzip();
    let join = |documents: &[DocumentId]| documents.iter().map(document_key).collect::<Vec<_>>().join(" ");
    let keys = |edit: &EditRecord| join(&edit.documents);
    let awaits = |edit: &EditRecord| (!edit.awaits.is_empty()).then(|| join(&edit.awaits));
    query
        .bind(column(edits, |edit| edit.id))
        .bind(column(edits, |edit| edit.device))
        .bind(column(edits, |edit| edit.author))
        .bind(column(edits, |edit| edit.fate.as_str()))
        .bind(column(edits, code))
        .bind(column(edits, seq))
        .bind(column(edits, |edit| edit.captured_at))
        .bind(envelopes)
        .bind(column(edits, signature))
        .bind(column(edits, |edit| edit.digest.clone()))
        .bind(column(edits, keys))
        .bind(column(edits, |edit| edit.patient))
        .bind(reissued)
        .bind(column(edits, awaits))
}

fn known(row: &PgRow) -> StoreResult<KnownEdit> {
    let broken = || StoreError::Unreadable("sync.edits");
    let unreadable = |_| broken();
    let fate: String = row.try_get(1).map_err(unreadable)?;
    let code: Option<String> = row.try_get(2).map_err(unreadable)?;
    let seq: Option<i64> = row.try_get(3).map_err(unreadable)?;
    let merged_at: Option<i64> = row.try_get(4).map_err(unreadable)?;
    let document: Option<String> = row.try_get(6).map_err(unreadable)?;
    let released: bool = row.try_get(8).map_err(unreadable)?;
    let code = code.as_deref().and_then(Code::from_name);
    let fate = match (fate.as_str(), code) {
        ("accepted", _) => {
            Fate::Duplicate { seq: seq.ok_or_else(broken)?, merged_at: merged_at.ok_or_else(broken)? }
        }
        ("quarantined", Some(code)) => Fate::Quarantined { code },
        ("refused", Some(code)) => Fate::Refused { code },
        ("discarded", _) => Fate::Refused { code: Code::Discarded },
        ("held", _) => Fate::Held { missing: document.as_deref().and_then(parse_key).ok_or_else(broken)? },
        _ => return Err(broken()),
    };
    Ok(KnownEdit {
        id: row.try_get(0).map_err(unreadable)?,
        fate,
        digest: row.try_get(5).map_err(unreadable)?,
        device: row.try_get(7).map_err(unreadable)?,
        waived: code.filter(|_| released),
    })
}

/// Columns that [`waiting`] reads.
pub(super) const WAITING: &str = "e.id, e.device_id, e.fate, e.code, e.asked, e.envelope, e.signature, e.documents, \
     e.awaits, h.intent from sync.edits e \
     left join sync.handovers h on h.clinic_id = e.clinic_id and h.edit_id = e.id";

pub(super) fn waiting(row: &PgRow) -> StoreResult<WaitingEdit> {
    let unreadable = |_| StoreError::Unreadable("sync.edits");
    let code: Option<String> = row.try_get(3).map_err(unreadable)?;
    Ok(WaitingEdit {
        id: row.try_get(0).map_err(unreadable)?,
        device: row.try_get(1).map_err(unreadable)?,
        fate: row.try_get(2).map_err(unreadable)?,
        code: code.as_deref().and_then(Code::from_name),
        asked: row.try_get(4).map_err(unreadable)?,
        envelope: row.try_get::<Option<_>, _>(5).map_err(unreadable)?.unwrap_or_default(),
        signature: row.try_get::<Option<_>, _>(6).map_err(unreadable)?.unwrap_or_default(),
        documents: row.try_get(7).map_err(unreadable)?,
        awaits: row.try_get::<Option<_>, _>(8).map_err(unreadable)?.unwrap_or_default(),
        intent: row.try_get(9).map_err(unreadable)?,
    })
}

pub(crate) fn parse_key(key: &str) -> Option<DocumentId> {
    let mut parts = key.split('/');
    Some(DocumentId {
        table: neonpro_contract::catalogue::TableId(parts.next()?.parse().ok()?),
        record: neonpro_contract::ids::RecordId(parts.next()?.parse().ok()?),
        facet: neonpro_contract::catalogue::FacetId(parts.next()?.parse().ok()?),
    })
}
