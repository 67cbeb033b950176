//! Consent, judged by the merge.

use neonpro_contract::catalogue::Role;
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::value::Value;
use neonpro_server::clock::{fresh_id, now};
use neonpro_tests::device::{add, document};
use neonpro_tests::world::World;

const HOUR: i64 = 3_600_000_000;

#[tokio::test]
async fn a_plan_without_consent_is_quarantined_and_released_when_consent_arrives() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Professional);
    let (patient, _) = world.new_patient(0).await;
    let mut a = world.device(clinic).await;
    let plan = fresh_id(now());
    let fates = world.push(clinic, vec![a.plan(author, patient, plan)]).await;
    assert_eq!(fates, vec![Fate::Quarantined { code: Code::ConsentMissing }]);
    assert!(world.row(clinic, "treatment_plans", plan).await.is_none());
    let (_, grant) = a.consent(author, patient, "treatment", true, &[]);
    assert!(matches!(world.push(clinic, vec![grant]).await[0], Fate::Accepted { .. }));
    assert!(world.row(clinic, "treatment_plans", plan).await.is_some(), "released by itself");
    let row = world.row(clinic, "patients", patient).await.unwrap();
    assert_eq!(row.get("data_processing_consent"), &Value::Bool(true));
}

#[tokio::test]
async fn however_many_edits_wait_for_a_consent_it_lets_all_of_them_in() {
    const PLANS: usize = 600;
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Professional);
    let (patient, _) = world.new_patient(0).await;
    let mut a = world.device(clinic).await;
    let plans: Vec<_> = (0..PLANS).map(|_| fresh_id(now())).collect();
    for some in plans.chunks(200) {
        let edits = some.iter().map(|plan| a.plan(author, patient, *plan)).collect();
        let fates = world.push(clinic, edits).await;
        assert!(fates.iter().all(|fate| *fate == Fate::Quarantined { code: Code::ConsentMissing }));
    }
    let (_, grant) = a.consent(author, patient, "treatment", true, &[]);
    assert!(matches!(world.push(clinic, vec![grant]).await[0], Fate::Accepted { .. }));
    for plan in plans {
        assert!(world.row(clinic, "treatment_plans", plan).await.is_some());
    }
}

#[tokio::test]
async fn a_consent_in_the_same_push_covers_what_comes_with_it_in_any_order() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Professional);
    let (patient, _) = world.new_patient(0).await;
    let mut a = world.device(clinic).await;
    a.captured_at = Some(now().0 - HOUR);
    let (_, grant) = a.consent(author, patient, "treatment", true, &[]);
    a.captured_at = None;
    let plan = a.plan(author, patient, fresh_id(now()));
    let fates = world.push(clinic, vec![plan, grant]).await;
    assert!(fates.iter().all(|fate| matches!(fate, Fate::Accepted { .. })), "{fates:?}");
}

#[tokio::test]
async fn what_was_captured_before_a_withdrawal_is_taken_and_what_came_after_is_not() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Professional);
    let (patient, _) = world.new_patient(0).await;
    let mut a = world.device(clinic).await;
    a.captured_at = Some(now().0 - 3 * HOUR);
    let (_, grant) = a.consent(author, patient, "treatment", true, &[]);
    a.captured_at = Some(now().0 - HOUR);
    let (withdrawal, withdrawn) = a.consent(author, patient, "treatment", false, &[]);
    world.push(clinic, vec![grant, withdrawn]).await;
    a.captured_at = Some(now().0 - 2 * HOUR);
    let before = a.plan(author, patient, fresh_id(now()));
    a.captured_at = None;
    let after = a.plan(author, patient, fresh_id(now()));
    let fates = world.push(clinic, vec![before, after]).await;
    assert!(matches!(fates[0], Fate::Accepted { .. }), "{fates:?}");
    assert_eq!(fates[1], Fate::Quarantined { code: Code::ConsentWithdrawn });
    let (_, again) = a.consent(author, patient, "treatment", true, &[withdrawal]);
    assert!(matches!(world.push(clinic, vec![again]).await[0], Fate::Accepted { .. }));
    let plan = a.plan(author, patient, fresh_id(now()));
    assert!(matches!(world.push(clinic, vec![plan]).await[0], Fate::Accepted { .. }));
}

#[tokio::test]
async fn an_allergy_is_taken_without_consent_and_shown_to_a_person() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Professional);
    let (patient, row) = world.new_patient(0).await;
    let mut a = world.device(clinic).await;
    let health = document("patients", patient, 1);
    a.open(health, &row);
    let fates = world
        .push(clinic, vec![a.edit(author, &[(health, false, vec![add("allergies", "dipirona")])])])
        .await;
    assert!(matches!(fates[0], Fate::Accepted { .. }), "{fates:?}");
    let items = world.items(clinic).await;
    assert_eq!((items.len(), items[0].kind.as_str()), (1, "consent_photos"));
}

#[tokio::test]
async fn what_builds_on_a_quarantined_record_is_set_aside_with_it() {
    let world = World::new().await;
    let clinic = world.clinic(0).id;
    let author = world.person(0, Role::Professional);
    let (patient, _) = world.new_patient(0).await;
    let mut a = world.device(clinic).await;
    let plan = fresh_id(now());
    let first = a.plan(author, patient, plan);
    let update = a.edit(
        author,
        &[(
            document("treatment_plans", plan, 0),
            false,
            vec![neonpro_tests::device::put("title", serde_json::json!("Outro"))],
        )],
    );
    let fates = world.push(clinic, vec![first, update]).await;
    assert_eq!(fates[0], Fate::Quarantined { code: Code::ConsentMissing });
    assert_eq!(fates[1], Fate::Quarantined { code: Code::DependsOnSetAside });
}
