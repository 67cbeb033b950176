//! The file itself: unreadable without its key, one owner, set aside when damaged; reading, searching, watching.

use crate::testing::world::{ANA, ASSISTANT, PROFESSIONAL, Tablet, key, server, synced};
use crate::{Clock, Draft, Replica, ReplicaError, ReplicaKey};
use neonpro_contract::ids::RecordId;
use neonpro_contract::value::Value;
use serde_json::json;
use std::io::{Seek, SeekFrom, Write};
use uuid::Uuid;

const CANARY: &str = "CANARIO-7f3a91";

#[test]
fn another_key_does_not_open_the_file_and_leaves_it_alone() {
    let tablet = synced(1, &mut server());
    tablet.replica.close().unwrap();
    let refused = Replica::open(tablet.path(), ReplicaKey::new([8; 32]), Clock::system()).unwrap_err();
    assert_eq!(refused.code(), "wrong_key");
    // Without the sidecar a wrong key and a damaged page look alike: still nothing is touched.
    std::fs::remove_file(tablet.dir.path().join("c.db.device")).unwrap();
    let refused = Replica::open(tablet.path(), ReplicaKey::new([8; 32]), Clock::system()).unwrap_err();
    assert_eq!(refused.code(), "wrong_key");
    let opened = Replica::open(tablet.path(), key(), Clock::system()).unwrap();
    assert!(opened.row("patients", ANA).unwrap().is_some());
    assert_eq!(opened.status().unwrap().generation, 2, "its sidecar was gone: it may be a copy");
}

#[test]
fn nothing_of_a_patient_is_readable_in_the_files_without_the_key() {
    let tablet = synced(1, &mut server());
    tablet.put(ASSISTANT, "patients", ANA, "address", json!(CANARY));
    tablet.replica.update_record(PROFESSIONAL, "patients", ANA, [("notes", json!(CANARY))]).unwrap();
    let mut seen = 0;
    for round in 0..2 {
        for file in std::fs::read_dir(tablet.dir.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            seen += bytes.len();
            for text in [CANARY.as_bytes(), b"SQLite format 3", "Conceição".as_bytes(), b"sync_intent"] {
                assert!(!bytes.windows(text.len()).any(|window| window == text), "round {round}");
            }
        }
        tablet.replica.checkpoint().unwrap();
    }
    assert!(seen > 100_000, "database and log were looked at");
    assert!(!format!("{:?}", tablet.replica).contains("Ana"));
}

#[test]
fn an_acknowledged_edit_survives_the_end_of_the_app() {
    let mut tablet = synced(1, &mut server());
    for n in 0..5 {
        tablet.put(ASSISTANT, "patients", ANA, "phone", json!(n.to_string()));
        tablet.reopen();
        assert_eq!(tablet.phone(), Some(n.to_string()));
        assert_eq!(tablet.replica.status().unwrap().waiting.edits, n + 1);
        assert_eq!(tablet.replica.status().unwrap().generation, 1);
    }
}

#[test]
fn a_replica_is_open_once() {
    let tablet = Tablet::new(1);
    let again = Replica::open(tablet.path(), key(), Clock::system()).unwrap_err();
    assert!(matches!(again, ReplicaError::InUse));
    let identity = tablet.replica.identity();
    let over = Replica::create(tablet.path(), key(), identity, Clock::system()).unwrap_err();
    assert_eq!(over.code(), "exists");
    let clone = tablet.replica.clone();
    tablet.replica.close().unwrap();
    assert_eq!(clone.status().unwrap_err().code(), "closed");
    assert_eq!(clone.row("patients", ANA).unwrap_err().code(), "closed");
    assert_eq!(
        Replica::open(tablet.dir.path().join("none.db"), key(), Clock::system()).unwrap_err().code(),
        "missing"
    );
}

#[test]
fn an_older_file_put_back_is_noticed() {
    let mut tablet = synced(1, &mut server());
    tablet.replica.close().unwrap();
    let older = std::fs::read(tablet.path()).unwrap();
    tablet.replica = Replica::open(tablet.path(), key(), tablet.replica.clock()).unwrap();
    tablet.put(ASSISTANT, "patients", ANA, "phone", json!("1"));
    tablet.reopen();
    assert_eq!(tablet.replica.status().unwrap().generation, 1);
    tablet.replica.close().unwrap();
    std::fs::write(tablet.path(), older).unwrap();
    tablet.replica = Replica::open(tablet.path(), key(), tablet.replica.clock()).unwrap();
    let status = tablet.replica.status().unwrap();
    assert_eq!(status.generation, 2);
    assert!(matches!(status.notes.as_slice(), [crate::Note::CopiedReplica { .. }]));
}

#[test]
fn a_damaged_file_is_set_aside_whole_and_unsent_work_is_salvaged() {
    let tablet = synced(1, &mut server());
    let edited = tablet.put(ASSISTANT, "patients", ANA, "phone", json!("não enviado"));
    tablet.replica.close().unwrap();
    let whole = std::fs::read(tablet.path()).unwrap();
    let mut file = std::fs::OpenOptions::new().write(true).open(tablet.path()).unwrap();
    file.seek(SeekFrom::Start(100)).unwrap();
    file.write_all(&[0xff; 64]).unwrap();
    drop(file);
    let error = Replica::open(tablet.path(), key(), Clock::manual(42).0).unwrap_err();
    let ReplicaError::SetAside { path } = error else { panic!("{error}") };
    assert!(!tablet.path().exists());
    assert_eq!(std::fs::metadata(&path).unwrap().len(), whole.len() as u64);
    // With a first page that still reads, unsent work comes out.
    std::fs::write(&path, whole).unwrap();
    let salvage = Replica::salvage(&path, &key()).unwrap();
    assert_eq!(salvage.edits.iter().map(|intent| intent.edit).collect::<Vec<_>>(), [edited.edit]);
    assert!(!salvage.incomplete);
    assert!(Replica::salvage(&path, &ReplicaKey::new([9; 32])).is_err());
}

#[test]
fn searching_forgives_accents_case_punctuation_and_hostile_syntax() {
    let tablet = synced(1, &mut server());
    let found = |typed: &str| tablet.replica.search_patients(typed, 10).unwrap().len();
    for typed in [
        "ana",
        "CONCEICAO",
        "conceição an",
        "529.982.247-25",
        "52998",
        "98765-4321",
        "(11) 98765",
        "11987654321",
    ] {
        assert_eq!(found(typed), 1, "{typed}");
    }
    for typed in [
        "",
        "  ",
        "anab",
        "ana silva",
        "\"",
        "ana OR",
        "NEAR(ana",
        "name:ana*^",
        "-",
        "*",
        "'; DROP TABLE patients; --",
        "ﷺ",
    ] {
        assert_eq!(found(typed), 0, "{typed}");
    }
    assert_eq!(found("ana\" \"conc"), 1);
    tablet.put(ASSISTANT, "patients", ANA, "name", json!("Márcia Araújo"));
    assert_eq!((found("conceicao"), found("marcia arau")), (0, 1));
    tablet.put(ASSISTANT, "patients", ANA, "email", json!("marcia@exemplo.com.br"));
    assert_eq!(found("marcia exemplo"), 1);
}

#[test]
fn free_sql_reads_everything_but_the_key_and_writes_nothing() {
    let tablet = synced(1, &mut server());
    let query = |sql: &str, params: &[serde_json::Value]| tablet.replica.query(sql, params, 10);
    let result =
        query("SELECT id, name, is_active FROM patients WHERE id = uuid(?1)", &[json!(ANA)]).unwrap();
    assert_eq!(result.columns, ["id", "name", "is_active"]);
    assert_eq!(result.rows, [vec![json!(ANA), json!("Ana Conceição"), json!(1)]]);
    assert_eq!(query("SELECT uuid_text(id) FROM patients", &[]).unwrap().rows[0][0], json!(ANA));
    assert_eq!(query("SELECT ?1", &[json!(ANA)]).unwrap().rows[0][0], json!(ANA), "a text stays a text");
    assert!(query("SELECT 1 UNION ALL SELECT 2", &[]).is_ok_and(|result| !result.more));
    assert!(tablet.replica.query("SELECT 1 UNION ALL SELECT 2", &[], 1).unwrap().more);
    for sql in [
        "DELETE FROM patients",
        "UPDATE patients SET name = 'x'",
        "INSERT INTO patients (id) VALUES (x'00')",
        "DROP TABLE patients",
        "CREATE TABLE t (x)",
        "CREATE TEMP TABLE t (x)",
        "ATTACH 'other.db' AS other",
        "PRAGMA query_only = OFF; DELETE FROM patients",
        "PRAGMA writable_schema = ON",
        "PRAGMA rekey = 'x'",
        "PRAGMA wal_checkpoint",
        "PRAGMA journal_mode = DELETE",
        "BEGIN IMMEDIATE",
        "VACUUM INTO 'copy.db'",
        "SELECT pkcs8 FROM sync_identity",
        "SELECT count(*) FROM sync_identity",
        "SELECT load_extension('x')",
        "WITH x AS (SELECT 1) INSERT INTO patients (id) SELECT * FROM x",
        "INSERT INTO sync_search (sync_search) VALUES ('delete-all')",
        "not sql",
        "",
    ] {
        let error = query(sql, &[]).unwrap_err();
        assert!(matches!(error.code(), "query_refused" | "database"), "{sql}: {}", error.code());
    }
    assert_eq!(tablet.replica.search_patients("ana", 3).unwrap().len(), 1);
    tablet.assert_digest();
}

#[test]
fn a_query_that_never_ends_is_stopped() {
    let tablet = Tablet::new(1);
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n";
    let error =
        crate::replica::query::run_within(&tablet.replica, endless, std::time::Duration::from_millis(20));
    assert_eq!(error.unwrap_err().code(), "query_too_slow");
}

#[test]
fn rows_are_found_by_the_values_of_their_columns() {
    let tablet = synced(1, &mut server());
    let members =
        tablet.replica.rows("clinic_professionals", &[("role", Value::Text("admin".into()))], 10).unwrap();
    assert_eq!(members.len(), 1);
    assert_eq!(tablet.replica.rows("clinic_professionals", &[], 3).unwrap().len(), 3);
    assert_eq!(tablet.replica.rows("patients", &[("email", Value::Null)], 3).unwrap()[0].id, ANA);
    assert_eq!(
        tablet.replica.rows("patients", &[("nothing", Value::Null)], 3).unwrap_err().code(),
        "unknown_table"
    );
    assert_eq!(tablet.replica.row("nothing", ANA).unwrap_err().code(), "unknown_table");
    assert_eq!(tablet.replica.row("patients", RecordId(Uuid::nil())).unwrap(), None);
}

#[test]
fn members_are_listed_with_their_roles() {
    let tablet = synced(1, &mut server());
    let users = tablet.replica.users().unwrap();
    let roles: Vec<_> = users.iter().map(|user| user.role.name()).collect();
    assert_eq!(roles, ["admin", "assistant", "manager", "professional"]);
    assert!(users.iter().all(|user| user.is_active));
}

#[tokio::test]
async fn a_watch_tells_once_what_changed_many_times() {
    let tablet = synced(1, &mut server());
    let mut patients = tablet.replica.watch(&["patients"]);
    let mut appointments = tablet.replica.watch(&["appointments"]);
    for n in 0..20 {
        tablet.put(ASSISTANT, "patients", ANA, "phone", json!(n.to_string()));
    }
    assert_eq!(patients.changed().await, std::collections::BTreeSet::from(["patients"]));
    assert!(patients.take().is_empty(), "twenty edits, one change");
    assert!(appointments.take().is_empty());
    let waiting = tokio::spawn(async move { appointments.changed().await });
    let booking = Draft::new(ASSISTANT).create(
        "appointments",
        [
            ("patient_id", json!(ANA)),
            ("start_time", json!("2026-03-02T12:00:00Z")),
            ("end_time", json!("2026-03-02T13:00:00Z")),
            ("duration_minutes", json!(60)),
        ],
    );
    tablet.replica.edit(booking).unwrap();
    assert!(waiting.await.unwrap().contains("appointments"));
}

#[test]
fn the_lease_and_a_wrong_clock_are_told() {
    let mut server = lending_a_day();
    let tablet = synced(1, &mut server);
    assert!(tablet.replica.status().unwrap().notes.is_empty());
    tablet.hand.advance_us(3 * 86_400_000_000);
    let notes = tablet.replica.status().unwrap().notes;
    assert!(matches!(notes.as_slice(), [crate::Note::LeaseExpired { .. }]));
    tablet.open(&server);
    let notes = tablet.replica.status().unwrap().notes;
    assert!(matches!(notes.as_slice(), [crate::Note::ClockOff { by_ms }] if *by_ms > 3 * 86_000_000));
    // The capture follows the server's clock, whatever the tablet's shows.
    let edited = tablet.put(ASSISTANT, "patients", ANA, "phone", json!("1"));
    tablet.push(&mut server, 9, 1);
    let stamp = tablet.replica.stored_row("patients", ANA).unwrap().unwrap().stamp;
    assert!((stamp.captured_at.unwrap().0 - server.now).abs() < 60_000_000, "{edited:?}");
}

const DAY_US: i64 = 86_400_000_000;

/// A server whose lease is a day.
fn lending_a_day() -> crate::testing::server::Server {
    let mut server = server();
    server.lease_seconds = 86_400;
    server
}

#[test]
fn reading_is_locked_once_the_lease_is_over_and_writing_is_not() {
    let mut server = lending_a_day();
    let tablet = synced(1, &mut server);
    tablet.hand.advance_us(DAY_US + 1);
    let replica = &tablet.replica;
    for refused in [
        replica.row("patients", ANA).err(),
        replica.stored_row("patients", ANA).err(),
        replica.rows("patients", &[], 1).err(),
        replica.search_patients("ana", 1).err(),
        replica.query("SELECT name FROM patients", &[], 1).err(),
        replica.conflicts().err(),
        replica.attention().err(),
        replica.consent(neonpro_contract::ids::PatientId(ANA.0)).err(),
    ] {
        assert_eq!(refused.unwrap().code(), "lease_expired");
    }
    let edited = replica.edit(Draft::new(ASSISTANT).put("patients", ANA, "phone", json!("1"))).unwrap();
    assert_eq!(edited.records[0].id, ANA);
    assert!(edited.records[0].row.iter().all(|(_, value)| value.is_null()), "nothing of the record is told");
    let made = replica.create_record(ASSISTANT, "patients", [("name", json!("Nova"))]).unwrap();
    assert!(made[0].records[0].row.get("name").is_null());
    assert_eq!(replica.status().unwrap().waiting.edits, 2, "the status still speaks");
    assert!(replica.users().unwrap().len() > 1, "and so do the people who may write");

    tablet.push(&mut server, 9, 1);
    assert_eq!(server.row("patients", ANA).get("phone").as_text(), Some("1"), "what waited is sent");
    tablet.sync(&mut server);
    assert_eq!(tablet.phone().as_deref(), Some("1"));
}

#[test]
fn a_form_that_was_open_may_read_what_it_needs() {
    let tablet = synced(1, &mut lending_a_day());
    tablet.hand.advance_us(DAY_US + 1);
    assert!(tablet.replica.row("patients", ANA).is_err());
    assert!(tablet.replica.capturing().row("patients", ANA).unwrap().is_some());
}

#[test]
fn neither_a_clock_set_back_nor_a_restart_extends_the_lease() {
    let mut tablet = synced(1, &mut lending_a_day());
    for _ in 0..6 {
        tablet.hand.advance_us(DAY_US / 6);
        assert!(tablet.replica.row("patients", ANA).is_ok());
        tablet.hand.advance_us(-DAY_US / 6);
        tablet.reopen();
    }
    tablet.hand.advance_us(1);
    assert_eq!(tablet.replica.row("patients", ANA).unwrap_err().code(), "lease_expired");
    tablet.hand.advance_us(-30 * DAY_US);
    tablet.reopen();
    assert_eq!(tablet.replica.row("patients", ANA).unwrap_err().code(), "lease_expired");
    tablet.open(&lending_a_day());
    assert!(tablet.replica.row("patients", ANA).is_ok(), "the server gives it back, whatever the clock says");
}

#[test]
fn what_was_read_is_kept_once_a_minute_and_person_until_the_server_has_it() {
    let mut tablet = synced(1, &mut server());
    let reads = |tablet: &Tablet| tablet.replica.take_reads().unwrap();
    let of = |id, person| Some((id, person));
    for _ in 0..3 {
        tablet.replica.read_by(Some(PROFESSIONAL)).row("patients", ANA).unwrap();
        tablet.replica.read_by(Some(ASSISTANT)).stored_row("patients", ANA).unwrap();
    }
    tablet.replica.row("professionals", RecordId(ASSISTANT.0)).unwrap();
    tablet.replica.row("patients", RecordId(Uuid::nil())).unwrap();
    let told = reads(&tablet);
    let who: Vec<_> = told.iter().map(|read| of(read.record, read.person)).collect();
    assert_eq!(
        who,
        [of(Some(ANA), Some(PROFESSIONAL)), of(Some(ANA), Some(ASSISTANT))],
        "patients alone, once each"
    );
    assert_eq!(told[0].facets, 0b11, "identity and health");
    tablet.hand.advance_us(60_000_000);
    tablet.replica.read_by(Some(ASSISTANT)).search_patients("ana", 5).unwrap();
    tablet.replica.note_query("SELECT name FROM patients WHERE name = 'Ana'");
    tablet.reopen();
    let told = reads(&tablet);
    assert_eq!(told.len(), 4, "they survive the end of the app");
    assert!(told[3].query.is_some() && told[3].record.is_none());

    let have = neonpro_contract::wire::Audited {
        reads: told[..3].iter().map(|read| read.id).collect(),
        checkpoint: None,
    };
    assert!(tablet.replica.receive_audited(&have).unwrap(), "one is left");
    assert_eq!(reads(&tablet), told[3..]);
}

#[test]
fn a_server_whose_audit_shrank_or_forked_is_doubted_until_it_agrees_again() {
    use neonpro_contract::audit::Checkpoint;
    use neonpro_contract::time::ServerInstant;
    use ring::signature::{Ed25519KeyPair, KeyPair};
    let server = server();
    let tablet = Tablet::new(1);
    let signed = |seed: u8, size: i64, hash: u8| {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let key: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
        let place = (size, [hash; 32]);
        let clinic = tablet.replica.identity().clinic;
        Checkpoint::sign(clinic, place, ServerInstant(1), key, |bytes| pair.sign(bytes).as_ref().to_vec())
    };
    let hear = |checkpoint: Option<Checkpoint>, agrees: Option<bool>| {
        let mut welcome = server.welcome(tablet.replica.identity().audience);
        (welcome.checkpoint, welcome.audit_agrees) = (checkpoint.map(Box::new), agrees);
        tablet.replica.open_session(&welcome, 0).unwrap();
        let doubts = tablet.replica.status().unwrap().notes.into_iter().find_map(|note| match note {
            crate::Note::AuditDoubted { why } => Some(why),
            _ => None,
        });
        (doubts, tablet.replica.checkpoints().unwrap().first().map(|checkpoint| checkpoint.size))
    };
    assert_eq!(hear(Some(signed(1, 10, 1)), None), (None, Some(10)));
    assert_eq!(hear(Some(signed(1, 20, 2)), Some(true)), (None, Some(20)));
    assert_eq!(hear(Some(signed(1, 15, 3)), Some(true)), (Some("shrank"), Some(20)));
    assert_eq!(hear(None, None), (Some("shrank"), Some(20)), "silence clears nothing");
    assert_eq!(hear(Some(signed(1, 20, 2)), Some(true)), (None, Some(20)));
    assert_eq!(hear(Some(signed(1, 20, 9)), Some(true)), (Some("forked"), Some(20)));
    assert_eq!(hear(Some(signed(1, 30, 9)), Some(false)).0, Some("forked"), "the server itself says so");
    assert_eq!(hear(Some(signed(2, 40, 4)), Some(true)).0, Some("unsigned"), "another key");
    // Restored from a backup: another epoch, a shorter log, and no contradiction.
    let restored = {
        let mut welcome = server.welcome(tablet.replica.identity().audience);
        welcome.epoch = [9; 16].into();
        (welcome.checkpoint, welcome.audit_agrees) = (Some(Box::new(signed(1, 4, 7))), Some(false));
        tablet.replica.open_session(&welcome, 0).unwrap();
        tablet.replica.status().unwrap().notes
    };
    assert!(!restored.iter().any(|note| matches!(note, crate::Note::AuditDoubted { .. })), "{restored:?}");
    assert_eq!(
        tablet.replica.checkpoints().unwrap().iter().map(|held| held.size).max(),
        Some(20),
        "still evidence"
    );
    let mut other_clinic = signed(1, 50, 5);
    other_clinic.clinic = neonpro_contract::ids::ClinicId(Uuid::nil());
    assert_eq!(hear(Some(other_clinic), Some(true)).0, Some("unsigned"));
}
