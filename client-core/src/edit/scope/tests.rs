//! The preview on a tablet that has the shipped rules, and on one whose rules were tampered with.

use crate::testing::samples::NOON;
use crate::testing::server::Server;
use crate::testing::world::{ADMIN, ANA, PROFESSIONAL, server, synced};
use crate::{Draft, Note, ScopePreview};
use neonpro_contract::ids::RecordId;
use neonpro_contract::scope_of_practice::{Level, SHIPPED};
use neonpro_contract::value::instant_text;
use serde_json::{Value as Json, json};
use uuid::Uuid;

const TOXIN: RecordId = RecordId(Uuid::from_u128(0xE0));
const CONSULTATION: RecordId = RecordId(Uuid::from_u128(0xE1));
const DAY: i64 = 86_400_000_000;

/// A clinic with two procedures and the shipped rules, changed by `tamper`.
fn clinic(tamper: impl Fn(&mut Json)) -> Server {
    let mut server = server();
    for (id, class) in [(TOXIN, "injectable"), (CONSULTATION, "medical_consultation")] {
        let values =
            [("name", json!("x")), ("duration_minutes", json!(30)), ("procedure_class", json!(class))];
        server.seed("service_types", id, &values);
    }
    let (content, signature) = SHIPPED.last().unwrap();
    let mut content: Json = serde_json::from_str(content).unwrap();
    tamper(&mut content);
    let values = [
        ("version", content["version"].clone()),
        ("in_force_from", content["in_force_from"].clone()),
        ("signature", json!(signature.trim())),
        ("content", content.clone()),
    ];
    server.seed("scope_bundles", RecordId(Uuid::from_u128(0xE2)), &values);
    server
}

/// The professional is a biomedic.
fn session(procedure: RecordId, at_us: i64) -> Draft {
    let plan = RecordId(Uuid::from_u128(0xE3));
    Draft::new(PROFESSIONAL)
        .create_as("treatment_plans", plan, [("patient_id", json!(ANA)), ("title", json!("Pele"))])
        .create(
            "treatment_sessions",
            [
                ("treatment_plan_id", json!(plan)),
                ("session_number", json!(1)),
                ("procedure_id", json!(procedure)),
                ("session_date", json!(instant_text(at_us))),
            ],
        )
}

fn preview(server: &mut Server, draft: Draft) -> (ScopePreview, Option<ScopePreview>) {
    let tablet = synced(1, server);
    let edited = tablet.replica.edit(draft).unwrap();
    let session = edited.records.iter().find(|changed| changed.table == "treatment_sessions").unwrap().id;
    (edited.scope.unwrap(), tablet.replica.scope_of("treatment_sessions", session).unwrap())
}

#[test]
fn an_act_is_previewed_with_its_edit_and_read_back_alike() {
    let (contested, shown) = preview(&mut clinic(|_| ()), session(TOXIN, NOON));
    assert_eq!(contested.verdict.level, Level::Contested);
    assert_eq!(contested.verdict.bundle.as_deref(), Some("2026-11"));
    assert_eq!(shown, Some(contested));
    let (prohibited, _) = preview(&mut clinic(|_| ()), session(CONSULTATION, NOON));
    assert_eq!((prohibited.verdict.level, prohibited.blocks()), (Level::Prohibited, false), "it was done");
    let (planned, _) = preview(&mut clinic(|_| ()), session(CONSULTATION, NOON + DAY));
    assert!(planned.blocks(), "it has yet to begin");
}

#[test]
fn a_note_and_an_edit_of_anything_else_ask_nothing() {
    let tablet = synced(1, &mut clinic(|_| ()));
    let edited = tablet.replica.edit(session(TOXIN, NOON)).unwrap();
    let session = edited.records.iter().find(|changed| changed.table == "treatment_sessions").unwrap().id;
    let note = Draft::new(PROFESSIONAL).text("treatment_sessions", session, "notes", "calma");
    assert_eq!(tablet.replica.edit(note).unwrap().scope, None);
    assert_eq!(tablet.put(PROFESSIONAL, "patients", ANA, "phone", json!("1")).scope, None);
}

#[test]
fn the_clinics_decision_counts_here_before_the_server_knows_it() {
    let tablet = synced(1, &mut clinic(|_| ()));
    let decision = Draft::new(ADMIN).create(
        "scope_decisions",
        [
            ("rule_id", json!("biomedico-injetaveis")),
            ("choice", json!("permit")),
            ("reason", json!("parecer")),
            ("decided_by", json!(ADMIN)),
        ],
    );
    tablet.replica.edit(decision).unwrap();
    tablet.hand.advance_us(1_000_000);
    let draft = session(TOXIN, tablet.replica.clock().now_us());
    let found = tablet.replica.edit(draft).unwrap().scope.unwrap();
    assert!(found.verdict.authorised);
    assert_eq!(found.verdict.conditions.first().map(String::as_str), Some("Decisão da clínica: parecer"));
}

#[test]
fn rules_nobody_signed_do_not_count_and_the_status_says_so() {
    let mut tampered = clinic(|content| content["entries"][0]["level"] = json!("contested"));
    let tablet = synced(1, &mut tampered);
    let found = tablet.replica.edit(session(CONSULTATION, NOON)).unwrap().scope.unwrap();
    assert_eq!((found.verdict.level, found.verdict.bundle), (Level::Unruled, None));
    let notes = tablet.replica.status().unwrap().notes;
    assert!(notes.contains(&Note::ScopeBundleIgnored { count: 1 }), "{notes:?}");
    let notes = synced(1, &mut clinic(|_| ())).replica.status().unwrap().notes;
    assert!(!notes.iter().any(|note| matches!(note, Note::ScopeBundleIgnored { .. })));
}
