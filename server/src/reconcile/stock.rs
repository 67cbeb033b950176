//! Stock below zero: the movement happened, the ledger takes it, a person finds out why.

use crate::merge::Workspace;
use crate::store::items::{ItemKind, NewItem, Severity};
use crate::store::{Scoped, StoreResult};
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Opens an item per product or lot that a written movement left below zero.
///
/// # Errors
/// A database failure.
pub(crate) async fn detect(
    scoped: &mut Scoped,
    workspace: &Workspace,
    items: &mut Vec<NewItem>,
) -> StoreResult<()> {
    let Some(table) = neonpro_contract::catalogue::table("inventory_transactions") else { return Ok(()) };
    let products: BTreeSet<Uuid> =
        workspace.written(table).filter_map(|(_, record)| record.row.get("product_id").as_uuid()).collect();
    if products.is_empty() {
        return Ok(());
    }
    let products: Vec<Uuid> = products.into_iter().collect();
    for shortage in scoped.list_shortages(&products).await? {
        let (code, matter) = match shortage.lot {
            Some(lot) => ("negative_lot", format!("stock/{}/{lot}", shortage.product)),
            None => ("negative_product", format!("stock/{}", shortage.product)),
        };
        items.push(NewItem {
            kind: ItemKind::Stock,
            severity: Severity::Warning,
            code,
            matter,
            table: table.id,
            record: shortage.product,
            patient: None,
            sealed_for: None,
            sides: json!({ "product": shortage.product, "lot": shortage.lot, "balance": shortage.balance }),
        });
    }
    Ok(())
}
