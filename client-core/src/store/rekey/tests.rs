//! A file with a new key: nothing is lost, the old key opens nothing, and a cut at any byte leaves one of the two.

use crate::testing::world::{ANA, ASSISTANT, Tablet, key, server};
use crate::{Clock, Draft, Replica, ReplicaError, ReplicaKey};
use rusqlite::Connection;
use serde_json::json;
use std::path::Path;

fn fresh_key() -> ReplicaKey {
    ReplicaKey::new([8; 32])
}

fn open(path: &Path, key: ReplicaKey) -> Result<Replica, ReplicaError> {
    Replica::open(path, key, Clock::system())
}

#[test]
fn the_old_key_opens_nothing_and_everything_is_still_there() {
    let mut tablet = Tablet::new(1);
    tablet.sync(&mut server());
    let edit = tablet.put(ASSISTANT, "patients", ANA, "phone", json!("11 91234-5678")).edit;
    let others = tablet.replica.clone();
    tablet.replica.rekey(&key(), &fresh_key()).unwrap();
    assert_eq!(tablet.phone().as_deref(), Some("11 91234-5678"), "readers follow");
    let draft = Draft::new(ASSISTANT).put("patients", ANA, "address", json!("Rua Nova"));
    let later = others.edit(draft).unwrap().edit;
    tablet.replica.check().unwrap();
    tablet.replica.close().unwrap();

    assert!(matches!(open(&tablet.path(), key()), Err(ReplicaError::WrongKey)));
    // A copy of the file in another place, without the sidecar, is no more open to the old key.
    let elsewhere = tablet.dir.path().join("copy.db");
    std::fs::copy(tablet.path(), &elsewhere).unwrap();
    assert!(matches!(open(&elsewhere, key()), Err(ReplicaError::WrongKey)));
    tablet.replica = open(&tablet.path(), fresh_key()).unwrap();
    let known = tablet.replica.query("SELECT edit FROM sync_intent", &[], 10).unwrap();
    for edit in [edit, later] {
        assert!(known.rows.iter().any(|row| row[0] == json!(edit.to_string())));
    }
    assert_eq!(tablet.replica.inner.store.meta().unwrap().copied_at, None, "it is not taken for a copy");
    let sidecar = std::fs::read_to_string(tablet.dir.path().join("c.db.device")).unwrap();
    assert_eq!(sidecar.lines().next().unwrap().split(' ').count(), 1);
}

#[test]
fn somebody_who_goes_on_reading_keeps_the_old_key_in_place() {
    let tablet = Tablet::new(1);
    tablet.sync(&mut server());
    tablet.put(ASSISTANT, "patients", ANA, "phone", json!("11 91234-5678"));
    let pause = std::time::Duration::from_millis(10);
    tablet
        .replica
        .inner
        .store
        .read(|_| {
            assert!(!tablet.replica.inner.store.readers.pause(pause));
            Ok::<_, ReplicaError>(())
        })
        .unwrap();
    assert_eq!(tablet.phone().as_deref(), Some("11 91234-5678"), "others read on");
}

/// The storage lost the end of the log, anywhere.
#[test]
fn a_log_cut_at_any_place_opens_with_exactly_one_of_the_keys() {
    let tablet = Tablet::new(1);
    tablet.sync(&mut server());
    let edit = tablet.put(ASSISTANT, "patients", ANA, "phone", json!("11 91234-5678")).edit;
    tablet.replica.close().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let place = |name: &str| copy.path().join(name);
    // The file and its log as they lie there between the commit and the checkpoint.
    let conn = Connection::open(tablet.path()).unwrap();
    conn.execute_batch(&key().pragma()).unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;").unwrap();
    let answer: String = conn.query_row(&fresh_key().rekey_pragma(), [], |row| row.get(0)).unwrap();
    assert_eq!(answer, "ok");
    let (file, log) = (std::fs::read(tablet.path()).unwrap(), std::fs::read(wal(&tablet.path())).unwrap());
    drop(conn);
    assert!(log.len() > file.len(), "every page is in the log");
    let (mut old, mut new) = (0, 0);
    let cuts = (0..log.len()).step_by(log.len() / 40).chain(log.len() - 40..=log.len());
    for cut in cuts {
        std::fs::write(place("c.db"), &file).unwrap();
        std::fs::write(wal(&place("c.db")), &log[..cut]).unwrap();
        let checks = format!("{} {}\n", key().check_value(), fresh_key().check_value());
        std::fs::write(place("c.db.device"), checks).unwrap();
        let replica = match open(&place("c.db"), fresh_key()) {
            Ok(replica) => {
                new += 1;
                replica
            }
            Err(ReplicaError::WrongKey) => {
                old += 1;
                open(&place("c.db"), key()).unwrap()
            }
            Err(error) => panic!("cut at {cut}: {error}"),
        };
        replica.check().unwrap();
        let known = replica.query("SELECT edit FROM sync_intent", &[], 10).unwrap();
        assert!(known.rows.iter().any(|row| row[0] == json!(edit.to_string())), "cut at {cut}");
        replica.close().unwrap();
    }
    assert!(old > 40 && new > 0, "{old} with the old key, {new} with the new one");
}

fn wal(path: &Path) -> std::path::PathBuf {
    super::super::files::beside(path, "-wal")
}
