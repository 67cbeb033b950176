//! Agenda: a day by professional as a table, a week as lists; booking into a free cell, moving by dragging or by tapping.

use super::frame::{Frame, Page, Tab, page};
use crate::app::App;
use crate::failure::Failure;
use crate::forms::appointment as form;
use crate::forms::{Posted, Wanted, field, text_or_null};
use crate::read::agenda::{self, AppointmentView, list_day};
use crate::read::calendar::{Calendar, Cell, place};
use crate::read::{find_record, zone};
use crate::text;
use crate::visit::{Visit, done, refused};
use crate::write::{Outcome, update};
use crate::zone::Zone;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use chrono::{Datelike, Days, NaiveDate, NaiveTime};
use neonpro_client_core::Replica;
use neonpro_contract::ids::RecordId;
use neonpro_contract::value::instant_text;
use serde::Deserialize;
use serde_json::json;

const TABLE: &str = "appointments";
/// Days of a week's view.
const WEEK_DAYS: u64 = 7;

/// What is shown.
#[derive(Deserialize, Default, Clone)]
pub struct AgendaQuery {
    /// ISO day; today where it is left out or does not read.
    #[serde(default)]
    dia: String,
    /// `semana` for a week.
    #[serde(default)]
    visao: String,
    /// Only this professional's.
    #[serde(default)]
    profissional: String,
    /// The appointment that is being moved by tapping.
    mover: Option<RecordId>,
}

/// A day of a week.
struct DayView {
    iso: String,
    name: String,
    today: bool,
    appointments: Vec<AppointmentView>,
}

#[derive(Template)]
#[template(path = "agenda.html")]
struct AgendaPage {
    frame: Frame,
    heading: String,
    day: String,
    before: String,
    after: String,
    is_today: bool,
    week: Option<Vec<DayView>>,
    calendar: Calendar,
    appointments: Vec<AppointmentView>,
    professional: String,
    professionals: Vec<(String, String)>,
    moving: Option<(String, String)>,
}

impl AgendaPage {
    /// An appointment by its place in the day's list.
    fn booked(&self, index: &usize) -> Option<&AppointmentView> {
        self.appointments.get(*index)
    }
}

/// The page.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    Query(query): Query<AgendaQuery>,
) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| draw(replica, &visit, now_us, &query, None)).await
}

/// Moves an appointment; its length stays.
pub async fn move_to(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let record = find_record(replica, TABLE, id)?.ok_or(Failure::NotFound)?;
        let wanted = moved(&posted, &record, zone(replica)?).ok_or(Failure::NotFound)?;
        let day = posted.trimmed("dia").to_owned();
        match update(replica, &visit, TABLE, id, wanted, None)? {
            Outcome::Saved(_) => Ok(done(&format!("/agenda?dia={day}"), "movido")),
            Outcome::Unchanged => Ok(done(&format!("/agenda?dia={day}"), "sem_mudanca")),
            Outcome::Refused(refusal) => {
                let query = AgendaQuery { dia: day, ..AgendaQuery::default() };
                let here = visit.at(format!("/agenda?dia={}", query.dia));
                let page = draw(replica, &here, now_us, &query, refusal.problem)?;
                refused(page)
            }
        }
    })
    .await
}

/// New start and end, and whose it is now. `None` for a place that is none.
fn moved(posted: &Posted, record: &crate::read::Record, zone: Zone) -> Option<Wanted> {
    let day = NaiveDate::parse_from_str(posted.trimmed("dia"), "%Y-%m-%d").ok()?;
    let time = NaiveTime::parse_from_str(posted.trimmed("hora"), "%H:%M").ok()?;
    let start = zone.instant(day, time)?;
    let length = form::instant(record, "end_time")?
        .checked_sub(form::instant(record, "start_time")?)
        .filter(|length| *length > 0)?;
    let end = start.checked_add(length)?;
    let mut wanted = Wanted::default();
    for (name, value) in [("start_time", start), ("end_time", end)] {
        if form::instant(record, name) != Some(value) {
            wanted.put(field(TABLE, name)?, json!(instant_text(value)));
        }
    }
    let professional = posted.trimmed("profissional");
    if posted.has("profissional") && crate::read::text(record, "professional_id") != professional {
        wanted.put(field(TABLE, "professional_id")?, text_or_null(professional));
    }
    Some(wanted)
}

fn draw(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    query: &AgendaQuery,
    problem: Option<&'static str>,
) -> Result<Page, Failure> {
    let zone = zone(replica)?;
    let today = zone.day(now_us).unwrap_or_default();
    let day = NaiveDate::parse_from_str(&query.dia, "%Y-%m-%d").unwrap_or(today);
    let choices = agenda::list_choices(replica)?.professionals;
    let own = |appointment: &AppointmentView| {
        query.profissional.is_empty() || appointment.professional_id == query.profissional
    };
    let of_day = |day: NaiveDate| -> Result<Vec<AppointmentView>, Failure> {
        let span = zone.span(day).ok_or(Failure::NotFound)?;
        Ok(list_day(replica, zone, span)?.into_iter().filter(own).collect())
    };
    let week = match query.visao.as_str() {
        "semana" => Some(week_of(day, today, of_day)?),
        _ => None,
    };
    let step = if week.is_some() { WEEK_DAYS } else { 1 };
    let appointments = if week.is_some() { Vec::new() } else { of_day(day)? };
    let shown: Vec<_> = match query.profissional.as_str() {
        "" => choices,
        one => choices.into_iter().filter(|choice| choice.value == one).collect(),
    };
    let midnight = zone.span(day).ok_or(Failure::NotFound)?.0;
    let moving = match query.mover {
        Some(id) => find_record(replica, TABLE, id)?.map(|_| id),
        None => None,
    };
    let all = agenda::list_choices(replica)?.professionals;
    let beside = |found: Option<NaiveDate>| found.unwrap_or(day).to_string();
    page(&AgendaPage {
        frame: Frame::load(replica, visit, now_us, text::AGENDA, Tab::Agenda)?
            .live("#agenda")
            .problem(problem),
        heading: if week.is_some() { text::agenda::week(monday(day)) } else { text::agenda::long_day(day) },
        before: beside(day.checked_sub_days(Days::new(step))),
        after: beside(day.checked_add_days(Days::new(step))),
        is_today: day == today,
        calendar: place(&appointments, &shown, midnight),
        appointments,
        week,
        professional: query.profissional.clone(),
        professionals: all
            .into_iter()
            .filter(|one| !one.value.is_empty())
            .map(|one| (one.value, one.label))
            .collect(),
        moving: moving.map(|id| (id.to_string(), text::agenda::MOVING.to_owned())),
        day: day.to_string(),
    })
}

fn monday(day: NaiveDate) -> NaiveDate {
    let back = Days::new(day.weekday().num_days_from_monday().into());
    day.checked_sub_days(back).unwrap_or(day)
}

fn week_of(
    day: NaiveDate,
    today: NaiveDate,
    of_day: impl Fn(NaiveDate) -> Result<Vec<AppointmentView>, Failure>,
) -> Result<Vec<DayView>, Failure> {
    let first = monday(day);
    (0..WEEK_DAYS)
        .filter_map(|offset| first.checked_add_days(Days::new(offset)))
        .map(|day| {
            Ok(DayView {
                iso: day.to_string(),
                name: text::agenda::short_day(day),
                today: day == today,
                appointments: of_day(day)?,
            })
        })
        .collect()
}
