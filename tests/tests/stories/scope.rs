//! A tablet without a network says of an act what the server says of it later.

use neonpro_client_core::Draft;
use neonpro_contract::catalogue::Role;
use neonpro_contract::scope_of_practice::Verdict;
use neonpro_server::clock;
use neonpro_tests::cluster::network;
use neonpro_tests::compare::differences;
use neonpro_tests::fleet::{Fleet, eventually};
use serde_json::json;
use sqlx_core::row::Row as _;
use uuid::Uuid;

/// Level, authorised, conditions, version and rules as the server kept them.
async fn kept(
    fleet: &Fleet,
    record: Uuid,
) -> Option<(String, bool, Vec<String>, Option<String>, Vec<String>)> {
    let row = sqlx_core::query::query(
        "select level, is_authorized, conditions, bundle, rules from sync.scope_verdicts where record_id = $1",
    )
    .bind(record)
    .fetch_optional(&mut fleet.database.admin().await)
    .await
    .unwrap()?;
    Some((
        row.try_get(0).unwrap(),
        row.try_get(1).unwrap(),
        row.try_get(2).unwrap(),
        row.try_get(3).unwrap(),
        row.try_get(4).unwrap(),
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tablets_preview_is_the_servers_verdict() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0);
    let mut tablet = fleet.tablet(clinic.id, "a").await;
    tablet.online();
    tablet.quiet().await;
    eventually("confirmed", async || tablet.status().last_confirmed_at.is_some()).await;
    tablet.offline();
    assert!(tablet.status().notes.is_empty(), "the shipped rules count here");
    let plan = tablet.replica.rows("treatment_plans", &[], 1).unwrap()[0].id;
    let products = tablet.replica.rows("inventory_products", &[], 100).unwrap();
    let services = network().reference.iter().find(|(table, _)| table.name == "service_types").unwrap();
    let mut previews: Vec<(Uuid, Verdict)> = Vec::new();
    for person in clinic.people.iter().filter(|person| person.role == Role::Professional) {
        for (number, (service, _)) in services.1.iter().enumerate() {
            let product = products[number % products.len()].id;
            let draft = Draft::new(person.id).create(
                "treatment_sessions",
                [
                    ("treatment_plan_id", json!(plan)),
                    ("session_number", json!(number + 1)),
                    ("procedure_id", json!(service)),
                    ("products_used", json!({"uso": {"product_id": product, "quantity": "1"}})),
                    ("session_date", json!(clock::now().0 - 3_600_000_000)),
                ],
            );
            let edited = tablet.replica.edit(draft).unwrap();
            previews.push((edited.record().unwrap().0, edited.scope.unwrap().verdict));
        }
    }
    tablet.online();
    tablet.quiet().await;
    let mut levels = std::collections::BTreeSet::new();
    for (record, ours) in previews {
        let theirs = kept(&fleet, record).await.expect("the session was accepted");
        levels.insert(ours.level);
        assert_eq!(
            (ours.level.as_str().to_owned(), ours.authorised, ours.conditions, ours.bundle, ours.rules),
            theirs
        );
    }
    assert!(levels.len() >= 3, "{levels:?}");
    assert_eq!(differences(&fleet.database.store, clinic.id, &tablet.replica).await, Vec::<String>::new());
}
