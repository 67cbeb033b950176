//! Files of a tablet: what is kept opens again, what was changed does not, and what nobody names goes.

use super::{escrow::key_file, file, folder, fresh, seal};
use crate::ReplicaError;
use crate::testing::server::Server;
use crate::testing::world::{ANA, ASSISTANT, PROFESSIONAL, Tablet, server};
use neonpro_contract::blob::Address;
use neonpro_contract::blob::cipher;
use neonpro_contract::escrow::SealedFileKey;
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
    let (key, address) = (fresh().unwrap(), Address::of(b"foto"));
    let sealed = seal(&key, &address, 3, b"uma foto pequena").unwrap();
    let open = |address: &Address, chunk, mut bytes: Vec<u8>| {
        cipher::open(&key, address, chunk, &mut bytes).map(|plain| plain.to_vec())
    };
    assert_eq!(open(&address, 3, sealed.clone()).unwrap(), b"uma foto pequena");
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(open(&address, 3, changed).is_none(), "byte {at}");
    }
    assert!(open(&address, 4, sealed.clone()).is_none(), "another place");
    assert!(open(&Address::of(b"outra"), 3, sealed).is_none(), "another file");
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
    assert!(folder(&tablet.path()).read_dir().unwrap().count() == 2);
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

#[test]
fn what_the_server_lacks_lies_sealed_to_the_clinic_until_the_server_has_it() {
    let (mut tablet, mut server) = synced();
    let address = tablet.replica.put_blob(&picture(1), None).unwrap();
    let beside = key_file(&tablet.path(), &address);
    let lies = std::fs::read(&beside).unwrap();
    let sealed = SealedFileKey::read(&lies).unwrap();
    assert_eq!(sealed.header.public_key, server.escrow_key);
    assert_eq!(sealed.header.device, tablet.replica.identity().device);

    // Lost or sealed to an earlier key of the clinic: sealed again.
    std::fs::remove_file(&beside).unwrap();
    tablet.replica.sweep_blobs().unwrap();
    assert!(beside.exists());
    server.escrow_key = crate::testing::escrow::public_key(2);
    tablet.sync(&mut server);
    tablet.replica.sweep_blobs().unwrap();
    let again = std::fs::read(&beside).unwrap();
    assert_eq!(SealedFileKey::read(&again).unwrap().header.public_key, server.escrow_key);
    tablet.reopen();
    assert!(beside.exists(), "opening leaves it");

    tablet.replica.mark_custody(&address).unwrap();
    assert!(!beside.exists());
    tablet.replica.sweep_blobs().unwrap();
    assert!(!beside.exists());
}

#[test]
fn a_wiped_tablet_leaves_the_files_the_server_lacks_and_the_next_tablet_there_lets_them_lie() {
    let (tablet, _) = synced();
    let path = tablet.path();
    let (unsent, sent) = (
        tablet.replica.put_blob(&picture(1), None).unwrap(),
        tablet.replica.put_blob(&picture(2), None).unwrap(),
    );
    tablet.replica.mark_custody(&sent).unwrap();
    assert!(tablet.replica.prepare_wipe().unwrap().escrowed);
    tablet.replica.close().unwrap();
    crate::take_away(&path, true, 0).unwrap();
    assert!(!path.exists() && !file(&path, &sent).exists());
    assert!(file(&path, &unsent).exists() && key_file(&path, &unsent).exists());

    let mut next = Tablet::new(2);
    let theirs = [file(&next.path(), &unsent), key_file(&next.path(), &unsent)];
    std::fs::create_dir_all(folder(&next.path())).unwrap();
    std::fs::copy(file(&path, &unsent), &theirs[0]).unwrap();
    std::fs::copy(key_file(&path, &unsent), &theirs[1]).unwrap();
    let own = file(&next.path(), &Address::of(b"torn"));
    std::fs::write(&own, b"torn").unwrap();
    next.reopen();
    assert!(theirs.iter().all(|path| path.exists()), "the clinic may still want them");
    assert!(!own.exists(), "what a kill left behind goes");
}
