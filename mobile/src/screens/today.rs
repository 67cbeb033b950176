//! Hoje: the agenda of a day and what this tablet still needs from people.

use super::frame::{Frame, Page, Tab};
use crate::app::App;
use crate::failure::Failure;
use crate::read::agenda::{AppointmentView, list_day};
use crate::read::stock::{WatchView, list_watch};
use crate::read::sync::{TodoView, list_todo};
use crate::read::zone;
use crate::text;
use crate::visit::Visit;
use askama::Template;
use axum::extract::{Query, State};
use chrono::{Days, NaiveDate};
use neonpro_client_core::Replica;
use serde::Deserialize;

/// Which day.
#[derive(Deserialize)]
pub struct TodayQuery {
    /// ISO day; today where it is left out or does not read.
    #[serde(default)]
    dia: String,
}

#[derive(Template)]
#[template(path = "today.html")]
struct TodayPage {
    frame: Frame,
    day_text: String,
    day_before: String,
    day_after: String,
    is_today: bool,
    count_text: String,
    appointments: Vec<AppointmentView>,
    todo: Vec<TodoView>,
    watch: Vec<WatchView>,
}

/// The day's page.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    Query(query): Query<TodayQuery>,
) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| draw(replica, &visit, now_us, &query.dia)).await
}

fn draw(replica: &Replica, visit: &Visit, now_us: i64, day: &str) -> Result<Page, Failure> {
    let zone = zone(replica)?;
    let today = zone.day(now_us).unwrap_or_default();
    let day = NaiveDate::parse_from_str(day, "%Y-%m-%d").unwrap_or(today);
    let span = zone.span(day).ok_or(Failure::NotFound)?;
    let appointments = list_day(replica, zone, span)?;
    let beside = |found: Option<NaiveDate>| found.unwrap_or(day).to_string();
    let count = u64::try_from(appointments.len()).unwrap_or_default();
    let page = TodayPage {
        frame: Frame::load(replica, visit, now_us, text::TODAY, Tab::Today)?.live("#agenda,#afazer"),
        day_text: text::agenda::long_day(day),
        day_before: beside(day.checked_sub_days(Days::new(1))),
        day_after: beside(day.checked_add_days(Days::new(1))),
        is_today: day == today,
        count_text: text::plural(count, text::agenda::ONE, text::agenda::MANY),
        appointments,
        todo: list_todo(replica, zone, now_us)?,
        watch: list_watch(replica, zone, now_us)?,
    };
    super::frame::page(&page)
}
