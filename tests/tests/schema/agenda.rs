//! Appointments across months: their key, their history, and the partitions they lie in.

use super::sample::{Clinic, fresh};
use neonpro_contract::catalogue;
use neonpro_tests::sql::{Database, enter, must, run, text};

#[tokio::test]
async fn an_appointment_that_moves_to_another_month_keeps_its_history_and_its_children() {
    let mut db = Database::create().await;
    let clinic = Clinic::create(&mut db.admin, 1).await;
    let mut server = db.server(clinic.id).await;
    let id = clinic.of("appointments");
    let before = text(&mut server, "select tableoid::regclass from appointments").await;
    must(
        &mut server,
        &format!(
            "update appointments set start_time = start_time + interval '2 months',
                author_id = '{}', captured_at = '2026-01-02 03:04:05+00', notes = 'cifrado'",
            clinic.of("professionals")
        ),
    )
    .await;
    assert_ne!(text(&mut server, "select tableoid::regclass from appointments").await, before);
    let history = "select concat_ws(' ', change_type, changed_by, changed_at at time zone 'UTC',
            (select string_agg(key, ',' order by key) from jsonb_each(old_values)), new_values ->> 'notes')
        from appointment_history where old_values is not null";
    let expected =
        format!("reschedule {} 2026-01-02 03:04:05 notes,start_time sealed", clinic.of("professionals"));
    assert_eq!(text(&mut server, history).await, expected);
    let key = "select k.start_time = a.start_time from appointments a join appointment_keys k using (clinic_id, id)";
    assert_eq!(text(&mut server, key).await, "true");
    assert_eq!(text(&mut server, "select appointment_id from payments").await, id.to_string());
}

#[tokio::test]
async fn a_status_change_is_told_from_a_change_of_the_server() {
    let mut db = Database::create().await;
    let clinic = Clinic::create(&mut db.admin, 1).await;
    let mut server = db.server(clinic.id).await;
    must(&mut server, "update appointments set ai_risk_score = 0.5, feed_seq = 7, merged_at = now()").await;
    assert_eq!(
        text(&mut server, "select count(*) from appointment_history where old_values is not null").await,
        "0"
    );
    must(&mut server, "update appointments set ai_intervention_sent = true").await;
    let author = clinic.of("professionals");
    let status =
        format!("update appointments set status = 'no_show', author_id = '{author}', captured_at = now()");
    must(&mut server, &status).await;
    let written = "select string_agg(
            concat_ws(' ', change_type, coalesce(changed_by::text, 'nobody'), new_values), '; ' order by change_type
        ) from appointment_history where old_values is not null";
    let expected = format!(
        "status {author} {{\"status\": \"no_show\"}}; update nobody {{\"ai_intervention_sent\": true}}"
    );
    assert_eq!(text(&mut server, written).await, expected);
}

#[tokio::test]
async fn an_author_who_is_no_professional_here_does_not_stop_the_change() {
    let mut db = Database::create().await;
    let clinic = Clinic::create(&mut db.admin, 1).await;
    let mut server = db.server(clinic.id).await;
    let update = "update appointments set status = 'confirmed', author_id = gen_random_uuid()";
    must(&mut server, update).await;
    let by = "select changed_by from appointment_history where change_type = 'status'";
    assert_eq!(text(&mut server, by).await, "null");
}

#[tokio::test]
async fn an_appointment_cannot_exist_in_two_months() {
    let mut db = Database::create().await;
    let clinic = Clinic::create(&mut db.admin, 1).await;
    let mut server = db.server(clinic.id).await;
    let appointments = catalogue::table("appointments").unwrap();
    let later = ("start_time", "now() + interval '40 days'".to_owned());
    let twice = clinic.insert(appointments, clinic.of("appointments"), &[later]);
    let refusal = run(&mut server, &twice).await.unwrap_err();
    assert_eq!(refusal.constraint.as_deref(), Some("appointment_keys_pkey"));
    assert_eq!(refusal.code, "23505");
}

#[tokio::test]
async fn a_row_of_a_month_not_made_yet_moves_when_it_is_made() {
    let mut db = Database::create().await;
    let clinic = Clinic::create(&mut db.admin, 1).await;
    let mut server = db.server(clinic.id).await;
    let (appointments, movements) =
        (catalogue::table("appointments").unwrap(), catalogue::table("inventory_transactions").unwrap());
    let far = "'2040-02-10 12:00:00+00'".to_owned();
    must(&mut server, &clinic.insert(appointments, fresh(1, 700), &[("start_time", far.clone())])).await;
    must(&mut server, &clinic.insert(movements, fresh(1, 701), &[("transaction_date", far)])).await;
    let place = format!("select tableoid::regclass from appointments where id = '{}'", fresh(1, 700));
    assert_eq!(text(&mut server, &place).await, "appointments_default");

    // The job that makes months acts for no clinic.
    enter(&mut server, "").await;
    let made = "select ensure_month_partitions('2040-01-31', '2040-03-01')";
    assert_eq!(text(&mut server, made).await, "6");
    assert_eq!(text(&mut server, made).await, "0");
    enter(&mut server, &clinic.id.to_string()).await;
    assert_eq!(text(&mut server, &place).await, "appointments_2040_02");
    let place =
        format!("select tableoid::regclass from inventory_transactions where id = '{}'", fresh(1, 701));
    assert_eq!(text(&mut server, &place).await, "inventory_transactions_2040_02");

    let mut owner = db.role("neonpro_owner").await;
    for table in [
        "appointments_2040_02",
        "appointments_default",
        "inventory_transactions_default",
        "clinics",
        "patients",
    ] {
        let query = format!("select count(*) from {table}");
        assert_eq!(text(&mut owner, &query).await, "0", "{table} lies open");
    }
    enter(&mut owner, &clinic.id.to_string()).await;
    assert_eq!(text(&mut owner, "select count(*) from appointments_2040_02").await, "1");
    must(
        &mut server,
        &format!("update appointments set status = 'confirmed' where id = '{}'", fresh(1, 700)),
    )
    .await;
    let history =
        format!("select count(*) from appointment_history where appointment_id = '{}'", fresh(1, 700));
    assert_eq!(text(&mut server, &history).await, "1");
}

#[tokio::test]
async fn the_months_ahead_are_there_from_the_start() {
    let mut db = Database::create().await;
    let ahead = "select count(*) from generate_series(now() - interval '3 months', now() + interval '12 months',
            interval '1 month') as month
        where to_regclass('appointments_' || to_char(month at time zone 'UTC', 'YYYY_MM')) is null
            or to_regclass('inventory_transactions_' || to_char(month at time zone 'UTC', 'YYYY_MM')) is null";
    assert_eq!(text(&mut db.admin, ahead).await, "0");
}

#[tokio::test]
async fn updated_at_follows_the_merge() {
    let mut db = Database::create().await;
    let clinic = Clinic::create(&mut db.admin, 1).await;
    let mut server = db.server(clinic.id).await;
    must(&mut server, "update patients set name = 'Ana', merged_at = '2030-01-01 00:00:00+00'").await;
    assert_eq!(text(&mut server, "select updated_at = merged_at from patients").await, "true");
    must(&mut server, "update patients set feed_seq = 12").await;
    assert_eq!(text(&mut server, "select updated_at = merged_at from patients").await, "true");
}
