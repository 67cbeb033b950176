//! Sample rows for every table, made from the catalogue.

use neonpro_contract::catalogue::{Default, Field, Format, Scope, TABLES, Table};
use neonpro_contract::value::Column;
use neonpro_tests::sql::must;
use sqlx_postgres::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;

/// One record of every table, all in one clinic.
pub struct Clinic {
    pub id: Uuid,
    records: HashMap<&'static str, Uuid>,
}

impl Clinic {
    /// The clinic's record of a table.
    pub fn of(&self, table: &str) -> Uuid {
        self.records[table]
    }

    /// Makes a clinic with one record of every table, as superuser. `number` keeps clinics apart.
    pub async fn create(admin: &mut PgConnection, number: u8) -> Self {
        let id = fresh(number, 0);
        let mut clinic = Self { id, records: HashMap::new() };
        for (index, table) in (1..).zip(TABLES) {
            let (scope, record) = match table.scope {
                Scope::Reference => (0, fresh(0, index)),
                Scope::Clinic if table.name == "clinics" => (number, id),
                Scope::Clinic => (number, fresh(number, index)),
            };
            clinic.records.insert(table.name, record);
            if scope == number || number == 1 {
                must(admin, &clinic.insert(table, record, &[])).await;
            }
        }
        clinic
    }

    /// The statement that inserts a record with only what is required, except for the values given as SQL.
    pub fn insert(&self, table: &Table, id: Uuid, given: &[(&str, String)]) -> String {
        let mut columns = vec![("id", format!("'{id}'"))];
        if table.scope == Scope::Clinic {
            columns.push(("clinic_id", format!("'{}'", self.id)));
        }
        for field in table.fields {
            let needed = field.required || field.references.is_some();
            if needed && !given.iter().any(|(name, _)| *name == field.name) {
                columns.push((field.name, self.value(field)));
            }
        }
        for (name, value) in given {
            columns.retain(|(known, _)| known != name);
            columns.push((name, value.clone()));
        }
        let (names, values): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        format!("insert into {} ({}) values ({})", table.name, names.join(", "), values.join(", "))
    }

    fn value(&self, field: &Field) -> String {
        if let Some(target) = field.references {
            return format!("'{}'", self.of(target));
        }
        match (field.name, field.format, field.default) {
            ("professional_type", ..) => "'nurse'".to_owned(),
            ("council_type", ..) => "'COREN'".to_owned(),
            (_, _, Default::Text(text)) => format!("'{text}'"),
            (_, Format::OneOf(values), _) => format!("'{}'", values[0]),
            _ => match field.column {
                Column::Text => "'texto'",
                Column::Bool => "true",
                Column::Int | Column::BigInt | Column::Numeric(..) => "1",
                Column::Date => "current_date",
                Column::Instant => "now()",
                Column::Json => r#"'{"chave": "valor"}'"#,
                Column::TextArray | Column::UuidArray => "'{}'",
                Column::Uuid => "gen_random_uuid()",
            }
            .to_owned(),
        }
    }
}

/// An id that tells in a failure whose record it is.
pub fn fresh(clinic: u8, record: u16) -> Uuid {
    Uuid::from_u128(
        0x0190_0000_0000_7000_8000_0000_0000_0000 | (u128::from(clinic) << 32) | u128::from(record),
    )
}
