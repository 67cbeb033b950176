//! Canaries: a text that names its clinic, in every field of every table that takes a free text. Where one is found
//! afterwards, its clinic leaked.

use crate::isolation::{Catalog, Relation};
use crate::sql::{list, must, run};
use sqlx_postgres::PgConnection;
use uuid::Uuid;

/// The canary of a clinic, by its place among the clinics.
#[must_use]
pub fn canary(place: usize) -> String {
    format!("kanarienvogel{place}zwitschert")
}

/// Whether a canary is somewhere in some bytes.
#[must_use]
pub fn is_in(bytes: &[u8], place: usize) -> bool {
    let canary = canary(place);
    bytes.windows(canary.len()).any(|window| window == canary.as_bytes())
}

/// Lets them loose, as superuser: the clinics in the order of their ids, and how many fields hold one.
pub async fn release(conn: &mut PgConnection) -> (Vec<Uuid>, usize) {
    let catalog = Catalog::read(conn).await;
    let ids = list(conn, "select id::text from clinics order by id").await;
    let clinics: Vec<Uuid> = ids.iter().map(|id| id.parse().unwrap()).collect();
    // Triggers would write what they make of it, and stop ledgers from being rewritten.
    must(conn, "set session_replication_role = replica").await;
    let mut fields = 0;
    for relation in catalog.relations.iter().filter(|relation| is_filled(relation)) {
        for column in free_texts(&catalog, relation) {
            for (place, clinic) in clinics.iter().enumerate() {
                let value = value(&column.1, place);
                let update = format!(
                    "update {} set {} = {value} where clinic_id = '{clinic}'",
                    relation.name, column.0
                );
                // A choice among fixed values takes no canary.
                if run(conn, &update).await.is_ok() {
                    fields += 1;
                }
            }
        }
    }
    must(conn, "set session_replication_role = default").await;
    (clinics, fields)
}

fn is_filled(relation: &Relation) -> bool {
    // The sync tables are the server's own bookkeeping: what they hold of a clinic comes there by its tablets' work.
    relation.has_clinic()
        && !relation.is_partition()
        && !relation.is_view()
        && relation.name.starts_with("public.")
}

/// Columns of text, lists of texts and objects that refer to nothing.
fn free_texts(catalog: &Catalog, relation: &Relation) -> Vec<(String, String)> {
    let refers = |column: &str| {
        catalog.references(&relation.name).any(|key| key.columns.iter().any(|name| name == column))
    };
    relation
        .columns
        .iter()
        .filter(|column| matches!(column.kind.as_str(), "text" | "text[]" | "jsonb") && !refers(&column.name))
        // Identifiers with check digits, and a date: no record that holds another text could be edited any more.
        .filter(|column| !["cpf", "cns", "cnpj", "date_of_birth"].contains(&column.name.as_str()))
        .map(|column| (column.name.clone(), column.kind.clone()))
        .collect()
}

/// A canary that differs from row to row, because some texts are unique.
fn value(kind: &str, place: usize) -> String {
    let text = format!("'{} ' || md5(random()::text)", canary(place));
    match kind {
        "text[]" => format!("array[{text}]"),
        "jsonb" => format!("jsonb_build_object('{}', {text})", canary(place)),
        _ => text,
    }
}

/// How many rows of a clinic's patients hold its canary: a check that there is something to leak.
pub async fn count(conn: &mut PgConnection, clinic: Uuid, place: usize) -> usize {
    let sql = format!(
        "select id::text from patients where clinic_id = '{clinic}' and name like '%{}%' and notes like '%{0}%'",
        canary(place)
    );
    list(conn, &sql).await.len()
}
