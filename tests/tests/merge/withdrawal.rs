//! What a change of consent does to documents that are here already, in its own transaction.

use neonpro_contract::catalogue::Role;
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::{AuthorId, ClinicId};
use neonpro_contract::permissions::Audience;
use neonpro_contract::time::{DeviceInstant, ServerInstant};
use neonpro_contract::wire::Receipt;
use neonpro_server::actor::Actor;
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::jobs::watch_purges;
use neonpro_server::merge::settle_expired;
use neonpro_server::store::devices::Seen;
use neonpro_server::store::feed::FeedKind;
use neonpro_server::store::receipts::OpenPurges;
use neonpro_tests::device::{Device, add, document};
use neonpro_tests::world::World;
use uuid::Uuid;

const HOUR: i64 = 3_600_000_000;

/// A patient who granted treatment and photography three hours ago, with a plan, a session with a photo, and a photo of
/// its own.
struct Case {
    world: World,
    clinic: ClinicId,
    author: AuthorId,
    device: Device,
    patient: Uuid,
    plan: Uuid,
    session: Uuid,
    photo: Uuid,
}

impl Case {
    async fn new() -> Self {
        let world = World::new().await;
        let clinic = world.clinic(0).id;
        let author = world.person(0, Role::Professional);
        let (patient, _) = world.new_patient(0).await;
        let mut device = world.device(clinic).await;
        let (plan, session, photo) = (fresh_id(now()), fresh_id(now()), fresh_id(now()));
        device.captured_at = Some(now().0 - 3 * HOUR);
        let (_, treatment) = device.consent(author, patient, "treatment", true, &[]);
        let (_, photography) = device.consent(author, patient, "photography", true, &[]);
        device.captured_at = Some(now().0 - 2 * HOUR);
        let edits = vec![
            treatment,
            photography,
            device.plan(author, patient, plan),
            device.session(author, plan, session),
            device.edit(
                author,
                &[(document("treatment_sessions", session, 1), false, vec![add("photos_before", "b:1")])],
            ),
            device.photo(author, patient, photo, "Antes"),
        ];
        device.captured_at = None;
        let fates = world.push(clinic, edits).await;
        assert!(fates.iter().all(|fate| matches!(fate, Fate::Accepted { .. })), "{fates:?}");
        Self { world, clinic, author, device, patient, plan, session, photo }
    }

    async fn consent(&mut self, kind: &str, given: bool, seen: &[Uuid]) -> Uuid {
        let (id, edit) = self.device.consent(self.author, self.patient, kind, given, seen);
        let fates = self.world.push(self.clinic, vec![edit]).await;
        assert!(matches!(fates[0], Fate::Accepted { .. }), "{fates:?}");
        id
    }

    /// Which of photo, photos of the session, session, plan and identity are withdrawn.
    async fn withdrawn(&self) -> [bool; 5] {
        let documents = [
            document("patient_documents", self.photo, 0),
            document("treatment_sessions", self.session, 1),
            document("treatment_sessions", self.session, 0),
            document("treatment_plans", self.plan, 0),
            document("patients", self.patient, 0),
        ];
        let mut found = [false; 5];
        for (slot, id) in found.iter_mut().zip(documents) {
            *slot = self.world.is_withdrawn(self.clinic, id).await;
        }
        found
    }

    /// A tablet that has called and may hold the clinic's documents.
    async fn tablet(&self, audience: Audience) -> Device {
        let device = self.world.device_for(self.clinic, audience).await;
        let mut scoped = self.world.store().begin(&Actor::system(self.clinic)).await.unwrap();
        let seen = Seen { generation: 1, app: "t", cursor: 1, waiting: 0 };
        scoped.mark_device_seen(device.id, &seen, now()).await.unwrap();
        scoped.commit().await.unwrap();
        device
    }

    async fn open_purges(&self) -> Vec<OpenPurges> {
        let mut scoped = self.world.store().begin(&Actor::system(self.clinic)).await.unwrap();
        let open = scoped.list_open_purges(ServerInstant(now().0 + HOUR)).await.unwrap();
        scoped.rollback().await.unwrap();
        open
    }

    async fn items(&self) -> Vec<String> {
        let items = self.world.items(self.clinic).await;
        items.into_iter().map(|item| format!("{}/{}", item.kind, item.code)).collect()
    }
}

#[tokio::test]
async fn a_withdrawal_withdraws_the_documents_of_its_purpose_and_no_other() {
    let mut case = Case::new().await;
    assert_eq!(case.withdrawn().await, [false; 5]);
    case.consent("photography", false, &[]).await;
    assert_eq!(case.withdrawn().await, [true, true, false, false, false]);
    let photo = document("patient_documents", case.photo, 0);
    assert_eq!(
        case.world.feed(case.clinic, photo).await,
        [FeedKind::Withdraw],
        "its changes are told no more"
    );
    case.world.assert_digest(case.clinic).await;
}

#[tokio::test]
async fn the_chart_stays_with_the_clinic_when_the_consent_to_treatment_is_withdrawn() {
    let mut case = Case::new().await;
    case.consent("treatment", false, &[]).await;
    assert_eq!(case.withdrawn().await, [false; 5]);
    let later = case.device.plan(case.author, case.patient, fresh_id(now()));
    let fates = case.world.push(case.clinic, vec![later]).await;
    assert_eq!(fates, [Fate::Quarantined { code: Code::ConsentWithdrawn }], "and takes nothing more");
}

#[tokio::test]
async fn a_new_grant_gives_back_what_was_withdrawn() {
    let mut case = Case::new().await;
    let withdrawal = case.consent("photography", false, &[]).await;
    case.consent("photography", true, &[]).await;
    assert_eq!(case.withdrawn().await, [true, true, false, false, false], "it had not seen the withdrawal");
    case.consent("photography", true, &[withdrawal]).await;
    assert_eq!(case.withdrawn().await, [false; 5]);
    let photo = document("patient_documents", case.photo, 0);
    let feed = case.world.feed(case.clinic, photo).await;
    assert_eq!(feed, [FeedKind::Change, FeedKind::Withdraw, FeedKind::Snapshot]);
    case.world.assert_digest(case.clinic).await;
}

#[tokio::test]
async fn a_withdrawal_in_the_same_push_as_the_photo_keeps_it_from_everyone() {
    let mut case = Case::new().await;
    let photo = fresh_id(now());
    let taken = case.device.photo(case.author, case.patient, photo, "Depois");
    let (_, withdrawn) = case.device.consent(case.author, case.patient, "photography", false, &[]);
    let fates = case.world.push(case.clinic, vec![taken, withdrawn]).await;
    assert_eq!(fates[0], Fate::Quarantined { code: Code::ConsentWithdrawn });
    assert!(case.world.row(case.clinic, "patient_documents", photo).await.is_none());
    assert_eq!(case.withdrawn().await, [true, true, false, false, false]);
    case.world.assert_digest(case.clinic).await;
}

#[tokio::test]
async fn a_session_that_begins_after_the_withdrawal_has_its_photos_withdrawn_from_the_start() {
    let mut case = Case::new().await;
    case.consent("photography", false, &[]).await;
    let tablet = case.tablet(Audience::Clinical).await;
    let session = fresh_id(now());
    let edit = case.device.session(case.author, case.plan, session);
    let fates = case.world.push(case.clinic, vec![edit]).await;
    assert!(matches!(fates[0], Fate::Accepted { .. }), "{fates:?}");
    assert!(case.world.is_withdrawn(case.clinic, document("treatment_sessions", session, 1)).await);
    assert!(!case.world.is_withdrawn(case.clinic, document("treatment_sessions", session, 0)).await);
    assert_eq!(case.open_purges().await, [], "nobody was given anything to purge: {}", tablet.id);
    case.world.assert_digest(case.clinic).await;
}

#[tokio::test]
async fn every_device_that_may_hold_a_document_is_asked_and_counts_until_it_answers() {
    let mut case = Case::new().await;
    let tablet = case.tablet(Audience::Clinical).await;
    case.tablet(Audience::FrontDesk).await;
    case.consent("photography", false, &[]).await;
    let open = case.open_purges().await;
    assert_eq!(open.iter().map(|open| (open.device, open.documents)).collect::<Vec<_>>(), [(tablet.id.0, 2)]);
    let mut scoped = case.world.store().begin(&Actor::system(case.clinic)).await.unwrap();
    let asked = scoped.list_feed(0, 100_000).await.unwrap();
    let mut receipts: Vec<Receipt> = asked
        .iter()
        .filter(|row| row.kind == FeedKind::Withdraw)
        .map(|row| Receipt { seq: row.seq, document: row.document, purged_at: DeviceInstant(now().0) })
        .collect();
    // One that names another document under this number, and one that was never asked for.
    let forged = Receipt { document: document("patients", case.patient, 0), ..receipts[0] };
    let invented = Receipt { seq: 999_999, ..receipts[0] };
    scoped.mark_purged(tablet.id, &[forged, invented], now()).await.unwrap();
    scoped.commit().await.unwrap();
    assert_eq!(case.open_purges().await, open, "neither counts");
    let mut scoped = case.world.store().begin(&Actor::system(case.clinic)).await.unwrap();
    scoped.mark_purged(tablet.id, &receipts.split_off(1), now()).await.unwrap();
    scoped.commit().await.unwrap();
    assert_eq!(case.open_purges().await[0].documents, 1);
    let mut scoped = case.world.store().begin(&Actor::system(case.clinic)).await.unwrap();
    scoped.mark_purged_by_first_sync(tablet.id, 999_999, now()).await.unwrap();
    scoped.commit().await.unwrap();
    assert_eq!(case.open_purges().await, []);
}

#[tokio::test]
async fn a_device_that_does_not_answer_in_time_raises_an_alarm_that_ends_with_its_receipt() {
    let mut case = Case::new().await;
    let tablet = case.tablet(Audience::Clinical).await;
    case.consent("photography", false, &[]).await;
    let (store, clinic) = (case.world.store(), case.clinic);
    let hours = |hours: i64| ServerInstant(now().0 + hours * HOUR);
    assert_eq!(watch_purges(store, clinic, hours(71)).await.unwrap(), 0);
    assert_eq!(case.items().await, Vec::<String>::new());
    assert_eq!(watch_purges(store, clinic, hours(73)).await.unwrap(), 1);
    assert_eq!(watch_purges(store, clinic, hours(74)).await.unwrap(), 1);
    assert_eq!(
        case.items().await,
        ["devices/purge_overdue"],
        "one per device, however often it is looked at"
    );
    let mut scoped = store.begin(&Actor::system(clinic)).await.unwrap();
    scoped.mark_purged_by_first_sync(tablet.id, i64::MAX, now()).await.unwrap();
    scoped.commit().await.unwrap();
    assert_eq!(watch_purges(store, clinic, hours(75)).await.unwrap(), 0);
    assert_eq!(case.items().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_revoked_device_ends_the_alarm_and_stays_listed_as_one_that_never_confirmed() {
    let mut case = Case::new().await;
    let tablet = case.tablet(Audience::Clinical).await;
    case.consent("photography", false, &[]).await;
    let (store, clinic) = (case.world.store(), case.clinic);
    let late = ServerInstant(now().0 + 100 * HOUR);
    assert_eq!(watch_purges(store, clinic, late).await.unwrap(), 1);
    let mut scoped = store.begin(&Actor::system(clinic)).await.unwrap();
    assert!(scoped.mark_device_revoked(tablet.id, now()).await.unwrap());
    scoped.commit().await.unwrap();
    assert_eq!(watch_purges(store, clinic, late).await.unwrap(), 0);
    assert_eq!(case.items().await, Vec::<String>::new());
    let open = case.open_purges().await;
    assert_eq!(
        open.iter().map(|open| (open.device, open.active)).collect::<Vec<_>>(),
        [(tablet.id.0, false)]
    );
}

#[tokio::test]
async fn a_photo_taken_before_the_withdrawal_and_arriving_after_is_given_to_nobody_and_shown_to_a_person() {
    let mut case = Case::new().await;
    let withdrawal = case.consent("photography", false, &[]).await;
    let photo = fresh_id(now());
    case.device.captured_at = Some(now().0 - HOUR);
    let taken = case.device.photo(case.author, case.patient, photo, "Tarde");
    case.device.captured_at = None;
    let fates = case.world.push(case.clinic, vec![taken]).await;
    assert_eq!(fates, [Fate::Quarantined { code: Code::ConsentWithdrawn }]);
    assert!(case.world.row(case.clinic, "patient_documents", photo).await.is_none());
    assert_eq!(case.items().await, ["consent_photos/captured_before_withdrawal"]);
    let audit = case.world.last_audit(case.clinic).await;
    let asked = &audit["consent"][0];
    assert_eq!(asked["rule"], "photography/before_withdrawal");
    assert_eq!((&asked["event"], &asked["version"]), (&serde_json::json!(withdrawal), &serde_json::json!(1)));
    case.consent("photography", true, &[withdrawal]).await;
    assert!(
        case.world.row(case.clinic, "patient_documents", photo).await.is_some(),
        "released by the new grant"
    );
    assert_eq!(case.items().await, Vec::<String>::new(), "and decided with it");
    case.world.assert_digest(case.clinic).await;
}

#[tokio::test]
async fn a_withdrawn_consent_to_treatment_opens_an_item_until_it_is_given_again() {
    let mut case = Case::new().await;
    let withdrawal = case.consent("treatment", false, &[]).await;
    assert_eq!(case.items().await, ["consent_photos/processing_ended"]);
    let row = case.world.row(case.clinic, "patients", case.patient).await.unwrap();
    assert_eq!(row.get("data_processing_consent"), &neonpro_contract::value::Value::Bool(false));
    case.consent("treatment", true, &[withdrawal]).await;
    assert_eq!(case.items().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_was_merged_before_an_earlier_withdrawal_arrived_stays_and_a_person_is_told() {
    let mut case = Case::new().await;
    let plan = case.device.plan(case.author, case.patient, fresh_id(now()));
    case.world.push(case.clinic, vec![plan]).await;
    case.device.captured_at = Some(now().0 - HOUR);
    case.consent("treatment", false, &[]).await;
    let mut items = case.items().await;
    items.sort();
    assert_eq!(items, ["consent_photos/captured_after_withdrawal", "consent_photos/processing_ended"]);
    assert_eq!(case.withdrawn().await, [false; 5]);
}

#[tokio::test]
async fn a_grant_that_expires_turns_the_boolean_and_withdraws_its_documents_on_the_day() {
    let mut case = Case::new().await;
    let withdrawal = case.consent("photography", false, &[]).await;
    let until = now().0 + 24 * HOUR;
    let kind = ("photography", true);
    let (_, grant) = case.device.consent_until(case.author, case.patient, kind, Some(until), &[withdrawal]);
    case.world.push(case.clinic, vec![grant]).await;
    let (store, clinic) = (case.world.store().clone(), case.clinic);
    let consent = async |case: &Case| {
        case.world.row(clinic, "patients", case.patient).await.unwrap().get("photo_consent").as_bool()
    };
    assert_eq!(settle_expired(&store, clinic, ServerInstant(until - HOUR)).await.unwrap(), 0);
    assert_eq!((consent(&case).await, case.withdrawn().await[0]), (Some(true), false));
    assert_eq!(settle_expired(&store, clinic, ServerInstant(until + 1)).await.unwrap(), 1);
    assert_eq!(
        (consent(&case).await, case.withdrawn().await),
        (Some(false), [true, true, false, false, false])
    );
    assert_eq!(
        settle_expired(&store, clinic, ServerInstant(until + HOUR)).await.unwrap(),
        0,
        "looked at once"
    );
    case.world.assert_digest(clinic).await;
}
