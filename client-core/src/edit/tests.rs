//! Every table and facet can be edited offline, and what was acknowledged survives.

use crate::testing::samples::{NOON, is_editable, other, role, value, values};
use crate::testing::world::{ADMIN, ANA, ASSISTANT, MANAGER, PROFESSIONAL, Tablet, server, synced};
use crate::{Draft, EditRejected, RecordState};
use neonpro_contract::catalogue::{FacetId, Kind, Lifecycle, Role, Scope, TABLES};
use neonpro_contract::fate::Code;
use neonpro_contract::ids::{AuthorId, RecordId};
use neonpro_contract::permissions::Audience;
use neonpro_contract::validate;
use neonpro_contract::value::Value;
use serde_json::{Value as Json, json};
use uuid::Uuid;

fn author(role: Role) -> AuthorId {
    match role {
        Role::Admin => ADMIN,
        Role::Manager => MANAGER,
        Role::Professional => PROFESSIONAL,
        Role::Assistant => ASSISTANT,
    }
}

#[test]
fn every_facet_of_every_table_is_created_edited_and_kept_offline() {
    let mut tablet = synced(1, &mut server());
    let mut expected: Vec<(&str, RecordId, &str, Json)> = Vec::new();
    for table in TABLES.iter().filter(|table| table.scope == Scope::Clinic && !table.facets.is_empty()) {
        let creator = author(role(table, FacetId(0)));
        // Alerts are raised by the server: a device has nothing to create them with but their resolution.
        let created =
            tablet.replica.edit(Draft::new(creator).create(table.name, values(table, FacetId(0)))).unwrap();
        let id = created.record().unwrap();
        for facet in table.facet_ids() {
            let author = author(role(table, facet));
            if facet.0 > 0 {
                tablet.replica.update_record(author, table.name, id, values(table, facet)).unwrap();
            }
            for (_, field) in table.facet_fields(facet).filter(|(_, field)| is_editable(field)) {
                if table.lifecycle == Lifecycle::Ledger {
                    continue;
                }
                let done = tablet.replica.update_record(author, table.name, id, [(field.name, other(field))]);
                done.unwrap_or_else(|error| panic!("{}.{}: {error}", table.name, field.name));
                expected.push((table.name, id, field.name, other(field)));
            }
        }
        let row = tablet.replica.row(table.name, id).unwrap().unwrap();
        assert_eq!(validate::record(&row), Ok(()), "{}", table.name);
    }
    tablet.reopen();
    for (table, id, name, json) in expected {
        let field = neonpro_contract::catalogue::table(table).unwrap().field(name).unwrap().1;
        let row = tablet.replica.row(table, id).unwrap().unwrap();
        match (field.kind, row.get(name)) {
            (Kind::Set, Value::Texts(members)) => {
                assert!(members.len() == 3 && members.contains(&"três".to_owned()))
            }
            (Kind::Set, Value::Uuids(members)) => assert_eq!(members.len(), 3),
            (Kind::Json, Value::Json(merged)) => {
                assert_eq!(
                    merged["chave"],
                    json!({"dentro": value(field)["chave"]["dentro"], "outra": true})
                );
            }
            (_, kept) => assert_eq!(*kept, validate::from_json(field, &json).unwrap(), "{table}.{name}"),
        }
        assert_eq!(tablet.replica.record_state(table, id).unwrap(), Some(RecordState::OnThisTablet));
    }
    tablet.assert_digest();
}

#[test]
fn everything_made_offline_is_the_same_on_the_server_after_a_sync() {
    let mut server = server();
    let tablet = synced(1, &mut server);
    let mut made = Vec::new();
    for table in TABLES.iter().filter(|table| table.scope == Scope::Clinic && !table.facets.is_empty()) {
        let creator = author(role(table, FacetId(0)));
        let created =
            tablet.replica.edit(Draft::new(creator).create(table.name, values(table, FacetId(0)))).unwrap();
        made.push((table.name, created.record().unwrap()));
    }
    tablet.sync(&mut server);
    for (table, id) in &made {
        let here = tablet.replica.row(table, *id).unwrap().unwrap();
        assert!(here == server.row(table, *id), "{table}");
        assert_eq!(tablet.replica.record_state(table, *id).unwrap(), Some(RecordState::Confirmed));
    }
    tablet.assert_equal(&server);
    let other = synced(2, &mut server);
    other.assert_equal(&server);
    for (table, id) in made {
        assert!(other.replica.row(table, id).unwrap().unwrap() == server.row(table, id), "{table}");
    }
    assert_eq!(tablet.replica.status().unwrap().waiting, crate::Waiting::default());
}

#[test]
fn defaults_and_capture_time_are_filled_in_at_creation() {
    let tablet = synced(1, &mut server());
    let edited = tablet
        .replica
        .edit(
            Draft::new(ASSISTANT)
                .create("patients", [("name", json!("Bia")), ("cpf", json!("111.444.777-35"))]),
        )
        .unwrap();
    let row = tablet.replica.row("patients", edited.record().unwrap()).unwrap().unwrap();
    assert_eq!(row.get("is_active"), &Value::Bool(true));
    assert_eq!(row.get("cpf"), &Value::Text("11144477735".into()));
    // The server's clock is half a round trip ahead of the tablet's.
    assert_eq!(row.get("created_at"), &Value::Instant(NOON + 1_000));
    assert_eq!(edited.records[0].row, row);
    let paid = Draft::new(ASSISTANT).create(
        "payments",
        [("patient_id", json!(ANA)), ("amount", json!("10")), ("payment_method", json!("pix"))],
    );
    let paid = tablet.replica.edit(paid).unwrap();
    assert_eq!(paid.records[0].row.get("status"), &Value::Text("pending".into()));
}

#[test]
fn an_edit_that_does_not_fit_is_refused_with_its_code_and_leaves_nothing_behind() {
    let tablet = synced(1, &mut server());
    let missing = RecordId(Uuid::from_u128(404));
    let draft = |author| Draft::new(author);
    let cases: Vec<(&str, Draft)> = vec![
        ("unknown_author", draft(AuthorId(Uuid::from_u128(99))).put("patients", ANA, "phone", json!("1"))),
        ("role_not_allowed", draft(ASSISTANT).put("patients", ANA, "skin_type", json!("II"))),
        ("role_not_allowed", draft(ADMIN).put("service_types", ANA, "name", json!("x"))),
        ("unknown_table", draft(ADMIN).put("nothing", ANA, "name", json!("x"))),
        ("unknown_field", draft(ADMIN).put("patients", ANA, "nothing", json!("x"))),
        ("unknown_field", draft(ADMIN).put("patients", ANA, "photo_consent", json!(true))),
        ("not_found", draft(ADMIN).put("patients", missing, "name", json!("x"))),
        ("already_exists", draft(ADMIN).create_as("patients", ANA, [("name", json!("x"))])),
        ("field_fixed", draft(ADMIN).put("patients", ANA, "created_at", json!(NOON))),
        ("invalid_value", draft(ADMIN).put("patients", ANA, "cpf", json!("123"))),
        ("invalid_value", draft(ADMIN).put("patients", ANA, "name", json!(null))),
        ("invalid_value", draft(ADMIN).create("patients", [("phone", json!("1"))])),
        ("wrong_operation", draft(PROFESSIONAL).put("patients", ANA, "allergies", json!("not a list"))),
        ("nothing_to_do", draft(ADMIN).put("patients", ANA, "name", json!("Ana Conceição"))),
        ("nothing_to_do", draft(ADMIN)),
        (
            "several_purposes",
            draft(PROFESSIONAL).put("patients", ANA, "phone", json!("1")).add(
                "patients",
                ANA,
                "allergies",
                "iodo",
            ),
        ),
        ("ledger_append_only", draft(ADMIN).put("payments", ANA, "transaction_id", json!("x"))),
        ("ledger_append_only", draft(ADMIN).retire("payments", ANA, "x")),
    ];
    for (code, draft) in cases {
        let error = tablet.replica.edit(draft).unwrap_err();
        assert_eq!(error.code(), code);
    }
    let status = tablet.replica.status().unwrap();
    assert_eq!((status.waiting.edits, status.waiting.records), (0, 0));
    assert_eq!(tablet.phone().as_deref(), Some("(11) 98765-4321"));
    tablet.assert_digest();
}

#[test]
fn a_record_of_two_purposes_becomes_one_edit_each() {
    let tablet = synced(1, &mut server());
    let edits = tablet
        .replica
        .create_record(
            PROFESSIONAL,
            "patients",
            [("allergies", json!(["iodo"])), ("name", json!("Bia")), ("notes", json!("pele seca"))],
        )
        .unwrap();
    assert_eq!(edits.len(), 2);
    assert_eq!(edits[0].documents[0].facet, FacetId(0));
    assert_eq!(edits[1].documents[0].facet, FacetId(1));
    let row = tablet.replica.row("patients", edits[0].record().unwrap()).unwrap().unwrap();
    assert_eq!(row.get("notes"), &Value::Text("pele seca".into()));
    // All or none: the second part is refused, so the first is not there either.
    let before = tablet.replica.status().unwrap().waiting;
    let refused = tablet
        .replica
        .create_record(ASSISTANT, "patients", [("name", json!("Caio")), ("notes", json!("x"))])
        .unwrap_err();
    assert!(matches!(refused, EditRejected::RoleNotAllowed { table: "patients" }));
    assert_eq!(tablet.replica.status().unwrap().waiting, before);
    assert!(tablet.replica.search_patients("caio", 5).unwrap().is_empty());
}

#[test]
fn a_front_desk_tablet_neither_shows_nor_writes_health() {
    let mut server = server();
    let tablet = Tablet::with_audience(3, Audience::FrontDesk, "http://127.0.0.1:1");
    tablet.sync(&mut server);
    let row = tablet.replica.row("patients", ANA).unwrap().unwrap();
    assert!(row.get("allergies").is_null());
    let health = Draft::new(PROFESSIONAL).add("patients", ANA, "allergies", "iodo");
    assert_eq!(tablet.replica.edit(health).unwrap_err().code(), "not_held_here");
    let photo = Draft::new(ADMIN).create(
        "patient_documents",
        [
            ("patient_id", json!(ANA)),
            ("document_type", json!("photo")),
            ("title", json!("x")),
            ("file_url", json!("y")),
        ],
    );
    assert_eq!(tablet.replica.edit(photo).unwrap_err().code(), "not_held_here");
    tablet.assert_equal(&server);
}

#[test]
fn consent_is_previewed_and_a_new_grant_names_the_withdrawals_it_had_seen() {
    let tablet = synced(1, &mut server());
    let plan = || {
        Draft::new(PROFESSIONAL)
            .create("treatment_plans", [("patient_id", json!(ANA)), ("title", json!("Pele"))])
    };
    let consent = |given: bool| {
        tablet.hand.advance_us(60_000_000_000);
        let draft = Draft::new(ASSISTANT).create(
            "data_consent_records",
            [
                ("patient_id", json!(ANA)),
                ("consent_type", json!("treatment")),
                ("consent_given", json!(given)),
            ],
        );
        tablet.replica.edit(draft).unwrap().record().unwrap()
    };
    assert_eq!(tablet.replica.edit(plan()).unwrap().warning, Some(Code::ConsentMissing));
    consent(true);
    tablet.hand.advance_us(60_000_000_000);
    let plan_id = tablet.replica.edit(plan()).unwrap();
    assert_eq!(plan_id.warning, None);
    let withdrawal = consent(false);
    tablet.hand.advance_us(60_000_000_000);
    let session = Draft::new(PROFESSIONAL).create(
        "treatment_sessions",
        [("treatment_plan_id", json!(plan_id.record())), ("session_number", json!(1))],
    );
    let session = tablet.replica.edit(session).unwrap();
    assert_eq!(session.warning, Some(Code::ConsentWithdrawn), "found through the plan");
    let grant = consent(true);
    let row = tablet.replica.row("data_consent_records", grant).unwrap().unwrap();
    assert_eq!(row.get("seen_withdrawals"), &Value::Uuids(vec![withdrawal.0]));
    tablet.hand.advance_us(60_000_000_000);
    let standings = tablet.replica.consent(neonpro_contract::ids::PatientId(ANA.0)).unwrap();
    assert_eq!(standings.len(), 5);
    assert!(standings[0].covered_now);
}

#[test]
fn a_locked_session_takes_addenda_only() {
    let tablet = synced(1, &mut server());
    let plan = tablet.replica.new_record_id();
    let session = tablet.replica.new_record_id();
    let draft = Draft::new(PROFESSIONAL)
        .create_as("treatment_plans", plan, [("patient_id", json!(ANA)), ("title", json!("Pele"))])
        .create_as(
            "treatment_sessions",
            session,
            [("treatment_plan_id", json!(plan)), ("session_number", json!(1))],
        );
    tablet.replica.edit(draft).unwrap();
    tablet.put(PROFESSIONAL, "treatment_sessions", session, "locked_at", json!(NOON));
    let notes = Draft::new(PROFESSIONAL).text("treatment_sessions", session, "notes", "tarde demais");
    assert_eq!(tablet.replica.edit(notes).unwrap_err().code(), "record_locked");
    let addendum =
        Draft::new(PROFESSIONAL).merge("treatment_sessions", session, "addenda", json!({"1": "esqueci"}));
    tablet.replica.edit(addendum).unwrap();
}

#[test]
fn retiring_says_who_when_and_why() {
    let tablet = synced(1, &mut server());
    tablet.replica.edit(Draft::new(ASSISTANT).retire("patients", ANA, "duplicada")).unwrap();
    let row = tablet.replica.row("patients", ANA).unwrap().unwrap();
    assert_eq!(row.get("retired_by"), &Value::Uuid(ASSISTANT.0));
    assert_eq!(row.get("retired_reason"), &Value::Text("duplicada".into()));
    assert!(!row.get("retired_at").is_null());
}

#[test]
fn an_edit_larger_than_the_limits_is_refused_before_it_is_stored() {
    let tablet = synced(1, &mut server());
    let draft = (0..33)
        .fold(Draft::new(ASSISTANT), |draft, n| draft.create("patients", [("name", json!(format!("P{n}")))]));
    assert_eq!(tablet.replica.edit(draft).unwrap_err().code(), "too_large");
}

#[test]
fn the_longest_note_may_take_another_ones_place() {
    let tablet = synced(1, &mut server());
    for letter in ["x", "y"] {
        let note = letter.repeat(neonpro_contract::limits::LONG_TEXT_BYTES_MAX);
        tablet.replica.edit(Draft::new(PROFESSIONAL).text("patients", ANA, "notes", note.as_str())).unwrap();
    }
}
