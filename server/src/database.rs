//! Opening the database: embedded or given, roles, migrations, and the pool that never runs as anyone powerful.

use crate::postgres::{ConnectionSettings, EmbeddedPostgres, PostgresError};
use crate::store::Store;
use sqlx_core::connection::{ConnectOptions, Connection};
use sqlx_core::migrate::{Migration, MigrationType, Migrator};
use sqlx_core::pool::PoolOptions;
use sqlx_core::sql_str::{AssertSqlSafe, SqlSafeStr};
use sqlx_postgres::{PgConnectOptions, PgConnection, Postgres};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Connections of one server process. The merge of a clinic uses one, a session's page another.
const CONNECTIONS_MAX: u32 = 24;
/// How long a task waits for a connection before it reports the pool exhausted.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(10);
/// Name of the product's database in an embedded cluster.
pub const DATABASE_NAME: &str = "neonpro";

/// Where the database is.
#[derive(Debug, Clone)]
pub enum Source {
    /// A cluster of our own in this directory.
    Embedded(PathBuf),
    /// A database somebody else runs.
    Url(String),
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
    pub async fn open(source: &Source) -> Result<Self, DatabaseError> {
        let (options, embedded) = match source {
            Source::Embedded(dir) => open_embedded(dir).await?,
            Source::Url(url) => (url.parse().map_err(during("reading DATABASE_URL"))?, None),
        };
        let store = prepare(&options).await?;
        Ok(Self { store, embedded })
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
async fn open_embedded(dir: &Path) -> Result<(PgConnectOptions, Option<EmbeddedPostgres>), DatabaseError> {
    match EmbeddedPostgres::start(dir).await {
        Ok(cluster) => Ok((ensure_database(cluster.superuser_options()).await?, Some(cluster))),
        Err(error @ PostgresError::InUse { .. }) => match EmbeddedPostgres::running(dir) {
            Some(settings) => Ok((ensure_database(&settings).await?, None)),
            None => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

async fn ensure_database(settings: &ConnectionSettings) -> Result<PgConnectOptions, DatabaseError> {
    let base = PgConnectOptions::new_without_pgpass()
        .socket(&settings.socket_dir)
        .port(settings.port)
        .username(&settings.user)
        .password(&settings.password);
    let mut connection =
        base.clone().database(&settings.database).connect().await.map_err(during("connecting"))?;
    let exists: bool =
        sqlx_core::query_scalar::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(DATABASE_NAME)
            .fetch_one(&mut connection)
            .await
            .map_err(during("looking for the database"))?;
    if !exists {
        execute(&mut connection, format!("create database {DATABASE_NAME}")).await?;
    }
    connection.close().await.map_err(during("closing"))?;
    Ok(base.database(DATABASE_NAME))
}

/// Creates the roles, migrates as the owner, and opens a pool that runs as the restricted role.
///
/// # Errors
/// What failed.
pub async fn prepare(options: &PgConnectOptions) -> Result<Store, DatabaseError> {
    let mut connection = options.clone().connect().await.map_err(during("connecting"))?;
    execute(&mut connection, ROLES.to_owned()).await?;
    execute(&mut connection, "set role neonpro_owner".to_owned()).await?;
    migrator().run_direct(None, &mut connection, false).await?;
    connection.close().await.map_err(during("closing"))?;
    let pool = PoolOptions::<Postgres>::new()
        .max_connections(CONNECTIONS_MAX)
        .min_connections(2)
        .acquire_timeout(ACQUIRE_LIMIT)
        // A connection that comes back inside a transaction would take the next writer's work with it.
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        .connect_with(
            options.clone().options([("role", "neonpro_server")]).application_name("neonpro-server"),
        )
        .await
        .map_err(during("opening the pool"))?;
    Ok(Store::new(pool))
}

/// Roles belong to the cluster. Whoever connects must be able to become each of them.
const ROLES: &str = "
do $$
declare
    role text;
    privilege text;
begin
    -- Two servers may start on one cluster at once.
    perform pg_advisory_xact_lock(hashtext('neonpro roles'));
    foreach role in array array['neonpro_owner', 'neonpro_server', 'neonpro_reference'] loop
        if not exists (select from pg_roles where rolname = role) then
            execute format('create role %I nologin noinherit nobypassrls', role);
        end if;
        -- From PostgreSQL 16 on, membership alone does not allow SET ROLE.
        privilege := case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end;
        if not pg_has_role(current_user, role, privilege) then
            execute format('grant %I to current_user', role);
        end if;
    end loop;
    if not pg_has_role('neonpro_server', 'neonpro_reference', 'member') then
        grant neonpro_reference to neonpro_server;
    end if;
    execute format('grant create on database %I to neonpro_owner', current_database());
    grant usage, create on schema public to neonpro_owner;
end
$$";

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

fn migrator() -> Migrator {
    Migrator::with_migrations(migrations![
        1 "0001_reference",
        2 "0002_records",
        3 "0003_security",
        4 "0004_automation",
        5 "0005_sync",
        6 "0006_questions",
        7 "0007_withdrawal",
        9 "0009_authority",
        10 "0010_audit_chain",
        13 "0013_scope",
    ])
}
