//! Edits that were set aside: deadlines, decisions of people, what tablets handed over.
//!
//! Invariant: nothing here deletes bytes of an edit; a decision is added beside them.

use super::edits::WaitingEdit;
use super::sealing::envelopes::Which;
use super::{Scoped, StoreError, StoreResult, sealing};
use crate::keys::Subject;
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::edit::Intent;
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::{AuthorId, EditId};
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use serde::Serialize;
use serde_json::Value as Json;
use sqlx_core::row::Row as _;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::PgRow;
use std::collections::BTreeSet;
use uuid::Uuid;

/// An edit whose fate changed, as far as telling it needs.
#[derive(Debug, Clone)]
pub struct Settled {
    /// Its id.
    pub id: Uuid,
    /// Its device.
    pub device: Uuid,
    /// Its author.
    pub author: Uuid,
    /// Documents it touches, in text form.
    pub documents: Vec<String>,
}

/// The fate of an edit as its device is told.
#[derive(Debug, Clone)]
pub struct ToldFate {
    /// The fate.
    pub fate: Fate,
    /// Who decided.
    pub by: Option<AuthorId>,
    /// Why.
    pub reason: Option<String>,
}

/// A set-aside edit as an administrator sees it in the list.
#[derive(Debug, Clone, Serialize)]
pub struct SetAside {
    /// Its id.
    pub edit: Uuid,
    /// `held`, `quarantined`, `refused` or `discarded`.
    pub fate: String,
    /// Why.
    pub code: Option<String>,
    /// Its device.
    pub device: Uuid,
    /// Its author.
    pub author: Uuid,
    /// When it was captured.
    pub captured_at: String,
    /// When the server got it.
    pub received_at: String,
    /// The patient, if one.
    pub patient: Option<Uuid>,
    /// What was decided so far.
    pub decision: Option<String>,
    /// By whom.
    pub decided_by: Option<Uuid>,
    /// Why.
    pub reason: Option<String>,
    /// The tablet was asked to express it again.
    pub asked: bool,
    /// The person's own words, where a tablet handed them over: JSON of an intent.
    pub intent: Option<Json>,
}

/// What a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecisionKind {
    /// Merge it, minus the question it was set aside by.
    Released,
    /// Do not merge it.
    Discarded,
    /// Its author gave it up on the tablet.
    Dismissed,
    /// Its author left it to the administrator.
    HandedOver,
}

impl DecisionKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Discarded => "discarded",
            Self::Dismissed => "dismissed",
            Self::HandedOver => "handed_over",
        }
    }

    /// The fate an edit has after it.
    const fn fate(self) -> &'static str {
        match self {
            Self::Discarded | Self::Dismissed => "discarded",
            // A held one is waited for no longer.
            Self::HandedOver | Self::Released => "quarantined",
        }
    }
}

/// A decision about one edit.
#[derive(Debug, Clone)]
pub struct NewDecision<'a> {
    /// The edit.
    pub edit: Uuid,
    /// What.
    pub kind: DecisionKind,
    /// Who.
    pub by: Uuid,
    /// Why.
    pub reason: Option<&'a str>,
}

/// An edit handed over by a tablet.
#[derive(Debug, Clone)]
pub struct HandedOver<'a> {
    /// The edit.
    pub edit: Uuid,
    /// Its device.
    pub device: Uuid,
    /// Its author.
    pub author: Uuid,
    /// Who handed it over.
    pub by: Uuid,
    /// Why it had been set aside.
    pub code: Code,
    /// When it was captured, µs.
    pub captured_at: i64,
    /// When it was handed over, µs of the device.
    pub handed_at: i64,
    /// Documents it touches, in text form.
    pub documents: Vec<String>,
    /// What was signed, if its signature is the device's.
    pub signed: Option<(&'a [u8], &'a [u8])>,
    /// SHA-256 of it, or of the intent.
    pub digest: &'a [u8],
    /// What was meant.
    pub meant: &'a Intent,
    /// Its JSON, as it came.
    pub intent: &'a str,
}

const LIST: &str = "select e.id, e.fate, e.code, e.device_id, e.author_id, \
     to_char(e.captured_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
     to_char(e.received_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), e.patient_id, e.decision, \
     e.decided_by, e.reason, e.asked, h.intent from sync.edits e \
     left join sync.handovers h on h.clinic_id = e.clinic_id and h.edit_id = e.id where e.clinic_id = $1";

impl Scoped {
    /// Held edits that came before an instant become quarantined.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_held_expired(
        &mut self,
        before: ServerInstant,
        limit: i64,
    ) -> StoreResult<Vec<Settled>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "update sync.edits set fate = 'quarantined', code = $4 where clinic_id = $1 and id in (\
             select id from sync.edits where clinic_id = $1 and fate = 'held' and received_at < $2::timestamptz \
             order by received_at, id limit $3) returning id, device_id, author_id, documents",
        )
        .bind(clinic)
        .bind(instant_text(before.0))
        .bind(limit)
        .bind(Code::DependencyExpired.as_str())
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("ending waits"))?;
        let mut expired: Vec<Settled> = rows.iter().map(settled).collect::<StoreResult<_>>()?;
        expired.sort_unstable_by_key(|edit| edit.id);
        Ok(expired)
    }

    /// Notes a decision; `None` for an edit that is not here or is merged.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_decided(
        &mut self,
        decision: &NewDecision<'_>,
        now: ServerInstant,
    ) -> StoreResult<Option<Settled>> {
        let clinic = self.actor().clinic().0;
        let row = sqlx_core::query::query(
            "update sync.edits set fate = $3, code = coalesce(code, 'dependency_expired'), decision = $4, decided_by = $5, reason = $6, \
             decided_at = $7::timestamptz where clinic_id = $1 and id = $2 and fate <> 'accepted' \
             returning id, device_id, author_id, documents",
        )
        .bind(clinic)
        .bind(decision.edit)
        .bind(decision.kind.fate())
        .bind(decision.kind.as_str())
        .bind(decision.by)
        .bind(decision.reason)
        .bind(instant_text(now.0))
        .fetch_optional(self.connection())
        .await
        .map_err(StoreError::during("noting a decision"))?;
        row.as_ref().map(settled).transpose()
    }

    /// Notes that the tablets were asked to express these edits again.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_asked(&mut self, edits: &[Uuid]) -> StoreResult<()> {
        if edits.is_empty() {
            return Ok(());
        }
        let clinic = self.actor().clinic().0;
        sqlx_core::query::query("update sync.edits set asked = true where clinic_id = $1 and id = any($2)")
            .bind(clinic)
            .bind(edits)
            .execute(self.connection())
            .await
            .map_err(StoreError::during("asking for edits"))?;
        Ok(())
    }

    /// Keeps what a tablet handed over: its words, and its signed bytes where the server had refused to keep them.
    ///
    /// # Errors
    /// A database failure.
    pub async fn upsert_handover(&mut self, handed: &HandedOver<'_>, now: ServerInstant) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        let (handed_at, received_at) = (instant_text(handed.handed_at), instant_text(now.0));
        let subjects = self.list_subjects(handed.meant).await?;
        // What its tablet signed may touch more than what it says was meant.
        let nobody = Subject::of(None, Purpose::Operation);
        let whose: BTreeSet<Subject> = subjects.iter().map(|(_, subject)| *subject).collect();
        let sealer = self.sealer(whose.iter().copied().chain([nobody]).collect()).await?;
        let intent = sealing::intents::seal(&sealer, &whose, handed.edit, handed.intent)?;
        let known = |id| subjects.iter().find(|(document, _)| *document == id).map(|(_, subject)| *subject);
        let of = |id| known(id).or(Some(nobody));
        let seal = |bytes| sealing::envelopes::seal(&sealer, Which::Signed, bytes, of);
        let envelope = handed.signed.map(|(envelope, _)| seal(envelope)).transpose()?;
        sqlx_core::query::query(
            "insert into sync.handovers (clinic_id, edit_id, device_id, by_id, code, handed_at, received_at, intent) \
             values ($1, $2, $3, $4, $5, $6::timestamptz, $7::timestamptz, $8) on conflict do nothing",
        )
        .bind(clinic)
        .bind(handed.edit)
        .bind(handed.device)
        .bind(handed.by)
        .bind(handed.code.as_str())
        .bind(handed_at)
        .bind(received_at.clone())
        .bind(intent)
        .execute(self.connection())
        .await
        .map_err(StoreError::during("keeping a handover"))?;
        sqlx_core::query::query(
            "insert into sync.edits (clinic_id, id, device_id, author_id, fate, code, captured_at, received_at, \
             envelope, signature, digest, documents) values ($1, $2, $3, $4, 'quarantined', $5, \
             to_timestamp($6 / 1e6), $7::timestamptz, $8, $9, $10, $11) on conflict (clinic_id, id) do update set \
             envelope = coalesce(sync.edits.envelope, excluded.envelope), \
             signature = coalesce(sync.edits.signature, excluded.signature)",
        )
        .bind(clinic)
        .bind(handed.edit)
        .bind(handed.device)
        .bind(handed.author)
        .bind(handed.code.as_str())
        .bind(handed.captured_at)
        .bind(received_at)
        .bind(envelope)
        .bind(handed.signed.map(|(_, signature)| signature))
        .bind(handed.digest)
        .bind(&handed.documents)
        .execute(self.connection())
        .await
        .map_err(StoreError::during("keeping a handed-over edit"))?;
        Ok(())
    }

    /// The device of an edit, if it is here; and whether it is merged.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_edit_device(&mut self, edit: EditId) -> StoreResult<Option<(Uuid, bool)>> {
        let clinic = self.actor().clinic().0;
        let row = sqlx_core::query::query(
            "select device_id, fate = 'accepted' from sync.edits where clinic_id = $1 and id = $2",
        )
        .bind(clinic)
        .bind(edit.0)
        .fetch_optional(self.connection())
        .await
        .map_err(StoreError::during("looking for an edit"))?;
        let unreadable = |_| StoreError::Unreadable("sync.edits");
        row.map(|row| Ok((row.try_get(0).map_err(unreadable)?, row.try_get(1).map_err(unreadable)?)))
            .transpose()
    }

    /// The fates of these edits, as their device is told.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_told_fates(&mut self, edits: &[Uuid]) -> StoreResult<Vec<(Uuid, ToldFate)>> {
        let known = self.list_known_edits(edits).await?;
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select id, decided_by, reason, asked, documents[1] from sync.edits where clinic_id = $1 and id = any($2)",
        )
        .bind(clinic)
        .bind(edits)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading decisions"))?;
        let unreadable = |_| StoreError::Unreadable("sync.edits");
        let mut told = Vec::with_capacity(rows.len());
        for row in &rows {
            let id: Uuid = row.try_get(0).map_err(unreadable)?;
            let by: Option<Uuid> = row.try_get(1).map_err(unreadable)?;
            let asked: bool = row.try_get(3).map_err(unreadable)?;
            let document: Option<String> = row.try_get(4).map_err(unreadable)?;
            let Some(known) = known.iter().find(|known| known.id == id) else { continue };
            let document = document.as_deref().and_then(super::edits::parse_key);
            let fate = match (&known.fate, document) {
                (Fate::Quarantined { .. }, Some(document)) if asked => Fate::Rebase { document, epoch: 0 },
                (fate, _) => fate.clone(),
            };
            let reason = row.try_get(2).map_err(unreadable)?;
            told.push((id, ToldFate { fate, by: by.map(AuthorId), reason }));
        }
        Ok(told)
    }

    /// One set-aside edit, to be judged again.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_waiting_edit(&mut self, edit: EditId) -> StoreResult<Option<WaitingEdit>> {
        let clinic = self.actor().clinic().0;
        let sql = format!(
            "select {} where e.clinic_id = $1 and e.id = $2 and e.fate in ('held', 'quarantined', 'discarded') \
             and e.envelope is not null",
            super::edits::WAITING
        );
        let row = sqlx_core::query::query(AssertSqlSafe(sql))
            .bind(clinic)
            .bind(edit.0)
            .fetch_optional(self.connection())
            .await
            .map_err(StoreError::during("reading a waiting edit"))?;
        let Some(row) = row else { return Ok(None) };
        let mut found = [super::edits::waiting(&row)?];
        self.open_waiting(&mut found).await?;
        let [edit] = found;
        // Nothing is left of an erased one to judge.
        Ok(Some(edit).filter(|edit| !edit.envelope.is_empty()))
    }

    /// Set-aside edits that wait for somebody, oldest first; with `all` those already discarded or refused too.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_set_aside(&mut self, all: bool, limit: i64) -> StoreResult<Vec<SetAside>> {
        let clinic = self.actor().clinic().0;
        let fates = if all { "<> 'accepted'" } else { "in ('held', 'quarantined')" };
        let sql = format!("{LIST} and e.fate {fates} order by e.received_at, e.id limit $2");
        let rows = sqlx_core::query::query(AssertSqlSafe(sql))
            .bind(clinic)
            .bind(limit)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::during("listing set-aside edits"))?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            found.push(self.listed(row).await?);
        }
        Ok(found)
    }

    /// One set-aside edit.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_set_aside(&mut self, edit: EditId) -> StoreResult<Option<SetAside>> {
        let clinic = self.actor().clinic().0;
        let row =
            sqlx_core::query::query(AssertSqlSafe(format!("{LIST} and e.fate <> 'accepted' and e.id = $2")))
                .bind(clinic)
                .bind(edit.0)
                .fetch_optional(self.connection())
                .await
                .map_err(StoreError::during("reading a set-aside edit"))?;
        match row {
            Some(row) => self.listed(&row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn listed(&mut self, row: &PgRow) -> StoreResult<SetAside> {
        let (mut edit, intent) = listed(row)?;
        let words = self.open_intent(edit.edit, intent).await?;
        edit.intent = words.as_deref().and_then(|text| serde_json::from_str(text).ok());
        Ok(edit)
    }
}

fn settled(row: &PgRow) -> StoreResult<Settled> {
    let unreadable = |_| StoreError::Unreadable("sync.edits");
    Ok(Settled {
        id: row.try_get(0).map_err(unreadable)?,
        device: row.try_get(1).map_err(unreadable)?,
        author: row.try_get(2).map_err(unreadable)?,
        documents: row.try_get(3).map_err(unreadable)?,
    })
}

/// One as it was read, and its words as they are kept.
fn listed(row: &PgRow) -> StoreResult<(SetAside, Option<String>)> {
    let unreadable = |_| StoreError::Unreadable("sync.edits");
    let intent = row.try_get(12).map_err(unreadable)?;
    let edit = SetAside {
        edit: row.try_get(0).map_err(unreadable)?,
        fate: row.try_get(1).map_err(unreadable)?,
        code: row.try_get(2).map_err(unreadable)?,
        device: row.try_get(3).map_err(unreadable)?,
        author: row.try_get(4).map_err(unreadable)?,
        captured_at: row.try_get(5).map_err(unreadable)?,
        received_at: row.try_get(6).map_err(unreadable)?,
        patient: row.try_get(7).map_err(unreadable)?,
        decision: row.try_get(8).map_err(unreadable)?,
        decided_by: row.try_get(9).map_err(unreadable)?,
        reason: row.try_get(10).map_err(unreadable)?,
        asked: row.try_get(11).map_err(unreadable)?,
        intent: None,
    };
    Ok((edit, intent))
}
