//! Scope of practice at the merge: what has yet to begin can be stopped, what was done is recorded.

use neonpro_contract::catalogue::Role;
use neonpro_contract::edit::FieldOp;
use neonpro_contract::fate::{Code, Fate};
use neonpro_contract::ids::AuthorId;
use neonpro_contract::value::instant_text;
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::merge::Incoming;
use neonpro_tests::device::{Device, document, put};
use neonpro_tests::world::World;
use serde_json::json;
use uuid::Uuid;

const HOUR: i64 = 3_600_000_000;

fn accepted(fates: &[Fate]) -> bool {
    fates.iter().all(|fate| matches!(fate, Fate::Accepted { .. }))
}

const PROHIBITED: Fate = Fate::Quarantined { code: Code::ScopeProhibited };

/// A world, a tablet of its first clinic, a plan whose patient consented.
struct Room {
    world: World,
    tablet: Device,
    plan: Uuid,
}

impl Room {
    async fn open() -> Self {
        let world = World::new().await;
        let tablet = world.device(world.clinic(0).id).await;
        let (plan, _) = world.record(0, "treatment_plans", 0);
        Self { world, tablet, plan }
    }

    fn who(&self, profession: &str) -> AuthorId {
        self.world.practitioner(0, profession)
    }

    /// A session of this class of procedure by whoever writes it down.
    fn session(&mut self, author: AuthorId, class: &str, at_us: i64) -> (Uuid, Incoming) {
        let record = fresh_id(now());
        let ops = vec![
            put("treatment_plan_id", json!(self.plan)),
            put("session_number", json!(40)),
            put("procedure_id", json!(self.world.service(class))),
            put("session_date", json!(instant_text(at_us))),
        ];
        let edit = self.tablet.edit(author, &[(document("treatment_sessions", record, 0), true, ops)]);
        (record, edit)
    }

    fn change(&mut self, author: AuthorId, session: Uuid, ops: Vec<FieldOp>) -> Incoming {
        self.tablet.edit(author, &[(document("treatment_sessions", session, 0), false, ops)])
    }

    fn booking(&mut self, professional: AuthorId, class: &str, start_us: i64) -> Incoming {
        let (patient, _) = self.world.patient(0, 0);
        let ops = vec![
            put("patient_id", json!(patient)),
            put("professional_id", json!(professional)),
            put("service_type_id", json!(self.world.service(class))),
            put("status", json!("scheduled")),
            put("start_time", json!(instant_text(start_us))),
            put("end_time", json!(instant_text(start_us + HOUR))),
            put("duration_minutes", json!(60)),
        ];
        let desk = self.world.person(0, Role::Assistant);
        self.tablet.edit(desk, &[(document("appointments", fresh_id(now()), 0), true, ops)])
    }

    fn decision(&mut self, author: AuthorId, rule: &str, choice: &str) -> Incoming {
        let ops = vec![
            put("rule_id", json!(rule)),
            put("choice", json!(choice)),
            put("reason", json!("parecer interno")),
            put("decided_by", json!(author)),
            put("valid_from", json!(instant_text(self.tablet.captured_at.unwrap_or(now().0)))),
        ];
        self.tablet.edit(author, &[(document("scope_decisions", fresh_id(now()), 0), true, ops)])
    }

    async fn push(&self, edits: Vec<Incoming>) -> Vec<Fate> {
        self.world.push(self.world.clinic(0).id, edits).await
    }

    /// Codes of the open scope items.
    async fn items(&self) -> Vec<String> {
        let items = self.world.items(self.world.clinic(0).id).await;
        items.into_iter().filter(|item| item.kind == "scope").map(|item| item.code).collect()
    }

    /// What was kept about an act, oldest first: level, authorised, bundle.
    async fn verdicts(&self, record: Uuid) -> Vec<String> {
        sqlx_core::query_scalar::query_scalar(
            "select concat_ws(' ', level, is_authorized, bundle) from sync.scope_verdicts where record_id = $1 \
             order by judged_at",
        )
        .bind(record)
        .fetch_all(&mut self.world.database.admin().await)
        .await
        .unwrap()
    }

    async fn sql(&self, statement: &'static str) {
        sqlx_core::query::query(statement).execute(&mut self.world.database.admin().await).await.unwrap();
    }
}

#[tokio::test]
async fn a_prohibited_session_that_was_done_is_recorded_and_called_to_a_person() {
    let mut room = Room::open().await;
    let author = room.who("aesthetician");
    let (session, edit) = room.session(author, "injectable", now().0 - HOUR);
    let fates = room.push(vec![edit]).await;
    assert!(accepted(&fates), "{fates:?}");
    let clinic = room.world.clinic(0).id;
    assert!(room.world.row(clinic, "treatment_sessions", session).await.is_some());
    assert_eq!(room.items().await, ["scope_prohibited"]);
    assert_eq!(room.verdicts(session).await, ["prohibited f 2026-11"]);
    let item = room.world.items(clinic).await.into_iter().find(|item| item.kind == "scope").unwrap();
    assert_eq!(item.sides["verdict"]["rules"], json!(["esteticista-injetaveis"]));
    assert_eq!(item.sides["verdict"]["needs_review"], json!(true));
}

#[tokio::test]
async fn a_prohibited_act_cannot_be_started() {
    let mut room = Room::open().await;
    let (aesthetician, doctor) = (room.who("aesthetician"), room.who("doctor"));
    let soon = now().0 + 24 * HOUR;
    let (session, planned) = room.session(aesthetician, "injectable", soon);
    let booked = room.booking(aesthetician, "injectable", soon);
    assert_eq!(room.push(vec![planned, booked]).await, [PROHIBITED, PROHIBITED]);
    assert!(room.world.row(room.world.clinic(0).id, "treatment_sessions", session).await.is_none());
    let allowed = vec![
        room.session(doctor, "injectable", soon).1,
        room.booking(doctor, "injectable", soon + 2 * HOUR),
        room.booking(aesthetician, "superficial_care", soon + 2 * HOUR),
        // It has begun: the desk writes down what is happening.
        room.booking(aesthetician, "injectable", now().0 - 30 * 24 * HOUR),
    ];
    let fates = room.push(allowed).await;
    assert!(accepted(&fates), "{fates:?}");
    assert_eq!(room.items().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_item_closes_when_the_record_is_corrected_or_retired() {
    let mut room = Room::open().await;
    let author = room.who("aesthetician");
    let (wrong, first) = room.session(author, "injectable", now().0 - HOUR);
    let (mistaken, second) = room.session(author, "thread_lift", now().0 - HOUR);
    assert!(accepted(&room.push(vec![first, second]).await));
    assert_eq!(room.items().await.len(), 2);
    let care = json!(room.world.service("superficial_care"));
    let corrected = room.change(author, wrong, vec![put("procedure_id", care)]);
    assert!(accepted(&room.push(vec![corrected]).await));
    assert_eq!(room.items().await.len(), 1);
    assert_eq!(room.verdicts(wrong).await, ["prohibited f 2026-11", "independent t 2026-11"]);
    let retired = vec![
        put("retired_at", json!(instant_text(now().0))),
        put("retired_by", json!(author)),
        put("retired_reason", json!("lançada no paciente errado")),
    ];
    let retired = room.change(author, mistaken, retired);
    assert!(accepted(&room.push(vec![retired]).await));
    assert_eq!(room.items().await, Vec::<String>::new());
    assert_eq!(room.verdicts(mistaken).await, ["prohibited f 2026-11"], "what was judged stays");
}

#[tokio::test]
async fn a_contested_rule_asks_the_clinic_once_and_its_decision_closes_the_matter() {
    let mut room = Room::open().await;
    let (author, admin) = (room.who("aesthetician"), room.world.person(0, Role::Admin));
    let edits = vec![
        room.session(author, "microneedling", now().0 - 2 * HOUR).1,
        room.session(author, "microneedling", now().0 - HOUR).1,
    ];
    assert!(accepted(&room.push(edits).await));
    assert_eq!(room.items().await, ["scope_contested"], "one matter, not one per act");
    let not_hers = room.decision(author, "esteticista-microagulhamento", "permit");
    assert_eq!(room.push(vec![not_hers]).await, [Fate::Refused { code: Code::RoleNotAllowed }]);
    let decided = room.decision(admin, "esteticista-microagulhamento", "supervise");
    assert!(accepted(&room.push(vec![decided]).await));
    assert_eq!(room.items().await, Vec::<String>::new());
    let (after, edit) = room.session(author, "microneedling", now().0);
    let (before, late) = room.session(author, "microneedling", now().0 - 3 * HOUR);
    assert!(accepted(&room.push(vec![edit, late]).await));
    assert_eq!(room.verdicts(after).await, ["supervised t 2026-11"]);
    assert_eq!(room.verdicts(before).await, ["contested f 2026-11"], "judged by what held then");
    assert_eq!(room.items().await, Vec::<String>::new(), "and nobody is asked again");
}

#[tokio::test]
async fn a_decision_counts_for_what_comes_with_it() {
    let mut room = Room::open().await;
    let (author, admin) = (room.who("aesthetician"), room.world.person(0, Role::Admin));
    room.tablet.captured_at = Some(now().0 - HOUR);
    let decided = room.decision(admin, "esteticista-microagulhamento", "supervise");
    room.tablet.captured_at = None;
    let (session, edit) = room.session(author, "microneedling", now().0);
    assert!(accepted(&room.push(vec![decided, edit]).await));
    assert_eq!(room.verdicts(session).await, ["supervised t 2026-11"]);
    assert_eq!(room.items().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_later_change_of_the_rules_rewrites_nothing() {
    let mut room = Room::open().await;
    let (nurse, admin) = (room.who("nurse"), room.world.person(0, Role::Admin));
    let (session, edit) = room.session(nurse, "injectable", now().0 - HOUR);
    assert!(accepted(&room.push(vec![edit]).await));
    let kept = room.verdicts(session).await;
    assert_eq!(kept, ["supervised t 2026-11"]);
    let forbidden = room.decision(admin, "enfermeiro-injetaveis", "forbid");
    assert!(accepted(&room.push(vec![forbidden]).await));
    assert_eq!(room.verdicts(session).await, kept);
    assert_eq!(room.items().await, Vec::<String>::new());
    // Locked afterwards: judged again, by the rules of the day it took place.
    let locked = vec![put("locked_at", json!(instant_text(now().0))), put("locked_by", json!(nurse))];
    let locked = room.change(nurse, session, locked);
    let (late, earlier) = room.session(nurse, "injectable", now().0 - 2 * HOUR);
    let (today, later) = room.session(nurse, "injectable", now().0);
    assert!(accepted(&room.push(vec![locked, earlier, later]).await));
    assert_eq!(room.verdicts(session).await, ["supervised t 2026-11", "supervised t 2026-11"]);
    assert_eq!(room.verdicts(late).await, ["supervised t 2026-11"]);
    assert_eq!(room.verdicts(today).await, ["prohibited f 2026-11"]);
    assert_eq!(room.items().await, ["scope_prohibited"]);
}

#[tokio::test]
async fn a_supervised_act_without_supervision_is_recorded_with_an_item() {
    let mut room = Room::open().await;
    room.sql("update professional_supervision set end_date = now() - interval '2 days'").await;
    let nurse = room.who("nurse");
    let (session, edit) = room.session(nurse, "energy_device", now().0 - HOUR);
    assert!(accepted(&room.push(vec![edit]).await));
    assert_eq!(room.items().await, ["scope_unsupervised"]);
    assert_eq!(room.verdicts(session).await, ["supervised f 2026-11"]);
}

#[tokio::test]
async fn products_used_are_judged_with_the_procedure() {
    let mut room = Room::open().await;
    let author = room.who("aesthetician");
    let (session, edit) = room.session(author, "superficial_care", now().0 - HOUR);
    assert!(accepted(&room.push(vec![edit]).await));
    assert_eq!(room.items().await, Vec::<String>::new());
    let toxin = room.world.product(0, "botulinum_toxin");
    let patch = json!({"uso": {"product_id": toxin, "quantity": "0.5"}});
    let used = vec![FieldOp::Merge { field: "products_used".into(), patch }];
    let used = room.change(author, session, used);
    assert!(accepted(&room.push(vec![used]).await));
    assert_eq!(room.items().await, ["scope_prohibited"]);
}

#[tokio::test]
async fn a_plan_is_not_started_by_someone_who_does_not_work_here() {
    let mut room = Room::open().await;
    let clinic = room.world.clinic(0).id;
    let (doctor, nurse) = (room.who("doctor"), room.who("nurse"));
    room.sql("update professionals set is_active = false where professional_type = 'nurse'").await;
    let (_, plan) = room.world.record(0, "treatment_plans", 0);
    let patient = plan.get("patient_id").as_uuid().unwrap();
    let plan = |tablet: &mut Device, professional: AuthorId, start: Option<&str>| {
        let mut ops = vec![
            put("patient_id", json!(patient)),
            put("professional_id", json!(professional)),
            put("title", json!("Plano")),
            put("status", json!("active")),
        ];
        ops.extend(start.map(|day| put("start_date", json!(day))));
        tablet.edit(doctor, &[(document("treatment_plans", fresh_id(now()), 0), true, ops)])
    };
    let edits = vec![
        plan(&mut room.tablet, nurse, None),
        plan(&mut room.tablet, doctor, None),
        plan(&mut room.tablet, nurse, Some("2020-02-03")),
    ];
    let fates = room.world.push(clinic, edits).await;
    assert_eq!(fates[0], PROHIBITED);
    assert!(accepted(&fates[1..]), "{fates:?}");
    assert_eq!(room.items().await, ["scope_prohibited"], "the old plan is recorded, and shown");
}

#[tokio::test]
async fn a_bundle_that_was_tampered_with_does_not_count() {
    let mut room = Room::open().await;
    room.sql("alter table scope_bundles disable trigger append_only").await;
    room.sql("update scope_bundles set content = replace(content::text, 'prohibited', 'independent')::jsonb")
        .await;
    let author = room.who("aesthetician");
    let (session, edit) = room.session(author, "injectable", now().0 - HOUR);
    assert!(accepted(&room.push(vec![edit]).await));
    assert_eq!(room.verdicts(session).await, ["prohibited f"], "the clinic's own rules are left");
}
