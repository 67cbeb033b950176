//! The process is killed at every named point of every write; what was acknowledged is still there.

#![cfg(feature = "crash-points")]

use crate::testing::world::{ANA, ASSISTANT, Tablet, key, server};
use crate::{CRASH_POINTS, Clock, Draft, REKEY_POINTS, Replica, ReplicaError, ReplicaKey};
use neonpro_contract::edit::Envelope;
use neonpro_contract::fate::{Code, Fate};
use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const PLACE: &str = "NEONPRO_CRASH_TEST_PLACE";

/// What the killed process does: edits, a refusal with a roll-back, pages, rows. Tells every acknowledged edit.
#[test]
fn child() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let mut server = server();
    let mut tablet = Tablet::new(1);
    tablet.replica.close().unwrap();
    for suffix in ["", ".device"] {
        let file = |dir: &Path| dir.join(format!("c.db{suffix}"));
        std::fs::copy(file(tablet.dir.path()), file(Path::new(&place))).unwrap();
    }
    tablet.replica = Replica::open(Path::new(&place).join("c.db"), key(), tablet.replica.clock()).unwrap();
    tablet.sync(&mut server);
    let mut stdout = std::io::stdout();
    let mut told = |edited: crate::Edited| {
        writeln!(stdout, "acknowledged {}", edited.edit).unwrap();
        stdout.flush().unwrap();
        edited.edit
    };
    for round in 0..3 {
        let refused =
            told(tablet.put(ASSISTANT, "patients", ANA, "phone", json!(format!("recusado {round}"))));
        server.policy = Box::new(move |envelope: &Envelope| {
            (envelope.edit == refused).then_some(Fate::Refused { code: Code::InvalidValue })
        });
        told(tablet.put(ASSISTANT, "patients", ANA, "address", json!(format!("Rua {round}"))));
        let draft = Draft::new(ASSISTANT).create("patients", [("name", json!(format!("Nova {round}")))]);
        told(tablet.replica.edit(draft).unwrap());
        tablet.open(&server);
        tablet.push(&mut server, 1, 1);
        tablet.pull(&server, 2);
        let health = crate::testing::server::Server::document("patients", ANA, 1);
        server.withdraw(health);
        tablet.pull(&server, 2);
        tablet.tell_purges(&mut server);
        server.grant(health);
    }
    tablet.replica.reseed().unwrap();
    tablet.sync(&mut server);
}

#[test]
fn an_acknowledged_edit_survives_a_crash_at_every_point() {
    let mut reached = 0;
    for point in CRASH_POINTS {
        for pass in [1, 2, 5] {
            let dir = tempfile::tempdir().unwrap();
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["crash::tests::child", "--exact", "--nocapture", "--test-threads=1"])
                .env(PLACE, dir.path())
                .env("NEONPRO_CRASH_AT", format!("{point}:{pass}"))
                .stderr(Stdio::null())
                .output()
                .unwrap();
            reached += usize::from(!output.status.success());
            let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
            check(dir.path(), &stdout, &format!("{point}:{pass}"));
        }
    }
    assert!(reached > CRASH_POINTS.len(), "the points are passed: {reached}");
}

fn check(place: &Path, stdout: &str, label: &str) {
    let replica = Replica::open(place.join("c.db"), key(), Clock::system()).unwrap();
    replica.check().unwrap();
    assert_eq!(replica.recompute_digest().unwrap(), replica.digest().unwrap(), "{label}");
    let known = replica.query("SELECT edit FROM sync_intent", &[], 100).unwrap();
    // Whatever the kill left out of escrow is there again: the clinic reads every edit that is owed.
    if place.join("c.db.escrow").exists() {
        let kept = crate::testing::escrow::read(&place.join("c.db"), 1);
        let owed = replica.query("SELECT edit FROM sync_intent WHERE state < 6", &[], 100).unwrap();
        assert!(replica.inner.store.escrowed().unwrap().1, "{label}");
        for row in &owed.rows {
            let kept = kept.keys().any(|edit| row[0] == json!(edit.to_string()));
            assert!(kept, "{label}: {} is not in escrow", row[0]);
        }
    }
    for line in stdout.lines().filter_map(|line| line.split("acknowledged ").nth(1)) {
        assert!(known.rows.iter().any(|row| row[0] == json!(line)), "{label} lost {line}");
    }
    // The server of that process is gone: another one, with another epoch, gets everything again.
    let mut fresh = server();
    fresh.epoch = uuid::Uuid::from_u128(99);
    let mut tablet = Tablet::new(1);
    tablet.replica.close().unwrap();
    tablet.replica = replica;
    for _ in 0..3 {
        tablet.sync(&mut fresh);
    }
    assert_eq!(tablet.replica.status().unwrap().waiting.edits, 0, "{label}");
    tablet.assert_equal(&fresh);
}

fn other_key() -> ReplicaKey {
    ReplicaKey::new([8; 32])
}

/// What is killed while it changes the key.
#[test]
fn child_that_changes_the_key() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let path = Path::new(&place).join("c.db");
    Replica::open(path, key(), Clock::system()).unwrap().rekey(&key(), &other_key()).unwrap();
}

#[test]
fn a_kill_at_every_step_of_a_change_of_the_key_leaves_a_file_that_one_of_the_two_opens() {
    let mut opened_with_the_new_one = 0;
    for point in REKEY_POINTS {
        let tablet = Tablet::new(1);
        tablet.sync(&mut server());
        let edit = tablet.put(ASSISTANT, "patients", ANA, "phone", json!("11 91234-5678")).edit;
        tablet.replica.close().unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["crash::tests::child_that_changes_the_key", "--exact", "--test-threads=1"])
            .env(PLACE, tablet.dir.path())
            .env("NEONPRO_CRASH_AT", point)
            .stderr(Stdio::null())
            .output()
            .unwrap();
        assert!(!output.status.success(), "{point} is passed");
        let with_new = Replica::open(tablet.path(), other_key(), Clock::system());
        let with_new = with_new.map_err(|error| assert!(matches!(error, ReplicaError::WrongKey), "{point}"));
        opened_with_the_new_one += usize::from(with_new.is_ok());
        let replica = with_new.unwrap_or_else(|()| {
            let replica = Replica::open(tablet.path(), key(), Clock::system()).unwrap();
            // Whoever opens it with the old key finishes what was begun.
            replica.rekey(&key(), &other_key()).unwrap();
            replica
        });
        replica.check().unwrap();
        let known = replica.query("SELECT edit FROM sync_intent", &[], 100).unwrap();
        assert!(known.rows.iter().any(|row| row[0] == json!(edit.to_string())), "{point} lost the edit");
        replica.close().unwrap();
        assert!(matches!(Replica::open(tablet.path(), key(), Clock::system()), Err(ReplicaError::WrongKey)));
    }
    assert_eq!(opened_with_the_new_one, 4, "from the commit on it is the new one");
}
