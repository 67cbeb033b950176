//! Who saw this: reads of tablets reach the audit, and tablets watch that the audit only grows.

use neonpro_client_core::Note;
use neonpro_contract::catalogue::{Role, table};
use neonpro_contract::ids::RecordId;
use neonpro_contract::permissions::Audience;
use neonpro_contract::time::DeviceInstant;
use neonpro_contract::wire::{Frame, Read, Reads};
use neonpro_server::actor::Actor;
use neonpro_server::audit::{Tamper, verify_clinic};
use neonpro_server::clock::now;
use neonpro_server::store::audit::AuditRow;
use neonpro_server::store::authority::Grant;
use neonpro_tests::device::Device;
use neonpro_tests::fleet::{Fleet, Tablet, eventually};
use neonpro_tests::raw::{Raw, hello};
use serde_json::json;
use sqlx_core::executor::Executor;
use sqlx_core::sql_str::AssertSqlSafe;

async fn audit(fleet: &Fleet) -> Vec<AuditRow> {
    let mut scoped = fleet.database.store.begin_read(&Actor::system(fleet.clinic(0).id)).await.unwrap();
    let rows = scoped.list_audit(0, 10_000).await.unwrap();
    scoped.rollback().await.unwrap();
    rows
}

async fn reads(fleet: &Fleet) -> Vec<AuditRow> {
    audit(fleet).await.into_iter().filter(|row| row.read.is_some()).collect()
}

fn doubts(tablet: &Tablet) -> Vec<&'static str> {
    let notes = tablet.status().notes.into_iter();
    notes.filter_map(|note| if let Note::AuditDoubted { why } = note { Some(why) } else { None }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_without_a_network_is_in_the_audit_afterwards() {
    let fleet = Fleet::start().await;
    let clinic = fleet.clinic(0).id;
    let mut a = fleet.tablet(clinic, "a").await;
    a.online();
    a.quiet().await;
    a.offline();
    eventually("the tablet is offline", async || !a.handle.state().quiet).await;
    let who = fleet.person(0, Role::Professional);
    let patient =
        fleet.clinic(0).batch.records().iter().find(|record| record.table.name == "patients").unwrap();
    a.replica.read_by(Some(who)).row("patients", patient.id).unwrap();
    a.replica.note_query("select 1");
    assert_eq!(reads(&fleet).await.len(), 0);
    a.online();
    eventually("the reads are told", async || reads(&fleet).await.len() == 2).await;
    let told = reads(&fleet).await;
    assert_eq!((told[0].action.as_str(), told[0].author), ("record_read", Some(who.0)));
    assert_eq!(told[0].device, Some(a.replica.identity().device.0));
    assert_eq!(told[0].detail["record"], json!(format!("patients/{}", patient.id)));
    assert_eq!(told[0].detail["facets"], json!(["identity", "health"]));
    assert_eq!((told[1].action.as_str(), told[1].author), ("query_run", None));
    eventually("the tablet lets go of them", async || !a.replica.has_untold_reads().unwrap()).await;

    a.replica.read_by(Some(who)).row("patients", patient.id).unwrap();
    a.replica.read_by(None).row("patients", patient.id).unwrap();
    eventually("a live tablet tells at once", async || !a.replica.has_untold_reads().unwrap()).await;
    let notary = &fleet.server.state.notary;
    let report = verify_clinic(&fleet.database.store, clinic, &[], &notary.public_key()).await.unwrap();
    assert_eq!(report.findings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_told_twice_is_kept_once() {
    let fleet = Fleet::start().await;
    let device = Device::new(fleet.clinic(0).id);
    let mut scoped = fleet.database.store.begin(&Actor::system(device.clinic)).await.unwrap();
    let grant = Grant::to_members(Audience::Clinical);
    scoped.append_device(device.id, "t", &device.public_key(), &grant, now()).await.unwrap();
    scoped.commit().await.unwrap();
    let read = |n: u8| Read {
        id: [n; 16].into(),
        at: DeviceInstant(i64::from(n)),
        person: None,
        table: Some(table("patients").unwrap().id),
        record: Some(RecordId(uuid::Uuid::from_u128(u128::from(n)))),
        facets: 1,
        query: None,
    };
    for told in [vec![read(1), read(2), read(1)], vec![read(2), read(3)]] {
        let (mut raw, challenge) = Raw::challenged(fleet.server.address).await;
        let mut hello = hello(&device, &challenge.nonce);
        hello.credit = 0;
        raw.send_frame(&Frame::Hello(hello)).await;
        assert!(matches!(raw.frame().await, Some(Frame::Welcome(_))));
        raw.send_frame(&Frame::Reads(Reads { reads: told.clone() })).await;
        let Some(Frame::Audited(answer)) = raw.frame().await else { panic!("no answer") };
        assert_eq!(answer.reads, told.iter().map(|read| read.id).collect::<Vec<_>>());
    }
    let kept: Vec<_> = reads(&fleet).await.iter().map(|row| row.read.unwrap().into_bytes()[0]).collect();
    assert_eq!(kept, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tablet_notices_that_the_audit_was_rolled_back_and_is_evidence_of_it() {
    let fleet = Fleet::start().await;
    let (clinic, store) = (fleet.clinic(0).id, fleet.database.store.clone());
    let notary = fleet.server.state.notary.clone();
    let mut a = fleet.tablet(clinic, "a").await;
    a.online();
    a.quiet().await;
    let author = fleet.person(0, Role::Assistant);
    for round in 0..3 {
        a.replica.create_record(author, "patients", [("name", json!(format!("Paciente {round}")))]).unwrap();
    }
    a.quiet().await;
    a.offline();
    // What is due at an orderly stop, and what the next session tells.
    let size = i64::try_from(audit(&fleet).await.len()).unwrap();
    let newest = match notary.attest(&store, clinic, now(), true).await.unwrap() {
        Some(made) => made,
        None => notary.newest(clinic).unwrap(),
    };
    assert_eq!(newest.size, size);
    a.online();
    eventually("the tablet holds the checkpoint", async || {
        a.replica.checkpoints().unwrap().first().is_some_and(|held| held.size == size)
    })
    .await;
    assert_eq!(doubts(&a), Vec::<&str>::new());
    a.offline();

    // Somebody with the whole database takes the last entry away, and the server's own checkpoints with it.
    let mut admin = fleet.database.admin().await;
    let tamper = format!(
        "delete from sync.audit where clinic_id = '{clinic}' and seq = {size};
         delete from sync.audit_checkpoints where clinic_id = '{clinic}';
         update sync.heads set audit_seq = {last}, audit_hash = (select hash from sync.audit
            where clinic_id = '{clinic}' and seq = {last}) where clinic_id = '{clinic}'",
        last = size - 1
    );
    admin.execute(AssertSqlSafe(tamper)).await.unwrap();
    a.online();
    eventually("the tablet doubts the audit", async || doubts(&a) == ["forked"]).await;
    eventually("a person is told", async || {
        fleet.items(clinic).await.contains(&"devices/audit_forked".to_owned())
    })
    .await;
    let held = a.replica.checkpoints().unwrap();
    let report = verify_clinic(&store, clinic, &held, &notary.public_key()).await.unwrap();
    assert!(report.findings.iter().any(|finding| finding.what == Tamper::RolledBack && finding.seq == size));
}
