//! Files of a tablet: what is kept opens again, what was changed does not, and what nobody names goes.

use super::{cipher, file, folder};
use crate::ReplicaError;
use crate::testing::server::Server;
use crate::testing::world::{ANA, ASSISTANT, PROFESSIONAL, Tablet, server};
use neonpro_contract::blob::Address;
use neonpro_contract::limits::BLOB_CHUNK_BYTES;
use serde_json::json;

fn synced() -> (Tablet, Server) {
    let (tablet, mut server) = (Tablet::new(1), server());
    tablet.sync(&mut server);
    (tablet, server)
}

/// A file of two chunks and a bit.
fn picture(seed: u8) -> Vec<u8> {
    (0..BLOB_CHUNK_BYTES * 2 + 777).map(|at| seed.wrapping_add(u8::try_from(at % 251).unwrap())).collect()
}

#[test]
fn a_file_is_kept_encrypted_and_opens_again() {
    let (tablet, _) = synced();
    let bytes = picture(1);
    let address = tablet.replica.put_blob(&bytes, Some(b"mini")).unwrap();
    assert_eq!(tablet.replica.put_blob(&bytes, None).unwrap(), address, "twice is once");
    assert_eq!(tablet.replica.read_blob(&address).unwrap().unwrap().as_slice(), bytes);
    assert_eq!(tablet.replica.find_thumb(&address).unwrap().as_deref(), Some(&b"mini"[..]));
    let kept = std::fs::read(file(&tablet.path(), &address)).unwrap();
    assert!(!kept.windows(64).any(|window| window == &bytes[..64]));
    let status = tablet.replica.status().unwrap().waiting;
    assert_eq!((status.files, status.file_bytes), (1, bytes.len() as u64));
}

#[test]
fn an_empty_file_and_one_too_large_are_refused() {
    let (tablet, _) = synced();
    for bytes in [Vec::new(), vec![0; neonpro_contract::limits::BLOB_BYTES_MAX + 1]] {
        assert!(matches!(tablet.replica.put_blob(&bytes, None), Err(ReplicaError::BlobSize { .. })));
    }
}

#[test]
fn a_changed_byte_anywhere_opens_nothing() {
    let (key, address) = (cipher::fresh_key().unwrap(), Address::of(b"foto"));
    let sealed = cipher::seal(&key, &address, 3, b"uma foto pequena").unwrap();
    assert_eq!(cipher::open(&key, &address, 3, &sealed).unwrap().as_slice(), b"uma foto pequena");
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(cipher::open(&key, &address, 3, &changed).is_none(), "byte {at}");
    }
    assert!(cipher::open(&key, &address, 4, &sealed).is_none(), "another place");
    assert!(cipher::open(&key, &Address::of(b"outra"), 3, &sealed).is_none(), "another file");
}

#[test]
fn what_an_edit_names_stays_and_what_nothing_names_goes_after_a_day() {
    let (tablet, _) = synced();
    let (named, orphan) = (
        tablet.replica.put_blob(&picture(1), None).unwrap(),
        tablet.replica.put_blob(&picture(2), None).unwrap(),
    );
    let values = [
        ("patient_id", json!(ANA)),
        ("document_type", json!("identity_document")),
        ("title", json!("RG")),
        ("file_url", json!(named.to_string())),
    ];
    tablet.replica.create_record(PROFESSIONAL, "patient_documents", values).unwrap();
    tablet.replica.sweep_blobs().unwrap();
    assert!(tablet.replica.blob_state(&orphan).unwrap().is_some(), "it may be named yet");
    tablet.hand.advance_us(2 * neonpro_contract::time::US_PER_DAY);
    tablet.replica.sweep_blobs().unwrap();
    assert!(tablet.replica.blob_state(&orphan).unwrap().is_none());
    assert!(!file(&tablet.path(), &orphan).exists());
    assert!(tablet.replica.read_blob(&named).unwrap().is_some());
    let _ = ASSISTANT;
}

#[test]
fn only_what_the_server_has_makes_room_and_comes_back_when_it_is_asked_for() {
    let (tablet, _) = synced();
    let (safe, alone) = (
        tablet.replica.put_blob(&picture(1), Some(b"mini")).unwrap(),
        tablet.replica.put_blob(&picture(2), None).unwrap(),
    );
    tablet.replica.mark_custody(&safe).unwrap();
    tablet.replica.make_room(0).unwrap();
    assert!(tablet.replica.read_blob(&safe).unwrap().is_none());
    assert!(tablet.replica.read_blob(&alone).unwrap().is_some(), "nobody else has it");
    assert!(tablet.replica.find_thumb(&safe).unwrap().is_some(), "the small picture stays");
    assert!(folder(&tablet.path()).read_dir().unwrap().count() == 1);
    tablet.replica.ask_for_blob(&safe).unwrap();
    let size = picture(1).len() as u64;
    for (chunk, bytes) in (0u32..).zip(picture(1).chunks(BLOB_CHUNK_BYTES)) {
        tablet.replica.append_chunk(&safe, (size, chunk), bytes).unwrap();
    }
    assert_eq!(tablet.replica.read_blob(&safe).unwrap().unwrap().as_slice(), picture(1));
}

#[test]
fn a_fetched_file_that_is_not_what_its_address_says_is_thrown_away() {
    let (tablet, _) = synced();
    let address = Address::of(b"the real one");
    tablet.replica.append_chunk(&address, (12, 0), b"another one!").unwrap();
    assert!(tablet.replica.blob_state(&address).unwrap().is_none());
    assert!(!file(&tablet.path(), &address).exists());
}
