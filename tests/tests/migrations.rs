//! Migrations on data: a database is migrated step by step, with rows in every table before each step, and what was
//! there is right after the last.
//!
//! The rows are made up from the catalogue of the database at that step, so a new migration is tried on data without
//! anyone writing a fixture. What a migration changes on purpose is listed here, with the reason.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests stop the test where it broke"
)]

use neonpro_server::database::migrator;
use neonpro_tests::cluster::TestDatabase;
use neonpro_tests::isolation::{Catalog, ForeignKey, fill};
use neonpro_tests::sql::{DENIED, code, enter, list, must, run, text};
use serde_json::{Map, Value as Json};
use sqlx_core::connection::ConnectOptions;
use sqlx_core::migrate::Migrator;
use sqlx_postgres::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Tables a migration removed, each with its reason.
const REMOVED: &[(&str, &str)] = &[
    ("public.record_columns", "a template of columns, there only while tables are made"),
    ("public.merge_columns", "the same"),
    ("public.editable_columns", "the same"),
];

/// Tables a migration renamed, each with its reason.
const RENAMED: &[(&str, &str, &str)] = &[(
    "sync.audit",
    "sync.audit_before_chain",
    "a log from before the chain is kept beside it, whole and unchained, where there was one",
)];

/// Columns whose values a migration changes or removes on purpose, each with its reason.
const CHANGED: &[(&str, &str, &str)] = &[];

/// Rows as they were, by table.
type Rows = BTreeMap<String, Vec<Map<String, Json>>>;

/// Two clinics of this step.
fn clinics(step: usize) -> [Uuid; 2] {
    [1, 2].map(|number| {
        Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | ((step as u128) << 16) | number)
    })
}

async fn migrate(conn: &mut PgConnection, steps: usize) {
    let some: Vec<_> = migrator().migrations.iter().take(steps).cloned().collect();
    must(conn, "set role neonpro_owner").await;
    Migrator::with_migrations(some).run_direct(None, conn, false).await.unwrap();
    must(conn, "reset role").await;
}

/// References of the finished schema that the schema of this step has the tables and columns for.
fn possible(catalog: &Catalog, last: &[ForeignKey]) -> Vec<ForeignKey> {
    let has = |table: &str, columns: &[String]| {
        let relation = catalog.relations.iter().find(|relation| relation.name == table);
        relation.is_some_and(|relation| columns.iter().all(|column| relation.column(column).is_some()))
    };
    last.iter()
        .filter(|key| has(&key.table, &key.columns) && has(&key.target, &key.target_columns))
        .cloned()
        .collect()
}

/// Every row of these clinics, and every row that belongs to none.
async fn rows(conn: &mut PgConnection, catalog: &Catalog, clinics: &[Uuid]) -> Rows {
    let mut rows = Rows::new();
    let whole = catalog.relations.iter().filter(|relation| !relation.is_partition() && !relation.is_view());
    for relation in whole.filter(|relation| !relation.name.ends_with("_sqlx_migrations")) {
        let condition = if relation.has_clinic() {
            format!("where clinic_id in ('{}', '{}')", clinics[0], clinics[1])
        } else {
            String::new()
        };
        let sql = format!("select to_jsonb(t)::text from {} t {condition}", relation.name);
        let found = list(conn, &sql).await;
        rows.insert(
            relation.name.clone(),
            found.iter().map(|row| serde_json::from_str(row).unwrap()).collect(),
        );
    }
    rows
}

/// What is missing or different of the rows that were there.
fn differences(before: &Rows, after: &Rows, step: usize) -> Vec<String> {
    let mut found = Vec::new();
    for (table, old) in before.iter().filter(|(table, _)| REMOVED.iter().all(|(name, _)| name != *table)) {
        let renamed =
            RENAMED.iter().filter(|(from, ..)| from == table).filter_map(|(_, to, _)| after.get(*to));
        let new: Vec<_> = after.get(table).into_iter().chain(renamed).flatten().collect();
        if !after.contains_key(table) {
            found.push(format!("{table} is gone, with {} rows of step {step}", old.len()));
            continue;
        }
        let fixed =
            |column: &str| CHANGED.iter().all(|(of, name, _)| (*of, *name) != (table.as_str(), column));
        for row in old {
            let same = |other: &Map<String, Json>| {
                row.iter()
                    .filter(|(column, _)| fixed(column))
                    .all(|(column, value)| other.get(column) == Some(value))
            };
            if !new.iter().any(|other| same(other)) {
                found.push(format!("{table}: a row of step {step} is no more as it was: {row:?}"));
            }
        }
    }
    found
}

#[tokio::test]
async fn rows_that_were_there_before_a_migration_are_right_after_the_last() {
    let finished = TestDatabase::empty().await;
    let last = Catalog::read(&mut finished.admin().await).await;
    let database = TestDatabase::unmigrated().await;
    let mut admin = database.options.connect().await.unwrap();
    let steps = migrator().migrations.len();
    let mut kept = Vec::new();
    for step in 1..=steps {
        migrate(&mut admin, step).await;
        let catalog = Catalog::read(&mut admin).await;
        let references = possible(&catalog, &last.foreign_keys);
        fill(&mut admin, &catalog, &references, &clinics(step)).await;
        kept.push((step, rows(&mut admin, &catalog, &clinics(step)).await));
    }
    let catalog = Catalog::read(&mut admin).await;
    let mut found = Vec::new();
    let mut compared = 0;
    for (step, before) in &kept {
        let after = rows(&mut admin, &catalog, &clinics(*step)).await;
        compared += before.values().map(Vec::len).sum::<usize>();
        found.extend(differences(before, &after, *step));
    }
    println!("{compared} rows of {steps} steps compared");
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(compared > 30 * steps, "hardly a row was there");
}

#[tokio::test]
async fn a_database_migrated_with_rows_in_it_has_the_schema_of_an_empty_one() {
    let finished = TestDatabase::empty().await;
    let expected = Catalog::read(&mut finished.admin().await).await;
    let database = TestDatabase::unmigrated().await;
    let mut admin = database.options.connect().await.unwrap();
    for step in 1..=migrator().migrations.len() {
        migrate(&mut admin, step).await;
        let catalog = Catalog::read(&mut admin).await;
        let references = possible(&catalog, &expected.foreign_keys);
        fill(&mut admin, &catalog, &references, &clinics(step)).await;
    }
    let mut found = Catalog::read(&mut admin).await;
    // What is there only where there were rows to keep.
    found.relations.retain(|relation| RENAMED.iter().all(|(_, to, _)| relation.name != *to));
    for (found, expected) in found.relations.iter().zip(&expected.relations) {
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    }
    assert_eq!(found.relations.len(), expected.relations.len());
    assert_eq!(format!("{:?}", found.foreign_keys), format!("{:?}", expected.foreign_keys));
    let unproven = "select conname::text from pg_constraint where not convalidated";
    assert_eq!(list(&mut admin, unproven).await, Vec::<String>::new(), "constraints nobody validated");
}

#[tokio::test]
async fn an_audit_from_before_the_chain_is_kept_beside_it_whole_and_nobody_writes_to_it() {
    let finished = TestDatabase::empty().await;
    let last = Catalog::read(&mut finished.admin().await).await;
    let database = TestDatabase::unmigrated().await;
    let mut admin = database.options.connect().await.unwrap();
    let chained = migrator().migrations.iter().position(|migration| migration.version == 10).unwrap();
    migrate(&mut admin, chained).await;
    let catalog = Catalog::read(&mut admin).await;
    let references = possible(&catalog, &last.foreign_keys);
    fill(&mut admin, &catalog, &references, &clinics(chained)).await;
    let entries = |table: &str| format!("select to_jsonb(t)::text from sync.{table} t order by 1");
    let before = list(&mut admin, &entries("audit")).await;
    assert!(!before.is_empty(), "there is something to keep");

    migrate(&mut admin, migrator().migrations.len()).await;
    assert_eq!(list(&mut admin, &entries("audit_before_chain")).await, before);
    assert_eq!(
        list(&mut admin, &entries("audit")).await,
        Vec::<String>::new(),
        "a chain begins with nothing"
    );
    assert_eq!(text(&mut admin, "select max(audit_seq) from sync.heads").await, "0");

    must(&mut admin, "set role neonpro_server").await;
    let seen = "select count(*) from sync.audit_before_chain";
    assert_eq!(text(&mut admin, seen).await, "0", "without a clinic nothing is seen");
    for clinic in clinics(chained) {
        enter(&mut admin, &clinic.to_string()).await;
        let own = before.iter().filter(|entry| entry.contains(&clinic.to_string())).count();
        assert_eq!(text(&mut admin, seen).await, own.to_string(), "a clinic reads its own");
    }
    for change in [
        "insert into sync.audit_before_chain (clinic_id, action) select clinic_id, action from sync.audit_before_chain",
        "update sync.audit_before_chain set action = 'x'",
        "delete from sync.audit_before_chain",
    ] {
        assert_eq!(code(run(&mut admin, change).await).as_deref(), Some(DENIED), "{change}");
    }
    // Nor does its owner get past row security.
    must(&mut admin, "reset role").await;
    must(&mut admin, "set role neonpro_owner").await;
    must(&mut admin, "reset neonpro.clinic_id").await;
    assert_eq!(text(&mut admin, seen).await, "0");
}
