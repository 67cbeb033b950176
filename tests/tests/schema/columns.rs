//! The schema equals the catalogue, column by column.

use neonpro_contract::catalogue::{self, Default, Field, Format, Kind, SERVER_COLUMNS, Scope, TABLES, Table};
use neonpro_contract::value::Column;
use neonpro_tests::sql::{Database, list};
use std::collections::{BTreeMap, BTreeSet};

/// Tables beside those of the catalogue: registries, networks, keys, and the migrator's own.
const HELPERS: [&str; 5] =
    ["_sqlx_migrations", "appointment_keys", "clinic_networks", "council_types", "professional_types"];

/// Columns reference tables have beside those of the catalogue.
const REFERENCE_COLUMNS: [(&str, &str); 2] =
    [("merged_at", "timestamp with time zone not null"), ("feed_seq", "bigint not null")];

fn type_name(column: Column) -> String {
    match column {
        Column::Text => "text".to_owned(),
        Column::TextArray => "text[]".to_owned(),
        Column::Uuid => "uuid".to_owned(),
        Column::UuidArray => "uuid[]".to_owned(),
        Column::Bool => "boolean".to_owned(),
        Column::Int => "integer".to_owned(),
        Column::BigInt => "bigint".to_owned(),
        Column::Numeric(precision, scale) => format!("numeric({precision},{scale})"),
        Column::Date => "date".to_owned(),
        Column::Instant => "timestamp with time zone".to_owned(),
        Column::Json => "jsonb".to_owned(),
    }
}

fn declared(column: Column, not_null: bool) -> String {
    type_name(column) + if not_null { " not null" } else { "" }
}

/// Sets and objects are never null: nothing entered is the empty one.
fn not_null(field: &Field) -> bool {
    field.required || matches!(field.kind, Kind::Set | Kind::Json) || field.default == Default::Empty
}

fn expected(table: &Table) -> BTreeMap<String, String> {
    let mut columns: BTreeMap<_, _> = table
        .columns()
        .map(|field| (field.name.to_owned(), declared(table.stored_column(field), not_null(field))))
        .collect();
    columns.extend(
        table
            .fields
            .iter()
            .filter(|field| field.indexed)
            .map(|f| (format!("{}_index", f.name), "bytea".into())),
    );
    columns.insert("id".to_owned(), "uuid not null".to_owned());
    if table.scope == Scope::Reference {
        columns.extend(REFERENCE_COLUMNS.map(|(name, kind)| (name.to_owned(), kind.to_owned())));
    } else {
        columns.insert("clinic_id".to_owned(), "uuid not null".to_owned());
        let standard =
            SERVER_COLUMNS.map(|(name, column)| (name.to_owned(), declared(column, name == "merged_at")));
        columns.extend(standard);
    }
    columns
}

#[tokio::test]
async fn there_is_a_table_for_every_table_of_the_catalogue_and_no_other() {
    let mut db = Database::create().await;
    let found = list(
        &mut db.admin,
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace
            and relkind in ('r', 'p', 'v', 'm', 'f') and not relispartition",
    )
    .await;
    let expected: BTreeSet<_> =
        TABLES.iter().map(|table| table.name).chain(HELPERS).map(str::to_owned).collect();
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
}

#[tokio::test]
async fn every_table_has_the_columns_of_the_catalogue_and_no_other() {
    let mut db = Database::create().await;
    for table in TABLES {
        let query = format!(
            "select attname || ' ' || format_type(atttypid, atttypmod) || case when attnotnull then ' not null' else '' end
            from pg_attribute where attrelid = '{}'::regclass and attnum > 0 and not attisdropped",
            table.name
        );
        let found: BTreeMap<String, String> = list(&mut db.admin, &query)
            .await
            .iter()
            .filter_map(|line| line.split_once(' '))
            .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
            .collect();
        assert_eq!(found, expected(table), "{}", table.name);
    }
}

#[tokio::test]
async fn every_choice_is_checked_for_exactly_its_values() {
    let mut db = Database::create().await;
    for (table, field) in TABLES.iter().flat_map(|table| table.fields.iter().map(move |field| (table, field)))
    {
        let query = format!(
            "select value[1] from pg_constraint,
                regexp_matches(pg_get_constraintdef(oid), '''([^'']*)''', 'g') as value
            where conrelid = '{0}'::regclass and conname = '{0}_{1}_check'",
            table.name, field.name
        );
        let found: BTreeSet<_> = list(&mut db.admin, &query).await.into_iter().collect();
        let expected: BTreeSet<String> = match field.format {
            Format::OneOf(values) => values.iter().map(|value| (*value).to_owned()).collect(),
            _ => BTreeSet::new(),
        };
        assert_eq!(found, expected, "{}.{}", table.name, field.name);
    }
}

#[tokio::test]
async fn every_default_is_the_default_of_the_catalogue() {
    let mut db = Database::create().await;
    for (table, field) in TABLES.iter().flat_map(|table| table.fields.iter().map(move |field| (table, field)))
    {
        let query = format!(
            "select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d
            join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
            where d.adrelid = '{}'::regclass and a.attname = '{}'",
            table.name, field.name
        );
        let found = list(&mut db.admin, &query).await.pop();
        let expected = match field.default {
            Default::Text(text) => format!("'{text}'::text"),
            Default::Bool(flag) => flag.to_string(),
            Default::Int(number) => number.to_string(),
            // The writer fills in the capture time, and whatever the empty value of its column is.
            Default::Null | Default::CapturedAt | Default::Empty => continue,
        };
        let found = found.map(|expression| expression.replace("::numeric", "").replace(".0", ""));
        assert_eq!(found, Some(expected), "{}.{}", table.name, field.name);
    }
}

#[tokio::test]
async fn every_reference_is_a_named_key_within_the_clinic_and_nothing_cascades() {
    let mut db = Database::create().await;
    for (table, field) in TABLES.iter().flat_map(|table| table.fields.iter().map(move |field| (table, field)))
    {
        let Some(target) = field.references else { continue };
        let query = format!(
            "select pg_get_constraintdef(oid) from pg_constraint
            where conrelid = '{0}'::regclass and conname = '{0}_{1}_fkey'",
            table.name, field.name
        );
        let reference = catalogue::table(target).is_some_and(|target| target.scope == Scope::Reference);
        let expected = if reference {
            format!("FOREIGN KEY ({}) REFERENCES {target}(id)", field.name)
        } else {
            let target = if target == "appointments" { "appointment_keys" } else { target };
            format!("FOREIGN KEY (clinic_id, {}) REFERENCES {target}(clinic_id, id)", field.name)
        };
        assert_eq!(list(&mut db.admin, &query).await, [expected], "{}.{}", table.name, field.name);
    }
    let cascades = "select conname::text from pg_constraint
        where contype = 'f' and connamespace = 'public'::regnamespace and confdeltype <> 'a'";
    assert_eq!(list(&mut db.admin, cascades).await, Vec::<String>::new());
}
