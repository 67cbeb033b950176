//! The API: what a token may, and that everybody else hears the same whatever they ask.

use neonpro_contract::catalogue::{Purpose, Role};
use neonpro_contract::ids::ClinicId;
use neonpro_contract::time::{ServerInstant, US_PER_DAY};
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::tokens::{self, Scope, TokenError};
use neonpro_tests::fleet::Fleet;
use neonpro_tests::http::{Answer, ask};
use neonpro_tests::sql::text;
use serde_json::{Value as Json, json};
use sqlx_core::executor::Executor as _;
use sqlx_core::sql_str::AssertSqlSafe;
use uuid::Uuid;

/// Every route, with a body that would be taken. A test below counts the ones in the source against it.
const ROUTES: [(&str, &str, Scope); 12] = [
    ("GET", "/subject-requests", Scope::Subjects),
    ("POST", "/subject-requests", Scope::Subjects),
    ("POST", "/subject-requests/{id}/answer", Scope::Subjects),
    ("POST", "/patients/{id}/statement", Scope::Subjects),
    ("POST", "/patients/{id}/erasure-plan", Scope::Erasure),
    ("POST", "/patients/{id}/restricted", Scope::Erasure),
    ("GET", "/erasures", Scope::Erasure),
    ("PUT", "/erasures/{id}", Scope::Erasure),
    ("GET", "/erasures/{id}/certificate", Scope::Erasure),
    ("GET", "/incidents", Scope::Incidents),
    ("POST", "/incidents/lost-device", Scope::Incidents),
    ("POST", "/incidents/{id}/close", Scope::Incidents),
];

async fn token(fleet: &Fleet, clinic: usize, scopes: &[Scope]) -> (Uuid, String) {
    let (id, admin) = (fleet.clinic(clinic).id, fleet.person(clinic, Role::Admin));
    let what = ("Sistema de pedidos", scopes, 30);
    let made = tokens::make(&fleet.database.store, id, what, admin, now()).await.unwrap();
    (made.id, made.token)
}

async fn call(fleet: &Fleet, token: &str, method: &str, path: &str, body: Option<&Json>) -> Answer {
    let headers =
        [("authorization", format!("Bearer {token}")), ("content-type", "application/json".to_owned())];
    let body = body.map(Json::to_string).unwrap_or_default();
    ask(fleet.server.address, method, &format!("/api/v1{path}"), &headers, body.as_bytes()).await
}

/// A body each route takes, about this patient of the first clinic.
fn body(path: &str, patient: &str) -> Option<Json> {
    Some(match path {
        "/subject-requests" => {
            json!({ "kind": "access", "patient": patient, "identity_check": "documento com foto" })
        }
        "/subject-requests/{id}/answer" => json!({ "answer": "entregue em mãos" }),
        "/patients/{id}/restricted" => json!({ "reason": "pedido do conselho" }),
        "/erasures/{id}" => json!({ "patient": patient, "reason": "pedido da paciente" }),
        "/incidents/lost-device" => {
            json!({ "device": patient, "what": "esquecido no metrô" })
        }
        "/incidents/{id}/close" => json!({ "report": "avisados os titulares" }),
        _ => json!({}),
    })
}

async fn patient(fleet: &Fleet) -> String {
    let sql = format!("select id::text from patients where clinic_id = '{}' limit 1", fleet.clinic(0).id);
    text(&mut fleet.database.admin().await, &sql).await
}

async fn audited(fleet: &Fleet, clinic: ClinicId) -> String {
    let sql = format!("select count(*)::text from sync.audit where clinic_id = '{}'", clinic.0);
    text(&mut fleet.database.admin().await, &sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_registered_answered_and_listed_in_the_name_of_an_administrator() {
    let fleet = Fleet::start().await;
    let (_, token) = token(&fleet, 0, &[Scope::Subjects]).await;
    let patient = patient(&fleet).await;
    let asked = body("/subject-requests", &patient);
    let made = call(&fleet, &token, "POST", "/subject-requests", asked.as_ref()).await;
    assert_eq!(made.status, 201);
    let made: Json = made.json();
    assert_eq!(made["owner"], json!(fleet.person(0, Role::Admin)));
    let open: Json = call(&fleet, &token, "GET", "/subject-requests", None).await.json();
    assert_eq!(open.as_array().unwrap().len(), 1);

    let told =
        call(&fleet, &token, "POST", &format!("/patients/{patient}/statement"), Some(&json!({}))).await;
    assert_eq!(told.status, 200);
    assert!(told.json::<Json>()["tables"]["patients"].is_object());
    let paper = json!({ "full": true, "pdf": true });
    let paper = call(&fleet, &token, "POST", &format!("/patients/{patient}/statement"), Some(&paper)).await;
    assert!(paper.body.starts_with(b"%PDF-1."), "{}", paper.status);

    let here = format!("/subject-requests/{}/answer", made["id"].as_str().unwrap());
    let answer = json!({ "answer": "entregue em mãos" });
    assert_eq!(call(&fleet, &token, "POST", &here, Some(&answer)).await.status, 204);
    assert_eq!(call(&fleet, &token, "POST", &here, Some(&answer)).await.code(), "not_found", "answered once");
    let open: Json = call(&fleet, &token, "GET", "/subject-requests", None).await.json();
    assert!(open.as_array().unwrap().is_empty());
    let all: Json = call(&fleet, &token, "GET", "/subject-requests?all=true", None).await.json();
    assert_eq!(all.as_array().unwrap().len(), 1);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_asked_twice_under_one_id_is_one_erasure_with_a_certificate() {
    let fleet = Fleet::start().await;
    let (_, token) = token(&fleet, 0, &[Scope::Erasure]).await;
    let patient = patient(&fleet).await;
    let marketing = json!({ "purposes": [Purpose::Marketing, Purpose::Research] });
    let plan =
        call(&fleet, &token, "POST", &format!("/patients/{patient}/erasure-plan"), Some(&marketing)).await;
    assert_eq!(plan.status, 200);
    assert!(plan.json::<Json>()["erased"].is_array());

    let here = format!("/erasures/{}", fresh_id(now()));
    let asked = json!({ "patient": patient, "reason": "pedido da paciente" });
    let first = call(&fleet, &token, "PUT", &here, Some(&asked)).await;
    assert_eq!(first.status, 200, "{}", String::from_utf8_lossy(&first.body));
    let again: Json = call(&fleet, &token, "PUT", &here, Some(&asked)).await.json();
    let first: Json = first.json();
    assert_eq!(again["statement"]["erasure"], first["statement"]["erasure"]);
    assert_eq!(again["statement"]["done_at"], first["statement"]["done_at"]);
    let listed: Json = call(&fleet, &token, "GET", "/erasures", None).await.json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let paper = call(&fleet, &token, "GET", &format!("{here}/certificate?pdf=true"), None).await;
    assert!(paper.body.starts_with(b"%PDF-1."));

    let other = json!({ "patient": Uuid::nil(), "reason": "pedido da paciente" });
    assert_eq!(call(&fleet, &token, "PUT", &here, Some(&other)).await.code(), "id_taken");
    let short = json!({ "patient": patient, "reason": "porque" });
    let fresh = format!("/erasures/{}", fresh_id(now()));
    assert_eq!(call(&fleet, &token, "PUT", &fresh, Some(&short)).await.code(), "invalid_request");
    let reason = json!({ "reason": "pedido do conselho" });
    let read = call(&fleet, &token, "POST", &format!("/patients/{patient}/restricted"), Some(&reason)).await;
    let kept = first["statement"]["kept"].as_array().unwrap();
    assert_eq!(read.status, if kept.is_empty() { 409 } else { 200 });
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_tablet_becomes_an_incident_that_says_whose_data_it_held() {
    let fleet = Fleet::start().await;
    let (_, token) = token(&fleet, 0, &[Scope::Incidents]).await;
    let mut tablet = fleet.tablet(fleet.clinic(0).id, "perdido").await;
    tablet.online();
    tablet.quiet().await;
    let device = tablet.replica.identity().device;
    let lost = json!({ "device": device, "what": "esquecido no metrô" });
    let opened = call(&fleet, &token, "POST", "/incidents/lost-device", Some(&lost)).await;
    assert_eq!(opened.status, 201);
    let opened: Json = opened.json();
    assert!(!opened["concerned"].as_object().unwrap().is_empty());
    let here = format!("/incidents/{}/close", opened["id"].as_str().unwrap());
    let report = json!({ "report": "avisados os titulares" });
    assert_eq!(call(&fleet, &token, "POST", &here, Some(&report)).await.status, 204);
    let open: Json = call(&fleet, &token, "GET", "/incidents", None).await.json();
    assert!(open.as_array().unwrap().is_empty());
    tablet.handle.stop().await;
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_every_caller_without_a_good_token_for_it_alike_and_does_nothing() {
    let fleet = Fleet::start().await;
    let (clinic, patient, id) = (fleet.clinic(0).id, patient(&fleet).await, fresh_id(now()));
    let (revoked_id, revoked) = token(&fleet, 0, &Scope::ALL).await;
    let admin = fleet.person(0, Role::Admin);
    assert!(tokens::revoke(&fleet.database.store, clinic, revoked_id, admin, now()).await.unwrap());
    assert!(!tokens::revoke(&fleet.database.store, clinic, revoked_id, admin, now()).await.unwrap());
    let long_ago = ServerInstant(now().0 - 40 * US_PER_DAY);
    let old = ("Antigo", Scope::ALL.as_slice(), 30);
    let expired = tokens::make(&fleet.database.store, clinic, old, admin, long_ago).await.unwrap().token;
    let unknown = format!("npt_{}", "A".repeat(43));
    let before = audited(&fleet, clinic).await;
    for (method, path, scope) in ROUTES {
        let others: Vec<Scope> = Scope::ALL.into_iter().filter(|other| *other != scope).collect();
        let (_, other_scope) = token(&fleet, 1, &others).await;
        let there = path.replace("{id}", if path.contains("patients") { &patient } else { "" });
        let there = there.replace("//", &format!("/{id}/"));
        let there = if path == "/erasures/{id}" { format!("/erasures/{id}") } else { there };
        let body = if method == "GET" { None } else { body(path, &patient) };
        for wrong in ["", "npt_", "Bearer", &unknown, &revoked, &expired, &other_scope] {
            let answer = call(&fleet, wrong, method, &there, body.as_ref()).await;
            assert_eq!(
                (answer.status, answer.code()),
                (401, "unauthorised".to_owned()),
                "{method} {path} {wrong}"
            );
        }
        // Another clinic's token is good, and finds nothing of this clinic's.
        let (_, foreign) = token(&fleet, 1, &[scope]).await;
        let answer = call(&fleet, &foreign, method, &there, body.as_ref()).await;
        match (method, path) {
            ("GET", "/subject-requests" | "/erasures" | "/incidents") => {
                assert_eq!(answer.json::<Json>(), json!([]), "{method} {path}");
            }
            ("POST", "/subject-requests") | ("POST", "/patients/{id}/restricted") => {
                assert!((400..500).contains(&answer.status), "{method} {path}: {}", answer.status);
            }
            _ => assert_eq!((answer.status, answer.code()), (404, "not_found".to_owned()), "{method} {path}"),
        }
    }
    assert_eq!(audited(&fleet, clinic).await, before, "nothing happened in the clinic that was attacked");
    fleet.stop().await;
}

#[test]
fn the_list_of_routes_above_lacks_none() {
    let source = include_str!("../../../server/src/http/api.rs");
    let methods: usize = source
        .lines()
        .filter(|line| line.trim_start().starts_with(".route("))
        .map(|line| {
            ["get(", "post(", "put(", "delete("].iter().map(|m| line.matches(m).count()).sum::<usize>()
        })
        .sum();
    assert_eq!(methods, ROUTES.len());
    for (_, path, _) in ROUTES {
        assert!(source.contains(&format!("\"{path}\"")), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_worth_nothing_once_its_administrator_is_none() {
    let fleet = Fleet::start().await;
    let (clinic, admin) = (fleet.clinic(0).id, fleet.person(0, Role::Admin));
    let store = &fleet.database.store;
    let desk =
        tokens::make(store, clinic, ("X", &[Scope::Subjects], 1), fleet.person(0, Role::Assistant), now());
    assert!(matches!(desk.await, Err(TokenError::NotAnAdministrator)));
    for (name, scopes, days) in [
        ("", &[Scope::Subjects][..], 1),
        ("X", &[], 1),
        ("X", &[Scope::Subjects], 0),
        ("X", &[Scope::Subjects], 400),
    ] {
        let made = tokens::make(store, clinic, (name, scopes, days), admin, now()).await;
        assert!(matches!(made, Err(TokenError::Invalid)), "{name} {days}");
    }
    let (_, token) = token(&fleet, 0, &[Scope::Subjects]).await;
    assert_eq!(call(&fleet, &token, "GET", "/subject-requests", None).await.status, 200);
    let sql = format!(
        "update clinic_professionals set role = 'manager' where clinic_id = '{}' and professional_id = '{}'",
        clinic.0, admin.0
    );
    fleet.database.admin().await.execute(AssertSqlSafe(sql)).await.unwrap();
    assert_eq!(call(&fleet, &token, "GET", "/subject-requests", None).await.code(), "unauthorised");
    assert_eq!(call(&fleet, &token, "GET", "/no-such-thing", None).await.code(), "not_found");
    fleet.stop().await;
}
