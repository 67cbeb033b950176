//! `sync.service_tokens`: hashes of tokens, asked before a clinic is known.

use super::{Scoped, Store, StoreError, StoreResult};
use crate::tokens::Scope;
use neonpro_contract::ids::{AuthorId, ClinicId};
use neonpro_contract::time::{ServerInstant, US_PER_SECOND};
use neonpro_contract::value::instant_text;
use serde::Serialize;
use sqlx_core::row::Row as _;
use sqlx_postgres::PgRow;
use uuid::Uuid;

/// How exactly it is kept when a token was last used, µs.
const USED_US: i64 = 3_600 * US_PER_SECOND;

/// A token about to be kept.
#[derive(Debug)]
pub struct NewToken<'a> {
    /// Its id.
    pub id: Uuid,
    /// SHA-256 of its text.
    pub hash: &'a [u8],
    /// What it is for, in words.
    pub name: &'a str,
    /// What it may do.
    pub scopes: &'a [Scope],
    /// In whose name.
    pub acts_for: AuthorId,
    /// Now.
    pub now: ServerInstant,
    /// Until when.
    pub expires: ServerInstant,
}

/// A token that is good now.
#[derive(Debug)]
pub struct GoodToken {
    /// Its clinic.
    pub clinic: ClinicId,
    /// In whose name.
    pub acts_for: AuthorId,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

/// A token in a list.
#[derive(Debug, Serialize)]
pub struct TokenRow {
    /// Its id.
    pub id: Uuid,
    /// What it is for, in words.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// In whose name.
    pub acts_for: Uuid,
    /// Until when it is good, µs.
    pub expires_at: i64,
    /// When it was last used, to the hour, µs.
    pub used_at: Option<i64>,
    /// When it was revoked, µs.
    pub revoked_at: Option<i64>,
}

fn unreadable(_: sqlx_core::Error) -> StoreError {
    StoreError::Unreadable("sync.service_tokens")
}

fn scopes(row: &PgRow, at: usize) -> StoreResult<Vec<Scope>> {
    let names: Vec<String> = row.try_get(at).map_err(unreadable)?;
    Ok(names.iter().filter_map(|name| Scope::from_name(name)).collect())
}

impl Store {
    /// The token of this hash, if it is good now.
    ///
    /// # Errors
    /// A database failure.
    pub async fn find_service_token(
        &self,
        hash: &[u8],
        now: ServerInstant,
    ) -> StoreResult<Option<GoodToken>> {
        let mut connection = self.unscoped().await?;
        let row = sqlx_core::query::query(
            "select clinic_id, acts_for, scopes from sync.service_tokens where token_hash = $1 \
             and revoked_at is null and expires_at > $2::timestamptz",
        )
        .bind(hash)
        .bind(instant_text(now.0))
        .fetch_optional(&mut *connection)
        .await
        .map_err(StoreError::during("looking for a token"))?;
        row.map(|row| {
            Ok(GoodToken {
                clinic: ClinicId(row.try_get(0).map_err(unreadable)?),
                acts_for: AuthorId(row.try_get(1).map_err(unreadable)?),
                scopes: scopes(&row, 2)?,
            })
        })
        .transpose()
    }

    /// Notes that a token was used, to the hour.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_service_token_used(&self, hash: &[u8], now: ServerInstant) -> StoreResult<()> {
        let mut connection = self.unscoped().await?;
        sqlx_core::query::query(
            "update sync.service_tokens set used_at = $2::timestamptz where token_hash = $1 \
             and (used_at is null or used_at < $3::timestamptz)",
        )
        .bind(hash)
        .bind(instant_text(now.0))
        .bind(instant_text(now.0.saturating_sub(USED_US)))
        .execute(&mut *connection)
        .await
        .map_err(StoreError::during("noting the use of a token"))?;
        Ok(())
    }
}

impl Scoped {
    /// Keeps a new token.
    ///
    /// # Errors
    /// A database failure.
    pub async fn append_service_token(&mut self, new: &NewToken<'_>) -> StoreResult<()> {
        let clinic = self.actor().clinic().0;
        sqlx_core::query::query(
            "insert into sync.service_tokens (clinic_id, id, token_hash, name, scopes, acts_for, made_at, expires_at) \
             values ($1, $2, $3, $4, $5, $6, $7::timestamptz, $8::timestamptz)",
        )
        .bind(clinic)
        .bind(new.id)
        .bind(new.hash)
        .bind(new.name)
        .bind(new.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>())
        .bind(new.acts_for.0)
        .bind(instant_text(new.now.0))
        .bind(instant_text(new.expires.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("keeping a token"))?;
        Ok(())
    }

    /// Ends a token of the clinic; `false` where none of this id was good.
    ///
    /// # Errors
    /// A database failure.
    pub async fn mark_service_token_revoked(&mut self, id: Uuid, now: ServerInstant) -> StoreResult<bool> {
        let clinic = self.actor().clinic().0;
        let done = sqlx_core::query::query(
            "update sync.service_tokens set revoked_at = $3::timestamptz where clinic_id = $1 and id = $2 \
             and revoked_at is null",
        )
        .bind(clinic)
        .bind(id)
        .bind(instant_text(now.0))
        .execute(self.connection())
        .await
        .map_err(StoreError::during("revoking a token"))?;
        Ok(done.rows_affected() > 0)
    }

    /// Tokens of the clinic, newest first.
    ///
    /// # Errors
    /// A database failure.
    pub async fn list_service_tokens(&mut self, limit: i64) -> StoreResult<Vec<TokenRow>> {
        let clinic = self.actor().clinic().0;
        let rows = sqlx_core::query::query(
            "select id, name, scopes, acts_for, (extract(epoch from expires_at) * 1000000)::bigint, \
             (extract(epoch from used_at) * 1000000)::bigint, (extract(epoch from revoked_at) * 1000000)::bigint \
             from sync.service_tokens where clinic_id = $1 order by made_at desc, id limit $2",
        )
        .bind(clinic)
        .bind(limit)
        .fetch_all(self.connection())
        .await
        .map_err(StoreError::during("listing tokens"))?;
        rows.iter()
            .map(|row| {
                Ok(TokenRow {
                    id: row.try_get(0).map_err(unreadable)?,
                    name: row.try_get(1).map_err(unreadable)?,
                    scopes: scopes(row, 2)?,
                    acts_for: row.try_get(3).map_err(unreadable)?,
                    expires_at: row.try_get(4).map_err(unreadable)?,
                    used_at: row.try_get(5).map_err(unreadable)?,
                    revoked_at: row.try_get(6).map_err(unreadable)?,
                })
            })
            .collect()
    }
}
