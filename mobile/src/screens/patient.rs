//! A patient's card: identity, health, consents, appointments, plans and sessions.
//!
//! Owns the page; each form of it has a file of its own. Invariant: a refused form is drawn within the same page,
//! with everything that was typed.

pub mod consents;
pub mod documents;
pub mod health;
pub mod identity;
pub mod new;
pub mod photos;
pub mod plans;
mod upload;

use super::frame::{Frame, Page, Tab};
use crate::app::App;
use crate::failure::Failure;
use crate::forms::{Posted, Problems};
use crate::read::agenda::{AppointmentView, list_of_patient};
use crate::read::badge::Badge;
use crate::read::care::{PlanView, list_plans};
use crate::read::photos::{PhotoView, list_photos};
use crate::read::timeline::{EntryView, list_entries};
use crate::read::{Record, find_record, patients, sync, zone};
use crate::text;
use crate::visit::{Visit, refused};
use crate::write::Refusal;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use consents::ConsentView;
use health::{HealthView, Member};
use neonpro_client_core::Replica;
use neonpro_contract::ids::RecordId;
use neonpro_contract::permissions::Audience;
use serde::Deserialize;

const TABLE: &str = "patients";

/// What the open page had shown.
#[derive(Deserialize)]
pub struct PatientQuery {
    /// Revision of the record when the page was drawn.
    visto: Option<String>,
    /// The set-aside edit whose text is to be corrected.
    corrigir: Option<String>,
}

/// What was typed into the page's forms and not saved.
#[derive(Default)]
pub struct Typed {
    identity: Option<(Posted, Refusal)>,
    notes: Option<(Posted, Refusal)>,
    member: Option<(Posted, Member)>,
    plan: Option<(Posted, Problems)>,
    consent: Option<Posted>,
    problem: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "patient.html")]
struct PatientPage {
    frame: Frame,
    id: String,
    name: String,
    detail: String,
    state: Badge,
    identity: crate::forms::input::FormBody,
    health: Option<HealthView>,
    consents: Vec<ConsentView>,
    appointments: Vec<AppointmentView>,
    plans: Option<Vec<PlanView>>,
    photos: Option<Vec<PhotoView>>,
    timeline: Vec<EntryView>,
    plan_title: crate::forms::input::Input,
    care_warning: Option<&'static str>,
}

/// The card.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    Query(query): Query<PatientQuery>,
) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let typed = match &query.corrigir {
            Some(edit) => identity::corrected(replica, edit, id)?,
            None => Typed::default(),
        };
        draw(replica, &visit, now_us, id, query.visto.as_deref(), &typed)
    })
    .await
}

/// The card again, with what was typed and why it was not saved.
fn redraw(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    id: RecordId,
    typed: &Typed,
) -> Result<Response, Failure> {
    let page = draw(replica, &visit.at(format!("/pacientes/{id}")), now_us, id, None, typed)?;
    refused(page)
}

fn draw(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    id: RecordId,
    seen: Option<&str>,
    typed: &Typed,
) -> Result<Page, Failure> {
    let record = find_record(replica, TABLE, id)?.ok_or(Failure::NotFound)?;
    let zone = zone(replica)?;
    let id = id.to_string();
    let disputes = sync::list_disputes(replica, TABLE, &id, zone)?;
    let today = zone.day(now_us).unwrap_or_default();
    let clinical = replica.identity().audience == Audience::Clinical;
    let name = crate::read::text(&record, "name").to_owned();
    let frame = Frame::load(replica, visit, now_us, &name, Tab::Patients)?
        .live("#cabecalho,#alergias-barra,#agendamentos,#saude,#consentimentos,#planos,#fotos,#linha")
        .open_record(&revision(&record), seen)
        .problem(typed.problem);
    let page = PatientPage {
        frame,
        detail: patients::detail(&record, today),
        state: Badge::of(replica, TABLE, &id)?,
        identity: identity::form(&record, &disputes, &id, typed.identity.as_ref()),
        health: clinical.then(|| health::view(&record, &disputes, &id, typed)),
        consents: consents::list(replica, zone, &id, typed.consent.as_ref())?,
        appointments: list_of_patient(replica, zone, &id)?,
        plans: if clinical { Some(list_plans(replica, zone, &id)?) } else { None },
        photos: if clinical { Some(latest(list_photos(replica, zone, &id)?)) } else { None },
        timeline: list_entries(replica, &id, (zone, now_us))?,
        plan_title: plans::input(typed.plan.as_ref()),
        care_warning: consents::care_warning(replica, &id)?,
        name,
        id,
    };
    super::frame::page(&page)
}

/// Photographs the card shows.
const PHOTOS_SHOWN: usize = 4;

fn latest(mut photos: Vec<PhotoView>) -> Vec<PhotoView> {
    photos.truncate(PHOTOS_SHOWN);
    photos
}

/// A mark of what the page's forms show.
fn revision(record: &Record) -> String {
    let fields = ["name", "date_of_birth", "cpf", "phone", "email", "address", "notes"];
    crate::read::revision(fields.map(|field| crate::read::text(record, field)))
}
