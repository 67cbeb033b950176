//! One PostgreSQL cluster per test process, one database per test, copied from a migrated template: with demo data, or
//! empty.

use crate::statements::Statements;
use base64::Engine as _;
use neonpro_contract::time::ServerInstant;
use neonpro_server::clock;
use neonpro_server::database::{Access, LOGIN, login_password, prepare};
use neonpro_server::demo::{self, DemoNetwork, DemoSize};
use neonpro_server::keys::aead::Key;
use neonpro_server::keys::{Keyring, Master};
use neonpro_server::postgres::EmbeddedPostgres;
use neonpro_server::store::Store;
use sqlx_core::connection::{ConnectOptions, Connection};
use sqlx_core::executor::Executor;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgConnectOptions, PgConnection};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

const TEMPLATE: &str = "world_template";
const EMPTY: &str = "empty_template";
const MASTER_KEY: [u8; 32] = [0x4e; 32];
const PREFIX: &str = "neonpro-world-";

struct Cluster {
    superuser: PgConnectOptions,
    network: DemoNetwork,
    embedded: EmbeddedPostgres,
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        // Every test has a runtime of its own; the cluster must outlive them all.
        std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(start())).join().unwrap()
    })
}

async fn start() -> Cluster {
    let embedded = EmbeddedPostgres::start(&own_directory()).await.unwrap();
    let settings = embedded.superuser_options();
    let superuser = Access::embedded(settings, &settings.database).owner;
    let mut admin = superuser.connect().await.unwrap();
    admin.execute(AssertSqlSafe(format!("create database {EMPTY}"))).await.unwrap();
    admin.close().await.unwrap();
    prepare(&Access::embedded(settings, EMPTY)).await.unwrap().close().await;
    let size = DemoSize { patients: 60, days_before: 6, days_after: 6 };
    let network = make_template(&embedded, TEMPLATE, 7, clock::now(), size, None).await;
    Cluster { superuser, network, embedded }
}

/// A migrated database with made-up clinics as they stood at an instant.
async fn make_template(
    embedded: &EmbeddedPostgres,
    name: &str,
    seed: u64,
    now: ServerInstant,
    size: DemoSize,
    dress: Option<&str>,
) -> DemoNetwork {
    let settings = embedded.superuser_options();
    let mut admin = Access::embedded(settings, &settings.database).owner.connect().await.unwrap();
    admin.execute(AssertSqlSafe(format!("create database {name} template {EMPTY}"))).await.unwrap();
    admin.close().await.unwrap();
    if let Some(dress) = dress {
        let mut admin = Access::embedded(settings, name).owner.connect().await.unwrap();
        admin.execute(AssertSqlSafe(dress.to_owned())).await.unwrap();
        admin.close().await.unwrap();
    }
    let store = open(&Access::embedded(settings, name)).await;
    let network = demo::network(seed, now, size).unwrap();
    demo::load(&store, &network, now).await.unwrap();
    store.close().await;
    network
}

/// A template beside the common one, for a world whose time is its own. Made by whoever asks first, once per name.
/// `dress` is run by a superuser before anything is written to it.
pub async fn template(name: &str, seed: u64, now: ServerInstant, size: DemoSize, dress: &str) -> DemoNetwork {
    let cluster = tokio::task::spawn_blocking(cluster).await.unwrap();
    make_template(&cluster.embedded, name, seed, now, size, Some(dress)).await
}

/// Turns off what PostgreSQL does by itself when it finds the time: what a query's plan is then depends on nothing but
/// what was asked before.
pub async fn without_background_work() {
    let cluster = tokio::task::spawn_blocking(cluster).await.unwrap();
    let mut admin = cluster.superuser.connect().await.unwrap();
    admin.execute("alter system set autovacuum = off").await.unwrap();
    admin.execute("select pg_reload_conf()").await.unwrap();
    admin.close().await.unwrap();
}

/// Puts the cluster of this process into another directory than the system's temporary one, if none was started yet.
pub fn place(directory: &Path) {
    // Set already: then the cluster may have been started there.
    let _ = PLACE.set(directory.to_owned());
}

static PLACE: OnceLock<PathBuf> = OnceLock::new();

/// A place for the cluster, named after this process. A static is never dropped, so each run clears away what runs
/// that ended left behind.
fn own_directory() -> PathBuf {
    let temporary = PLACE.get().cloned().unwrap_or_else(std::env::temp_dir);
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

/// A database of its own.
pub struct TestDatabase {
    name: String,
    /// How a superuser reaches it.
    pub options: PgConnectOptions,
    /// How the server's account reaches it.
    pub login: PgConnectOptions,
    /// The server's door to it.
    pub store: Store,
}

impl TestDatabase {
    /// Three clinics with people, patients, agenda, stock.
    pub async fn create() -> Self {
        Self::copy_of(TEMPLATE, &[]).await
    }

    /// Migrated, and nothing in it but the registries the migrations bring.
    pub async fn empty() -> Self {
        Self::copy_of(EMPTY, &[]).await
    }

    /// A database before its first migration, owned by the owner's role.
    pub async fn unmigrated() -> Self {
        let quiet = Self::empty().await;
        quiet.store.close().await;
        let mut admin = cluster().superuser.connect().await.unwrap();
        let recreate = format!("create database {}_new owner neonpro_owner", quiet.name);
        admin.execute(AssertSqlSafe(recreate)).await.unwrap();
        admin.close().await.unwrap();
        let name = format!("{}_new", quiet.name);
        let access = Access::embedded(cluster().embedded.superuser_options(), &name);
        let mut admin = access.owner.connect().await.unwrap();
        admin.execute("grant usage, create on schema public to neonpro_owner").await.unwrap();
        Self { name, options: access.owner, login: access.server, ..quiet }
    }

    /// As [`TestDatabase::create`], with a listener between the server's pool and PostgreSQL.
    pub async fn heard() -> (Self, Statements) {
        let quiet = Self::create().await;
        quiet.store.close().await;
        let statements = Statements::before(cluster().embedded.superuser_options());
        let store = open(&Access::embedded(statements.settings(), &quiet.name)).await;
        (Self { store, ..quiet }, statements)
    }

    /// A copy of a template, reached by the server with settings of its own.
    pub async fn copy_of(template: &str, settings: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        static COPYING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let cluster = tokio::task::spawn_blocking(cluster).await.unwrap();
        let name = format!("world_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        // A template is copied by one at a time.
        let copying = COPYING.lock().await;
        let mut admin = cluster.superuser.connect().await.unwrap();
        admin.execute(AssertSqlSafe(format!("create database {name} template {template}"))).await.unwrap();
        admin.close().await.unwrap();
        drop(copying);
        let mut access = Access::embedded(cluster.embedded.superuser_options(), &name);
        access.server = access.server.options(settings.iter().copied());
        let store = open(&access).await;
        Self { name, options: access.owner, login: access.server, store }
    }

    /// Puts every row of the clinic's tables aside, as a backup would.
    pub async fn backup(&self) -> String {
        let name = format!("{}_backup", self.name);
        self.copy(&self.name, &name).await;
        name
    }

    /// Brings the tables back to a backup: what was written since is gone.
    pub async fn restore(&self, backup: &str) {
        let broken = format!("{}_broken", self.name);
        let mut admin = cluster().superuser.connect().await.unwrap();
        admin.execute(AssertSqlSafe(format!("drop database if exists {broken}"))).await.unwrap();
        self.disconnect(&mut admin, &self.name).await;
        admin
            .execute(AssertSqlSafe(format!("alter database {} rename to {broken}", self.name)))
            .await
            .unwrap();
        admin
            .execute(AssertSqlSafe(format!("alter database {backup} rename to {}", self.name)))
            .await
            .unwrap();
        admin
            .execute(AssertSqlSafe(format!("alter database {} allow_connections true", self.name)))
            .await
            .unwrap();
    }

    async fn copy(&self, from: &str, to: &str) {
        let mut admin = cluster().superuser.connect().await.unwrap();
        self.disconnect(&mut admin, from).await;
        admin.execute(AssertSqlSafe(format!("create database {to} template {from}"))).await.unwrap();
        admin.execute(AssertSqlSafe(format!("alter database {from} allow_connections true"))).await.unwrap();
    }

    /// Ends every connection to a database and lets no new one in: the pool reconnects later.
    async fn disconnect(&self, admin: &mut PgConnection, name: &str) {
        admin.execute(AssertSqlSafe(format!("alter database {name} allow_connections false"))).await.unwrap();
        let end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
        sqlx_core::query::query(end).bind(name.to_owned()).execute(&mut *admin).await.unwrap();
        let left = "select count(*) from pg_stat_activity where datname = $1";
        loop {
            let count: i64 = sqlx_core::query_scalar::query_scalar(left)
                .bind(name.to_owned())
                .fetch_one(&mut *admin)
                .await
                .unwrap();
            if count == 0 {
                return;
            }
        }
    }

    /// Forgets a backup that is not needed any more.
    pub async fn forget(&self, backup: &str) {
        let mut admin = cluster().superuser.connect().await.unwrap();
        admin.execute(AssertSqlSafe(format!("drop database if exists {backup}"))).await.unwrap();
        admin.close().await.unwrap();
    }

    /// Closes the pool and removes the database, for programs that make many.
    pub async fn remove(self) {
        self.store.close().await;
        let mut admin = cluster().superuser.connect().await.unwrap();
        for suffix in ["", "_backup", "_broken"] {
            let sql = format!("drop database if exists {}{suffix} with (force)", self.name);
            admin.execute(AssertSqlSafe(sql)).await.unwrap();
        }
        admin.close().await.unwrap();
    }

    /// Opens it once more, as another node does.
    pub async fn open_again(&self) -> Store {
        let access = Access::embedded(cluster().embedded.superuser_options(), &self.name);
        open(&access).await
    }

    /// How another process reaches it: to serve, and to migrate.
    #[must_use]
    pub fn urls(&self) -> [(&'static str, String); 3] {
        let settings = cluster().embedded.superuser_options();
        let login = login_password(&settings.password);
        let url = |user: &str, password: &str| {
            format!(
                "postgres://{user}:{password}@localhost:{}/{}?host={}",
                settings.port,
                self.name,
                settings.socket_dir.display()
            )
        };
        [
            ("DATABASE_URL", url(LOGIN, &login)),
            ("MIGRATION_DATABASE_URL", url(&settings.user, &settings.password)),
            ("NEONPRO_MASTER_KEY", master_key_file().display().to_string()),
        ]
    }

    /// A connection row security does not bind.
    pub async fn admin(&self) -> PgConnection {
        self.options.connect().await.unwrap()
    }
}

/// The door to a database, with the keys of every test: a template's rows are sealed once for all of its copies.
async fn open(access: &Access) -> Store {
    prepare(access).await.unwrap().with_keys(keyring())
}

/// A ring of keys that opens what any test's database holds.
#[must_use]
pub fn keyring() -> Keyring {
    Keyring::new(Master::of(Key::from_bytes(&MASTER_KEY).unwrap()))
}

/// The same master key in a file, for programs.
fn master_key_file() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let path = own_directory().join("master-key");
        let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(MASTER_KEY);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    })
}

/// Every file of the cluster as it lies on the disk: heaps, indexes, the write-ahead log, logs, what is left of rows that
/// are gone.
#[must_use]
pub fn postgres_files() -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut dirs = vec![cluster().embedded.cluster_dir(), cluster().embedded.log_dir()];
    while let Some(dir) = dirs.pop() {
        for entry in dir.read_dir().unwrap().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => dirs.push(path),
                // Other tests' databases come and go meanwhile.
                Ok(kind) if kind.is_file() => {
                    found.extend(std::fs::read(&path).ok().map(|bytes| (path, bytes)))
                }
                _ => {}
            }
        }
    }
    found
}

/// What PostgreSQL logged so far.
#[must_use]
pub fn postgres_log() -> Vec<u8> {
    let files = cluster().embedded.log_dir().read_dir().unwrap();
    files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

/// What the template holds.
#[must_use]
pub fn network() -> &'static DemoNetwork {
    &cluster().network
}
