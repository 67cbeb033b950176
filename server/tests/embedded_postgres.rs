//! The embedded cluster on a real PostgreSQL: what survives, what is refused, and that nothing is left running.

#![expect(clippy::unwrap_used, reason = "a test helper fails its test")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use neonpro_server::postgres::{ConnectionSettings, EmbeddedPostgres, PostgresError};
use sqlx_core::connection::Connection as _;
use sqlx_core::query::query;
use sqlx_core::query_scalar::query_scalar;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgConnectOptions, PgConnection};

/// Longest wait for a state a test waits for.
const LIMIT: Duration = Duration::from_secs(60);

/// Names the data directory for the process that plays a server to be killed.
const HELD_DATA_DIR: &str = "NEONPRO_TEST_HELD_DATA_DIR";

fn options(settings: &ConnectionSettings) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(&settings.socket_dir)
        .port(settings.port)
        .username(&settings.user)
        .password(&settings.password)
        .database(&settings.database)
}

async fn connect(postgres: &EmbeddedPostgres) -> PgConnection {
    PgConnection::connect_with(&options(postgres.superuser_options())).await.unwrap()
}

async fn show(connection: &mut PgConnection, setting: &str) -> String {
    query_scalar("select current_setting($1)").bind(setting).fetch_one(connection).await.unwrap()
}

async fn run(connection: &mut PgConnection, sql: &str) {
    query(AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
}

fn postmaster_pid(cluster: &Path) -> u32 {
    let text = fs::read_to_string(cluster.join("postmaster.pid")).unwrap();
    text.lines().next().unwrap().parse().unwrap()
}

fn kill(signal: &str, pid: u32) -> bool {
    let kill = Command::new("kill").args(["-s", signal, &pid.to_string()]).stderr(Stdio::null()).status();
    kill.unwrap().success()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let wait = async {
        while !holds() {
            ticks.tick().await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, wait).await.is_ok(), "not within the limit: {what}");
}

fn is_root() -> bool {
    tempfile::tempfile().unwrap().metadata().unwrap().uid() == 0
}

#[tokio::test]
async fn cluster_lets_in_who_has_the_password_and_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = EmbeddedPostgres::start(dir.path()).await.unwrap();
    let settings = postgres.superuser_options();

    let mut connection = connect(&postgres).await;
    let one: i32 = query_scalar("select 1").fetch_one(&mut connection).await.unwrap();
    assert_eq!(one, 1);
    connection.close().await.unwrap();

    let wrong = options(settings).password("wrong");
    assert!(PgConnection::connect_with(&wrong).await.is_err());
    let none = PgConnectOptions::new_without_pgpass()
        .socket(&settings.socket_dir)
        .port(settings.port)
        .username(&settings.user)
        .database(&settings.database);
    assert!(PgConnection::connect_with(&none).await.is_err());
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn cluster_is_durable_private_and_speaks_utf8_and_utc() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = EmbeddedPostgres::start(dir.path()).await.unwrap();
    let mut connection = connect(&postgres).await;
    for (setting, value) in [
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("wal_level", "replica"),
        ("listen_addresses", ""),
        ("TimeZone", "UTC"),
        ("server_encoding", "UTF8"),
        ("log_statement", "none"),
        ("log_parameter_max_length", "0"),
        ("log_parameter_max_length_on_error", "0"),
        ("log_min_error_statement", "panic"),
    ] {
        assert_eq!(show(&mut connection, setting).await, value, "{setting}");
    }
    let lower: String = query_scalar("select lower('ÂNGELA ÇÃO')").fetch_one(&mut connection).await.unwrap();
    assert_eq!(lower, "ângela ção");

    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(dir.path().join("superuser-password")), 0o600);
    assert_eq!(mode(postgres.superuser_options().socket_dir.clone()), 0o700);
    assert_eq!(mode(postgres.cluster_dir()), 0o700);
    assert!(!format!("{postgres:?}").contains(&postgres.superuser_options().password));
}

#[tokio::test]
async fn restart_keeps_what_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = EmbeddedPostgres::start(dir.path()).await.unwrap();
    let mut connection = connect(&postgres).await;
    run(&mut connection, "create table kept as select 7 as n").await;
    drop(connection);
    let password = postgres.superuser_options().password.clone();
    postgres.stop().await.unwrap();

    let postgres = EmbeddedPostgres::start(dir.path()).await.unwrap();
    assert_eq!(postgres.superuser_options().password, password);
    let n: i32 = query_scalar("select n from kept").fetch_one(&mut connect(&postgres).await).await.unwrap();
    assert_eq!(n, 7);
}

#[tokio::test]
async fn killed_postmaster_is_reported_and_the_next_start_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let mut postgres = EmbeddedPostgres::start(dir.path()).await.unwrap();
    let mut connection = connect(&postgres).await;
    run(&mut connection, "create table kept as select 7 as n").await;

    assert!(kill("KILL", postmaster_pid(&postgres.cluster_dir())));
    let reported = tokio::time::timeout(LIMIT, postgres.crashed()).await.unwrap();
    assert!(matches!(reported, PostgresError::Exited { .. }), "{reported}");
    assert!(matches!(postgres.stop().await, Err(PostgresError::Exited { .. })));

    let postgres = EmbeddedPostgres::start(dir.path()).await.unwrap();
    let n: i32 = query_scalar("select n from kept").fetch_one(&mut connect(&postgres).await).await.unwrap();
    assert_eq!(n, 7);
    postgres.stop().await.unwrap();
}

/// Not a test on its own: the process that the tests below start and kill.
#[tokio::test]
async fn plays_a_server_that_holds_a_cluster_when_asked_to() {
    let Some(data_dir) = std::env::var_os(HELD_DATA_DIR) else { return };
    let _postgres = EmbeddedPostgres::start(Path::new(&data_dir)).await.unwrap();
    println!("\ncluster is up");
    std::future::pending::<()>().await;
}

/// Starts this test binary as a server that holds `data_dir`, and kills it once the cluster is up.
fn kill_a_server_that_holds(data_dir: &Path) {
    let mut server = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "plays_a_server_that_holds_a_cluster_when_asked_to", "--nocapture"])
        .env(HELD_DATA_DIR, data_dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "cluster is up"));
    server.kill().unwrap();
    server.wait().unwrap();
}

#[tokio::test]
async fn postmaster_ends_when_its_server_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    kill_a_server_that_holds(dir.path());
    let file = dir.path().join("cluster/postmaster.pid");
    until("the postmaster removes its file", || !file.exists()).await;
}

#[tokio::test]
async fn next_start_does_not_wait_for_a_killed_server() {
    let dir = tempfile::tempdir().unwrap();
    kill_a_server_that_holds(dir.path());
    let postgres = EmbeddedPostgres::start(dir.path()).await.unwrap();
    connect(&postgres).await.close().await.unwrap();
    postgres.stop().await.unwrap();
}

/// Starts a cluster and kills its supervisor, so that nobody tells the postmaster to stop. Returns the postmaster.
async fn orphan_a_postmaster(dir: &Path) -> u32 {
    let mut postgres = EmbeddedPostgres::start(dir).await.unwrap();
    let pid = postmaster_pid(&postgres.cluster_dir());
    let ps = Command::new("ps").args(["-o", "ppid=", "-p", &pid.to_string()]).output().unwrap();
    let supervisor: u32 = String::from_utf8(ps.stdout).unwrap().trim().parse().unwrap();
    assert!(kill("KILL", supervisor));
    tokio::time::timeout(LIMIT, postgres.crashed()).await.unwrap();
    // The lifeline stays open, as if another process had inherited it. The forgotten value also keeps the lock: a new
    // file stands for the lock of a process that is gone.
    std::mem::forget(postgres);
    fs::remove_file(dir.join("neonpro-postgres.lock")).unwrap();
    fs::write(dir.join("neonpro-postgres.lock"), "").unwrap();
    pid
}

#[tokio::test]
async fn orphaned_postmaster_is_stopped_by_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let orphan = orphan_a_postmaster(dir.path()).await;
    let postgres = EmbeddedPostgres::start(dir.path()).await.unwrap();
    assert_ne!(postmaster_pid(&postgres.cluster_dir()), orphan);
    connect(&postgres).await.close().await.unwrap();
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn orphaned_postmaster_that_was_killed_is_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    let orphan = orphan_a_postmaster(dir.path()).await;
    assert!(kill("KILL", orphan));
    let postgres = EmbeddedPostgres::start(dir.path()).await.unwrap();
    connect(&postgres).await.close().await.unwrap();
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn file_of_a_postmaster_whose_number_a_stranger_has_is_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = EmbeddedPostgres::start(dir.path()).await.unwrap();
    let cluster = postgres.cluster_dir();
    let text = fs::read_to_string(cluster.join("postmaster.pid")).unwrap();
    let pid = postmaster_pid(&cluster).to_string();
    postgres.stop().await.unwrap();

    let owner = fs::metadata(&cluster).unwrap().uid();
    let mut cat = Command::new("cat");
    if is_root() {
        cat.uid(owner);
    }
    let mut stranger = cat.stdin(Stdio::piped()).spawn().unwrap();
    fs::write(cluster.join("postmaster.pid"), text.replacen(&pid, &stranger.id().to_string(), 1)).unwrap();

    let postgres = EmbeddedPostgres::start(dir.path()).await.unwrap();
    assert_ne!(postmaster_pid(&cluster), stranger.id());
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger was left alone");
    postgres.stop().await.unwrap();
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn second_server_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = EmbeddedPostgres::start(dir.path()).await.unwrap();
    let refused = EmbeddedPostgres::start(dir.path()).await.unwrap_err();
    assert!(matches!(refused, PostgresError::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains("in use by another NeonPro server"));
    connect(&postgres).await.close().await.unwrap();
}

#[tokio::test]
async fn drop_stops_the_server_even_with_a_client_connected() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = EmbeddedPostgres::start(dir.path()).await.unwrap();
    let pid = postmaster_pid(&postgres.cluster_dir());
    let _client = connect(&postgres).await;
    drop(postgres);
    assert!(!kill("0", pid));
}

#[tokio::test]
async fn server_never_runs_as_root() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = EmbeddedPostgres::start(dir.path()).await.unwrap();
    assert_ne!(fs::metadata(postgres.cluster_dir()).unwrap().uid(), 0);
    let pid = postmaster_pid(&postgres.cluster_dir()).to_string();
    let ps = Command::new("ps").args(["-o", "user=", "-p", &pid]).output().unwrap();
    assert_ne!(String::from_utf8(ps.stdout).unwrap().trim(), "root");
}

#[tokio::test]
async fn directory_the_servers_user_cannot_reach_is_refused_with_a_proposal() {
    if !is_root() {
        return;
    }
    let closed = tempfile::tempdir().unwrap();
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let refused = EmbeddedPostgres::start(&closed.path().join("data")).await.unwrap_err();
    assert!(matches!(refused, PostgresError::Unreachable { .. }), "{refused}");
    assert!(refused.to_string().contains("/var/lib/neonpro"));
}

#[tokio::test]
async fn directory_with_other_files_is_refused_and_left_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "years of work").unwrap();
    let before = fs::metadata(dir.path()).unwrap();
    let refused = EmbeddedPostgres::start(dir.path()).await.unwrap_err();
    assert!(matches!(refused, PostgresError::Occupied { .. }), "{refused}");
    let after = fs::metadata(dir.path()).unwrap();
    assert_eq!((after.uid(), after.mode()), (before.uid(), before.mode()));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn interrupted_first_start_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["neonpro-postgres.lock", "superuser-password", "superuser-password.initdb"] {
        fs::write(dir.path().join(name), "half").unwrap();
    }
    fs::create_dir(dir.path().join("cluster.unfinished")).unwrap();
    fs::write(dir.path().join("cluster.unfinished/PG_VERSION"), "").unwrap();
    let postgres = EmbeddedPostgres::start(dir.path()).await.unwrap();
    connect(&postgres).await.close().await.unwrap();
    assert!(!dir.path().join("cluster.unfinished").exists());
    assert!(!dir.path().join("superuser-password.initdb").exists());
}

#[tokio::test]
async fn lost_password_is_named_and_the_cluster_is_not_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    EmbeddedPostgres::start(dir.path()).await.unwrap().stop().await.unwrap();
    fs::remove_file(dir.path().join("superuser-password")).unwrap();
    let refused = EmbeddedPostgres::start(dir.path()).await.unwrap_err();
    assert!(matches!(refused, PostgresError::PasswordMissing { .. }), "{refused}");
    assert!(dir.path().join("cluster/PG_VERSION").exists());
}

#[tokio::test]
async fn failed_start_shows_what_the_server_said() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = EmbeddedPostgres::start(dir.path()).await.unwrap();
    let configuration = postgres.cluster_dir().join("postgresql.conf");
    postgres.stop().await.unwrap();
    fs::write(configuration, "no_such_setting = on\n").unwrap();
    let failed = EmbeddedPostgres::start(dir.path()).await.unwrap_err();
    assert!(failed.to_string().contains("no_such_setting"), "{failed}");
}

#[tokio::test]
async fn long_path_gets_a_short_socket_directory_that_goes_with_the_server() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let data_dir = dir.path().join("d".repeat(100));
    let postgres = EmbeddedPostgres::start(&data_dir).await.unwrap();
    let socket_dir = postgres.superuser_options().socket_dir.clone();
    assert!(socket_dir.as_os_str().len() < 90);
    connect(&postgres).await.close().await.unwrap();
    postgres.stop().await.unwrap();
    assert!(!socket_dir.exists());
}

#[tokio::test]
async fn patient_data_in_a_failing_statement_never_reaches_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = EmbeddedPostgres::start(dir.path()).await.unwrap();
    let mut connection = connect(&postgres).await;
    run(&mut connection, "create table patient (cpf text primary key, age integer)").await;
    run(&mut connection, "insert into patient values ('canary-key', 1)").await;
    for failing in [
        "insert into patient values ('canary-key', 2)",
        "insert into patient values ('x', 'canary-value'::text::integer)",
        "select canary_name from patient",
        "do $$ begin raise warning 'canary-warning'; end $$",
    ] {
        let _refused = query(AssertSqlSafe(failing)).execute(&mut connection).await;
    }
    let bound = query("insert into patient values ($1, 3)").bind("canary-key");
    assert!(bound.execute(&mut connection).await.is_err());
    drop(connection);

    let log_dir = postgres.log_dir();
    postgres.stop().await.unwrap();
    let mut logs = vec![dir.path().join("startup.log")];
    logs.extend(fs::read_dir(log_dir).unwrap().map(|entry| entry.unwrap().path()));
    let said: String = logs.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert!(said.contains("database system is ready"), "the log is read");
    assert!(!said.contains("canary"), "{said}");
}
