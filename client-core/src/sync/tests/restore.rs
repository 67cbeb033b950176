//! A server restored from a backup: the tablets notice and give back what it lacks.

use crate::Draft;
use crate::testing::world::{ANA, ASSISTANT, server, synced};
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::value::Value;
use neonpro_contract::wire::Frame;
use serde_json::json;
use uuid::Uuid;

#[test]
fn tablets_give_a_restored_server_the_edits_it_lacks() {
    let mut current = server();
    let tablet = synced(1, &mut current);
    tablet.put(ASSISTANT, "patients", ANA, "phone", json!("antes do backup"));
    tablet.sync(&mut current);
    // What the backup holds, rebuilt: the same first edit, nothing after it.
    let mut restored = server();
    let first = synced(7, &mut restored);
    first.put(ASSISTANT, "patients", ANA, "address", json!("outra fita"));
    first.sync(&mut restored);
    restored.epoch = Uuid::from_u128(2);
    let created =
        tablet.replica.edit(Draft::new(ASSISTANT).create("patients", [("name", json!("Depois"))])).unwrap();
    tablet.put(ASSISTANT, "patients", ANA, "phone", json!("depois do backup"));
    tablet.sync(&mut current);
    assert!(tablet.open(&restored).start_over);
    assert_eq!(tablet.phone().as_deref(), Some("depois do backup"), "nothing disappears meanwhile");
    for _ in 0..3 {
        tablet.sync(&mut restored);
    }
    assert!(restored.fates.contains_key(&created.edit));
    assert_eq!(tablet.phone().as_deref(), Some("depois do backup"));
    assert_eq!(tablet.text("patients", ANA, "address").as_deref(), Some("outra fita"));
    tablet.assert_equal(&restored);
    assert_eq!(tablet.replica.status().unwrap().waiting.edits, 0);
    assert!(tablet.replica.attention().unwrap().is_empty());
}

#[test]
fn feed_numbers_of_before_a_restore_do_not_outlive_it() {
    let mut current = server();
    let tablet = synced(1, &mut current);
    for n in 0..5 {
        tablet.put(ASSISTANT, "patients", ANA, "phone", json!(n.to_string()));
    }
    tablet.sync(&mut current);
    let mut restored = server();
    restored.epoch = Uuid::from_u128(2);
    let other = synced(7, &mut restored);
    other.put(ASSISTANT, "patients", ANA, "address", json!("Rua Nova, 1"));
    other.sync(&mut restored);
    while tablet.open(&restored).start_over {}
    tablet.pull(&restored, 4);
    let number = |tablet: &crate::testing::world::Tablet| {
        tablet.replica.stored_row("patients", ANA).unwrap().unwrap().stamp.feed_seq
    };
    assert_eq!(number(&tablet), Some(1));
}

#[test]
fn a_clock_that_jumped_drops_nothing_a_restored_server_may_lack() {
    let mut current = server();
    let tablet = synced(1, &mut current);
    tablet.put(ASSISTANT, "patients", ANA, "phone", json!("antes do salto"));
    tablet.sync(&mut current);
    tablet.hand.advance_us(400 * neonpro_contract::time::US_PER_DAY);
    tablet.sync(&mut current);
    let mut restored = server();
    restored.epoch = Uuid::from_u128(2);
    for _ in 0..3 {
        tablet.sync(&mut restored);
    }
    assert_eq!(restored.row("patients", ANA).get("phone").as_text(), Some("antes do salto"));
}

#[test]
fn what_a_server_said_of_a_record_before_it_was_restored_does_not_outlive_it() {
    let mut current = server();
    let tablet = synced(1, &mut current);
    let draft = Draft::new(ASSISTANT).create("patients", [("name", json!("Depois"))]);
    let record = tablet.replica.edit(draft).unwrap().record().unwrap();
    tablet.sync(&mut current);
    current.derive("patients", record, "duplicate_of", Value::Uuid(Uuid::from_u128(77)));
    tablet.sync(&mut current);
    assert!(!tablet.replica.row("patients", record).unwrap().unwrap().get("duplicate_of").is_null());
    let mut restored = server();
    restored.epoch = Uuid::from_u128(2);
    for _ in 0..3 {
        tablet.sync(&mut restored);
    }
    assert!(tablet.replica.row("patients", record).unwrap().unwrap().get("duplicate_of").is_null());
    tablet.assert_equal(&restored);
}

#[test]
fn a_record_a_restored_server_does_not_take_again_goes_with_its_edit() {
    let mut current = server();
    let tablet = synced(1, &mut current);
    let draft = Draft::new(ASSISTANT).create("patients", [("name", json!("Depois"))]);
    let created = tablet.replica.edit(draft).unwrap();
    let record = created.record().unwrap();
    tablet.sync(&mut current);
    let mut restored = server();
    restored.epoch = Uuid::from_u128(2);
    let fate = Fate::Quarantined { code: Code::ConsentWithdrawn };
    let again = created.edit;
    restored.policy = Box::new(move |envelope| (envelope.edit == again).then(|| fate.clone()));
    // Everything is fetched anew before the edit is pushed again.
    while tablet.open(&restored).start_over {}
    tablet.pull(&restored, 4);
    assert!(tablet.replica.row("patients", record).unwrap().is_some(), "it waits, and is shown");
    for _ in 0..3 {
        tablet.sync(&mut restored);
    }
    assert_eq!(tablet.replica.attention().unwrap().len(), 1);
    assert!(tablet.replica.row("patients", record).unwrap().is_none());
    tablet.assert_equal(&restored);
}

#[test]
fn a_record_merged_again_after_its_table_was_fetched_is_fetched_and_leaves_no_empty_row() {
    let mut current = server();
    let tablet = synced(1, &mut current);
    let draft = Draft::new(ASSISTANT).create("patients", [("name", json!("Depois"))]);
    let record = tablet.replica.edit(draft).unwrap().record().unwrap();
    tablet.sync(&mut current);
    let mut restored = server();
    restored.epoch = Uuid::from_u128(2);
    while tablet.open(&restored).start_over {}
    let audience = tablet.replica.identity().audience;
    let (mut pages, mut position) = (Vec::new(), None);
    loop {
        let page = restored.rows_page(position, audience);
        position = page.next;
        pages.push(page);
        if position.is_none() {
            break;
        }
    }
    tablet.push(&mut restored, 10, 1);
    for page in pages {
        tablet.receive(Frame::Rows(page));
    }
    tablet.assert_digest();
    for _ in 0..3 {
        tablet.sync(&mut restored);
        tablet.assert_digest();
    }
    assert_eq!(tablet.text("patients", record, "name").as_deref(), Some("Depois"));
    tablet.assert_equal(&restored);
}
