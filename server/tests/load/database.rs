//! One cluster per test run, one migrated database per test, seen through the server's own door and from above it.

use neonpro_server::database::{Access, prepare};
use neonpro_server::keys::aead::Key;
use neonpro_server::keys::{Keyring, Master};
use neonpro_server::postgres::EmbeddedPostgres;
use neonpro_server::store::Store;
use sqlx_core::connection::ConnectOptions;
use sqlx_core::executor::Executor;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::PgConnection;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

struct Cluster {
    // Stops with the process that holds it.
    embedded: EmbeddedPostgres,
    _dir: tempfile::TempDir,
}

impl Cluster {
    fn access(&self, database: &str) -> Access {
        Access::embedded(self.embedded.superuser_options(), database)
    }
}

/// The private cluster of this run.
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
    let dir = tempfile::tempdir().unwrap();
    let embedded = EmbeddedPostgres::start(&dir.path().join("postgres")).await.unwrap();
    let cluster = Cluster { embedded, _dir: dir };
    let mut admin = cluster.access("postgres").owner.connect().await.unwrap();
    admin.execute(AssertSqlSafe(format!("create database {}", template()))).await.unwrap();
    prepare(&cluster.access(&template())).await.unwrap().close().await;
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
        let mut admin = cluster.access("postgres").owner.connect().await.unwrap();
        let create = format!("create database {name} template {}", template());
        admin.execute(AssertSqlSafe(create)).await.unwrap();
        drop(copying);
        let access = cluster.access(&name);
        let keys = Keyring::new(Master::of(Key::from_bytes(&[7; 32]).unwrap()));
        let store = prepare(&access).await.unwrap().with_keys(keys);
        Self { store, admin: access.owner.connect().await.unwrap() }
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
