//! The ledger, the quantity it sums to, and the alerts it raises.

use super::sample::{Clinic, fresh};
use neonpro_contract::catalogue;
use neonpro_tests::sql::{Database, list, must, text};
use sqlx_postgres::PgConnection;

/// A clinic whose stock has never moved and whose product is watched.
async fn quiet_stock(db: &mut Database) -> Clinic {
    let clinic = Clinic::create(&mut db.admin, 1).await;
    must(&mut db.admin, "set session_replication_role = replica").await;
    must(&mut db.admin, "delete from inventory_alerts").await;
    must(&mut db.admin, "delete from inventory_transactions").await;
    let set = "update inventory_products set current_quantity = 0, min_quantity = 5, reorder_point = 8, feed_seq = 1";
    must(&mut db.admin, set).await;
    must(&mut db.admin, "set session_replication_role = default").await;
    clinic
}

async fn movement(
    conn: &mut PgConnection,
    clinic: &Clinic,
    number: u16,
    kind: &str,
    quantity: &str,
    more: &[(&str, &str)],
) {
    let table = catalogue::table("inventory_transactions").unwrap();
    let mut given = vec![
        ("transaction_type", format!("'{kind}'")),
        ("quantity", quantity.to_owned()),
        ("lot_id", "null".to_owned()),
    ];
    given.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    must(conn, &clinic.insert(table, fresh(1, 800 + number), &given)).await;
}

async fn quantity(conn: &mut PgConnection) -> String {
    text(conn, "select trim_scale(current_quantity) from inventory_products").await
}

async fn open_alerts(conn: &mut PgConnection) -> Vec<String> {
    list(conn, "select alert_type || ' ' || severity from inventory_alerts where not is_resolved order by 1")
        .await
}

#[tokio::test]
async fn the_quantity_is_the_signed_sum_of_the_ledger() {
    let mut db = Database::create().await;
    let clinic = quiet_stock(&mut db).await;
    let mut server = db.server(clinic.id).await;
    for (number, kind, amount, sum) in [
        (1, "purchase", "20", "20"),
        (2, "usage", "2.5", "17.5"),
        (3, "waste", "1", "16.5"),
        (4, "return", "0.5", "17"),
        (5, "adjustment", "-3", "14"),
        (6, "transfer", "-4", "10"),
        (7, "transfer", "1", "11"),
        (8, "usage", "-1", "10"),
    ] {
        movement(&mut server, &clinic, number, kind, amount, &[]).await;
        assert_eq!(quantity(&mut server).await, sum, "after {kind} {amount}");
    }
    assert_eq!(text(&mut server, "select recount_inventory(clinic_id) from clinics").await, "0");
    assert_eq!(text(&mut server, "select feed_seq is null from inventory_products").await, "true");
    // Numbering a movement is no movement.
    must(&mut server, "update inventory_transactions set feed_seq = 3").await;
    assert_eq!(quantity(&mut server).await, "10");
    must(&mut db.admin, "update inventory_products set current_quantity = 99").await;
    assert_eq!(text(&mut server, "select recount_inventory(clinic_id) from clinics").await, "1");
    assert_eq!(quantity(&mut server).await, "10");
}

#[tokio::test]
async fn falling_stock_opens_one_alert_of_each_kind_and_raises_it() {
    let mut db = Database::create().await;
    let clinic = quiet_stock(&mut db).await;
    let mut server = db.server(clinic.id).await;
    movement(&mut server, &clinic, 1, "purchase", "10", &[]).await;
    assert_eq!(open_alerts(&mut server).await, Vec::<String>::new());
    movement(&mut server, &clinic, 2, "usage", "2", &[]).await;
    assert_eq!(open_alerts(&mut server).await, ["reorder_needed medium"]);
    movement(&mut server, &clinic, 3, "usage", "4", &[]).await;
    movement(&mut server, &clinic, 4, "usage", "1", &[]).await;
    assert_eq!(open_alerts(&mut server).await, ["low_stock high", "reorder_needed medium"]);
    movement(&mut server, &clinic, 5, "usage", "7.25", &[]).await;
    assert_eq!(quantity(&mut server).await, "-4.25", "what was used was used");
    assert_eq!(open_alerts(&mut server).await, ["low_stock critical", "reorder_needed medium"]);
    let message = "select message from inventory_alerts where alert_type = 'low_stock'";
    assert_eq!(text(&mut server, message).await, "Sem estoque: saldo -4,25");

    must(&mut server, "update inventory_alerts set is_resolved = true").await;
    movement(&mut server, &clinic, 6, "usage", "1", &[]).await;
    assert_eq!(open_alerts(&mut server).await, ["low_stock critical", "reorder_needed medium"]);
    assert_eq!(text(&mut server, "select count(*) from inventory_alerts where feed_seq is null").await, "4");
}

#[tokio::test]
async fn a_lot_near_its_end_is_announced_once_and_throwing_it_away_is_not() {
    let mut db = Database::create().await;
    let clinic = quiet_stock(&mut db).await;
    let lot = format!("'{}'", clinic.of("inventory_lots"));
    must(&mut db.admin, "update inventory_products set min_quantity = 0, reorder_point = null").await;
    must(&mut db.admin, "update inventory_lots set lot_number = 'A1', expiry_date = current_date + 10").await;
    let mut server = db.server(clinic.id).await;
    movement(&mut server, &clinic, 1, "purchase", "10", &[("lot_id", &lot)]).await;
    movement(&mut server, &clinic, 2, "usage", "1", &[("lot_id", &lot)]).await;
    assert_eq!(open_alerts(&mut server).await, ["expiring_soon medium"]);
    must(&mut db.admin, "update inventory_lots set expiry_date = current_date - 3").await;
    must(&mut server, "select raise_expiry_alerts(clinic_id) from clinics").await;
    must(&mut server, "select raise_expiry_alerts(clinic_id) from clinics").await;
    assert_eq!(open_alerts(&mut server).await, ["expired critical", "expiring_soon medium"]);
    must(&mut server, "update inventory_alerts set is_resolved = true").await;
    movement(&mut server, &clinic, 3, "waste", "9", &[("lot_id", &lot)]).await;
    must(&mut server, "select raise_expiry_alerts(clinic_id) from clinics").await;
    assert_eq!(open_alerts(&mut server).await, ["low_stock critical"], "the lot is empty and gone");
}

#[tokio::test]
async fn a_mistyped_time_zone_does_not_stop_a_movement() {
    let mut db = Database::create().await;
    let clinic = quiet_stock(&mut db).await;
    let mut server = db.server(clinic.id).await;
    must(&mut server, "update clinics set timezone = 'São Paulo'").await;
    movement(&mut server, &clinic, 1, "purchase", "10", &[("expiry_date", "current_date + 5")]).await;
    assert_eq!(open_alerts(&mut server).await, ["expiring_soon medium"]);
}
