//! The server's account and its pool: a session that cannot become more, and a connection that forgets its clinic.

use neonpro_contract::permissions::Audience;
use neonpro_server::actor::Actor;
use neonpro_server::clock::now;
use neonpro_server::database::is_clean;
use neonpro_server::http::enrol::make_code;
use neonpro_server::store::authority::Grant;
use neonpro_tests::cluster::{TestDatabase, network};
use neonpro_tests::sql::{DENIED, code, must, run, text};
use sqlx_core::connection::ConnectOptions;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

#[tokio::test]
async fn whoever_has_sql_in_a_session_of_the_server_cannot_become_more() {
    let database = TestDatabase::create().await;
    let mut conn = database.login.clone().options([("role", "neonpro_server")]).connect().await.unwrap();
    assert_eq!(
        text(&mut conn, "select session_user || ' ' || current_user").await,
        "neonpro_login neonpro_server"
    );
    for step in [
        "set session authorization postgres",
        "set session authorization neonpro_owner",
        "set role neonpro_owner",
        "set role postgres",
        "alter role neonpro_login superuser",
        "alter system set log_statement = 'all'",
        "vacuum public.patients",
    ] {
        let tried = run(&mut conn, step).await;
        // VACUUM only warns and leaves out what it may not touch.
        assert!(code(tried).as_deref() == Some(DENIED) || step.starts_with("vacuum"), "{step}");
    }
    for back in ["reset role", "reset session authorization", "discard all", "set role none"] {
        run(&mut conn, back).await.unwrap();
        for table in ["public.patients", "sync.edits", "public.service_types", "sync.device_clinics"] {
            // A reset brings back what the connection began with: the server's role at most, and no clinic.
            let clinic = run(&mut conn, &format!("select from {table}")).await;
            let role = text(&mut conn, "select current_user").await;
            match role.as_str() {
                "neonpro_login" => assert_eq!(code(clinic).as_deref(), Some(DENIED), "{back}: {table}"),
                "neonpro_server" => assert!(
                    table.contains("service_types") || table.contains("device_clinics") || clinic == Ok(0),
                    "{back}: {table}: {clinic:?}"
                ),
                other => panic!("{back} made the session {other}"),
            }
        }
    }
}

#[tokio::test]
async fn the_servers_account_owns_nothing_and_inherits_nothing() {
    let database = TestDatabase::create().await;
    let mut admin = database.admin().await;
    let login = "select concat_ws(' ', rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls)
        from pg_roles where rolname = 'neonpro_login'";
    assert_eq!(text(&mut admin, login).await, "f f f f f f");
    let groups = "select string_agg(r.rolname, ' ' order by r.rolname) from pg_auth_members m
        join pg_roles r on r.oid = m.roleid where m.member = 'neonpro_login'::regrole";
    assert_eq!(text(&mut admin, groups).await, "neonpro_server");
    let owned = "select count(*) from pg_shdepend where refclassid = 'pg_authid'::regclass
        and refobjid in ('neonpro_login'::regrole, 'neonpro_server'::regrole) and deptype = 'o'";
    assert_eq!(text(&mut admin, owned).await, "0");
    let pool = "select string_agg(distinct usename::text, ' ') from pg_stat_activity
        where datname = current_database() and application_name = 'neonpro-server'";
    assert_eq!(text(&mut admin, pool).await, "neonpro_login");
}

/// Polls a future some times and drops it: cancelled where it waits.
async fn cancel_after<F: Future>(polls: usize, future: F) {
    let mut future = pin!(future);
    for _ in 0..polls {
        let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if polled.is_ready() {
            return;
        }
        // Lets the socket move, so that the next poll gets further.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_cancelled_begin_leaves_no_clinic_and_no_transaction_to_the_next() {
    let database = TestDatabase::create().await;
    let clinic = network().clinics[0].id;
    let mut admin = database.admin().await;
    let known = "select count(*) from sync.enrolments";
    for polls in 1..40 {
        cancel_after(polls, database.store.begin(&Actor::system(clinic))).await;
        let before: u64 = text(&mut admin, known).await.parse().unwrap();
        // A write outside of any clinic: inside somebody's forgotten transaction it would be lost.
        make_code(&database.store, clinic, &Grant::to_members(Audience::Clinical), now()).await.unwrap();
        assert_eq!(text(&mut admin, known).await, (before + 1).to_string(), "lost after {polls} polls");
    }
}

#[tokio::test]
async fn a_connection_that_was_left_in_another_role_or_clinic_is_not_handed_out_again() {
    let database = TestDatabase::create().await;
    let clinic = network().clinics[0].id;
    let server = database.login.clone().options([("role", "neonpro_server")]);
    for left in [
        "begin".to_owned(),
        format!("begin; set local neonpro.clinic_id = '{clinic}'"),
        format!("set neonpro.clinic_id = '{clinic}'"),
        "set role none".to_owned(),
        "set role neonpro_reference".to_owned(),
    ] {
        let mut conn = server.connect().await.unwrap();
        assert!(is_clean(&mut conn).await.unwrap(), "as it was made");
        must(&mut conn, &left).await;
        assert!(!is_clean(&mut conn).await.unwrap(), "{left}");
    }
    let mut conn = server.connect().await.unwrap();
    must(&mut conn, &format!("begin; set local neonpro.clinic_id = '{clinic}'; commit")).await;
    assert!(is_clean(&mut conn).await.unwrap(), "after a transaction that ended");
}
