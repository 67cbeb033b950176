//! First syncs: resumable, never over 100 %, never over an edit that waits.

use crate::Draft;
use crate::testing::server::Server;
use crate::testing::world::{ADMIN, ANA, ASSISTANT, PROFESSIONAL, Tablet, server, synced};
use neonpro_contract::ids::RecordId;
use neonpro_contract::permissions::Audience;
use neonpro_contract::wire::Frame;
use serde_json::json;
use uuid::Uuid;

fn patient(n: u128) -> RecordId {
    RecordId(Uuid::from_u128(0x1000 + n))
}

fn large() -> Server {
    let mut server = server();
    for n in 0..11 {
        server.seed(
            "patients",
            patient(n),
            &[("name", json!(format!("Paciente {n}"))), ("is_active", json!(true))],
        );
    }
    server
}

fn step(tablet: &Tablet, server: &Server) {
    let meta = tablet.replica.inner.store.meta().unwrap();
    let after = meta.bootstrap.and_then(|state| state.position);
    tablet.receive(Frame::Rows(server.rows_page(after, tablet.replica.identity().audience)));
}

#[test]
fn a_first_sync_interrupted_anywhere_goes_on_and_ends_complete() {
    for stop_after in 0..14 {
        let mut server = large();
        let mut tablet = Tablet::new(1);
        tablet.open(&server);
        for _ in 0..stop_after {
            if tablet.replica.status().unwrap().first_sync.is_some() {
                step(&tablet, &server);
            }
            let progress = tablet.replica.status().unwrap().first_sync;
            assert!(progress.is_none_or(|progress| progress.done <= progress.total));
        }
        tablet.reopen();
        let writer = synced(2, &mut server);
        writer.put(ASSISTANT, "patients", patient(3), "phone", json!("durante"));
        writer.sync(&mut server);
        tablet.sync(&mut server);
        assert_eq!(tablet.text("patients", patient(3), "phone").as_deref(), Some("durante"), "{stop_after}");
        let status = tablet.replica.status().unwrap();
        assert!(status.first_sync.is_none() && status.synced_once && status.last_confirmed_at.is_some());
        tablet.assert_equal(&server);
    }
}

#[test]
fn records_with_live_changes_and_later_epochs_arrive_as_they_are() {
    let mut server = large();
    let writer = synced(1, &mut server);
    writer.put(ASSISTANT, "patients", patient(1), "phone", json!("1"));
    writer.put(ASSISTANT, "patients", patient(2), "phone", json!("2"));
    writer.sync(&mut server);
    server.flatten(Server::document("patients", patient(2), 0));
    let tablet = synced(2, &mut server);
    tablet.assert_equal(&server);
    for n in [1, 2] {
        tablet.put(ASSISTANT, "patients", patient(n), "email", json!("x@x"));
    }
    tablet.sync(&mut server);
    tablet.assert_equal(&server);
    writer.sync(&mut server);
    writer.assert_equal(&server);
}

#[test]
fn a_page_does_not_overwrite_an_edit_that_waits() {
    let mut server = large();
    let tablet = synced(1, &mut server);
    tablet.put(ASSISTANT, "patients", ANA, "phone", json!("minha"));
    let created =
        tablet.replica.edit(Draft::new(ASSISTANT).create("patients", [("name", json!("Só aqui"))])).unwrap();
    let gone = patient(4);
    tablet.replica.reseed().unwrap();
    // Meanwhile the server changed one record and lost sight of another.
    server.seed("patients", ANA, &[("name", json!("Ana Maria")), ("is_active", json!(true))]);
    for facet in 0..2 {
        server.docs.remove(&Server::document("patients", gone, facet));
    }
    server.rows.retain(|(_, id), _| *id != gone);
    tablet.open(&server);
    while tablet.replica.status().unwrap().first_sync.is_some() {
        step(&tablet, &server);
    }
    assert_eq!(tablet.phone().as_deref(), Some("minha"));
    assert_eq!(tablet.text("patients", ANA, "name").as_deref(), Some("Ana Maria"));
    assert!(tablet.replica.row("patients", gone).unwrap().is_none(), "not met again");
    assert!(tablet.replica.row("patients", created.record().unwrap()).unwrap().is_some());
    tablet.assert_equal(&server);
    tablet.sync(&mut server);
    tablet.assert_equal(&server);
    assert_eq!(tablet.replica.status().unwrap().waiting.edits, 0);
    assert_eq!(tablet.replica.search_patients("paciente 4", 9).unwrap().len(), 0);
    assert_eq!(tablet.replica.search_patients("paciente", 99).unwrap().len(), 10);
}

#[test]
fn a_front_desk_tablet_counts_only_what_it_may_hold() {
    let mut server = large();
    let plan = RecordId(Uuid::from_u128(0x2000));
    server.seed(
        "treatment_plans",
        plan,
        &[("patient_id", json!(ANA)), ("title", json!("x")), ("status", json!("draft"))],
    );
    let desk = Tablet::with_audience(1, Audience::FrontDesk, "http://127.0.0.1:1");
    desk.sync(&mut server);
    assert!(desk.replica.row("treatment_plans", plan).unwrap().is_none());
    let clinical = synced(2, &mut server);
    clinical.replica.update_record(PROFESSIONAL, "patients", ANA, [("notes", json!("x"))]).unwrap();
    clinical.put(ASSISTANT, "patients", ANA, "phone", json!("1"));
    clinical.replica.edit(Draft::new(ADMIN).create("patients", [("name", json!("Nova"))])).unwrap();
    clinical.sync(&mut server);
    desk.sync(&mut server);
    desk.assert_equal(&server);
    assert_eq!(desk.phone().as_deref(), Some("1"));
    assert!(desk.replica.row("patients", ANA).unwrap().unwrap().get("notes").is_null());
}
