//! "It belongs to another clinic" and "it does not exist" are one answer: the same bytes, and the same questions asked of
//! the database on the way to them.
//!
//! What is compared is the sequence of statements, not the time: time is told at the end and decides nothing.

use neonpro_contract::catalogue::Role;
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::{AuthorId, DeviceId, EditId};
use neonpro_contract::permissions::Audience;
use neonpro_contract::wire::Frame;
use neonpro_server::actor::Actor;
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::http::enrol::make_code;
use neonpro_server::merge::Incoming;
use neonpro_server::store::authority::Grant;
use neonpro_tests::cluster::TestDatabase;
use neonpro_tests::device::{Device, document, put};
use neonpro_tests::fleet::{Fleet, eventually};
use neonpro_tests::raw::{Raw, hello, tls};
use neonpro_tests::statements::Statements;
use neonpro_tests::world::World;
use serde_json::json;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

/// A world whose every statement is heard.
async fn heard_world() -> (World, Statements) {
    let (database, heard) = TestDatabase::heard().await;
    (World::over(database), heard)
}

/// What came of pushing one edit: its fate without numbers, and what the database was asked.
async fn course(world: &World, heard: &Statements, edit: Incoming) -> (Result<(), Code>, Vec<String>) {
    let _ = heard.take();
    let fates = world.push(world.clinic(0).id, vec![edit]).await;
    let fate = match fates.as_slice() {
        [Fate::Accepted { .. }] => Ok(()),
        [Fate::Refused { code } | Fate::Quarantined { code }] => Err(*code),
        other => panic!("{other:?}"),
    };
    (fate, heard.take())
}

type Make<'a> = Box<dyn Fn(&mut Device, Uuid) -> Incoming + 'a>;

/// Every way an edit can name something, with the other clinic's of it.
#[expect(clippy::too_many_lines, reason = "one list: every way an edit can name something")]
fn namings(world: &World) -> Vec<(&'static str, Uuid, Make<'_>)> {
    let author = world.person(0, Role::Admin);
    let professional = world.person(0, Role::Professional);
    // Each named once: what was refused stands in the way of what is said next about the same id.
    let theirs = |table: &str, index: usize| world.record(1, table, index).0;
    let touch = move |table: &'static str, field: &'static str, value: &'static str| -> Make<'_> {
        Box::new(move |device: &mut Device, id: Uuid| {
            device.edit(author, &[(document(table, id, 0), false, vec![put(field, json!(value))])])
        })
    };
    let mut all: Vec<(&'static str, Uuid, Make<'_>)> = vec![
        ("a record edited", theirs("patients", 0), touch("patients", "phone", "x")),
        ("a product edited", theirs("inventory_products", 0), touch("inventory_products", "category", "x")),
        ("an appointment edited", theirs("appointments", 0), touch("appointments", "status", "confirmed")),
        (
            "a record's own id taken",
            theirs("patients", 1),
            Box::new(move |device, id| device.new_patient(author, id, None)),
        ),
        (
            "a facet that is not the first",
            theirs("patients", 2),
            Box::new(move |device, id| {
                device.edit(
                    author,
                    &[(document("patients", id, 1), false, vec![put("skin_type", json!("II"))])],
                )
            }),
        ),
        (
            "a parent named",
            theirs("patients", 3),
            Box::new(move |device, id| device.plan(professional, id, fresh_id(now()))),
        ),
        (
            "a consent's patient",
            theirs("patients", 4),
            Box::new(move |device, id| device.consent(author, id, "marketing", true, &[]).1),
        ),
        (
            "a withdrawal seen",
            theirs("data_consent_records", 0),
            Box::new(move |device, id| {
                let patient = world.patient(0, 0).0;
                device.consent(author, patient, "marketing", true, &[id]).1
            }),
        ),
        (
            "an author",
            world.person(1, Role::Admin).0,
            Box::new(move |device, id| device.new_patient(AuthorId(id), fresh_id(now()), None)),
        ),
        (
            "a clinic's own record",
            world.clinic(1).id.0,
            Box::new(move |device, id| {
                device.edit(author, &[(document("clinics", id, 0), true, vec![put("name", json!("x"))])])
            }),
        ),
    ];
    for (table, parent, field) in [
        ("inventory_lots", "inventory_products", "product_id"),
        ("team_members", "professional_teams", "team_id"),
        ("coordination_messages", "coordination_threads", "thread_id"),
    ] {
        all.push((
            "a parent of another kind",
            theirs(parent, usize::from(parent == "inventory_products")),
            Box::new(move |device, id| {
                let ops = vec![put(field, json!(id))];
                device.edit(author, &[(document(table, fresh_id(now()), 0), true, ops)])
            }),
        ));
    }
    all
}

#[tokio::test]
async fn the_merge_asks_and_answers_the_same_for_foreign_and_for_missing() {
    let (world, heard) = heard_world().await;
    let mut device = world.device(world.clinic(0).id).await;
    let mut times = (Vec::new(), Vec::new());
    for (what, foreign, make) in namings(&world) {
        // Once beforehand, so that every connection has prepared what it needs.
        let _ = course(&world, &heard, make(&mut device, fresh_id(now()))).await;
        let began = Instant::now();
        let missing = course(&world, &heard, make(&mut device, fresh_id(now()))).await;
        times.0.push(began.elapsed());
        let began = Instant::now();
        let theirs = course(&world, &heard, make(&mut device, foreign)).await;
        times.1.push(began.elapsed());
        assert!(!missing.1.is_empty(), "nothing was heard");
        assert_eq!(theirs, missing, "{what}");
    }
    tell("merge", times.0, times.1);
}

#[tokio::test]
async fn an_edit_id_of_another_clinic_is_as_good_as_any() {
    let (world, heard) = heard_world().await;
    let mut here = world.device(world.clinic(0).id).await;
    let mut there = world.device(world.clinic(1).id).await;
    let known = EditId(fresh_id(now()));
    there.edit_id = Some(known);
    let edit = there.new_patient(world.person(1, Role::Admin), fresh_id(now()), None);
    assert!(matches!(world.push(world.clinic(1).id, vec![edit]).await.as_slice(), [Fate::Accepted { .. }]));
    let mut push = async |id: EditId| {
        here.edit_id = Some(id);
        let edit = here.new_patient(world.person(0, Role::Admin), fresh_id(now()), None);
        course(&world, &heard, edit).await
    };
    let _ = push(EditId(fresh_id(now()))).await;
    let fresh = push(EditId(fresh_id(now()))).await;
    let theirs = push(known).await;
    assert_eq!(theirs, fresh);
    assert_eq!(theirs.0, Ok(()), "another clinic's edit is no duplicate here");
}

/// The bytes a device is turned away with, and what the database was asked.
async fn turned_away(
    fleet: &Fleet,
    heard: &Statements,
    signer: &Device,
    named: DeviceId,
) -> (Vec<Frame>, Vec<String>) {
    let (mut raw, challenge) = Raw::challenged(fleet.server.address).await;
    let _ = heard.take();
    let mut said = hello(signer, &challenge.nonce);
    said.device = named;
    raw.send_frame(&Frame::Hello(said)).await;
    let mut frames = Vec::new();
    while let Some(frame) = raw.frame().await {
        frames.push(frame);
    }
    (frames, heard.take())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_handshake_asks_and_answers_the_same_for_a_stranger_and_for_another_clinics_device() {
    let (database, heard) = TestDatabase::heard().await;
    let fleet = Fleet::over(database).await;
    let theirs = Device::new(fleet.clinic(1).id);
    let mut scoped = fleet.database.store.begin(&Actor::system(theirs.clinic)).await.unwrap();
    scoped
        .append_device(theirs.id, "t", &theirs.public_key(), &Grant::to_members(Audience::Clinical), now())
        .await
        .unwrap();
    scoped.commit().await.unwrap();
    // The server's first upkeep speaks to the database too: it must have had its say.
    let mut before = 0;
    eventually("the server is quiet", async || {
        let quiet = heard.len() == before && before > 0;
        before = heard.len();
        quiet
    })
    .await;
    let stranger = Device::new(fleet.clinic(0).id);
    turned_away(&fleet, &heard, &stranger, stranger.id).await;
    let mut times = (Vec::new(), Vec::new());
    let mut differing = Vec::new();
    for _ in 0..10 {
        let began = Instant::now();
        let unknown = turned_away(&fleet, &heard, &stranger, DeviceId(fresh_id(now()))).await;
        times.0.push(began.elapsed());
        let began = Instant::now();
        let foreign = turned_away(&fleet, &heard, &stranger, theirs.id).await;
        times.1.push(began.elapsed());
        assert_eq!(foreign.0, unknown.0);
        assert!(matches!(unknown.0.as_slice(), [Frame::Bye(_)]), "{:?}", unknown.0);
        assert!(!unknown.1.is_empty(), "nothing was heard");
        if foreign.1 != unknown.1 {
            differing.push((foreign.1, unknown.1));
        }
    }
    // A job of the server may speak in between; what the handshake itself asks differently, it asks every time.
    assert!(differing.len() < 5, "{differing:?}");
    tell("handshake", times.0, times.1);
    fleet.stop().await;
}

/// One HTTP exchange, as it came over the line, without the date.
async fn post(fleet: &Fleet, body: &str) -> String {
    let mut stream = tls(fleet.server.address, &[&rustls::version::TLS13]).await.unwrap();
    let request = format!(
        "POST /enrol HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8(answer).unwrap();
    text.lines().filter(|line| !line.starts_with("date:")).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_another_clinic_that_was_used_is_refused_like_one_that_never_was() {
    let (database, heard) = TestDatabase::heard().await;
    let fleet = Fleet::over(database).await;
    let code =
        make_code(&fleet.database.store, fleet.clinic(1).id, &Grant::to_members(Audience::Clinical), now())
            .await
            .unwrap();
    let form = |code: &str| {
        let key = "58".to_owned() + &"66".repeat(31);
        json!({ "code": code, "public_key": key, "name": "t", "app": "t" }).to_string()
    };
    assert!(post(&fleet, &form(&code)).await.starts_with("HTTP/1.1 200"));
    let unknown = post(&fleet, &form("AAAAAAAAAAAAAAAAAAAA")).await;
    let asked = |all: Vec<String>| -> Vec<String> {
        all.into_iter().filter(|sql| sql.contains("sync.enrolments")).collect()
    };
    let _ = heard.take();
    let again = post(&fleet, &form("AAAAAAAAAAAAAAAAAAAB")).await;
    let for_unknown = asked(heard.take());
    let used = post(&fleet, &form(&code)).await;
    let for_used = asked(heard.take());
    assert!(unknown.starts_with("HTTP/1.1 403"), "{unknown}");
    assert_eq!((&again, &used), (&unknown, &unknown));
    assert_eq!(for_used, for_unknown);
    assert_eq!(for_used.len(), 1);
    fleet.stop().await;
}

/// Medians side by side, for who reads the run. The machine is shared, so nothing is asserted of them.
fn tell(what: &str, mut missing: Vec<std::time::Duration>, mut foreign: Vec<std::time::Duration>) {
    missing.sort();
    foreign.sort();
    let (missing, foreign) = (missing[missing.len() / 2], foreign[foreign.len() / 2]);
    println!("{what}: median for missing {missing:?}, for foreign {foreign:?}");
}
