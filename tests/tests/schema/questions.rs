//! Referral deadlines, scope of practice, compliance checks and the no-show prior.

use super::sample::{Clinic, fresh};
use neonpro_contract::catalogue;
use neonpro_tests::sql::{Database, list, must, run, text};
use sqlx_postgres::PgConnection;

async fn start(db: &mut Database) -> (Clinic, PgConnection) {
    let clinic = Clinic::create(&mut db.admin, 1).await;
    let server = db.server(clinic.id).await;
    (clinic, server)
}

#[tokio::test]
async fn a_referral_is_due_by_its_deadline_or_by_its_urgency() {
    let mut db = Database::create().await;
    let (_, mut server) = start(&mut db).await;
    must(&mut server, "update professional_referrals set created_at = now()").await;
    for (urgency, due) in
        [("emergency", "02:00:00"), ("high", "1 day"), ("medium", "3 days"), ("low", "7 days")]
    {
        must(&mut server, &format!("update professional_referrals set urgency_level = '{urgency}'")).await;
        let due_in =
            "select concat_ws(' ', answer_due_at - created_at, is_overdue) from professional_referrals";
        assert_eq!(text(&mut server, due_in).await, format!("{due} f"));
    }
    must(&mut server, "update professional_referrals set response_deadline = now() + interval '1 hour'")
        .await;
    let kept = "select answer_due_at = response_deadline from professional_referrals";
    assert_eq!(text(&mut server, kept).await, "true");
}

#[tokio::test]
async fn a_referral_nobody_answers_becomes_overdue_and_an_answer_ends_that() {
    let mut db = Database::create().await;
    let (clinic, mut server) = start(&mut db).await;
    let overdue = "select is_overdue from professional_referrals";
    // Time passed without a write: only the job can notice.
    must(&mut db.admin, "alter table professional_referrals disable trigger check_referral_deadlines").await;
    must(
        &mut db.admin,
        "update professional_referrals set answer_due_at = now() - interval '1 minute',
        response_deadline = now() - interval '1 minute', is_overdue = false, feed_seq = 1",
    )
    .await;
    must(&mut db.admin, "alter table professional_referrals enable trigger check_referral_deadlines").await;
    let mark = format!("select mark_overdue_referrals('{}')", clinic.id);
    assert_eq!(text(&mut server, &mark).await, "1");
    assert_eq!(text(&mut server, overdue).await, "true");
    assert_eq!(text(&mut server, "select feed_seq from professional_referrals").await, "null");
    assert_eq!(text(&mut server, &mark).await, "0");
    must(&mut server, "update professional_referrals set status = 'accepted'").await;
    assert_eq!(text(&mut server, overdue).await, "false");
}

/// What the scope of the clinic's professional is for its procedure and product, or for neither.
async fn scope(conn: &mut PgConnection, clinic: &Clinic, procedure: bool, product: bool) -> String {
    let id = |asked: bool, table: &str| {
        if asked { format!("'{}'::uuid", clinic.of(table)) } else { "null::uuid".to_owned() }
    };
    let query = format!(
        "select concat_ws(' ', is_authorized, authorization_level, array_to_string(conditions, '; '))
        from validate_professional_scope('{}', {}, {})",
        clinic.of("professionals"),
        id(procedure, "service_types"),
        id(product, "inventory_products"),
    );
    text(conn, &query).await
}

/// Replaces the rules of the clinic by one for each entry: procedure named, product named, level.
async fn rules(db: &mut Database, clinic: &Clinic, rules: &[(bool, bool, &str)]) {
    must(&mut db.admin, "delete from professional_scope_validation").await;
    let table = catalogue::table("professional_scope_validation").unwrap();
    for (number, (procedure, product, level)) in (1..).zip(rules) {
        let null = || "null".to_owned();
        let mut given = vec![
            ("is_authorized", (*level != "prohibited").to_string()),
            ("authorization_level", format!("'{level}'")),
            ("valid_from", "now() - interval '1 day'".to_owned()),
        ];
        if !procedure {
            given.push(("procedure_id", null()));
        }
        if !product {
            given.push(("medication_id", null()));
        }
        must(&mut db.admin, &clinic.insert(table, fresh(1, 600 + number), &given)).await;
    }
}

#[tokio::test]
async fn what_no_rule_names_is_not_authorised() {
    const NO_RULE: &str = "f unruled Nenhuma regra vigente autoriza este ato";
    let mut db = Database::create().await;
    let (clinic, mut server) = start(&mut db).await;
    rules(&mut db, &clinic, &[]).await;
    assert_eq!(scope(&mut server, &clinic, true, false).await, NO_RULE);
    rules(&mut db, &clinic, &[(true, false, "independent")]).await;
    assert_eq!(scope(&mut server, &clinic, true, false).await, "t independent ");
    assert_eq!(scope(&mut server, &clinic, true, true).await, NO_RULE, "the medicine is not named");
    assert_eq!(scope(&mut server, &clinic, false, false).await, NO_RULE, "nothing was asked");
    rules(&mut db, &clinic, &[(true, false, "independent"), (false, true, "independent")]).await;
    assert_eq!(scope(&mut server, &clinic, true, true).await, "t independent ");
    rules(&mut db, &clinic, &[(true, true, "independent")]).await;
    assert_eq!(scope(&mut server, &clinic, true, true).await, "t independent ");
    assert_eq!(scope(&mut server, &clinic, true, false).await, NO_RULE, "only together with the medicine");
    rules(&mut db, &clinic, &[(false, false, "independent")]).await;
    assert_eq!(scope(&mut server, &clinic, true, false).await, NO_RULE, "nobody may do everything");
}

#[tokio::test]
async fn a_prohibition_beats_every_permission() {
    let mut db = Database::create().await;
    let (clinic, mut server) = start(&mut db).await;
    rules(&mut db, &clinic, &[(true, false, "independent"), (false, true, "prohibited")]).await;
    assert_eq!(scope(&mut server, &clinic, true, false).await, "t independent ");
    assert_eq!(scope(&mut server, &clinic, true, true).await, "f prohibited ");
    rules(&mut db, &clinic, &[(true, false, "independent"), (false, false, "prohibited")]).await;
    assert_eq!(scope(&mut server, &clinic, true, false).await, "f prohibited ");
    must(
        &mut db.admin,
        "update professional_scope_validation set valid_until = now() where not is_authorized",
    )
    .await;
    assert_eq!(scope(&mut server, &clinic, true, false).await, "t independent ", "the prohibition has ended");
}

#[tokio::test]
async fn supervised_needs_a_supervision_in_force() {
    const NEEDED: &str = "f supervised cartucho; na sala; Exige supervisão clínica vigente";
    let mut db = Database::create().await;
    let (clinic, mut server) = start(&mut db).await;
    rules(&mut db, &clinic, &[(true, false, "supervised")]).await;
    must(
        &mut db.admin,
        "update professional_scope_validation
        set conditions = '{cartucho}', supervision_requirements = 'na sala'",
    )
    .await;
    must(
        &mut db.admin,
        "update professional_supervision set start_date = now() - interval '1 day',
        max_autonomy_level = 3",
    )
    .await;
    assert_eq!(
        scope(&mut server, &clinic, true, false).await,
        "t supervised cartucho; na sala; Sob supervisão clínica, autonomia 3 de 5"
    );
    for (ended, restored) in [
        ("end_date = now()", "end_date = null"),
        ("is_active = false", "is_active = true"),
        ("supervision_type = 'mentorship'", "supervision_type = 'clinical'"),
        ("start_date = now() + interval '1 day'", "start_date = now() - interval '1 day'"),
    ] {
        must(&mut db.admin, &format!("update professional_supervision set {ended}")).await;
        assert_eq!(scope(&mut server, &clinic, true, false).await, NEEDED, "{ended}");
        must(&mut db.admin, &format!("update professional_supervision set {restored}")).await;
    }
    must(&mut db.admin, "update professional_scope_validation set authorization_level = null").await;
    assert!(
        scope(&mut server, &clinic, true, false).await.starts_with("t supervised "),
        "no level is the lesser one"
    );
}

#[tokio::test]
async fn nobody_of_another_clinic_has_a_scope_here() {
    let mut db = Database::create().await;
    let (_, mut server) = start(&mut db).await;
    let other = Clinic::create(&mut db.admin, 2).await;
    rules(&mut db, &other, &[(true, false, "independent")]).await;
    let answer = scope(&mut server, &other, true, false).await;
    assert_eq!(answer, "f prohibited Profissional sem atuação nesta clínica");
}

#[tokio::test]
async fn a_duty_is_assessed_again_when_its_time_has_come() {
    let mut db = Database::create().await;
    let (clinic, mut server) = start(&mut db).await;
    must(&mut db.admin, "delete from compliance_assessments").await;
    must(&mut db.admin, "update compliance_requirements set frequency = 'monthly'").await;
    let check = format!("select run_compliance_checks('{}')", clinic.id);
    let open = "select status || ' ' || (due_date - current_date between 6 and 8) from compliance_assessments
        where status <> 'completed'";
    must(&mut server, &check).await;
    must(&mut server, &check).await;
    assert_eq!(list(&mut server, open).await, ["pending true"], "one, however often the job runs");

    must(&mut server, "update compliance_assessments set status = 'completed', assessed_at = now()").await;
    must(&mut server, &check).await;
    assert_eq!(list(&mut server, open).await, Vec::<String>::new());
    must(&mut server, "update compliance_assessments set assessed_at = now() - interval '40 days'").await;
    must(&mut server, &check).await;
    assert_eq!(list(&mut server, open).await, ["pending true"]);

    for change in ["is_mandatory = false", "frequency = 'as_needed'"] {
        must(&mut db.admin, "delete from compliance_assessments").await;
        must(&mut db.admin, &format!("update compliance_requirements set {change}")).await;
        must(&mut server, &check).await;
        assert_eq!(list(&mut server, open).await, Vec::<String>::new(), "{change}");
    }
}

#[tokio::test]
async fn an_assessment_past_its_day_needs_action_unless_a_person_has_it() {
    let mut db = Database::create().await;
    let (clinic, mut server) = start(&mut db).await;
    let check = format!("select run_compliance_checks('{}')", clinic.id);
    must(&mut server, "update compliance_assessments set due_date = current_date - 3, captured_at = now()")
        .await;
    must(&mut server, &check).await;
    assert_eq!(text(&mut server, "select status from compliance_assessments").await, "pending");
    must(&mut server, "update compliance_assessments set captured_at = null, feed_seq = 4").await;
    must(&mut server, &check).await;
    let state = "select concat_ws(' ', status, feed_seq is null) from compliance_assessments";
    assert_eq!(text(&mut server, state).await, "requires_action t");
}

#[tokio::test]
async fn compliance_is_checked_for_the_own_clinic_only() {
    let mut db = Database::create().await;
    let (_, mut server) = start(&mut db).await;
    let other = Clinic::create(&mut db.admin, 2).await;
    let refusal = run(&mut server, &format!("select run_compliance_checks('{}')", other.id)).await;
    assert_eq!(refusal.unwrap_err().code, "P0002");
}

/// Probability for an appointment on a Wednesday at 14 h, booked so many days before.
async fn no_show(conn: &mut PgConnection, clinic: &Clinic, days: &str) -> f64 {
    let query = format!(
        "select predict_no_show_probability('{}', '{}', '{}', '2030-05-15 14:00:00-03',
            '2030-05-15 14:00:00-03'::timestamptz - interval '{days} days')",
        clinic.of("patients"),
        clinic.of("professionals"),
        clinic.of("service_types"),
    );
    text(conn, &query).await.parse().unwrap()
}

/// Closed appointments of the clinic's patient.
async fn history(db: &mut Database, clinic: &Clinic, from: u16, status: &str, count: u16, at: &str) {
    let table = catalogue::table("appointments").unwrap();
    for number in from..from + count {
        let given = [("status", format!("'{status}'")), ("start_time", format!("'{at}'"))];
        must(&mut db.admin, &clinic.insert(table, fresh(1, number), &given)).await;
    }
}

#[tokio::test]
async fn the_prior_grows_with_the_lead_time_and_stays_a_probability() {
    let mut db = Database::create().await;
    let (clinic, mut server) = start(&mut db).await;
    let mut last = 0.0;
    for days in ["-5", "0", "0.5", "1", "7", "30", "365", "36500"] {
        let probability = no_show(&mut server, &clinic, days).await;
        assert!(probability >= last && probability > 0.0 && probability < 1.0, "{days} days: {probability}");
        last = probability;
    }
    assert_eq!(no_show(&mut server, &clinic, "0").await, 0.0998);
    assert_eq!(no_show(&mut server, &clinic, "7").await, 0.1866);
}

#[tokio::test]
async fn only_the_patients_own_past_in_this_clinic_counts() {
    let mut db = Database::create().await;
    let (clinic, mut server) = start(&mut db).await;
    let without = no_show(&mut server, &clinic, "7").await;
    history(&mut db, &clinic, 400, "no_show", 3, "2031-01-01 12:00:00+00").await;
    history(&mut db, &clinic, 410, "cancelled", 3, "2029-01-01 12:00:00+00").await;
    assert_eq!(no_show(&mut server, &clinic, "7").await, without, "the future and the cancelled say nothing");
    history(&mut db, &clinic, 420, "completed", 10, "2029-01-01 12:00:00+00").await;
    let reliable = no_show(&mut server, &clinic, "7").await;
    history(&mut db, &clinic, 440, "no_show", 10, "2029-02-01 12:00:00+00").await;
    let unreliable = no_show(&mut server, &clinic, "7").await;
    assert!(reliable < without && without < unreliable, "{reliable} {without} {unreliable}");

    let mut other = db.server(fresh(2, 0)).await;
    Clinic::create(&mut db.admin, 2).await;
    assert_eq!(no_show(&mut other, &clinic, "7").await, without, "another clinic sees no history");
}

#[tokio::test]
async fn an_early_hour_or_a_monday_adds_a_little() {
    let mut db = Database::create().await;
    let (_, mut server) = start(&mut db).await;
    let at = |when: &str| {
        format!(
            "select predict_no_show_probability(null, null, null, '{when}', '{when}'::timestamptz - interval '7 days')"
        )
    };
    let quiet = text(&mut server, &at("2030-05-15 14:00:00-03")).await;
    let early = text(&mut server, &at("2030-05-15 08:00:00-03")).await;
    let monday = text(&mut server, &at("2030-05-13 14:00:00-03")).await;
    assert!(quiet < early && early == monday, "{quiet} {early} {monday}");
}
