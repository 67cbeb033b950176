//! What a merge leaves in the sync tables, in one statement: documents, edits, feed, and the head last of all.
//!
//! A live edit waits for every round trip to the database; four of them are one here. The statements are those of the
//! tables' own files.

use super::documents::DocumentState;
use super::edits::EditRecord;
use super::feed::FeedRecord;
use super::heads::Head;
use super::{Scoped, StoreError, StoreResult, documents, edits, feed, sealing};
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgArguments, Postgres};

/// A statement that is still being bound.
pub(super) type Query<'q> = sqlx_core::query::Query<'q, Postgres, PgArguments>;

/// Parameters for `unnest`, each the array of a column's type, numbered from `first`.
pub(super) fn arrays(first: usize, columns: impl Iterator<Item = &'static str>) -> String {
    let numbered = columns.enumerate().map(|(at, kind)| format!("${}::{kind}[]", first.saturating_add(at)));
    numbered.collect::<Vec<_>>().join(", ")
}

/// What a merge writes beside the rows.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// Documents as they are now.
    pub documents: &'a [&'a DocumentState],
    /// Edits with their fates.
    pub edits: &'a [EditRecord],
    /// Entries of the feed.
    pub feed: &'a [FeedRecord],
    /// Where the clinic stands after it.
    pub head: &'a Head,
}

impl Scoped {
    /// Writes it, moves the head and wakes every server node. The payload is the clinic and the number, nothing else.
    ///
    /// # Errors
    /// A database failure.
    pub async fn append_written(&mut self, written: &Written<'_>, now: ServerInstant) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        let mut subjects = documents::subjects(written.documents);
        subjects.extend(written.edits.iter().flat_map(EditRecord::sealing_subjects));
        let sealer = self.sealer(subjects).await?;
        let snapshots = sealing::snapshots(&sealer, written.documents)?;
        let sealed = written.edits.iter().map(|edit| edit.sealed(&sealer)).collect::<StoreResult<_>>()?;
        let sql = format!(
            "with documents as ({}), edits as ({}), feed as ({}), \
             head as (update sync.heads set seq = $3, horizon = $4, digests = $5 where clinic_id = $1) \
             select pg_notify('neonpro_feed', $1::text || ' ' || $3)",
            documents::upsert_sql(6),
            edits::upsert_sql(18),
            feed::append_sql(32),
        );
        let query = sqlx_core::query::query(AssertSqlSafe(sql))
            .bind(clinic)
            .bind(instant_text(now.0))
            .bind(written.head.seq)
            .bind(written.head.horizon)
            .bind(written.head.digest_bytes());
        let query = documents::bind(query, written.documents, snapshots);
        let query = edits::bind(query, written.edits, sealed);
        feed::bind(query, written.feed)
            .execute(self.connection())
            .await
            .map_err(StoreError::during("writing what was merged"))?;
        Ok(())
    }
}
