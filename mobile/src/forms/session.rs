//! The form of a treatment session: plan, procedure, notes, outcome, feedback.
//!
//! Owns which fields it shows. Never writes, and holds no photographs: those serve another consent purpose.

use super::input::{Choice, Input};
use super::{Posted, Problems, Wanted, field, shown_text, text_or_null};
use crate::text::{errors, patient as text};
use serde_json::{Map, Value as Json};

const TABLE: &str = "treatment_sessions";
/// Long texts: name and label.
const TEXTS: &[(&str, &str)] = &[
    ("notes", text::SESSION_NOTES),
    ("outcome", text::SESSION_OUTCOME),
    ("patient_feedback", text::SESSION_FEEDBACK),
];

/// The form's controls; `plans` only where the session is created.
#[must_use]
pub fn inputs(
    record: &Map<String, Json>,
    plans: Option<(Vec<Choice>, String)>,
    procedures: Vec<Choice>,
    posted: Option<&Posted>,
    problems: &Problems,
) -> Vec<Input> {
    let plan = plans.map(|(plans, chosen)| {
        Input::line("treatment_plan_id", text::SESSION_PLAN, chosen).select(plans).typed(posted, problems)
    });
    let procedure = Input::line("procedure_id", text::SESSION_PROCEDURE, shown_text(record, "procedure_id"))
        .select(procedures)
        .typed(posted, problems);
    let texts = TEXTS.iter().map(|(name, label)| {
        let current = shown_text(record, name);
        Input::line(name, label, current).area().typed(posted, problems).moved(current)
    });
    plan.into_iter().chain([procedure]).chain(texts).collect()
}

/// What the form asks for. `number` is the session's place in its plan, where it is created.
#[must_use]
pub fn read(posted: &Posted, record: &Map<String, Json>, number: Option<i64>) -> Wanted {
    let mut wanted = Wanted::default();
    if let Some(number) = number {
        match field(TABLE, "treatment_plan_id") {
            Some(plan) if !posted.trimmed("treatment_plan_id").is_empty() => {
                wanted.put(plan, Json::from(posted.trimmed("treatment_plan_id")));
            }
            _ => wanted.refuse("treatment_plan_id", errors::PLAN),
        }
        wanted.set(TABLE, [("session_number", Json::from(number))]);
    }
    let procedure = posted.trimmed("procedure_id");
    let touched = if number.is_some() { !procedure.is_empty() } else { posted.changed("procedure_id") };
    if let Some(field) = field(TABLE, "procedure_id").filter(|_| touched) {
        wanted.put(field, text_or_null(procedure));
    }
    for (name, _) in TEXTS {
        if let Some(field) = field(TABLE, name) {
            wanted.put_text(field, posted, shown_text(record, name));
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use neonpro_contract::edit::FieldOp;
    use serde_json::json;

    #[test]
    fn a_note_typed_over_a_moved_one_keeps_both() {
        let record = json!({"notes": "Pele seca. Retorno em 30 dias."}).as_object().cloned().unwrap();
        let pairs = [("notes", "Pele muito seca."), ("era_notes", "Pele seca.")];
        let form = Posted::new(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect());
        let wanted = read(&form, &record, None);
        let value = "Pele muito seca. Retorno em 30 dias.".to_owned();
        assert_eq!(wanted.ops, [FieldOp::Text { field: "notes".into(), value }]);
    }

    #[test]
    fn a_session_without_a_plan_is_not_made() {
        assert_eq!(
            read(&Posted::default(), &Map::new(), Some(1)).problems.get("treatment_plan_id"),
            Some(&errors::PLAN)
        );
    }
}
