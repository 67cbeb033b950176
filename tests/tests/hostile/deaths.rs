//! Deaths of admission workers: an edit of honest form, over many long documents at once, asks for more than a worker has.

use neonpro_contract::catalogue::Role;
use neonpro_contract::document::Document;
use neonpro_contract::edit::{DocumentId, FieldOp};
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::AuthorId;
use neonpro_contract::limits::LONG_TEXT_BYTES_MAX;
use neonpro_contract::permissions::Audience;
use neonpro_contract::wire::{ByeCode, Frame, Push};
use neonpro_server::actor::Actor;
use neonpro_server::admission::{Admission, AdmissionConfig, GUILTY_PER_DEVICE_MAX};
use neonpro_server::authority::revoke;
use neonpro_server::clock::{Clock, now};
use neonpro_server::demo::DemoClinic;
use neonpro_server::merge::{Incoming, Merger};
use neonpro_server::store::authority::Grant;
use neonpro_server::telemetry::Metrics;
use neonpro_tests::device::{Device, document};
use neonpro_tests::fleet::{Fleet, eventually};
use neonpro_tests::process::admission_workers;
use neonpro_tests::raw::{Raw, hello};
use neonpro_tests::world::World;
use std::sync::Arc;
use std::time::Instant;

/// Documents of a heavy edit. Each costs a worker a fifth of a second and more, twice what it may have in all.
const HEAVY_DOCUMENTS: usize = 16;

const ADMISSION_FAILED: Fate = Fate::Quarantined { code: Code::AdmissionFailed };

fn notes(value: &str) -> FieldOp {
    FieldOp::Text { field: "notes".to_owned(), value: value.to_owned() }
}

/// Visits of a clinic with the longest notes a person may write, one edit each.
pub(super) struct LongNotes {
    visits: Vec<(DocumentId, Document)>,
    pub edits: Vec<Incoming>,
}

impl LongNotes {
    pub fn written(device: &mut Device, author: AuthorId, clinic: &'static DemoClinic) -> Self {
        let appointments = clinic.batch.records().iter().filter(|record| record.table.name == "appointments");
        let long = notes(&"x".repeat(LONG_TEXT_BYTES_MAX));
        let (mut visits, mut edits) = (Vec::new(), Vec::new());
        for record in appointments.take(HEAVY_DOCUMENTS) {
            let id = document("appointments", record.id.0, 0);
            device.open(id, &record.row);
            edits.push(device.edit(author, &[(id, false, vec![long.clone()])]));
            visits.push((id, device.copy_of(id)));
        }
        assert_eq!(visits.len(), HEAVY_DOCUMENTS);
        Self { visits, edits }
    }

    /// One edit that empties all of them: a few kilobytes. Of a generation of its own, so that it builds on no other.
    pub fn emptied(&self, device: &mut Device, author: AuthorId) -> Incoming {
        device.generation += 1;
        self.visits.iter().for_each(|(id, visit)| device.hold(*id, visit.clone()));
        let work: Vec<_> = self.visits.iter().map(|(id, _)| (*id, false, vec![notes("")])).collect();
        device.edit(author, &work)
    }
}

/// A clinic with long notes, a tablet gone bad, an honest one, and a merger with one worker whose deaths are counted.
struct Scene {
    world: World,
    metrics: Arc<Metrics>,
    merger: Merger,
    author: AuthorId,
    long: LongNotes,
    bad: Device,
    good: Device,
    /// Visits of the honest tablet taken so far: those behind the heavy ones.
    taken: usize,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let (clinic, author) = (world.clinic(0), world.person(0, Role::Assistant));
        let (bad, mut good) = (world.device(clinic.id).await, world.device(clinic.id).await);
        let long = LongNotes::written(&mut good, author, clinic);
        for fate in world.push(clinic.id, long.edits.clone()).await {
            assert!(matches!(fate, Fate::Accepted { .. }), "{fate:?}");
        }
        let metrics = Arc::new(Metrics::default());
        let workers = AdmissionConfig { workers: 1, ..admission_workers() };
        let admission = Admission::new(workers, Arc::clone(&metrics));
        let merger = Merger::new(world.store().clone(), Arc::clone(&metrics), admission, Clock::system());
        Self { world, metrics, merger, author, long, bad, good, taken: HEAVY_DOCUMENTS }
    }

    /// A text, so that a worker tries it in the same batch.
    fn honest(&mut self, by_the_bad_one: bool) -> Incoming {
        let (visit, row) = self.world.record(0, "appointments", self.taken);
        self.taken += 1;
        let id = document("appointments", visit, 0);
        let device = if by_the_bad_one { &mut self.bad } else { &mut self.good };
        device.open(id, row);
        device.edit(self.author, &[(id, false, vec![notes("trouxe os exames")])])
    }

    async fn push(&self, edits: Vec<Incoming>) -> Vec<Fate> {
        let told = self.merger.enqueue(self.world.clinic(0).id, edits).unwrap().await.unwrap().unwrap();
        told.into_iter().map(|told| told.fate).collect()
    }
}

#[tokio::test]
async fn an_edit_that_kills_workers_is_kept_aside_alone_and_the_others_of_its_batch_are_merged() {
    let mut scene = Scene::new().await;
    let guilty = scene.long.emptied(&mut scene.bad, scene.author);
    assert!(guilty.signed.envelope.len() < 10 * 1024, "a few kilobytes");
    let edits = vec![scene.honest(false), guilty.clone(), scene.honest(false), scene.honest(true)];
    let fates = scene.push(edits).await;
    assert_eq!(fates[1], ADMISSION_FAILED);
    for index in [0, 2, 3] {
        assert!(matches!(fates[index], Fate::Accepted { .. }), "{index}: {:?}", fates[index]);
    }
    // Once with the others, twice alone.
    assert_eq!(scene.metrics.admission_deaths.get(), 3);
    // Sent again it is answered, not tried again.
    assert_eq!(scene.push(vec![guilty]).await, vec![ADMISSION_FAILED]);
    assert_eq!(scene.metrics.admission_deaths.get(), 3);
}

#[tokio::test]
async fn a_device_that_goes_on_killing_workers_is_no_longer_tried_in_that_group() {
    let mut scene = Scene::new().await;
    let mut edits = vec![scene.honest(false)];
    for _ in 0..=GUILTY_PER_DEVICE_MAX {
        let guilty = scene.long.emptied(&mut scene.bad, scene.author);
        edits.push(guilty);
    }
    edits.extend([scene.honest(true), scene.honest(false)]);
    let fates = scene.push(edits).await;
    let (own, others): (Vec<_>, Vec<_>) =
        fates.iter().enumerate().partition(|(index, _)| (1..fates.len() - 1).contains(index));
    assert!(own.iter().all(|(_, fate)| **fate == ADMISSION_FAILED), "what came behind as well: {own:?}");
    assert!(others.iter().all(|(_, fate)| matches!(fate, Fate::Accepted { .. })), "{others:?}");
    assert_eq!(scene.metrics.admission_deaths.get(), u64::from(1 + 2 * GUILTY_PER_DEVICE_MAX));
    // In the next group it is listened to again.
    let again = scene.honest(true);
    assert!(matches!(scene.push(vec![again]).await.as_slice(), [Fate::Accepted { .. }]));
}

async fn enrolled(fleet: &Fleet) -> Device {
    let clinic = fleet.clinic(0).id;
    let device = Device::new(clinic);
    let mut scoped = fleet.database.store.begin(&Actor::system(clinic)).await.unwrap();
    let grant = Grant::to_members(Audience::Clinical);
    scoped.append_device(device.id, "t", &device.public_key(), &grant, now()).await.unwrap();
    scoped.commit().await.unwrap();
    device
}

/// A session of a device that pulls nothing: without credit it is sent only answers.
async fn session(fleet: &Fleet, device: &Device) -> Raw {
    let (mut raw, challenge) = Raw::challenged(fleet.server.address).await;
    let mut hello = hello(device, &challenge.nonce);
    hello.credit = 0;
    raw.send_frame(&Frame::Hello(hello)).await;
    assert!(matches!(raw.frame().await, Some(Frame::Welcome(_))));
    raw
}

async fn push(raw: &mut Raw, edits: Vec<Incoming>) {
    let edits = edits.into_iter().map(|edit| edit.signed).collect();
    raw.send_frame(&Frame::Push(Push { edits })).await;
}

async fn fates(raw: &mut Raw) -> Vec<Fate> {
    match raw.frame().await {
        Some(Frame::Fates(told)) => told.fates.into_iter().map(|told| told.fate).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_an_edit_kills_workers_others_of_its_clinic_are_merged_and_a_revocation_is_heard() {
    let fleet = Fleet::start().await;
    let (clinic, author) = (fleet.clinic(0), fleet.person(0, Role::Assistant));
    let (mut bad, mut good) = (enrolled(&fleet).await, enrolled(&fleet).await);
    let lost = enrolled(&fleet).await;
    let long = LongNotes::written(&mut good, author, clinic);
    let admission = Admission::new(admission_workers(), Arc::default());
    let before = Merger::new(fleet.database.store.clone(), Arc::default(), admission, Clock::system());
    for told in before.enqueue(clinic.id, long.edits.clone()).unwrap().await.unwrap().unwrap() {
        assert!(matches!(told.fate, Fate::Accepted { .. }), "{told:?}");
    }
    let guilty = long.emptied(&mut bad, author);
    let (mut killer, mut other) = (session(&fleet, &bad).await, session(&fleet, &good).await);
    let mut cut = session(&fleet, &lost).await;

    let began = Instant::now();
    push(&mut killer, vec![guilty]).await;
    let tried = tokio::spawn(async move { fates(&mut killer).await });
    let metrics = Arc::clone(&fleet.server.state.metrics);
    eventually("a worker killed", async || metrics.admission_deaths.get() > 0).await;
    println!("first death after {:?}", began.elapsed());

    let (visit, row) = {
        let mut visits = clinic.batch.records().iter().filter(|record| record.table.name == "appointments");
        let record = visits.nth(HEAVY_DOCUMENTS).unwrap();
        (document("appointments", record.id.0, 0), &record.row)
    };
    good.open(visit, row);
    let since = Instant::now();
    push(&mut other, vec![good.edit(author, &[(visit, false, vec![notes("trouxe os exames")])])]).await;
    let merged = fates(&mut other).await;
    println!("another's edit merged after {:?}", since.elapsed());
    assert!(matches!(merged.as_slice(), [Fate::Accepted { .. }]), "{merged:?}");
    let since = Instant::now();
    assert!(revoke(&fleet.database.store, clinic.id, lost.id, now()).await.unwrap());
    assert_eq!(cut.goodbye().await, Some(ByeCode::Revoked));
    println!("silent after {:?}", since.elapsed());

    let still = !tried.is_finished();
    let fate = tried.await.unwrap();
    println!("the killer's fate after {:?}: {fate:?}", began.elapsed());
    assert!(still, "all this happened while the killer was tried");
    assert_eq!(fate, vec![ADMISSION_FAILED]);
}
