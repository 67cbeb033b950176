//! One cluster per test run, one database per test.

use neonpro_server::postgres::EmbeddedPostgres;
use sqlx_core::connection::{ConnectOptions, Connection};
use sqlx_core::executor::Executor;
use sqlx_core::migrate::Migrator;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgConnectOptions, PgConnection};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use uuid::Uuid;

const TEMPLATE: &str = "schema_template";

/// Roles belong to the cluster, so they exist before any migration.
const ROLES: &str = "
    create role neonpro_owner nologin;
    create role neonpro_server nologin noinherit nobypassrls;
    create role neonpro_reference nologin;
    grant neonpro_reference to neonpro_server;
";

struct Cluster {
    superuser: PgConnectOptions,
    // Stops with the process that holds it.
    _embedded: Option<EmbeddedPostgres>,
}

/// The cluster of this run: the one `TEST_DATABASE_URL` names (as superuser), or a private one.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        // Tests come with a runtime each; the cluster must outlive them all.
        std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(start())).join().unwrap()
    })
}

async fn start() -> Cluster {
    let cluster = if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
        Cluster { superuser: PgConnectOptions::from_str(&url).unwrap(), _embedded: None }
    } else {
        let embedded = EmbeddedPostgres::start(&own_directory()).await.unwrap();
        let settings = embedded.superuser_options();
        let superuser = PgConnectOptions::new_without_pgpass()
            .socket(&settings.socket_dir)
            .port(settings.port)
            .username(&settings.user)
            .password(&settings.password)
            .database(&settings.database);
        Cluster { superuser, _embedded: Some(embedded) }
    };
    let mut admin = cluster.superuser.connect().await.unwrap();
    let known = "select count(*) from pg_roles where rolname = 'neonpro_owner'";
    if text(&mut admin, known).await == "0" {
        admin.execute(ROLES).await.unwrap();
    }
    admin.execute(AssertSqlSafe(format!("drop database if exists {TEMPLATE}"))).await.unwrap();
    admin.execute(AssertSqlSafe(format!("create database {TEMPLATE} owner neonpro_owner"))).await.unwrap();
    let mut owner = cluster.superuser.clone().database(TEMPLATE).connect().await.unwrap();
    owner.execute("set role neonpro_owner").await.unwrap();
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/postgres");
    Migrator::new(migrations).await.unwrap().run(&mut owner).await.unwrap();
    owner.close().await.unwrap();
    cluster
}

/// A place for the private cluster, named after this process. A static is never dropped, so each run clears away what
/// runs that have ended left behind.
fn own_directory() -> PathBuf {
    const PREFIX: &str = "neonpro-schema-";
    let temporary = std::env::temp_dir();
    for entry in temporary.read_dir().unwrap().flatten() {
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        if Path::new("/proc/self").exists() && !Path::new("/proc").join(process).exists() {
            // Another run may be clearing the same one.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    temporary.join(format!("{PREFIX}{}", std::process::id()))
}

/// A database of its own for one test.
pub struct Database {
    options: PgConnectOptions,
    /// A connection as superuser: row security does not bind it.
    pub admin: PgConnection,
}

impl Database {
    /// A fresh copy of the migrated template.
    pub async fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        static COPYING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let cluster = cluster();
        let name = format!("schema_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        // A template may be copied by one at a time.
        let copying = COPYING.lock().await;
        let mut admin = cluster.superuser.connect().await.unwrap();
        admin.execute(AssertSqlSafe(format!("drop database if exists {name}"))).await.unwrap();
        admin.execute(AssertSqlSafe(format!("create database {name} template {TEMPLATE}"))).await.unwrap();
        drop(copying);
        let options = cluster.superuser.clone().database(&name);
        let admin = options.connect().await.unwrap();
        Self { options, admin }
    }

    /// A connection in this role, without any clinic.
    pub async fn role(&self, role: &str) -> PgConnection {
        let mut conn = self.options.connect().await.unwrap();
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

/// Runs a statement; how many rows it touched.
pub async fn run(conn: &mut PgConnection, sql: &str) -> Result<u64, Refusal> {
    match conn.execute(AssertSqlSafe(sql.to_owned())).await {
        Ok(done) => Ok(done.rows_affected()),
        Err(error) => {
            let database = error.as_database_error().unwrap_or_else(|| panic!("{error}: {sql}"));
            Err(Refusal {
                code: database.code().unwrap().into_owned(),
                constraint: database.constraint().map(str::to_owned),
            })
        }
    }
}

/// Runs a statement that must succeed.
pub async fn must(conn: &mut PgConnection, sql: &str) -> u64 {
    run(conn, sql).await.unwrap_or_else(|refusal| panic!("{refusal:?}: {sql}"))
}

/// The only value of the only row, as text; `null` if there is none.
pub async fn text(conn: &mut PgConnection, sql: &str) -> String {
    let wrapped = format!("select coalesce((({sql})::text), 'null')");
    sqlx_core::query_scalar::query_scalar(AssertSqlSafe(wrapped))
        .fetch_one(conn)
        .await
        .unwrap_or_else(|error| panic!("{error}: {sql}"))
}

/// Every row of a query of one column.
pub async fn list(conn: &mut PgConnection, sql: &str) -> Vec<String> {
    sqlx_core::query_scalar::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_all(conn)
        .await
        .unwrap_or_else(|error| panic!("{error}: {sql}"))
}
