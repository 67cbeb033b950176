//! Opening the database: embedded or given, roles, migrations, and the pool that never runs as anyone powerful.

mod access;
mod pool;
mod roles;

pub use access::{Access, LOGIN, login_password};
pub use pool::is_clean;

use crate::keys::{KeyError, Keyring, MasterSource, apart};
use crate::postgres::{EmbeddedPostgres, PostgresError};
use crate::store::{Store, StoreError};
use sqlx_core::connection::{ConnectOptions, Connection};
use sqlx_core::migrate::{Migration, MigrationType, Migrator};
use sqlx_core::sql_str::{AssertSqlSafe, SqlSafeStr};
use sqlx_postgres::PgConnection;
use std::path::{Path, PathBuf};

/// Name of the product's database in an embedded cluster.
pub const DATABASE_NAME: &str = "neonpro";

/// Where the database is.
#[derive(Debug, Clone)]
pub enum Source {
    /// A cluster of our own in this directory.
    Embedded(PathBuf),
    /// A database somebody else runs.
    Url {
        /// Whose account serves.
        server: String,
        /// Whose account makes roles and migrates, if it is another one.
        migration: Option<String>,
    },
}

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The embedded cluster.
    #[error("the embedded PostgreSQL did not start")]
    Embedded(#[from] PostgresError),
    /// Connecting or preparing.
    #[error("{operation} failed")]
    Prepare {
        /// What was being done.
        operation: &'static str,
        /// The driver's error.
        #[source]
        source: sqlx_core::Error,
    },
    /// The master key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Asking.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Migrating.
    #[error("a migration failed")]
    Migrate(#[from] sqlx_core::migrate::MigrateError),
}

fn during(operation: &'static str) -> impl FnOnce(sqlx_core::Error) -> DatabaseError {
    move |source| DatabaseError::Prepare { operation, source }
}

/// An open database.
#[derive(Debug)]
pub struct Database {
    /// The door to it.
    pub store: Store,
    embedded: Option<EmbeddedPostgres>,
}

impl Database {
    /// Opens, prepares and migrates the database.
    ///
    /// # Errors
    /// What failed, and where.
    ///
    /// # Cancel safety
    /// A cancelled open may leave a cluster running until the process ends.
    pub async fn open(source: &Source, master: &MasterSource) -> Result<Self, DatabaseError> {
        let (access, embedded) = match source {
            Source::Embedded(dir) => open_embedded(dir).await?,
            Source::Url { server, migration } => (Access::urls(server, migration.as_deref())?, None),
        };
        let store = prepare(&access).await?;
        let (master, may_make) = (master.clone(), !store.is_keyed().await?);
        let master = apart(move || master.load(may_make)).await?;
        Ok(Self { store: store.with_keys(Keyring::new(master)), embedded })
    }

    /// A database that is open already and stopped by whoever opened it.
    #[must_use]
    pub fn over(store: Store) -> Self {
        Self { store, embedded: None }
    }

    /// Resolves when the embedded cluster dies by itself; never for a database somebody else runs.
    pub async fn crashed(&mut self) -> PostgresError {
        match &mut self.embedded {
            Some(cluster) => cluster.crashed().await,
            None => std::future::pending().await,
        }
    }

    /// Closes the pool and stops the embedded cluster.
    ///
    /// # Errors
    /// When the cluster does not stop.
    pub async fn close(self) -> Result<(), DatabaseError> {
        self.store.close().await;
        if let Some(cluster) = self.embedded {
            cluster.stop().await?;
        }
        Ok(())
    }
}

/// Starts the cluster, or joins the one a running server keeps in the same directory.
async fn open_embedded(dir: &Path) -> Result<(Access, Option<EmbeddedPostgres>), DatabaseError> {
    match EmbeddedPostgres::start(dir).await {
        Ok(cluster) => Ok((access::ensure_database(cluster.superuser_options()).await?, Some(cluster))),
        Err(error @ PostgresError::InUse { .. }) => match EmbeddedPostgres::running(dir) {
            Some(settings) => Ok((access::ensure_database(&settings).await?, None)),
            None => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// Creates the roles, migrates as the owner, and opens a pool that runs as the restricted role.
///
/// # Errors
/// What failed.
pub async fn prepare(access: &Access) -> Result<Store, DatabaseError> {
    let mut connection = access.owner.clone().connect().await.map_err(during("connecting"))?;
    roles::ensure(&mut connection, access).await?;
    execute(&mut connection, "set role neonpro_owner".to_owned()).await?;
    migrator().run_direct(None, &mut connection, false).await?;
    connection.close().await.map_err(during("closing"))?;
    pool::open(access).await
}

async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), DatabaseError> {
    sqlx_core::raw_sql::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map_err(during("preparing"))?;
    Ok(())
}

/// The migrations, in order. Each file is named here once.
macro_rules! migrations {
    ($($version:literal $name:literal),* $(,)?) => {
        vec![$(Migration::new(
            $version,
            $name.into(),
            MigrationType::Simple,
            include_str!(concat!("../../migrations/postgres/", $name, ".sql")).into_sql_str(),
            false,
        )),*]
    };
}

/// Every migration, in order.
#[must_use]
pub fn migrator() -> Migrator {
    Migrator::with_migrations(migrations![
        1 "0001_reference",
        2 "0002_records",
        3 "0003_security",
        4 "0004_automation",
        5 "0005_sync",
        6 "0006_questions",
        7 "0007_withdrawal",
        8 "0008_shares",
        9 "0009_authority",
        10 "0010_audit_chain",
        11 "0011_set_aside",
        13 "0013_scope",
        14 "0014_keys",
        15 "0015_erasure",
        16 "0016_escrow",
        17 "0017_subjects",
        18 "0018_blobs",
        19 "0019_service_tokens",
    ])
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_migration_in_the_directory_is_run() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/postgres");
        let mut there: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".sql").map(str::to_owned))
            .collect();
        there.sort();
        let run: Vec<String> = super::migrator().iter().map(|step| step.description.to_string()).collect();
        assert_eq!(run, there);
    }
}
