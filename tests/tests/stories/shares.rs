//! A patient referred to another clinic: what it sees, how long, and that nothing else crosses.

use neonpro_client_core::Draft;
use neonpro_contract::catalogue::Role;
use neonpro_contract::fate::Code;
use neonpro_contract::ids::{AuthorId, ClinicId, RecordId};
use neonpro_contract::permissions::Audience;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::value::Value;
use neonpro_server::actor::Actor;
use neonpro_server::clock;
use neonpro_tests::fleet::{Fleet, KEY, Tablet, eventually};
use neonpro_tests::pages::holds;
use serde_json::{Value as Json, json};

const NAME: &str = "Canaria Encaminhada Quatro";
const CHART: &str = "canario-do-prontuario-4711";
const PHOTO: &str = "canario-da-fotografia-4711";
const TALK: &str = "canario-da-conversa-4711";

async fn synced(fleet: &Fleet, clinic: usize, name: &str) -> Tablet {
    let mut tablet = fleet.tablet(fleet.clinic(clinic).id, name).await;
    tablet.online();
    tablet.quiet().await;
    tablet
}

async fn create<'a>(
    tablet: &mut Tablet,
    author: AuthorId,
    table: &str,
    values: impl IntoIterator<Item = (&'a str, Json)>,
) -> RecordId {
    let record = tablet.replica.create_record(author, table, values).unwrap()[0].record().unwrap();
    tablet.quiet().await;
    record
}

/// What the front desk records.
async fn consent(fleet: &Fleet, tablet: &mut Tablet, patient: RecordId, purpose: &str, given: bool) {
    let desk = fleet.person(0, Role::Assistant);
    let values =
        [("patient_id", json!(patient)), ("consent_type", json!(purpose)), ("consent_given", json!(given))];
    create(tablet, desk, "data_consent_records", values).await;
}

struct Referred {
    patient: RecordId,
    plan: RecordId,
    referral: RecordId,
}

/// A patient with a chart, a photograph and a conversation about her, referred to the second clinic and not yet accepted.
async fn referred(fleet: &Fleet, a: &mut Tablet) -> Referred {
    let (desk, doctor) = (fleet.person(0, Role::Assistant), fleet.person(0, Role::Professional));
    let patient = create(a, desk, "patients", [("name", json!(NAME))]).await;
    for purpose in ["treatment", "photography"] {
        consent(fleet, a, patient, purpose, true).await;
    }
    let plan = [("patient_id", json!(patient)), ("title", json!(CHART)), ("status", json!("active"))];
    let plan = create(a, doctor, "treatment_plans", plan).await;
    let photo = [
        ("patient_id", json!(patient)),
        ("document_type", json!("photo")),
        ("title", json!(PHOTO)),
        ("file_url", json!("blob:0")),
    ];
    create(a, doctor, "patient_documents", photo).await;
    let referral = [
        ("patient_id", json!(patient)),
        ("referring_professional_id", json!(doctor)),
        ("referral_type", json!("consultation")),
        ("reason", json!("Avaliar")),
        ("urgency_level", json!("low")),
        ("status", json!("pending")),
        ("receiving_clinic_id", json!(fleet.clinic(1).id)),
    ];
    let referral = create(a, doctor, "professional_referrals", referral).await;
    let thread = [
        ("subject", json!(TALK)),
        ("patient_id", json!(patient)),
        ("context_type", json!("patient_care")),
        ("status", json!("active")),
        ("created_by", json!(doctor)),
    ];
    // How a conversation is kept is not this story's; that there is one the other clinic must not see, is.
    let _ = a.replica.create_record(doctor, "coordination_threads", thread);
    a.quiet().await;
    Referred { patient, plan, referral }
}

async fn open_purges(fleet: &Fleet, clinic: ClinicId) -> usize {
    let mut scoped = fleet.database.store.begin(&Actor::system(clinic)).await.unwrap();
    let later = ServerInstant(clock::now().0 + 3_600_000_000);
    let open = scoped.list_open_purges(later).await.unwrap();
    scoped.rollback().await.unwrap();
    open.len()
}

async fn has(tablet: &Tablet, table: &str, record: RecordId) -> bool {
    tablet.replica.row(table, record).unwrap().is_some()
}

fn assert_holds_nothing(tablet: &Tablet) {
    tablet.replica.checkpoint().unwrap();
    for text in [NAME, CHART, PHOTO, TALK] {
        assert!(!holds(tablet.path(), &KEY, text), "{text} in {}", tablet.path().display());
    }
}

async fn accept(fleet: &Fleet, a: &mut Tablet, referral: RecordId, status: &str) {
    let doctor = fleet.person(0, Role::Professional);
    let draft = Draft::new(doctor).put("professional_referrals", referral, "status", json!(status));
    a.replica.edit(draft).unwrap();
    a.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referred_patient_is_seen_by_the_other_clinic_read_only_and_only_while_she_consents() {
    let fleet = Fleet::start().await;
    let (mut a, mut b) = (synced(&fleet, 0, "a").await, synced(&fleet, 1, "b").await);
    let case = referred(&fleet, &mut a).await;
    // Accepted without consent, then consented without acceptance: neither opens anything.
    accept(&fleet, &mut a, case.referral, "accepted").await;
    assert_eq!(open_shares(&fleet).await, 0);
    b.quiet().await;
    assert_holds_nothing(&b);

    consent(&fleet, &mut a, case.patient, "data_sharing", true).await;
    eventually("the chart arrives", async || has(&b, "treatment_plans", case.plan).await).await;
    b.quiet().await;
    assert_eq!(b.handle.state().repairs, 0, "digests agree");
    let plan = b.replica.row("treatment_plans", case.plan).unwrap().unwrap();
    assert_eq!(plan.get("title"), &Value::Text(CHART.into()));
    b.replica.checkpoint().unwrap();
    assert!(holds(b.path(), &KEY, NAME) && holds(b.path(), &KEY, CHART));
    assert!(!holds(b.path(), &KEY, PHOTO) && !holds(b.path(), &KEY, TALK), "exactly what the share carries");
    // A tablet that is enrolled now gets the same, with the same digest; one of the front desk only who she is.
    let newcomer = synced(&fleet, 1, "newcomer").await;
    assert!(has(&newcomer, "treatment_plans", case.plan).await);
    assert_eq!(newcomer.handle.state().repairs, 0);
    assert_eq!(newcomer.replica.digest().unwrap(), b.replica.digest().unwrap());
    let mut desk = fleet.tablet_for(fleet.clinic(1).id, Audience::FrontDesk, "desk").await;
    desk.online();
    desk.quiet().await;
    assert!(has(&desk, "patients", case.patient).await && !has(&desk, "treatment_plans", case.plan).await);
    assert_eq!(desk.handle.state().repairs, 0);

    // What changes at home is followed; what is written here is refused as if it were not here.
    let doctor = fleet.person(0, Role::Professional);
    let more = Draft::new(doctor).put("treatment_plans", case.plan, "title", json!("Plano revisto"));
    a.replica.edit(more).unwrap();
    eventually("the change follows", async || {
        let plan = b.replica.row("treatment_plans", case.plan).unwrap().unwrap();
        plan.get("title") == &Value::Text("Plano revisto".into())
    })
    .await;
    let abroad = fleet.person(1, Role::Assistant);
    let edit = Draft::new(abroad).put("patients", case.patient, "phone", json!("+55 11 90000-0000"));
    b.replica.edit(edit).unwrap();
    eventually("the edit is refused", async || b.status().needs_attention == 1).await;
    b.quiet().await;
    assert_eq!(b.replica.attention().unwrap()[0].code, Some(Code::NotFound));
    assert!(b.replica.row("patients", case.patient).unwrap().unwrap().get("phone").is_null());

    consent(&fleet, &mut a, case.patient, "data_sharing", false).await;
    eventually("the chart leaves", async || !has(&b, "treatment_plans", case.plan).await).await;
    let receiving = fleet.clinic(1).id;
    eventually("every tablet there confirms", async || open_purges(&fleet, receiving).await == 0).await;
    for tablet in [&mut b, &mut desk] {
        tablet.quiet().await;
        assert_holds_nothing(tablet);
        assert_eq!(tablet.handle.state().repairs, 0);
    }
    assert!(has(&a, "treatment_plans", case.plan).await, "the chart stays at home");
    assert_eq!(copies(&fleet).await, 0, "the other clinic's database holds nothing of it either");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_ends_when_its_referral_is_completed_and_opens_again_with_a_new_one() {
    let fleet = Fleet::start().await;
    let (mut a, b) = (synced(&fleet, 0, "a").await, synced(&fleet, 1, "b").await);
    let case = referred(&fleet, &mut a).await;
    consent(&fleet, &mut a, case.patient, "data_sharing", true).await;
    assert_eq!(open_shares(&fleet).await, 0, "nobody has accepted");
    accept(&fleet, &mut a, case.referral, "accepted").await;
    eventually("the chart arrives", async || has(&b, "treatment_plans", case.plan).await).await;
    accept(&fleet, &mut a, case.referral, "completed").await;
    eventually("the chart leaves", async || !has(&b, "treatment_plans", case.plan).await).await;
    let doctor = fleet.person(0, Role::Professional);
    let again = [
        ("patient_id", json!(case.patient)),
        ("referring_professional_id", json!(doctor)),
        ("referral_type", json!("second_opinion")),
        ("reason", json!("Reavaliar")),
        ("urgency_level", json!("low")),
        ("status", json!("accepted")),
        ("receiving_clinic_id", json!(fleet.clinic(1).id)),
    ];
    create(&mut a, doctor, "professional_referrals", again).await;
    eventually("the chart is back", async || has(&b, "treatment_plans", case.plan).await).await;
    assert_eq!(b.handle.state().repairs, 0);
}

async fn number(fleet: &Fleet, sql: &'static str) -> i64 {
    let mut admin = fleet.database.admin().await;
    sqlx_core::query_scalar::query_scalar(sql).fetch_one(&mut admin).await.unwrap()
}

async fn open_shares(fleet: &Fleet) -> i64 {
    number(fleet, "select count(*) from sync.shares where state = 'open'").await
}

async fn copies(fleet: &Fleet) -> i64 {
    number(fleet, "select count(*) from sync.shared_documents where content is not null").await
}
