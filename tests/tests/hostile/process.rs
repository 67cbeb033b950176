//! The server as a process, under attack by an enrolled tablet: alive, small, silent, and open for everybody else.

use super::admission::{conflicts, tampered};
use super::deaths::LongNotes;
use super::values::INJECTIONS;
use neonpro_contract::catalogue::Role;
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::permissions::Audience;
use neonpro_contract::wire::{Frame, Push};
use neonpro_server::actor::Actor;
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::merge::Incoming;
use neonpro_server::store::authority::Grant;
use neonpro_tests::cluster::{TestDatabase, network};
use neonpro_tests::device::{Device, document, put};
use neonpro_tests::poison::{Chunk, TEXT, bits, flipped, with_header};
use neonpro_tests::process::{ServerProcess, free_port};
use neonpro_tests::raw::{Raw, hello};
use serde_json::json;
use tempfile::TempDir;

/// What the attack may add to the server's memory, KiB. The workers' own is theirs.
const GROWTH_KIB_MAX: u64 = 96 * 1024;
/// Stands for a patient's words: it must not be in the log.
const CANARY: &str = "CANARIO-DA-PACIENTE-7391";

async fn session(server: &ServerProcess, database: &TestDatabase, clinic: usize) -> (Raw, Device) {
    let device = Device::new(network().clinics[clinic].id);
    let mut scoped = database.store.begin(&Actor::system(device.clinic)).await.unwrap();
    let grant = Grant::to_members(Audience::Clinical);
    scoped.append_device(device.id, "t", &device.public_key(), &grant, now()).await.unwrap();
    scoped.commit().await.unwrap();
    (connected(server, &device).await, device)
}

async fn connected(server: &ServerProcess, device: &Device) -> Raw {
    let (mut raw, challenge) = Raw::challenged(server.address()).await;
    raw.send_frame(&Frame::Hello(hello(device, &challenge.nonce))).await;
    raw
}

async fn push(raw: &mut Raw, edits: Vec<Incoming>) {
    raw.send_frame(&Frame::Push(Push { edits: edits.into_iter().map(|edit| edit.signed).collect() })).await;
}

async fn fates(raw: &mut Raw) -> Vec<Fate> {
    loop {
        if let Frame::Fates(fates) = raw.frame().await.expect("the session stays open") {
            return fates.fates.into_iter().map(|fate| fate.fate).collect();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_gone_bad_costs_no_memory_no_other_clinic_and_no_line_of_the_log() {
    let database = TestDatabase::create().await;
    let dir = TempDir::new().unwrap();
    let mut server = ServerProcess::start(&database, dir.path(), free_port(), None);
    let (here, there) = (&network().clinics[0], &network().clinics[1]);
    let author = |clinic: &neonpro_server::demo::DemoClinic| {
        clinic.people.iter().find(|person| person.role == Role::Assistant).unwrap().id
    };
    let (mut bad_socket, mut bad) = session(&server, &database, 0).await;
    let (mut good_socket, mut good) = session(&server, &database, 1).await;
    push(&mut good_socket, vec![good.new_patient(author(there), fresh_id(now()), None)]).await;
    assert!(matches!(fates(&mut good_socket).await[0], Fate::Accepted { .. }));
    let before = server.peak_memory_kib();

    let patients = here.batch.records().iter().filter(|record| record.table.name == "patients");
    let mut attack = Vec::new();
    for (index, victim) in patients.take(12).enumerate() {
        let id = document("patients", victim.id.0, 0);
        bad.open(id, &victim.row);
        let edit = match index {
            0 => tampered(&mut bad, author(here), id, conflicts),
            1 => tampered(&mut bad, author(here), id, |chunk| Chunk { seq: u64::MAX, ..chunk }.write()),
            2 => tampered(&mut bad, author(here), id, |_| with_header(2, &[0; 200_000])),
            3 => tampered(&mut bad, author(here), id, |chunk| chunk.repeated(i64::MAX).write()),
            4 => tampered(&mut bad, author(here), id, |chunk| {
                chunk.with_value(TEXT, format!("{CANARY}\0").as_bytes()).write()
            }),
            5 => tampered(&mut bad, author(here), id, |chunk| {
                let bytes = chunk.write();
                flipped(&bytes, bits(&bytes) / 2)
            }),
            6 => tampered(&mut bad, author(here), id, |chunk| Chunk { start_op: 1 << 27, ..chunk }.write()),
            _ => {
                let text = format!("{CANARY}{}", INJECTIONS[index % INJECTIONS.len()]);
                bad.edit(author(here), &[(id, false, vec![put("address", json!(text))])])
            }
        };
        attack.push(edit);
    }
    push(&mut bad_socket, attack).await;
    // The other clinic is served while the attack is tried.
    for _ in 0..5 {
        push(&mut good_socket, vec![good.new_patient(author(there), fresh_id(now()), None)]).await;
        assert!(matches!(fates(&mut good_socket).await[0], Fate::Accepted { .. }));
    }
    let told = fates(&mut bad_socket).await;
    let (refused, aside) = (|code| Fate::Refused { code }, |code| Fate::Quarantined { code });
    assert_eq!(told[0], aside(Code::AdmissionFailed));
    assert_eq!(told[1], refused(Code::Malformed));
    assert_eq!(told[2], refused(Code::Malformed));
    assert_eq!(told[3], refused(Code::Malformed));
    assert_eq!(told[4], aside(Code::InvalidValue));
    assert!(!matches!(told[5], Fate::Accepted { .. }), "{:?}", told[5]);
    assert_eq!(told[6], refused(Code::Malformed));
    assert!(told[7..].iter().all(|fate| matches!(fate, Fate::Accepted { .. })), "{told:?}");

    assert!(!server.has_ended(), "the server lives");
    let grown = server.peak_memory_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB_MAX, "the server grew by {grown} KiB");
    let log = server.log();
    assert!(log.contains("an edit was not admitted"), "{log}");
    assert!(!log.contains(CANARY) && !log.contains("drop table"), "{log}");
    server.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_that_kill_workers_cost_the_server_no_memory_and_are_told_in_its_log() {
    let database = TestDatabase::create().await;
    let dir = TempDir::new().unwrap();
    let mut server = ServerProcess::start(&database, dir.path(), free_port(), None);
    let (here, there) = (&network().clinics[0], &network().clinics[1]);
    let assistant = |clinic: &neonpro_server::demo::DemoClinic| {
        clinic.people.iter().find(|person| person.role == Role::Assistant).unwrap().id
    };
    let (_, mut bad) = session(&server, &database, 0).await;
    let (_, mut good) = session(&server, &database, 1).await;
    let long = LongNotes::written(&mut bad, assistant(here), here);
    let guilty: Vec<_> = (0..2).map(|_| long.emptied(&mut bad, assistant(here))).collect();
    // Writing took a while, and a socket that says nothing is closed.
    let (mut bad_socket, mut good_socket) = (connected(&server, &bad).await, connected(&server, &good).await);
    // Honest work on the same documents first: what it costs is what the server may hold.
    for edits in long.edits.chunks(3) {
        push(&mut bad_socket, edits.to_vec()).await;
        assert!(fates(&mut bad_socket).await.iter().all(|fate| matches!(fate, Fate::Accepted { .. })));
    }
    let before = server.peak_memory_kib();

    let ids: Vec<String> = guilty
        .iter()
        .map(|edit| neonpro_contract::edit::decode_envelope(&edit.signed.envelope).unwrap().edit.to_string())
        .collect();
    push(&mut bad_socket, guilty).await;
    for _ in 0..5 {
        push(&mut good_socket, vec![good.new_patient(assistant(there), fresh_id(now()), None)]).await;
        assert!(matches!(fates(&mut good_socket).await[0], Fate::Accepted { .. }));
    }
    assert_eq!(fates(&mut bad_socket).await, vec![Fate::Quarantined { code: Code::AdmissionFailed }; 2]);

    assert!(!server.has_ended(), "the server lives");
    let grown = server.peak_memory_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB_MAX, "the server grew by {grown} KiB");
    let log = server.log();
    assert_eq!(log.matches("an edit kills admission workers").count(), 2, "{log}");
    assert!(ids.iter().all(|id| log.contains(id)), "by the edit's id: {log}");
    server.kill();
}
