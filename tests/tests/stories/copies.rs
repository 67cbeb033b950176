//! Two live copies of one tablet, an older copy put back, a tablet that was away too long: nothing is lost, nothing is
//! stuck, and the status says what happened.

use neonpro_client_core::{Clock, Draft, Note, Replica, ReplicaKey, SyncOptions};
use neonpro_contract::catalogue::Role;
use neonpro_contract::ids::RecordId;
use neonpro_contract::value::Value;
use neonpro_server::clock::now;
use neonpro_server::jobs::prune;
use neonpro_tests::compare::differences;
use neonpro_tests::fleet::{Fleet, Tablet, eventually};
use serde_json::json;
use std::path::{Path, PathBuf};

async fn synced(fleet: &Fleet, name: &str) -> Tablet {
    let mut tablet = fleet.tablet(fleet.clinic(0).id, name).await;
    tablet.online();
    tablet.quiet().await;
    tablet
}

async fn close(tablet: Tablet) -> PathBuf {
    tablet.handle.stop().await;
    tablet.replica.close().unwrap();
    tablet.path
}

fn open(path: &Path) -> Tablet {
    let replica = Replica::open(path, ReplicaKey::new([7; 32]), Clock::system()).unwrap();
    let handle = replica.start_sync(SyncOptions { online: false, ..SyncOptions::default() });
    Tablet { replica, handle, path: path.to_owned() }
}

/// The file and what lies beside it.
fn copy(from: &Path, to: &Path) {
    for suffix in ["", "-wal", ".device"] {
        let beside = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        let _ = std::fs::remove_file(beside(to));
        if beside(from).exists() {
            std::fs::copy(beside(from), beside(to)).unwrap();
        }
    }
}

fn put(fleet: &Fleet, tablet: &Tablet, patient: RecordId, field: &str, value: &str) {
    let desk = fleet.person(0, Role::Assistant);
    tablet.replica.edit(Draft::new(desk).put("patients", patient, field, json!(value))).unwrap();
}

fn was_copied(tablet: &Tablet) -> bool {
    tablet.status().notes.iter().any(|note| matches!(note, Note::CopiedReplica { .. }))
}

async fn all_agree(fleet: &Fleet, tablets: &mut [&mut Tablet]) {
    for _ in 0..2 {
        for tablet in tablets.iter_mut() {
            tablet.quiet().await;
        }
    }
    let head = tablets.iter().map(|tablet| tablet.status().head).max().unwrap();
    for tablet in tablets {
        tablet.reaches(head).await;
        let found = differences(&fleet.database.store, fleet.clinic(0).id, &tablet.replica).await;
        assert_eq!(found, Vec::<String>::new());
        assert_eq!(tablet.status().needs_attention, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_live_copies_of_one_tablet_lose_nothing_and_part_ways() {
    let fleet = Fleet::start().await;
    let a = synced(&fleet, "a").await;
    let patients = a.replica.search_patients("a", 2).unwrap();
    let (one, two) = (patients[0].id, patients[1].id);
    let path = close(a).await;
    let twin = path.with_extension("twin");
    copy(&path, &twin);
    let (mut a, mut b) = (open(&path), open(&twin));
    assert!(!was_copied(&a) && !was_copied(&b), "file and sidecar agree in both places");
    for n in 0..3 {
        put(&fleet, &a, one, "phone", &format!("+55 11 9000-000{n}"));
        put(&fleet, &b, one, "email", &format!("b{n}@exemplo.com.br"));
        put(&fleet, &b, two, "address", &format!("Rua {n}"));
    }
    a.online();
    a.quiet().await;
    b.online();
    all_agree(&fleet, &mut [&mut a, &mut b]).await;
    for tablet in [&a, &b] {
        let row = tablet.replica.row("patients", one).unwrap().unwrap();
        assert_eq!(row.get("phone"), &Value::Text("+55 11 9000-0002".into()));
        assert_eq!(row.get("email"), &Value::Text("b2@exemplo.com.br".into()));
        assert_eq!(
            tablet.replica.row("patients", two).unwrap().unwrap().get("address"),
            &Value::Text("Rua 2".into())
        );
        assert!(was_copied(tablet), "both are told");
    }
    // And they go on side by side.
    put(&fleet, &a, two, "phone", "+55 11 9000-0005");
    put(&fleet, &b, two, "email", "dois@exemplo.com.br");
    all_agree(&fleet, &mut [&mut a, &mut b]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_put_back_goes_on_without_losing_what_came_after_it() {
    let fleet = Fleet::start().await;
    let a = synced(&fleet, "a").await;
    let patient = a.replica.search_patients("a", 1).unwrap()[0].id;
    let path = close(a).await;
    let old = path.with_extension("old");
    copy(&path, &old);
    let mut a = open(&path);
    put(&fleet, &a, patient, "phone", "+55 11 9000-0001");
    a.online();
    a.quiet().await;
    let path = close(a).await;
    copy(&old, &path);
    let mut a = open(&path);
    put(&fleet, &a, patient, "email", "depois@exemplo.com.br");
    a.online();
    all_agree(&fleet, &mut [&mut a]).await;
    let row = a.replica.row("patients", patient).unwrap().unwrap();
    assert_eq!(row.get("phone"), &Value::Text("+55 11 9000-0001".into()));
    assert_eq!(row.get("email"), &Value::Text("depois@exemplo.com.br".into()));
    assert!(was_copied(&a));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_beyond_the_horizon_fetches_everything_again_and_keeps_its_work() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let store = &fleet.database.store;
    let (mut a, mut b) = (synced(&fleet, "a").await, synced(&fleet, "b").await);
    let patient = a.replica.search_patients("a", 1).unwrap()[0].id;
    put(&fleet, &a, patient, "phone", "+55 11 9000-0001");
    a.quiet().await;
    let head = a.status().head;
    b.reaches(head).await;
    b.offline();
    put(&fleet, &b, patient, "email", "longe@exemplo.com.br");
    for n in 0..5 {
        put(&fleet, &a, patient, "address", &format!("Rua {n}"));
    }
    a.quiet().await;
    assert_eq!(prune(store, clinic, now()).await.unwrap(), 0, "entries of the last day stay");
    let mut admin = fleet.database.admin().await;
    let mut run = async |sql: &'static str| {
        sqlx_core::query::query(sql).bind(clinic.0).execute(&mut admin).await.unwrap();
    };
    run("update sync.feed set merged_at = merged_at - interval '2 days' where clinic_id = $1").await;
    // The tablets' acknowledgements are noted every few seconds; here they are written down at once.
    a.offline();
    a.online();
    a.quiet().await;
    let horizon = async || {
        let mut scoped = store.begin(&neonpro_server::actor::Actor::system(clinic)).await.unwrap();
        let head = scoped.find_head().await.unwrap();
        scoped.rollback().await.unwrap();
        head.horizon
    };
    prune(store, clinic, now()).await.unwrap();
    assert!(horizon().await <= b.status().cursor, "a live device holds the horizon back");
    run("update sync.devices set last_seen_at = last_seen_at - interval '31 days' where clinic_id = $1 and name = 'b'")
        .await;
    // The server notes an acknowledgement when a session ends or pauses.
    eventually("a silent one does not", async || {
        prune(store, clinic, now()).await.unwrap();
        horizon().await > b.status().cursor
    })
    .await;
    b.online();
    eventually("its work is merged", async || b.status().waiting.edits == 0).await;
    all_agree(&fleet, &mut [&mut a, &mut b]).await;
    let row = a.replica.row("patients", patient).unwrap().unwrap();
    assert_eq!(row.get("email"), &Value::Text("longe@exemplo.com.br".into()));
    assert_eq!(row.get("address"), &Value::Text("Rua 4".into()));
}
