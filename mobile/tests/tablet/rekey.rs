//! A new key for the replica: at every instant the key file holds one that opens it, and an old copy opens nothing.

use crate::fixture::{ADDRESS, NOW_US, Tablet as Fixture, desk, doctor, key_path, replica_path};
use neonpro_client_core::{Clock, Replica, ReplicaError, ReplicaKey};
use neonpro_contract::ids::AuthorId;
use neonpro_mobile::guard::Guard;
use neonpro_mobile::key_file::{self, Key, Keys, load_keys, put_keys};
use neonpro_mobile::lock::{LockError, Place, Tablet};
use neonpro_mobile::opening::{OpenError, open_plain, rekey};
use neonpro_mobile::pin::Pin;
use neonpro_mobile::vault::{Holder, Vault, VaultError};
use tempfile::TempDir;

fn pin(digits: &str) -> Pin {
    Pin::choose(digits).unwrap()
}

fn clock() -> Clock {
    Clock::manual(NOW_US).0
}

/// A closed tablet with one patient whose creation nobody has heard of.
fn closed() -> (TempDir, Key) {
    let fixture = Fixture::clinical();
    fixture.patient("Beatriz Moura");
    fixture.replica.close().unwrap();
    let key = load_keys(&key_path(&fixture.folder)).unwrap().key;
    (fixture.folder, key)
}

fn open_with(folder: &TempDir, key: &Key) -> Result<Replica, ReplicaError> {
    Replica::open(replica_path(folder), ReplicaKey::new(**key), clock())
}

fn has_the_patient(replica: &Replica) {
    let found = replica.query("SELECT count(*) FROM patients WHERE name = 'Beatriz Moura'", &[], 1).unwrap();
    assert_eq!(found.rows[0][0], 1);
    assert_eq!(replica.status().unwrap().waiting.edits, 1, "and it still waits to be sent");
}

fn tablet(folder: &TempDir) -> Tablet {
    let place = Place { replica: replica_path(folder), key_file: key_path(folder), online: None };
    Tablet::begin(place, Guard::new(ADDRESS.parse().unwrap()).unwrap(), clock()).unwrap()
}

fn vault(folder: &TempDir) -> Vault {
    Vault::read(&key_path(folder)).unwrap().unwrap()
}

async fn enter(tablet: &Tablet, person: AuthorId, digits: &str) -> Result<(), LockError> {
    tablet.enter(person, pin(digits)).await
}

#[tokio::test]
async fn a_copy_of_the_key_file_from_before_the_first_pin_opens_nothing() {
    let (folder, copied) = closed();
    let tablet = tablet(&folder);
    tablet.choose_pin(doctor(), pin("274916")).await.unwrap();
    // Somebody else gets a PIN in the same sitting: it opens the same new key.
    tablet.choose_pin(desk(), pin("902817")).await.unwrap();
    tablet.lock().await.unwrap();
    assert!(matches!(open_with(&folder, &copied), Err(ReplicaError::WrongKey)));
    let file = std::fs::read(key_path(&folder)).unwrap();
    assert!(!file.windows(copied.len()).any(|window| window == copied.as_slice()));
    assert!(!String::from_utf8(file).unwrap().contains("previous"), "nor does it lie there sealed");
    for (person, digits) in [(doctor(), "274916"), (desk(), "902817")] {
        enter(&tablet, person, digits).await.unwrap();
        tablet.lock().await.unwrap();
    }
    let keys = vault(&folder).open(desk(), &pin("902817"), NOW_US).unwrap();
    assert!(keys.previous.is_none());
    let replica = open_with(&folder, &keys.key).unwrap();
    has_the_patient(&replica);
}

#[tokio::test]
async fn a_kill_between_the_first_pin_and_the_new_key_is_made_good_by_whoever_enters() {
    for replica_has_the_new_key in [false, true] {
        let (folder, old) = closed();
        let new = key_file::random().unwrap();
        let holder = Holder { person: doctor(), name: "Dra. Helena Prado".to_owned() };
        let both = Keys { key: new.clone(), previous: Some(old.clone()) };
        Vault::create(&key_path(&folder), &both, &holder, &pin("274916")).unwrap();
        if replica_has_the_new_key {
            let replica = open_with(&folder, &old).unwrap();
            replica.rekey(&ReplicaKey::new(*old), &ReplicaKey::new(*new)).unwrap();
            replica.close().unwrap();
        }
        let tablet = tablet(&folder);
        enter(&tablet, doctor(), "274916").await.unwrap();
        tablet.lock().await.unwrap();
        assert!(matches!(open_with(&folder, &old), Err(ReplicaError::WrongKey)));
        has_the_patient(&open_with(&folder, &new).unwrap());
        assert!(!std::fs::read_to_string(key_path(&folder)).unwrap().contains("previous"));
    }
}

#[test]
fn a_kill_while_a_plain_key_is_changed_is_made_good_by_the_next_opening() {
    for replica_has_the_new_key in [false, true] {
        let (folder, old) = closed();
        let new = key_file::random().unwrap();
        put_keys(&key_path(&folder), &Keys { key: new.clone(), previous: Some(old.clone()) }).unwrap();
        if replica_has_the_new_key {
            let replica = open_with(&folder, &old).unwrap();
            replica.rekey(&ReplicaKey::new(*old), &ReplicaKey::new(*new)).unwrap();
            replica.close().unwrap();
        }
        let (replica, keys) = open_plain(&replica_path(&folder), &key_path(&folder), clock()).unwrap();
        has_the_patient(&replica);
        replica.close().unwrap();
        assert_eq!((keys.key, keys.previous), (new.clone(), None));
        assert_eq!(std::fs::read(key_path(&folder)).unwrap(), new.as_slice());
        assert!(matches!(open_with(&folder, &old), Err(ReplicaError::WrongKey)));
    }
}

#[tokio::test]
async fn the_command_gives_a_new_key_to_everybody_who_has_a_pin() {
    let (folder, plain) = closed();
    let (path, key_file) = (replica_path(&folder), key_path(&folder));
    assert!(rekey(&path, &key_file, None, clock()).unwrap(), "a plain key is changed as well");
    assert_ne!(load_keys(&key_file).unwrap().key, plain);
    let tablet = tablet(&folder);
    tablet.choose_pin(doctor(), pin("274916")).await.unwrap();
    tablet.choose_pin(desk(), pin("902817")).await.unwrap();
    tablet.lock().await.unwrap();
    let before = vault(&folder).open(doctor(), &pin("274916"), NOW_US).unwrap().key;
    let copied = std::fs::read(&key_file).unwrap();

    assert!(matches!(rekey(&path, &key_file, None, clock()), Err(OpenError::Key(_))), "it asks for a PIN");
    let wrong = rekey(&path, &key_file, Some((doctor(), pin("335577"))), clock());
    assert!(matches!(wrong, Err(OpenError::Vault(VaultError::Wrong))));
    assert!(rekey(&path, &key_file, Some((doctor(), pin("274916"))), clock()).unwrap());
    assert!(matches!(open_with(&folder, &before), Err(ReplicaError::WrongKey)));
    for (person, digits) in [(doctor(), "274916"), (desk(), "902817")] {
        enter(&tablet, person, digits).await.unwrap();
        tablet.lock().await.unwrap();
    }
    // The copy of the key file still opens for its PIN, and what comes out opens nothing.
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(key_path(&elsewhere), copied).unwrap();
    let stale = vault(&elsewhere).open(doctor(), &pin("274916"), NOW_US).unwrap().key;
    assert!(matches!(open_with(&folder, &stale), Err(ReplicaError::WrongKey)));
}
