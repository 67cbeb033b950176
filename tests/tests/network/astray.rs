//! Lines that lead to somebody else: a tablet tells them nothing.

use neonpro_client_core::Draft;
use neonpro_contract::catalogue::Role;
use neonpro_tests::fleet::{Fleet, Tablet, eventually};
use neonpro_tests::weather::{Line, Weather};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

async fn synced(fleet: &Fleet, line: &Line) -> Tablet {
    let mut tablet = fleet.tablet_by(line.address, fleet.clinic(0).id, "a").await;
    tablet.online();
    tablet.quiet().await;
    tablet
}

fn edit(fleet: &Fleet, tablet: &Tablet, phone: &str) {
    let author = fleet.person(0, Role::Professional);
    let patient = tablet.replica.search_patients("a", 1).unwrap()[0].id;
    tablet.replica.edit(Draft::new(author).put("patients", patient, "phone", json!(phone))).unwrap();
}

/// Leads the line away, and waits until the tablet says so; the edit made meanwhile arrives once the line is back.
async fn comes_back_from(weather: Weather, problem: &str) {
    let fleet = Fleet::start().await;
    let line = Line::start(fleet.server.address).await;
    let mut tablet = synced(&fleet, &line).await;
    line.set(weather);
    edit(&fleet, &tablet, "+55 11 90000-0001");
    tablet.online();
    eventually(problem, async || tablet.handle.state().problem.as_deref() == Some(problem)).await;
    assert_eq!(tablet.status().waiting.edits, 1, "kept");
    line.set(Weather::Fair);
    tablet.online();
    tablet.quiet().await;
    assert_eq!((tablet.status().waiting.edits, tablet.handle.state().accepted), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_captive_portal_is_told_nothing_and_the_edit_waits() {
    comes_back_from(Weather::Portal, "handshake").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_certificate_is_told_nothing_and_the_edit_waits() {
    // A server of the same kind, with the same clinics, and a certificate of its own.
    let other = Fleet::start().await;
    comes_back_from(Weather::To(other.server.address), "certificate_not_pinned").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tablet_says_to_a_stranger_is_no_more_than_hello() {
    let fleet = Fleet::start().await;
    let line = Line::start(fleet.server.address).await;
    let tablet = synced(&fleet, &line).await;
    let stranger = TcpListener::bind("127.0.0.1:0").await.unwrap();
    line.set(Weather::To(stranger.local_addr().unwrap()));
    edit(&fleet, &tablet, "+55 11 90000-0002");
    tablet.online();
    let (mut socket, _) = stranger.accept().await.unwrap();
    let mut heard = vec![0; 64 * 1024];
    let length = socket.read(&mut heard).await.unwrap();
    // A TLS handshake record, and nothing behind it: no application data before the certificate was seen.
    assert_eq!((heard[0], length), (0x16, 5 + usize::from(u16::from_be_bytes([heard[3], heard[4]]))));
    assert!(!String::from_utf8_lossy(&heard[..length]).contains("90000-0002"));
}
