//! Canaries: texts of one clinic in every field, and every byte the server says to another clinic, to nobody and to its
//! logs searched for them.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests stop the test where it broke"
)]

use neonpro_client_core::{Clock, Draft, ReplicaKey, SyncOptions, enrol};
use neonpro_contract::catalogue::{FacetId, Field, Format, Kind, Role, Scope, TABLES};
use neonpro_contract::digest::Digest;
use neonpro_contract::ids::{ClinicId, RecordId};
use neonpro_contract::permissions::Audience;
use neonpro_contract::value::Column;
use neonpro_contract::wire::{Ack, Buckets, Frame, Push};
use neonpro_server::actor::Actor;
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::http::enrol::{make_code, ticket};
use neonpro_server::store::authority::Grant;
use neonpro_tests::canary::{self, canary, is_in};
use neonpro_tests::cluster::{TestDatabase, network, postgres_log};
use neonpro_tests::device::{Device, document, put};
use neonpro_tests::fleet::Tablet;
use neonpro_tests::process::{ServerProcess, free_port};
use neonpro_tests::raw::{Raw, hello, tls};
use neonpro_tests::tap::{Tap, expanded};
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A server of its own, with its log and a clinic's taps.
struct Aviary {
    database: TestDatabase,
    server: ServerProcess,
    address: SocketAddr,
    dir: TempDir,
}

impl Aviary {
    async fn open() -> Self {
        let database = TestDatabase::create().await;
        let mut admin = database.admin().await;
        let (clinics, fields) = canary::release(&mut admin).await;
        println!("{fields} fields hold a canary");
        assert!(fields > 200, "only {fields} fields hold a canary");
        for (place, clinic) in clinics.iter().enumerate() {
            assert!(canary::count(&mut admin, *clinic, place).await > 10, "the patients of {place}");
        }
        let dir = TempDir::new().unwrap();
        let port = free_port();
        // Everything the server could say, and the driver's statements.
        let (log, level) = (dir.path().join("server.log"), "info,neonpro_server=trace,sqlx=trace");
        let server = ServerProcess::start_told(&database, dir.path(), port, &log, level);
        Self { database, server, address: SocketAddr::from(([127, 0, 0, 1], port)), dir }
    }

    /// A clinic by the place of its canary.
    fn clinic(&self, place: usize) -> ClinicId {
        let mut ids: Vec<ClinicId> = network().clinics.iter().map(|clinic| clinic.id).collect();
        ids.sort_by_key(|id| id.0);
        ids[place]
    }

    async fn tablet(&self, place: usize, tap: &Tap) -> Tablet {
        let clinic = self.clinic(place);
        let code = make_code(&self.database.store, clinic, &Grant::to_members(Audience::Clinical), now())
            .await
            .unwrap();
        let path = self.dir.path().join(format!("{place}.replica"));
        let ticket = ticket(&tap.url(), &self.server.fingerprint, &code);
        let name = canary(place);
        let replica = enrol(&ticket, &path, ReplicaKey::new([7; 32]), &name, Clock::system()).await.unwrap();
        let handle = replica.start_sync(SyncOptions { online: false, ..SyncOptions::default() });
        Tablet { replica, handle, path }
    }

    async fn get(&self, request: &str) -> Vec<u8> {
        let mut stream = tls(self.address, &[&rustls::version::TLS13]).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    }
}

/// A day's work of a clinic, its canary in everything that is typed.
async fn work(aviary: &Aviary, tablet: &mut Tablet, place: usize) {
    let demo = demo(aviary.clinic(place));
    let of = |role: Role| demo.people.iter().find(|person| person.role == role).unwrap().id;
    // Something new each time.
    let word = format!("{} {}", canary(place), fresh_id(now()));
    let text = json!(word);
    let patients =
        |n: usize| demo.batch.records().iter().filter(|r| r.table.name == "patients").nth(n).unwrap().id;
    let (patient, other): (RecordId, RecordId) = (patients(0), patients(1));
    for draft in [
        Draft::new(of(Role::Admin)).put("patients", patient, "name", text.clone()),
        Draft::new(of(Role::Professional)).put("patients", other, "notes", text.clone()),
        Draft::new(of(Role::Professional)).add("patients", patient, "allergies", &word),
        Draft::new(of(Role::Admin)).create("patients", [("name", text.clone()), ("is_active", json!(true))]),
        Draft::new(of(Role::Professional)).create(
            "treatment_plans",
            [
                ("patient_id", json!(patient)),
                ("professional_id", json!(of(Role::Professional))),
                ("title", text.clone()),
                ("status", json!("active")),
            ],
        ),
    ] {
        tablet.replica.edit(draft).unwrap();
    }
    tablet.quiet().await;
}

/// An enrolled device of a clinic gone bad: it names everything of another clinic it could know. Every byte it hears.
async fn attack(aviary: &Aviary, from: usize, on: usize) -> Vec<u8> {
    let clinic = aviary.clinic(from);
    let mut device = Device::new(clinic);
    let mut scoped = aviary.database.store.begin(&Actor::system(clinic)).await.unwrap();
    scoped
        .append_device(device.id, "bad", &device.public_key(), &Grant::to_members(Audience::Clinical), now())
        .await
        .unwrap();
    scoped.commit().await.unwrap();
    let (ours, theirs) = (demo(clinic), demo(aviary.clinic(on)));
    let author = ours.people.iter().find(|person| person.role == Role::Admin).unwrap().id;
    let mut edits = Vec::new();
    for table in TABLES.iter().filter(|table| table.scope == Scope::Clinic) {
        let Some(record) = theirs.batch.records().iter().find(|record| record.table.name == table.name)
        else {
            continue;
        };
        let id = document(table.name, record.id.0, 0);
        let written = |field: &&Field| field.kind != Kind::Derived && field.facet == FacetId(0);
        let free =
            |field: &&Field| field.column == Column::Text && field.format == Format::Plain && !field.fixed;
        let Some(field) = table.fields.iter().filter(written).find(free) else { continue };
        for (create, value) in [(false, "x"), (true, "y")] {
            edits.push(device.edit(author, &[(id, create, vec![put(field.name, json!(value))])]).signed);
        }
        for field in table.fields.iter().filter(written).filter(|field| field.references.is_some()) {
            let value = record.row.get(field.name).to_json();
            if !value.is_null() {
                let new = document(table.name, fresh_id(now()), 0);
                edits.push(device.edit(author, &[(new, true, vec![put(field.name, value)])]).signed);
            }
        }
    }
    let (mut raw, challenge) = Raw::challenged(aviary.address).await;
    raw.send_frame(&Frame::Hello(hello(&device, &challenge.nonce))).await;
    let asked = edits.len();
    raw.send_frame(&Frame::Push(Push { edits })).await;
    raw.send_frame(&Frame::Buckets(Buckets { cursor: 0, sums: vec![Digest(1); 256] })).await;
    let mut heard = Vec::new();
    let mut fates = 0;
    while fates < asked {
        let frame = raw.frame().await.expect("the server answers a device gone bad");
        heard.extend(frame.encode());
        heard.extend(expanded(&frame));
        raw.send_frame(&Frame::Ack(Ack { cursor: -1, credit: 1 << 20 })).await;
        if let Frame::Fates(told) = frame {
            fates += told.fates.len();
        }
    }
    raw.send_frame(&Frame::Challenge(challenge)).await;
    while let Some(frame) = raw.frame().await {
        heard.extend(frame.encode());
        heard.extend(expanded(&frame));
    }
    heard
}

fn demo(id: ClinicId) -> &'static neonpro_server::demo::DemoClinic {
    network().clinics.iter().find(|clinic| clinic.id == id).unwrap()
}

/// What anybody may ask for, and what nobody may.
async fn doors(aviary: &Aviary) -> Vec<u8> {
    let mut heard = Vec::new();
    for path in ["/healthz", "/readyz", "/metrics", "/sync", "/enrol", "/", "/../etc", "/metrics?clinic=1"] {
        heard.extend(
            aviary.get(&format!("GET {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n")).await,
        );
    }
    for body in [
        "{}",
        "",
        "{\"code\":\"x\"}",
        "[[[[",
        "{\"code\":\"x\",\"public_key\":\"00\",\"name\":\"\",\"app\":\"\"}",
    ] {
        let head =
            "POST /enrol HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-type: application/json\r\n";
        heard.extend(aviary.get(&format!("{head}content-length: {}\r\n\r\n{body}", body.len())).await);
    }
    heard
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_canary_of_a_clinic_is_heard_by_another_or_told_to_a_log() {
    let aviary = Aviary::open().await;
    let (tap_a, tap_b) = (Tap::start(aviary.address).await, Tap::start(aviary.address).await);
    let (mut a, mut b) = (aviary.tablet(0, &tap_a).await, aviary.tablet(1, &tap_b).await);
    for tablet in [&mut a, &mut b] {
        tablet.online();
        tablet.quiet().await;
    }
    work(&aviary, &mut a, 0).await;
    work(&aviary, &mut b, 1).await;
    let attacked = attack(&aviary, 1, 0).await;
    work(&aviary, &mut a, 0).await;
    b.quiet().await;
    let said_to_anyone = doors(&aviary).await;

    let (heard_a, heard_b) = (tap_a.heard(), tap_b.heard());
    assert!(is_in(&heard_a, 0) && is_in(&heard_b, 1), "a clinic hears its own");
    assert!(["fates", "page", "rows", "welcome"].iter().all(|name| tap_b.frames().contains(name)));
    assert!(is_in(&attacked, 1), "the device gone bad hears its own clinic");
    assert!(!is_in(&heard_b, 0) && !is_in(&heard_b, 2), "to B's tablet");
    assert!(!is_in(&heard_a, 1) && !is_in(&heard_a, 2), "to A's tablet");
    assert!(!is_in(&attacked, 0) && !is_in(&attacked, 2), "to a device of B gone bad");

    let log = read(&aviary.dir.path().join("server.log"));
    assert!(log.len() > 1_000, "the server logged");
    let database_log = postgres_log();
    assert!(!database_log.is_empty(), "PostgreSQL logged");
    for place in 0..3 {
        assert!(!is_in(&said_to_anyone, place), "an answer to nobody holds the canary of {place}");
        assert!(!is_in(&log, place), "the server's log holds the canary of {place}");
        assert!(!is_in(&database_log, place), "PostgreSQL's log holds the canary of {place}");
    }
}
