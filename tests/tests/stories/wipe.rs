//! A tablet is wiped from the server: over its socket, or when it connects next; and it says that it is done.

use neonpro_client_core::{Clock, Replica, ReplicaKey, enrol};
use neonpro_contract::catalogue::Role;
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::permissions::Audience;
use neonpro_contract::wire::{ByeCode, Frame, wiped_bytes};
use neonpro_mobile::guard::Guard;
use neonpro_mobile::key_file::load_keys;
use neonpro_mobile::lock::{Place, Tablet};
use neonpro_mobile::wipe;
use neonpro_server::authority;
use neonpro_server::clock::now;
use neonpro_server::escrow::recover;
use neonpro_tests::device::Device;
use neonpro_tests::fleet::{Fleet, eventually};
use neonpro_tests::raw::{Raw, hello};
use neonpro_tests::sql::text;
use serde_json::json;
use tempfile::TempDir;

struct Here {
    folder: TempDir,
    place: Place,
    replica: Replica,
    tablet: Tablet,
}

fn guard() -> Guard {
    Guard::new("127.0.0.1:4000".parse().unwrap()).unwrap()
}

/// The app of a tablet over its files, online or not.
async fn here(fleet: &Fleet, online: bool) -> Here {
    let folder = TempDir::new().unwrap();
    let place = Place {
        replica: folder.path().join("tablet.replica"),
        key_file: folder.path().join("tablet.key"),
        online: Some(online),
    };
    let key = load_keys(&place.key_file).unwrap().key;
    let ticket = fleet.ticket(fleet.clinic(0).id, Audience::Clinical).await;
    let made = enrol(&ticket, &place.replica, ReplicaKey::new(*key), "sala 1", Clock::system()).await;
    let replica = made.unwrap();
    let tablet = Tablet::open(place.clone(), guard(), replica.clone(), key);
    let watching = tablet.clone();
    tokio::spawn(async move { watching.watch_wipe().await });
    Here { folder, place, replica, tablet }
}

async fn standing(fleet: &Fleet, device: neonpro_contract::ids::DeviceId) -> String {
    let sql = format!(
        "select concat_ws(' ', state, (wipe_asked_at is not null)::text, (wiped_at is not null)::text) \
         from sync.devices where id = '{}'",
        device.0
    );
    text(&mut fleet.database.admin().await, &sql).await
}

async fn is_gone(fleet: &Fleet, here: &Here) {
    let device = here.replica.identity().device;
    eventually("the tablet is gone and the server knows", async || {
        here.tablet.is_gone().await && standing(fleet, device).await == "revoked true true"
    })
    .await;
    let mut left: Vec<String> = std::fs::read_dir(here.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["tablet.replica.escrow", "tablet.replica.wiped"]);
    eventually("the note says so, too", async || {
        wipe::find(&here.place.replica).is_some_and(|note| note.told)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_with_a_live_session_is_told_at_once() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let here = here(&fleet, true).await;
    let synced = here.replica.clone();
    eventually("it has synced", async || synced.status().unwrap().last_confirmed_at.is_some()).await;
    let device = here.replica.identity().device;
    assert!(authority::wipe(&fleet.database.store, clinic, device, now()).await.unwrap());
    is_gone(&fleet, &here).await;
    assert!(!authority::wipe(&fleet.database.store, clinic, device, now()).await.unwrap(), "asked once");
    let sql = format!(
        "select string_agg(action, ' ' order by seq) from sync.audit where device_id = '{}' and action like 'device%'",
        device.0
    );
    let audit = text(&mut fleet.database.admin().await, &sql).await;
    assert_eq!(audit, "device_enrolled device_revoked device_wipe_asked device_wiped");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_that_was_away_hears_of_it_when_it_connects_and_its_unsent_work_is_not_lost() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let author = fleet.person(0, Role::Assistant);
    let mut here = here(&fleet, true).await;
    let synced = here.replica.clone();
    eventually("it has synced", async || synced.status().unwrap().last_confirmed_at.is_some()).await;
    here.tablet.shut().await.unwrap();
    // Away from the net, somebody registers a patient.
    here.place.online = Some(false);
    let key = load_keys(&here.place.key_file).unwrap().key;
    here.replica = Replica::open(&here.place.replica, ReplicaKey::new(*key), Clock::system()).unwrap();
    here.replica.create_record(author, "patients", [("name", json!("Gil Guardado"))]).unwrap();
    here.replica.close().unwrap();
    let device = here.replica.identity().device;
    assert!(authority::wipe(&fleet.database.store, clinic, device, now()).await.unwrap());

    here.place.online = Some(true);
    let place = here.place.clone();
    let begun = move || Tablet::begin(place, guard(), Clock::system()).unwrap();
    here.tablet = tokio::task::spawn_blocking(begun).await.unwrap();
    let watching = here.tablet.clone();
    tokio::spawn(async move { watching.watch_wipe().await });
    is_gone(&fleet, &here).await;

    let file = std::fs::read(here.folder.path().join("tablet.replica.escrow")).unwrap();
    let by = fleet.person(0, Role::Admin);
    let report = recover(&fleet.server.state.merger, clinic, by, &file, now()).await.unwrap();
    assert_eq!(report.edits.len(), 1);
    assert_eq!(report.edits[0].fate, Fate::Refused { code: Code::DeviceRevoked });
    assert!(report.edits[0].handed_over, "and an administrator releases it");
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_holds_the_devices_key_is_told_to_wipe_or_believed_to_have() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let device = Device::new(clinic);
    let mut scoped = fleet.database.store.begin(&neonpro_server::actor::Actor::system(clinic)).await.unwrap();
    let grant = neonpro_server::store::authority::Grant::to_members(Audience::Clinical);
    scoped.append_device(device.id, "t", &device.public_key(), &grant, now()).await.unwrap();
    scoped.commit().await.unwrap();
    assert!(authority::wipe(&fleet.database.store, clinic, device.id, now()).await.unwrap());
    for (genuine, code) in [(false, ByeCode::Unauthorised), (true, ByeCode::Wipe)] {
        let (mut raw, challenge) = Raw::challenged(fleet.server.address).await;
        let signer = if genuine { &device } else { &Device::new(clinic) };
        let mut hello = hello(signer, &challenge.nonce);
        hello.device = device.id;
        raw.send_frame(&Frame::Hello(hello)).await;
        match raw.frame().await {
            Some(Frame::Bye(bye)) => assert_eq!(bye.code, code),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(standing(&fleet, device.id).await, "revoked true false");
    let stranger = Device::new(clinic);
    let told = |of: &Device, by: &Device| (of.id, by.sign(&wiped_bytes(of.id)));
    for (claim, believed) in [
        (told(&device, &stranger), false),
        (told(&stranger, &stranger), false),
        (told(&device, &device), true),
    ] {
        assert_eq!(tell(&fleet, claim).await, believed);
        let expected = if believed { "revoked true true" } else { "revoked true false" };
        assert_eq!(standing(&fleet, device.id).await, expected);
    }
    fleet.stop().await;
}

async fn tell(fleet: &Fleet, (device, signature): (neonpro_contract::ids::DeviceId, Vec<u8>)) -> bool {
    let receipt = neonpro_client_core::WipeReceipt {
        device,
        server_url: fleet.server.url(),
        pin: fleet.server.fingerprint.clone(),
        signature: signature.iter().map(|byte| format!("{byte:02x}")).collect(),
        escrowed: true,
    };
    neonpro_client_core::tell_wiped(&receipt).await.is_ok()
}
