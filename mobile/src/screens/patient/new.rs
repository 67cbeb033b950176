//! Novo paciente: the identity form, with a look for the same person first.

use super::TABLE;
use crate::app::App;
use crate::failure::Failure;
use crate::forms::input::FormBody;
use crate::forms::patient::{Disputes, identity_inputs, read_identity};
use crate::forms::{Posted, Problems};
use crate::read::patients::find_same_person;
use crate::read::{Record, attention, zone};
use crate::screens::form_page::{FormPage, Tab};
use crate::screens::frame::{Frame, Page};
use crate::text;
use crate::visit::{Visit, done, refused};
use crate::write::{Outcome, Refusal, create as create_record};
use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use neonpro_client_core::Replica;
use serde::Deserialize;

/// What the form is filled with.
#[derive(Deserialize)]
pub struct NewQuery {
    /// The set-aside edit whose text is to be corrected.
    corrigir: Option<String>,
}

/// Somebody who seems to be the same person, and the box to insist.
#[derive(Template)]
#[template(path = "duplicate.html")]
struct Duplicate {
    id: String,
    name: String,
}

/// The empty form.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    Query(query): Query<NewQuery>,
) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let kept = query
            .corrigir
            .map(|edit| attention::find_kept_creation(replica, &edit, TABLE))
            .transpose()?
            .flatten();
        let typed = kept.map(|kept| (kept, Refusal::of(text::status::CORRECTING)));
        draw(replica, &visit, now_us, typed.as_ref(), None)
    })
    .await
}

/// Creates the patient, unless somebody of the same CPF or name and birth is here and the person does not insist.
pub async fn create(State(app): State<App>, visit: Visit, posted: Posted) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let today = zone(replica)?.day(now_us).unwrap_or_default();
        let wanted = read_identity(&posted, today, true);
        let insists = posted.get("outra_pessoa") == "sim";
        if wanted.problems.is_empty()
            && !insists
            && let Some((id, name)) = find_same_person(replica, &wanted.values())?
        {
            let typed = (posted, Refusal::default());
            let duplicate = Duplicate { id, name };
            return refused(draw(replica, &visit, now_us, Some(&typed), Some(&duplicate))?);
        }
        match create_record(replica, &visit, TABLE, wanted, posted.corrects())? {
            Outcome::Saved(id) => Ok(done(&format!("/pacientes/{id}"), "paciente")),
            Outcome::Unchanged => Ok(done("/pacientes", "sem_mudanca")),
            Outcome::Refused(refusal) => {
                refused(draw(replica, &visit, now_us, Some(&(posted, refusal)), None)?)
            }
        }
    })
    .await
}

fn draw(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    typed: Option<&(Posted, Refusal)>,
    duplicate: Option<&Duplicate>,
) -> Result<Page, Failure> {
    let none = Problems::new();
    let (posted, problems) =
        typed.map_or((None, &none), |(posted, refusal)| (Some(posted), &refusal.problems));
    let form = FormBody {
        action: "/pacientes".to_owned(),
        problem: typed.and_then(|(_, refusal)| refusal.problem),
        inputs: identity_inputs(&Record::new(), &Disputes::new(), posted, problems),
        corrects: typed.and_then(|(posted, _)| posted.corrects()),
        extra: duplicate.map(Template::render).transpose()?.unwrap_or_default(),
        submit: text::SAVE,
        cancel: Some("/pacientes".to_owned()),
    };
    FormPage {
        frame: Frame::load(replica, &visit.at("/pacientes/novo"), now_us, text::patient::NEW, Tab::Patients)?,
        title: text::patient::NEW.to_owned(),
        state: None,
        subtitle: None,
        subtitle_href: None,
        warnings: Vec::new(),
        scope: None,
        form: Some(form),
        fixed: Vec::new(),
    }
    .page()
}
