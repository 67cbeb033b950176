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
}

#[derive(Template)]
#[template(path = "patients.html")]
struct PatientsPage {
    frame: Frame,
    search: String,
    patients: Vec<PatientView>,
    more: bool,
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
        super::frame::page(&PatientsPage { frame, search, patients, more })
    })
    .await
}
