//! A tablet is revoked: at any moment of a session, on any node, and nothing more reaches it.

use neonpro_client_core::Connection;
use neonpro_contract::catalogue::Role;
use neonpro_contract::permissions::Audience;
use neonpro_contract::wire::{Ack, ByeCode, Frame, Push};
use neonpro_server::authority::{revoke, set_membership, set_people};
use neonpro_server::blobs::Blobs;
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::database::Database;
use neonpro_server::serve::Server;
use neonpro_server::state::Outside;
use neonpro_server::store::authority::{Grant, People};
use neonpro_server::tls::Tls;
use neonpro_tests::device::Device;
use neonpro_tests::fleet::{Fleet, eventually};
use neonpro_tests::process::admission_workers;
use neonpro_tests::process::program;
use neonpro_tests::raw::{Raw, hello};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

async fn enrolled(fleet: &Fleet) -> Device {
    let clinic = fleet.clinic(0).id;
    let device = Device::new(clinic);
    let mut scoped = fleet.database.store.begin(&neonpro_server::actor::Actor::system(clinic)).await.unwrap();
    let grant = Grant::to_members(Audience::Clinical);
    scoped.append_device(device.id, "t", &device.public_key(), &grant, now()).await.unwrap();
    scoped.commit().await.unwrap();
    device
}

/// A session past its welcome.
async fn session(server: SocketAddr, device: &Device, cursor: i64, credit: u64) -> Raw {
    let (mut raw, challenge) = Raw::challenged(server).await;
    let mut hello = hello(device, &challenge.nonce);
    (hello.cursor, hello.credit) = (cursor, credit);
    raw.send_frame(&Frame::Hello(hello)).await;
    assert!(matches!(raw.frame().await, Some(Frame::Welcome(_))));
    raw
}

async fn head(fleet: &Fleet) -> i64 {
    let clinic = fleet.clinic(0).id;
    let mut scoped = fleet.database.store.begin(&neonpro_server::actor::Actor::system(clinic)).await.unwrap();
    let head = scoped.find_head().await.unwrap();
    scoped.rollback().await.unwrap();
    head.seq
}

async fn revoked(fleet: &Fleet, device: &Device) -> Instant {
    assert!(revoke(&fleet.database.store, device.clinic, device.id, now()).await.unwrap());
    Instant::now()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_session_ends_when_its_device_is_revoked() {
    let fleet = Fleet::start().await;
    let (device, neighbour) = (enrolled(&fleet).await, enrolled(&fleet).await);
    let head = head(&fleet).await;
    let mut raw = session(fleet.server.address, &device, head, 1 << 20).await;
    let mut other = session(fleet.server.address, &neighbour, head, 1 << 20).await;
    let since = revoked(&fleet, &device).await;
    assert_eq!(raw.goodbye().await, Some(ByeCode::Revoked));
    println!("silent after {:?}", since.elapsed());
    other.send_frame(&Frame::Push(Push { edits: Vec::new() })).await;
    let answered = async {
        while let Some(frame) = other.frame().await {
            if matches!(frame, Frame::Fates(_)) {
                return true;
            }
        }
        false
    };
    assert!(answered.await, "the neighbour's session goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_ends_in_the_middle_when_its_device_is_revoked() {
    let fleet = Fleet::start().await;
    let device = enrolled(&fleet).await;
    let mut raw = session(fleet.server.address, &device, -1, 1).await;
    let Some(Frame::Rows(first)) = raw.frame().await else { panic!("no first page") };
    assert!(first.next.is_some(), "more is to come");
    revoked(&fleet, &device).await;
    // The tablet goes on asking for all of it.
    raw.send_frame(&Frame::Ack(Ack { cursor: -1, credit: 1 << 30 })).await;
    let mut last = None;
    while let Some(frame) = raw.frame().await {
        assert!(!matches!(frame, Frame::Rows(_) | Frame::Page(_)), "{} after the revocation", frame.name());
        last = Some(frame);
    }
    assert!(matches!(last, Some(Frame::Bye(bye)) if bye.code == ByeCode::Revoked), "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_credit_ends_when_its_device_is_revoked() {
    let fleet = Fleet::start().await;
    let device = enrolled(&fleet).await;
    let mut raw = session(fleet.server.address, &device, -1, 1).await;
    assert!(matches!(raw.frame().await, Some(Frame::Rows(_))), "the one page its credit allows");
    let since = revoked(&fleet, &device).await;
    assert_eq!(raw.goodbye().await, Some(ByeCode::Revoked));
    println!("silent after {:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_on_its_way_is_not_merged_when_its_device_is_revoked_first() {
    let fleet = Fleet::start().await;
    let (mut device, clinic) = (enrolled(&fleet).await, fleet.clinic(0).id);
    let mut raw = session(fleet.server.address, &device, head(&fleet).await, 1 << 20).await;
    let record = fresh_id(now());
    let edit = device.new_patient(fleet.person(0, Role::Assistant), record, None);
    let store = &fleet.database.store;
    let system = neonpro_server::actor::Actor::system(clinic);
    let mut busy = store.begin(&system).await.unwrap();
    busy.lock_head().await.unwrap();
    let (revoking_store, id) = (store.clone(), device.id);
    let revoking = tokio::spawn(async move { revoke(&revoking_store, clinic, id, now()).await.unwrap() });
    locked(&fleet, 1).await;
    raw.send_frame(&Frame::Push(Push { edits: vec![edit.signed] })).await;
    locked(&fleet, 2).await;
    busy.rollback().await.unwrap();
    assert!(revoking.await.unwrap());
    assert_eq!(raw.goodbye().await, Some(ByeCode::Revoked));
    let mut admin = fleet.database.admin().await;
    eventually("the push is decided", async || {
        let sql = "select code from sync.edits where device_id = $1";
        let code: Option<String> =
            sqlx_core::query_scalar::query_scalar(sql).bind(id.0).fetch_optional(&mut admin).await.unwrap();
        code.as_deref() == Some("device_revoked")
    })
    .await;
    let mut scoped = store.begin(&system).await.unwrap();
    let patients = neonpro_contract::catalogue::table("patients").unwrap();
    assert!(scoped.list_existing(patients, &[record]).await.unwrap().is_empty());
}

/// Waits until so many transactions of this database wait for a lock.
async fn locked(fleet: &Fleet, count: i64) {
    let sql = "select count(distinct pid) from pg_locks where not granted and pid in \
               (select pid from pg_stat_activity where datname = current_database())";
    let mut admin = fleet.database.admin().await;
    eventually("transactions wait for the clinic", async || {
        let seen: i64 = sqlx_core::query_scalar::query_scalar(sql).fetch_one(&mut admin).await.unwrap();
        seen == count
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_on_another_node_ends_when_the_operator_revokes_its_device() {
    let fleet = Fleet::start().await;
    let dir = tempfile::TempDir::new().unwrap();
    let tls = Tls::load_or_make(dir.path(), &["127.0.0.1".to_owned()]).unwrap();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let store = fleet.database.open_again().await;
    let (notary, ledger) = (Arc::clone(&fleet.server.state.notary), Arc::clone(&fleet.server.state.ledger));
    let blobs = Blobs::in_folder(&dir.path().join("files")).unwrap();
    let outside = Outside { notary, ledger, blobs };
    let node = Server::over(Database::over(store), tls, listen, outside, admission_workers()).await.unwrap();
    let device = enrolled(&fleet).await;
    let head = head(&fleet).await;
    let mut here = session(fleet.server.address, &device, head, 1 << 20).await;
    let mut there = session(node.address, &device, head, 1 << 20).await;
    let said = tokio::process::Command::new(program("neonpro-server"))
        .args(["revoke", "--clinic", &device.clinic.to_string(), "--device", &device.id.to_string()])
        .envs(fleet.database.urls())
        .output()
        .await
        .unwrap();
    let since = Instant::now();
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), "revoked", "{said:?}");
    assert_eq!(here.goodbye().await, Some(ByeCode::Revoked));
    assert_eq!(there.goodbye().await, Some(ByeCode::Revoked));
    println!("silent on both nodes {:?} after the command ended", since.elapsed());
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_whose_notification_is_lost_is_found_by_looking() {
    let fleet = Fleet::start().await;
    let device = enrolled(&fleet).await;
    let mut raw = session(fleet.server.address, &device, head(&fleet).await, 1 << 20).await;
    let mut admin = fleet.database.admin().await;
    for sql in [
        "update sync.devices set state = 'revoked', revoked_at = now() where id = $1",
        "update sync.device_clinics set revoked_at = now() where device_id = $1",
    ] {
        sqlx_core::query::query(sql).bind(device.id.0).execute(&mut admin).await.unwrap();
    }
    let since = Instant::now();
    assert_eq!(raw.goodbye().await, Some(ByeCode::Revoked));
    println!("silent after {:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_tablet_stops_and_keeps_what_it_has_not_sent() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let mut a = fleet.tablet(clinic, "a").await;
    a.online();
    a.quiet().await;
    let device = a.replica.identity().device;
    assert!(revoke(&fleet.database.store, clinic, device, now()).await.unwrap());
    let stopped = |state: &neonpro_client_core::SyncState| {
        state.connection == Connection::Stopped { reason: "revoked".to_owned() }
    };
    assert!(a.handle.wait_for(stopped).await.is_some());
    let values = [("name", json!("Depois da revogação"))];
    a.replica.create_record(fleet.person(0, Role::Assistant), "patients", values).unwrap();
    assert_eq!(a.status().waiting.edits, 1);
    assert_eq!(a.status().connection, Connection::Stopped { reason: "revoked".to_owned() });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_learns_at_once_who_may_write_on_it() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let (first, second) = (fleet.person(0, Role::Assistant), fleet.person(0, Role::Professional));
    let only = |person| People::Named(BTreeSet::from([person]));
    let grant = Grant { audience: Audience::Clinical, people: only(first) };
    let mut a = fleet.tablet_granted(clinic, &grant, "a").await;
    a.online();
    a.quiet().await;
    let users = |a: &neonpro_tests::fleet::Tablet| -> Vec<_> {
        a.replica.users().unwrap().into_iter().map(|user| user.author).collect()
    };
    assert_eq!(users(&a), [first]);
    let values = || [("name", json!("Paciente"))];
    let refused = a.replica.create_record(second, "patients", values()).unwrap_err();
    assert_eq!(refused.code(), "unknown_author");

    let device = a.replica.identity().device;
    assert!(set_people(&fleet.database.store, clinic, device, &only(second), now()).await.unwrap());
    eventually("the tablet has heard", async || users(&a) == [second]).await;
    a.replica.create_record(second, "patients", values()).unwrap();
    a.quiet().await;
    assert_eq!(a.status().needs_attention, 0);

    assert!(set_membership(&fleet.database.store, clinic, second, None, now()).await.unwrap());
    eventually("the tablet knows that the membership ended", async || {
        a.replica
            .create_record(second, "patients", values())
            .is_err_and(|error| error.code() == "unknown_author")
    })
    .await;
}
