//! Edits that are set aside: kept for a person, rolled back whole, and what did not depend on them goes on.

use crate::testing::server::Server;
use crate::testing::world::{ANA, ASSISTANT, PROFESSIONAL, Tablet, server, synced};
use crate::{Draft, Place, RecordState};
use neonpro_contract::edit::Envelope;
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::{EditId, RecordId};
use neonpro_contract::value::Value;
use serde_json::json;

fn refuse(server: &mut Server, edit: EditId, code: Code) {
    server.policy =
        Box::new(move |envelope: &Envelope| (envelope.edit == edit).then_some(Fate::Refused { code }));
}

fn create(tablet: &Tablet, name: &str) -> (EditId, RecordId) {
    tablet.hand.advance_us(1_000_000);
    let edited =
        tablet.replica.edit(Draft::new(ASSISTANT).create("patients", [("name", json!(name))])).unwrap();
    (edited.edit, edited.record().unwrap())
}

#[test]
fn tablet_keeps_the_edit_when_the_server_refuses_it() {
    let mut server = server();
    let tablet = synced(1, &mut server);
    let refused = tablet.put(ASSISTANT, "patients", ANA, "phone", json!("recusado"));
    refuse(&mut server, refused.edit, Code::InvalidValue);
    let mut watch = tablet.replica.watch(&[crate::ATTENTION, "patients"]);
    tablet.sync(&mut server);
    assert_eq!(watch.take().len(), 2);
    assert_eq!(tablet.phone().as_deref(), Some("(11) 98765-4321"), "back to what the server has");
    let attention = tablet.replica.attention().unwrap();
    assert_eq!(attention.len(), 1);
    assert_eq!((attention[0].edit, attention[0].code), (refused.edit, Some(Code::InvalidValue)));
    assert_eq!(attention[0].place, Place::Refused);
    assert_eq!(attention[0].documents[0].ops[0].field(), "phone", "the person's words are still there");
    let status = tablet.replica.status().unwrap();
    assert_eq!((status.needs_attention, status.waiting.edits, status.generation), (1, 0, 2));
    assert_eq!(tablet.replica.record_state("patients", ANA).unwrap(), Some(RecordState::SetAside));
    tablet.assert_equal(&server);
}

#[test]
fn later_edits_are_expressed_anew_under_a_new_actor_and_accepted() {
    let mut server = server();
    let tablet = synced(1, &mut server);
    let refused = tablet.put(ASSISTANT, "patients", ANA, "phone", json!("recusado"));
    let later = tablet.put(ASSISTANT, "patients", ANA, "email", json!("fica@x"));
    let (_, other) = create(&tablet, "Outra");
    refuse(&mut server, refused.edit, Code::ConsentMissing);
    // Only the refused edit is in flight.
    tablet.open(&server);
    let public_key = tablet.replica.identity().signing_key.public_key();
    let taken = tablet.replica.take_outbox(1, 100_000).unwrap().edits;
    let fates = server.push(&[taken[0].signed.clone()], &public_key);
    let applied = tablet.fates(&[refused.edit], fates);
    assert!(applied.requeued && applied.set_aside == 1);
    assert_eq!(tablet.text("patients", ANA, "email").as_deref(), Some("fica@x"));
    tablet.sync(&mut server);
    assert!(matches!(server.fates[&later.edit], Fate::Accepted { .. }), "same id, new bytes");
    assert_eq!(server.row("patients", ANA).get("email"), &Value::Text("fica@x".into()));
    assert!(tablet.replica.row("patients", other).unwrap().is_some());
    assert_eq!(tablet.replica.attention().unwrap().len(), 1);
    tablet.assert_equal(&server);
}

#[test]
fn an_edit_in_flight_is_never_expressed_anew_before_its_fate_is_known() {
    let mut server = server();
    let tablet = synced(1, &mut server);
    let refused = tablet.put(ASSISTANT, "patients", ANA, "phone", json!("recusado"));
    let (flying, record) = create(&tablet, "Em voo");
    let queued = tablet.put(ASSISTANT, "patients", ANA, "address", json!("Rua A"));
    refuse(&mut server, refused.edit, Code::InvalidValue);
    tablet.open(&server);
    let public_key = tablet.replica.identity().signing_key.public_key();
    let first = tablet.replica.take_outbox(1, 100_000).unwrap().edits;
    let second = tablet.replica.take_outbox(1, 100_000).unwrap().edits;
    assert_eq!(second[0].edit, flying);
    let first_fates = server.push(&[first[0].signed.clone()], &public_key);
    let second_fates = server.push(&[second[0].signed.clone()], &public_key);
    let applied = tablet.fates(&[refused.edit], first_fates);
    assert!(!applied.requeued);
    assert_eq!(tablet.replica.status().unwrap().generation, 1, "held back");
    assert!(
        tablet.replica.take_outbox(9, 100_000).unwrap().edits.is_empty(),
        "nothing new goes out meanwhile"
    );
    let applied = tablet.fates(&[flying], second_fates);
    assert!(applied.requeued);
    assert_eq!(tablet.replica.status().unwrap().generation, 2);
    tablet.sync(&mut server);
    assert!(matches!(server.fates[&queued.edit], Fate::Accepted { .. }));
    assert_eq!(tablet.replica.record_state("patients", record).unwrap(), Some(RecordState::Confirmed));
    tablet.assert_equal(&server);
}

#[test]
fn a_refused_creation_takes_along_what_needs_it_and_nothing_else() {
    let mut server = server();
    let tablet = synced(1, &mut server);
    let (refused, record) = create(&tablet, "Nova");
    tablet.put(ASSISTANT, "patients", record, "phone", json!("1"));
    tablet.replica.update_record(PROFESSIONAL, "patients", record, [("skin_type", json!("II"))]).unwrap();
    let booking = Draft::new(ASSISTANT).create(
        "appointments",
        [
            ("patient_id", json!(record)),
            ("start_time", json!("2026-03-02T12:00:00Z")),
            ("end_time", json!("2026-03-02T13:00:00Z")),
            ("duration_minutes", json!(60)),
        ],
    );
    let booking = tablet.replica.edit(booking).unwrap();
    let (_, innocent) = create(&tablet, "Inocente");
    refuse(&mut server, refused, Code::NotFound);
    tablet.open(&server);
    let public_key = tablet.replica.identity().signing_key.public_key();
    let taken = tablet.replica.take_outbox(1, 100_000).unwrap().edits;
    let fates = server.push(&[taken[0].signed.clone()], &public_key);
    tablet.fates(&[refused], fates);
    let attention = tablet.replica.attention().unwrap();
    let codes: Vec<_> = attention.iter().map(|item| item.code.unwrap().as_str()).collect();
    assert_eq!(codes, ["not_found", "depends_on_set_aside", "depends_on_set_aside", "depends_on_set_aside"]);
    assert!(tablet.replica.row("patients", record).unwrap().is_none());
    assert!(tablet.replica.row("appointments", booking.record().unwrap()).unwrap().is_none());
    assert!(tablet.replica.search_patients("nova", 5).unwrap().is_empty());
    assert!(tablet.replica.row("patients", innocent).unwrap().is_some());
    tablet.sync(&mut server);
    tablet.assert_equal(&server);
    assert_eq!(tablet.replica.status().unwrap().waiting.edits, 0);
}

#[test]
fn everything_in_one_push_that_builds_on_a_refused_edit_is_kept_for_a_person() {
    let mut server = server();
    let mut tablet = synced(1, &mut server);
    let refused = tablet.put(ASSISTANT, "patients", ANA, "phone", json!("recusado"));
    let dependent = tablet.put(ASSISTANT, "patients", ANA, "email", json!("depende@x"));
    let health =
        tablet.replica.update_record(PROFESSIONAL, "patients", ANA, [("skin_type", json!("III"))]).unwrap();
    refuse(&mut server, refused.edit, Code::RoleNotAllowed);
    tablet.sync(&mut server);
    assert!(matches!(server.fates[&health[0].edit], Fate::Accepted { .. }), "another document goes through");
    let codes: Vec<_> = tablet.replica.attention().unwrap().iter().map(|item| item.code.unwrap()).collect();
    assert_eq!(codes, [Code::RoleNotAllowed, Code::DependsOnSetAside]);
    tablet.assert_equal(&server);
    tablet.reopen();
    let again = tablet.replica.resend(dependent.edit).unwrap();
    assert_eq!(again.edit, dependent.edit, "the same edit: it is merged once");
    tablet.sync(&mut server);
    assert_eq!(server.row("patients", ANA).get("email"), &Value::Text("depende@x".into()));
    assert_eq!(tablet.replica.attention().unwrap().len(), 1);
    tablet.replica.dismiss(refused.edit, ASSISTANT).unwrap();
    assert!(tablet.replica.attention().unwrap().is_empty());
    assert_eq!(tablet.replica.dismiss(refused.edit, ASSISTANT).unwrap_err().code(), "no_such_edit");
    let kept = tablet
        .replica
        .query("SELECT count(*) FROM sync_intent WHERE closed_how = 'dismissed'", &[], 1)
        .unwrap();
    assert_eq!(kept.rows[0][0], json!(1), "never deleted");
    tablet.assert_equal(&server);
}

#[test]
fn a_released_edit_closes_its_attention_entry_by_itself() {
    let mut server = server();
    let (tablet, other) = (synced(1, &mut server), synced(2, &mut server));
    let edit = tablet.put(ASSISTANT, "patients", ANA, "phone", json!("selado"));
    let quarantined = edit.edit;
    server.policy = Box::new(move |envelope: &Envelope| {
        (envelope.edit == quarantined).then_some(Fate::Quarantined { code: Code::ConsentMissing })
    });
    tablet.sync(&mut server);
    assert_eq!(tablet.replica.attention().unwrap()[0].place, Place::Quarantined);
    server.policy = Box::new(|_| None);
    // The release is a change of another actor that carries the original edit's id.
    other
        .replica
        .inner
        .store
        .write(|tx| {
            let mut batch = crate::project::Batch::default();
            let stored = crate::edit::Given {
                now_us: 0,
                edit: quarantined,
                fresh: &mut || RecordId(uuid::Uuid::nil()),
                capture: None,
                again: None,
            };
            let draft = Draft::new(ASSISTANT).put("patients", ANA, "phone", json!("selado"));
            crate::edit::perform(tx, &draft, stored)?;
            batch.record(&tx.sql, neonpro_contract::catalogue::table("patients").unwrap(), ANA)?;
            Ok::<_, crate::EditRejected>(())
        })
        .unwrap();
    server.fates.remove(&quarantined);
    other.sync(&mut server);
    tablet.sync(&mut server);
    assert!(tablet.replica.attention().unwrap().is_empty());
    assert_eq!(tablet.phone().as_deref(), Some("selado"));
    tablet.assert_equal(&server);
}

#[test]
fn a_held_edit_stays_and_resolves_by_itself() {
    let mut server = server();
    let tablet = synced(1, &mut server);
    let edit = tablet.put(ASSISTANT, "patients", ANA, "phone", json!("espera"));
    let document = edit.documents[0];
    server.policy = Box::new(move |_| Some(Fate::Held { missing: document }));
    tablet.sync(&mut server);
    assert_eq!(tablet.phone().as_deref(), Some("espera"));
    assert_eq!(tablet.replica.attention().unwrap()[0].place, Place::Held);
    let status = tablet.replica.status().unwrap();
    assert_eq!((status.waiting.edits, status.needs_attention), (1, 0));
    server.policy = Box::new(|_| None);
    tablet.sync(&mut server);
    assert_eq!(tablet.replica.status().unwrap().waiting.edits, 0);
    tablet.assert_equal(&server);
}

#[test]
fn an_edit_on_a_flattened_document_is_expressed_on_its_next_epoch() {
    let mut server = server();
    let (tablet, other) = (synced(1, &mut server), synced(2, &mut server));
    other.put(ASSISTANT, "patients", ANA, "address", json!("Rua B"));
    other.sync(&mut server);
    server.flatten(Server::document("patients", ANA, 0));
    let edit = tablet.put(ASSISTANT, "patients", ANA, "phone", json!("novo"));
    let second = tablet.put(ASSISTANT, "patients", ANA, "email", json!("novo@x"));
    tablet.open(&server);
    tablet.push(&mut server, 10, 1);
    assert_eq!(tablet.phone().as_deref(), Some("novo"), "still shown while the snapshot is on its way");
    assert!(tablet.replica.attention().unwrap().iter().all(|item| item.place == Place::Held));
    tablet.sync(&mut server);
    for edit in [edit.edit, second.edit] {
        assert!(matches!(server.fates[&edit], Fate::Accepted { .. }));
    }
    assert_eq!(tablet.text("patients", ANA, "address").as_deref(), Some("Rua B"));
    assert_eq!(tablet.phone().as_deref(), Some("novo"));
    tablet.assert_equal(&server);
    other.sync(&mut server);
    other.assert_equal(&server);
}

#[test]
fn an_answer_lost_on_the_way_is_asked_again_and_counted_once() {
    let mut server = server();
    let mut tablet = synced(1, &mut server);
    tablet.put(ASSISTANT, "patients", ANA, "phone", json!("1"));
    let (_, record) = create(&tablet, "Bia");
    tablet.open(&server);
    let public_key = tablet.replica.identity().signing_key.public_key();
    let taken = tablet.replica.take_outbox(10, 100_000).unwrap().edits;
    let signed: Vec<_> = taken.iter().map(|outgoing| outgoing.signed.clone()).collect();
    drop(server.push(&signed, &public_key));
    tablet.reopen();
    assert_eq!(tablet.replica.record_state("patients", record).unwrap(), Some(RecordState::Unknown));
    tablet.sync(&mut server);
    assert_eq!(server.duplicates, 2);
    assert_eq!(server.head(), 2);
    assert_eq!(tablet.replica.record_state("patients", record).unwrap(), Some(RecordState::Confirmed));
    tablet.assert_equal(&server);
}

#[test]
fn own_entries_settle_edits_whose_answer_has_not_come() {
    let mut server = server();
    let tablet = synced(1, &mut server);
    tablet.put(ASSISTANT, "patients", ANA, "phone", json!("1"));
    tablet.open(&server);
    let public_key = tablet.replica.identity().signing_key.public_key();
    let taken = tablet.replica.take_outbox(10, 100_000).unwrap().edits;
    let fates = server.push(&[taken[0].signed.clone()], &public_key);
    tablet.pull(&server, 10);
    assert_eq!(tablet.replica.status().unwrap().waiting.edits, 0);
    tablet.fates(&[taken[0].edit], fates);
    tablet.assert_equal(&server);
    assert_eq!(tablet.replica.stored_row("patients", ANA).unwrap().unwrap().stamp.feed_seq, Some(1));
}

#[test]
fn a_withdrawal_keeps_what_was_written_meanwhile_for_a_person() {
    let mut server = server();
    let tablet = synced(1, &mut server);
    tablet
        .replica
        .update_record(PROFESSIONAL, "patients", ANA, [("notes", json!("escrito offline"))])
        .unwrap();
    server.withdraw(Server::document("patients", ANA, 1));
    tablet.open(&server);
    tablet.pull(&server, 10);
    let attention = tablet.replica.attention().unwrap();
    assert_eq!(attention[0].code, Some(Code::ConsentWithdrawn));
    assert!(tablet.replica.row("patients", ANA).unwrap().unwrap().get("notes").is_null());
    tablet.assert_equal(&server);
}

#[test]
fn answers_that_do_not_match_the_push_are_a_protocol_error() {
    let mut server = server();
    let tablet = synced(1, &mut server);
    let edit = tablet.put(ASSISTANT, "patients", ANA, "phone", json!("1"));
    let none = neonpro_contract::wire::Fates { fates: Vec::new() };
    assert_eq!(tablet.replica.receive_fates(&[edit.edit], &none).unwrap_err().code(), "protocol");
    let _ = &mut server;
}
