//! The physical limits: the same rows through bare Postgres and bare SQLCipher, on this machine, in this run.

use super::bed::Bed;
use neonpro_server::demo::{self, DemoSize};
use neonpro_server::postgres::EmbeddedPostgres;
use sqlx_core::connection::ConnectOptions;
use sqlx_core::executor::Executor;
use sqlx_postgres::{PgConnectOptions, PgConnection};
use std::time::Instant;

/// Rows written by each limit.
const ROWS: usize = 20_000;

/// Columns of a patient as they are entered.
const COLUMNS: [&str; 10] =
    ["id", "name", "email", "phone", "date_of_birth", "gender", "cns", "cpf", "address", "created_at"];

fn rows() -> Vec<Vec<Option<String>>> {
    let size = DemoSize { patients: u32::try_from(ROWS).unwrap() + 200, days_before: 0, days_after: 0 };
    let network = demo::network(3, neonpro_server::clock::now(), size).unwrap();
    let people = network.clinics.iter().flat_map(|clinic| clinic.batch.records());
    people
        .filter(|record| record.table.name == "patients")
        .take(ROWS)
        .map(|record| {
            let text = |name: &str| match record.row.get(name).to_json() {
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some(text),
                other => Some(other.to_string()),
            };
            let id = Some(record.id.to_string());
            std::iter::once(id).chain(COLUMNS.iter().skip(1).map(|name| text(name))).collect()
        })
        .collect()
}

/// A connection of its own to the server's PostgreSQL.
pub(super) async fn connect(bed: &Bed) -> PgConnection {
    let settings = EmbeddedPostgres::running(&bed.dir.path().join("server/postgres")).unwrap();
    let options = PgConnectOptions::new_without_pgpass()
        .socket(&settings.socket_dir)
        .port(settings.port)
        .username(&settings.user)
        .password(&settings.password)
        .database(&settings.database);
    options.connect().await.unwrap()
}

const TABLE: &str = "(id uuid primary key, name text, email text, phone text, date_of_birth date, gender text, \
                     cns text, cpf text, address text, created_at timestamptz)";

/// Rows per second: COPY, UNNEST upsert, SQLCipher insert.
pub async fn measure(bed: &Bed) -> (f64, f64, f64) {
    let rows = rows();
    let mut pg = connect(bed).await;
    let copy = copy(&mut pg, &rows).await;
    let upsert = upsert(&mut pg, &rows).await;
    let path = bed.dir.path().join("limit.sqlite");
    let sqlite = tokio::task::spawn_blocking(move || sqlite(&path, &rows)).await.unwrap();
    (copy, upsert, sqlite)
}

async fn copy(pg: &mut PgConnection, rows: &[Vec<Option<String>>]) -> f64 {
    pg.execute(sqlx_core::sql_str::AssertSqlSafe(format!("create table limit_copy {TABLE}"))).await.unwrap();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<&str> = row.iter().map(|cell| cell.as_deref().unwrap_or("\\N")).collect();
        text.push_str(&cells.join("\t"));
        text.push('\n');
    }
    let began = Instant::now();
    let mut copy = pg.copy_in_raw("copy limit_copy from stdin").await.unwrap();
    copy.send(text.as_bytes()).await.unwrap();
    copy.finish().await.unwrap();
    rows.len() as f64 / began.elapsed().as_secs_f64()
}

async fn upsert(pg: &mut PgConnection, rows: &[Vec<Option<String>>]) -> f64 {
    pg.execute(sqlx_core::sql_str::AssertSqlSafe(format!("create table limit_upsert {TABLE}")))
        .await
        .unwrap();
    let columns: Vec<Vec<Option<&str>>> =
        (0..COLUMNS.len()).map(|index| rows.iter().map(|row| row[index].as_deref()).collect()).collect();
    let sql = "insert into limit_upsert select u.a::uuid, u.b, u.c, u.d, u.e::date, u.f, u.g, u.h, u.i, \
               u.j::timestamptz from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], \
               $7::text[], $8::text[], $9::text[], $10::text[]) as u(a, b, c, d, e, f, g, h, i, j) \
               on conflict (id) do update set name = excluded.name, phone = excluded.phone";
    let began = Instant::now();
    for half in 0..2 {
        let mut query = sqlx_core::query::query::<sqlx_postgres::Postgres>(sql);
        let (from, to) = (half * ROWS / 2, (half + 1) * ROWS / 2);
        for column in &columns {
            query = query.bind(column[from..to].to_vec());
        }
        query.execute(&mut *pg).await.unwrap();
    }
    rows.len() as f64 / began.elapsed().as_secs_f64()
}

fn sqlite(path: &std::path::Path, rows: &[Vec<Option<String>>]) -> f64 {
    let mut connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch(&format!("pragma key = \"x'{}'\"", "07".repeat(32))).unwrap();
    connection
        .execute_batch(
            "pragma journal_mode = wal; pragma synchronous = full; create table patients (id blob primary key, \
             name text, email text, phone text, date_of_birth text, gender text, cns text, cpf text, address text, \
             created_at text)",
        )
        .unwrap();
    let began = Instant::now();
    let transaction = connection.transaction().unwrap();
    {
        let mut insert =
            transaction.prepare("insert into patients values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)").unwrap();
        for row in rows {
            let id: uuid::Uuid = row[0].as_deref().unwrap().parse().unwrap();
            let id = id.as_bytes().to_vec();
            insert
                .execute(rusqlite::params![
                    id, row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9]
                ])
                .unwrap();
        }
    }
    transaction.commit().unwrap();
    rows.len() as f64 / began.elapsed().as_secs_f64()
}
