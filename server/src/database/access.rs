//! How the database is reached: over one short-lived connection that prepares it, and as an account with no rights of
//! its own that serves.

use super::{DATABASE_NAME, DatabaseError, during};
use crate::postgres::ConnectionSettings;
use ring::hmac::{HMAC_SHA256, Key, sign};
use sqlx_core::connection::{ConnectOptions, Connection};
use sqlx_postgres::PgConnectOptions;
use std::fmt;

/// Account the server logs in as, in an embedded cluster. It may become `neonpro_server`, and nothing more.
pub const LOGIN: &str = "neonpro_login";

/// Two ways into one database.
#[derive(Clone)]
pub struct Access {
    /// Makes roles and migrates. Its connection is closed before anyone is served.
    pub owner: PgConnectOptions,
    /// What the pool logs in as.
    pub server: PgConnectOptions,
    /// The password the login of an embedded cluster is given; `None` for an account somebody else keeps.
    pub(super) password: Option<String>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("owner", &self.owner.get_username())
            .field("server", &self.server.get_username())
            .finish_non_exhaustive()
    }
}

impl Access {
    /// A database of an embedded cluster.
    #[must_use]
    pub fn embedded(settings: &ConnectionSettings, database: &str) -> Self {
        let base = PgConnectOptions::new_without_pgpass()
            .socket(&settings.socket_dir)
            .port(settings.port)
            .database(database);
        let password = login_password(&settings.password);
        Self {
            owner: base.clone().username(&settings.user).password(&settings.password),
            server: base.username(LOGIN).password(&password),
            password: Some(password),
        }
    }

    /// A database somebody else runs. Without an account of its own for migrations, the server's must be able to.
    ///
    /// # Errors
    /// A URL that does not read.
    pub fn urls(server: &str, owner: Option<&str>) -> Result<Self, DatabaseError> {
        let server: PgConnectOptions = server.parse().map_err(during("reading DATABASE_URL"))?;
        let owner = match owner {
            Some(url) => url.parse().map_err(during("reading MIGRATION_DATABASE_URL"))?,
            None => server.clone(),
        };
        Ok(Self { owner, server, password: None })
    }
}

/// The login's password, of the superuser's: nothing more to keep or to back up, and no way back from one to the other.
#[must_use]
pub fn login_password(superuser: &str) -> String {
    let tag = sign(&Key::new(HMAC_SHA256, superuser.as_bytes()), b"neonpro login v1");
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes the product's database in an embedded cluster, if it is not there.
pub(super) async fn ensure_database(settings: &ConnectionSettings) -> Result<Access, DatabaseError> {
    let maintenance = Access::embedded(settings, &settings.database).owner;
    let mut connection = maintenance.connect().await.map_err(during("connecting"))?;
    let exists: bool =
        sqlx_core::query_scalar::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(DATABASE_NAME)
            .fetch_one(&mut connection)
            .await
            .map_err(during("looking for the database"))?;
    if !exists {
        super::execute(&mut connection, format!("create database {DATABASE_NAME}")).await?;
    }
    connection.close().await.map_err(during("closing"))?;
    Ok(Access::embedded(settings, DATABASE_NAME))
}
