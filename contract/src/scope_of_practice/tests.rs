//! Profession × class × date, and what the clinic adds.

use super::*;
use crate::catalogue::table;
use crate::ids::AuthorId;
use crate::row::Row;
use crate::time::{Capture, DeviceInstant};
use crate::value::Value;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value as Json, json};
use std::sync::Arc;

const AT: i64 = 1_790_000_000_000_000;
const DAY: i64 = 86_400_000_000;
const WHO: Uuid = Uuid::from_u128(1);
const BOSS: Uuid = Uuid::from_u128(2);
const PROCEDURE: Uuid = Uuid::from_u128(10);
const PRODUCT: Uuid = Uuid::from_u128(20);

fn shipped() -> Bundle {
    let (content, signature) = SHIPPED.last().unwrap();
    let content: Json = serde_json::from_str(content).unwrap();
    Bundle::open(&content, signature, &publisher_keys()).unwrap()
}

fn person(profession: &str, council: &str) -> Person {
    Person {
        profession: profession.into(),
        council: council.into(),
        state: "SP".into(),
        active: true,
        retired_us: None,
    }
}

/// A professional, a procedure of this class, and the shipped rules.
fn facts(profession: &str, council: &str, class: Option<&str>) -> Facts {
    Facts {
        people: [(WHO, person(profession, council)), (BOSS, person("doctor", "CFM"))].into(),
        procedures: [(PROCEDURE, Procedure { class: class.map(str::to_owned), body_area: None })].into(),
        bundles: vec![Arc::new(shipped())],
        ..Facts::default()
    }
}

fn act() -> Act {
    Act { professional: WHO, procedure: Some(PROCEDURE), products: Vec::new(), at_us: AT, starting: false }
}

fn decision(rule: &str, choice: &str, from_us: i64) -> Decision {
    Decision {
        id: Uuid::from_u128(u128::try_from(from_us).unwrap()),
        rule: rule.into(),
        choice: choice.into(),
        reason: "porque".into(),
        from_us,
        until_us: None,
    }
}

fn supervision() -> Supervision {
    Supervision { supervisor: BOSS, supervisee: WHO, autonomy: 3, active: true, from_us: 0, until_us: None }
}

fn validation(level: &str) -> Validation {
    Validation {
        professional: WHO,
        procedure: Some(PROCEDURE),
        medication: None,
        authorised: level != "prohibited",
        level: Some(level.into()),
        conditions: vec!["na sala".into()],
        supervision: None,
        from_us: 0,
        until_us: None,
    }
}

#[test]
fn the_shipped_rules_profession_by_class() {
    use Level::{Contested, Independent, Prohibited, Supervised};
    let cases = [
        ("doctor", "CFM", "surgery", Independent),
        ("doctor", "CFM", "injectable", Independent),
        ("aesthetician", "CNEP", "superficial_care", Independent),
        ("aesthetician", "CNEP", "superficial_peel", Supervised),
        ("aesthetician", "CNEP", "energy_device", Supervised),
        ("aesthetician", "CNEP", "microneedling", Contested),
        ("aesthetician", "CNEP", "injectable", Prohibited),
        ("aesthetician", "CNEP", "thread_lift", Prohibited),
        ("aesthetician", "CNEP", "medical_consultation", Prohibited),
        ("nurse", "COREN", "superficial_peel", Independent),
        ("nurse", "COREN", "energy_device", Supervised),
        ("nurse", "COREN", "injectable", Contested),
        ("nurse", "COREN", "medical_consultation", Prohibited),
        ("pharmacist", "CFF", "injectable", Contested),
        ("biomedic", "CFBM", "thread_lift", Contested),
        ("biologist", "CFBio", "injectable", Contested),
        ("dentist", "CFO", "injectable", Contested),
        ("dentist", "CFO", "surgery", Contested),
        ("physiotherapist", "COFFITO", "medium_peel", Contested),
        ("physiotherapist", "COFFITO", "surgery", Prohibited),
        ("nurse", "CFM", "injectable", Level::Unruled),
    ];
    for (profession, council, class, level) in cases {
        let found = verdict(&facts(profession, council, Some(class)), &act());
        assert_eq!(found.level, level, "{profession} {class}");
        assert_eq!(found.authorised, level == Independent, "{profession} {class}");
        assert_eq!(found.needs_review, level != Level::Unruled, "no shipped rule has a reviewer");
        assert_eq!(found.bundle.as_deref(), Some("2026-11"));
    }
}

#[test]
fn a_medicine_makes_a_mild_procedure_an_act_of_its_own() {
    let mut facts = facts("aesthetician", "CNEP", Some("superficial_care"));
    let mut act = act();
    for (class, level) in [
        (Some("cosmetic"), Level::Independent),
        (Some("topical_anaesthetic"), Level::Prohibited),
        (Some("botulinum_toxin"), Level::Prohibited),
        (None, Level::Unruled),
    ] {
        facts.products.insert(PRODUCT, class.map(str::to_owned));
        act.products = vec![PRODUCT];
        assert_eq!(verdict(&facts, &act).level, level, "{class:?}");
    }
}

#[test]
fn a_rule_holds_from_its_day_and_a_bundle_from_its_own() {
    let mut facts = facts("aesthetician", "CNEP", Some("injectable"));
    let law = shipped().entries.iter().find(|entry| entry.id == "esteticista-injetaveis").unwrap().valid_from;
    let on = |at_us| Act { at_us, ..act() };
    let from = law.timestamp_micros();
    assert_eq!(verdict(&facts, &on(from - 1)).level, Level::Unruled, "before the law");
    assert_eq!(verdict(&facts, &on(from)).level, Level::Prohibited);
    let mut next = shipped();
    next.version = "2027-01".into();
    next.in_force_from = chrono::DateTime::from_timestamp_micros(AT).unwrap();
    for entry in &mut next.entries {
        entry.level = EntryLevel::Independent;
    }
    facts.bundles.push(Arc::new(next));
    let before = verdict(&facts, &on(AT - 1));
    assert_eq!((before.level, before.bundle.as_deref()), (Level::Prohibited, Some("2026-11")));
    let after = verdict(&facts, &on(AT));
    assert_eq!((after.level, after.bundle.as_deref()), (Level::Independent, Some("2027-01")));
}

#[test]
fn where_the_law_is_contested_the_clinic_chooses_from_a_day_on() {
    let mut facts = facts("nurse", "COREN", Some("injectable"));
    let open = verdict(&facts, &act());
    assert_eq!(
        (open.level, open.undecided.as_slice()),
        (Level::Contested, ["enfermeiro-injetaveis".into()].as_slice())
    );
    facts.decisions = vec![
        decision("enfermeiro-injetaveis", "forbid", 1),
        decision("enfermeiro-injetaveis", "supervise", AT - DAY),
        decision("enfermeiro-injetaveis", "permit", AT + DAY),
        decision("outra", "forbid", AT),
    ];
    assert_eq!(verdict(&facts, &Act { at_us: AT - 2 * DAY, ..act() }).level, Level::Prohibited);
    let supervised = verdict(&facts, &act());
    assert_eq!((supervised.level, supervised.authorised), (Level::Supervised, false), "nobody supervises");
    assert_eq!(supervised.conditions, ["Decisão da clínica: porque", UNSUPERVISED, UNREVIEWED]);
    facts.supervisions = vec![supervision()];
    assert!(verdict(&facts, &act()).authorised);
    assert_eq!(verdict(&facts, &Act { at_us: AT + DAY, ..act() }).level, Level::Independent);
}

#[test]
fn a_decision_of_the_clinic_does_not_touch_what_the_law_prohibits() {
    let mut facts = facts("aesthetician", "CNEP", Some("injectable"));
    facts.decisions = vec![decision("esteticista-injetaveis", "permit", 1)];
    facts.validations = vec![validation("independent")];
    assert_eq!(verdict(&facts, &act()).level, Level::Prohibited);
}

#[test]
fn the_clinic_permits_where_the_law_is_silent_and_restricts_everywhere() {
    let mut facts = facts("nurse", "COREN", None);
    assert_eq!(verdict(&facts, &act()).conditions, [NO_RULE]);
    facts.validations = vec![validation("independent")];
    let found = verdict(&facts, &act());
    assert_eq!((found.level, found.conditions), (Level::Independent, vec!["na sala".to_owned()]));
    facts.validations.push(validation("supervised"));
    assert_eq!(verdict(&facts, &act()).level, Level::Supervised, "the stricter of two");
    facts.validations.push(Validation { procedure: None, ..validation("prohibited") });
    assert_eq!(verdict(&facts, &act()).level, Level::Prohibited, "one that names nothing covers everything");
    let mut doctor = self::facts("doctor", "CFM", Some("injectable"));
    doctor.validations = vec![validation("supervised")];
    assert_eq!(verdict(&doctor, &act()).level, Level::Supervised);
}

#[test]
fn a_supervision_counts_while_it_lasts_and_its_supervisor_works() {
    let mut facts = facts("nurse", "COREN", Some("energy_device"));
    let authorised = |facts: &Facts| verdict(facts, &act()).authorised;
    assert!(!authorised(&facts));
    facts.supervisions = vec![supervision()];
    assert!(authorised(&facts));
    for ended in [
        Supervision { until_us: Some(AT), ..supervision() },
        Supervision { from_us: AT + 1, ..supervision() },
        Supervision { active: false, ..supervision() },
        Supervision { supervisee: BOSS, ..supervision() },
    ] {
        facts.supervisions = vec![ended];
        assert!(!authorised(&facts));
    }
    facts.supervisions = vec![supervision()];
    facts.people.get_mut(&BOSS).unwrap().retired_us = Some(AT + 1);
    assert!(authorised(&facts), "still there at the act");
    facts.people.get_mut(&BOSS).unwrap().retired_us = Some(AT);
    assert!(!authorised(&facts));
}

#[test]
fn a_states_rule_speaks_before_the_nations() {
    let mut facts = facts("nurse", "COREN", Some("injectable"));
    let mut bundle = shipped();
    let national = bundle.entries.iter().find(|entry| entry.id == "enfermeiro-injetaveis").unwrap().clone();
    bundle.entries.push(Entry {
        id: "enfermeiro-injetaveis-sp".into(),
        jurisdiction: "SP".into(),
        level: EntryLevel::Supervised,
        reviewed_by: Some("Nome Completo, OAB/SP 1".into()),
        reviewed_at: Some(national.valid_from),
        ..national
    });
    facts.bundles = vec![Arc::new(bundle)];
    let found = verdict(&facts, &act());
    assert_eq!(
        (found.level, found.rules, found.needs_review),
        (Level::Supervised, vec!["enfermeiro-injetaveis-sp".into()], false)
    );
    facts.people.get_mut(&WHO).unwrap().state = "RJ".into();
    assert_eq!(verdict(&facts, &act()).level, Level::Contested);
}

#[test]
fn who_does_not_work_here_may_do_nothing() {
    let mut facts = facts("doctor", "CFM", Some("injectable"));
    facts.people.get_mut(&WHO).unwrap().active = false;
    assert_eq!(verdict(&facts, &act()).conditions, [NOT_WORKING]);
    assert!(verdict(&Facts::default(), &act()).forbids());
}

fn row(name: &str, values: &[(&str, Value)]) -> Row {
    let mut row = Row::empty(table(name).unwrap());
    values.iter().for_each(|(column, value)| row.set(column, value.clone()));
    row
}

#[test]
fn a_session_is_recorded_and_what_lies_ahead_is_started() {
    let capture = Capture { at: DeviceInstant(AT), uncertainty_ms: 1_000 };
    let ask = |before: Option<&Row>, after: &Row| asked(before, after, AuthorId(WHO), capture);
    let at = |at_us| ("session_date", Value::Instant(at_us));
    let uses = json!({"a": {"product_id": PRODUCT}, "b": {"product_id": PRODUCT}, "c": {"lote": "7"}});
    let done = row(
        "treatment_sessions",
        &[("procedure_id", Value::Uuid(PROCEDURE)), at(AT), ("products_used", Value::Json(uses))],
    );
    let expected = Act { products: vec![PRODUCT], ..act() };
    assert_eq!(ask(None, &done), Asked::Act(expected.clone()), "by its author, each product once");
    let ahead = row(
        "treatment_sessions",
        &[("procedure_id", Value::Uuid(PROCEDURE)), at(AT + DAY), ("performed_by", Value::Uuid(BOSS))],
    );
    let Asked::Act(planned) = ask(None, &ahead) else { panic!("an act") };
    assert_eq!((planned.professional, planned.starting), (BOSS, true));
    let mut noted = done.clone();
    noted.set("notes", Value::Text("calma".into()));
    assert_eq!(ask(Some(&done), &noted), Asked::Untouched, "a note is no act");
    let mut locked = done.clone();
    locked.set("locked_at", Value::Instant(AT));
    assert_eq!(ask(Some(&done), &locked), Asked::Act(expected));
    let mut retired = done.clone();
    retired.set("retired_at", Value::Instant(AT));
    assert_eq!(ask(Some(&done), &retired), Asked::NoAct);
}

#[test]
fn an_appointment_is_an_act_only_while_it_lies_ahead() {
    let capture = Capture { at: DeviceInstant(AT), uncertainty_ms: 0 };
    let booking = |status: &str, start| {
        row(
            "appointments",
            &[
                ("professional_id", Value::Uuid(WHO)),
                ("service_type_id", Value::Uuid(PROCEDURE)),
                ("status", Value::Text(status.into())),
                ("start_time", Value::Instant(start)),
            ],
        )
    };
    let starting = |status, start| matches!(asked(None, &booking(status, start), AuthorId(BOSS), capture), Asked::Act(act) if act.starting);
    assert!(
        starting("scheduled", AT + 1) && starting("confirmed", AT + 1) && starting("in_progress", AT + 1)
    );
    assert!(!starting("scheduled", AT) && !starting("completed", AT + 1) && !starting("cancelled", AT + 1));
}

#[test]
fn a_plan_starts_when_it_becomes_active_unless_it_began_earlier() {
    let capture = Capture { at: DeviceInstant(AT), uncertainty_ms: 0 };
    let day = |at_us| Value::Date(chrono::DateTime::from_timestamp_micros(at_us).unwrap().date_naive());
    let plan = |status: &str, start: Value| {
        row(
            "treatment_plans",
            &[
                ("professional_id", Value::Uuid(WHO)),
                ("status", Value::Text(status.into())),
                ("start_date", start),
            ],
        )
    };
    let ask = |row: &Row| match asked(None, row, AuthorId(BOSS), capture) {
        Asked::Act(act) => Some(act.starting),
        _ => None,
    };
    assert_eq!(ask(&plan("draft", Value::Null)), None);
    assert_eq!(ask(&plan("active", Value::Null)), Some(true));
    assert_eq!(ask(&plan("active", day(AT))), Some(true));
    assert_eq!(ask(&plan("active", day(AT - 3 * DAY))), Some(false));
}

#[test]
fn a_bundle_counts_only_as_it_was_signed() {
    let (content, signature) = SHIPPED.last().unwrap();
    let content: Json = serde_json::from_str(content).unwrap();
    let open = |content: &Json, signature: &str| Bundle::open(content, signature, &publisher_keys());
    assert!(open(&content, signature).is_ok());
    let mut tampered = content.clone();
    tampered["entries"][5]["level"] = json!("independent");
    assert_eq!(open(&tampered, signature), Err(BundleError::Signature));
    let mut extended = content.clone();
    extended["entries"][0]["exception"] = json!("todos");
    assert_eq!(open(&extended, signature), Err(BundleError::Shape), "what is not understood is not signed");
    let mut shorter = content.clone();
    shorter["entries"].as_array_mut().unwrap().pop();
    assert_eq!(open(&shorter, signature), Err(BundleError::Signature));
    assert_eq!(open(&content, ""), Err(BundleError::Signature));
    assert_eq!(open(&content, &"0".repeat(128)), Err(BundleError::Signature));
    let stranger = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let bundle = Bundle::read(&content).unwrap();
    let forged = write_hex(stranger.sign(&bundle.signing_bytes()).as_ref());
    assert_eq!(open(&content, &forged), Err(BundleError::Signature));
    let key: PublisherKey = stranger.public_key().as_ref().try_into().unwrap();
    assert!(Bundle::open(&content, &forged, &[key]).is_ok());
}

#[test]
fn a_bundle_that_contradicts_itself_is_no_bundle() {
    let (content, _) = SHIPPED.last().unwrap();
    let content: Json = serde_json::from_str(content).unwrap();
    let refused = |change: &dyn Fn(&mut Json)| {
        let mut changed = content.clone();
        change(&mut changed["entries"]);
        matches!(Bundle::read(&changed), Err(BundleError::Content(_)))
    };
    assert!(refused(&|entries| entries[1]["id"] = entries[0]["id"].clone()));
    assert!(refused(&|entries| entries[1]["jurisdiction"] = json!("Brasil")));
    assert!(refused(&|entries| entries[1]["procedure_classes"] = json!(["massagem"])));
    assert!(refused(&|entries| entries[1]["valid_until"] = json!("2018-04-04T03:00:00Z")));
    assert!(refused(&|entries| entries[1]["reviewed_by"] = json!("Alguém")));
    assert!(refused(&|entries| entries[1]["valid_from"] = json!("2018-04-04T03:00:00.5Z")));
    let many = |entries: &mut Json| {
        let one = entries[0].clone();
        *entries = (0..300)
            .map(|n| {
                let mut one = one.clone();
                one["id"] = json!(n.to_string());
                one
            })
            .collect();
    };
    assert!(refused(&many));
}

#[test]
fn every_profession_of_the_registry_has_rules_and_none_claims_a_reviewer() {
    let bundle = shipped();
    for profession in [
        "doctor",
        "nurse",
        "pharmacist",
        "aesthetician",
        "dentist",
        "biomedic",
        "physiotherapist",
        "biologist",
    ] {
        assert!(bundle.entries.iter().any(|entry| entry.profession == profession), "{profession}");
    }
    assert!(bundle.entries.iter().all(|entry| entry.reviewed_by.is_none() && !entry.legal_basis.is_empty()));
}
