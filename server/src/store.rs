//! The one door to Postgres. The pool is private; the only way in is [`Store::begin`], which sets the clinic for row
//! security before anything else can be said.
//!
//! Invariant: every statement on a tenant table runs inside a transaction whose clinic came from an [`Actor`].

pub mod audit;
pub mod authority;
pub mod blobs;
pub mod canonical;
pub mod clinics;
pub mod consents;
pub mod devices;
pub mod documents;
pub mod edits;
pub mod enrolments;
pub mod erasures;
pub mod escrow;
pub mod feed;
pub mod heads;
pub mod items;
pub mod keys;
pub mod literal;
pub mod load;
pub mod made;
pub mod matters;
pub mod receipts;
pub mod reference;
pub mod scope;
mod sealing;
pub mod set_aside;
pub mod shares;
pub mod subjects;
pub mod tokens;
pub mod unnumbered;
pub mod wipes;
pub mod written;

use crate::actor::Actor;
use crate::keys::Keyring;
use neonpro_contract::ids::ClinicId;
use sqlx_core::pool::{Pool, PoolConnection};
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_core::transaction::Transaction;
use sqlx_postgres::{PgConnection, PgListener, Postgres};
use std::sync::Arc;

/// Channel of wake-ups: the payload is a clinic id, nothing else.
pub const FEED_CHANNEL: &str = "neonpro_feed";
/// Channel of changed authority: the payload is a device id, nothing else.
pub const AUTHORITY_CHANNEL: &str = "neonpro_authority";

/// What went wrong in the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or was not reachable.
    #[error("{operation} failed in the database")]
    Database {
        /// What was being done.
        operation: &'static str,
        /// The driver's error.
        #[source]
        source: sqlx_core::Error,
    },
    /// A stored value does not fit its column in the catalogue.
    #[error("a stored value of {0} cannot be read")]
    Unreadable(&'static str),
    /// A document's live history is too large to travel: it must be flattened first.
    #[error("{0} is too large to send before it is flattened")]
    TooLarge(neonpro_contract::edit::DocumentId),
    /// A key is not to be had.
    #[error(transparent)]
    Key(#[from] crate::keys::KeyError),
    /// A row that must exist does not.
    #[error("no such {0}")]
    Missing(&'static str),
}

impl StoreError {
    /// Wraps a driver error with what was being done.
    pub fn during(operation: &'static str) -> impl FnOnce(sqlx_core::Error) -> Self {
        move |source| Self::Database { operation, source }
    }

    /// What refused the data: SQLSTATE and the constraint's name. Never a value.
    #[must_use]
    pub fn refused_by(&self) -> Option<String> {
        let Self::Database { source: sqlx_core::Error::Database(error), .. } = self else { return None };
        let code = error.code()?;
        Some(format!("{code} {}", error.constraint().unwrap_or_default()).trim_end().to_owned())
    }

    /// Whether the data was refused (a constraint, a bad value), as opposed to the database being in trouble.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let Self::Database { source: sqlx_core::Error::Database(error), .. } = self else { return false };
        // SQLSTATE classes 22 (data exception), 23 (integrity constraint), 42501 (row security).
        error.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23") || code == "42501")
    }
}

/// Result of a store call.
pub type StoreResult<T> = Result<T, StoreError>;

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool<Postgres>,
    scope: Arc<scope::ScopeBundles>,
    keys: Keyring,
}

/// A transaction in a clinic's context.
#[derive(Debug)]
pub struct Scoped {
    transaction: Transaction<'static, Postgres>,
    actor: Actor,
    /// Where the clinic's audit ends, once its head is locked here.
    audit_place: Option<audit::Place>,
    scope: Arc<scope::ScopeBundles>,
    keys: Keyring,
    fresh: keys::Fresh,
    /// How many data keys the clinic had destroyed when its head was locked here.
    keys_destroyed: Option<i64>,
    /// The same as this transaction read it without the lock: enough to note which keys were in use then.
    keys_seen: Option<i64>,
    /// Clinics whose keys were destroyed here, how many each has lost by then, and where its feed stands.
    meets: Vec<(ClinicId, i64, i64)>,
}

impl Store {
    /// Wraps a pool whose connections already run as the restricted role.
    #[must_use]
    pub(crate) fn new(pool: Pool<Postgres>) -> Self {
        Self { pool, scope: Arc::default(), keys: Keyring::default() }
    }

    /// The same database, with the keys that open what is sealed in it.
    #[must_use]
    pub fn with_keys(self, keys: Keyring) -> Self {
        Self { keys, ..self }
    }

    fn scoped(&self, transaction: Transaction<'static, Postgres>, actor: &Actor) -> Scoped {
        Scoped {
            transaction,
            actor: *actor,
            audit_place: None,
            scope: Arc::clone(&self.scope),
            keys: self.keys.clone(),
            fresh: keys::Fresh::default(),
            keys_destroyed: None,
            keys_seen: None,
            meets: Vec::new(),
        }
    }

    /// Opens a transaction in the actor's clinic.
    ///
    /// # Errors
    /// When no connection is to be had.
    ///
    /// # Cancel safety
    /// Not cancel safe: call it from a task of its own that a dropped socket cannot cancel.
    pub async fn begin(&self, actor: &Actor) -> StoreResult<Scoped> {
        let begin = format!("begin; set local neonpro.clinic_id = '{}'", actor.clinic());
        let transaction = self
            .pool
            .begin_with(AssertSqlSafe(begin))
            .await
            .map_err(StoreError::during("opening a transaction"))?;
        Ok(self.scoped(transaction, actor))
    }

    /// Opens a read-only transaction that sees one instant of the actor's clinic.
    ///
    /// # Errors
    /// When no connection is to be had.
    ///
    /// # Cancel safety
    /// As [`Store::begin`].
    pub async fn begin_read(&self, actor: &Actor) -> StoreResult<Scoped> {
        let begin = format!(
            "begin isolation level repeatable read read only; set local neonpro.clinic_id = '{}'",
            actor.clinic()
        );
        let transaction = self
            .pool
            .begin_with(AssertSqlSafe(begin))
            .await
            .map_err(StoreError::during("opening a transaction"))?;
        Ok(self.scoped(transaction, actor))
    }

    /// A connection without a clinic: only for the tables that route to one and for reference data.
    pub(crate) async fn unscoped(&self) -> StoreResult<PoolConnection<Postgres>> {
        self.pool.acquire().await.map_err(StoreError::during("taking a connection"))
    }

    /// Listens for wake-ups of the feed and for changed authority.
    ///
    /// # Errors
    /// When no connection is to be had.
    pub async fn listen(&self) -> StoreResult<PgListener> {
        let mut listener =
            PgListener::connect_with(&self.pool).await.map_err(StoreError::during("listening"))?;
        listener
            .listen_all([FEED_CHANNEL, AUTHORITY_CHANNEL])
            .await
            .map_err(StoreError::during("listening"))?;
        Ok(listener)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> StoreResult<()> {
        let mut connection = self.unscoped().await?;
        sqlx_core::query::query("select 1")
            .execute(&mut *connection)
            .await
            .map_err(StoreError::during("asking the database for a sign of life"))?;
        Ok(())
    }

    /// Whether no connection is in use.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        usize::try_from(self.pool.size()).is_ok_and(|size| size == self.pool.num_idle())
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl Scoped {
    /// Who opened it.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The connection, for the files of this module only.
    fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Commits. Only after this may anything be answered.
    ///
    /// # Errors
    /// When the commit did not happen or is not known to have happened.
    pub async fn commit(self) -> StoreResult<()> {
        self.transaction.commit().await.map_err(StoreError::during("committing"))?;
        self.fresh.release(&self.keys, self.keys_destroyed);
        self.meets.iter().for_each(|(clinic, destroyed, seq)| self.keys.meet(*clinic, *destroyed, *seq));
        Ok(())
    }

    /// Rolls back.
    ///
    /// # Errors
    /// When the connection broke; the database rolls back by itself then.
    pub async fn rollback(self) -> StoreResult<()> {
        self.transaction.rollback().await.map_err(StoreError::during("rolling back"))
    }
}
