//! A new plan of care on the patient's card.

use super::{Typed, redraw};
use crate::app::App;
use crate::failure::Failure;
use crate::forms::input::Input;
use crate::forms::{Posted, Problems, Wanted, text_or_null};
use crate::text;
use crate::visit::{Visit, done};
use crate::write::{Outcome, create as create_record};
use axum::extract::{Path, State};
use axum::response::Response;
use neonpro_contract::ids::RecordId;
use serde_json::{Value as Json, json};

const TABLE: &str = "treatment_plans";

/// The control of a new plan's title.
pub(super) fn input(typed: Option<&(Posted, Problems)>) -> Input {
    let none = Problems::new();
    let (posted, problems) = typed.map_or((None, &none), |(posted, problems)| (Some(posted), problems));
    let mut input = Input::line("title", text::patient::PLAN_TITLE, "");
    input.base = None;
    input.typed(posted, problems)
}

/// Creates an active plan of whoever is using the tablet.
pub async fn create(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let mut wanted = Wanted::default();
        let values = [
            ("patient_id", json!(id.to_string())),
            ("professional_id", visit.author.map_or(Json::Null, |author| json!(author.to_string()))),
            ("title", text_or_null(posted.trimmed("title"))),
            ("status", json!("active")),
        ];
        wanted.set(TABLE, values);
        match create_record(replica, &visit, TABLE, wanted, None)? {
            Outcome::Saved(_) | Outcome::Unchanged => Ok(done(&format!("/pacientes/{id}"), "plano")),
            Outcome::Refused(refusal) => {
                let problem = refusal.problem;
                let typed = Typed { plan: Some((posted, refusal.problems)), problem, ..Typed::default() };
                redraw(replica, &visit, now_us, id, &typed)
            }
        }
    })
    .await
}
