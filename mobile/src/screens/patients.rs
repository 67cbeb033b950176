//! Pacientes: find a person by name, CPF or telephone.

use super::frame::{Frame, Page, Tab};
use crate::app::App;
use crate::failure::Failure;
use crate::read::patients::{PATIENTS_MAX, PatientView, list_patients};
use crate::read::zone;
use crate::text;
use crate::visit::Visit;
use askama::Template;
use axum::extract::{Query, State};
use serde::Deserialize;

/// What is searched for.
#[derive(Deserialize)]
pub struct PatientsQuery {
    /// Words, digits.
    #[serde(default)]
    busca: String,
    /// Where an appointment is being booked: day, `T`, time, `~`, professional.
    #[serde(default)]
    agendar: String,
}

#[derive(Template)]
#[template(path = "patients.html")]
struct PatientsPage {
    frame: Frame,
    search: String,
    patients: Vec<PatientView>,
    more: bool,
    booking: Option<Booking>,
}

/// A free cell of the agenda somebody tapped: the next thing chosen is the patient.
struct Booking {
    place: String,
    day: String,
    time: String,
    professional: String,
}

/// `None` for anything that is no place in an agenda.
fn booking(place: &str) -> Option<Booking> {
    let (day, rest) = place.split_once('T')?;
    let (time, professional) = rest.split_once('~')?;
    chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    chrono::NaiveTime::parse_from_str(time, "%H:%M").ok()?;
    let known = professional.is_empty() || professional.parse::<neonpro_contract::ids::RecordId>().is_ok();
    let part = str::to_owned;
    known.then(|| Booking {
        place: part(place),
        day: part(day),
        time: part(time),
        professional: part(professional),
    })
}

impl Booking {
    /// Where choosing a patient leads.
    fn href(&self, patient: &str) -> String {
        let professional = match self.professional.as_str() {
            "" => String::new(),
            id => format!("&profissional={id}"),
        };
        format!("/agendamentos/novo?paciente={patient}&dia={}&hora={}{professional}", self.day, self.time)
    }
}

/// The list.
pub async fn show(
    State(app): State<App>,
    visit: Visit,
    Query(query): Query<PatientsQuery>,
) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let today = zone(replica)?.day(now_us).unwrap_or_default();
        let search: String = query.busca.chars().take(200).collect();
        let mut patients = list_patients(replica, &search, today)?;
        let more = patients.len() > PATIENTS_MAX;
        patients.truncate(PATIENTS_MAX);
        let frame = Frame::load(replica, &visit, now_us, text::PATIENTS, Tab::Patients)?
            .live("#lista")
            .live_with("#busca");
        let booking = booking(&query.agendar);
        super::frame::page(&PatientsPage { frame, search, patients, more, booking })
    })
    .await
}
