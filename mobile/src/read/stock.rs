//! Stock as this tablet knows it: what the server counted, and what was moved here since.
//!
//! Owns the arithmetic of quantities on a tablet and what a person must see of lots. Never writes. Invariant: a movement that the
//! server has not counted yet is in the figure that is shown, once.

use super::badge::Badge;
use super::{LIST_ROWS_MAX, Record, list, number, text};
use crate::text as words;
use crate::zone::{Zone, date_br};
use chrono::NaiveDate;
use neonpro_client_core::{Replica, ReplicaError};
use neonpro_contract::time::US_PER_SECOND;
use neonpro_contract::words::choice_label;
use rust_decimal::Decimal;
use serde_json::Value as Json;

/// Days before its expiry a lot is near it.
const NEAR_DAYS: i64 = 60;
/// Hours after which an open vial is asked about: most reconstituted toxins are to be used within a day (their leaflets say).
const OPEN_HOURS: i64 = 24;
const US_PER_HOUR: i64 = 3_600 * US_PER_SECOND;

/// Movements as signed quantities.
const SIGNED: &str = "CASE WHEN transaction_type IN ('purchase', 'return') THEN CAST(quantity AS REAL)
    WHEN transaction_type IN ('usage', 'waste') THEN -CAST(quantity AS REAL) ELSE CAST(quantity AS REAL) END";
/// Movements the server has not settled.
const UNCOUNTED: &str = "EXISTS (SELECT 1 FROM sync_change c JOIN sync_intent i ON i.n = c.n
    WHERE c.record = t.id AND i.state < 5)";

/// A product in the list.
pub struct ProductView {
    /// Record id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Quantity and unit.
    pub quantity: String,
    /// Next expiry of its lots; empty without one.
    pub expiry: String,
    /// How the stock stands, in words; empty where all is well.
    pub standing: &'static str,
    /// Tone of that.
    pub tone: &'static str,
    /// Category.
    pub category: String,
}

/// A lot of a product.
pub struct LotView {
    /// Record id.
    pub id: String,
    /// Number on the package.
    pub number: String,
    /// Expiry, as people write it.
    pub expiry: String,
    /// Where it is kept.
    pub site: String,
    /// Quantity left, of what was booked on it.
    pub quantity: String,
    /// How it stands, in words.
    pub standing: String,
    /// Tone of that.
    pub tone: &'static str,
    /// Whether it was opened.
    pub open: bool,
    /// Whether its last day is over.
    pub expired: bool,
    /// Where the record stands.
    pub state: Badge,
}

/// A movement.
pub struct MovementView {
    /// Kind in words.
    pub kind: &'static str,
    /// Signed quantity.
    pub quantity: String,
    /// When.
    pub when: String,
    /// Notes; empty without.
    pub notes: String,
    /// Where the record stands.
    pub state: Badge,
}

/// An alert nobody has dealt with.
pub struct AlertView {
    /// Record id.
    pub id: String,
    /// Whose.
    pub product: String,
    /// Product id.
    pub product_id: String,
    /// In plain language.
    pub message: String,
    /// Kind in words.
    pub kind: &'static str,
    /// Tone.
    pub tone: &'static str,
}

/// Something of the stock a day's page warns of.
pub struct WatchView {
    /// Product and lot.
    pub title: String,
    /// What about it.
    pub detail: String,
    /// Where it leads.
    pub href: String,
    /// Tone.
    pub tone: &'static str,
    /// Whether it is an open vial.
    pub open: bool,
}

/// A number of a column that keeps decimals, or of a sum.
fn decimal(row: &Record, name: &str) -> Option<Decimal> {
    match row.get(name)? {
        Json::String(text) => text.parse().ok(),
        Json::Number(number) => number.to_string().parse::<Decimal>().ok().map(|value| value.round_dp(3)),
        _ => None,
    }
}

/// A quantity without needless zeros, as Brazilians write it.
#[must_use]
pub fn quantity(value: Decimal) -> String {
    value.normalize().to_string().replace('.', ",")
}

/// Products in use by name; with words, those whose name, code or maker holds them.
///
/// # Errors
/// What the replica reports.
pub fn list_products(
    replica: &Replica,
    search: &str,
    today: NaiveDate,
) -> Result<Vec<ProductView>, ReplicaError> {
    let sql = format!(
        "SELECT uuid_text(p.id) AS id, p.name, p.category, p.unit_type, p.current_quantity, p.min_quantity, p.reorder_point,
            (SELECT min(l.expiry_date) FROM inventory_lots l WHERE l.product_id = p.id AND l.retired_at IS NULL) AS expiry,
            (SELECT sum({SIGNED}) FROM inventory_transactions t WHERE t.product_id = p.id AND {UNCOUNTED}) AS moved
         FROM inventory_products p WHERE p.retired_at IS NULL AND p.is_active IS NOT 0
            AND (?1 = '' OR instr(lower(p.name || ' ' || coalesce(p.sku, '') || ' ' || coalesce(p.manufacturer, '')), lower(?1)) > 0)
         ORDER BY p.name COLLATE NOCASE, p.id"
    );
    let rows = list(replica, &sql, &[search.trim().into()], LIST_ROWS_MAX)?;
    Ok(rows.iter().map(|row| product_view(row, today)).collect())
}

fn product_view(row: &Record, today: NaiveDate) -> ProductView {
    let now = on_hand(row);
    let at_most = |name| decimal(row, name).is_some_and(|limit| now <= limit);
    let expiry = text(row, "expiry");
    let (standing, tone) = if now <= Decimal::ZERO {
        (words::stock::NONE_LEFT, "red")
    } else if at_most("min_quantity") {
        (words::stock::LOW, "amber")
    } else if at_most("reorder_point") {
        (words::stock::REORDER, "grey")
    } else {
        ("", "grey")
    };
    let near = days_until(expiry, today).is_some_and(|days| days <= NEAR_DAYS);
    ProductView {
        id: text(row, "id").to_owned(),
        name: text(row, "name").to_owned(),
        quantity: format!("{} {}", quantity(now), unit(text(row, "unit_type"))),
        expiry: if near { date_br(expiry) } else { String::new() },
        standing,
        tone,
        category: text(row, "category").to_owned(),
    }
}

/// What the server counted and what was moved here since.
fn on_hand(row: &Record) -> Decimal {
    let counted = decimal(row, "current_quantity").unwrap_or_default();
    counted.saturating_add(decimal(row, "moved").unwrap_or_default())
}

/// A unit in words.
#[must_use]
pub fn unit(name: &str) -> &'static str {
    choice_label("inventory_products", "unit_type", name).unwrap_or_default()
}

fn days_until(iso: &str, today: NaiveDate) -> Option<i64> {
    let day = NaiveDate::parse_from_str(iso, "%Y-%m-%d").ok()?;
    Some(day.signed_duration_since(today).num_days())
}

/// What is there of a product, in its unit.
///
/// # Errors
/// What the replica reports.
pub fn find_on_hand(replica: &Replica, product: &str) -> Result<Option<Decimal>, ReplicaError> {
    let sql = format!(
        "SELECT p.current_quantity,
            (SELECT sum({SIGNED}) FROM inventory_transactions t WHERE t.product_id = p.id AND {UNCOUNTED}) AS moved
         FROM inventory_products p WHERE p.id = uuid(?1)"
    );
    Ok(list(replica, &sql, &[product.into()], 1)?.first().map(on_hand))
}

/// Lots of a product, the one that expires first first.
///
/// # Errors
/// What the replica reports.
pub fn list_lots(
    replica: &Replica,
    product: &str,
    (zone, now_us): (Zone, i64),
) -> Result<Vec<LotView>, ReplicaError> {
    let sql = format!(
        "SELECT uuid_text(l.id) AS id, l.lot_number, l.expiry_date, l.opened_at, l.site,
            (SELECT sum({SIGNED}) FROM inventory_transactions t WHERE t.lot_id = l.id) AS quantity
         FROM inventory_lots l WHERE l.product_id = uuid(?1) AND l.retired_at IS NULL
         ORDER BY l.expiry_date IS NULL, l.expiry_date, l.id"
    );
    let today = zone.day(now_us).unwrap_or_default();
    list(replica, &sql, &[product.into()], LIST_ROWS_MAX)?
        .iter()
        .map(|row| {
            let (standing, tone) = lot_standing(row, today, now_us);
            Ok(LotView {
                id: text(row, "id").to_owned(),
                number: text(row, "lot_number").to_owned(),
                expiry: date_br(text(row, "expiry_date")),
                site: text(row, "site").to_owned(),
                quantity: decimal(row, "quantity").map(quantity).unwrap_or_default(),
                standing,
                tone,
                open: number(row, "opened_at").is_some(),
                expired: is_expired(row, today),
                state: Badge::of(replica, "inventory_lots", text(row, "id"))?,
            })
        })
        .collect()
}

fn is_expired(row: &Record, today: NaiveDate) -> bool {
    days_until(text(row, "expiry_date"), today).is_some_and(|days| days < 0)
}

/// The worst of expiry and opening.
fn lot_standing(row: &Record, today: NaiveDate, now_us: i64) -> (String, &'static str) {
    let open_hours = number(row, "opened_at").map(|at| now_us.saturating_sub(at).max(0) / US_PER_HOUR);
    let days = days_until(text(row, "expiry_date"), today);
    match (days, open_hours) {
        (Some(days), _) if days < 0 => (words::stock::EXPIRED.to_owned(), "red"),
        (_, Some(hours)) if hours >= OPEN_HOURS => (words::stock::open_for(hours), "red"),
        (_, Some(hours)) => (words::stock::open_for(hours), "amber"),
        (Some(days), None) if days <= NEAR_DAYS => (words::stock::expires_in(days), "amber"),
        _ => (String::new(), "grey"),
    }
}

/// Whether a lot may still be used; the reason where not.
///
/// # Errors
/// What the replica reports.
pub fn find_unusable(
    replica: &Replica,
    lot: &str,
    today: NaiveDate,
) -> Result<Option<&'static str>, ReplicaError> {
    let sql = "SELECT expiry_date, retired_at FROM inventory_lots WHERE id = uuid(?1)";
    let rows = list(replica, sql, &[lot.into()], 1)?;
    Ok(rows.first().and_then(|row| {
        if number(row, "retired_at").is_some() {
            Some(words::stock::LOT_RETIRED)
        } else if is_expired(row, today) {
            Some(words::stock::LOT_EXPIRED)
        } else {
            None
        }
    }))
}

/// The latest movements of a product.
///
/// # Errors
/// What the replica reports.
pub fn list_movements(
    replica: &Replica,
    product: &str,
    (zone, now_us): (Zone, i64),
) -> Result<Vec<MovementView>, ReplicaError> {
    let sql = format!(
        "SELECT uuid_text(t.id) AS id, t.transaction_type, {SIGNED} AS signed, t.transaction_date, t.notes
         FROM inventory_transactions t WHERE t.product_id = uuid(?1) ORDER BY t.transaction_date DESC, t.id DESC"
    );
    list(replica, &sql, &[product.into()], 20)?
        .iter()
        .map(|row| {
            let kind =
                choice_label("inventory_transactions", "transaction_type", text(row, "transaction_type"));
            Ok(MovementView {
                kind: kind.unwrap_or_default(),
                quantity: decimal(row, "signed").map(quantity).unwrap_or_default(),
                when: number(row, "transaction_date").map(|at| zone.moment(at, now_us)).unwrap_or_default(),
                notes: text(row, "notes").to_owned(),
                state: Badge::of(replica, "inventory_transactions", text(row, "id"))?,
            })
        })
        .collect()
}

/// Alerts nobody has dealt with, the worst first.
///
/// # Errors
/// What the replica reports.
pub fn list_alerts(replica: &Replica) -> Result<Vec<AlertView>, ReplicaError> {
    let sql = "SELECT uuid_text(a.id) AS id, uuid_text(a.product_id) AS product_id, p.name AS product, a.message, a.alert_type,
            a.severity
        FROM inventory_alerts a LEFT JOIN inventory_products p ON p.id = a.product_id
        WHERE a.is_resolved IS NOT 1 AND a.retired_at IS NULL
        ORDER BY CASE a.severity WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END, a.id DESC";
    let rows = list(replica, sql, &[], LIST_ROWS_MAX)?;
    let view = |row: &Record| AlertView {
        id: text(row, "id").to_owned(),
        product: text(row, "product").to_owned(),
        product_id: text(row, "product_id").to_owned(),
        message: text(row, "message").to_owned(),
        kind: choice_label("inventory_alerts", "alert_type", text(row, "alert_type")).unwrap_or_default(),
        tone: if matches!(text(row, "severity"), "critical" | "high") { "red" } else { "amber" },
    };
    Ok(rows.iter().map(view).collect())
}

/// Open vials and lots that are near their expiry or past it: what a day must not overlook.
///
/// # Errors
/// What the replica reports.
pub fn list_watch(replica: &Replica, zone: Zone, now_us: i64) -> Result<Vec<WatchView>, ReplicaError> {
    let today = zone.day(now_us).unwrap_or_default();
    let until = today.checked_add_days(chrono::Days::new(30)).unwrap_or(today).to_string();
    let sql = "SELECT l.lot_number, l.expiry_date, l.opened_at, p.name, uuid_text(p.id) AS product
        FROM inventory_lots l JOIN inventory_products p ON p.id = l.product_id
        WHERE l.retired_at IS NULL AND (l.opened_at IS NOT NULL OR l.expiry_date <= ?1)
        ORDER BY l.opened_at IS NULL, l.expiry_date, l.id";
    let rows = list(replica, sql, &[until.into()], 8)?;
    Ok(rows
        .iter()
        .map(|row| {
            let (detail, tone) = lot_standing(row, today, now_us);
            WatchView {
                title: format!("{} · {}", text(row, "name"), text(row, "lot_number")),
                detail,
                href: format!("/estoque/{}", text(row, "product")),
                tone,
                open: number(row, "opened_at").is_some(),
            }
        })
        .filter(|watch| !watch.detail.is_empty())
        .collect())
}

/// A product by the number on its package, and one of its lots by its number.
///
/// # Errors
/// What the replica reports.
pub fn find_by_code(
    replica: &Replica,
    gtin: &str,
    lot: Option<&str>,
) -> Result<Option<(String, Option<String>)>, ReplicaError> {
    let sql = "SELECT uuid_text(id) AS id FROM inventory_products
        WHERE retired_at IS NULL AND substr('00000000000000' || barcode, -14) = ?1 ORDER BY id";
    let found = list(replica, sql, &[gtin.into()], 1)?;
    let Some(product) = found.first().map(|row| text(row, "id").to_owned()) else { return Ok(None) };
    let of_lot = "SELECT uuid_text(id) AS id FROM inventory_lots
        WHERE product_id = uuid(?1) AND lot_number = ?2 AND retired_at IS NULL";
    let lot = match lot {
        Some(lot) => {
            let rows = list(replica, of_lot, &[product.as_str().into(), lot.into()], 1)?;
            rows.first().map(|row| text(row, "id").to_owned())
        }
        None => None,
    };
    Ok(Some((product, lot)))
}
