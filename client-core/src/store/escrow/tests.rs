//! The escrow file: what is owed is in it and opens for the clinic, what is settled leaves it, and no cut loses anything.

use crate::testing::escrow::read;
use crate::testing::server::Server;
use crate::testing::world::{ANA, ASSISTANT, Tablet, server};
use crate::{Clock, Identity, Replica, SigningKey};
use neonpro_contract::edit::{Envelope, Intent};
use neonpro_contract::escrow::{HEADER_BYTES, read_header};
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::{DeviceId, EditId};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;
use uuid::Uuid;

fn file(tablet: &Tablet) -> PathBuf {
    tablet.dir.path().join("c.db.escrow")
}

fn length(tablet: &Tablet) -> u64 {
    std::fs::metadata(file(tablet)).unwrap().len()
}

/// Edits in the file; each opens and is what would be pushed.
fn kept(tablet: &Tablet) -> BTreeSet<EditId> {
    let content = read(&tablet.path(), 1);
    for (edit, content) in &content {
        let envelope: Envelope = minicbor::decode(&content.signed.envelope).unwrap();
        let intent: Intent = serde_json::from_slice(&content.intent).unwrap();
        assert_eq!((envelope.edit, intent.edit), (*edit, *edit));
    }
    content.into_keys().collect()
}

fn synced() -> (Tablet, Server) {
    let (tablet, mut server) = (Tablet::new(1), server());
    tablet.sync(&mut server);
    (tablet, server)
}

fn phone(tablet: &Tablet, text: &str) -> EditId {
    tablet.put(ASSISTANT, "patients", ANA, "phone", json!(text)).edit
}

#[test]
fn unsent_edits_open_for_the_clinic_and_leave_the_file_when_they_are_settled() {
    let (tablet, mut server) = synced();
    let edits = BTreeSet::from([phone(&tablet, "11 1"), phone(&tablet, "11 2")]);
    assert_eq!(kept(&tablet), edits);
    let bytes = std::fs::read(file(&tablet)).unwrap();
    assert!(!bytes.windows(4).any(|window| window == b"11 1"), "sealed");
    tablet.sync(&mut server);
    assert_eq!(length(&tablet), HEADER_BYTES as u64);
    assert_eq!(tablet.replica.inner.store.escrowed().unwrap(), (0, true));
}

#[test]
fn an_edit_that_was_set_aside_stays_and_what_was_expressed_anew_is_sealed_anew() {
    let (tablet, mut server) = synced();
    let refused = phone(&tablet, "recusado");
    let later = tablet.put(ASSISTANT, "patients", ANA, "address", json!("Rua Nova")).edit;
    let before = read(&tablet.path(), 1);
    server.policy = Box::new(move |envelope: &Envelope| {
        (envelope.edit == refused).then_some(Fate::Refused { code: Code::InvalidValue })
    });
    tablet.open(&server);
    tablet.push(&mut server, 1, 2);
    let after = read(&tablet.path(), 1);
    assert_eq!(after.get(&refused), before.get(&refused), "what needs attention is owed");
    tablet.sync(&mut server);
    assert!(kept(&tablet).contains(&refused));
    // Dismissed, it is owed until the server has heard of it.
    tablet.replica.dismiss(refused, ASSISTANT).unwrap();
    assert!(kept(&tablet).contains(&refused));
    assert!(before.contains_key(&later));
    let stored = tablet.replica.inner.store.read(|conn| {
        let sql = "SELECT envelope FROM sync_intent WHERE edit = ?1";
        Ok::<_, crate::ReplicaError>(
            conn.query_row(sql, [refused.0.as_bytes()], |row| row.get::<_, Vec<u8>>(0))?,
        )
    });
    assert_eq!(after[&refused].signed.envelope.to_vec(), stored.unwrap());
}

#[test]
fn a_file_cut_at_any_byte_is_made_whole_at_the_next_opening() {
    let (mut tablet, _) = synced();
    let edits = BTreeSet::from([phone(&tablet, "11 1"), phone(&tablet, "11 2"), phone(&tablet, "11 3")]);
    tablet.replica.close().unwrap();
    let whole = std::fs::read(file(&tablet)).unwrap();
    for cut in (0..whole.len()).step_by(37).chain([whole.len() - 1]) {
        std::fs::write(file(&tablet), &whole[..cut]).unwrap();
        tablet.reopen();
        assert_eq!(kept(&tablet), edits, "cut at {cut}");
        tablet.replica.close().unwrap();
    }
    // Storage that lost what a block held gives zeros of the right length.
    let mut zeroed = whole.clone();
    zeroed[whole.len() - 100..].fill(0);
    std::fs::write(file(&tablet), zeroed).unwrap();
    tablet.reopen();
    assert_eq!(kept(&tablet), edits);
    tablet.replica.close().unwrap();
    std::fs::remove_file(file(&tablet)).unwrap();
    tablet.reopen();
    assert_eq!(kept(&tablet), edits, "and one that is gone is written");
}

#[test]
fn the_file_stays_small_however_much_is_settled_beside_what_is_owed() {
    let (mut tablet, mut server) = synced();
    let refused = phone(&tablet, "recusado");
    server.policy = Box::new(move |envelope: &Envelope| {
        (envelope.edit == refused).then_some(Fate::Refused { code: Code::InvalidValue })
    });
    tablet.sync(&mut server);
    let mut longest = 0;
    for round in 0..60 {
        tablet.put(ASSISTANT, "patients", ANA, "address", json!(format!("{round} {}", "x".repeat(700))));
        longest = longest.max(length(&tablet));
        tablet.sync(&mut server);
    }
    assert_eq!(kept(&tablet).into_iter().filter(|edit| *edit == refused).count(), 1);
    assert!(longest > 40 * 1024 && longest < 72 * 1024, "{longest} bytes");
    tablet.reopen();
    assert!(kept(&tablet).contains(&refused));
}

#[test]
fn a_new_key_of_the_clinic_gets_everything_that_is_owed() {
    let (mut tablet, mut server) = synced();
    let edit = phone(&tablet, "11 1");
    server.escrow_key = crate::testing::escrow::public_key(2);
    tablet.open(&server);
    assert!(read(&tablet.path(), 2).contains_key(&edit));
    tablet.reopen();
    assert!(read(&tablet.path(), 2).contains_key(&edit));
}

#[test]
fn what_another_tablet_left_at_this_path_is_kept() {
    let (tablet, server) = synced();
    phone(&tablet, "11 1");
    let left = std::fs::read(file(&tablet)).unwrap();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("c.db");
    std::fs::write(place.path().join("c.db.escrow"), &left).unwrap();
    let identity = Identity {
        device: DeviceId(Uuid::from_u128(0xE0)),
        signing_key: SigningKey::generate().unwrap(),
        ..tablet.replica.identity()
    };
    let key = crate::testing::world::key();
    let other = Replica::create(&path, key, identity, Clock::system()).unwrap();
    let audience = other.identity().audience;
    other.open_session(&server.welcome(audience), 0).unwrap();
    assert_eq!(std::fs::read(place.path().join("c.db.escrow.kept-1")).unwrap(), left);
    let own = read_header(&std::fs::read(place.path().join("c.db.escrow")).unwrap()).unwrap();
    assert_eq!(own.device, DeviceId(Uuid::from_u128(0xE0)));
}
