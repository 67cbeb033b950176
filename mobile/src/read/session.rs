//! What a session used: products, lots, quantities, and where on the face each was injected.
//!
//! One key of `products_used` per use; a use with `x` and `y` is a point of the map. Never writes.

use super::records::reference_name;
use super::{Record, list, text};
use crate::text as words;
use crate::zone::date_br;
use chrono::NaiveDate;
use neonpro_client_core::{Replica, ReplicaError};
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json};

/// The map's width and height, in its own units; a point's place is in thousandths of them.
pub const MAP_SIZE: (u32, u32) = (300, 380);

/// Depths a point may have: stored name and what it is called.
pub const DEPTHS: [(&str, &str); 4] = [
    ("intramuscular", "intramuscular"),
    ("subcutaneous", "subcutâneo"),
    ("dermal", "dérmico"),
    ("supraperiosteal", "supraperiosteal"),
];

/// A use that has a place on the map.
pub struct PointView {
    /// Key of the use.
    pub key: String,
    /// Place on the map, in its units.
    pub x: u32,
    /// Place on the map, in its units.
    pub y: u32,
    /// Number of the point, from 1.
    pub number: usize,
    /// Product, quantity, lot, depth.
    pub label: String,
    /// Quantity alone.
    pub quantity: String,
    /// Index of its product among those used, for its colour.
    pub colour: usize,
}

/// A use without a place.
pub struct UseView {
    /// Key of the use.
    pub key: String,
    /// Product, quantity, lot.
    pub label: String,
}

/// What was used of a lot, all together.
pub struct TotalView {
    /// Product and lot.
    pub title: String,
    /// Quantity and unit.
    pub quantity: String,
    /// Index of its product, for its colour.
    pub colour: usize,
}

/// A lot that may be chosen.
pub struct LotChoice {
    /// `product/lot`, as it is posted.
    pub value: String,
    /// Product, lot, expiry.
    pub label: String,
}

/// Everything a session used.
#[derive(Default)]
pub struct Used {
    /// Points of the map, in the order they were set.
    pub points: Vec<PointView>,
    /// Uses without a place.
    pub uses: Vec<UseView>,
    /// Totals by product and lot.
    pub totals: Vec<TotalView>,
}

/// A use as it is kept.
struct Use {
    key: String,
    product: String,
    lot: String,
    quantity: Decimal,
    depth: String,
    place: Option<(u32, u32)>,
}

fn uses(record: &Record) -> Vec<Use> {
    let Some(Json::Object(map)) = record.get("products_used") else { return Vec::new() };
    let mut uses: Vec<Use> = map.iter().filter_map(|(key, value)| one(key, value.as_object()?)).collect();
    // Keys carry the time they were made at.
    uses.sort_by(|a, b| a.key.cmp(&b.key));
    uses
}

fn one(key: &str, map: &Map<String, Json>) -> Option<Use> {
    let of = |name: &str| map.get(name).map(super::records::json_text).unwrap_or_default();
    let thousandths = |name: &str| of(name).parse::<u32>().ok().filter(|value| *value <= 1_000);
    Some(Use {
        key: key.to_owned(),
        product: of("product_id"),
        lot: of("lot_id"),
        quantity: of("quantity").parse().unwrap_or_default(),
        depth: of("depth"),
        place: thousandths("x").zip(thousandths("y")),
    })
}

/// What uses lack that a record of care should say.
pub fn list_unfit(record: &Record) -> impl Iterator<Item = &'static str> {
    let uses = uses(record);
    let lot = uses.iter().any(|one| one.lot.is_empty()).then_some(words::session::NO_LOT);
    let quantity = uses.iter().any(|one| one.quantity.is_zero()).then_some(words::session::NO_QUANTITY);
    lot.into_iter().chain(quantity)
}

/// What a session used, as its page shows it.
///
/// # Errors
/// What the replica reports.
pub fn find_used(replica: &Replica, record: &Record) -> Result<Used, ReplicaError> {
    let mut used = Used::default();
    let mut products: Vec<String> = Vec::new();
    let mut totals: Vec<(String, String, Decimal)> = Vec::new();
    for one in uses(record) {
        let colour = match products.iter().position(|product| *product == one.product) {
            Some(index) => index,
            None => {
                products.push(one.product.clone());
                products.len().saturating_sub(1)
            }
        };
        let product = reference_name(replica, "inventory_products", &one.product)?;
        let lot = reference_name(replica, "inventory_lots", &one.lot)?;
        let quantity = super::stock::quantity(one.quantity);
        let depth = DEPTHS.into_iter().find(|(name, _)| *name == one.depth).map(|(_, label)| label);
        let parts = [product.as_str(), lot.as_str(), depth.unwrap_or_default()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let label = format!("{quantity} · {}", parts.join(" · "));
        match totals.iter_mut().find(|(product, lot, _)| *product == one.product && *lot == one.lot) {
            Some((_, _, sum)) => *sum = sum.saturating_add(one.quantity),
            None => totals.push((one.product.clone(), one.lot.clone(), one.quantity)),
        }
        match one.place {
            Some((x, y)) => used.points.push(PointView {
                number: used.points.len().saturating_add(1),
                key: one.key,
                x: x.saturating_mul(MAP_SIZE.0) / 1_000,
                y: y.saturating_mul(MAP_SIZE.1) / 1_000,
                label,
                quantity,
                colour,
            }),
            None => used.uses.push(UseView { key: one.key, label }),
        }
    }
    for (product, lot, sum) in totals {
        let colour = products.iter().position(|known| *known == product).unwrap_or_default();
        let name = reference_name(replica, "inventory_products", &product)?;
        let number = reference_name(replica, "inventory_lots", &lot)?;
        let unit = unit_of(replica, &product)?;
        let title = if number.is_empty() {
            name
        } else {
            format!("{name} · {} {number}", words::stock::LOT.to_lowercase())
        };
        used.totals.push(TotalView {
            title,
            quantity: format!("{} {unit}", super::stock::quantity(sum)),
            colour,
        });
    }
    Ok(used)
}

fn unit_of(replica: &Replica, product: &str) -> Result<&'static str, ReplicaError> {
    let sql = "SELECT unit_type FROM inventory_products WHERE id = uuid(?1)";
    let rows = list(replica, sql, &[product.into()], 1)?;
    Ok(rows.first().map_or("", |row| super::stock::unit(text(row, "unit_type"))))
}

/// Lots that may be used today: of products that are used up in sessions, the one that expires first first.
///
/// # Errors
/// What the replica reports.
pub fn list_lot_choices(replica: &Replica, today: NaiveDate) -> Result<Vec<LotChoice>, ReplicaError> {
    let sql = "SELECT uuid_text(l.id) AS lot, uuid_text(p.id) AS product, p.name, l.lot_number, l.expiry_date
        FROM inventory_lots l JOIN inventory_products p ON p.id = l.product_id
        WHERE l.retired_at IS NULL AND p.retired_at IS NULL AND p.is_active IS NOT 0
            AND (l.expiry_date IS NULL OR l.expiry_date >= ?1)
        ORDER BY p.name COLLATE NOCASE, l.expiry_date IS NULL, l.expiry_date";
    let rows = list(replica, sql, &[today.to_string().into()], super::LIST_ROWS_MAX)?;
    let view = |row: &Record| LotChoice {
        value: format!("{}/{}", text(row, "product"), text(row, "lot")),
        label: format!(
            "{} · {} · {}",
            text(row, "name"),
            text(row, "lot_number"),
            date_br(text(row, "expiry_date"))
        ),
    };
    Ok(rows.iter().map(view).collect())
}

/// What the session before this one of the same patient used, with places; `None` where there is none.
///
/// # Errors
/// What the replica reports.
pub fn find_last_points(
    replica: &Replica,
    patient: &str,
    session: &str,
) -> Result<Option<Map<String, Json>>, ReplicaError> {
    let sql = "SELECT t.products_used FROM treatment_sessions t JOIN treatment_plans l ON l.id = t.treatment_plan_id
        WHERE l.patient_id = uuid(?1) AND t.id IS NOT uuid(?2) AND t.retired_at IS NULL AND instr(t.products_used, '\"x\"') > 0
        ORDER BY t.session_date DESC, t.id DESC";
    let rows = list(replica, sql, &[patient.into(), session.into()], 1)?;
    let Some(row) = rows.first() else { return Ok(None) };
    let Ok(Json::Object(map)) = serde_json::from_str(text(row, "products_used")) else { return Ok(None) };
    Ok(Some(map.into_iter().filter(|(_, value)| value.get("x").is_some()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn uses_are_read_in_their_order_and_only_true_places_are_points() {
        let record = json!({ "products_used": {
            "b": { "product_id": "p", "quantity": "4", "x": 500, "y": 250, "depth": "dermal" },
            "a": { "product_id": "p", "quantity": "2.5" },
            "c": { "product_id": "q", "quantity": 1, "x": 1001, "y": 3 },
            "d": "nonsense"
        } });
        let found = uses(record.as_object().unwrap());
        let read: Vec<_> =
            found.iter().map(|one| (one.key.as_str(), one.quantity.to_string(), one.place)).collect();
        assert_eq!(
            read,
            [
                ("a", "2.5".to_owned(), None),
                ("b", "4".to_owned(), Some((500, 250))),
                ("c", "1".to_owned(), None)
            ]
        );
    }
}
