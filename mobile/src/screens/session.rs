//! A treatment session: writing what happened. Never refused for want of consent: the act took place.

mod closing;
mod uses;

pub use closing::{add, close};
pub use uses::act;

use super::frame::{Frame, Page, Tab, page};
use crate::app::App;
use crate::failure::Failure;
use crate::forms::input::FormBody;
use crate::forms::{Posted, Problems, session as form};
use crate::read::scope::{self, ScopeView};
use crate::read::{
    Record, agenda, attention, badge::Badge, care, find_record, instant, number, text as text_of, texts, zone,
};
use crate::screens::patient::consents::care_warning;
use crate::text;
use crate::visit::{Visit, done, refused};
use crate::write::{Outcome, Refusal, create as create_record, update};
use crate::zone::Zone;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use closing::AddendumView;
use neonpro_client_core::Replica;
use neonpro_contract::ids::RecordId;
use serde::Deserialize;
use serde_json::Value as Json;
use uses::{Chosen, UsesView};

const TABLE: &str = "treatment_sessions";
/// Messages after saving: as usual, and where the scope of practice has something to say.
const NOTICES: (&str, &str) = ("sessao", "sessao_escopo");

/// What an open or new session starts from.
#[derive(Deserialize)]
pub struct SessionQuery {
    /// Plan of a new one.
    plano: Option<String>,
    /// Revision when the page was drawn.
    visto: Option<String>,
    /// The set-aside edit whose text is to be corrected.
    corrigir: Option<String>,
    /// Template a new one begins with.
    modelo: Option<RecordId>,
    #[serde(flatten)]
    chosen: Chosen,
}

/// What is drawn: an existing record or a new one in this plan.
struct Subject {
    id: Option<RecordId>,
    record: Record,
    patient: String,
    plan: String,
}

/// The empty form.
pub async fn new(
    State(app): State<App>,
    visit: Visit,
    Path(patient): Path<RecordId>,
    Query(query): Query<SessionQuery>,
) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let kept = match &query.corrigir {
            Some(edit) => attention::find_kept_creation(replica, edit, TABLE)?,
            None => None,
        };
        let typed = match (kept, query.modelo) {
            (Some(kept), _) => Some((kept, Refusal::of(text::status::CORRECTING))),
            (None, Some(template)) => {
                let notes = care::find_template_text(replica, template)?;
                notes.map(|notes| (Posted::new(vec![("notes".to_owned(), notes)]), Refusal::default()))
            }
            (None, None) => None,
        };
        let subject = blank(replica, patient, query.plano.unwrap_or_default())?;
        let around = (None, &query.chosen, None);
        draw(replica, &visit, now_us, &subject, around, typed.as_ref())
    })
    .await
}

/// The form of an existing session; only its text once it is locked.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    Query(query): Query<SessionQuery>,
) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let kept = match &query.corrigir {
            Some(edit) => attention::find_kept(replica, edit, TABLE, id)?,
            None => None,
        };
        let typed = kept.map(|kept| (kept, Refusal::of(text::status::CORRECTING)));
        let around = (query.visto.as_deref(), &query.chosen, None);
        draw(replica, &visit, now_us, &existing(replica, id)?, around, typed.as_ref())
    })
    .await
}

/// Writes a session.
pub async fn create(
    State(app): State<App>,
    visit: Visit,
    Path(patient): Path<RecordId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let subject = blank(replica, patient, posted.trimmed("treatment_plan_id").to_owned())?;
        let number = care::next_session_number(replica, &subject.plan)?;
        let mut wanted = form::read(&posted, &Record::new(), Some(number));
        wanted.set(TABLE, visit.author.map(|author| ("performed_by", Json::from(author.to_string()))));
        match create_record(replica, &visit, TABLE, wanted, posted.corrects())? {
            Outcome::Saved(id) => {
                let notice = scope::notice(replica, TABLE, id, NOTICES)?;
                Ok(done(&format!("/sessoes/{id}"), notice))
            }
            Outcome::Unchanged => Ok(done(&format!("/pacientes/{patient}"), "sessao")),
            Outcome::Refused(refusal) => {
                let here = visit.at(format!("/pacientes/{patient}/sessoes/nova"));
                refused(draw(
                    replica,
                    &here,
                    now_us,
                    &subject,
                    (None, &Chosen::default(), None),
                    Some(&(posted, refusal)),
                )?)
            }
        }
    })
    .await
}

/// Saves what was touched; what others wrote meanwhile stays.
pub async fn save(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let subject = existing(replica, id)?;
        let here = format!("/sessoes/{id}");
        match update(
            replica,
            &visit,
            TABLE,
            id,
            form::read(&posted, &subject.record, None),
            posted.corrects(),
        )? {
            Outcome::Saved(_) => Ok(done(&here, scope::notice(replica, TABLE, id, NOTICES)?)),
            Outcome::Unchanged => Ok(done(&here, "sem_mudanca")),
            Outcome::Refused(refusal) => refused(draw(
                replica,
                &visit.at(here),
                now_us,
                &subject,
                (None, &Chosen::default(), None),
                Some(&(posted, refusal)),
            )?),
        }
    })
    .await
}

/// The page again, with why nothing was saved and what stays chosen.
fn redraw(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    id: RecordId,
    (why, chosen): (&'static str, &Chosen),
) -> Result<Response, Failure> {
    let here = visit.at(format!("/sessoes/{id}"));
    refused(draw(replica, &here, now_us, &existing(replica, id)?, (None, chosen, Some(why)), None)?)
}

fn blank(replica: &Replica, patient: RecordId, plan: String) -> Result<Subject, Failure> {
    find_record(replica, "patients", patient)?.ok_or(Failure::NotFound)?;
    Ok(Subject { id: None, record: Record::new(), patient: patient.to_string(), plan })
}

fn existing(replica: &Replica, id: RecordId) -> Result<Subject, Failure> {
    let record = find_record(replica, TABLE, id)?.ok_or(Failure::NotFound)?;
    let plan = text_of(&record, "treatment_plan_id").to_owned();
    let patient = care::find_plan(replica, &plan)?.map(|(patient, _)| patient).unwrap_or_default();
    Ok(Subject { id: Some(id), record, patient, plan })
}

#[derive(Template)]
#[template(path = "session.html")]
struct SessionPage {
    frame: Frame,
    title: String,
    id: Option<String>,
    state: Option<Badge>,
    patient: String,
    name: String,
    allergies: String,
    warnings: Vec<&'static str>,
    scope: Option<ScopeView>,
    locked: bool,
    form: Option<FormBody>,
    fixed: Vec<(&'static str, String)>,
    templates: Vec<(String, String)>,
    plan: String,
    uses: UsesView,
    missing: Vec<&'static str>,
    asked: bool,
    addenda: Vec<AddendumView>,
}

fn draw(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    subject: &Subject,
    (seen, chosen, problem): (Option<&str>, &Chosen, Option<&'static str>),
    typed: Option<&(Posted, Refusal)>,
) -> Result<Page, Failure> {
    let title = match number(&subject.record, "session_number") {
        Some(number) => format!("{} {number}", text::patient::SESSION),
        None => text::patient::SESSION_NEW.to_owned(),
    };
    let locked = subject.record.contains_key("locked_at");
    // A closed session has no form beside which its own refusal could stand.
    let refusal = typed.filter(|_| locked).and_then(|(_, refusal)| refusal.problem);
    let mut frame = Frame::load(replica, visit, now_us, &title, Tab::Patients)?
        .live("#cabecalho,#mapa")
        .problem(problem.or(refusal));
    if subject.id.is_some() {
        frame =
            frame.live_with("#lote,#quantidade,#profundidade").open_record(&revision(&subject.record), seen);
    }
    let zone = zone(replica)?;
    let mut warnings: Vec<&'static str> = care_warning(replica, &subject.patient)?.into_iter().collect();
    if locked {
        warnings = vec![text::patient::SESSION_LOCKED];
    }
    let person = match subject.patient.parse() {
        Ok(patient) => find_record(replica, "patients", patient)?.unwrap_or_default(),
        Err(_) => Record::new(),
    };
    page(&SessionPage {
        title,
        id: subject.id.map(|id| id.to_string()),
        state: subject.id.map(|id| Badge::of(replica, TABLE, &id.to_string())).transpose()?,
        patient: subject.patient.clone(),
        name: text_of(&person, "name").to_owned(),
        allergies: texts(&person, "allergies").join(" · "),
        warnings,
        scope: subject.id.map(|id| scope::find_scope(replica, TABLE, id)).transpose()?.flatten(),
        form: if locked { None } else { Some(form_body(replica, subject, typed)?) },
        fixed: if locked { fixed(&subject.record, (zone, now_us)) } else { Vec::new() },
        templates: if subject.id.is_none() {
            care::list_templates(replica, "treatment_record")?
        } else {
            Vec::new()
        },
        plan: subject.plan.clone(),
        uses: uses::view(replica, &subject.record, now_us, chosen)?,
        missing: closing::missing(replica, &subject.record, &subject.patient)?,
        asked: problem == Some(text::session::MISSING),
        addenda: closing::list_addenda(replica, &subject.record, (zone, now_us))?,
        locked,
        frame,
    })
}

fn form_body(
    replica: &Replica,
    subject: &Subject,
    typed: Option<&(Posted, Refusal)>,
) -> Result<FormBody, Failure> {
    let none = Problems::new();
    let (posted, problems) =
        typed.map_or((None, &none), |(posted, refusal)| (Some(posted), &refusal.problems));
    let plans = match subject.id {
        None => Some((care::list_plan_choices(replica, &subject.patient)?, subject.plan.clone())),
        Some(_) => None,
    };
    let procedures = agenda::list_services(replica)?;
    Ok(FormBody {
        action: match subject.id {
            Some(id) => format!("/sessoes/{id}"),
            None => format!("/pacientes/{}/sessoes", subject.patient),
        },
        problem: typed.and_then(|(_, refusal)| refusal.problem),
        inputs: form::inputs(&subject.record, plans, procedures, posted, problems),
        corrects: typed.and_then(|(posted, _)| posted.corrects()),
        extra: String::new(),
        submit: text::SAVE,
        cancel: Some(format!("/pacientes/{}", subject.patient)),
    })
}

fn fixed(record: &Record, (zone, now_us): (Zone, i64)) -> Vec<(&'static str, String)> {
    let closed = instant(record, "locked_at").map(|at| zone.moment(at, now_us)).unwrap_or_default();
    [
        (text::patient::SESSION_NOTES, text_of(record, "notes").to_owned()),
        (text::patient::SESSION_OUTCOME, text_of(record, "outcome").to_owned()),
        (text::patient::SESSION_FEEDBACK, text_of(record, "patient_feedback").to_owned()),
        (text::session::LOCKED_AT, closed),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .collect()
}

fn revision(record: &Record) -> String {
    crate::read::revision(
        ["notes", "outcome", "patient_feedback", "procedure_id"].map(|name| text_of(record, name)),
    )
}
