//! One appointment: booking it, moving it, changing its status.

use super::form_page::{FormPage, Tab};
use super::frame::{Frame, Page};
use crate::app::App;
use crate::failure::Failure;
use crate::forms::appointment::{self as form, Shown};
use crate::forms::input::FormBody;
use crate::forms::{Posted, Problems, Wanted, text_or_null};
use crate::read::scope::{self, ScopeView};
use crate::read::{Record, agenda, attention, badge::Badge, find_record, text as text_of, zone};
use crate::text;
use crate::visit::{Visit, done, refused};
use crate::write::{Outcome, Refusal, create as create_record, update};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use neonpro_client_core::Replica;
use neonpro_contract::ids::RecordId;
use serde::Deserialize;

const TABLE: &str = "appointments";
/// Messages after saving: as usual, and where the scope of practice has something to say.
const NOTICES: (&str, &str) = ("agendamento", "agendamento_escopo");

/// What an open or new appointment starts from.
#[derive(Deserialize)]
pub struct AppointmentQuery {
    /// Whom a new one is for.
    paciente: Option<RecordId>,
    /// Day of a new one, ISO.
    dia: Option<String>,
    /// Start of a new one, `14:30`.
    hora: Option<String>,
    /// Professional of a new one.
    profissional: Option<RecordId>,
    /// Revision when the page was drawn.
    visto: Option<String>,
    /// The set-aside edit whose text is to be corrected.
    corrigir: Option<String>,
}

/// What is drawn: an existing record or a new one of this patient.
struct Subject {
    id: Option<RecordId>,
    record: Record,
    patient: String,
    shown: Shown,
}

/// The empty form; without a patient, the list to choose one.
pub async fn new(
    State(app): State<App>,
    visit: Visit,
    Query(query): Query<AppointmentQuery>,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let kept = match &query.corrigir {
            Some(edit) => attention::find_kept_creation(replica, edit, TABLE)?,
            None => None,
        };
        let patient = kept.as_ref().and_then(|kept| kept.get("patient_id").parse().ok()).or(query.paciente);
        let Some(patient) = patient else {
            return Ok(Redirect::to("/pacientes?ok=escolha_paciente").into_response());
        };
        let place = (query.dia, query.hora, query.profissional);
        let subject = blank(replica, patient, place, now_us)?;
        let typed = kept.map(|kept| (kept, Refusal::of(text::status::CORRECTING)));
        Ok(draw(replica, &visit, now_us, subject, None, typed.as_ref())?.into_response())
    })
    .await
}

/// The form of an existing appointment.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    Query(query): Query<AppointmentQuery>,
) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let kept = match &query.corrigir {
            Some(edit) => attention::find_kept(replica, edit, TABLE, id)?,
            None => None,
        };
        let typed = kept.map(|kept| (kept, Refusal::of(text::status::CORRECTING)));
        draw(replica, &visit, now_us, existing(replica, id)?, query.visto.as_deref(), typed.as_ref())
    })
    .await
}

/// Books it.
pub async fn create(State(app): State<App>, visit: Visit, posted: Posted) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let patient: RecordId = posted.get("patient_id").parse().map_err(|_| Failure::NotFound)?;
        let mut wanted = read(replica, &posted, &Record::new())?;
        wanted.set(TABLE, [("patient_id", text_or_null(&patient.to_string()))]);
        match create_record(replica, &visit, TABLE, wanted, posted.corrects())? {
            Outcome::Saved(id) => {
                Ok(done(&format!("/agendamentos/{id}"), scope::notice(replica, TABLE, id, NOTICES)?))
            }
            Outcome::Unchanged => Ok(done("/", "sem_mudanca")),
            Outcome::Refused(refusal) => {
                let here = visit.at(format!("/agendamentos/novo?paciente={patient}"));
                let subject = blank(replica, patient, (None, None, None), now_us)?;
                refused(draw(replica, &here, now_us, subject, None, Some(&(posted, refusal)))?)
            }
        }
    })
    .await
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
        let subject = existing(replica, id)?;
        let wanted = read(replica, &posted, &subject.record)?;
        let here = format!("/agendamentos/{id}");
        match update(replica, &visit, TABLE, id, wanted, posted.corrects())? {
            Outcome::Saved(_) => Ok(done(&here, scope::notice(replica, TABLE, id, NOTICES)?)),
            Outcome::Unchanged => Ok(done(&here, "sem_mudanca")),
            Outcome::Refused(refusal) => {
                refused(draw(replica, &visit.at(here), now_us, subject, None, Some(&(posted, refusal)))?)
            }
        }
    })
    .await
}

fn read(replica: &Replica, posted: &Posted, record: &Record) -> Result<Wanted, Failure> {
    let usual = match posted.trimmed("service_type_id") {
        "" => None,
        service => agenda::find_usual_minutes(replica, service)?,
    };
    Ok(form::read(posted, record, zone(replica)?, usual))
}

fn blank(
    replica: &Replica,
    patient: RecordId,
    (day, time, professional): (Option<String>, Option<String>, Option<RecordId>),
    now_us: i64,
) -> Result<Subject, Failure> {
    find_record(replica, "patients", patient)?.ok_or(Failure::NotFound)?;
    let zone = zone(replica)?;
    let today = zone.day(now_us).map(|day| day.to_string()).unwrap_or_default();
    let shown = Shown { day: day.unwrap_or(today), time: time.unwrap_or_default(), minutes: String::new() };
    let professional = professional.map(|id| ("professional_id".to_owned(), id.to_string().into()));
    Ok(Subject { id: None, record: professional.into_iter().collect(), patient: patient.to_string(), shown })
}

fn existing(replica: &Replica, id: RecordId) -> Result<Subject, Failure> {
    let record = find_record(replica, TABLE, id)?.ok_or(Failure::NotFound)?;
    let shown = form::shown(&record, zone(replica)?);
    Ok(Subject { id: Some(id), patient: text_of(&record, "patient_id").to_owned(), record, shown })
}

fn draw(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    subject: Subject,
    seen: Option<&str>,
    typed: Option<&(Posted, Refusal)>,
) -> Result<Page, Failure> {
    let none = Problems::new();
    let (posted, problems) =
        typed.map_or((None, &none), |(posted, refusal)| (Some(posted), &refusal.problems));
    let choices = agenda::list_choices(replica)?;
    let title = if subject.id.is_some() { text::agenda::APPOINTMENT } else { text::agenda::NEW };
    let mut frame = Frame::load(replica, visit, now_us, title, Tab::Agenda)?.live("#cabecalho");
    if subject.id.is_some() {
        frame = frame.open_record(&revision(&subject), seen);
    }
    let patient = patient_name(replica, &subject.patient)?;
    let id = subject.id.map(|id| id.to_string());
    FormPage {
        frame,
        title: title.to_owned(),
        state: id.as_deref().map(|id| Badge::of(replica, TABLE, id)).transpose()?,
        subtitle: Some(patient),
        subtitle_href: Some(format!("/pacientes/{}", subject.patient)),
        warnings: warnings(replica, &subject)?,
        scope: scope_of(replica, &subject)?,
        form: Some(FormBody {
            action: id.as_deref().map_or("/agendamentos".to_owned(), |id| format!("/agendamentos/{id}")),
            problem: typed.and_then(|(_, refusal)| refusal.problem),
            inputs: form::inputs(&subject.record, &subject.shown, choices, posted, problems),
            corrects: typed.and_then(|(posted, _)| posted.corrects()),
            extra: extra(&subject),
            submit: text::SAVE,
            cancel: Some("/agenda".to_owned()),
        }),
        fixed: Vec::new(),
    }
    .page()
}

/// The patient of a new appointment travels with its form; an existing one can be moved by tapping. Ids and days were parsed, so
/// they need no escaping.
fn extra(subject: &Subject) -> String {
    match subject.id {
        None => format!("<input type=\"hidden\" name=\"patient_id\" value=\"{}\">", subject.patient),
        Some(id) => format!(
            "<p><a class=\"button\" href=\"/agenda?dia={}&amp;mover={id}\">{}</a></p>",
            subject.shown.day,
            text::agenda::MOVE
        ),
    }
}

fn patient_name(replica: &Replica, patient: &str) -> Result<String, Failure> {
    let record = match patient.parse() {
        Ok(id) => find_record(replica, "patients", id)?,
        Err(_) => None,
    };
    let name = record.as_ref().map_or("", |record| text_of(record, "name"));
    Ok(if name.is_empty() { text::agenda::PATIENT_UNKNOWN.to_owned() } else { name.to_owned() })
}

fn warnings(replica: &Replica, subject: &Subject) -> Result<Vec<&'static str>, Failure> {
    let of = |name| form::instant(&subject.record, name);
    let professional = text_of(&subject.record, "professional_id");
    let (Some(id), Some(start), Some(end)) = (subject.id, of("start_time"), of("end_time")) else {
        return Ok(Vec::new());
    };
    let over = matches!(text_of(&subject.record, "status"), "cancelled" | "no_show" | "rescheduled");
    if professional.is_empty() || over {
        return Ok(Vec::new());
    }
    let overlaps = agenda::overlaps(replica, professional, (start, end), Some(&id.to_string()))?;
    Ok(if overlaps { vec![text::agenda::OVERLAP] } else { Vec::new() })
}

/// Shown where the person must know; an agenda in order says nothing.
fn scope_of(replica: &Replica, subject: &Subject) -> Result<Option<ScopeView>, Failure> {
    let found = subject.id.map(|id| scope::find_scope(replica, TABLE, id)).transpose()?.flatten();
    Ok(found.filter(|found| found.tone != "ok"))
}

fn revision(subject: &Subject) -> String {
    let of = |name| text_of(&subject.record, name);
    let fields = [of("status"), of("professional_id"), of("service_type_id"), of("notes"), of("start_time")];
    crate::read::revision(fields.into_iter().chain([subject.shown.minutes.as_str()]))
}
