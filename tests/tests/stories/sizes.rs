//! What grows large or is interrupted still arrives: no frame over the limit, no progress that goes back.

use neonpro_client_core::Draft;
use neonpro_contract::catalogue::{Role, table};
use neonpro_contract::limits::{DOCUMENT_LIVE_BYTES_MAX, FRAME_BYTES_MAX};
use neonpro_contract::wire::{Ack, Frame, Position, RowsPage, Welcome};
use neonpro_server::actor::Actor;
use neonpro_tests::compare::differences;
use neonpro_tests::device::Device;
use neonpro_tests::fleet::{Fleet, eventually};
use neonpro_tests::raw::{Raw, hello};

/// Text that does not compress.
fn noise(seed: &mut u64, bytes: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes);
    for _ in 0..bytes {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push(char::from(LETTERS[(*seed >> 58) as usize]));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_too_large_for_a_frame_is_flattened_before_it_travels() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let mut a = fleet.tablet(clinic, "a").await;
    a.online();
    a.quiet().await;
    let doctor = fleet.person(0, Role::Professional);
    let patient = a.replica.search_patients("a", 1).unwrap()[0].id;
    let mut seed = 7;
    let mut written = 0;
    while written < 2 * FRAME_BYTES_MAX {
        let members: Vec<String> = (0..40).map(|_| noise(&mut seed, 780)).collect();
        let (mut adding, mut removing) = (Draft::new(doctor), Draft::new(doctor));
        for member in &members {
            adding = adding.add("patients", patient, "allergies", member);
            removing = removing.remove("patients", patient, "allergies", member, &noise(&mut seed, 780));
            written += 3 * 780;
        }
        a.replica.edit(adding).unwrap();
        a.replica.edit(removing).unwrap();
        a.quiet().await;
    }
    let health = async || {
        let mut scoped = fleet.database.store.begin(&Actor::system(clinic)).await.unwrap();
        let states = scoped.list_documents_of(&[patient.0]).await.unwrap();
        scoped.rollback().await.unwrap();
        states.into_iter().find(|state| state.id.facet.0 == 1).unwrap()
    };
    let grown = health().await;
    assert!(grown.snapshot.unwrap().len() > DOCUMENT_LIVE_BYTES_MAX, "the history is too large to travel");

    let mut b = fleet.tablet(clinic, "b").await;
    b.online();
    b.quiet().await;
    let flat = health().await;
    assert_eq!((flat.epoch, flat.snapshot), (grown.epoch + 1, None));
    eventually("both have the flattened document", async || {
        a.status().head == b.status().head && a.handle.state().quiet && b.handle.state().quiet
    })
    .await;
    for tablet in [&a, &b] {
        assert_eq!(differences(&fleet.database.store, clinic, &tablet.replica).await, Vec::<String>::new());
    }
}

/// Opens a session of a first sync at a position.
async fn session(fleet: &Fleet, device: &Device, at: Option<Position>) -> (Raw, Welcome) {
    let (mut raw, challenge) = Raw::challenged(fleet.server.address).await;
    let mut hello = hello(device, &challenge.nonce);
    hello.bootstrap = at;
    raw.send_frame(&Frame::Hello(hello)).await;
    match raw.frame().await {
        Some(Frame::Welcome(welcome)) => (raw, welcome),
        other => panic!("no welcome: {other:?}"),
    }
}

async fn rows(raw: &mut Raw) -> RowsPage {
    match raw.frame().await {
        Some(Frame::Rows(page)) => page,
        other => panic!("no rows: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_that_was_interrupted_counts_on_from_where_it_stood() {
    let fleet = Fleet::start().await;
    let device = super::attack::enrolled(&fleet).await;
    let (mut raw, welcome) = session(&fleet, &device, None).await;
    let mut done = 0;
    let mut pages = 0;
    // A new session for every page: the count never goes back, nor past what was announced.
    loop {
        let page = rows(&mut raw).await;
        assert!(page.done >= done && page.done <= welcome.bootstrap_records, "{} after {done}", page.done);
        done = page.done;
        pages += 1;
        let Some(next) = page.next else { break };
        drop(raw);
        (raw, _) = session(&fleet, &device, Some(next)).await;
    }
    assert_eq!(done, welcome.bootstrap_records, "at the end everything is counted");
    assert!(pages > 4, "the clinic is too small for this test");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_after_a_first_sync_goes_on_where_the_sync_began() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let mut a = fleet.tablet(clinic, "a").await;
    a.online();
    a.quiet().await;
    let desk = fleet.person(0, Role::Assistant);
    let patient = a.replica.search_patients("a", 1).unwrap()[0].id;
    let put = |value: &str| Draft::new(desk).put("patients", patient, "phone", serde_json::json!(value));
    a.replica.edit(put("before")).unwrap();
    a.quiet().await;
    let device = super::attack::enrolled(&fleet).await;
    let (mut raw, welcome) = session(&fleet, &device, None).await;
    assert!(welcome.head > 0 && table("patients").is_some());
    while rows(&mut raw).await.next.is_some() {}
    a.replica.edit(put("after")).unwrap();
    a.quiet().await;
    raw.send_frame(&Frame::Ack(Ack { cursor: welcome.head, credit: 0 })).await;
    match raw.frame().await {
        Some(Frame::Page(page)) => {
            assert_eq!(page.from, welcome.head, "what the rows held already is not sent again");
            assert_eq!(page.entries().unwrap().len(), 1);
        }
        other => panic!("no page: {other:?}"),
    }
}
