//! The identity form of a patient.

use super::{TABLE, Typed, redraw};
use crate::app::App;
use crate::failure::Failure;
use crate::forms::input::FormBody;
use crate::forms::patient::{Disputes, identity_inputs, read_identity};
use crate::forms::{Posted, Problems};
use crate::read::{Record, attention, zone};
use crate::text;
use crate::visit::{Visit, done};
use crate::write::{Outcome, Refusal, update};
use axum::extract::{Path, State};
use axum::response::Response;
use neonpro_client_core::Replica;
use neonpro_contract::ids::RecordId;

/// The form of an existing patient.
pub(super) fn form(
    record: &Record,
    disputes: &Disputes,
    id: &str,
    typed: Option<&(Posted, Refusal)>,
) -> FormBody {
    let none = Problems::new();
    let (posted, problems) =
        typed.map_or((None, &none), |(posted, refusal)| (Some(posted), &refusal.problems));
    FormBody {
        action: format!("/pacientes/{id}"),
        problem: typed.and_then(|(_, refusal)| refusal.problem),
        inputs: identity_inputs(record, disputes, posted, problems),
        corrects: typed.and_then(|(posted, _)| posted.corrects()),
        extra: String::new(),
        submit: text::SAVE,
        cancel: None,
    }
}

/// The form filled with the text of a set-aside edit, to be corrected.
pub(super) fn corrected(replica: &Replica, edit: &str, id: RecordId) -> Result<Typed, Failure> {
    let kept = attention::find_kept(replica, edit, TABLE, id)?;
    Ok(Typed { identity: kept.map(|kept| (kept, Refusal::of(text::status::CORRECTING))), ..Typed::default() })
}

/// Saves what was touched.
pub async fn save(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let today = zone(replica)?.day(now_us).unwrap_or_default();
        match update(replica, &visit, TABLE, id, read_identity(&posted, today, false), posted.corrects())? {
            Outcome::Saved(_) => Ok(done(&format!("/pacientes/{id}"), "salvo")),
            Outcome::Unchanged => Ok(done(&format!("/pacientes/{id}"), "sem_mudanca")),
            Outcome::Refused(refusal) => {
                let typed = Typed { identity: Some((posted, refusal)), ..Typed::default() };
                redraw(replica, &visit, now_us, id, &typed)
            }
        }
    })
    .await
}
