//! One cluster per test run, one migrated database per test, seen through the server's own door and from above it.

use neonpro_server::database::prepare;
use neonpro_server::postgres::EmbeddedPostgres;
use neonpro_server::store::Store;
use sqlx_core::connection::ConnectOptions;
use sqlx_core::executor::Executor;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgConnectOptions, PgConnection};
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

struct Cluster {
    superuser: PgConnectOptions,
    // Stops with the process that holds it.
    _embedded: Option<(EmbeddedPostgres, tempfile::TempDir)>,
}

/// The cluster of this run: the one `TEST_DATABASE_URL` names (as superuser), or a private one.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        // Tests come with a runtime each; the cluster must outlive them all.
        std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(start())).join().unwrap()
    })
}

fn template() -> String {
    format!("load_{}_template", std::process::id())
}

async fn start() -> Cluster {
    let cluster = if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
        Cluster { superuser: PgConnectOptions::from_str(&url).unwrap(), _embedded: None }
    } else {
        let dir = tempfile::tempdir().unwrap();
        let embedded = EmbeddedPostgres::start(&dir.path().join("postgres")).await.unwrap();
        let settings = embedded.superuser_options();
        let superuser = PgConnectOptions::new_without_pgpass()
            .socket(&settings.socket_dir)
            .port(settings.port)
            .username(&settings.user)
            .password(&settings.password)
            .database(&settings.database);
        Cluster { superuser, _embedded: Some((embedded, dir)) }
    };
    let mut admin = cluster.superuser.connect().await.unwrap();
    admin.execute(AssertSqlSafe(format!("create database {}", template()))).await.unwrap();
    prepare(&cluster.superuser.clone().database(&template())).await.unwrap().close().await;
    cluster
}

/// A database of its own for one test.
pub struct Database {
    /// The server's door.
    pub store: Store,
    /// A connection as superuser: row security does not bind it.
    pub admin: PgConnection,
}

impl Database {
    /// A fresh copy of the migrated template.
    pub async fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        static COPYING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let cluster = cluster();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("load_{}_{number}", std::process::id());
        // A template may be copied by one at a time.
        let copying = COPYING.lock().await;
        let mut admin = cluster.superuser.connect().await.unwrap();
        let create = format!("create database {name} template {}", template());
        admin.execute(AssertSqlSafe(create)).await.unwrap();
        drop(copying);
        let options = cluster.superuser.clone().database(&name);
        let store = prepare(&options).await.unwrap();
        Self { store, admin: options.connect().await.unwrap() }
    }

    /// The only value of the only row, as text; `null` if there is none.
    pub async fn text(&mut self, sql: &str) -> String {
        let wrapped = format!("select coalesce((({sql})::text), 'null')");
        sqlx_core::query_scalar::query_scalar(AssertSqlSafe(wrapped))
            .fetch_one(&mut self.admin)
            .await
            .unwrap_or_else(|error| panic!("{error}: {sql}"))
    }

    /// A count.
    pub async fn count(&mut self, what: &str) -> u64 {
        self.text(&format!("select count(*) from {what}")).await.parse().unwrap()
    }
}
