//! Two tablets and the server end with the same values, documents and digest.

use crate::Draft;
use crate::testing::server::Server;
use crate::testing::world::{ANA, ASSISTANT, PROFESSIONAL, server, synced};
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::RecordId;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::Value;
use neonpro_contract::wire::Frame;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

#[test]
fn concurrent_edits_of_different_fields_both_survive_everywhere() {
    let mut server = server();
    let (a, b) = (synced(1, &mut server), synced(2, &mut server));
    a.put(ASSISTANT, "patients", ANA, "phone", json!("111"));
    b.put(ASSISTANT, "patients", ANA, "email", json!("ana@x"));
    for tablet in [&a, &b, &a] {
        tablet.sync(&mut server);
    }
    for tablet in [&a, &b] {
        tablet.assert_equal(&server);
        let row = tablet.replica.stored_row("patients", ANA).unwrap().unwrap();
        assert_eq!(row.row.to_json(), server.row("patients", ANA).to_json());
        assert_eq!(row.stamp.feed_seq, Some(2));
    }
}

#[test]
fn a_guarded_field_changed_twice_is_disputed_on_both_tablets_until_someone_decides() {
    let mut server = server();
    let (a, b) = (synced(1, &mut server), synced(2, &mut server));
    a.put(ASSISTANT, "patients", ANA, "name", json!("Ana A"));
    b.put(ASSISTANT, "patients", ANA, "name", json!("Ana B"));
    let mut watch = a.replica.watch(&[crate::CONFLICTS]);
    for tablet in [&a, &b, &a] {
        tablet.sync(&mut server);
    }
    assert!(watch.take().contains(crate::CONFLICTS));
    for tablet in [&a, &b] {
        let conflicts = tablet.replica.conflicts().unwrap();
        assert_eq!(conflicts.len(), 1);
        assert_eq!(conflicts[0].field, "name");
        assert_eq!(conflicts[0].choices.len(), 2);
        let shown = tablet.text("patients", ANA, "name");
        assert_eq!(shown.as_deref(), conflicts[0].choices[0].value.as_str());
    }
    b.put(ASSISTANT, "patients", ANA, "name", json!("Ana C"));
    for tablet in [&b, &a] {
        tablet.sync(&mut server);
        assert!(tablet.replica.conflicts().unwrap().is_empty());
        tablet.assert_equal(&server);
    }
}

#[test]
fn an_edit_whose_header_comes_before_its_fate_is_counted_once() {
    let mut server = server();
    let a = synced(1, &mut server);
    a.put(ASSISTANT, "patients", ANA, "phone", json!("111"));
    let taken = a.replica.take_outbox(10, 100_000).unwrap().edits;
    let signed: Vec<_> = taken.iter().map(|outgoing| outgoing.signed.clone()).collect();
    let fates = server.push(&signed, &a.replica.identity().signing_key.public_key());
    let (device, cursor) = (a.replica.identity().device, a.replica.inner.store.meta().unwrap().cursor);
    let page = server.page(device, a.replica.identity().audience, cursor, 10);
    let by_feed = a.receive(Frame::Page(page)).accepted;
    let sent: Vec<_> = taken.iter().map(|outgoing| outgoing.edit).collect();
    assert_eq!((by_feed, a.fates(&sent, fates).accepted), (1, 0));
}

#[test]
fn a_clock_that_runs_ahead_does_not_win_every_conflict() {
    let mut server = server();
    let (ahead, honest) = (synced(1, &mut server), synced(2, &mut server));
    // The clock jumps after it was measured: captures lie a year ahead.
    ahead.hand.advance_us(365 * 86_400_000_000);
    ahead.put(ASSISTANT, "patients", ANA, "phone", json!("ahead"));
    ahead.push(&mut server, 10, 1);
    server.now += 60_000_000;
    honest.hand.set_us(server.now);
    honest.put(ASSISTANT, "patients", ANA, "phone", json!("honest"));
    for tablet in [&honest, &ahead, &honest] {
        tablet.open(&server);
        tablet.push(&mut server, 10, 1);
        tablet.pull(&server, 10);
    }
    for tablet in [&ahead, &honest] {
        assert_eq!(tablet.phone().as_deref(), Some("honest"), "tablet {}", tablet.number);
        assert!(tablet.replica.row("patients", ANA).unwrap().unwrap() == server.row("patients", ANA));
        tablet.assert_equal(&server);
    }
}

#[test]
fn server_owned_values_arrive_and_survive_a_local_edit() {
    let mut server = server();
    let tablet = synced(1, &mut server);
    tablet.put(ASSISTANT, "patients", ANA, "phone", json!("1"));
    server.derive("patients", ANA, "photo_consent", Value::Bool(true));
    let history = RecordId(Uuid::from_u128(0x77));
    server.derive("appointment_history", history, "change_type", Value::Text("status".into()));
    tablet.sync(&mut server);
    let row = tablet.replica.row("patients", ANA).unwrap().unwrap();
    assert_eq!((row.get("photo_consent"), row.get("phone")), (&Value::Bool(true), &Value::Text("1".into())));
    assert!(tablet.replica.row("appointment_history", history).unwrap().is_some());
    tablet.assert_equal(&server);
}

#[test]
fn a_page_applied_twice_changes_nothing() {
    let mut server = server();
    let (a, b) = (synced(1, &mut server), synced(2, &mut server));
    a.put(ASSISTANT, "patients", ANA, "phone", json!("1"));
    a.put(PROFESSIONAL, "patients", ANA, "skin_type", json!("II"));
    a.sync(&mut server);
    let identity = b.replica.identity();
    let page = server.page(identity.device, identity.audience, 0, 100);
    b.open(&server);
    b.receive(Frame::Page(page.clone()));
    let (digest, row) = (b.replica.digest().unwrap(), b.replica.stored_row("patients", ANA).unwrap());
    b.receive(Frame::Page(page));
    assert_eq!((b.replica.digest().unwrap(), b.replica.stored_row("patients", ANA).unwrap()), (digest, row));
    b.assert_equal(&server);
}

#[test]
fn a_page_that_leaves_a_gap_is_refused() {
    let mut server = server();
    let (a, b) = (synced(1, &mut server), synced(2, &mut server));
    a.put(ASSISTANT, "patients", ANA, "phone", json!("1"));
    a.put(ASSISTANT, "patients", ANA, "phone", json!("2"));
    a.sync(&mut server);
    let identity = b.replica.identity();
    let page = server.page(identity.device, identity.audience, 1, 100);
    assert_eq!(b.replica.receive(&Frame::Page(page)).unwrap_err().code(), "protocol");
}

#[test]
fn withdrawn_documents_go_with_their_text_and_come_back_when_granted() {
    let mut server = server();
    let tablet = synced(1, &mut server);
    let health = Server::document("patients", ANA, 1);
    server.withdraw(health);
    tablet.sync(&mut server);
    let row = tablet.replica.row("patients", ANA).unwrap().unwrap();
    assert!(row.get("allergies").is_null() && !row.get("name").is_null());
    tablet.assert_equal(&server);
    server.withdraw(Server::document("patients", ANA, 0));
    tablet.sync(&mut server);
    assert!(tablet.replica.row("patients", ANA).unwrap().is_none());
    assert!(tablet.replica.search_patients("conceicao", 5).unwrap().is_empty());
    tablet.assert_equal(&server);
    server.grant(Server::document("patients", ANA, 0));
    server.grant(health);
    tablet.sync(&mut server);
    assert!(tablet.replica.row("patients", ANA).unwrap().unwrap() == server.row("patients", ANA));
    assert_eq!(tablet.replica.search_patients("conceicao", 5).unwrap().len(), 1);
    tablet.assert_equal(&server);
}

#[test]
fn a_base_that_differs_is_found_by_the_first_edit_and_repaired() {
    let mut server = server();
    let tablet = synced(1, &mut server);
    tablet.put(ASSISTANT, "patients", ANA, "email", json!("aqui@x"));
    // The server's row was not what the tablet believes: their first changes have other hashes.
    server.seed("patients", ANA, &[("name", json!("Ana de Verdade")), ("is_active", json!(true))]);
    for _ in 0..3 {
        tablet.sync(&mut server);
    }
    assert_eq!(tablet.text("patients", ANA, "name").as_deref(), Some("Ana de Verdade"));
    assert_eq!(
        tablet.text("patients", ANA, "email").as_deref(),
        Some("aqui@x"),
        "the edit was put on the new base"
    );
    tablet.assert_equal(&server);
    assert_eq!(tablet.replica.status().unwrap().waiting.edits, 0);
}

#[test]
fn documents_that_differ_are_found_by_the_digest_and_repaired() {
    let mut server = server();
    let (tablet, other) = (synced(1, &mut server), synced(2, &mut server));
    other.put(ASSISTANT, "patients", ANA, "phone", json!("1"));
    let extra =
        other.replica.edit(Draft::new(ASSISTANT).create("patients", [("name", json!("Bia"))])).unwrap();
    other.sync(&mut server);
    // Damage here: one document forgot its change, another record is gone.
    tablet.sync(&mut server);
    tablet
        .replica
        .inner
        .store
        .write(|tx| {
            tx.sql.execute("DELETE FROM sync_document WHERE record = ?1", [ANA.0.as_bytes()])?;
            tx.sql.execute("DELETE FROM patients WHERE id = ?1", [extra.record().unwrap().0.as_bytes()])?;
            Ok::<_, crate::ReplicaError>(())
        })
        .unwrap();
    let digest = tablet.replica.recompute_digest().unwrap();
    tablet
        .replica
        .inner
        .store
        .write(|tx| {
            tx.meta.digest = digest;
            Ok::<_, crate::ReplicaError>(())
        })
        .unwrap();
    tablet.sync(&mut server);
    tablet.assert_equal(&server);
    assert!(tablet.replica.row("patients", extra.record().unwrap()).unwrap().is_some());
}

#[test]
fn a_copy_of_a_tablet_takes_a_new_generation_and_both_converge() {
    let mut server = server();
    let mut original = synced(1, &mut server);
    original.put(ASSISTANT, "patients", ANA, "phone", json!("antes"));
    original.replica.close().unwrap();
    let copied = original.dir.path().join("copy.db");
    std::fs::copy(original.path(), &copied).unwrap();
    let clock = original.replica.clock();
    let copy = crate::Replica::open(&copied, crate::testing::world::key(), clock.clone()).unwrap();
    assert_eq!(copy.status().unwrap().generation, 2);
    assert!(matches!(copy.status().unwrap().notes[0], crate::Note::CopiedReplica { .. }));
    original.replica = crate::Replica::open(original.path(), crate::testing::world::key(), clock).unwrap();
    assert_eq!(original.replica.status().unwrap().generation, 1);
    let mut copy_tablet = synced(9, &mut server);
    copy_tablet.replica.close().unwrap();
    copy_tablet.replica = copy;
    copy_tablet.put(ASSISTANT, "patients", ANA, "phone", json!("cópia"));
    original.put(ASSISTANT, "patients", ANA, "email", json!("original@x"));
    for _ in 0..2 {
        original.sync(&mut server);
        copy_tablet.sync(&mut server);
    }
    original.sync(&mut server);
    for tablet in [&original, &copy_tablet] {
        assert_eq!(tablet.phone().as_deref(), Some("cópia"));
        assert_eq!(tablet.text("patients", ANA, "email").as_deref(), Some("original@x"));
        tablet.assert_equal(&server);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Phone(usize, u8),
    Name(usize, u8),
    Allergy(usize, u8),
    Forget(usize, u8),
    Notes(usize, u8),
    Create(usize, u8),
    Retire(usize),
    Sync(usize),
    Push(usize),
    Pull(usize),
    Flatten(u8),
    Withdraw,
    Grant,
    Reopen(usize),
    Refuse(u8),
    Hold(bool),
    Reseed(usize),
    Book(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..2usize;
    prop_oneof![
        (who.clone(), any::<u8>()).prop_map(|(who, n)| Step::Phone(who, n)),
        (who.clone(), any::<u8>()).prop_map(|(who, n)| Step::Name(who, n)),
        (who.clone(), 0..4u8).prop_map(|(who, n)| Step::Allergy(who, n)),
        (who.clone(), 0..4u8).prop_map(|(who, n)| Step::Forget(who, n)),
        (who.clone(), any::<u8>()).prop_map(|(who, n)| Step::Notes(who, n)),
        (who.clone(), any::<u8>()).prop_map(|(who, n)| Step::Create(who, n)),
        who.clone().prop_map(Step::Retire),
        who.clone().prop_map(Step::Sync),
        who.clone().prop_map(Step::Push),
        who.clone().prop_map(Step::Pull),
        (0..2u8).prop_map(Step::Flatten),
        Just(Step::Withdraw),
        Just(Step::Grant),
        who.clone().prop_map(Step::Reopen),
        (0..4u8).prop_map(Step::Refuse),
        any::<bool>().prop_map(Step::Hold),
        who.clone().prop_map(Step::Reseed),
        who.prop_map(Step::Book),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_everyone_ends_with_the_same_and_the_digest_keeps_up(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut server = server();
        let mut tablets = [synced(1, &mut server), synced(2, &mut server)];
        let mut granted = true;
        for step in steps {
            let edit = |who: usize, draft: Draft| {
                tablets[who].hand.advance_us(1_000_003);
                match tablets[who].replica.edit(draft) {
                    Ok(_) => {}
                    Err(error) => assert!(["nothing_to_do", "not_found", "not_held_here"].contains(&error.code()), "{error}"),
                }
            };
            match step {
                Step::Phone(who, n) => {
                    edit(who, Draft::new(ASSISTANT).put("patients", ANA, "phone", json!(n.to_string())));
                }
                Step::Name(who, n) => {
                    edit(who, Draft::new(ASSISTANT).put("patients", ANA, "name", json!(format!("Ana {n}"))));
                }
                Step::Allergy(who, n) => {
                    edit(who, Draft::new(PROFESSIONAL).add("patients", ANA, "allergies", &format!("a{n}")));
                }
                Step::Forget(who, n) => {
                    edit(who, Draft::new(PROFESSIONAL).remove("patients", ANA, "allergies", &format!("a{n}"), "erro"));
                }
                Step::Notes(who, n) => {
                    edit(who, Draft::new(PROFESSIONAL).text("patients", ANA, "notes", &format!("nota {n} fim")));
                }
                Step::Create(who, n) => {
                    edit(who, Draft::new(ASSISTANT).create("patients", [("name", json!(format!("Novo {n}")))]));
                }
                Step::Retire(who) => edit(who, Draft::new(ASSISTANT).retire("patients", ANA, "x")),
                Step::Sync(who) => tablets[who].sync(&mut server),
                Step::Push(who) => {
                    tablets[who].open(&server);
                    tablets[who].push(&mut server, 2, 2);
                }
                Step::Pull(who) => {
                    tablets[who].open(&server);
                    tablets[who].pull(&server, 3);
                }
                Step::Flatten(facet) => server.flatten(Server::document("patients", ANA, facet)),
                Step::Withdraw if granted => {
                    granted = false;
                    server.withdraw(Server::document("patients", ANA, 1));
                }
                Step::Grant if !granted => {
                    granted = true;
                    server.grant(Server::document("patients", ANA, 1));
                }
                Step::Withdraw | Step::Grant => {}
                Step::Reopen(who) => tablets[who].reopen(),
                // Every n-th edit is refused from now on; 0 refuses none.
                Step::Refuse(nth) => {
                    server.policy = Box::new(move |envelope| {
                        let pick = nth > 0 && envelope.edit.0.as_bytes()[15] % nth == 0;
                        pick.then_some(Fate::Refused { code: Code::RoleNotAllowed })
                    });
                }
                Step::Hold(hold) => {
                    server.policy = Box::new(move |envelope| {
                        hold.then_some(Fate::Held { missing: envelope.changes[0].document })
                    });
                }
                Step::Reseed(who) => tablets[who].replica.reseed().unwrap(),
                Step::Book(who) => {
                    let patient = tablets[who].replica.rows("patients", &[], 50).unwrap().pop().unwrap().id;
                    edit(
                        who,
                        Draft::new(ASSISTANT).create(
                            "payments",
                            [
                                ("patient_id", json!(patient)),
                                ("amount", json!("10")),
                                ("payment_method", json!("pix")),
                            ],
                        ),
                    );
                }
            }
            for tablet in &tablets {
                tablet.assert_digest();
            }
        }
        server.policy = Box::new(|_| None);
        if !granted {
            server.grant(Server::document("patients", ANA, 1));
        }
        for round in 0..4 {
            tablets[round % 2].sync(&mut server);
        }
        for tablet in &tablets {
            tablet.sync(&mut server);
            let status = tablet.replica.status().unwrap();
            prop_assert_eq!(status.waiting.edits, 0);
            prop_assert!(status.last_confirmed_at.is_some());
            tablet.assert_equal(&server);
            let row = tablet.replica.row("patients", ANA).unwrap().unwrap();
            prop_assert_eq!(row.to_json(), server.row("patients", ANA).to_json());
        }
    }
}

#[test]
fn a_merge_instant_bounds_the_capture_time_in_every_projection() {
    // The type itself refuses to compare device and server time by accident; this pins what clamping means.
    assert_eq!(neonpro_contract::time::DeviceInstant(10).clamped(ServerInstant(5)), 5);
}
