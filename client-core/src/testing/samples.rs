//! A valid record of every table, made from the catalogue.

use neonpro_contract::catalogue::{FacetId, Field, Format, Kind, Role, Table};
use neonpro_contract::value::Column;
use serde_json::{Value as Json, json};

/// 2026-03-01T12:00:00Z, µs.
pub(crate) const NOON: i64 = 1_772_366_400_000_000;

/// A value the field takes at creation.
pub(crate) fn value(field: &Field) -> Json {
    match (field.format, field.column, field.kind) {
        (Format::OneOf(values), ..) => json!(values[0]),
        (Format::Cpf, ..) => json!("529.982.247-25"),
        (Format::Cns, ..) => json!("898000000043208"),
        (Format::Cnpj, ..) => json!("11.222.333/0001-81"),
        (_, Column::Text, _) => json!(format!("texto de {} com acentuação", field.name)),
        (_, Column::TextArray, _) => json!(["um", "dois"]),
        (_, Column::UuidArray, _) => json!([id(1), id(2)]),
        (_, Column::Uuid, _) => json!(id(9)),
        (_, Column::Bool, _) => json!(true),
        (_, Column::Int | Column::BigInt, _) => json!(30),
        (_, Column::Numeric(2, _), _) => json!("4.5"),
        (_, Column::Numeric(..), _) => json!("12.50"),
        (_, Column::Date, _) => json!("1990-05-17"),
        (_, Column::Instant, _) => {
            let later = if field.name.ends_with("end") || field.name.ends_with("end_time") {
                3_600_000_000
            } else {
                0
            };
            json!(NOON + later)
        }
        (_, Column::Json, _) => json!({"chave": {"dentro": [1, "dois"]}}),
    }
}

/// Another value the field takes later.
pub(crate) fn other(field: &Field) -> Json {
    match (field.format, field.column) {
        (Format::OneOf(values), _) => json!(values[values.len() - 1]),
        (Format::Cpf, _) => json!("111.444.777-35"),
        (Format::Cns, _) => json!("200000000360018"),
        (Format::Cnpj, _) => json!("11.444.777/0001-61"),
        (_, Column::Text) => json!("outro texto"),
        (_, Column::TextArray) => json!(["três"]),
        (_, Column::UuidArray) => json!([id(3)]),
        (_, Column::Uuid) => json!(id(10)),
        (_, Column::Bool) => json!(false),
        (_, Column::Int | Column::BigInt) => json!(31),
        (_, Column::Numeric(2, _)) => json!("5.0"),
        (_, Column::Numeric(..)) => json!("13.25"),
        (_, Column::Date) => json!("1991-06-18"),
        (_, Column::Instant) => {
            let later = if field.name.ends_with("end") || field.name.ends_with("end_time") {
                7_200_000_000
            } else {
                60_000_000
            };
            json!(NOON + later)
        }
        (_, Column::Json) => json!({"chave": {"outra": true}}),
    }
}

fn id(n: u128) -> String {
    uuid::Uuid::from_u128(n).to_string()
}

/// Fields of a facet that a device writes, with values for creation.
pub(crate) fn values(table: &'static Table, facet: FacetId) -> Vec<(&'static str, Json)> {
    table
        .facet_fields(facet)
        .filter(|(_, field)| !field.name.starts_with("retired_") && !field.name.starts_with("locked_"))
        .map(|(_, field)| (field.name, value(field)))
        .collect()
}

/// A role that may write the facet.
pub(crate) fn role(table: &Table, facet: FacetId) -> Role {
    let writers = table.facet(facet).unwrap().writers;
    [Role::Admin, Role::Professional, Role::Manager, Role::Assistant]
        .into_iter()
        .find(|role| writers.contains(*role))
        .unwrap()
}

/// Whether a field can be changed after creation.
pub(crate) fn is_editable(field: &Field) -> bool {
    !field.fixed
        && field.kind != Kind::Derived
        && !field.name.starts_with("retired_")
        && !field.name.starts_with("locked_")
}
