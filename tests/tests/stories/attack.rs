//! Attacks on the sync socket: every wrong caller and every wrong byte, and the server lives.

use neonpro_contract::digest::Digest;
use neonpro_contract::limits::FRAME_BYTES_MAX;
use neonpro_contract::permissions::Audience;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::wire::{
    Ack, Audited, Buckets, Bye, ByeCode, Challenge, Fates, Frame, Handover, Page, Push, Reads, Receipts,
    Received, Repair,
};
use neonpro_server::actor::Actor;
use neonpro_server::clock::now;
use neonpro_server::store::authority::Grant;
use neonpro_tests::device::Device;
use neonpro_tests::fleet::Fleet;
use neonpro_tests::raw::{Raw, hello, tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

pub(super) async fn enrolled(fleet: &Fleet) -> Device {
    let clinic = fleet.clinic(0).id;
    let device = Device::new(clinic);
    let mut scoped = fleet.database.store.begin(&Actor::system(clinic)).await.unwrap();
    let grant = Grant::to_members(Audience::Clinical);
    scoped.append_device(device.id, "t", &device.public_key(), &grant, now()).await.unwrap();
    scoped.commit().await.unwrap();
    device
}

async fn alive(fleet: &Fleet) {
    let mut stream = tls(fleet.server.address, &[&rustls::version::TLS13]).await.unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_caller_is_turned_away() {
    let fleet = Fleet::start().await;
    let (address, device) = (fleet.server.address, enrolled(&fleet).await);
    let stranger = Device::new(device.clinic);

    let (mut raw, challenge) = Raw::challenged(address).await;
    raw.send_frame(&Frame::Hello(hello(&stranger, &challenge.nonce))).await;
    assert_eq!(raw.goodbye().await, Some(ByeCode::Unauthorised), "unknown device");

    let (mut raw, challenge) = Raw::challenged(address).await;
    let mut forged = hello(&stranger, &challenge.nonce);
    forged.device = device.id;
    raw.send_frame(&Frame::Hello(forged)).await;
    assert_eq!(raw.goodbye().await, Some(ByeCode::Unauthorised), "somebody else's key");

    let (_, old) = Raw::challenged(address).await;
    let (mut raw, _) = Raw::challenged(address).await;
    raw.send_frame(&Frame::Hello(hello(&device, &old.nonce))).await;
    assert_eq!(raw.goodbye().await, Some(ByeCode::Unauthorised), "a replayed answer");

    let (mut raw, challenge) = Raw::challenged(address).await;
    let mut newer = hello(&device, &challenge.nonce);
    newer.protocol = 99;
    raw.send_frame(&Frame::Hello(newer)).await;
    assert_eq!(raw.goodbye().await, Some(ByeCode::Version), "another protocol");

    let mut scoped = fleet.database.store.begin(&Actor::system(device.clinic)).await.unwrap();
    assert!(scoped.mark_device_revoked(device.id, now()).await.unwrap());
    scoped.commit().await.unwrap();
    let (mut raw, challenge) = Raw::challenged(address).await;
    raw.send_frame(&Frame::Hello(hello(&device, &challenge.nonce))).await;
    assert_eq!(raw.goodbye().await, Some(ByeCode::Revoked), "a revoked device");
    alive(&fleet).await;
}

fn frames_of_every_kind(device: &Device) -> Vec<Frame> {
    vec![
        Frame::Challenge(Challenge { nonce: [0; 32].into(), protocol_min: 1, protocol_max: 1 }),
        Frame::Hello(hello(device, &[0; 32])),
        Frame::Fates(Fates { fates: Vec::new() }),
        Frame::Page(Page::new(0, 1, None, &Vec::new())),
        Frame::Repair(Repair::new(0, Vec::new(), &Vec::new())),
        Frame::Push(Push { edits: Vec::new() }),
        Frame::Ack(Ack { cursor: 0, credit: 0 }),
        Frame::Buckets(Buckets { cursor: 0, sums: vec![Digest(0)] }),
        Frame::Handover(Handover { decided: Vec::new() }),
        Frame::Bye(Bye { code: ByeCode::Finished, retry_after_ms: 0 }),
        Frame::Reads(Reads { reads: Vec::new() }),
        Frame::Audited(Audited { reads: Vec::new(), checkpoint: None }),
        Frame::Receipts(Receipts { receipts: Vec::new() }),
        Frame::Received(Received { seqs: Vec::new() }),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_out_of_turn_ends_the_session() {
    let fleet = Fleet::start().await;
    let (address, device) = (fleet.server.address, enrolled(&fleet).await);
    for frame in frames_of_every_kind(&device).iter().filter(|frame| !matches!(frame, Frame::Hello(_))) {
        let (mut raw, _) = Raw::challenged(address).await;
        raw.send_frame(frame).await;
        assert_eq!(raw.goodbye().await, Some(ByeCode::Protocol), "{} instead of hello", frame.name());
    }
    let from_server = ["challenge", "hello", "fates", "page", "repair", "audited", "received"];
    for frame in frames_of_every_kind(&device).iter().filter(|frame| from_server.contains(&frame.name())) {
        let (mut raw, challenge) = Raw::challenged(address).await;
        raw.send_frame(&Frame::Hello(hello(&device, &challenge.nonce))).await;
        assert!(matches!(raw.frame().await, Some(Frame::Welcome(welcome)) if welcome.now > ServerInstant(0)));
        raw.send_frame(frame).await;
        assert_eq!(raw.goodbye().await, Some(ByeCode::Protocol), "{} from a tablet", frame.name());
    }
    alive(&fleet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_frame_end_the_session_and_never_the_server() {
    let fleet = Fleet::start().await;
    let (address, device) = (fleet.server.address, enrolled(&fleet).await);
    let (_, challenge) = Raw::challenged(address).await;
    let whole = Frame::Hello(hello(&device, &challenge.nonce)).encode();
    for end in (0..whole.len()).step_by(9) {
        let (mut raw, _) = Raw::challenged(address).await;
        raw.send(Message::Binary(whole[..end].to_vec().into())).await;
        assert_eq!(raw.goodbye().await, Some(ByeCode::Protocol), "cut at {end}");
    }
    let (mut raw, _) = Raw::challenged(address).await;
    raw.send(Message::Text("olá".into())).await;
    assert_eq!(raw.goodbye().await, Some(ByeCode::Protocol), "text");
    let (mut raw, _) = Raw::challenged(address).await;
    raw.send(Message::Binary(vec![0; FRAME_BYTES_MAX + 1].into())).await;
    assert!(matches!(raw.goodbye().await, None | Some(ByeCode::Protocol)), "too long");
    alive(&fleet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_tls_1_3_is_spoken() {
    let fleet = Fleet::start().await;
    let address = fleet.server.address;
    assert!(tls(address, &[&rustls::version::TLS12]).await.is_err());
    assert!(tls(address, &[&rustls::version::TLS13]).await.is_ok());
    let mut plain = tokio::net::TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"), "plaintext is not answered");
}
