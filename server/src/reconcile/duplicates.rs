//! Two records of one person or thing: both are kept, the later one points at the first, a person merges them.
//!
//! Uniqueness is per clinic and per live, first record: two tablets that register the same person offline are an
//! item, never an error.

use crate::merge::{OpenRecord, Workspace};
use crate::store::items::{ItemKind, NewItem, Severity};
use crate::store::{Scoped, StoreResult};
use neonpro_contract::catalogue::Table;
use neonpro_contract::value::Value;
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

/// Columns that name one person or thing within a clinic.
const IDENTIFIERS: [(&str, &str); 4] =
    [("patients", "cpf"), ("patients", "cns"), ("inventory_products", "sku"), ("professionals", "email")];

/// Marks written records that share an identifier with an earlier one and opens an item for each.
///
/// # Errors
/// A database failure.
pub(crate) async fn detect(
    scoped: &mut Scoped,
    workspace: &mut Workspace,
    items: &mut Vec<NewItem>,
) -> StoreResult<()> {
    for name in ["patients", "inventory_products", "professionals"] {
        let Some(table) = neonpro_contract::catalogue::table(name) else { continue };
        let concerned = workspace.written(table).filter(|(_, record)| concerns(name, record));
        let written: Vec<Uuid> = concerned.map(|(id, _)| id).collect();
        if written.is_empty() {
            continue;
        }
        let mut first_of: HashMap<Uuid, (Uuid, &'static str)> = HashMap::new();
        for (_, column) in IDENTIFIERS.iter().filter(|(of, _)| *of == name) {
            for (later, first) in sharing(scoped, workspace, table, column, &written).await? {
                first_of.entry(later).or_insert((first, column));
            }
        }
        for id in written {
            mark(workspace, table, id, first_of.get(&id).map(|(first, _)| *first));
            if let Some((first, column)) = first_of.get(&id) {
                items.push(item(table, id, *first, column));
            }
        }
    }
    Ok(())
}

/// Whether what was written to a record may make it a duplicate, or end that: a new one, one whose identifiers or
/// retirement changed, or one that is a duplicate so far.
fn concerns(name: &str, record: &OpenRecord) -> bool {
    let identifiers = IDENTIFIERS.iter().filter(|(of, _)| *of == name).map(|(_, column)| *column);
    let mut decisive = identifiers.chain(["retired_at"]).filter_map(|column| record.table.field(column));
    !record.existed
        || !record.row.get("duplicate_of").is_null()
        || decisive.any(|(index, _)| record.dirty.contains(&index))
}

/// (later record, first record) pairs under one identifier.
async fn sharing(
    scoped: &mut Scoped,
    workspace: &Workspace,
    table: &'static Table,
    column: &'static str,
    written: &[Uuid],
) -> StoreResult<Vec<(Uuid, Uuid)>> {
    let value_of = |id: &Uuid| {
        let record = workspace.records.get(&(table.id, *id))?;
        let retired = !record.row.get("retired_at").is_null();
        record.row.get(column).as_text().filter(|_| !retired).map(str::to_owned)
    };
    let values: Vec<String> = written.iter().filter_map(value_of).collect();
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let mut first: HashMap<String, Uuid> =
        scoped.list_sharing(table, column, &values, written).await?.into_iter().collect();
    let mut order: Vec<&Uuid> = written.iter().collect();
    order.sort_by_key(|id| precedence(workspace, table, column, **id));
    let mut pairs = Vec::new();
    for id in order {
        let Some(value) = value_of(id) else { continue };
        match first.get(&value) {
            Some(earlier) => pairs.push((*id, *earlier)),
            None => drop(first.insert(value, *id)),
        }
    }
    Ok(pairs)
}

/// Who is the first among records that share an identifier: the one that had it before and stood alone, then one that
/// takes it now, then one that is marked already, then new ones as they came. So a pair never changes its roles.
fn precedence(workspace: &Workspace, table: &'static Table, column: &str, id: Uuid) -> u8 {
    let Some(record) = workspace.records.get(&(table.id, id)).filter(|record| record.existed) else {
        return 3;
    };
    let taken_now = table.field(column).is_some_and(|(index, _)| record.dirty.contains(&index));
    match (record.row.get("duplicate_of").is_null(), taken_now) {
        (true, false) => 0,
        (true, true) => 1,
        (false, _) => 2,
    }
}

fn mark(workspace: &mut Workspace, table: &'static Table, id: Uuid, first: Option<Uuid>) {
    let Some((index, _)) = table.field("duplicate_of") else { return };
    let Some(record) = workspace.records.get_mut(&(table.id, id)) else { return };
    let value = first.map_or(Value::Null, Value::Uuid);
    if *record.row.at(index) != value {
        record.row.set_at(index, value);
        record.dirty.insert(index);
        record.derived_dirty = true;
    }
}

fn item(table: &'static Table, later: Uuid, first: Uuid, column: &str) -> NewItem {
    NewItem {
        kind: ItemKind::Duplicates,
        severity: Severity::Warning,
        code: "same_identifier",
        matter: format!("duplicates/{}/{later}", table.name),
        table: table.id,
        record: later,
        patient: (table.name == "patients").then_some(later),
        sealed_for: None,
        sides: json!({ "first": first, "second": later, "field": column }),
    }
}
