//! A withdrawn document goes with everything that tells of it, and the server hears that it did.

use crate::testing::server::Server;
use crate::testing::world::{ANA, ASSISTANT, PROFESSIONAL, Tablet, server, synced};
use neonpro_contract::fate::Code;
use neonpro_contract::wire::Frame;
use serde_json::json;

/// A tablet whose own edit of the document to be withdrawn was accepted.
fn with_notes(server: &mut Server) -> Tablet {
    let tablet = synced(1, server);
    let notes = [("notes", json!("canário na anotação"))];
    tablet.replica.update_record(PROFESSIONAL, "patients", ANA, notes).unwrap();
    tablet.sync(server);
    tablet
}

fn count(tablet: &Tablet, sql: &str) -> u64 {
    tablet.replica.query(sql, &[], 1).unwrap().rows[0][0].as_u64().unwrap()
}

#[test]
fn a_withdrawal_is_answered_with_a_receipt_once_the_log_is_empty_and_only_until_it_is_confirmed() {
    let mut server = server();
    let mut tablet = with_notes(&mut server);
    let health = Server::document("patients", ANA, 1);
    server.withdraw(health);
    tablet.open(&server);
    tablet.pull(&server, 10);
    let log = std::fs::metadata(tablet.dir.path().join("c.db-wal")).map_or(0, |file| file.len());
    assert!(log < 64 * 1024, "only what was written since: {log}");
    // The answer was lost, the app was ended: it is told again.
    let told = tablet.replica.take_receipts().unwrap();
    tablet.reopen();
    assert_eq!(tablet.replica.take_receipts().unwrap(), told);
    assert_eq!(told.iter().map(|receipt| receipt.document).collect::<Vec<_>>(), [health]);
    assert_eq!(told[0].seq, server.head());
    tablet.tell_purges(&mut server);
    assert_eq!(server.receipts, told);
    assert_eq!(tablet.replica.take_receipts().unwrap(), []);
}

#[test]
fn accepted_edits_of_a_purged_document_are_forgotten_and_others_stay_to_heal_the_server() {
    let mut server = server();
    let tablet = with_notes(&mut server);
    tablet.put(ASSISTANT, "patients", ANA, "phone", json!("1"));
    tablet.sync(&mut server);
    assert_eq!(count(&tablet, "select count(*) from sync_intent"), 2);
    server.withdraw(Server::document("patients", ANA, 1));
    tablet.sync(&mut server);
    assert_eq!(count(&tablet, "select count(*) from sync_intent"), 1);
    assert_eq!(count(&tablet, "select count(*) from sync_intent where intent like '%canário%'"), 0);
}

#[test]
fn what_a_person_wrote_and_nobody_else_has_survives_the_purge() {
    let mut server = server();
    let tablet = synced(1, &mut server);
    let notes = [("notes", json!("escrito offline"))];
    tablet.replica.update_record(PROFESSIONAL, "patients", ANA, notes).unwrap();
    server.withdraw(Server::document("patients", ANA, 1));
    tablet.open(&server);
    tablet.pull(&server, 10);
    assert_eq!(tablet.replica.attention().unwrap()[0].code, Some(Code::ConsentWithdrawn));
    assert_eq!(count(&tablet, "select count(*) from sync_intent"), 1);
    tablet.tell_purges(&mut server);
    assert_eq!(server.receipts.len(), 1);
}

#[test]
fn a_first_sync_after_a_withdrawal_brings_neither_the_document_nor_a_disagreement() {
    let mut server = server();
    let old = with_notes(&mut server);
    server.withdraw(Server::document("patients", ANA, 1));
    for tablet in [synced(2, &mut server), old] {
        // The second one fetches everything again instead of reading the withdrawal.
        tablet.replica.reseed().unwrap();
        tablet.open(&server);
        tablet.pull(&server, 10);
        let row = tablet.replica.row("patients", ANA).unwrap().unwrap();
        assert!(row.get("notes").is_null() && !row.get("name").is_null());
        assert_eq!(count(&tablet, "select count(*) from sync_intent"), 0);
        tablet.assert_equal(&server);
    }
}

#[test]
fn a_receipt_for_a_document_this_app_does_not_know_is_given_all_the_same() {
    let mut server = server();
    let tablet = synced(1, &mut server);
    let unknown = neonpro_contract::edit::DocumentId {
        table: neonpro_contract::catalogue::TableId(900),
        ..Server::document("patients", ANA, 0)
    };
    let entry = neonpro_contract::wire::Entry::Withdraw { seq: 1, document: unknown };
    let page = neonpro_contract::wire::Page::new(0, 1, None, &vec![entry]);
    tablet.receive(Frame::Page(page));
    tablet.tell_purges(&mut server);
    assert_eq!(server.receipts[0].document, unknown);
}
