//! A database reached by SQL alone: for tests of the schema, from above row security and from below it.

use crate::cluster::TestDatabase;
use sqlx_core::connection::ConnectOptions;
use sqlx_core::executor::Executor;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::PgConnection;
use uuid::Uuid;

/// SQLSTATE of a missing right, and of a row that row security does not let in.
pub const DENIED: &str = "42501";

/// A database of its own for one test: migrated, with the registries and without any clinic.
pub struct Database {
    database: TestDatabase,
    /// A connection as superuser: row security does not bind it.
    pub admin: PgConnection,
}

impl Database {
    pub async fn create() -> Self {
        let database = TestDatabase::empty().await;
        let admin = database.admin().await;
        Self { database, admin }
    }

    /// A connection in this role, without any clinic.
    pub async fn role(&self, role: &str) -> PgConnection {
        let mut conn = self.database.options.connect().await.unwrap();
        conn.execute(AssertSqlSafe(format!("set role {role}"))).await.unwrap();
        conn
    }

    /// A connection as the server, acting for this clinic.
    pub async fn server(&self, clinic: Uuid) -> PgConnection {
        let mut conn = self.role("neonpro_server").await;
        enter(&mut conn, &clinic.to_string()).await;
        conn
    }
}

/// Sets the clinic of a connection.
pub async fn enter(conn: &mut PgConnection, clinic: &str) {
    run(conn, &format!("select set_config('neonpro.clinic_id', '{clinic}', false)")).await.unwrap();
}

/// What a refused statement said: its SQLSTATE and the constraint it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: String,
    pub constraint: Option<String>,
}

impl Refusal {
    /// Reads a driver's error; anything but the database's own refusal stops the test.
    #[must_use]
    pub fn of(error: &sqlx_core::Error, sql: &str) -> Self {
        let database = error.as_database_error().unwrap_or_else(|| panic!("{error}: {sql}"));
        Self {
            code: database.code().unwrap().into_owned(),
            constraint: database.constraint().map(str::to_owned),
        }
    }
}

/// Runs a statement; how many rows it touched.
///
/// # Errors
/// What the database refused it with.
pub async fn run(conn: &mut PgConnection, sql: &str) -> Result<u64, Refusal> {
    match conn.execute(AssertSqlSafe(sql.to_owned())).await {
        Ok(done) => Ok(done.rows_affected()),
        Err(error) => Err(Refusal::of(&error, sql)),
    }
}

/// The SQLSTATE of a refusal.
pub fn code<T>(result: Result<T, Refusal>) -> Option<String> {
    result.err().map(|refusal| refusal.code)
}

/// Runs a statement that must succeed.
pub async fn must(conn: &mut PgConnection, sql: &str) -> u64 {
    run(conn, sql).await.unwrap_or_else(|refusal| panic!("{refusal:?}: {sql}"))
}

/// The only value of the only row, as text; `null` if there is none.
pub async fn text(conn: &mut PgConnection, sql: &str) -> String {
    let wrapped = format!("select coalesce((({sql})::text), 'null')");
    sqlx_core::query_scalar::query_scalar(AssertSqlSafe(wrapped))
        .persistent(false)
        .fetch_one(conn)
        .await
        .unwrap_or_else(|error| panic!("{error}: {sql}"))
}

/// Every row of a query of one column.
pub async fn list(conn: &mut PgConnection, sql: &str) -> Vec<String> {
    sqlx_core::query_scalar::query_scalar(AssertSqlSafe(sql.to_owned()))
        .persistent(false)
        .fetch_all(conn)
        .await
        .unwrap_or_else(|error| panic!("{error}: {sql}"))
}
