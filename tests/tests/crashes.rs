//! Kill -9 between every two steps: what was acknowledged is there, what was not is there or not, never half.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests stop the test where it broke"
)]

mod crashes {
    mod keys;
}

use neonpro_client_core::{
    BLOB_POINTS, CRASH_POINTS, Clock, REKEY_POINTS, Replica, ReplicaError, ReplicaKey, enrol,
};
use neonpro_contract::catalogue::Role;
use neonpro_contract::permissions::Audience;
use neonpro_contract::value::Value;
use neonpro_mobile::opening::open_plain;
use neonpro_server::clock;
use neonpro_server::http::enrol::{make_code, ticket};
use neonpro_server::store::authority::Grant;
use neonpro_tests::cluster::{TestDatabase, network};
use neonpro_tests::compare::differences;
use neonpro_tests::fleet::{Fleet, Tablet, eventually};
use neonpro_tests::process::{ScriptProcess, ServerProcess, free_port};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// Steps of a merge at which the server may die.
const SERVER_POINTS: [&str; 4] =
    ["merge.after_rows", "merge.before_items", "merge.before_commit", "merge.after_commit"];

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_at_any_step_of_a_merge_loses_nothing_and_doubles_nothing() {
    for point in SERVER_POINTS {
        let database = TestDatabase::create().await;
        let dir = TempDir::new().unwrap();
        let port = free_port();
        let mut server = ServerProcess::start(&database, dir.path(), port, Some(point));
        let clinic = &network().clinics[0];
        let author = clinic.people.iter().find(|person| person.role == Role::Assistant).unwrap().id;
        let grant = Grant::to_members(Audience::Clinical);
        let code = make_code(&database.store, clinic.id, &grant, clock::now()).await.unwrap();
        let ticket = ticket(&server.url, &server.fingerprint, &code);
        let path = dir.path().join("tablet.replica");
        let replica = enrol(&ticket, &path, ReplicaKey::new([1; 32]), "t", Clock::system()).await.unwrap();
        let handle = replica.start_sync(neonpro_client_core::SyncOptions::default());
        let mut tablet = Tablet { replica, handle, path };
        tablet.quiet().await;
        let before = count(&tablet.replica);
        let mut made = Vec::new();
        for index in 0..5 {
            let values = [("name", json!(format!("Paciente {point} {index}")))];
            let edited = tablet.replica.create_record(author, "patients", values).unwrap();
            made.extend(edited.iter().filter_map(neonpro_client_core::Edited::record));
        }
        eventually("the server dies", async || server.has_ended()).await;
        let mut server = ServerProcess::start(&database, dir.path(), port, None);
        eventually("everything settles", async || tablet.status().waiting.edits == 0).await;
        tablet.quiet().await;
        assert_eq!(count(&tablet.replica), before + 5, "{point}");
        assert_eq!(
            differences(&database.store, clinic.id, &tablet.replica).await,
            Vec::<String>::new(),
            "{point}"
        );
        assert_eq!(tablet.handle.state().repairs, 0, "{point}: digests agree");
        for record in made {
            assert!(tablet.replica.row("patients", record).unwrap().is_some(), "{point}");
        }
        tablet.handle.stop().await;
        server.kill();
    }
}

fn count(replica: &Replica) -> u64 {
    replica.query("select count(*) from patients", &[], 1).unwrap().rows[0][0].as_u64().unwrap()
}

fn ok(answer: Option<Json>) -> Json {
    let answer = answer.expect("the tablet answers");
    assert_eq!(answer["ok"], json!(true), "{answer}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_killed_at_any_step_keeps_what_it_acknowledged() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let author = fleet.person(0, Role::Assistant);
    let dir = TempDir::new().unwrap();
    let mut other = fleet.tablet(clinic, "other").await;
    other.online();
    other.quiet().await;
    for point in CRASH_POINTS {
        let path = dir.path().join(format!("{}.replica", point.replace('.', "-")));
        let ticket = fleet.ticket(clinic, Audience::Clinical).await;
        let (in_first_sync, name) = (point.starts_with("rows."), format!("Paciente {point}"));
        let mut first = ScriptProcess::start(&path, in_first_sync.then_some(*point));
        ok(first.ask(&json!({"id": 1, "do": "enrol", "ticket": ticket, "name": *point})));
        let synced = first.ask(&json!({"id": 2, "do": "sync"}));
        assert_eq!(synced.is_none(), in_first_sync, "{point}: {synced:?}");
        drop(first);
        // Something to pull, so that the steps of a page are passed.
        let values = [("name", json!(format!("De outro {point}")))];
        other.replica.create_record(author, "patients", values).unwrap();
        other.quiet().await;
        let mut second = ScriptProcess::start(&path, (!in_first_sync).then_some(*point));
        let created = second.ask(&json!({
            "id": 1, "do": "create", "table": "patients", "author": author, "values": {"name": name}
        }));
        let acknowledged = created.as_ref().is_some_and(|answer| answer["ok"] == json!(true));
        if acknowledged {
            let _ = second.ask(&json!({"id": 2, "do": "sync"}));
        }
        drop(second);
        let mut third = ScriptProcess::start(&path, None);
        ok(third.ask(&json!({"id": 1, "do": "sync"})));
        let found = ok(third.ask(&json!({
            "id": 2, "do": "query", "sql": "select count(*) from patients where name = ?1", "params": [name]
        })));
        let here = found["rows"][0][0].as_u64().unwrap();
        assert!(here == 1 || here == 0 && !acknowledged, "{point}: {found}, acknowledged: {acknowledged}");
        ok(third.ask(&json!({"id": 3, "do": "quit"})));
        drop(third);
        let key: [u8; 32] = std::fs::read(path.with_extension("key")).unwrap().try_into().unwrap();
        let replica = Replica::open(&path, ReplicaKey::new(key), Clock::system()).unwrap();
        assert_eq!(
            differences(&fleet.database.store, clinic, &replica).await,
            Vec::<String>::new(),
            "{point}"
        );
        assert_eq!(replica.digest().unwrap(), replica.recompute_digest().unwrap(), "{point}");
        let row = replica.rows("patients", &[("name", Value::Text(name))], 2).unwrap();
        assert_eq!(row.len() as u64, here, "{point}: never twice");
        replica.close().unwrap();
    }
    other.handle.stop().await;
}

/// The program itself, killed at each step of a change of its key; then opened as a person would, by starting it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_killed_at_any_step_of_a_change_of_its_key_opens_again_and_the_old_key_opens_nothing() {
    let fleet = Fleet::start().await;
    for point in REKEY_POINTS {
        let dir = TempDir::new().unwrap();
        let replica = dir.path().join("tablet.replica");
        let key_file = replica.with_extension("key");
        let old: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        neonpro_mobile::key_file::put_keys(
            &key_file,
            &neonpro_mobile::key_file::Keys { key: old.into(), previous: None },
        )
        .unwrap();
        let made = enrol(
            &fleet.ticket(fleet.clinic(0).id, Audience::Clinical).await,
            &replica,
            ReplicaKey::new(old),
            "t",
            Clock::system(),
        )
        .await;
        made.unwrap().close().unwrap();
        let ended = std::process::Command::new(neonpro_tests::process::program("neonpro-tablet"))
            .args(["rekey", "--replica"])
            .arg(&replica)
            .arg("--key-file")
            .arg(&key_file)
            .env("NEONPRO_CRASH_AT", point)
            .output()
            .unwrap();
        assert!(!ended.status.success(), "{point} is passed");
        let (opened, keys) = open_plain(&replica, &key_file, Clock::system()).unwrap();
        opened.check().unwrap();
        opened.close().unwrap();
        assert_ne!(*keys.key, old, "{point}");
        let with_old = Replica::open(&replica, ReplicaKey::new(old), Clock::system());
        assert!(matches!(with_old, Err(ReplicaError::WrongKey)), "{point}");
        let left = std::fs::read(&key_file).unwrap();
        assert_eq!(left, keys.key.as_slice(), "{point}: the file holds the new key alone");
    }
    fleet.stop().await;
}

/// Killed between a file and the row that knows it: what was acknowledged is there, what was not leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_killed_while_it_keeps_a_photograph_has_it_whole_or_not_at_all() {
    let fleet = Fleet::start().await;
    for point in BLOB_POINTS {
        let dir = TempDir::new().unwrap();
        let (path, picked) = (dir.path().join("t.replica"), dir.path().join("picked.pdf"));
        std::fs::write(&picked, b"%PDF-1.7\n1 0 obj\nfoto\n%%EOF\n").unwrap();
        let ticket = fleet.ticket(fleet.clinic(0).id, Audience::Clinical).await;
        let mut first = ScriptProcess::start(&path, Some(*point));
        ok(first.ask(&json!({"id": 1, "do": "enrol", "ticket": ticket, "name": "t"})));
        assert!(
            first.ask(&json!({"id": 2, "do": "keep_file", "path": picked})).is_none(),
            "{point} was not reached"
        );
        drop(first);
        let mut second = ScriptProcess::start(&path, None);
        let files = || std::fs::read_dir(format!("{}.blobs", path.display())).unwrap().count();
        ok(second.ask(&json!({"id": 1, "do": "status"})));
        // The file, and its key as it lies sealed to the clinic.
        assert_eq!(files(), if *point == "blob.after_row" { 2 } else { 0 }, "{point}");
        let kept = ok(second.ask(&json!({"id": 2, "do": "keep_file", "path": picked})));
        assert_eq!(files(), 2, "{point}");
        let to = dir.path().join("fetched.pdf");
        ok(second.ask(&json!({"id": 3, "do": "fetch_file", "address": kept["address"], "to": to})));
        assert_eq!(std::fs::read(&to).unwrap(), std::fs::read(&picked).unwrap(), "{point}");
        ok(second.ask(&json!({"id": 4, "do": "quit"})));
    }
}
