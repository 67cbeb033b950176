//! What patients ask of their data, and incidents: each has its clock, and what is told is what is held.

use neonpro_contract::catalogue::Role;
use neonpro_contract::ids::{ClinicId, DeviceId, PatientId};
use neonpro_contract::permissions::Audience;
use neonpro_contract::time::{ServerInstant, US_PER_DAY};
use neonpro_server::actor::Actor;
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::jobs::watch_deadlines;
use neonpro_server::store::StoreError;
use neonpro_server::store::subjects::Incident;
use neonpro_server::subjects::{self, Extent, RequestKind, clocks};
use neonpro_tests::world::World;

#[tokio::test]
async fn a_request_is_open_until_it_is_answered_and_due_when_the_law_says() {
    let world = World::new().await;
    let (clinic, owner) = (world.clinic(0).id, world.person(0, Role::Admin));
    let (patient, _) = world.patient(0, 0);
    let asked = (RequestKind::Export, PatientId(patient));
    let at = now();
    let request =
        subjects::register(world.store(), clinic, asked, "documento com foto", owner, at).await.unwrap();
    assert_eq!(request.due_at, clocks::request_due(RequestKind::Export, at).0);
    let listed = |all: bool| {
        let store = world.store().clone();
        async move {
            let mut scoped = store.begin(&Actor::system(clinic)).await.unwrap();
            let listed = scoped.list_subject_requests(all, 10).await.unwrap();
            scoped.rollback().await.unwrap();
            listed.into_iter().map(|request| (request.id, request.answer)).collect::<Vec<_>>()
        }
    };
    assert_eq!(listed(false).await, vec![(request.id, None)]);
    assert!(subjects::answer(world.store(), clinic, request.id, owner, "entregue", now()).await.unwrap());
    assert!(listed(false).await.is_empty());
    assert_eq!(listed(true).await, vec![(request.id, Some("entregue".to_owned()))]);
    let again = subjects::answer(world.store(), clinic, request.id, owner, "outra", now()).await.unwrap();
    assert!(!again, "an answer is given once");
}

#[tokio::test]
async fn a_statement_holds_every_record_of_the_patient_opened_and_nobody_elses() {
    let world = World::new().await;
    let (clinic, by) = (world.clinic(0).id, world.person(0, Role::Admin));
    let (patient, row) = world.patient(0, 0);
    let tell = |patient, extent| subjects::statement(world.store(), clinic, patient, extent, by, now());
    let brief = tell(PatientId(patient), Extent::Simplified).await.unwrap();
    assert!(brief["records"].is_null() && brief["tables"]["patients"]["records"] == 1);
    let full = tell(PatientId(patient), Extent::Full).await.unwrap();
    let records = full["records"].as_array().unwrap();
    let person = records.iter().find(|record| record["table"] == "patients").unwrap();
    assert_eq!(person["values"]["name"], row.get("name").to_json());
    for record in records {
        let whose = &record["values"]["patient_id"];
        assert!(whose.is_null() || *whose == patient.to_string());
    }
    assert_eq!(world.last_audit(clinic).await["full"], true);
    let (other, _) = world.patient(1, 0);
    for stranger in [other, fresh_id(now())] {
        let refused = tell(PatientId(stranger), Extent::Full).await;
        assert!(matches!(refused, Err(StoreError::Missing(_))));
    }
}

#[tokio::test]
async fn a_lost_tablets_incident_names_whose_data_it_may_hold_by_what_its_audience_sees() {
    let world = World::new().await;
    let (clinic, by) = (world.clinic(0).id, world.person(0, Role::Admin));
    let desk = world.device_for(clinic, Audience::FrontDesk).await;
    let care = world.device(clinic).await;
    let lost = |device| subjects::open_lost_device(world.store(), clinic, device, (by, "furto"), now());
    let (desk, care) = (lost(desk.id).await.unwrap(), lost(care.id).await.unwrap());
    let purposes = |incident: &Incident| {
        let mut all: Vec<String> = incident
            .concerned
            .as_object()
            .unwrap()
            .values()
            .flat_map(|purposes| purposes.as_array().unwrap())
            .map(|purpose| purpose.as_str().unwrap().to_owned())
            .collect();
        all.sort();
        all.dedup();
        all
    };
    assert!(purposes(&care).contains(&"treatment".to_owned()));
    assert!(!purposes(&desk).contains(&"treatment".to_owned()));
    assert!(care.concerned.as_object().unwrap().len() >= 10);
    let other = world.clinic(1).id;
    let foreign = subjects::open_lost_device(
        world.store(),
        other,
        DeviceId(desk.device.unwrap()),
        (by, "furto"),
        now(),
    )
    .await;
    assert!(matches!(foreign, Err(StoreError::Missing(_))), "another clinic's device is none");
    let close = |report| subjects::close_incident(world.store(), clinic, care.id, (by, report), now());
    assert!(close("comunicado à ANPD").await.unwrap());
    assert!(!close("de novo").await.unwrap());
}

#[tokio::test]
async fn what_is_due_soon_has_an_item_until_it_is_answered() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let owner = world.person(0, Role::Admin);
    let (patient, _) = world.patient(0, 0);
    let asked = (RequestKind::Export, PatientId(patient));
    let store = world.store();
    let request = subjects::register(store, clinic, asked, "documento com foto", owner, now()).await.unwrap();
    let before = |days: i64| ServerInstant(request.due_at - days * US_PER_DAY);
    assert_eq!(watch_deadlines(store, clinic, before(5)).await.unwrap(), 0);
    assert!(codes(&world, clinic).await.is_empty(), "there is time");
    assert_eq!(watch_deadlines(store, clinic, before(2)).await.unwrap(), 0);
    assert_eq!(codes(&world, clinic).await, ["subject_request_due"]);
    assert_eq!(watch_deadlines(store, clinic, before(-1)).await.unwrap(), 1);
    assert_eq!(codes(&world, clinic).await, ["subject_request_overdue"], "one matter, one item");
    assert!(subjects::answer(store, clinic, request.id, owner, "entregue", now()).await.unwrap());
    assert_eq!(watch_deadlines(store, clinic, before(-1)).await.unwrap(), 0);
    assert!(codes(&world, clinic).await.is_empty());
}

async fn codes(world: &World, clinic: ClinicId) -> Vec<String> {
    world
        .items(clinic)
        .await
        .into_iter()
        .map(|item| item.code)
        .filter(|code| code.starts_with("subject_request"))
        .collect()
}
