//! I3: what a product's quantity says is the sum of its ledger.

use super::world::World;
use sqlx_core::row::Row as _;
use uuid::Uuid;

/// Compares every product of a clinic with its movements, added up here.
pub async fn sums(world: &mut World, clinic: usize) {
    let id = world.node.clinics()[clinic].id.0;
    let mut admin = world.node.database.admin().await;
    let sql = "select p.id, coalesce(p.current_quantity, 0)::text, coalesce((select sum(case \
        when t.transaction_type in ('purchase', 'return') then abs(t.quantity) \
        when t.transaction_type in ('usage', 'waste') then -abs(t.quantity) else t.quantity end) \
        from inventory_transactions t where t.clinic_id = p.clinic_id and t.product_id = p.id), 0)::text \
        from inventory_products p where p.clinic_id = $1 and coalesce(p.current_quantity, 0) <> coalesce((select \
        sum(case when t.transaction_type in ('purchase', 'return') then abs(t.quantity) \
        when t.transaction_type in ('usage', 'waste') then -abs(t.quantity) else t.quantity end) \
        from inventory_transactions t where t.clinic_id = p.clinic_id and t.product_id = p.id), 0)";
    let wrong = sqlx_core::query::query(sql).bind(id).fetch_all(&mut admin).await.unwrap();
    if let Some(row) = wrong.first() {
        let (product, told, sum): (Uuid, String, String) = (row.get(0), row.get(1), row.get(2));
        world.violated(format!("I3: product {product} says {told}, its ledger {sum}"));
    }
}
