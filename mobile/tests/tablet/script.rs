//! The scripted tablet: one answer per line, whatever the line is.

use crate::fixture::{Tablet, desk, doctor, key_path, replica_path};
use neonpro_mobile::script::{Place, run};
use serde_json::{Value as Json, json};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use tempfile::TempDir;
use tokio::io::{AsyncWrite, BufReader};

/// Everything that was written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl AsyncWrite for Written {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Runs lines against the files of a folder; returns all lines written.
async fn converse(folder: &TempDir, lines: &[String]) -> Vec<Json> {
    let place = Place { replica: replica_path(folder), key_file: key_path(folder) };
    let input = lines.join("\n");
    let written = Written::default();
    run(place, BufReader::new(input.as_bytes()), written.clone()).await.unwrap();
    let bytes = written.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A folder with a clinic's replica, closed.
fn closed() -> TempDir {
    let tablet = Tablet::clinical();
    tablet.replica.close().unwrap();
    tablet.folder
}

async fn ask(folder: &TempDir, requests: &[Json]) -> Vec<Json> {
    converse(folder, &requests.iter().map(Json::to_string).collect::<Vec<_>>()).await
}

#[tokio::test]
async fn every_line_has_one_answer_in_order_and_nonsense_ends_nothing() {
    let folder = closed();
    let lines = [
        "nonsense",
        "",
        "[]",
        r#"{"id":3,"do":"dance"}"#,
        r#"{"do":"users"}"#,
        r#"{"id":5,"do":"query"}"#,
        "\u{7f}{}",
        r#"{"id":{"a":1},"do":"status"}"#,
    ]
    .map(str::to_owned);
    let answers = converse(&folder, &lines).await;
    let codes: Vec<&Json> = answers.iter().map(|answer| &answer["code"]).collect();
    let malformed = json!("malformed_request");
    assert_eq!(codes, [&malformed, &malformed, &malformed, &Json::Null, &malformed, &malformed, &Json::Null]);
    assert_eq!(answers[2]["id"], 3);
    assert_eq!(answers[6]["id"], json!({"a": 1}));
    assert!(answers.iter().all(|answer| answer["ok"] == json!(answer.get("code").is_none())));
}

#[tokio::test]
async fn nothing_is_done_before_the_tablet_is_enrolled() {
    let folder = tempfile::tempdir().unwrap();
    let requests =
        ["status", "users", "attention", "offline", "online", "sync", "conflicts", "digest", "watch"];
    let requests: Vec<Json> = requests.iter().map(|verb| json!({"id": verb, "do": verb})).collect();
    for answer in ask(&folder, &requests).await {
        assert_eq!(answer["code"], "not_enrolled", "{answer}");
    }
    let bad = ask(&folder, &[json!({"id": 1, "do": "enrol", "ticket": "???", "name": "Sala 1"})]).await;
    assert_eq!(bad[0]["code"], "ticket_unreadable");
    assert!(!replica_path(&folder).exists());
}

#[tokio::test]
async fn records_are_created_changed_found_and_read() {
    let folder = closed();
    let created = ask(
        &folder,
        &[json!({"id": 1, "do": "create", "table": "patients", "author": desk(),
        "values": {"name": "Cecília Nogueira", "phone": "(11) 98888-7777"}})],
    )
    .await;
    assert_eq!(created[0]["ok"], true, "{}", created[0]);
    let record = created[0]["record"].clone();
    let answers = ask(&folder, &[
        json!({"id": 2, "do": "update", "table": "patients", "record": record, "author": desk(),
            "values": {"name": "Cecília N. Prado"}}),
        json!({"id": 3, "do": "update", "table": "patients", "record": record, "author": doctor(),
            "ops": [{"op": "add", "field": "allergies", "member": "Látex"}]}),
        json!({"id": 4, "do": "search", "text": "cecilia"}),
        json!({"id": 5, "do": "row", "table": "patients", "record": record}),
        json!({"id": 6, "do": "query", "sql": "SELECT name FROM patients WHERE id = uuid(?1)", "params": [record]}),
        json!({"id": 7, "do": "status"}),
        json!({"id": 8, "do": "consent", "patient": record}),
        json!({"id": 9, "do": "digest"}),
        json!({"id": 10, "do": "users"}),
    ]).await;
    assert!(answers.iter().all(|answer| answer["ok"] == true), "{answers:?}");
    assert_eq!(answers[2]["patients"][0]["id"], record);
    assert_eq!(answers[3]["row"]["allergies"], json!(["Látex"]));
    assert_eq!(answers[3]["state"], "on_this_tablet");
    assert_eq!(answers[4]["rows"], json!([["Cecília N. Prado"]]));
    assert_eq!(answers[5]["status"]["waiting_edits"], 3);
    assert_eq!(answers[6]["consent"]["treatment"]["standing"], "never");
    assert_eq!(answers[8]["users"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn one_edit_over_two_records_is_one_edit() {
    let folder = closed();
    let patient =
        |name: &str| json!({"table": "patients", "ops": [{"op": "put", "field": "name", "value": name}]});
    let edit =
        json!({"id": 1, "do": "edit", "author": desk(), "documents": [patient("Ana"), patient("Bruno")]});
    let answers = ask(&folder, &[edit]).await;
    assert_eq!(answers[0]["edits"].as_array().unwrap().len(), 1, "{}", answers[0]);
    assert_eq!(answers[0]["edits"][0]["records"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn refusals_keep_their_stable_codes() {
    let folder = closed();
    let missing = crate::fixture::id(77).to_string();
    let create = |table: &str, author: Json, values: Json| json!({"do": "create", "table": table, "author": author, "values": values});
    let cases = [
        (create("nowhere", json!(desk()), json!({})), "unknown_table"),
        (create("patients", json!(missing), json!({"name": "Ana"})), "unknown_author"),
        (create("patients", json!(desk()), json!({"nome": "Ana"})), "unknown_field"),
        (create("patients", json!(desk()), json!({"name": "Ana", "cpf": "1"})), "invalid_value"),
        (create("patients", json!(desk()), json!({"name": "Ana", "allergies": ["x"]})), "role_not_allowed"),
        (
            json!({"do": "update", "table": "patients", "record": missing, "author": desk(), "values": {"name": "A"}}),
            "not_found",
        ),
        (json!({"do": "query", "sql": "DELETE FROM patients"}), "query_refused"),
        (json!({"do": "query", "sql": "SELECT nothing FROM nowhere"}), "query_refused"),
        (json!({"do": "row", "table": "nowhere", "record": missing}), "unknown_table"),
        (json!({"do": "resend", "edit": missing}), "no_such_edit"),
        (json!({"do": "watch", "tables": ["nowhere"]}), "unknown_table"),
        (json!({"do": "wait", "until": {"sql": "SELECT 1", "equals": 2}, "timeout_ms": 1}), "timed_out"),
        (json!({"do": "enrol", "ticket": "x", "name": "y"}), "already_enrolled"),
    ];
    let answers = ask(&folder, &cases.iter().map(|(request, _)| request.clone()).collect::<Vec<_>>()).await;
    for (answer, (request, code)) in answers.iter().zip(&cases) {
        assert_eq!(answer["code"], *code, "{request} {answer}");
        assert!(answer["message"].as_str().unwrap().ends_with('.'), "{answer}");
    }
    assert_eq!(answers.len(), cases.len());
}

#[tokio::test]
async fn a_watch_tells_what_changed_and_a_wait_ends_when_the_state_is_there() {
    let folder = closed();
    let answers = ask(&folder, &[
        json!({"id": 1, "do": "watch", "tables": ["patients"]}),
        json!({"id": 2, "do": "create", "table": "patients", "author": desk(), "values": {"name": "Ana"}}),
        json!({"id": 3, "do": "wait", "until": {"sql": "SELECT count(*) FROM patients", "at_least": 1}}),
        json!({"id": 4, "do": "wait", "until": {"status": {"waiting_records": 1}}}),
        json!({"id": 5, "do": "wait", "until": {"sql": "SELECT name FROM patients", "equals": "Ana"}}),
    ]).await;
    let ids: Vec<&Json> =
        answers.iter().filter(|line| line.get("event").is_none()).map(|line| &line["id"]).collect();
    assert_eq!(ids, [&json!(1), &json!(2), &json!(3), &json!(4), &json!(5)]);
    let told: Vec<&Json> = answers.iter().filter(|line| line.get("event").is_some()).collect();
    assert!(
        told.iter().all(|line| line["event"] == "changed" && line["tables"] == json!(["patients"])),
        "{told:?}"
    );
}

#[tokio::test]
async fn quit_ends_the_conversation_and_the_replica_opens_again() {
    let folder = closed();
    let answers = ask(&folder, &[json!({"id": 1, "do": "quit"}), json!({"id": 2, "do": "status"})]).await;
    assert_eq!(answers, [json!({"id": 1, "ok": true})]);
    let again = ask(&folder, &[json!({"id": 3, "do": "status"})]).await;
    assert_eq!(again[0]["status"]["connection"], "offline");
}

#[tokio::test]
async fn without_a_server_a_sync_says_so_within_its_limit() {
    let folder = closed();
    let answers =
        ask(&folder, &[json!({"id": 1, "do": "sync", "timeout_ms": 200}), json!({"id": 2, "do": "status"})])
            .await;
    assert_eq!(answers[0]["code"], "timed_out", "{}", answers[0]);
    assert_eq!(answers[1]["status"]["connection"], "offline");
}
