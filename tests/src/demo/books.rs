//! The clinic's books: complete lists read from the server's PostgreSQL while it runs.

use super::Outcome;
use neonpro_contract::digest::Digest;
use neonpro_contract::ids::ClinicId;
use neonpro_contract::permissions::Audience;
use neonpro_server::actor::Actor;
use neonpro_server::database::{DATABASE_NAME, Database, Source};
use neonpro_server::keys::MasterSource;
use neonpro_server::postgres::EmbeddedPostgres;
use neonpro_server::store::Store;
use sqlx_core::connection::ConnectOptions;
use sqlx_core::row::Row;
use sqlx_postgres::{PgConnectOptions, PgConnection};
use std::path::Path;

/// Items read at most.
const ITEMS_MAX: i64 = 1_000;

/// The server's database, seen from beside it.
pub struct Books {
    database: Database,
    owner: PgConnection,
}

impl std::fmt::Debug for Books {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Books")
    }
}

/// Where a clinic's feed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedHead {
    /// Last feed number.
    pub seq: i64,
    /// What a clinical tablet's digest must be.
    pub digest: Digest,
}

impl Books {
    /// Opens the database of a server that runs.
    ///
    /// # Errors
    /// No server runs there.
    pub async fn open(postgres: &Path) -> Outcome<Self> {
        let settings = EmbeddedPostgres::running(postgres).ok_or("no PostgreSQL runs there")?;
        let data = postgres.parent().ok_or("the cluster lies in no directory")?;
        let master = MasterSource::in_directory(data);
        let database = Database::open(&Source::Embedded(postgres.to_owned()), &master).await?;
        // Row security binds the server's role, not this one: nothing stays unseen.
        let owner = PgConnectOptions::new_without_pgpass()
            .socket(&settings.socket_dir)
            .port(settings.port)
            .username(&settings.user)
            .password(&settings.password)
            .database(DATABASE_NAME)
            .connect()
            .await?;
        Ok(Self { database, owner })
    }

    /// The server's door to the database.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.database.store
    }

    /// Open items of a clinic as `kind/code`, sorted.
    ///
    /// # Errors
    /// A database failure.
    pub async fn items(&self, clinic: ClinicId) -> Outcome<Vec<String>> {
        let mut scoped = self.store().begin(&Actor::system(clinic)).await?;
        let items = scoped.list_open_items(ITEMS_MAX).await?;
        scoped.rollback().await?;
        let mut names: Vec<String> =
            items.into_iter().map(|item| format!("{}/{}", item.kind, item.code)).collect();
        names.sort();
        Ok(names)
    }

    /// Every edit a clinic's tablets ever pushed, as `tablet: fate` or `tablet: fate/code`, sorted.
    ///
    /// # Errors
    /// A database failure.
    pub async fn fates(&mut self, clinic: ClinicId) -> Outcome<Vec<String>> {
        let sql = "select d.name || ': ' || e.fate || coalesce('/' || e.code, '') from sync.edits e \
             join sync.devices d on d.id = e.device_id where e.clinic_id = $1 order by 1";
        let rows = sqlx_core::query::query(sql).bind(clinic.0).fetch_all(&mut self.owner).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    /// Where a clinic's feed stands.
    ///
    /// # Errors
    /// A database failure.
    pub async fn head(&self, clinic: ClinicId) -> Outcome<FeedHead> {
        let mut scoped = self.store().begin(&Actor::system(clinic)).await?;
        let head = scoped.find_head().await?;
        scoped.rollback().await?;
        Ok(FeedHead { seq: head.seq, digest: head.digest(Audience::Clinical) })
    }

    /// Closes the connections; the server goes on.
    ///
    /// # Errors
    /// A connection that does not close.
    pub async fn close(self) -> Outcome<()> {
        use sqlx_core::connection::Connection;
        self.owner.close().await?;
        Ok(self.database.close().await?)
    }
}
