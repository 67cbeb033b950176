//! Tokens other software calls the API with: made once, shown once, kept as a hash.
//!
//! Owns what a token looks like and what it may be for. Invariant: a token speaks for an administrator of its clinic, and is
//! worth nothing from the moment they are none.

use crate::actor::Actor;
use crate::clock;
use crate::store::audit::AuditRecord;
use crate::store::tokens::NewToken;
use crate::store::{Store, StoreError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use neonpro_contract::catalogue::Role;
use neonpro_contract::ids::{AuthorId, ClinicId};
use neonpro_contract::time::{ServerInstant, US_PER_DAY};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// Begins every token, so that a leaked one is recognised as what it is.
const PREFIX: &str = "npt_";
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;
/// Longest life, days: whoever runs an integration renews it within a year.
pub const LIFE_DAYS_MAX: i64 = 366;

/// What a token may be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Requests of patients and statements of what is held of them.
    Subjects,
    /// Planning and carrying out erasures, certificates, reading what is restricted.
    Erasure,
    /// Incidents.
    Incidents,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Subjects, Self::Erasure, Self::Incidents];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subjects => "subjects",
            Self::Erasure => "erasure",
            Self::Incidents => "incidents",
        }
    }

    /// The scope of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// No name, a name of more than 80 characters, no scope, or a life that is not 1 to [`LIFE_DAYS_MAX`] days.
    #[error(
        "a token needs a name of at most 80 characters, a scope, and a life of 1 to {LIFE_DAYS_MAX} days"
    )]
    Invalid,
    /// It would speak for somebody who is no administrator.
    #[error("that person is not an administrator of this clinic")]
    NotAnAdministrator,
    /// No randomness.
    #[error("the system gives no random bytes")]
    Random,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A token as it was made. The text is nowhere else.
#[derive(Debug, Serialize)]
pub struct Made {
    /// Its id, to revoke it.
    pub id: Uuid,
    /// What goes behind `Authorization: Bearer`.
    pub token: String,
    /// Until when it is good, µs.
    pub expires_at: i64,
}

/// Makes a token that speaks for an administrator.
///
/// # Errors
/// What is wrong with it, or what failed.
pub async fn make(
    store: &Store,
    clinic: ClinicId,
    (name, scopes, days): (&str, &[Scope], i64),
    acts_for: AuthorId,
    now: ServerInstant,
) -> Result<Made, TokenError> {
    let fits = (1..=80).contains(&name.trim().chars().count()) && !scopes.is_empty();
    if !fits || !(1..=LIFE_DAYS_MAX).contains(&days) {
        return Err(TokenError::Invalid);
    }
    let mut random = [0; TOKEN_BYTES];
    SystemRandom::new().fill(&mut random).map_err(|_| TokenError::Random)?;
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    let expires = ServerInstant(now.0.saturating_add(days.saturating_mul(US_PER_DAY)));
    let id = clock::fresh_id(now);
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    scoped.lock_head().await?;
    if !is_admin(&mut scoped, acts_for).await? {
        return Err(TokenError::NotAnAdministrator);
    }
    let hash = hash(&token);
    let new = NewToken { id, hash: &hash, name: name.trim(), scopes, acts_for, now, expires };
    scoped.append_service_token(&new).await?;
    scoped.append_audit(&[entry("service_token_made", acts_for, id, scopes)], now).await?;
    scoped.commit().await?;
    Ok(Made { id, token, expires_at: expires.0 })
}

/// Ends a token at once. `false` where no such token was good.
///
/// # Errors
/// A database failure.
pub async fn revoke(
    store: &Store,
    clinic: ClinicId,
    id: Uuid,
    by: AuthorId,
    now: ServerInstant,
) -> Result<bool, StoreError> {
    let mut scoped = store.begin(&Actor::system(clinic)).await?;
    scoped.lock_head().await?;
    let done = scoped.mark_service_token_revoked(id, now).await?;
    if done {
        scoped.append_audit(&[entry("service_token_revoked", by, id, &[])], now).await?;
    }
    scoped.commit().await?;
    Ok(done)
}

/// In whose name a token speaks now; `None` for one that is unknown, too old, revoked, of another scope's, or of somebody who
/// is no administrator any more.
///
/// # Errors
/// A database failure.
pub async fn find_caller(
    store: &Store,
    token: &str,
    scope: Scope,
    now: ServerInstant,
) -> Result<Option<(ClinicId, AuthorId)>, StoreError> {
    if !token.starts_with(PREFIX) {
        return Ok(None);
    }
    let hash = hash(token);
    let Some(found) = store.find_service_token(&hash, now).await? else { return Ok(None) };
    if !found.scopes.contains(&scope) {
        return Ok(None);
    }
    let mut scoped = store.begin(&Actor::system(found.clinic)).await?;
    let admin = is_admin(&mut scoped, found.acts_for).await?;
    scoped.rollback().await?;
    if !admin {
        return Ok(None);
    }
    store.mark_service_token_used(&hash, now).await?;
    Ok(Some((found.clinic, found.acts_for)))
}

async fn is_admin(scoped: &mut crate::store::Scoped, person: AuthorId) -> Result<bool, StoreError> {
    let memberships = scoped.list_memberships(&[person.0]).await?;
    Ok(memberships.get(&person.0).is_some_and(|list| list.iter().any(|one| one.role == Role::Admin)))
}

fn hash(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

fn entry(action: &'static str, by: AuthorId, id: Uuid, scopes: &[Scope]) -> AuditRecord {
    let detail = json!({ "token": id, "scopes": scopes });
    AuditRecord { action, device: None, author: Some(by.0), edit: None, code: None, detail }
}
