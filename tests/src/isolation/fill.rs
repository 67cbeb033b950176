//! Rows for every table: what the made-up clinics left empty is filled from the catalogue of the database, so that no
//! attack aims at an empty table. A table that cannot be filled stops the test and says why.

use super::catalog::{Catalog, Check, Column, ForeignKey, Relation};
use crate::sql::{Refusal, must, run, text};
use serde_json::{Map, Value as Json};
use sqlx_postgres::PgConnection;
use std::fmt::Write as _;
use uuid::Uuid;

/// One row as JSON, column by column.
pub type Sample = Map<String, Json>;

/// Gives every table that holds rows of clinics at least one row of each of these clinics, partitions included, and
/// every other table at least one row. `references` are the keys to honour, also where the database has none yet.
pub async fn fill(conn: &mut PgConnection, catalog: &Catalog, references: &[ForeignKey], clinics: &[Uuid]) {
    let mut waiting: Vec<&Relation> =
        catalog.relations.iter().filter(|relation| !relation.is_partition() && !relation.is_view()).collect();
    waiting.retain(|relation| !relation.name.ends_with("_sqlx_migrations"));
    while !waiting.is_empty() {
        let names: Vec<String> = waiting.iter().map(|relation| relation.name.clone()).collect();
        let waits = |relation: &Relation| {
            references.iter().any(|key| {
                key.table == relation.name && key.target != relation.name && names.contains(&key.target)
            })
        };
        let (later, now): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|relation| waits(relation));
        assert!(!now.is_empty(), "references in a circle: {names:?}");
        for relation in now {
            fill_one(conn, relation, references, clinics).await;
        }
        waiting = later;
    }
    for partition in catalog.relations.iter().filter(|relation| relation.is_partition()) {
        for clinic in clinics {
            fill_partition(conn, catalog, partition, *clinic).await;
        }
    }
}

async fn fill_one(conn: &mut PgConnection, relation: &Relation, references: &[ForeignKey], clinics: &[Uuid]) {
    if !relation.has_clinic() {
        if text(conn, &format!("select count(*) from {}", relation.name)).await == "0" {
            add(conn, relation, references, None).await;
        }
        return;
    }
    for clinic in clinics {
        let count = format!("select count(*) from {} where clinic_id = '{clinic}'", relation.name);
        if text(conn, &count).await == "0" {
            add(conn, relation, references, Some(*clinic)).await;
        }
    }
}

/// Adds a row with what is required; where a check asks for more, with a value in every column.
async fn add(conn: &mut PgConnection, relation: &Relation, references: &[ForeignKey], clinic: Option<Uuid>) {
    let least = made_up_row(relation, references, clinic, false);
    let Err(Refusal { code, constraint }) = run(conn, &least).await else { return };
    let whole = made_up_row(relation, references, clinic, true);
    let again = if code == "23514" { run(conn, &whole).await } else { Err(Refusal { code, constraint }) };
    if let Err(Refusal { code, constraint }) = again {
        panic!("no row of {} can be made up ({code} {constraint:?}): teach fill.rs: {least}", relation.name);
    }
}

fn made_up_row(relation: &Relation, references: &[ForeignKey], clinic: Option<Uuid>, whole: bool) -> String {
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for column in relation.columns.iter().filter(|column| !column.always) {
        let key = references
            .iter()
            .filter(|key| key.table == relation.name && key.columns.contains(&column.name))
            .find(|key| column.name == "clinic_id" || key.columns.iter().any(|name| *name != "clinic_id"));
        let value = match (column.name.as_str(), clinic, key) {
            ("clinic_id", Some(clinic), _) => format!("'{clinic}'"),
            ("id", Some(clinic), _) if relation.name == "public.clinics" => format!("'{clinic}'"),
            (_, _, Some(key)) => parent_value(key, &column.name, clinic),
            _ if (column.required || whole) && !column.default => made_up(column, &relation.checks),
            _ => continue,
        };
        names.push(column.name.as_str());
        values.push(value);
    }
    if names.is_empty() {
        format!("insert into {} default values", relation.name)
    } else {
        format!("insert into {} ({}) values ({})", relation.name, names.join(", "), values.join(", "))
    }
}

/// The referenced column of some parent of the clinic.
fn parent_value(key: &ForeignKey, column: &str, clinic: Option<Uuid>) -> String {
    let place = key.columns.iter().position(|name| name == column).unwrap();
    let target = &key.target_columns[place];
    let within = match clinic {
        Some(clinic) if key.target_columns.iter().any(|name| name == "clinic_id") => {
            format!(" where clinic_id = '{clinic}'")
        }
        _ => String::new(),
    };
    format!("(select {target} from {}{within} order by 1 limit 1)", key.target)
}

/// Some value that fits the column and its check.
fn made_up(column: &Column, checks: &[Check]) -> String {
    let speaks = |expression: &&str| {
        expression.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == column.name)
    };
    // A list of choices says more than a condition between columns.
    let mut about: Vec<&str> = checks.iter().map(|check| check.expression.as_str()).filter(speaks).collect();
    about.sort_by_key(|expression| !expression.contains("ANY (ARRAY"));
    let check = about.first().copied();
    match column.kind.as_str() {
        "text" => check.and_then(first_literal).map_or("'texto'".to_owned(), |text| format!("'{text}'")),
        "uuid" => "gen_random_uuid()".to_owned(),
        "bytea" => {
            let bytes = check.and_then(length_asked).unwrap_or(8);
            format!("decode(substr(repeat(md5(random()::text), 16), 1, {}), 'hex')", bytes * 2)
        }
        "boolean" => "true".to_owned(),
        "integer" | "smallint" | "bigint" | "numeric" | "double precision" | "real" => "1".to_owned(),
        "timestamp with time zone" => "now()".to_owned(),
        "date" => "current_date".to_owned(),
        "jsonb" => "'{}'".to_owned(),
        array if array.ends_with("[]") => {
            format!("'{{{}}}'", check.and_then(first_literal).unwrap_or_default())
        }
        other => panic!("{}: no value of type {other} is made up: teach fill.rs", column.name),
    }
}

/// The first choice of a check like `a = ANY (ARRAY['x'::text, …])`.
fn first_literal(expression: &str) -> Option<&str> {
    expression.split('\'').nth(1)
}

/// The length of a check like `octet_length(a) = 32`.
fn length_asked(expression: &str) -> Option<usize> {
    let (_, rest) = expression.split_once("octet_length")?;
    rest.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}

/// Copies a row of the parent into the span of a partition.
async fn fill_partition(conn: &mut PgConnection, catalog: &Catalog, partition: &Relation, clinic: Uuid) {
    let count = format!("select count(*) from {} where clinic_id = '{clinic}'", partition.name);
    if text(conn, &count).await != "0" {
        return;
    }
    let parent = catalog.relation(partition.parent.as_deref().unwrap());
    let by = text(conn, &format!("select pg_get_partkeydef('{}'::regclass)", parent.name)).await;
    let column = by.split(['(', ')']).nth(1).unwrap().to_owned();
    let lower = partition.bound.as_deref().and_then(|bound| bound.split('\'').nth(1));
    let mut row = sample(conn, parent, clinic).await.unwrap();
    row.insert("id".to_owned(), Json::String(random(conn).await.to_string()));
    row.insert(column, Json::String(lower.unwrap_or("2190-01-01 00:00:00+00").to_owned()));
    must(conn, &insert(parent, &row)).await;
}

async fn random(conn: &mut PgConnection) -> Uuid {
    text(conn, "select gen_random_uuid()").await.parse().unwrap()
}

/// Some row of a clinic.
pub async fn sample(conn: &mut PgConnection, relation: &Relation, clinic: Uuid) -> Option<Sample> {
    row(conn, relation, &format!("where clinic_id = '{clinic}'")).await
}

/// Some row that fulfils a condition.
pub async fn row(conn: &mut PgConnection, relation: &Relation, condition: &str) -> Option<Sample> {
    let sql = format!("select to_jsonb(t) from (select * from {} {condition} limit 1) t", relation.name);
    match text(conn, &sql).await.as_str() {
        "null" => None,
        text => Some(serde_json::from_str(text).unwrap()),
    }
}

/// The statement that inserts a row given as JSON.
#[must_use]
pub fn insert(relation: &Relation, row: &Sample) -> String {
    let columns = relation.writable().join(", ");
    format!("insert into {} ({columns}) select {columns} from {}", relation.name, record(relation, row))
}

/// The same with every column, also those the database fills by itself.
#[must_use]
pub fn insert_exactly(relation: &Relation, row: &Sample) -> String {
    let columns: Vec<&str> = relation.columns.iter().map(|column| column.name.as_str()).collect();
    let columns = columns.join(", ");
    format!(
        "insert into {} ({columns}) overriding system value select {columns} from {}",
        relation.name,
        record(relation, row)
    )
}

/// A row given as JSON, as something to select from.
#[must_use]
pub fn record(relation: &Relation, row: &Sample) -> String {
    format!(
        "jsonb_populate_record(null::{}, $sample${}$sample$::jsonb)",
        relation.name,
        Json::Object(row.clone())
    )
}

/// A value of a row as SQL.
#[must_use]
pub fn literal(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::String(text) => format!("'{}'", text.replace('\'', "''")),
        other => format!("'{}'", other.to_string().replace('\'', "''")),
    }
}

/// The condition that names one row by its key.
#[must_use]
pub fn by_key(relation: &Relation, row: &Sample) -> String {
    let mut condition = String::new();
    for column in relation.key().unwrap_or_default() {
        let and = if condition.is_empty() { "" } else { " and " };
        let _ = write!(condition, "{and}{column} = {}", literal(&row[column]));
    }
    if condition.is_empty() { "true".to_owned() } else { condition }
}
