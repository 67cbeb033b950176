//! Many callers at once, callers that hardly listen, callers that repeat themselves.

use futures_util::future::join_all;
use neonpro_contract::catalogue::Role;
use neonpro_contract::edit::decode_envelope;
use neonpro_contract::fate::Fate;
use neonpro_contract::permissions::Audience;
use neonpro_contract::wire::{Frame, Position, Push};
use neonpro_server::actor::Actor;
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::store::Store;
use neonpro_server::store::authority::Grant;
use neonpro_tests::cluster::{TestDatabase, network};
use neonpro_tests::device::Device;
use neonpro_tests::fleet::Fleet;
use neonpro_tests::process::{ServerProcess, free_port};
use neonpro_tests::raw::{Raw, hello};
use neonpro_tests::weather::{Line, Weather};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Tablets of a large clinic that come back in the same second. Two thousand need more descriptors than a test may have.
const CROWD: usize = 200;
/// Callers that read a byte a second.
const DRIPPING: usize = 24;
/// What they may cost the server together, KiB.
const GROWTH_KIB_MAX: u64 = 64 * 1024;
/// Times a frame is repeated.
const REPEATED: usize = 100;

async fn enrolled(store: &Store, clinic: usize, count: usize) -> Vec<Device> {
    let clinic = network().clinics[clinic].id;
    let devices: Vec<Device> = (0..count).map(|_| Device::new(clinic)).collect();
    let mut scoped = store.begin(&Actor::system(clinic)).await.unwrap();
    let grant = Grant::to_members(Audience::Clinical);
    for device in &devices {
        scoped.append_device(device.id, "t", &device.public_key(), &grant, now()).await.unwrap();
    }
    scoped.commit().await.unwrap();
    devices
}

/// Longest until a device that keeps coming again is let in.
const WELCOME_LIMIT: Duration = Duration::from_secs(60);

fn assistant(clinic: usize) -> neonpro_contract::ids::AuthorId {
    let people = network().clinics[clinic].people.iter();
    people.filter(|person| person.role == Role::Assistant).map(|person| person.id).next().unwrap()
}

/// A session; one that is sent away because there are too many comes again when it was told to.
async fn welcomed(server: SocketAddr, device: &Device) -> Raw {
    tokio::time::timeout(WELCOME_LIMIT, come_again(server, device)).await.unwrap()
}

async fn come_again(server: SocketAddr, device: &Device) -> Raw {
    loop {
        let (mut raw, challenge) = Raw::challenged(server).await;
        raw.send_frame(&Frame::Hello(hello(device, &challenge.nonce))).await;
        match raw.frame().await {
            Some(Frame::Welcome(_)) => return raw,
            Some(Frame::Bye(bye)) => {
                tokio::time::sleep(Duration::from_millis(u64::from(bye.retry_after_ms).max(10))).await;
            }
            other => panic!("neither welcome nor goodbye: {other:?}"),
        }
    }
}

/// The answer to a push; `None` when the server hung up instead.
async fn answer(raw: &mut Raw) -> Option<Vec<Fate>> {
    loop {
        if let Frame::Fates(fates) = raw.frame().await? {
            return Some(fates.fates.into_iter().map(|fate| fate.fate).collect());
        }
    }
}

async fn fates(raw: &mut Raw) -> Vec<Fate> {
    answer(raw).await.expect("the session stays open")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clinic_that_comes_back_all_at_once_is_let_in_whole() {
    let fleet = Fleet::start().await;
    let address = fleet.server.address;
    let mut devices = enrolled(&fleet.database.store, 0, CROWD).await;
    let pushes = devices.iter_mut().map(|device| async move {
        let edit = device.new_patient(assistant(0), fresh_id(now()), None);
        let record = decode_envelope(&edit.signed.envelope).unwrap().changes[0].document.record.0;
        // More pushes than the merger's queue takes are shed, and come again.
        loop {
            let mut raw = welcomed(address, device).await;
            raw.send_frame(&Frame::Push(Push { edits: vec![edit.signed.clone()] })).await;
            if let Some(told) = answer(&mut raw).await {
                return (record, told);
            }
        }
    });
    let mut records = Vec::new();
    for (record, told) in join_all(pushes).await {
        records.push(record);
        assert!(matches!(told.as_slice(), [Fate::Accepted { .. } | Fate::Duplicate { .. }]), "{told:?}");
    }
    let sql = "select count(*) from patients where clinic_id = $1 and id = any($2)";
    let mut admin = fleet.database.admin().await;
    let there: i64 = sqlx_core::query_scalar::query_scalar(sql)
        .bind(fleet.clinic(0).id.0)
        .bind(records)
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(there, CROWD as i64, "each of them once");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_read_a_byte_a_second_cost_nobody_anything() {
    let database = TestDatabase::create().await;
    let dir = TempDir::new().unwrap();
    let mut server = ServerProcess::start(&database, dir.path(), free_port(), None);
    let line = Line::start(server.address()).await;
    let (slow, mut honest) =
        (enrolled(&database.store, 0, DRIPPING).await, enrolled(&database.store, 1, 1).await);
    let mut good = welcomed(server.address(), &honest[0]).await;
    let before = server.peak_memory_kib();

    // The handshake goes through; then everything the clinic has is asked for, and hardly read.
    line.set(Weather::Dripping { after: 3_000 });
    let mut held = Vec::new();
    for device in &slow {
        let (mut raw, challenge) = Raw::challenged(line.address).await;
        let all = Some(Position { section: 0, after: None });
        let hello = hello(device, &challenge.nonce);
        raw.send_frame(&Frame::Hello(neonpro_contract::wire::Hello {
            bootstrap: all,
            credit: u32::MAX.into(),
            ..hello
        }))
        .await;
        held.push(raw);
    }
    for _ in 0..20 {
        let edit = honest[0].new_patient(assistant(1), fresh_id(now()), None);
        let began = Instant::now();
        good.send_frame(&Frame::Push(Push { edits: vec![edit.signed] })).await;
        assert!(matches!(fates(&mut good).await.as_slice(), [Fate::Accepted { .. }]));
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
    assert!(!server.has_ended());
    let grown = server.peak_memory_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB_MAX, "the server grew by {grown} KiB");
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_repeated_a_hundred_times_is_merged_once() {
    let fleet = Fleet::start().await;
    let mut devices = enrolled(&fleet.database.store, 0, 1).await;
    let edit = devices[0].new_patient(assistant(0), fresh_id(now()), None);
    let mut raw = welcomed(fleet.server.address, &devices[0]).await;
    let (mut accepted, mut seqs) = (0, Vec::new());
    for _ in 0..REPEATED {
        raw.send_frame(&Frame::Push(Push { edits: vec![edit.signed.clone()] })).await;
        match fates(&mut raw).await.as_slice() {
            [Fate::Accepted { seq, .. }] => {
                accepted += 1;
                seqs.push(*seq);
            }
            [Fate::Duplicate { seq, .. }] => seqs.push(*seq),
            other => panic!("{other:?}"),
        }
    }
    seqs.dedup();
    assert_eq!((accepted, seqs.len()), (1, 1), "one place in the feed");
}
