//! A consent signed on the tablet: handing it over, the patient's page, taking it back, and the signed text afterwards.

use super::frame::{Frame, Page, Tab, page};
use crate::app::{App, LockControl};
use crate::evidence::{self, ClockQuality, Evidence, is_signature};
use crate::failure::Failure;
use crate::forms::{Posted, Wanted};
use crate::handed::{Handed, PAGE};
use crate::read::records::reference_name;
use crate::read::{Record, find_record, list, number, text as text_of, zone};
use crate::text;
use crate::visit::{Visit, done, refused};
use crate::write::{self, Outcome, create as create_record};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use neonpro_client_core::Replica;
use neonpro_contract::blob::Address;
use neonpro_contract::catalogue::Purpose;
use neonpro_contract::ids::RecordId;
use neonpro_contract::value::instant_text;
use serde_json::{Value as Json, json};

const TABLE: &str = "data_consent_records";

#[derive(Template)]
#[template(path = "term_hand.html")]
struct HandPage {
    frame: Frame,
    id: String,
    name: String,
    purpose: &'static str,
    title: String,
    text: String,
    pin: bool,
}

#[derive(Template)]
#[template(path = "term.html")]
struct TermPage {
    name: String,
    title: String,
    paragraphs: Vec<String>,
    options: &'static [(&'static str, &'static str)],
    problem: Option<&'static str>,
    guardian: String,
}

#[derive(Template)]
#[template(path = "term_end.html")]
struct EndPage {
    signed: bool,
    pin: bool,
}

#[derive(Template)]
#[template(path = "evidence.html")]
struct EvidencePage {
    frame: Frame,
    evidence: Option<Evidence>,
    paragraphs: Vec<String>,
    facts: Vec<(&'static str, String)>,
    size: (u32, u32),
}

/// The text a purpose is consented to, and its version: the clinic's own, or ours.
struct Term {
    title: String,
    text: String,
    version: i64,
}

fn find_term(replica: &Replica, purpose: &str) -> Result<Term, Failure> {
    let sql =
        "SELECT template_content, version FROM documentation_templates WHERE template_type = 'consent_form'
        AND is_active IS NOT 0 AND retired_at IS NULL ORDER BY version DESC, id DESC";
    for row in list(replica, sql, &[], 50)? {
        let content: Json = serde_json::from_str(text_of(&row, "template_content")).unwrap_or_default();
        let of = |name: &str| content.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        if of("finalidade") == purpose && !of("texto").is_empty() {
            let version = number(&row, "version").unwrap_or(1);
            return Ok(Term { title: of("titulo"), text: of("texto"), version });
        }
    }
    let (title, text) = (text::consent::title(purpose), text::consent::text(purpose));
    Ok(Term { title: title.to_owned(), text: text.to_owned(), version: 1 })
}

fn known(purpose: &str) -> Result<&'static str, Failure> {
    let purpose = Purpose::from_name(purpose).filter(|purpose| *purpose != Purpose::Operation);
    purpose.map(Purpose::name).ok_or(Failure::NotFound)
}

/// Before the tablet is handed over.
pub async fn hand(
    State(app): State<App>,
    visit: Visit,
    Path((id, purpose)): Path<(RecordId, String)>,
) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| draw_hand(replica, &visit, now_us, (id, known(&purpose)?), None)).await
}

fn draw_hand(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    (id, purpose): (RecordId, &'static str),
    problem: Option<&'static str>,
) -> Result<Page, Failure> {
    let record = find_record(replica, "patients", id)?.ok_or(Failure::NotFound)?;
    let term = find_term(replica, purpose)?;
    page(&HandPage {
        frame: Frame::load(replica, visit, now_us, &term.title, Tab::Patients)?.problem(problem),
        id: id.to_string(),
        name: text_of(&record, "name").to_owned(),
        purpose,
        title: term.title,
        text: term.text,
        pin: visit.lock == LockControl::Lock,
    })
}

/// Hands the tablet over.
pub async fn start(
    State(app): State<App>,
    visit: Visit,
    Path((id, purpose)): Path<(RecordId, String)>,
) -> Result<Response, Failure> {
    let (now_us, purpose) = (app.now_us(), known(&purpose)?);
    let author = visit.clone();
    let witness = app.work(move |replica| write::author(replica, &author)).await?;
    let Some(witness) = witness else {
        let why = Some(text::errors::AUTHOR);
        let drawn = app.work(move |replica| draw_hand(replica, &visit, now_us, (id, purpose), why)).await?;
        return refused(drawn);
    };
    app.hand_over(Some(Handed { patient: id, purpose, witness, done: None }));
    Ok(Redirect::to(PAGE).into_response())
}

/// The patient's page.
pub async fn show(State(app): State<App>, visit: Visit) -> Result<Response, Failure> {
    let Some(handed) = app.handed() else { return Ok(Redirect::to("/").into_response()) };
    if let Some(signed) = handed.done {
        let pin = visit.lock == LockControl::Lock;
        return Ok(page(&EndPage { signed, pin })?.into_response());
    }
    app.work(move |replica| Ok(draw(replica, &handed, None, String::new())?.into_response())).await
}

fn draw(
    replica: &Replica,
    handed: &Handed,
    problem: Option<&'static str>,
    guardian: String,
) -> Result<Page, Failure> {
    let record = find_record(replica, "patients", handed.patient)?.ok_or(Failure::NotFound)?;
    let term = find_term(replica, handed.purpose)?;
    page(&TermPage {
        name: text_of(&record, "name").to_owned(),
        title: term.title,
        paragraphs: paragraphs(&term.text),
        options: text::consent::options(handed.purpose),
        problem,
        guardian,
    })
}

fn paragraphs(text: &str) -> Vec<String> {
    text.split("\n\n").map(str::to_owned).collect()
}

/// The patient signed, or did not.
pub async fn sign(State(app): State<App>, visit: Visit, posted: Posted) -> Result<Response, Failure> {
    let Some(handed) = app.handed().filter(|handed| handed.done.is_none()) else {
        return Ok(Redirect::to(PAGE).into_response());
    };
    if posted.get("acao") == "recusar" {
        app.hand_over(Some(Handed { done: Some(false), ..handed }));
        return Ok(Redirect::to(PAGE).into_response());
    }
    let (now_us, witness) = (app.now_us(), Visit { author: Some(handed.witness), ..visit });
    let asked = handed.clone();
    let problem = app.work(move |replica| keep(replica, &witness, &asked, &posted, now_us)).await?;
    match problem {
        None => {
            app.hand_over(Some(Handed { done: Some(true), ..handed }));
            Ok(Redirect::to(PAGE).into_response())
        }
        Some((why, guardian)) => {
            let drawn = app.work(move |replica| draw(replica, &handed, Some(why), guardian)).await?;
            refused(drawn)
        }
    }
}

/// The document first, durably; then the consent that names it. What is missing where nothing was kept.
fn keep(
    replica: &Replica,
    visit: &Visit,
    handed: &Handed,
    posted: &Posted,
    now_us: i64,
) -> Result<Option<(&'static str, String)>, Failure> {
    let guardian = posted.trimmed("responsavel").to_owned();
    let by_patient = posted.get("quem") != "responsavel";
    if !by_patient && guardian.is_empty() {
        return Ok(Some((text::consent::GUARDIAN_EMPTY, guardian)));
    }
    let signature = posted.trimmed("assinatura");
    if !is_signature(signature) {
        return Ok(Some((text::consent::SIGNATURE_EMPTY, guardian)));
    }
    let patient = find_record(replica, "patients", handed.patient)?.ok_or(Failure::NotFound)?;
    let (term, name) = (find_term(replica, handed.purpose)?, text_of(&patient, "name").to_owned());
    let identity = replica.identity();
    let options = text::consent::options(handed.purpose);
    let evidence =
        Evidence {
            format: evidence::FORMAT.to_owned(),
            clinic: identity.clinic_name.clone(),
            patient: (handed.patient.to_string(), name.clone()),
            purpose: handed.purpose.to_owned(),
            title: term.title,
            text: term.text,
            version: term.version,
            options: options.iter().map(|(key, words)| ((*words).to_owned(), posted.has(key))).collect(),
            signer: if by_patient { name } else { guardian.clone() },
            by_patient,
            signature: signature.to_owned(),
            at_us: now_us,
            clock: replica.clock_measured()?.map(|(offset_us, uncertainty_ms, measured_at_us)| {
                ClockQuality { offset_us, uncertainty_ms, measured_at_us }
            }),
            device: identity.device.to_string(),
            witness: handed.witness.to_string(),
        };
    let address = replica.put_blob(&evidence.encode(), None)?;
    let mut wanted = Wanted::default();
    let values = [
        ("patient_id", json!(handed.patient)),
        ("consent_type", json!(handed.purpose)),
        ("consent_given", json!(true)),
        ("consent_date", json!(instant_text(now_us))),
        ("version", json!(evidence.version)),
        ("consent_document_url", json!(address.to_string())),
    ];
    wanted.set(TABLE, values);
    Ok(match create_record(replica, visit, TABLE, wanted, None)? {
        Outcome::Saved(_) | Outcome::Unchanged => None,
        Outcome::Refused(refusal) => Some((refusal.problem.unwrap_or(text::errors::TEXT), guardian)),
    })
}

/// Takes the tablet back where it has no PIN; with one, locking it is the way.
pub async fn take_back(State(app): State<App>, visit: Visit) -> Response {
    let Some(handed) = app.handed() else { return Redirect::to("/").into_response() };
    if visit.lock == LockControl::Lock {
        return Redirect::to(PAGE).into_response();
    }
    app.hand_over(None);
    let notice = if handed.done == Some(true) { "consentimento" } else { "sem_assinatura" };
    done(&format!("/pacientes/{}", handed.patient), notice)
}

/// A signed text.
pub async fn evidence(
    State(app): State<App>,
    visit: Visit,
    Path(hex): Path<String>,
) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let address = Address::from_hex(&hex).ok_or(Failure::NotFound)?;
        // Only what a consent on this tablet names is shown as one.
        let sql = "SELECT uuid_text(patient_id) AS patient FROM data_consent_records WHERE consent_document_url = ?1";
        list(replica, sql, &[address.to_string().into()], 1)?.first().ok_or(Failure::NotFound)?;
        let bytes = replica.read_blob(&address)?;
        let found = bytes.and_then(|bytes| Evidence::decode(&bytes));
        page(&EvidencePage {
            frame: Frame::load(replica, &visit, now_us, text::consent::EVIDENCE, Tab::Patients)?,
            paragraphs: found.as_ref().map(|found| paragraphs(&found.text)).unwrap_or_default(),
            facts: match &found {
                Some(found) => facts(replica, found, &hex, now_us)?,
                None => Vec::new(),
            },
            evidence: found,
            size: evidence::BOX,
        })
    })
    .await
}

fn facts(
    replica: &Replica,
    found: &Evidence,
    hex: &str,
    now_us: i64,
) -> Result<Vec<(&'static str, String)>, Failure> {
    let zone = zone(replica)?;
    let clock = found.clock.map_or_else(
        || text::consent::CLOCK_UNKNOWN.to_owned(),
        |clock| text::consent::clock(clock.uncertainty_ms, &zone.moment(clock.measured_at_us, now_us)),
    );
    Ok(vec![
        (text::consent::SIGNED_BY, found.signer.clone()),
        (text::consent::SIGNED_AT, format!("{} {}", zone.date(found.at_us), zone.time(found.at_us))),
        (text::consent::WITNESS, reference_name(replica, "professionals", &found.witness)?),
        (text::consent::DEVICE, found.device.clone()),
        (text::consent::CLOCK, clock),
        (text::consent::HASH, hex.to_owned()),
    ])
}

/// The signed text of the latest grant of a purpose; `None` where none was signed, or it has not arrived.
///
/// # Errors
/// What the replica reports.
pub(super) fn find_document(
    replica: &Replica,
    patient: &str,
    purpose: &str,
) -> Result<Option<String>, Failure> {
    let sql = "SELECT consent_document_url AS url FROM data_consent_records
        WHERE patient_id = uuid(?1) AND consent_type = ?2 AND consent_given = 1 ORDER BY created_at DESC, id DESC";
    let rows: Vec<Record> = list(replica, sql, &[patient.into(), purpose.into()], 1)?;
    let Some(address) = rows.first().and_then(|row| Address::parse(text_of(row, "url"))) else {
        return Ok(None);
    };
    let here = replica.blob_state(&address)?.is_some_and(|state| state.here);
    Ok(here.then(|| address.hex()))
}
