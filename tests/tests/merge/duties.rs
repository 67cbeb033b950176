//! What time itself brings, written by jobs and not by people: tablets hear of it like of an edit.

use neonpro_contract::catalogue::{FacetId, table};
use neonpro_contract::edit::DocumentId;
use neonpro_contract::ids::{ClinicId, RecordId};
use neonpro_contract::row::Row;
use neonpro_contract::time::{ServerInstant, US_PER_DAY};
use neonpro_contract::value::Value;
use neonpro_server::actor::Actor;
use neonpro_server::clock::now;
use neonpro_server::jobs::{Due, duties};
use neonpro_server::store::feed::FeedKind;
use neonpro_tests::sql;
use neonpro_tests::world::World;
use uuid::Uuid;

/// Lets time pass for one record: what its triggers would only write when somebody touches it stays as it was.
async fn age(world: &World, update: &str) {
    let mut admin = world.database.admin().await;
    sql::must(&mut admin, "set session_replication_role = replica").await;
    let changed = sql::must(&mut admin, update).await;
    assert_eq!(changed, 1, "one record is meant: {update}");
}

async fn rows(world: &World, clinic: ClinicId, name: &'static str) -> Vec<(Uuid, Row)> {
    let mut scoped = world.store().begin(&Actor::system(clinic)).await.unwrap();
    let found = scoped.list_records_after(table(name).unwrap(), None, -1, 10_000).await.unwrap();
    scoped.rollback().await.unwrap();
    found.into_iter().map(|stored| (stored.id.0, stored.row)).collect()
}

fn document(name: &str, record: Uuid) -> DocumentId {
    DocumentId { table: table(name).unwrap().id, record: RecordId(record), facet: FacetId(0) }
}

#[tokio::test]
async fn a_referral_nobody_answered_becomes_overdue_once_and_tablets_are_told() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let mut due = Due::default();
    duties(world.store(), clinic, &mut due, now()).await.unwrap();
    let pending = |row: &Row| row.get("status").as_text() == Some("pending");
    let referrals = rows(&world, clinic, "professional_referrals").await;
    let referral = match referrals.iter().find(|(_, row)| pending(row)) {
        Some((id, _)) => *id,
        None => referrals[0].0,
    };
    let late = now().0 - US_PER_DAY;
    age(
        &world,
        &format!(
            "update professional_referrals set status = 'pending', is_overdue = false, \
             response_deadline = to_timestamp({late} / 1000000.0), answer_due_at = to_timestamp({late} / 1000000.0) \
             where id = '{referral}'"
        ),
    )
    .await;
    let id = document("professional_referrals", referral);
    let told = world.feed(clinic, id).await.len();

    let caused = duties(world.store(), clinic, &mut due, now()).await.unwrap();

    assert_eq!(caused, 1);
    let row = world.row(clinic, "professional_referrals", referral).await.unwrap();
    assert_eq!(row.get("is_overdue"), &Value::Bool(true));
    assert_eq!(world.feed(clinic, id).await.len(), told + 1);
    assert_eq!(duties(world.store(), clinic, &mut due, now()).await.unwrap(), 0, "told once");
    world.assert_digest(clinic).await;
}

#[tokio::test]
async fn stock_that_expires_raises_one_alert_in_the_daily_round_of_its_clinic_alone() {
    let world = World::new().await;
    let (clinic, other) = (world.clinic(0).id, world.clinic(1).id);
    let mut due = Due::default();
    duties(world.store(), clinic, &mut due, now()).await.unwrap();
    let lots = rows(&world, clinic, "inventory_lots").await;
    let alerts = |rows: &[(Uuid, Row)]| -> Vec<Uuid> { rows.iter().map(|(id, _)| *id).collect() };
    let before = alerts(&rows(&world, clinic, "inventory_alerts").await);
    let elsewhere = alerts(&rows(&world, other, "inventory_alerts").await);
    // A product without an alert of its own, of which something is left.
    let lot = lots[0].0;
    age(&world, &format!("update inventory_lots set expiry_date = current_date + 5 where id = '{lot}'"))
        .await;
    age(
        &world,
        &format!(
            "update inventory_transactions set quantity = 1000, transaction_type = 'purchase' where id = \
             (select id from inventory_transactions where lot_id = '{lot}' limit 1)"
        ),
    )
    .await;
    let mut admin = world.database.admin().await;
    sql::run(&mut admin, "set session_replication_role = replica").await.unwrap();
    sql::run(&mut admin, "update inventory_alerts set is_resolved = true").await.unwrap();

    assert_eq!(duties(world.store(), clinic, &mut due, now()).await.unwrap(), 0, "not before the next day");
    let tomorrow = ServerInstant(now().0 + US_PER_DAY);
    let caused = duties(world.store(), clinic, &mut due, tomorrow).await.unwrap();

    assert!(caused >= 1, "{caused}");
    let after = rows(&world, clinic, "inventory_alerts").await;
    let raised: Vec<&(Uuid, Row)> = after.iter().filter(|(id, _)| !before.contains(id)).collect();
    assert!(!raised.is_empty(), "an alert was raised");
    for (id, row) in &raised {
        assert_eq!(row.get("is_resolved"), &Value::Bool(false));
        let feed = world.feed(clinic, document("inventory_alerts", *id)).await;
        assert!(
            feed.contains(&FeedKind::Snapshot) || feed.contains(&FeedKind::Row),
            "tablets are told: {feed:?}"
        );
    }
    assert_eq!(alerts(&rows(&world, other, "inventory_alerts").await), elsewhere, "nobody else's");
    let next = ServerInstant(tomorrow.0 + US_PER_DAY);
    duties(world.store(), clinic, &mut due, next).await.unwrap();
    assert_eq!(rows(&world, clinic, "inventory_alerts").await.len(), after.len(), "one alert, not one a day");
    world.assert_digest(clinic).await;
}

#[tokio::test]
async fn a_duty_that_was_not_assessed_in_time_gets_a_pending_assessment() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let before = rows(&world, clinic, "compliance_assessments").await.len();
    let mut admin = world.database.admin().await;
    sql::run(&mut admin, "set session_replication_role = replica").await.unwrap();
    sql::run(
        &mut admin,
        "update compliance_assessments set status = 'completed', assessed_at = now() - interval '3 years'",
    )
    .await
    .unwrap();

    let caused = duties(world.store(), clinic, &mut Due::default(), now()).await.unwrap();

    let after = rows(&world, clinic, "compliance_assessments").await;
    let pending: Vec<Uuid> = after
        .iter()
        .filter(|(_, row)| row.get("status").as_text() == Some("pending"))
        .map(|(id, _)| *id)
        .collect();
    assert!(
        after.len() > before && !pending.is_empty() && caused >= pending.len(),
        "{} {caused}",
        after.len()
    );
    for id in pending {
        assert!(
            !world.feed(clinic, document("compliance_assessments", id)).await.is_empty(),
            "tablets are told"
        );
    }
    world.assert_digest(clinic).await;
}
