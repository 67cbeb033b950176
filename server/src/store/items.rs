//! Items: what a human must reconcile.

use super::{Scoped, StoreError, StoreResult};
use crate::keys::{Place, Subject, key_of, sealed_text, text_of};
use neonpro_contract::catalogue::TableId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::instant_text;
use serde::Serialize;
use serde_json::Value as Json;
use sqlx_core::row::Row as _;
use uuid::Uuid;

/// The nine kinds (2-sync 2.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// Concurrent values of guarded fields.
    Fields,
    /// Two records of one person or thing.
    Duplicates,
    /// Overlapping appointments.
    Agenda,
    /// Stock below zero.
    Stock,
    /// Payments that do not add up.
    Payments,
    /// Invoices.
    Fiscal,
    /// Consent and photos.
    ConsentPhotos,
    /// Scope of practice and credentials.
    Scope,
    /// Devices.
    Devices,
}

impl ItemKind {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fields => "fields",
            Self::Duplicates => "duplicates",
            Self::Agenda => "agenda",
            Self::Stock => "stock",
            Self::Payments => "payments",
            Self::Fiscal => "fiscal",
            Self::ConsentPhotos => "consent_photos",
            Self::Scope => "scope",
            Self::Devices => "devices",
        }
    }
}

/// How soon a person should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// For information.
    Info,
    /// Soon.
    Warning,
    /// Today.
    Urgent,
}

impl Severity {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Urgent => "urgent",
        }
    }
}

/// Stands for no table: the item is about a device.
pub const NO_TABLE: TableId = TableId(0);

/// An item to open. One matter is open at most once.
#[derive(Debug, Clone)]
pub struct NewItem {
    /// Its kind.
    pub kind: ItemKind,
    /// How soon.
    pub severity: Severity,
    /// Why, as a stable code.
    pub code: &'static str,
    /// What makes it the same matter when seen again.
    pub matter: String,
    /// The record.
    pub table: TableId,
    /// The record.
    pub record: Uuid,
    /// The patient, if one.
    pub patient: Option<Uuid>,
    /// Whose words the sides hold; `None` for sides of ids and times alone.
    pub sealed_for: Option<Subject>,
    /// Both sides: who, when, which device, which values.
    pub sides: Json,
}

/// An open item, as the console and the checks read it.
#[derive(Debug, Clone, Serialize)]
pub struct OpenItem {
    /// Its id.
    pub id: Uuid,
    /// Its kind.
    pub kind: String,
    /// Why.
    pub code: String,
    /// The record.
    pub record: Option<Uuid>,
    /// Both sides.
    pub sides: Json,
}

impl Scoped {
    /// Opens items; a matter that is already open takes the newest sides, reason and severity.
    ///
    /// # Errors
    /// A database failure.
    pub async fn upsert_items(&mut self, items: &[NewItem], now: ServerInstant) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        let sealer = self.sealer(items.iter().filter_map(|item| item.sealed_for).collect()).await?;
        for item in items {
            let sides = match item.sealed_for {
                Some(subject) => {
                    let plain = item.sides.to_string();
                    let sealed = sealer.seal(subject, Place::Sides(&item.matter), plain.as_bytes())?;
                    Json::String(text_of(&sealed))
                }
                None => item.sides.clone(),
            };
            sqlx_core::query::query(
                "insert into sync.items (clinic_id, id, kind, severity, code, matter, table_id, record_id, patient_id, \
                 sides, opened_at) values ($1, $2, $3, $4, $5, $6, nullif($7, 0::smallint), $8, $9, $10, \
                 $11::timestamptz) \
                 on conflict (clinic_id, matter) where state = 'open' do update set sides = excluded.sides, \
                 code = excluded.code, severity = excluded.severity",
            )
            .bind(clinic)
            .bind(crate::clock::fresh_id(now))
            .bind(item.kind.as_str())
            .bind(item.severity.as_str())
            .bind(item.code)
            .bind(&item.matter)
            .bind(i16::try_from(item.table.0).unwrap_or(i16::MAX))
            .bind(item.record)
            .bind(item.patient)
            .bind(sides)
            .bind(instant_text(now.0))
            .execute(self.connection())
            .await
            .map_err(StoreError::during("opening an item"))?;
        }
        Ok(())
    }

    /// Open matters of a kind that begin with this text.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_open_matters(&mut self, kind: ItemKind, prefix: &str) -> StoreResult<Vec<String>> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query_scalar::query_scalar(
            "select matter from sync.items where clinic_id = $1 and kind = $2 and state = 'open' \
             and starts_with(matter, $3) order by matter",
        )
        .bind(clinic)
        .bind(kind.as_str())
        .bind(prefix)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading open items"))
    }

    /// Closes open matters that settled by themselves.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_items_settled(&mut self, matters: &[String], now: ServerInstant) -> StoreResult<()> {
        if matters.is_empty() {
            return Ok(());
        }
        let clinic = self.actor().clinic().0;
        sqlx_core::query::query(
            "update sync.items set state = 'resolved', resolved_at = $3::timestamptz, \
             resolution = '{\"by\": \"later_edit\"}' where clinic_id = $1 and matter = any($2) and state = 'open'",
        )
        .bind(clinic)
        .bind(matters)
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("closing items"))?;
        Ok(())
    }

    /// Open items, oldest first.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_open_items(&mut self, limit: i64) -> StoreResult<Vec<OpenItem>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select id, kind, code, record_id, sides, matter from sync.items where clinic_id = $1 and state = 'open' \
             order by opened_at, id limit $2",
        )
        .bind(clinic)
        .bind(limit)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("reading items"))?;
        let unreadable = |_| StoreError::Unreadable("sync.items");
        let mut items = Vec::with_capacity(rows.len());
        for row in &rows {
            let (sides, matter): (Json, String) =
                (row.try_get(4).map_err(unreadable)?, row.try_get(5).map_err(unreadable)?);
            items.push(OpenItem {
                id: row.try_get(0).map_err(unreadable)?,
                kind: row.try_get(1).map_err(unreadable)?,
                code: row.try_get(2).map_err(unreadable)?,
                record: row.try_get(3).map_err(unreadable)?,
                sides: self.open_sides(sides, &matter).await?,
            });
        }
        Ok(items)
    }

    async fn open_sides(&mut self, sides: Json, matter: &str) -> StoreResult<Json> {
        let Some(sealed) = sides.as_str().and_then(sealed_text) else { return Ok(sides) };
        let opener = self.opener(key_of(&sealed)).await?;
        // Erased in the meantime: nothing is left to show.
        let Some(plain) = opener.open(Place::Sides(matter), &sealed)? else { return Ok(Json::Null) };
        serde_json::from_slice(&plain).map_err(|_| StoreError::Unreadable("sync.items"))
    }
}
